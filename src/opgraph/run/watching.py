"""One thread for the whole process that looks after the runs whose own threads are busy with users' functions."""

import os
import threading
from collections.abc import Callable

_TICK = 0.1  # seconds between two looks


class Watch:
    """Calls a function ten times a second until it is ended. To begin a thread for each run costs what ten steps do.

    Args:
        look: what to call, in the thread that watches; one call at a time.
    """

    __slots__ = ("_lock", "_look")

    def __init__(self, look: Callable[[], None]) -> None:
        self._look: Callable[[], None] | None = look
        self._lock = threading.Lock()
        _watcher.add(self)

    def look(self) -> None:
        """A tick has passed."""
        with self._lock:
            if self._look is not None:
                self._look()

    def end(self) -> None:
        """From here on the function is not called any more, nor is a call of it under way."""
        with self._lock:
            self._look = None
        _watcher.remove(self)


class _Watcher:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: list[Watch] = []
        self._some = threading.Event()
        self._runs = False

    def add(self, watch: Watch) -> None:
        with self._lock:
            self._watches.append(watch)
            self._some.set()
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._keep_on, name="opgraph watch", daemon=True).start()

    def remove(self, watch: Watch) -> None:
        with self._lock:
            self._watches.remove(watch)

    def _keep_on(self) -> None:
        pause = threading.Event()
        while True:
            with self._lock:
                watches = list(self._watches)
                if not watches:
                    self._some.clear()
            for watch in watches:
                watch.look()
            if watches:
                pause.wait(_TICK)
            else:
                self._some.wait()


_watcher = _Watcher()


def _begin_anew() -> None:
    global _watcher  # noqa: PLW0603 - the thread, and the runs that it watches, stayed with the parent
    _watcher = _Watcher()


os.register_at_fork(after_in_child=_begin_anew)
