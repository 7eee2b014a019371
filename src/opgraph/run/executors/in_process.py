"""The executor that needs nothing: one attempt after the other, in the driver's own thread."""

import time
from collections.abc import Callable, Sequence

from opgraph.run.call.loop import EventLoop
from opgraph.run.executors.protocol import Emit, Order, Report, Stopped, Task
from opgraph.run.failure import error_info
from opgraph.run.step.attempt import Attempts
from opgraph.run.stopping import Stopping
from opgraph.run.watching import Watch

_NEVER = float("inf")


class InProcess:
    """Makes each attempt while the driver asks for reports; see `Executor`. The driver may do so again in the middle of
    an attempt, when that has emitted a fact.

    The driver is not heard while user code runs, so a thread beside it looks after what cannot wait: it calls `look`,
    which keeps what the step said and notices a request to cancel, and it interrupts a step whose time is up.
    """

    apart, ready = False, True

    def __init__(self, attempts: Attempts, emit: Emit, stopping: Stopping, look: Callable[[], None]) -> None:
        self._make, self._emit, self._stopping, self._look = attempts.make, emit, stopping, look
        self._loop = EventLoop()
        self._task: Task | None = None
        self._due = _NEVER
        self.was_late = False  # whether the last attempt went on when its time was up
        self._watch = Watch(self._keep_watch)

    def lane(self, step: int, template: int) -> int:
        """See `Executor.lane`: there is one."""
        del step, template
        return 0

    def places(self, lane: int) -> int:
        """See `Executor.places`."""
        return 1 if lane == 0 else 0

    def start(self, task: Task) -> bool:
        """See `Executor.start`."""
        self._task = task
        return True

    def reports(self, timeout: float) -> Sequence[Report]:
        """See `Executor.reports`: this is where the attempt is made."""
        task, self._task = self._task, None
        if task is None:
            time.sleep(timeout)
            return ()
        return (self.make(task),)

    def make(self, task: Task) -> Report:
        """Make an attempt at once: `start` and `reports` in one."""
        stopping = self._stopping
        around, began = self._due, 0.0
        if task.limit is not None or around is not _NEVER:
            began = time.monotonic()
            self._due = began + task.limit if task.limit is not None else _NEVER
        try:
            stopping.in_user_code = True
            if stopping.asked or stopping.other is not None:
                stopping.enter()
            report = self._make(task, self._emit, self._loop)
            stopping.in_user_code = False
        except KeyboardInterrupt as interrupt:  # before the attempt had begun, or after its end
            report = Stopped(task.step, task.attempt, error_info(interrupt))
            stopping.in_user_code = False
        if stopping.other is not None:
            stopping.leave()
        self.was_late = bool(began) and time.monotonic() > self._due
        if began:  # the attempt that waits for this one, if one does, has lost no time
            self._due = around + time.monotonic() - began if around is not _NEVER else _NEVER
        return report

    def order(self, step: int, attempt: int, order: Order) -> None:
        """See `Executor.order`: by the time the driver can say so, the attempt is over, or waits for the driver."""

    def close(self) -> None:
        """See `Executor.close`."""
        self._watch.end()
        self._loop.close()

    def _keep_watch(self) -> None:
        self._look()
        if self._stopping.asked or time.monotonic() > self._due:
            self._stopping.nudge()
