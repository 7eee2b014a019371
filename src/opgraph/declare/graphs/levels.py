"""Over which fan-outs the nodes of a graph are mapped.

The *level* of a node is the chain of dynamic outputs over which it is mapped, the outermost first. It follows from what
is wired to the node: all its inputs stand on one chain, and the longest is the node's.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from opgraph.declare.graphs.fan_mistakes import CollectsItsOwn, TwoFanOuts
from opgraph.declare.graphs.wires import FanIn, FromInput, FromNode, Wire, depth_of
from opgraph.declare.mistakes import report
from opgraph.errors import Source

if TYPE_CHECKING:
    from opgraph.declare.graphs.graph_definition import GraphDefinition
    from opgraph.declare.ops.op import OpDefinition

Level: TypeAlias = tuple[str, ...]  # of dynamic outputs: `graph.op:output`


class Fanned(Struct, frozen=True):
    """An output that is mapped over `level`. A dynamic one: the last of these is the output itself."""

    level: Level
    dynamic: bool


_PLAIN = Fanned((), dynamic=False)


class Levels:
    """The levels of the nodes of one graph.

    Args:
        path: how the names of its dynamic outputs begin.
        given: the levels of the graph's inputs.
    """

    def __init__(self, path: str = "", given: Mapping[str, Level] | None = None) -> None:
        self._path = path
        self._given = given or {}
        self._outputs: dict[tuple[str, str], Fanned] = {}  # those that are not plain

    @property
    def any(self) -> bool:
        """Whether there is a fan-out in the graph."""
        return bool(self._outputs)

    def output(self, node: str, output: str) -> Fanned:
        """An output of a node."""
        return self._outputs.get((node, output), _PLAIN) if self._outputs else _PLAIN

    def of(self, wire: Wire) -> Level:
        """The level of what takes the value of a wire."""
        if isinstance(wire, FromNode):
            if not self._outputs:
                return ()
            level = self.output(wire.node, wire.output).level
            return level[: len(level) - depth_of(wire.mapping)]
        if isinstance(wire, FromInput):
            return self._given.get(wire.name, ()) if self._given else ()
        if isinstance(wire, FanIn):
            return max((self.of(item) for item in wire.items), key=len, default=())
        return ()

    def is_raw(self, wire: Wire) -> bool:
        """Whether a wire carries a dynamic output that is neither mapped nor collected."""
        return isinstance(wire, FromNode) and not wire.mapping and self.output(wire.node, wire.output).dynamic

    def place(
        self, name: str, definition: "OpDefinition | GraphDefinition", wires: Mapping[str, Wire], where: Source | None
    ) -> None:
        """Add a node. Reports what cannot be."""
        mapped = bool(self._outputs or self._given) and any(self.of(wire) for wire in wires.values())
        nodes = getattr(definition, "nodes", None)
        if nodes is not None:
            if mapped or definition.fans:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - graphs have it
                self._place_graph(name, definition, wires, where)  # pyright: ignore[reportArgumentType] - the same
            return
        level = self._level(name, wires, where) if self._outputs or self._given else ()
        for output, out in definition.outs.items():
            if getattr(out, "is_dynamic", False):
                self._outputs[name, output] = Fanned((*level, f"{self._path}{name}:{output}"), dynamic=True)
            elif level:
                self._outputs[name, output] = Fanned(level, dynamic=False)

    def _place_graph(
        self, name: str, graph: "GraphDefinition", wires: Mapping[str, Wire], where: Source | None
    ) -> None:
        if self._outputs or self._given:
            self._level(name, wires, where)
        inside = levels_of(graph, f"{self._path}{name}.", {key: self.of(wire) for key, wire in wires.items()})
        for output, wire in graph.returns.items():
            fanned = Fanned(inside.of(wire), dynamic=inside.is_raw(wire))
            if fanned.level:
                self._outputs[name, output] = fanned

    def _level(self, name: str, wires: Mapping[str, Wire], where: Source | None) -> Level:
        level: Level = ()
        for key, wire in wires.items():
            for item in wire.items if isinstance(wire, FanIn) else (wire,):
                other = self.of(item)
                together = min(len(level), len(other))
                if level[:together] != other[:together]:
                    report(TwoFanOuts(name, key, "".join(level[-1:]), "".join(other[-1:]), where=where))
                elif len(other) > len(level):
                    level = other
        collected_first = True
        for wire in wires.values():
            for item in wire.items if isinstance(wire, FanIn) else (wire,):
                if isinstance(item, FromNode) and depth_of(item.mapping):
                    at = len(self.of(item))
                    whole = self.output(item.node, item.output).level
                    if level[at : at + 1] and level[at] == whole[at]:
                        report(CollectsItsOwn(name, level[at], collected_first=collected_first, where=where))
                elif self.of(item):
                    collected_first = False
        return level


def levels_of(graph: "GraphDefinition", path: str = "", given: Mapping[str, Level] | None = None) -> Levels:
    """The levels of a graph whose inputs have these."""
    levels = Levels(path, {key: level for key, level in (given or {}).items() if level})
    for name, node in graph.nodes.items():
        levels.place(name, node.definition, graph.wires.get(name, {}), node.source)
    return levels
