"""What the engine asks of the shell around it. Each command but `Start` and `Stop` is answered by one fact."""

from typing import TypeAlias

from msgspec import Struct

from opgraph.events import Kept, RunStatus


class Start(Struct, frozen=True, gc=False):
    """Make this attempt. Answers: StepStarted, then StepSucceeded, StepFailed or StepInterrupted."""

    step: int
    attempt: int


class Stop(Struct, frozen=True, gc=False):
    """End this attempt early. Answers: StepInterrupted, or the end that the attempt came to by itself."""

    step: int
    attempt: int


class Reuse(Struct, frozen=True, gc=False):
    """These stored values stand for the step. Answer: StepReused."""

    step: int
    kept: tuple[Kept, ...]


class Skip(Struct, frozen=True, gc=False):
    """The step will not run. Answer: StepSkipped, with the same fields."""

    step: int
    because: int
    output: str
    blocked: bool


class LookUp(Struct, frozen=True, gc=False):
    """Are there stored values with this fingerprint and these data versions of the inputs? Answers: Found, NotFound."""

    step: int
    fingerprint: str


class Delay(Struct, frozen=True, gc=False):
    """Wait so many seconds before another attempt. Answer: RetryDue."""

    step: int
    seconds: float


class End(Struct, frozen=True, gc=False):
    """Nothing is left to do. Answer: RunEnded."""

    status: RunStatus


Command: TypeAlias = Start | Stop | Reuse | Skip | LookUp | Delay | End
