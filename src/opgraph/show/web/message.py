"""What all messages of the web are made of: their base classes, the words and limits that they share, mistakes."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, StringConstraints

AssetStatus: TypeAlias = Literal["never", "fresh", "stale", "failed", "canceled", "pending", "running", "external"]
StepStatus: TypeAlias = Literal[
    "pending", "running", "retrying", "succeeded", "failed", "skipped", "blocked", "reused", "interrupted"
]
RunState: TypeAlias = Literal[
    "QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING", "SUCCESS", "FAILURE", "CANCELED", "DIED"
]
Decided: TypeAlias = Literal["run", "reuse", "skip", "decide"]
AssetKind: TypeAlias = Literal["asset", "multi_asset", "graph", "external"]
Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "STDOUT", "STDERR"]

AssetId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
RunId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
Text: TypeAlias = Annotated[str, StringConstraints(max_length=10_000)]
Word: TypeAlias = Annotated[str, StringConstraints(max_length=500)]


class Reply(BaseModel):
    """The base of what the server says."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Request(BaseModel):
    """The base of what the server is told: nothing else may be in it."""

    model_config = ConfigDict(extra="forbid", strict=True)


# -- mistakes ---------------------------------------------------------------------


class Frame(Reply):
    """A line of a traceback, the outermost first. `is_framework`: not the user's own code."""

    file: str
    line: int
    function: str
    text: str
    is_framework: bool = False


class Mistake(Reply):
    """One thing that is wrong: what, where, and what to do."""

    kind: str
    text: str
    file: str = ""
    line: int = 0
    fix: str = ""


class Problem(Reply):
    """The body of every reply that is not 2xx. `text` is for people; `problems` has every mistake that was found."""

    kind: str
    text: str
    problems: list[Mistake] = []


class Meta(Reply):
    """One entry of metadata. `kind` says how to show the value: int, float, text, md, url, path, json, table."""

    name: str
    kind: str
    value: Any


class Error(Reply):
    """An exception. `at` is the user's line that it came from; the frames are outermost first."""

    kind: str
    message: str
    at: Frame | None = None
    frames: list[Frame] = []
    during: str = "compute"
    about: str = ""
    notes: list[str] = []
    metadata: list[Meta] = []
    cause: "Error | None" = None
