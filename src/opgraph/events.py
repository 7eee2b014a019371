"""Facts: what happened in a run, in the past tense.

The engine eats facts, the record keeps them, the screens fold them: there is no second vocabulary. A step is named by
its number in the run's plan; steps that a fan-out adds get the next numbers, in the order of the log. Times are seconds
since 1970 (UTC), durations whole microseconds. On disk a fact is a msgpack array that begins with its tag: a field may
be added at the end of a class with a default, and nothing else about a class that was released may change. Facts cannot
form a circle, so the garbage collector need not look at them (`gc=False`): a run makes thousands.
"""

import enum
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct


class RunStatus(enum.Enum):
    """Where a run stands. SUCCESS, FAILURE and CANCELED are final."""

    QUEUED = "QUEUED"
    NOT_STARTED = "NOT_STARTED"
    STARTING = "STARTING"
    STARTED = "STARTED"
    CANCELING = "CANCELING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self in _FINAL


_FINAL = frozenset({RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED})


class Place(enum.Enum):
    """Where a stored value is."""

    INLINE = "inline"  # in the record, beside the fact that announces it: `offset` and `size` cut it out
    FILE = "file"  # a file of our own store, written once; `location` is relative to the store's folder
    MEMORY = "memory"  # in the process that ran the step, gone with it
    MANAGER = "manager"  # wherever a user's I/O manager put it; `location` is what the manager said, if anything
    NONE = "none"  # nothing was stored: a `Nothing` output, an asset annotated `-> None`, an observation of work done


class Meta(Struct, frozen=True, array_like=True, gc=False):
    """One metadata value: its kind (`int`, `text`, `md`, `table`, …) and the value as plain JSON-like data."""

    kind: str
    value: Any


Metadata: TypeAlias = dict[str, Meta]


class Stored(Struct, frozen=True, array_like=True, gc=False):
    """One output of one attempt, as it was stored."""

    output: str
    place: Place
    size: int = 0  # bytes; 0 where a manager does not say
    checksum: str = ""  # of the bytes, where our store wrote them
    data_version: str = ""  # the one given, else the checksum; empty: as good as unique
    location: str = ""
    offset: int = 0
    mapping_key: str | None = None
    asset: str | None = None  # the asset that this output materializes
    asked: bool = True  # False: an asset that nobody selected and that came all the same
    io_manager: str = ""  # the resource key of the manager that stored it
    metadata: Metadata = {}
    type_name: str = ""
    tags: dict[str, str] = {}  # those given with the value


class Kept(Struct, frozen=True, array_like=True, gc=False):
    """The address of a stored value: the run, the number of the fact that announced it, and what the fact said."""

    run: str
    seq: int
    stored: Stored


class Read(Struct, frozen=True, array_like=True, gc=False):
    """The exact version of an asset that a step read: the run that made it and the number of its fact there.
    An empty run: the asset is external, or its materialization was never recorded."""

    input: str
    asset: str
    run: str = ""
    seq: int = 0
    data_version: str = ""
    metadata: Metadata = {}  # what the I/O manager that loaded it said


class Frame(Struct, frozen=True, array_like=True, gc=False):
    """One line of a traceback. `own` marks the user's code, as against a library's."""

    file: str
    line: int
    function: str
    text: str
    own: bool = True


class ErrorInfo(Struct, frozen=True, array_like=True, gc=False):
    """An exception, as data."""

    kind: str  # the class's name
    message: str
    frames: tuple[Frame, ...] = ()  # outermost first, without opgraph's own
    cause: "ErrorInfo | None" = None
    during: str = "compute"  # resources | load | compute | store | plan | worker
    about: str = ""  # the input, output or resource it concerned
    metadata: Metadata = {}  # of a `Failure`
    retry: bool = True  # False: a `Failure` that allows no retries
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The class's name and the message, if there is one."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


class HookRan(Struct, frozen=True, array_like=True, gc=False):
    """A hook of a step that has ended. What it did never changes how the step ended."""

    name: str
    time: float
    error: ErrorInfo | None = None
    skipped: bool = False  # it is for the other end, or said itself that there was nothing to do


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """The base of all facts."""


# -- the run ------------------------------------------------------------------


class RunStarted(Fact, frozen=True, array_like=True, gc=False, tag=1):
    """A process took the run: the first time (epoch 1), or again after the one before it died.
    Steps that were under way in an earlier epoch are pending again."""

    time: float
    epoch: int
    pid: int = 0
    host: str = ""


class CancelRequested(Fact, frozen=True, array_like=True, gc=False, tag=2):
    """Someone asked the run to stop."""

    time: float
    by: str = ""


class RunEnded(Fact, frozen=True, array_like=True, gc=False, tag=3):
    """The run is over, with this status."""

    time: float
    status: RunStatus
    error: ErrorInfo | None = None  # only where no step is to blame


# -- steps --------------------------------------------------------------------


class StepStarted(Fact, frozen=True, array_like=True, gc=False, tag=10):
    """An attempt at a step began."""

    step: int
    attempt: int  # 1, 2, …
    time: float
    worker: str = ""


