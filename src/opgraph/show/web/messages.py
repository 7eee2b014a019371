"""What the web API says and is told: the one contract between the server, the pages and scripts.

Times are seconds since 1970 (UTC); durations are microseconds where their name ends in `_us`, else seconds. Ids are
opaque: an asset's is a short hash of its key, a run's is the run id, a step's its number in the run. Fields are only
ever added.
"""

from typing import Any, Literal

from opgraph.show.web.drawing_messages import Drawing, DrawnEdges, DrawnNodes
from opgraph.show.web.launch_messages import (
    Besides,
    Canceling,
    CancelRequest,
    FormField,
    FormReply,
    FormRequest,
    Launched,
    PlannedStep,
    PlanReply,
    ResumeRequest,
    RunRequest,
)
from opgraph.show.web.message import (
    AssetId,
    AssetKind,
    AssetStatus,
    Decided,
    Error,
    Frame,
    Level,
    Meta,
    Mistake,
    Problem,
    Reply,
    Request,
    RunId,
    RunState,
    StepStatus,
    Text,
    Word,
)

__all__ = [  # what is said elsewhere and belongs to the contract too
    "AssetId",
    "AssetKind",
    "AssetStatus",
    "Besides",
    "CancelRequest",
    "Canceling",
    "Decided",
    "Drawing",
    "DrawnEdges",
    "DrawnNodes",
    "Error",
    "FormField",
    "FormReply",
    "FormRequest",
    "Frame",
    "Launched",
    "Level",
    "Meta",
    "Mistake",
    "PlanReply",
    "PlannedStep",
    "Problem",
    "Reply",
    "Request",
    "ResumeRequest",
    "RunId",
    "RunRequest",
    "RunState",
    "StepStatus",
    "Text",
    "Word",
]


# -- the session and the project ----------------------------------------------------


class Session(Reply):
    """Who serves what."""

    version: str
    mode: Literal["dev", "serve"]
    project: str  # the file or module of the definitions
    home: str  # the folder of the state
    pid: int
    started: float
    executors: list[str] = []
    policies: list[str] = []


class ProjectError(Reply):
    """Why the definitions cannot be used: the user's file and line first."""

    kind: str
    text: str
    file: str = ""
    line: int = 0
    fix: str = ""
    frames: list[Frame] = []
    problems: list[Mistake] = []


class Job(Reply):
    """A job of the project."""

    name: str
    kind: Literal["assets", "ops"]
    description: str = ""
    file: str = ""
    line: int = 0


class Project(Reply):
    """The definitions as they were loaded last. `broken`: they do not load any more; the last good manifest stays."""

    status: Literal["ready", "loading", "broken"]
    error: ProjectError | None = None
    manifest: str = ""  # changes with the definitions
    name: str = ""
    loaded_at: float | None = None
    assets: int = 0
    jobs: list[Job] = []


# -- assets -----------------------------------------------------------------------


class Progress(Reply):
    """How far the run is that makes an asset: ops of its definition, of which a fan-out is one."""

    done: int
    failed: int
    running: int = 0
    total: int
    share: float = 0.0  # of the whole, from 0 to 1: of a fan-out the steps count that are done


class LatestRun(Reply):
    """The latest materialization in short. `duration` is in seconds, from the first start to the last end of the
    ops that made it; where some were reused, with what was spent on them in the runs where they ran."""

    run_id: str
    at: float
    duration: float | None = None


class AssetState(Reply):
    """What changes about an asset while runs go on."""

    id: str
    key: str
    status: AssetStatus
    why: str = ""  # in words, where it is stale, failed or running
    latest: LatestRun | None = None
    progress: Progress | None = None
    run_id: str | None = None  # the run that makes it now, or that failed to


class AssetSummary(AssetState):
    """An asset in the list and in the graph."""

    kind: AssetKind
    group: str
    kinds: list[str] = []
    owners: list[str] = []
    tags: dict[str, str] = {}
    description: str = ""
    graph_backed: bool = False
    op_count: int = 0
    unit: str = ""  # the definition that makes it; its steps' keys begin so
    upstream: list[str] = []  # ids
    downstream: list[str] = []


class Assets(Reply):
    """The assets that a selection means, upstream first."""

    manifest: str
    assets: list[AssetSummary]
    total: int  # of the project


class Preview(Reply):
    """What a stored value looks like, made when it was stored, bounded in size."""

    kind: Literal["text", "table", "image", "markdown"]
    text: str | None = None  # of text and Markdown
    columns: list[str] | None = None  # of a table, with
    types: list[str] | None = None  # of the columns, where it has them
    rows: list[list[str]] | None = None  # its head
    shape: list[int] | None = None
    image: str | None = None  # PNG, in base 64


