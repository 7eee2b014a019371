"""How often a failed step is tried again, and after how long."""

import math
import random
from enum import Enum
from typing import Any

from opgraph.declare.frozen import Compared
from opgraph.declare.mistakes import WrongType, report
from opgraph.errors import InvalidDefinitionError, Mistake, Source


class Backoff(Enum):
    """How the wait grows from failure to failure: `LINEAR` is 1, 2, 3 times the delay, `EXPONENTIAL` 1, 3, 7 times."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class Jitter(Enum):
    """How chance changes the wait, so that many steps that failed together do not come back together: `FULL` is
    anything between nothing and the wait, `PLUS_MINUS` up to one delay more or less."""

    FULL = "full"
    PLUS_MINUS = "plus_minus"


class NoDelay(Mistake, InvalidDefinitionError):
    """A retry policy that says how its wait changes and not how long it is."""

    parameter: str
    says = "a `RetryPolicy` has a `{parameter}` and no `delay`: there is no wait that it could change"
    mend = "say how many seconds the first wait is, `delay=1`, or leave `{parameter}` out"


class RetryPolicy(Compared):
    """How often a failed step is tried again, and after how long. Other steps go on during the wait.

    Args:
        max_retries: how many further attempts there may be.
        delay: seconds to wait before another attempt; None: none.
        backoff: how the wait grows; None: it is always `delay`.
        jitter: how chance changes it.

    Raises:
        InvalidDefinitionError: `backoff` or `jitter` without `delay`, or a value that cannot be.

    Example:
        >>> policy = RetryPolicy(max_retries=3, delay=1, backoff=Backoff.EXPONENTIAL)
        >>> [policy.calculate_delay(n) for n in (1, 2, 3)]
        [1, 3, 7]
    """

    __slots__ = ("backoff", "delay", "jitter", "max_retries")

    max_retries: int
    delay: float | None
    backoff: Backoff | None
    jitter: Jitter | None

    def __init__(
        self,
        max_retries: int = 1,
        delay: float | None = None,
        backoff: Backoff | None = None,
        jitter: Jitter | None = None,
    ) -> None:
        self.settle(max_retries=max_retries, delay=delay, backoff=backoff, jitter=jitter)
        where = Source.of_caller()

        def wrong(parameter: str, given: object, takes: str) -> None:
            report(WrongType("a `RetryPolicy`", parameter, given, takes, where=where))

        if type(self.max_retries) is not int or self.max_retries < 0:
            wrong("max_retries", self.max_retries, "a whole number, 0 or more")
        if self.delay is not None and not is_wait(self.delay):
            wrong("delay", self.delay, "a number of seconds, 0 or more")
        told: list[tuple[str, Any, type[Enum]]] = [("backoff", self.backoff, Backoff), ("jitter", self.jitter, Jitter)]
        for parameter, given, kind in told:
            if given is None:
                continue
            if not isinstance(given, kind):
                wrong(parameter, given, " or ".join(f"`{each}`" for each in kind))
            elif self.delay is None:
                report(NoDelay(parameter, where=where))

    def __hash__(self) -> int:
        return hash((self.max_retries, self.delay, self.backoff, self.jitter))

    def calculate_delay(self, attempt_num: int) -> float:
        """The wait after so many failed attempts (from 1), in seconds; with jitter, another one each time."""
        delay = self.delay or 0
        wait = wait_after(attempt_num, delay, self.backoff.value if self.backoff is not None else "")
        return jittered(wait, delay, self.jitter.value if self.jitter is not None else "")


def is_wait(given: Any) -> bool:
    """Whether it is a time to wait: a number of seconds, not negative."""
    return isinstance(given, (int, float)) and not isinstance(given, bool) and math.isfinite(given) and given >= 0


def wait_after(failures: int, delay: float, backoff: str) -> float:
    """The wait after so many failures (from 1), in seconds, before chance has changed it."""
    if backoff == Backoff.LINEAR.value:
        return delay * failures
    if backoff == Backoff.EXPONENTIAL.value:
        return delay * (2**failures - 1)
    return delay


def jittered(wait: float, delay: float, jitter: str) -> float:
    """The wait as chance has changed it, in seconds."""
    if jitter == Jitter.FULL.value:
        return random.random() * wait  # noqa: S311 - no secret
    if jitter == Jitter.PLUS_MINUS.value:
        return wait + (2 * random.random() - 1) * delay  # noqa: S311 - no secret
    return wait
