"""A fan-out that a graph asset returns collected: an op of our own puts the values together, and makes the asset."""

from typing import Any, Final

from msgspec import structs

from opgraph.declare.graphs.wires import depth_of
from opgraph.declare.ops.op import OpDefinition
from opgraph.resolve.flatten import Flat, FlatStep, Origin, StepOut


def _collect(values: Any) -> Any:
    """All values of a fan-out, as one."""
    return values


COLLECT: Final = OpDefinition(_collect, "collect")


def collected(flat: Flat) -> Flat:
    """A flattened graph in which no output is several values: for each that was, one more step."""
    if not any(isinstance(origin, StepOut) and depth_of(origin.mapping) for origin in flat.returns.values()):
        return flat
    steps = list(flat.steps)
    keys = {step.key for step in steps}
    path = steps[0].path[:1]
    returns: dict[str, Origin] = {}
    for output, origin in flat.returns.items():
        if not isinstance(origin, StepOut) or not depth_of(origin.mapping):
            returns[output] = origin
            continue
        name = "collect" if len(flat.returns) == 1 else f"collect_{output}"
        while ".".join((*path, name)) in keys:
            name += "_"
        key = ".".join((*path, name))
        keys.add(key)
        returns[output] = StepOut(len(steps), "result")
        steps.append(FlatStep((*path, name), COLLECT, None, (), {"values": origin}, key))
    return structs.replace(flat, steps=tuple(steps), returns=returns)