class InputVersion(Reply):
    """The exact version of an asset that went into a materialization."""

    asset: str  # the key
    id: str
    run_id: str  # empty: not known
    data_version: str
    newer_exists: bool


class Materialization(Reply):
    """One version of an asset."""

    run_id: str
    at: float
    step: str  # the step's key
    n: int  # and number
    asked: bool
    size: int
    data_version: str
    io_manager: str
    place: str
    type_name: str = ""
    path: str = ""
    metadata: list[Meta] = []
    preview: Preview | None = None
    inputs: list[InputVersion] = []


class Times(Reply):
    """Where a step's time went, in microseconds: waiting for a worker, loading inputs, computing, storing."""

    queue_us: int = 0
    load_us: int = 0
    compute_us: int = 0
    store_us: int = 0


class AssetOp(Reply):
    """An op of an asset, with what the last run of it did."""

    key: str  # the step's key
    path: str  # below the definition
    op: str
    takes: list[str] = []  # ops by path, assets as `asset:key`
    mapped: bool = False
    status: StepStatus | None = None  # None: it never ran
    run_id: str | None = None
    n: int | None = None
    at: float | None = None
    times: Times | None = None
    took: float | None = None  # seconds from start to end, of a fan-out over all its steps
    counts: dict[str, int] | None = None  # of a fan-out: the steps made of it by status; none: no value came
    size: int = 0  # bytes of its outputs
    trend: list[float] = []  # seconds, of the last runs, oldest first
    disk: int = 0  # bytes of its values that are still kept


class OpStates(Reply):
    """How the ops of an asset stood when they last ran: each list has something of every op, in the same order."""

    key: list[str]  # the step's key
    status: list[StepStatus | None]  # None: it never ran
    runs: list[str]
    run: list[int]  # which of `runs`, or -1
    n: list[int]  # the step's number there
    started_us: list[int]  # from the start of that run; -1: it did not start
    took_us: list[int]  # from start to end, of a fan-out over all its steps; 0: it has not ended
    counts: dict[str, dict[str, int]]  # of fan-outs, by key: the steps made of them by status; none: no value came


class Disk(Reply):
    """Bytes on disk. Of an asset: its own values in all versions, and what is kept between its ops. Of a run: what it
    takes up in the record, and in files."""

    values: int = 0
    intermediates: int = 0
    record: int = 0
    files: int = 0


class Neighbour(Reply):
    """An asset next to another."""

    id: str
    key: str
    status: AssetStatus


class AssetDetail(AssetSummary):
    """An asset's page."""

    file: str = ""
    line: int = 0
    materialization: Materialization | None = None
    parents: list[Neighbour] = []
    children: list[Neighbour] = []
    ops: list[AssetOp] = []
    ops_in_all: int = 0
    disk: Disk


class History(Reply):
    """Materializations, the newest first. `cursor` asks for the next page; None: this is the last."""

    materializations: list[Materialization]
    cursor: str | None = None


class CleanRequest(Request):
    """Remove what is kept between the ops of an asset's runs."""

    dry_run: bool = True


class Cleaned(Reply):
    """What was removed, or would be. A run that failed can be resumed from there no more where `runs` names it."""

    dry_run: bool
    count: int
    size: int
    runs: list[str] = []


# -- runs ---------------------------------------------------------------------------


class RunSummary(Reply):
    """A run in the list."""

    run_id: str
    status: RunState
    job: str
    created: float
    started: float | None
    ended: float | None
    who: str = ""
    why: str = ""
    parent: str | None
    root: str | None
    tags: dict[str, str] = {}
    executor: str = ""
    selection: list[str] = []  # the first of them
    selected: int = 0  # how many
    steps: list[str] = []  # where only some ops were asked for, the first of those: `op`, `op*` with what follows


class Runs(Reply):
    """Runs, the newest first. `cursor` asks for the next page."""

    runs: list[RunSummary]
    cursor: str | None = None


class StepName(Reply):
    """A step by its number and key."""

    n: int
    key: str


class FailedStep(StepName):
    """A step that failed, in short, with those that failed alike: of the same kind, at the same line."""

    error: Error
    alike: list[StepName] = []  # the first of them, but for this one
    times: int = 1  # how many there are


