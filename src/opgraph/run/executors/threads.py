"""Steps on threads of the driver's process, and async steps together on one event loop."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from opgraph.events import AnyFact
from opgraph.run.call.loop import EventLoop
from opgraph.run.executors.protocol import (
    ASYNC,
    HERE,
    WORKERS,
    Died,
    Ended,
    Happened,
    Missing,
    Order,
    Report,
    Stopped,
    Task,
    attempt_of,
    is_value_of_fan,
)
from opgraph.run.failure import error_info, where_is
from opgraph.run.step.attempt import Attempts
from opgraph.run.stopping import Interruptible

if TYPE_CHECKING:
    import asyncio

ASYNC_KINDS = ("async", "async_generator")
_TICK = 0.05  # seconds
_SOON = 0.002  # seconds until what could not be interrupted is tried again
_MOST_AT_ONCE = 1000  # reports handed over in one go, so that the driver commits now and then


class Threads:
    """Makes attempts in this process, several at once; see `Executor`.

    Args:
        attempts: makes one.
        most: how many sync steps run at once.
        most_async: how many async steps are on the event loop at once.
        wake: called when a report is there, where the driver waits for something else as well.
    """

    apart = ready = True

    def __init__(
        self, attempts: Attempts, *, most: int, most_async: int, wake: Callable[[], None] | None = None
    ) -> None:
        self._attempts = attempts
        self._loop = EventLoop(apart=True)
        self._reports: SimpleQueue[Report] = SimpleQueue()
        self._wake = wake
        self._places = {WORKERS: most, ASYNC: most_async, HERE: 1}
        self._idle: list[_Thread] = []
        self._threads: dict[tuple[int, int], _Thread] = {}
        self._not_yet: dict[tuple[int, int], _Thread] = {}  # to be interrupted, where they can be
        self._on_loop: dict[tuple[int, int], asyncio.Task[Ended | Missing | Stopped]] = {}
        self._windows: dict[tuple[int, int], Window] = {}  # of attempts on the loop
        self._under_way: set[tuple[int, int]] = set()

    def lane(self, step: int, template: int) -> int:
        """See `Executor.lane`."""
        del step
        bound = self._attempts.steps[template]
        if bound.step.executor:
            return HERE
        return ASYNC if bound.op.body.kind in ASYNC_KINDS else WORKERS

    def places(self, lane: int) -> int:
        """See `Executor.places`."""
        return self._places[lane]

    def start(self, task: Task) -> bool:
        """See `Executor.start`."""
        key = (task.step, task.attempt)
        self._under_way.add(key)
        if task.bound.op.body.kind in ASYNC_KINDS:
            self._loop.in_thread().call_soon_threadsafe(self._start_on_loop, task)
            return True
        thread = self._idle.pop() if self._idle else _Thread(self._attempts, self._loop, self._put)
        self._threads[key] = thread
        thread.tasks.put(task)
        return True

    def reports(self, timeout: float) -> Sequence[Report]:
        """See `Executor.reports`."""
        came: list[Report] = []
        if self._not_yet:
            self._interrupt_the_rest()
            timeout = min(timeout, _SOON)
        try:
            came.append(self._reports.get(timeout=timeout) if timeout > 0 else self._reports.get_nowait())
            while len(came) < _MOST_AT_ONCE:
                came.append(self._reports.get_nowait())
        except Empty:
            pass
        for report in came:
            if type(report) is not Happened:
                self._is_over(report)
        return came

    def order(self, step: int, attempt: int, order: Order) -> None:
        """See `Executor.order`: an exception at the next bytecode, or at the next `await`. What is stuck is left."""
        key = (step, attempt)
        if key not in self._under_way:
            return
        thread = self._threads.get(key)
        if order is Order.MORE:
            if thread is not None:
                thread.more.put(None)
            else:
                self._loop.in_thread().call_soon_threadsafe(self._open, key)
            return
        if thread is not None:
            self._interrupt(key, thread)
        else:
            self._loop.in_thread().call_soon_threadsafe(self._cancel, key)
        if order is Order.KILL:
            at = thread.ident if thread is not None else self._loop.thread_of(self._on_loop.get(key))
            self._reports.put(Died(step, attempt, "was stuck and is left behind", where_is(at or 0)))

    def _interrupt(self, key: tuple[int, int], thread: "_Thread") -> None:
        if thread.user.interrupt(ours_too=True):
            self._not_yet.pop(key, None)
        else:
            self._not_yet[key] = thread

    def _interrupt_the_rest(self) -> None:
        for key, thread in list(self._not_yet.items()):
            self._interrupt(key, thread)

    def close(self) -> None:
        """See `Executor.close`."""
        for key, thread in self._threads.items():
            if key in self._under_way:
                self._interrupt(key, thread)
            thread.tasks.put(None)
        for thread in self._idle:
            thread.tasks.put(None)
        patience = time.monotonic() + 1.0
        for thread in (*self._idle, *self._threads.values()):
            while thread.is_alive() and (left := patience - time.monotonic()) > 0:
                thread.join(min(left, _SOON if self._not_yet else left))
                self._interrupt_the_rest()
        self._loop.close()

    def _put(self, report: Report) -> None:
        self._reports.put(report)
        if self._wake is not None:
            self._wake()

    def _is_over(self, report: Report) -> None:
        key = attempt_of(report)
        if key not in self._under_way:
            return  # the late end of one that was left behind
        self._under_way.discard(key)
        self._not_yet.pop(key, None)
        thread = self._threads.pop(key, None)
        if thread is None:
            self._on_loop.pop(key, None)
        elif type(report) is Died:
            thread.tasks.put(None)  # if it ever comes back
        else:
            self._idle.append(thread)

    # -- on the loop --------------------------------------------------------------------

    def _start_on_loop(self, task: Task) -> None:
        loop, key = self._loop.in_thread(), (task.step, task.attempt)
        window = self._windows[key] = Window(task.window)

        def emit(fact: AnyFact, blob: bytes | None) -> None:
            window.count(fact)
            self._put(Happened(fact, blob))

        def over(done: "asyncio.Task[Ended | Missing | Stopped]") -> None:
            del self._windows[key]
            self._put(result_of(done, *key))

        made = loop.create_task(self._attempts.make_async(task, emit, self._loop, window.wait), context=copy_context())
        self._on_loop[key] = made
        made.add_done_callback(over)

    def _open(self, key: tuple[int, int]) -> None:
        window = self._windows.get(key)
        if window is not None:
            window.open()

    def _cancel(self, key: tuple[int, int]) -> None:
        made = self._on_loop.get(key)
        if made is not None:
            made.cancel()


class Window:
    """How many values of a fan-out an attempt on an event loop may yield before it waits. Used on that loop only."""

    __slots__ = ("_left", "_more", "_size")

    def __init__(self, size: int) -> None:
        self._left = self._size = size
        self._more: asyncio.Event | None = None

    def count(self, fact: AnyFact) -> None:
        """A fact was emitted."""
        self._left -= is_value_of_fan(fact)

    def open(self) -> None:
        """As many more."""
        self._left += self._size
        if self._more is not None:
            self._more.set()

    async def wait(self) -> None:
        """Wait until another may come."""
        import asyncio  # it runs already

        while self._left <= 0:
            self._more = asyncio.Event()
            await self._more.wait()


def result_of(done: "asyncio.Task[Ended | Missing | Stopped]", step: int, attempt: int) -> Ended | Missing | Stopped:
    """The end of an attempt on an event loop; it may have been cancelled before it began."""
    if done.cancelled():
        return Stopped(step, attempt, error_info(KeyboardInterrupt()))
    return done.result()


class _Thread(threading.Thread):
    """Makes one attempt after the other."""

    def __init__(self, attempts: Attempts, loop: EventLoop, put: Callable[[Report], None]) -> None:
        super().__init__(name="opgraph worker", daemon=True)
        self.tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.user = Interruptible()
        self.more: SimpleQueue[None] = SimpleQueue()
        self._make, self._loop, self._put = attempts.make, loop, put
        self._left = self._window = 0
        self.start()

    def run(self) -> None:
        """Until it is told that there is nothing more."""
        while (task := self.tasks.get()) is not None:
            self._put(copy_context().run(self._attempt, task))

    def _attempt(self, task: Task) -> Ended | Missing | Stopped:
        self._left = self._window = task.window
        self.more = SimpleQueue()
        try:
            self.user.enter()
            report = self._make(task, self._emit, self._loop)
            self.user.leave()
        except KeyboardInterrupt as interrupt:
            report = Stopped(task.step, task.attempt, error_info(interrupt))
            self.user.leave()
        return report

    def _emit(self, fact: AnyFact, blob: bytes | None) -> None:
        self._put(Happened(fact, blob))
        if is_value_of_fan(fact):
            self._left -= 1
            while self._left <= 0:
                if self.user.wanted:
                    raise KeyboardInterrupt
                with suppress(Empty):
                    self.more.get(timeout=_TICK)
                    self._left += self._window
