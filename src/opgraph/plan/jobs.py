"""The plan of a job over ops: every op runs."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.ops.op import OpDefinition
from opgraph.plan.code import Hashes, hash_of
from opgraph.plan.fans import over, streams, taken
from opgraph.plan.limits import limits_of, pools_of
from opgraph.plan.model import (
    Decision,
    Do,
    FromAsset,
    FromCaller,
    FromCollected,
    FromDefault,
    FromMany,
    FromMapped,
    FromStep,
    InputSource,
    Plan,
    Role,
    Step,
    StepInput,
    StepOutput,
)
from opgraph.resolve.flatten import Constant, Flat, FlatStep, Many, Origin, OuterInput, StepOut

IO_MANAGER = "io_manager"


def plan_graph(flat: Flat, *, job: str, chosen: AbstractSet[str] | None = None) -> Plan:
    """The plan that runs the ops of a flattened graph.

    Inputs of the graph itself come from the caller (`input_values`), by their names; so do inputs from an op that is
    not chosen, unless they have a default.

    Args:
        flat: the graph.
        job: the name the run goes by.
        chosen: the keys of the steps that run; None: all.
    """
    running = [i for i, step in enumerate(flat.steps) if chosen is None or step.key in chosen]
    place = {number: i for i, number in enumerate(running)}
    steps: list[Step] = []
    known: dict[int, tuple[StepOutput, ...]] = {}  # by op
    codes = Hashes()
    decision = Decision(Do.RUN, "job")
    for number in running:
        step = flat.steps[number]
        after: list[FromStep] = []
        inputs: list[StepInput] = []
        for name, origin in step.inputs.items():
            source = _source(origin, step, name, place, flat.steps)
            if step.op.ins[name].is_nothing:
                if isinstance(source, (FromMany, FromMapped, FromCollected)):
                    inputs.append(StepInput(name, source, nothing=True))
                elif isinstance(source, FromStep):
                    after.append(source)
            else:
                inputs.append(StepInput(name, source, step.op.ins[name].input_manager_key or ""))
        outputs = known.get(id(step.op))
        if outputs is None:
            outputs = known[id(step.op)] = _outputs(step.op)
        timeout, executor = limits_of(step, {})
        steps.append(
            Step(
                key=step.key,
                node=step.key,
                op=step.op.name,
                inputs=tuple(inputs),
                outputs=outputs,
                decision=decision,
                after=tuple(dict.fromkeys(after)),
                over=over(step, place) if all(each.step in place for each in step.over) else (),
                unit=job,
                code_version=step.op.code_version or "",
                code=codes[step.op.body.fn],
                tags=dict(step.op.tags),
                timeout=timeout,
                executor=executor,
                pools=pools_of(step, None),
            )
        )
    return Plan(job=job, steps=tuple(steps), code=hash_of(steps))


def _outputs(op: OpDefinition) -> tuple[StepOutput, ...]:
    return tuple(
        StepOutput(
            name,
            Role.NEEDED,
            required=out.is_required,
            io_manager=out.io_manager_key or IO_MANAGER,
            dynamic=out.is_dynamic,
            stored=not out.is_nothing,
            stream=streams(out),
        )
        for name, out in op.outs.items()
    )


def _source(
    origin: Origin, step: FlatStep, name: str, place: Mapping[int, int], steps: Sequence[FlatStep]
) -> InputSource:
    if isinstance(origin, StepOut) and origin.step in place:
        return taken(origin, steps, place)
    if isinstance(origin, OuterInput):
        return FromCaller(origin.name)
    if isinstance(origin, Many):
        kept = (i for i in origin.items if not isinstance(i, StepOut) or i.step in place)
        return FromMany(tuple(_item(i, steps, place) for i in kept))
    if isinstance(origin, Constant):
        return FromAsset(origin.value.key.text) if isinstance(origin.value, AssetSpec) else FromDefault()
    return FromDefault() if step.op.ins[name].has_default_value else FromCaller(name)


def _item(
    item: StepOut | OuterInput | Constant, steps: Sequence[FlatStep], place: Mapping[int, int]
) -> FromStep | FromCaller | FromDefault | FromMapped | FromCollected:
    if isinstance(item, StepOut):
        return taken(item, steps, place)
    return FromCaller(item.name) if isinstance(item, OuterInput) else FromDefault()
