"""A worker process: it has the definitions loaded, and makes attempts until the driver lets go."""

import array
import faulthandler
import fcntl
import gc
import os
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from functools import cache
from mmap import mmap
from types import FrameType
from typing import Any, NoReturn

from opgraph.events import AnyFact
from opgraph.run.call.loop import EventLoop
from opgraph.run.executors.protocol import Happened, Report, Stopped, Task, is_value_of_fan
from opgraph.run.executors.threads import Window, result_of
from opgraph.run.executors.wire import Ask, Inbox, More, Said, asks, of_report, packed
from opgraph.run.failure import error_info
from opgraph.run.step.attempt import Attempts

# A page that driver and worker share: the attempt that is being made, and the one that is to stop.
ATTEMPT = struct.Struct("<qq")
CURRENT, TO_STOP = 0, ATTEMPT.size
NOBODY = (-1, 0)
_TICK = 0.1  # seconds between two looks whether a step said something
_AT_ONCE = 100  # lines between two such looks that are sent as they come, so that a crash does not take them along
_DRAINED = 2.0  # seconds that the driver is given to read what a step wrote
_PR_SET_PDEATHSIG = 1


def be_worker(
    attempts: Attempts, line: socket.socket, page: mmap, pipes: tuple[int, int, int], parent: int, *, several: bool
) -> NoReturn:
    """Be a worker, in a child that was just made. Does not return.

    Args:
        attempts: makes attempts.
        line: to the driver.
        page: shared with the driver.
        pipes: to the driver, for what is written to descriptor 1, for descriptor 2, and for how it came to crash.
        parent: the driver's process.
        several: whether it makes async attempts, many at once.
    """
    try:
        _settle(attempts, pipes, parent)
        worker = _Worker(attempts, line, page)
        if several:
            worker.serve_loop()
        else:
            worker.serve()
        ATTEMPT.pack_into(page, CURRENT, *NOBODY)  # what is said from here on is no step's
        attempts.shelf.put_away()
        worker.send_lines()
    except BaseException as error:  # noqa: BLE001 - nothing of the driver's may run on in this process
        sys.excepthook(type(error), error, error.__traceback__)
        os._exit(70)
    os._exit(0)


