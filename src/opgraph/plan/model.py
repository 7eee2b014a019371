"""The Plan: what a run will do, decided before it starts, and why. Immutable, serialized into the run."""

import enum
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from opgraph.declare import ports
from opgraph.events import Kept

VERSION = 1  # of the serialized form


class Do(enum.Enum):
    """What a plan says of a step."""

    RUN = "run"
    REUSE = "reuse"  # stored values stand for it
    SKIP = "skip"  # not needed here, or known not to produce what is asked
    DECIDE = "decide"  # run or reuse: it depends on the data versions of its inputs (memoization)


class Decision(Struct, frozen=True, gc=False, omit_defaults=True):
    """What to do with a step, and the reason for it, as data.

    `why` is one of a fixed vocabulary (see `WHY`), `detail` the part that a person reads after it.
    """

    do: Do
    why: str
    detail: str = ""
    kept: tuple[Kept, ...] = ()  # for REUSE: the values, one for each needed output that was yielded
    fingerprint: str = ""  # for DECIDE: everything but the inputs' data versions; for REUSE by memoization: all of it
    counts: tuple[tuple[str, int], ...] = ()  # by key, where the parent run had any: how many `run`, are `reuse`d, ...

    @property
    def by_key(self) -> bool:
        """Whether it is made for each mapped step apart: it is reused if it succeeded in the parent run on the same
        value and, unless nothing that may run loads them ("recorded"), its values are there."""
        return self.do is Do.DECIDE and self.why in ("by key", "recorded", "no values")

    @property
    def outlook(self) -> Do:
        """What will be done, where that is certain though it is decided for each mapped step apart."""
        if not self.by_key or self.why == "by key":
            return self.do
        return Do.REUSE if self.why == "recorded" else Do.SKIP

    @property
    def tally(self) -> list[tuple[Do, int]]:
        """What will be done with how many steps: of a fan-out that is gone on with, with each of its own."""
        return [(Do(do), count) for do, count in self.counts] or [(self.outlook, 1)]

    @property
    def reason(self) -> str:
        """The reason as a sentence's part."""
        words = WHY.get(self.why, self.why)
        if self.by_key and self.detail:
            keys = [f"[{name.partition('[')[2]}" for name in self.detail.split(", ")]
            more = f" and {len(keys) - 5:,} more" if len(keys) > 5 else ""
            were = "was" if len(keys) == 1 else "were"
            return f"{', '.join(keys[:5])}{more} {were} asked for"
        if "{}" in words:
            return words.format(self.detail)
        return f"{words}: {self.detail}" if self.detail else words


WHY = {
    "selected": "it makes a selected asset",
    "needed": "a selected asset needs it",
    "needed by": "{} needs it",
    "job": "the job runs all its ops",
    "failed": "it failed in the parent run",
    "interrupted": "it was interrupted in the parent run",
    "not reached": "the parent run did not get to it",
    "asked": "it was asked for",
    "downstream": "it comes after a step that runs",
    "recorded": "the parent run stored its outputs",
    "no values": "no value came for it in the parent run",
    "by key": "each of its steps is reused if it succeeded in the parent run on the same value",
    "lost": "a stored output of it is gone",
    "cleaned": "its stored outputs were cleaned up",
    "code changed": "code changed since its outputs were stored",
    "new": "the parent run did not have it",
    "not asked": "it was not asked for",
    "skipped": "what it takes did not come",
    "config changed": "configuration changed since its outputs were stored",
    "rewired": "its inputs come from elsewhere than in the parent run",
    "not versioned": "its I/O manager overwrites in place, so the old value cannot be trusted",
    "same": "code, configuration and inputs are those of the stored outputs",
    "depends": "its stored outputs are reused if its inputs turn out the same",
    "never run": "never run, as far as is remembered",
    "input changed": "input {} changed since its outputs were stored",
    "input unknown": "the version of input `{}` is not known",
    "manager changed": "I/O manager changed since its outputs were stored",
    "resource changed": "resource {} changed since its outputs were stored",
    "output not stored": "output `{}` was not asked for when the others were stored",
    "no reuse": "nothing is to be reused",
    "opted out": "it is never reused: memoization is off for it",
}


class Role(enum.Enum):
    """What an output of a step that runs is to this run (rule 5 of the design)."""

    SELECTED = "selected"  # an asset that was asked for: stored, recorded
    NEEDED = "needed"  # an intermediate: stored for the run
    UNNEEDED = "unneeded"  # an intermediate that nothing asks for: dropped when it comes
    UNSELECTED_REQUIRED = "unselected_required"  # an asset nobody asked for that is certain to come
    UNSELECTED_OPTIONAL = "unselected_optional"  # an asset nobody asked for that may come


class Policy(enum.Enum):
    """What to do with an asset that comes though nobody asked for it."""

    MATERIALIZE = "materialize"
    DISCARD = "discard"
    ERROR = "error"


# -- where an input's value comes from -----------------------------------------


class FromStep(Struct, frozen=True, gc=False, tag="step"):
    """An output of another step of this plan."""

    step: int
    output: str