class RunDetail(RunSummary):
    """A run's page, but for its tree."""

    counts: dict[str, int]  # steps by status
    total: int
    epoch: int
    pid: int = 0
    assets: list[str] = []  # keys that were asked for
    besides: list[Besides] = []
    changes: dict[str, list[str]] = {}
    error: Error | None = None  # where no step is to blame
    failures: list[FailedStep] = []  # the first ones
    failed: int = 0
    config: dict[str, Any] = {}
    disk: Disk
    children: list[str] = []  # runs that went on from this one
    seq: int = 0  # facts seen: where a stream may begin


class TreeRow(Reply):
    """A row of a run's tree. Of a row with rows below it, the times are sums and the counts say where its steps stand.
    A fan-out is one row until it is opened: its rows are asked for with its id as `parent`."""

    id: str
    parent: str | None
    depth: int
    kind: Literal["asset", "graph", "job", "op", "key"]
    name: str
    path: str
    n: int | None = None  # of a step
    key: str = ""  # the step's key
    assets: list[str] = []
    status: StepStatus
    decision: Decided | None = None
    reason: str = ""
    counts: dict[str, int] = {}
    expandable: bool = False
    mapped: bool = False  # a fan-out: `counts` are of the steps made of it
    attempts: int = 0
    tries: list[tuple[float, float]] = []  # the start and end of those that failed
    started: float | None = None
    ended: float | None = None
    times: Times
    reused_from: str | None = None
    because: str = ""
    message: str = ""  # the first line of what it failed with


class Tree(Reply):
    """Rows below one row, or the tree without the keys of fan-outs, in the order of the plan."""

    rows: list[TreeRow]
    cursor: str | None = None
    total: int
    seq: int  # facts seen


class Output(Reply):
    """An output that was stored. Of a fan-out the first ones are told, each with the mapping key of its step."""

    output: str
    of: str = ""  # `[key]`
    asset: str | None
    asked: bool
    mapping_key: str | None
    place: str
    size: int
    data_version: str
    io_manager: str
    type_name: str
    path: str = ""
    kept: bool = True  # False: cleaned up since
    metadata: list[Meta] = []
    preview: Preview | None = None


class StepRead(Reply):
    """An input and where its value came from: another step of this run, or a version of an asset."""

    input: str
    step: str = ""
    n: int | None = None
    output: str = ""
    asset: str = ""
    run_id: str = ""
    data_version: str = ""
    given: str = ""  # `default`, `caller`, …


class Attempt(Reply):
    """One attempt at a step."""

    attempt: int
    started: float | None
    ended: float | None
    status: StepStatus
    worker: str = ""
    times: Times
    error: Error | None = None


class StepDetail(Reply):
    """A step's panel."""

    n: int
    key: str
    op: str
    unit: str
    status: StepStatus
    decision: Decided
    why: str
    reason: str
    because: str = ""
    started: float | None
    ended: float | None
    times: Times
    attempts: list[Attempt] = []
    error: Error | None = None
    inputs: list[StepRead] = []
    outputs: list[Output] = []  # the first ones; of a fan-out those of its first steps
    came: dict[str, int] = {}  # by dynamic output, how many values came
    counts: dict[str, int] = {}  # of a fan-out: the steps made of it, by status
    size: int = 0  # and the bytes that they stored
    config: Any = None
    reused_from: str | None = None
    tags: dict[str, str] = {}
    code_version: str = ""


class LogLine(Reply):
    """A line that a step said, or what the engine did where `kind` is `event`."""

    id: int
    kind: Literal["log", "stdout", "stderr", "event"]
    time: float
    step: str
    n: int  # -1: the run itself
    attempt: int
    level: Level
    logger: str
    text: str


class Logs(Reply):
    """Lines in order. `after` asks for what follows; `more`: there is some already."""

    lines: list[LogLine]
    after: str
    more: bool


class Lane(Reply):
    """A run on the timeline."""

    run_id: str
    job: str
    status: RunState
    started: float
    ended: float | None
    selection: list[str] = []
    selected: int = 0
    steps: list[str] = []


class Timeline(Reply):
    """The runs of a stretch of time. `truncated`: there are more than are shown."""

    start: float
    end: float
    lanes: list[Lane]
    truncated: bool = False


# -- live ---------------------------------------------------------------------------


class RunDelta(Reply):
    """What changed in a run since the delta before: event `run` of a stream. Rows are whole, not differences."""

    run: RunSummary
    seq: int
    counts: dict[str, int]
    total: int
    rows: list[TreeRow] = []
    lines: list[LogLine] = []
    lagging: bool = False  # more rows changed than fit: ask for the tree anew


class AssetsDelta(Reply):
    """Assets whose state changed: event `assets` of the global stream."""

    assets: list[AssetState]


class StreamReset(Reply):
    """What happened since the id that was sent is not known here any more: event `reset`. Ask for everything anew."""

    why: str
