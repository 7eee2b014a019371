"""Ctrl-C and SIGTERM while a run goes: the op that is running is interrupted, the record never is."""

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Listens for signals, where this is the main thread. `with` it around a run.

    A signal that comes while user code runs raises KeyboardInterrupt in it; one that comes at another time is only
    noted, so that nothing of ours is cut in two. The second one says what is waited for. The third leaves at once, as a
    killed process would: the run has no end in its record, and can be resumed.

    Args:
        run_id: the run, for what is said then.
    """

    def __init__(self, run_id: str = "") -> None:
        self.asked = ""  # the first signal that came
        self.doing = ""  # the step that was begun last
        self._run_id = run_id
        self._again = 0
        self.in_user_code = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                # A program that handles the signal itself keeps doing so.
                if before in (signal.SIG_DFL, signal.default_int_handler):
                    self._before[number] = before
                    signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    @contextmanager
    def held(self) -> Generator[None]:
        """A piece of our own work in the middle of user code: a signal that comes meanwhile counts at its end."""
        before, self.in_user_code = self.in_user_code, False
        yield
        if before:
            self.in_user_code = not self.asked
            if self.asked:
                raise KeyboardInterrupt(self.asked)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            self._insist(number)
            return
        self.asked = signal.Signals(number).name
        if self.in_user_code:
            self.in_user_code = False  # a second signal must not interrupt what the first one began
            raise KeyboardInterrupt(self.asked)

    def _insist(self, number: int) -> None:
        self._again += 1
        if self._again == 1:
            what = f"for {self.doing} to end" if self.doing else "for what is being recorded"
            _say(f"still waiting {what}; once more leaves at once")
            return
        _say(f"left at once; run {self._run_id} has no end in its record, and can be resumed")
        if os.isatty(1):
            os.write(1, b"\x1b[?25h")  # a live screen has hidden the cursor
        os._exit(128 + number)


def _say(text: str) -> None:
    """Past `sys.stderr`, which belongs to the step while one goes on."""
    with suppress(OSError):
        os.write(2, f"\n{text}\n".encode())
