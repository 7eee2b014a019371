"""A plan bound to today's code: for each of its steps the function to call and all that the call needs to know."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from msgspec import Struct, structs

from opgraph.declare.ops.hooks import HookDefinition
from opgraph.declare.ops.op import OpDefinition
from opgraph.errors import Mistake
from opgraph.keys import AssetKey
from opgraph.plan.model import Do, FromCaller, FromMany, FromStep, Plan, Policy, Role, Step, StepOutput
from opgraph.resolve.assets import Unit
from opgraph.resolve.config import OpConfig
from opgraph.resolve.flatten import Constant, Flat, FlatStep, Many
from opgraph.resolve.hooks import hooks_of
from opgraph.resolve.project import Project
from opgraph.run.call.body import OpCall
from opgraph.run.mistakes import InputNotGiven

_ASKED = (Role.SELECTED, Role.NEEDED)
_RUNNING = (Do.RUN, Do.DECIDE)
_NONE: Mapping[str, Any] = {}


class StepGone(Mistake):
    """A run's plan has a step that today's definitions do not have."""

    key: str
    says = "the run has a step `{key}`, which the definitions no longer have"
    mend = "resume it: a new run is planned"


class BoundStep(Struct, eq=False, gc=False):
    """One step of a plan with its code."""

    number: int
    row: int  # in the plan: its own number, or that of the mapped step of which it was made
    step: Step
    flat: FlatStep
    call: OpCall
    unit: Unit | None  # None: a job's op
    selected: frozenset[str] | None  # None: all outputs
    outputs: Mapping[str, StepOutput]
    constants: Mapping[str, Any]  # values written in the graph's body, by input
    whole: bool  # whether all outputs must be seen before any is stored
    config: OpConfig | None = None
    hooks: tuple[HookDefinition, ...] = ()

    def mapped(self, number: int, key: str) -> "BoundStep":
        """The step that was made of this one for a value of a fan-out."""
        return structs.replace(self, number=number, step=structs.replace(self.step, key=key))

    @property
    def op(self) -> OpDefinition:
        """The op whose function it calls."""
        return self.flat.op

    @property
    def resource_keys(self) -> frozenset[str]:
        """The keys of the resources and I/O managers that it uses, some of which may not have been given."""
        outputs = (out.io_manager for out in self.outputs.values() if out.stored)
        inputs = (each.manager for each in self.step.inputs if each.manager)
        return self.op.required_resource_keys.union(outputs, inputs)

    @property
    def keys(self) -> Mapping[str, AssetKey]:
        """The assets among the outputs."""
        return {name: AssetKey(out.asset) for name, out in self.outputs.items() if out.asset is not None}


class _Outputs(NamedTuple):
    """What follows from a step's outputs alone. Steps of one op mostly share these."""

    call: OpCall
    selected: frozenset[str] | None
    by_name: Mapping[str, StepOutput]
    whole: bool


def bind_assets(plan: Plan, project: Project) -> list[BoundStep]:
    """The steps of a plan of assets, bound.

    Raises:
        StepGone: the definitions do not have a step of the plan.
    """
    units = {unit.name: unit for unit in project.graph.units}
    flats: dict[str, dict[str, FlatStep]] = {}
    policy = plan.besides[0].policy if plan.besides else Policy.MATERIALIZE
    bound: list[BoundStep] = []
    calls: dict[int, OpCall] = {}
    known: dict[int, _Outputs] = {}
    for number, step in enumerate(plan.steps):
        unit = units.get(step.unit)
        if unit is None:
            raise StepGone(step.key)
        if step.unit not in flats:
            flats[step.unit] = {flat.key: flat for flat in unit.flat.steps}
        flat = flats[step.unit].get(step.node)
        if flat is None:
            raise StepGone(step.key)
        outputs = known.get(id(step.outputs))
        if outputs is None or outputs.call.op is not flat.op:
            assets = {AssetKey(out.asset): out.name for out in step.outputs if out.asset is not None}
            after = _internal_order(unit, assets)
            call = OpCall(flat.op, assets=assets, after=after) if assets else _plain(calls, flat.op)
            outputs = known[id(step.outputs)] = _outputs(step, call, policy)
        bound.append(_bound(number, step, flat, unit, outputs))
    return bound


