"""Graphs: nodes wired to one another, usable wherever an op is."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias, cast, overload

from opgraph.declare import compose, ports
from opgraph.declare.body import Body
from opgraph.declare.frozen import Frozen, replaced
from opgraph.declare.inputs import GraphIn
from opgraph.declare.labels import checked_name, checked_tags
from opgraph.declare.mistakes import (
    NoSuchParameter, OutputsMissing, OutputsUnnamed, PositionalRest, ReturnedOther, ReturnedUncalled, UnknownOutput, UnusedInput,
    WrongCount, report,
)  # fmt: skip
from opgraph.declare.node import Node
from opgraph.declare.outputs import GraphOut
from opgraph.declare.unsupported import refuse
from opgraph.declare.wires import FromInput, FromNode, Wire
from opgraph.errors import Source

Returned: TypeAlias = FromNode | FromInput


class GraphDefinition(Frozen):
    """Nodes wired to one another. Made by `@graph`; called in another graph's body it becomes a node of it."""

    __slots__ = (
        "body", "config", "description", "ins", "metadata", "name", "nodes", "outs", "returns", "source", "tags", "wires",
    )  # fmt: skip

    name: str
    body: Body
    nodes: Mapping[str, Node]
    wires: Mapping[str, Mapping[str, Wire]]  # node -> its input -> where the value comes from
    ins: Mapping[str, GraphIn]
    outs: Mapping[str, GraphOut]
    returns: Mapping[str, Returned]
    description: str | None
    tags: Mapping[str, str]
    config: Any
    metadata: Mapping[str, Any]
    source: Source

    def __init__(
        self,
        name: str,
        *,
        description: str | None = None,
        node_defs: Any = None,
        dependencies: Any = None,
        input_mappings: Any = None,
        output_mappings: Any = None,
        config: Any = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        refuse(
            "GraphDefinition",
            {
                "node_defs": node_defs if node_defs is not None else (),
                "dependencies": dependencies,
                "input_mappings": input_mappings,
                "output_mappings": output_mappings,
                "config": config,
            },
        )

    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment]

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.body.fn.__doc__

    def needs(self, name: str) -> bool:
        """Whether something must be wired to an input: everything it feeds has no value of its own."""
        if self.ins[name].has_default_value:
            return False
        return any(
            isinstance(wire, FromInput) and wire.name == name and self.nodes[node].definition.needs(key)
            or not isinstance(wire, FromInput) and any(item == FromInput(name) for item in getattr(wire, "items", ()))
            for node, wires in self.wires.items()
            for key, wire in wires.items()
        )
