"""Requests for runs, plans and forms and to stop a run, and what comes back."""

from typing import Annotated, Any, Literal

from pydantic import Field

from opgraph.show.web.message import Decided, Mistake, Reply, Request, RunId, RunState, Text, Word


class RunRequest(Request):
    """What is to be run, or planned.

    For a new run: `selection` or `job`. To go on from an earlier one: `parent` and `mode`.
    `config` has flat keys: `revenue.clean.threshold`.
    """

    selection: Text | None = None
    job: Word | None = None
    steps: list[Word] = Field(default=[], max_length=1000)  # for the modes `from` and `only`
    config: dict[Word, Any] = Field(default={}, max_length=1000)
    executor: Word | None = None
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    timeout: Annotated[float, Field(gt=0, le=1e8)] | None = None  # seconds that the run may take
    tags: dict[Word, Word] = Field(default={}, max_length=100)
    policy: Literal["materialize", "discard", "error"] | None = None
    reuse: Literal["", "all", "none", "only"] = ""
    parent: RunId | None = None
    mode: Literal["failed", "from", "only", "all"] | None = None
    why: Word = ""


class ResumeRequest(Request):
    """Go on from a run: what did not succeed, from one op on, some ops only, or all again."""

    mode: Literal["failed", "from", "only", "all"] = "failed"
    steps: list[Word] = Field(default=[], max_length=1000)
    config: dict[Word, Any] = Field(default={}, max_length=1000)
    policy: Literal["materialize", "discard", "error"] | None = None
    executor: Word | None = None
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    timeout: Annotated[float, Field(gt=0, le=1e8)] | None = None  # seconds that the run may take
    why: Word = ""


class PlannedStep(Reply):
    """What a plan says of a step, and why."""

    n: int
    key: str
    op: str
    unit: str
    path: list[str]  # of names, from the unit down
    assets: list[str] = []  # that come out here and were asked for
    decision: Decided
    why: str  # a word of a fixed vocabulary
    reason: str  # a sentence's part
    reused_from: str | None = None  # a run
    mapped: bool = False
    keys: dict[str, int] = {}  # of a fan-out that is gone on with: how many of its steps `run`, are `reuse`d
    config: Any = None
    after: list[int] = []


class Besides(Reply):
    """An asset that a run also materializes, though nobody asked for it."""

    asset: str
    step: str
    output: str
    certain: bool
    policy: str
    remedy: str
    came: bool = False
    discarded: bool = False


class PlanReply(Reply):
    """What a run would do."""

    job: str
    selection: list[str]
    steps: list[PlannedStep]
    besides: list[Besides]
    missing: list[str] = []  # assets to be loaded of which nothing is recorded
    counts: dict[str, int]  # of steps by decision, those of `keys` too
    changes: dict[str, list[str]] = {}
    parent: str | None = None
    problems: list[Mistake] = []
    same_run: bool = False  # the run goes on under its own id


class FormRequest(Request):
    """Which ops' configuration to ask for."""

    selection: Text | None = None
    job: Word | None = None


class FormField(Reply):
    """A setting. Unset means its default. `path` is the flat key."""

    path: str
    op: str  # the step's key
    name: str  # below the op: `window.days`
    type: str  # int | float | bool | str | enum | json
    required: bool
    default: Any = None
    description: str = ""
    choices: list[Any] = []
    secret: bool = False
    type_text: str = ""  # as it is written in Python


class FormReply(Reply):
    """The settings of the ops of a selection, in the order of their steps."""

    fields: list[FormField]
    problems: list[Mistake] = []


class Launched(Reply):
    """The run has begun, in a process of its own."""

    run_id: str


class CancelRequest(Request):
    """Ask a run to stop: an empty object."""


class Canceling(Reply):
    """A run was asked to stop. `False`: it had ended, or nobody drives it."""

    asked: bool
    status: RunState
