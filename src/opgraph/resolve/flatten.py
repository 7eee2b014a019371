"""Graphs, nested to any depth, made flat: a list of ops, each with the exact places its inputs come from.

Steps are named by path (`clean.dedupe`), numbered in an order in which they could run. Nothing of the nesting is left
but the path: a graph's inputs and outputs are only names for the ops' own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from opgraph.declare.graphs.graph import GraphDefinition
from opgraph.declare.graphs.node import Node
from opgraph.declare.graphs.wires import FanIn, FromInput, FromNode, Wire, depth_of, joined
from opgraph.declare.ops.op import OpDefinition
from opgraph.resolve.mistakes import GraphCycle


class StepOut(Struct, frozen=True, gc=False):
    """An output of a flat step."""

    step: int
    output: str
    mapping: str = ""  # how a fan-out is taken: see `FromNode`


class OuterInput(Struct, frozen=True, gc=False):
    """An input of the whole."""

    name: str


class Many(Struct, frozen=True, gc=False):
    """Several sources wired into one input."""

    items: "tuple[StepOut | OuterInput | Constant, ...]"


class Constant(Struct, frozen=True, eq=False):
    """A value written in the graph's body."""

    value: object


class Unwired(Struct, frozen=True, gc=False):
    """Nothing is wired to this input: it takes its default, or it is one that nobody provides."""


Origin: TypeAlias = StepOut | OuterInput | Many | Constant | Unwired
UNWIRED = Unwired()


class FlatStep(Struct, frozen=True, eq=False):
    """One op of the flattened graph."""

    path: tuple[str, ...]
    op: OpDefinition
    node: Node | None  # the invocation; None where the op stands alone
    parents: tuple[Node, ...]  # the invocations of the graphs around it, outermost first
    inputs: Mapping[str, Origin]
    key: str  # the path as text
    over: tuple[StepOut, ...] = ()  # the dynamic outputs over which it is mapped, the outermost first


class Flat(Struct, frozen=True, eq=False):
    """A flattened definition: its ops, and which op makes each of its outputs."""

    steps: tuple[FlatStep, ...]
    returns: Mapping[str, Origin]  # output name -> StepOut, or OuterInput where a graph hands an input through


def flatten(definition: OpDefinition | GraphDefinition, prefix: tuple[str, ...] = ()) -> Flat:
    """The flat form of an op or a graph; `prefix` begins every step's path.

    Raises:
        GraphCycle: the ops of a graph that was put together by hand depend on one another in a circle.
    """
    steps: list[FlatStep] = []
    outer: dict[str, Origin] = {name: OuterInput(name) for name in definition.ins}
    if isinstance(definition, OpDefinition):
        path = prefix or (definition.name,)
        steps.append(FlatStep(path, definition, None, (), outer, ".".join(path)))
        return Flat(tuple(steps), {name: StepOut(0, name) for name in definition.outs})
    returns = _lay_out(definition, prefix, outer, (), steps)
    return Flat(tuple(steps), returns)


def _lay_out(
    graph: GraphDefinition,
    path: tuple[str, ...],
    given: Mapping[str, Origin],
    parents: tuple[Node, ...],
    steps: list[FlatStep],
) -> dict[str, Origin]:
    """Appends the graph's steps; returns where each of its outputs comes from."""
    made: dict[str, dict[str, Origin]] = {}
    before = ".".join((*path, ""))
    for name in _in_order(graph):
        node, wires = graph.nodes[name], graph.wires.get(name, {})
        inner: dict[str, Origin] = {
            i: _origin(wires[i], made, given) if i in wires else UNWIRED for i in node.definition.ins
        }
        if isinstance(node.definition, OpDefinition):
            number = len(steps)
            over = _over(inner, steps)
            steps.append(FlatStep((*path, name), node.definition, node, parents, inner, before + name, over))
            made[name] = {output: StepOut(number, output) for output in node.definition.outs}
        else:
            made[name] = _lay_out(node.definition, (*path, name), inner, (*parents, node), steps)
    return {output: _origin(wire, made, given) for output, wire in graph.returns.items()}


def _origin(wire: Wire, made: Mapping[str, Mapping[str, Origin]], given: Mapping[str, Origin]) -> Origin:
    if isinstance(wire, FromNode):
        origin = made[wire.node][wire.output]
        if wire.mapping and isinstance(origin, StepOut):
            return StepOut(origin.step, origin.output, joined(origin.mapping, wire.mapping))
        return origin
    if isinstance(wire, FromInput):
        return given.get(wire.name, UNWIRED)
    if isinstance(wire, FanIn):
        items: list[StepOut | OuterInput | Constant] = []
        for item in wire.items:
            origin = _origin(item, made, given)
            if isinstance(origin, Many):  # a list handed in from outside joins the list here
                items.extend(origin.items)
            elif not isinstance(origin, Unwired):
                items.append(origin)
        return Many(tuple(items))
    return Constant(wire.value)


def level_of(origin: Origin, steps: Sequence[FlatStep]) -> tuple[StepOut, ...]:
    """The dynamic outputs over which what takes a value is mapped, the outermost first."""
    if isinstance(origin, Many):
        return max((level_of(item, steps) for item in origin.items), key=len, default=())
    if not isinstance(origin, StepOut):
        return ()
    step = steps[origin.step]
    level = step.over
    if is_dynamic(origin, steps):
        level = (*level, StepOut(origin.step, origin.output))
    return level[: len(level) - depth_of(origin.mapping)]


def is_dynamic(origin: StepOut, steps: Sequence[FlatStep]) -> bool:
    """Whether it is a dynamic output, however it is taken."""
    return steps[origin.step].op.outs[origin.output].is_dynamic


def _over(inputs: Mapping[str, Origin], steps: Sequence[FlatStep]) -> tuple[StepOut, ...]:
    found: tuple[StepOut, ...] = ()
    for origin in inputs.values():
        level = level_of(origin, steps)
        if len(level) > len(found):
            found = level
    return found


def _in_order(graph: GraphDefinition) -> Iterable[str]:
    """The nodes, each after those that feed it. What was written as calls already stands in such an order."""
    seen: set[str] = set()
    if all(feeds(graph, name) <= seen and not seen.add(name) for name in graph.nodes):
        return graph.nodes
    later: dict[str, list[str]] = {name: [] for name in graph.nodes}
    waiting: dict[str, int] = {}
    for name in graph.nodes:
        sources = feeds(graph, name)
        waiting[name] = len(sources)
        for source in sources:
            later[source].append(name)
    order = [name for name, count in waiting.items() if count == 0]
    for name in order:
        for other in later[name]:
            waiting[other] -= 1
            if waiting[other] == 0:
                order.append(other)
    if len(order) < len(waiting):
        stuck = {name for name, count in waiting.items() if count > 0}
        raise GraphCycle(graph.name, _circle(graph, stuck), graph.source)
    return order


def _circle(graph: GraphDefinition, stuck: set[str]) -> list[str]:
    """Some nodes that feed one another in a circle, among those of which each is fed by another."""
    path: dict[str, None] = {}
    name = min(stuck)
    while name not in path:
        path[name] = None
        name = min(feeds(graph, name) & stuck)
    passed = list(path)
    return sorted(passed[passed.index(name) :])


def feeds(graph: GraphDefinition, name: str) -> set[str]:
    """The nodes that a node of the graph takes values from."""
    found: set[str] = set()
    for wire in graph.wires.get(name, {}).values():
        for item in wire.items if isinstance(wire, FanIn) else (wire,):
            if isinstance(item, FromNode):
                found.add(item.node)
    return found
