"""Past runs and assets as frozen data: what `runs` and `show` print, and the shape of their JSON."""

from typing import Any

from msgspec import Struct

from opgraph.events import ErrorInfo, HookRan, Read
from opgraph.run.store.preview import Preview


class RunSummary(Struct, frozen=True, kw_only=True):
    """One line of `opgraph runs`. Times are seconds since 1970. `status` is a RunStatus's name, or DIED."""

    run_id: str
    status: str
    job: str
    created: float
    started: float | None
    ended: float | None
    took: float | None  # seconds, once it has ended: without those from the death of a process to its successor
    parent: str | None
    root: str | None
    epoch: int
    tags: dict[str, str]


class OutputView(Struct, frozen=True, kw_only=True):
    """A stored output of a step. `path` is its file, where it has one of its own."""

    output: str
    place: str
    size: int
    asset: str | None
    asked: bool
    data_version: str
    io_manager: str
    path: str
    run_id: str  # the run that stored it
    seq: int
    metadata: dict[str, Any]
    metadata_kinds: dict[str, str]  # by the same names: `int`, `text`, `table`, …
    type_name: str = ""
    preview: Preview | None = None  # of the latest version of an asset
    kept: bool = True  # of an asset's versions: False where what opgraph stored is no longer there


class StepView(Struct, frozen=True, kw_only=True):
    """One op of a run. Durations are microseconds, of the last attempt."""

    key: str
    op: str
    status: str  # a Phase, in small letters
    do: str
    why: str
    detail: str
    attempts: int
    started: float | None
    ended: float | None
    load: int
    compute: int
    store: int
    reused_from: str | None
    because: str  # of a skipped step: the step upstream
    because_output: str
    outputs: tuple[OutputView, ...]
    reads: tuple[Read, ...]
    error: ErrorInfo | None
    hook_errors: tuple[HookRan, ...] = ()  # the hooks that failed
    steps: dict[str, int] = {}  # of a mapped one: how many of the steps made of it stand where


class NodeView(Struct, frozen=True, kw_only=True):
    """A node of a run's tree: an asset definition, a graph in it, or an op (then `step` is set)."""

    name: str
    path: str
    kind: str  # asset | graph | job | op
    assets: tuple[str, ...]
    status: str
    counts: dict[str, int]
    started: float | None
    ended: float | None
    step: StepView | None
    children: "tuple[NodeView, ...]"


class BesidesView(Struct, frozen=True, kw_only=True):
    """An asset that nobody asked for. `came`: it was materialized. `discarded`: it came and the policy dropped it."""

    asset: str
    step: str
    output: str
    certain: bool
    policy: str
    remedy: str
    came: bool
    discarded: bool = False


class LogView(Struct, frozen=True, kw_only=True):
    """A line that a step said."""

    step: str
    attempt: int
    time: float
    level: str
    logger: str
    text: str


class RunView(Struct, frozen=True, kw_only=True):
    """A run as a tree: asset, graph, op."""

    run: RunSummary
    selection: tuple[str, ...]
    counts: dict[str, int]
    tree: tuple[NodeView, ...]
    besides: tuple[BesidesView, ...]
    changes: dict[str, tuple[str, ...]]
    error: ErrorInfo | None
    failed: tuple[str, ...]  # the keys of the steps that failed


class MaterializationView(Struct, frozen=True, kw_only=True):
    """One materialization of an asset."""

    run_id: str
    seq: int
    time: float
    step: str
    stored: OutputView
    reads: tuple[Read, ...]


class AssetView(Struct, frozen=True, kw_only=True):
    """What the record knows of an asset: its latest materialization and those before, newest first."""

    asset: str
    latest: MaterializationView | None
    history: tuple[MaterializationView, ...]