class OutputStored(Fact, frozen=True, array_like=True, gc=False, tag=11):
    """An output that was yielded while its step goes on: an asset's value of a generator, or one value of a fan-out.
    What a step stores last, or returns, rides in StepSucceeded."""

    step: int
    attempt: int
    time: float
    stored: Stored


class StepSucceeded(Fact, frozen=True, array_like=True, gc=False, tag=12):
    """An attempt ended well: these are its outputs."""

    step: int
    attempt: int
    time: float
    load: int = 0  # µs
    compute: int = 0
    store: int = 0
    outputs: tuple[Stored, ...] = ()  # those not announced by OutputStored
    reads: tuple[Read, ...] = ()
    hooks: tuple[HookRan, ...] = ()


class StepFailed(Fact, frozen=True, array_like=True, gc=False, tag=13):
    """An attempt ended with an error. Whether another follows is the engine's to say, from the plan's retry policy."""

    step: int
    attempt: int
    time: float
    error: ErrorInfo
    load: int = 0
    compute: int = 0
    store: int = 0
    reads: tuple[Read, ...] = ()
    retry_after: float | None = None  # seconds; drawn by the shell, because chance arrives inside facts
    hooks: tuple[HookRan, ...] = ()


class StepSkipped(Fact, frozen=True, array_like=True, gc=False, tag=14):
    """A step will not run: an optional output it needs was not yielded, or a step it needs failed or was skipped."""

    step: int
    time: float
    because: int  # the step upstream
    output: str = ""  # its output that did not come; empty: it failed
    blocked: bool = False  # True: upstream failed or was cancelled, so a resume runs this step


class StepReused(Fact, frozen=True, array_like=True, gc=False, tag=15):
    """Values that were stored before stand for this step."""

    step: int
    time: float
    kept: tuple[Kept, ...]
    current: bool = False  # whether its assets are from here on what these values are


class StepInterrupted(Fact, frozen=True, array_like=True, gc=False, tag=16):
    """An attempt ended without a verdict: its worker died, or the run was cancelled while it ran."""

    step: int
    attempt: int
    time: float
    reason: str = ""


class RetryDue(Fact, frozen=True, array_like=True, gc=False, tag=17):
    """The wait before another attempt is over."""

    step: int
    time: float


class StepWaits(Fact, frozen=True, array_like=True, gc=False, tag=18):
    """A step that may start waits for a slot of a pool."""

    step: int
    time: float
    pool: str


# -- answers to the engine's questions ----------------------------------------


class Found(Fact, frozen=True, array_like=True, gc=False, tag=20):
    """The answer to LookUp: these stored values have the fingerprint that was asked for."""

    step: int
    time: float
    kept: tuple[Kept, ...]
    reason: str = ""


class NotFound(Fact, frozen=True, array_like=True, gc=False, tag=21):
    """The other answer to LookUp: nothing stored has the fingerprint."""

    step: int
    time: float
    reason: str = ""  # for people: "code changed", "never run", …


class ValueLost(Fact, frozen=True, array_like=True, gc=False, tag=22):
    """A stored value that a step was to load is gone or does not verify."""

    step: int  # the producer
    output: str
    time: float
    mapping_key: str | None = None


# -- what ops report ----------------------------------------------------------


class AssetReported(Fact, frozen=True, array_like=True, gc=False, tag=30):
    """A materialization or an observation that user code logged itself."""

    step: int
    attempt: int
    time: float
    asset: str
    metadata: Metadata = {}
    observation: bool = False
    description: str = ""
    partition: str = ""
    tags: dict[str, str] = {}


AnyFact: TypeAlias = (
    RunStarted
    | CancelRequested
    | RunEnded
    | StepStarted
    | OutputStored
    | StepSucceeded
    | StepFailed
    | StepSkipped
    | StepReused
    | StepInterrupted
    | RetryDue
    | StepWaits
    | Found
    | NotFound
    | ValueLost
    | AssetReported
)


class LogLine(Struct, frozen=True, array_like=True, gc=False):
    """One line of what a step said: by `context.log`, by `logging`, or by printing."""

    step: int  # -1: the run itself
    attempt: int
    time: float
    level: str  # DEBUG | INFO | WARNING | ERROR | CRITICAL | STDOUT | STDERR
    logger: str
    text: str


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyFact] = msgspec.msgpack.Decoder(AnyFact)
encode_fact = _encoder.encode
decode_fact = _decoder.decode


def as_json(fact: AnyFact) -> dict[str, Any]:
    """A fact with its field names, as JSON-like data, for screens and `--json`."""
    return {"event": type(fact).__name__, **_named(fact)}


def _named(value: Any) -> Any:
    if isinstance(value, Struct):
        return {field: _named(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, (tuple, list)):
        return [_named(item) for item in value]  # pyright: ignore[reportUnknownVariableType] - any JSON-like data
    if isinstance(value, dict):
        return {str(k): _named(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value.value if isinstance(value, enum.Enum) else value
