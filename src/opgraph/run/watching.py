"""One thread for the whole process that looks after the runs whose own threads are busy with users' functions."""

import atexit
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
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        with self._lock:
            self._watches.append(watch)
            self._some.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_on, name="opgraph watch", daemon=True)
                self._thread.start()

    def remove(self, watch: Watch) -> None:
        with self._lock:
            self._watches.remove(watch)

    def end(self) -> None:
        """The process ends. A thread that woke up while the interpreter is taken down could bring it to a crash."""
        self._over.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()

    def _keep_on(self) -> None:
        while not self._over.is_set():
            with self._lock:
                watches = list(self._watches)
                if not watches and not self._over.is_set():
                    self._some.clear()
            for watch in watches:
                watch.look()
            if watches:
                self._over.wait(_TICK)
            else:
                self._some.wait()


_watcher = _Watcher()


def _begin_anew() -> None:
    global _watcher  # noqa: PLW0603 - the thread, and the runs that it watches, stayed with the parent
    _watcher = _Watcher()


def _end() -> None:
    _watcher.end()


atexit.register(_end)
os.register_at_fork(after_in_child=_begin_anew)