class FromAsset(Struct, frozen=True, gc=False, tag="asset"):
    """The stored value of an asset, loaded through the I/O manager that stored it. `recorded` says whether a
    materialization of it was recorded when the plan was made; `sibling` that it belongs to the same graph."""

    asset: str
    recorded: bool = True
    sibling: bool = False


class FromCaller(Struct, frozen=True, gc=False, tag="caller"):
    """A value given by who starts the run (`input_values`), under this name."""

    name: str


class FromDefault(Struct, frozen=True, gc=False, tag="default"):
    """The input's declared default, or a value written in the graph's body."""


class Gather(Struct, frozen=True, gc=False, omit_defaults=True):
    """How one level of a fan-out is put together: in the order in which its generator yielded, or by mapping key."""

    as_dict: bool = False
    allow_failed: bool = False  # without those that failed, instead of not at all


class FromCollected(Struct, frozen=True, gc=False, tag="collected"):
    """The values of a fan-out put together; `levels` has one entry for each level that is, the innermost first."""

    step: int
    output: str
    levels: tuple[Gather, ...] = (Gather(),)


class FromMapped(Struct, frozen=True, gc=False, tag="mapped"):
    """One value of a fan-out, itself yielded by this dynamic output: the step with such an input is mapped over it."""

    step: int
    output: str


class FromMany(Struct, frozen=True, gc=False, tag="many"):
    """A list of outputs wired into one input: a list of their values, without those that were not yielded."""

    items: "tuple[FromStep | FromAsset | FromCaller | FromDefault | FromCollected | FromMapped, ...]"


InputSource: TypeAlias = FromStep | FromAsset | FromCaller | FromDefault | FromMany | FromCollected | FromMapped


def outputs_in(source: InputSource) -> list[FromStep]:
    """The outputs of steps that a source takes, whether as they are, one value of them, or all together."""
    if type(source) is FromStep:
        return [source]
    if isinstance(source, (FromMapped, FromCollected)):
        return [FromStep(source.step, source.output)]
    if isinstance(source, FromMany):
        return [output for item in source.items for output in outputs_in(item)]
    return []


def renumbered(source: InputSource, place: Mapping[int, int]) -> InputSource:
    """A source with other numbers for the steps."""
    match source:
        case FromStep():
            return FromStep(place[source.step], source.output)
        case FromMapped():
            return FromMapped(place[source.step], source.output)
        case FromCollected():
            return FromCollected(place[source.step], source.output, source.levels)
        case FromMany():
            return FromMany(tuple(renumbered(item, place) for item in source.items))  # pyright: ignore[reportArgumentType] - a list holds no list
        case _:
            return source


class StepInput(Struct, frozen=True, gc=False, omit_defaults=True):
    """An input of a step and where its value comes from."""

    name: str
    source: InputSource
    manager: str = ""  # the key of an input manager that loads it, where one was named
    nothing: bool = False  # a list that only orders: nothing is loaded, and it is enough that one of them came


class StepOutput(Struct, frozen=True, gc=False, omit_defaults=True):
    """An output of a step and what it is to the run."""

    name: str
    role: Role
    required: bool = True  # required by its declaration
    asset: str | None = None
    io_manager: str = "io_manager"
    dynamic: bool = False
    stored: bool = True  # False: a Nothing output: nothing to store
    stream: bool = True  # of a dynamic one. False: what is mapped over it waits for the end of its step
    version: str = ""  # the code version of its asset


