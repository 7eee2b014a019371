"""Fan-outs from a flattened graph, as a plan has them."""

from collections.abc import Mapping, Sequence

from opgraph.declare.graphs.wires import depth_of
from opgraph.declare.ops.dynamic import DynamicOut
from opgraph.declare.ops.outputs import Out
from opgraph.plan.model import FromCollected, FromMapped, FromStep, Gather
from opgraph.resolve.flatten import FlatStep, StepOut, is_dynamic


def taken(
    origin: StepOut, steps: Sequence[FlatStep], place: Mapping[int, int]
) -> FromStep | FromMapped | FromCollected:
    """How a step takes an output: as it is, one value of a fan-out, or all together.

    Args:
        origin: the output.
        steps: the flattened graph's.
        place: their numbers in the plan.
    """
    number = place[origin.step]
    if depth_of(origin.mapping):
        levels = tuple(Gather("_dict" in how, "_failed" in how) for how in origin.mapping.split("+"))
        return FromCollected(number, origin.output, levels)
    if origin.mapping and is_dynamic(origin, steps):
        return FromMapped(number, origin.output)
    return FromStep(number, origin.output)


def over(step: FlatStep, place: Mapping[int, int]) -> tuple[FromMapped, ...]:
    """The dynamic outputs over which a step is mapped."""
    return tuple(FromMapped(place[each.step], each.output) for each in step.over)


def streams(out: Out) -> bool:
    """Whether what is mapped over an output begins before its op has ended."""
    return not isinstance(out, DynamicOut) or out.stream