def _settle(attempts: Attempts, pipes: tuple[int, int, int], parent: int) -> None:
    """Have nothing in common with the driver but its definitions."""
    os.setpgid(0, 0)  # Ctrl-C is the driver's to hear; and what the steps start is killed with the worker
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under `nohup`
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    die_with(parent)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    out, err, story = pipes
    os.dup2(out, 1)
    os.dup2(err, 2)
    attempts.said.renew()
    attempts.said.key_of = attempts.key_of  # the driver's state has stayed as it was
    # The old ones may be locked, by a thread that does not exist here.
    sys.stdout = sys.__stdout__ = open(1, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    faulthandler.enable(story, all_threads=False)  # of the thread that crashed: see `crash_of`
    attempts.after_fork()
    gc.freeze()  # what was there before stays shared with the driver


def die_with(parent: int) -> None:
    """End when the parent of this process does; at once, where it has."""
    if sys.platform == "linux":
        c_library().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


class _Worker:
    def __init__(self, attempts: Attempts, line: socket.socket, page: mmap) -> None:
        self._attempts, self._line, self._page = attempts, line, page
        self._inbox = Inbox()
        self._lock = threading.RLock()  # of the line; garbage that is collected while it is held may print
        self._current = NOBODY
        self._in_user_code = False
        self._parent = os.getppid()
        self._flush_c = _c_flush()
        self._credit = _AT_ONCE
        self._left = self._window = 0
        self._main = threading.get_ident()
        attempts.said.on_line = self._line_was_said
        signal.signal(signal.SIGINT, self._interrupted)

    def serve(self) -> None:
        """Make one attempt after the other."""
        loop = EventLoop()
        with self._attempts.said:
            self._begin_to_report_lines()
            while data := self._line.recv(1 << 18):
                for message in self._inbox.add(data):
                    ask = asks(message)
                    if not isinstance(ask, Ask):
                        continue  # an attempt was told something when it had just ended
                    self._left = self._window = ask.window
                    self._attempts.shelf.lent = {(run, seq): blob for run, seq, blob in ask.lent}
                    self._attempts.shelf.known = ask.known
                    self._begin(ask.step, ask.attempt)
                    report = self._attempt(ask.task(self._attempts.steps), loop)
                    self._finish(report)

    def _attempt(self, task: Task, loop: EventLoop) -> Report:
        try:
            self._in_user_code = True
            self._obey()
            report = self._attempts.make(task, self._emit, loop)
            self._in_user_code = False
        except KeyboardInterrupt as interrupt:
            report = Stopped(task.step, task.attempt, error_info(interrupt))
        return report

    def serve_loop(self) -> None:
        """Make async attempts, as many at once as the driver sends."""
        import asyncio  # only here

        attempts, line = self._attempts, self._line
        loop, beside = asyncio.new_event_loop(), EventLoop(apart=True)
        running: dict[tuple[int, int], asyncio.Task[Report]] = {}
        windows: dict[tuple[int, int], Window] = {}

        async def make(ask: Ask) -> Report:
            # Nothing is awaited before the inputs are loaded.
            attempts.shelf.lent, attempts.shelf.known = {(run, seq): blob for run, seq, blob in ask.lent}, ask.known
            task, window = ask.task(attempts.steps), windows[ask.step, ask.attempt]

            def emit(fact: AnyFact, blob: bytes | None) -> None:
                window.count(fact)
                self._send(fact, blob)

            return await attempts.make_async(task, emit, beside, window.wait)

        def over(key: tuple[int, int], done: "asyncio.Task[Report]") -> None:
            del running[key], windows[key]
            self._finish(result_of(done, *key))  # pyright: ignore[reportArgumentType] - one kind of report

        def readable() -> None:
            data = line.recv(1 << 18, socket.MSG_DONTWAIT)
            if not data:
                loop.stop()
            for message in self._inbox.add(data):
                order = asks(message)
                key = (order.step, order.attempt)
                if isinstance(order, Ask):
                    windows[key] = Window(order.window)
                    running[key] = loop.create_task(make(order))
                    running[key].add_done_callback(lambda done, key=key: over(key, done))
                elif key not in running:
                    continue
                elif isinstance(order, More):
                    windows[key].open()
                else:
                    running[key].cancel()

        with attempts.said:
            self._begin_to_report_lines()
            asyncio.set_event_loop(loop)
            loop.add_reader(line.fileno(), readable)
            loop.run_forever()

    # -- an attempt's life ----------------------------------------------------------------

    def _begin(self, step: int, attempt: int) -> None:
        self._current = (step, attempt)
        ATTEMPT.pack_into(self._page, CURRENT, step, attempt)

    def _finish(self, report: Report) -> None:
        """Send what the attempt came to, behind everything that it said."""
        sys.__stdout__.flush()  # pyright: ignore[reportOptionalMemberAccess] - it was set above
        sys.__stderr__.flush()  # pyright: ignore[reportOptionalMemberAccess]
        self._flush_c()
        self._wait_until_read()
        lines = self._attempts.said.drain()
        data = packed(of_report(report))
        with self._lock:
            self._line.sendall(packed(Said(lines)) + data if lines else data)
        self._current = NOBODY

    def _emit(self, fact: AnyFact, blob: bytes | None) -> None:
        before, self._in_user_code = self._in_user_code, False
        self._send(fact, blob)
        if is_value_of_fan(fact):
            self._left -= 1
            while self._left <= 0:
                self._wait_for_more(before)
        self._in_user_code = before
        self._obey()

    def _wait_for_more(self, interruptible: bool) -> None:
        self._in_user_code = interruptible
        self._obey()
        select.select([self._line], [], [])
        self._in_user_code = False
        data = self._line.recv(1 << 18)
        if not data:
            os._exit(0)
        for message in self._inbox.add(data):
            if isinstance(asks(message), More):
                self._left += self._window

    def _send(self, fact: AnyFact, blob: bytes | None) -> None:
        with self._lock:
            self._line.sendall(packed(of_report(Happened(fact, blob))))

    def _wait_until_read(self) -> None:
        """What was written past us is the current step's as long as that is current, so the driver reads it first."""
        patience = time.monotonic() + _DRAINED
        for pipe in (1, 2):
            while _unread(pipe) and time.monotonic() < patience:
                time.sleep(0.0002)

    # -- stopping -------------------------------------------------------------------------

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self._obey()

    def _obey(self) -> None:
        if self._in_user_code and ATTEMPT.unpack_from(self._page, TO_STOP) == self._current:
            self._in_user_code = False  # a second signal must not interrupt what the first one began
            raise KeyboardInterrupt("told to stop")

    def _line_was_said(self) -> None:
        if self._credit <= 0:
            return
        self._credit -= 1
        if threading.get_ident() != self._main:
            self.send_lines()
            return
        before, self._in_user_code = self._in_user_code, False
        self.send_lines()
        self._in_user_code = before
        self._obey()

    def send_lines(self) -> None:
        """What was said goes to the driver."""
        with self._lock:
            lines = self._attempts.said.drain()
            if lines:
                self._line.sendall(packed(Said(lines)))

    def _begin_to_report_lines(self) -> None:
        """Not by `Thread.start`: that waits until the thread runs, which takes a millisecond after a fork."""
        start_new_thread(self._report_lines, ())

    def _report_lines(self) -> None:
        """In a thread: what is said is seen while the step goes on; and where the driver is gone, so are we."""
        while os.getppid() == self._parent:
            time.sleep(_TICK)
            self._credit = _AT_ONCE
            self.send_lines()
        os.killpg(0, signal.SIGKILL)


def _unread(pipe: int) -> int:
    size = array.array("i", [0])
    try:
        fcntl.ioctl(pipe, termios.FIONREAD, size)
    except OSError:  # the step closed it
        return 0
    return size[0]


@cache
def c_library() -> Any:
    """The functions of C. It takes 5 ms to come to them, so who forks workers does before that, once for all."""
    import ctypes  # only here

    return ctypes.CDLL(None)


def _c_flush() -> Callable[[], object]:
    flush = c_library().fflush
    return lambda: flush(None)
