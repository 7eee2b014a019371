"""How long a run and its attempts may take, and how those end that are to stop: they are asked, then ended.

What the time is, the driver says; here no clock is looked at.
"""

from msgspec import Struct

from opgraph.events import StepFailed, StepSucceeded
from opgraph.run.executors.protocol import Order, Task

_GRACE_OF_CANCEL = 1.0  # seconds between asking an attempt to stop and ending it
_GRACE_OF_LIMIT = 0.5
NEVER = float("inf")


class Wish(Struct):
    """What the driver wants of an attempt: that it ends in time, or that it stops."""

    task: Task
    due: float  # when to act next
    limit: float = 0.0
    of_run: bool = False  # the limit is the run's
    why: str = ""  # it was told to stop: `cancel` or `limit`


def is_late(wish: Wish, fact: StepSucceeded | StepFailed, here: bool | None) -> bool:
    """Whether an attempt that came to an end had no more time: its code went on when it was told to stop, or could not
    hear it. `here`: so says the executor that makes it in the driver's own thread; None: it was made elsewhere."""
    if here is not None or wish.why == "cancel":
        return bool(here) and wish.why != "cancel"
    spent = (fact.load + fact.compute + fact.store) / 1e6
    return wish.why == "limit" or (wish.task.limit is not None and spent > wish.task.limit)


class Limits:
    """The time limits of one run, and the attempts that are to stop.

    Args:
        timeout: seconds that the run may take; None: as long as it likes.

    Attributes:
        wishes: by step, about the attempts under way that have a limit, or are to stop.
        soonest: the first moment at which something is due.
        run_due: when the run's time is up.
    """

    __slots__ = ("_timeout", "run_due", "soonest", "wishes")

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self.wishes: dict[int, Wish] = {}
        self.run_due = self.soonest = NEVER

    @property
    def of_run(self) -> float:
        """Seconds that the run may take; 0: as long as it likes."""
        return self._timeout or 0.0

    def begin(self, now: float) -> None:
        """The run's time begins."""
        if self._timeout is not None:
            self.run_due = now + self._timeout

    def seconds_for(self, limit: float | None, now: float) -> float | None:
        """The seconds that an attempt may take, where its step has this limit: it must end with the run, too."""
        if self.run_due is NEVER:
            return limit
        left = max(self.run_due - now, 0.0)
        return left if limit is None else min(limit, left)

    def begun(self, task: Task, now: float, *, there: bool = True) -> None:
        """An attempt begins. Its own time does so once its worker is `there`; the run's goes on meanwhile."""
        if task.step in self.wishes and self.wishes[task.step].why:
            return  # it was told to stop before it had begun
        limit = self.seconds_for(task.bound.step.timeout if there else None, now)
        if limit is not None:
            self.set(task, limit, now)

    def set(self, task: Task, limit: float, now: float) -> None:
        """An attempt begins that may take so many seconds."""
        due = now + limit
        wish = Wish(task, due, limit)
        if self._timeout is not None and due >= self.run_due - 0.001:
            wish.limit, wish.of_run = self._timeout, True
        self.wishes[task.step] = wish
        self.wake(due)

    def wake(self, due: float) -> None:
        """Something is due then."""
        self.soonest = min(self.soonest, due)

    def patience(self, most: float, now: float) -> float:
        """The seconds until something is due, at most so many."""
        return most if self.soonest is NEVER else min(max(self.soonest - now, 0.0), most)

    def stop(self, task: Task, now: float, *, of_run: bool) -> bool:
        """An attempt is to stop: the run is cancelled, or (`of_run`) its time is up. False: it was told already."""
        wish = self.wishes.setdefault(task.step, Wish(task, NEVER))
        if wish.why:
            return False
        wish.why, wish.due = "cancel", now + _GRACE_OF_CANCEL
        if of_run:
            wish.why, wish.limit, wish.of_run = "limit", self.of_run, True
        self.wake(wish.due)
        return True

    def orders(self, now: float) -> list[tuple[Task, Order]]:
        """What is due now: those whose time is up are to stop, those that did not stop are to be ended."""
        found: list[tuple[Task, Order]] = []
        for wish in self.wishes.values():
            if wish.due <= now:
                found.append((wish.task, Order.KILL if wish.why else Order.STOP))
                if wish.why:
                    wish.due = NEVER
                else:
                    wish.why, wish.due = "limit", now + _GRACE_OF_LIMIT
        self.soonest = min((each.due for each in self.wishes.values()), default=NEVER)
        return found

    def over(self, number: int) -> Wish | None:
        """A step's attempt has ended. Returns what was wanted of it."""
        return self.wishes.pop(number, None) if self.wishes else None
