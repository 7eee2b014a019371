"""The seam between the driver, which decides and writes, and the executors, which run users' functions.

The driver records that an attempt has begun, and then hands it over as a `Task`. What comes of it returns as reports:
facts as they happen, then exactly one end. An executor never sees the engine's state and never writes to the record.
"""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Protocol, TypeAlias

from msgspec import Struct

from opgraph.events import AnyFact, ErrorInfo, Frame, OutputStored, StepFailed, StepSucceeded
from opgraph.run.call.binding import BoundStep
from opgraph.run.store.sources import Taken


class Task(Struct, frozen=True, eq=False, gc=False):
    """One attempt to be made.

    Attributes:
        step: its number.
        attempt: 1, 2, …
        asked: only these outputs are wanted (others were stored before); None: all that are selected.
        bound: the step with its code.
        template: the step of the plan of which it is made; itself, unless it is mapped.
        lane: the queue that it waited in.
        count: how many attempts there were, this one with them, without those that were interrupted.
        taken: where the values are that it takes; None: the executor looks into the run's state.
        limit: seconds that it may take; None: as long as it likes.
        window: after so many values of a fan-out the attempt waits, until it is told that there may be as many more.
    """

    step: int
    attempt: int
    asked: frozenset[str] | None
    bound: BoundStep
    template: int
    lane: int
    count: int
    taken: Taken | None = None
    limit: float | None = None
    window: int = 0


class Order(Enum):
    """What the driver may say to an attempt that is under way."""

    STOP = auto()  # its code is asked to stop
    KILL = auto()  # it is ended however it can be ended
    MORE = auto()  # another window of values of a fan-out may come


# -- reports ------------------------------------------------------------------------


class Begun(Struct, frozen=True):
    """An attempt that waited for its worker to be there has begun, and with it its time."""

    step: int
    attempt: int


class Happened(Struct, frozen=True):
    """A fact on the way: an output that was stored, an asset that was reported. `blob` are its inline bytes."""

    fact: AnyFact
    blob: bytes | None


class Ended(Struct, frozen=True, eq=False):
    """An attempt came to its own end. `error` is the exception itself, where it is at hand."""

    fact: StepSucceeded | StepFailed
    blob: bytes | None
    error: BaseException | None = None


class Missing(Struct, frozen=True, eq=False):
    """An attempt needs a value of another step that cannot be loaded."""

    step: int
    attempt: int
    maker: int
    output: str
    error: ErrorInfo
    cause: BaseException | None = None
    mapping_key: str | None = None


class Stopped(Struct, frozen=True):
    """An attempt ended because it was told to, or because its own code raised KeyboardInterrupt."""

    step: int
    attempt: int
    error: ErrorInfo


class Died(Struct, frozen=True):
    """Whoever made the attempt is gone, and the attempt is to blame, or was killed with it. `how` names the signal,
    `frames` where its Python was then."""

    step: int
    attempt: int
    how: str
    frames: tuple[Frame, ...] = ()


class Dropped(Struct, frozen=True):
    """The attempt has no verdict, through no fault of its own: something beside it took its worker down."""

    step: int
    attempt: int
    why: str


Report: TypeAlias = Begun | Happened | Ended | Missing | Stopped | Died | Dropped
Emit: TypeAlias = Callable[[AnyFact, bytes | None], None]


class Executor(Protocol):
    """Makes attempts. Every method is called from the driver's thread, and none of them waits but `reports`.

    Attributes:
        apart: whether attempts are made elsewhere than in the driver's thread, so that tasks must bring what they take.
        ready: whether the run should begin; else `reports` is to be called until it should.
    """

    apart: bool
    ready: bool

    def lane(self, step: int, template: int) -> int:
        """Which of the executor's queues a step waits in (0, 1, …): steps of one lane compete for the same places."""
        ...

    def places(self, lane: int) -> int:
        """How many attempts it makes at once, in one of its lanes. The driver counts them."""
        ...

    def start(self, task: Task) -> bool:
        """Make an attempt, whose start is recorded. There is a place for it. False: `Begun` will be reported."""
        ...

    def reports(self, timeout: float) -> Sequence[Report]:
        """What happened since the last call. If nothing did, wait, at most so many seconds."""
        ...

    def order(self, step: int, attempt: int, order: Order) -> None:
        """Say something to an attempt; to one that is over, it says nothing.

        After STOP and KILL a report of its end follows, unless it is stuck where nothing reaches it.
        """
        ...

    def close(self) -> None:
        """Let go of everything; attempts that are under way are killed, or abandoned where they cannot be."""
        ...


LANES = 3  # of any executor: steps for workers, async steps, steps that stay in the driver's process
WORKERS, ASYNC, HERE = range(LANES)


def is_value_of_fan(fact: AnyFact) -> bool:
    """Whether a fact announces a value of a fan-out: these are counted."""
    return type(fact) is OutputStored and fact.stored.mapping_key is not None


def attempt_of(report: Report) -> tuple[int, int]:
    """The step and the attempt that a report is about."""
    if type(report) is Ended or type(report) is Happened:
        fact: StepSucceeded | StepFailed = report.fact  # type: ignore[assignment] - all that happen have both
        return fact.step, fact.attempt
    return report.step, report.attempt  # type: ignore[union-attr]