class Memo(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a memoized step's values depend on, without the versions of inputs that come with the run, as hashes."""

    code: str  # of its function and those it calls, or of the version that was given
    config: str
    managers: str  # the I/O managers of its outputs and inputs: which, and how they are set up
    resources: dict[str, str] = {}  # by key
    constants: dict[str, str] = {}  # by input: values written in the graph's body, defaults, values from the caller
    after: dict[str, str] = {}  # versions of assets that are only named as dependencies, and not made in this plan
    unknown: str = ""  # an input whose version nothing tells: its values are never reused


class Retry(Struct, frozen=True, gc=False, omit_defaults=True):
    """How often a step may be tried again, and after how long (seconds)."""

    most: int
    delay: float = 0.0
    backoff: str = ""  # "" | linear | exponential
    jitter: str = ""  # "" | full | plus_minus


class Step(Struct, frozen=True, gc=False, omit_defaults=True):
    """One op of the flattened graph, in its place in the plan.

    One that is mapped (`over` is not empty) never runs itself: for each value of the fan-out a step is made of it,
    named by its key and the mapping keys, as in `parse[a]`, and numbered after the steps of the plan, in log order.
    """

    key: str  # unique in the plan: `my_asset.clean.dedupe`
    node: str  # the key of the flattened node whose code it runs; differs from `key` where an op is split in two
    op: str  # the op's name
    inputs: tuple[StepInput, ...]
    outputs: tuple[StepOutput, ...]
    decision: Decision
    after: tuple[FromStep, ...] = ()  # ordering only: `Nothing` inputs and non-argument dependencies
    over: tuple[FromMapped, ...] = ()  # the dynamic outputs over which it is mapped, the outermost first
    unit: str = ""  # the asset definition or job that it belongs to
    subset: bool = False  # whether its asset definition runs in part
    code_version: str = ""
    code: str = ""  # hash of its function, and of those that it calls
    retry: Retry | None = None
    tags: dict[str, str] = {}
    config: Any = None  # what its function is configured with: secrets masked, environment variables by name
    memo: Memo | None = None  # None: its values are not reused by fingerprint
    timeout: float | None = None  # seconds that an attempt may take
    executor: str = ""  # `in_process`: it runs in the driver's process, whatever the run's executor
    pools: tuple[str, ...] = ()  # of each of these it holds a slot while it runs

    @property
    def selected(self) -> tuple[str, ...]:
        """The outputs that the selection needs: the op's `context.selected_output_names`."""
        return tuple(o.name for o in self.outputs if o.role in (Role.SELECTED, Role.NEEDED))


class Besides(Struct, frozen=True):
    """An asset that a run makes though nobody asked for it."""

    asset: str
    step: str  # the op that yields it
    output: str
    certain: bool  # False: it may come
    policy: Policy
    remedy: str  # what to change so that it does not come


class Plan(Struct, frozen=True, omit_defaults=True):
    """What a run will do. `steps` are in an order in which they could run."""

    job: str
    steps: tuple[Step, ...]
    selection: tuple[str, ...] = ()  # the asset keys asked for
    besides: tuple[Besides, ...] = ()
    missing: tuple[str, ...] = ()  # assets to be loaded of which no materialization is recorded
    parent: str | None = None  # the run whose outputs are reused
    changes: dict[str, tuple[str, ...]] = {}  # against the parent: steps added, removed, renamed, or edited and reused
    code: str = ""  # hash of the code of the steps
    executor: str = "in_process"
    tags: dict[str, str] = {}
    config: dict[str, Any] = {}  # as it was given for the run; secrets masked, environment variables by name
    ops: tuple[str, ...] = ()  # the ops of a job asked for, as they were given; by default all
    asked: tuple[str, ...] = ()  # the steps of the parent run that were asked for: `op`, or `op*` with what follows
    groups: dict[str, str] = {}  # of the assets asked for and loaded that are in a group of their own: by key, its name
    version: int = VERSION

    def counts(self) -> dict[Do, int]:
        """How many steps run, are reused, skipped or to be decided, those of fan-outs too where they are known."""
        found = dict.fromkeys(Do, 0)
        for step in self.steps:
            for do, count in step.decision.tally:
                found[do] += count
        return {do: count for do, count in found.items() if count}

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-like data, as `opgraph plan --json` prints it: steps by key instead of by number."""
        return {
            "job": self.job,
            "selection": list(self.selection),
            "steps": [self._step_json(step) for step in self.steps],
            "besides": {
                "certain": [msgspec.to_builtins(b) for b in self.besides if b.certain],
                "may": [msgspec.to_builtins(b) for b in self.besides if not b.certain],
            },
            "missing": list(self.missing),
            "parent": self.parent,
            "changes": {kind: list(names) for kind, names in self.changes.items()},
            "executor": self.executor,
            "config": self.config,
            "version": self.version,
        }

    def _step_json(self, step: Step) -> dict[str, Any]:
        decision = step.decision
        return {
            "key": step.key,
            "op": step.op,
            "unit": step.unit,
            "decision": decision.do.value,
            "why": decision.why,
            "detail": decision.detail,
            "counts": dict(decision.counts),
            "reason": decision.reason,
            "kept": [{"run": k.run, "output": k.stored.output} for k in decision.kept],
            "inputs": {each.name: self._source_json(each.source) for each in step.inputs},
            "config": step.config,
            "after": sorted({self.steps[each.step].key for each in step.after}),
            "over": [self._source_json(each) for each in step.over],
            "outputs": [
                {
                    "name": o.name,
                    "role": o.role.value,
                    "asset": o.asset,
                    "required": o.required,
                    "io_manager": o.io_manager,
                }
                for o in step.outputs
            ],
        }

    def _source_json(self, source: InputSource) -> Any:
        match source:
            case FromStep():
                return {"step": self.steps[source.step].key, "output": source.output}
            case FromMany():
                return [self._source_json(item) for item in source.items]
            case FromMapped():
                return {"mapped": self.steps[source.step].key, "output": source.output}
            case FromCollected():
                levels = [msgspec.structs.asdict(level) for level in source.levels]
                return {"collected": self.steps[source.step].key, "output": source.output, "levels": levels}
            case _:
                return msgspec.to_builtins(source)

    def _repr_html_(self) -> str:
        """What notebooks show: a drawing."""
        return ports.painter().html(self)

    def index(self) -> dict[str, int]:
        """Step numbers by key."""
        return {step.key: i for i, step in enumerate(self.steps)}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Plan)


def encode_plan(plan: Plan) -> bytes:
    """The bytes that a run keeps."""
    return _encoder.encode(plan)


def decode_plan(data: bytes) -> Plan:
    """The plan that `encode_plan` wrote."""
    return _decoder.decode(data)
