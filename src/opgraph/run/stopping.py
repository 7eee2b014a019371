"""Ctrl-C, SIGTERM, a closed terminal, cancel requests, time limits: the op is interrupted, the record never is."""

import gc
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from itertools import compress
from operator import attrgetter, itemgetter
from pathlib import Path
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


# Where a thread must not be cut off: between having a lock and having said that it is to be let go (logging, imports,
# and what follows every line of a program: a measurement of coverage, a debugger), and in the middle of our own work.
_WITH_LOCKS = (logging, *(sys.modules[name] for name in ("coverage", "pydevd") if name in sys.modules))
_NOT_HERE = (
    str(Path(__file__).parents[1]) + os.sep,
    "<frozen importlib",
    *(str(Path(module.__file__ or "").parent) + os.sep for module in _WITH_LOCKS),
)
_IN_USER_CODE = re.compile(f"(?!{'|'.join(map(re.escape, _NOT_HERE))})").match
_OUTSIDE_OF_LOCKS = re.compile(f"(?!{'|'.join(map(re.escape, _NOT_HERE[1:]))})").match
_PATIENCE = 0.2  # seconds that a thread is given to come back from our own work


class Interruptible:
    """A thread that runs user code, into which one other thread may raise KeyboardInterrupt: at its next bytecode.

    It holds no lock, because an interruption, or a debugger, may keep it from ever letting that go.
    """

    __slots__ = ("_looking", "_sent", "_since", "_thread", "wanted")

    def __init__(self) -> None:
        self._thread = 0  # while it runs user code
        self.wanted = False  # whether it is to be interrupted, or was
        self._sent = self._looking = False
        self._since = 0.0

    def enter(self) -> None:
        """User code begins, in this thread."""
        self.wanted = False
        self._thread = threading.get_ident()

    def interrupt(self, *, ours_too: bool = False) -> bool:
        """Interrupt it. False: it stands where it cannot be interrupted, so try again in a moment.

        Args:
            ours_too: whether it may be in the middle of our own work, if it does not come back from that.
        """
        self._looking = True
        try:
            thread = self._thread
            if not thread or self._sent:
                return True
            if not self.wanted:
                self.wanted, self._since = True, time.monotonic()
            late = ours_too and time.monotonic() > self._since + _PATIENCE
            self._sent = _raise_in(thread, _OUTSIDE_OF_LOCKS if late else _IN_USER_CODE)
            return self._sent
        finally:
            self._looking = False

    def leave(self) -> None:
        """User code is over. An interruption that did not arrive yet arrives here, and does nothing.

        It is not taken back: Python 3.11 would go on looking for it at every call, in all threads, and under a debugger
        or a measurement of coverage never come to the end of that.
        """
        while True:
            try:
                self._thread = 0
                while self._looking:
                    time.sleep(0)
                if self._sent:
                    for _ in range(100):  # it arrives between two of these
                        pass
                    self._sent = False
            except KeyboardInterrupt:
                continue
            return


def _raise_in(thread: int, may_stand: Callable[[str], object]) -> bool:
    """Raise KeyboardInterrupt in a thread if the file of the code that it is in is one where it may stand."""
    import ctypes  # 10 ms, and most runs interrupt nothing

    look: Any = sys._current_frames  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it is documented
    files = map(attrgetter("f_code.co_filename"), map(itemgetter(thread), iter(look, None)))
    threads = compress([ctypes.c_ulong(thread)], map(may_stand, files))
    errors = [ctypes.py_object(KeyboardInterrupt)]
    with uncollected():
        # To look and to raise is one call into C: in between the thread does not move.
        return next(map(ctypes.pythonapi.PyThreadState_SetAsyncExc, threads, errors), 0) > 0


@contextmanager
def uncollected() -> Generator[None]:
    """No garbage is collected meanwhile: in the middle of `sys._current_frames` Python 3.11 would wait for itself."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


class Stopping:
    """Listens for signals, where this is the main thread. `with` it around a run.

    A signal that comes while user code runs raises KeyboardInterrupt in it; one that comes at another time is only
    noted, so that nothing of ours is cut in two. The second one says what is waited for. The third leaves at once, as a
    killed process would: the run has no end in its record, and can be resumed.

    Args:
        run_id: the run, for what is said then.
    """

    def __init__(self, run_id: str = "") -> None:
        self.asked = ""  # who asked for a stop: the signal that came, or what a request says
        self.doing = ""  # the step that was begun last
        self._run_id = run_id
        self._again = 0
        self._signalled = False
        self.in_user_code = False
        self._before: dict[int, Any] = {}
        self._nudged = False
        self._thread = 0
        self.other: Interruptible | None = None  # where signals cannot reach the thread

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                # A program that handles the signal itself keeps doing so.
                if before in (signal.SIG_DFL, signal.default_int_handler):
                    self._before[number] = before
                    signal.signal(number, self._take)
        if signal.SIGINT not in self._before:
            self.other = Interruptible()
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def enter(self) -> None:
        """User code begins.

        Raises:
            KeyboardInterrupt: a stop was asked for already.
        """
        if self.other is not None:
            self.other.enter()
        self.in_user_code = True
        if self.asked:
            raise KeyboardInterrupt(self.asked)

    def leave(self) -> None:
        """User code is over."""
        self.in_user_code = False
        if self.other is not None:
            self.other.leave()

    @contextmanager
    def held(self) -> Generator[None]:
        """A piece of our own work in the middle of user code: a signal that comes meanwhile counts at its end."""
        before = self.in_user_code
        self.leave()
        yield
        if before:
            self.enter()

    def nudge(self) -> None:
        """From another thread: interrupt the user code that is running, if any is."""
        if self.other is not None:
            self.other.interrupt()
        elif self.in_user_code:
            self._nudged = True
            signal.pthread_kill(self._thread, signal.SIGINT)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._nudged and number == signal.SIGINT:
            self._nudged = False
        elif self._signalled:
            if number != signal.SIGHUP:  # which both the system and the shell send when a terminal is closed
                self._insist(number)
            return
        else:
            self._signalled = True
            self.asked = self.asked or signal.Signals(number).name
            if _speakers:
                _speakers[-1](f"stopping{f': waiting for {self.doing} to end' if self.doing else ''}")
        # Where it cannot be interrupted now, it is nudged in a moment.
        if self.in_user_code and (frame is None or _OUTSIDE_OF_LOCKS(frame.f_code.co_filename)):
            self.in_user_code = False  # a second signal must not interrupt what the first one began
            raise KeyboardInterrupt(self.asked)

    def _insist(self, number: int) -> None:
        self._again += 1
        if self._again == 1:
            what = f"for {self.doing} to end" if self.doing else "for what is being recorded"
            (_speakers[-1] if _speakers else _say)(f"still waiting {what}; once more leaves at once")
            return
        _say(f"left at once; run {self._run_id} has no end in its record, and can be resumed")
        if os.isatty(1):
            os.write(1, b"\x1b[?25h")  # a live screen has hidden the cursor
        os._exit(128 + number)


_speakers: list[Callable[[str], None]] = []  # a screen that is drawn again and again would wipe out what is written


@contextmanager
def spoken_by(speaker: Callable[[str], None]) -> Generator[None]:
    """While this is entered, what becomes of a stop that was asked for is told to `speaker`, instead of written. It is
    called in the middle of anything, and is to return at once."""
    _speakers.append(speaker)
    try:
        yield
    finally:
        _speakers.remove(speaker)


def _say(text: str) -> None:
    """Past `sys.stderr`, which belongs to the step while one goes on."""
    with suppress(OSError):
        os.write(2, f"\n{text}\n".encode())
