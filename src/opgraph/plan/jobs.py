"""The plan of a job over ops: every op runs."""

from opgraph.plan.model import (
    Decision,
    Do,
    FromCaller,
    FromDefault,
    FromMany,
    FromStep,
    Plan,
    Role,
    Step,
    StepInput,
    StepOutput,
)
from opgraph.resolve.flatten import Flat, FlatStep, Many, Origin, OuterInput, StepOut

IO_MANAGER = "io_manager"


def plan_graph(flat: Flat, *, job: str) -> Plan:
    """The plan that runs all ops of a flattened graph.

    Inputs of the graph itself come from the caller (`input_values`), by their names.
    """
    steps: list[Step] = []
    for step in flat.steps:
        after: list[FromStep] = []
        inputs: list[StepInput] = []
        for name, origin in step.inputs.items():
            source = _source(origin, step, name)
            if step.op.ins[name].is_nothing:
                items = source.items if isinstance(source, FromMany) else (source,)
                after += [item for item in items if isinstance(item, FromStep)]
            else:
                inputs.append(StepInput(name, source, step.op.ins[name].input_manager_key or ""))
        outputs = tuple(
            StepOutput(
                name,
                Role.NEEDED,
                required=out.is_required,
                io_manager=out.io_manager_key or IO_MANAGER,
                dynamic=out.is_dynamic,
                stored=not out.is_nothing,
            )
            for name, out in step.op.outs.items()
        )
        steps.append(
            Step(
                key=step.key,
                node=step.key,
                op=step.op.name,
                inputs=tuple(inputs),
                outputs=outputs,
                decision=Decision(Do.RUN, "job"),
                after=tuple(dict.fromkeys(after)),
                unit=job,
                code_version=step.op.code_version or "",
                tags=dict(step.op.tags),
            )
        )
    return Plan(job=job, steps=tuple(steps))


def _source(origin: Origin, step: FlatStep, name: str) -> FromStep | FromCaller | FromDefault | FromMany:
    if isinstance(origin, StepOut):
        return FromStep(origin.step, origin.output)
    if isinstance(origin, OuterInput):
        return FromCaller(origin.name)
    if isinstance(origin, Many):
        return FromMany(
            tuple(FromStep(i.step, i.output) if isinstance(i, StepOut) else FromDefault() for i in origin.items)
        )
    declared = step.op.ins[name]
    return FromDefault() if declared.has_default_value else FromCaller(name)