def bind_graph(plan: Plan, flat: Flat) -> list[BoundStep]:
    """The steps of a job's plan, bound."""
    steps = {step.key: step for step in flat.steps}
    bound: list[BoundStep] = []
    calls: dict[int, OpCall] = {}
    for number, step in enumerate(plan.steps):
        if step.node not in steps:
            raise StepGone(step.key)
        outputs = _outputs(step, _plain(calls, steps[step.node].op), Policy.MATERIALIZE)
        bound.append(_bound(number, step, steps[step.node], None, outputs))
    return bound


def _plain(calls: dict[int, OpCall], op: OpDefinition) -> OpCall:
    """How an op without assets is called: the same wherever it is used."""
    if id(op) not in calls:
        calls[id(op)] = OpCall(op)
    return calls[id(op)]


def _outputs(step: Step, call: OpCall, policy: Policy) -> _Outputs:
    everything = all(output.role in _ASKED for output in step.outputs)
    return _Outputs(
        call,
        selected=None if everything else frozenset(step.selected),
        by_name={output.name: output for output in step.outputs},
        whole=policy is Policy.ERROR and any(o.role is Role.UNSELECTED_OPTIONAL for o in step.outputs),
    )


def _bound(number: int, step: Step, flat: FlatStep, unit: Unit | None, outputs: _Outputs) -> BoundStep:
    call, selected, by_name, whole = outputs
    return BoundStep(number, number, step, flat, call, unit, selected, by_name, _constants(flat, step), whole)


def _constants(flat: FlatStep, step: Step) -> Mapping[str, Any]:
    inputs = step.inputs
    if len(inputs) == 1 and type(inputs[0].source) is FromStep:
        return _NONE  # the commonest
    found: dict[str, Any] = {}
    for each in inputs:
        if type(each.source) is FromStep:
            continue
        origin = flat.inputs[each.name]
        if isinstance(origin, Constant):
            found[each.name] = origin.value
        elif isinstance(origin, Many) and isinstance(each.source, FromMany):
            found[each.name] = [item.value if isinstance(item, Constant) else None for item in origin.items]
    return found or _NONE


def _internal_order(unit: Unit, assets: Mapping[AssetKey, str]) -> Mapping[str, frozenset[str]]:
    """For the outputs of one op, those that must come before: what an asset depends on comes before it."""
    if len(assets) < 2:
        return {}
    order: dict[str, frozenset[str]] = {}
    for key, output in assets.items():
        before = frozenset(assets[parent] for parent in unit.parents(key) if parent in assets and parent != key)
        if before:
            order[output] = before
    return order


def hooked(bound: list[BoundStep], of_job: frozenset[HookDefinition]) -> list[BoundStep]:
    """Bound steps with the hooks that are called when they have ended."""
    around: tuple[AbstractSet[HookDefinition], ...] = (of_job,)
    unit: Unit | None = None
    for each in bound:
        if each.unit is not unit:
            unit = each.unit
            around = (unit.definition.hooks, of_job) if unit is not None else (of_job,)
        each.hooks = hooks_of(each.flat, around)
    return bound


def keys_of_running(bound: Sequence[BoundStep]) -> frozenset[str]:
    """The keys of the resources and I/O managers that the steps use which run."""
    found: set[str] = set()
    ops: set[int] = set()
    seen: set[int] = set()
    for each in bound:
        step, op = each.step, each.flat.op
        if step.decision.do not in _RUNNING:
            continue
        for hook in each.hooks:
            found |= hook.required_resource_keys
        if id(op) not in ops:
            ops.add(id(op))
            found |= op.required_resource_keys
        if id(step.outputs) not in seen:
            seen.add(id(step.outputs))
            found.update([out.io_manager for out in step.outputs if out.stored])
        for given in step.inputs:
            if given.manager:
                found.add(given.manager)
    return frozenset(found)


def refuse_missing(bound: Sequence[BoundStep], given: Mapping[str, Any]) -> None:
    """Refuse a run in which a step would wait for a value that the caller has not given.

    Raises:
        InputNotGiven: names the first.
    """
    for each in bound:
        if each.step.decision.do not in _RUNNING:
            continue
        for wanted in each.step.inputs:
            alone = isinstance(wanted.source, FromCaller)
            elsewhere = alone and (wanted.manager or wanted.name in each.constants)
            if wanted.nothing or wanted.name in each.call.defaults or elsewhere:
                continue
            for source in wanted.source.items if isinstance(wanted.source, FromMany) else (wanted.source,):
                if isinstance(source, FromCaller) and source.name not in given:
                    raise InputNotGiven(source.name, each.step.key, where=each.op.source)
