"""Graphs whose wires are given as data: nodes, and for each of their inputs the output that it comes from."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from msgspec import Struct, structs

from opgraph.declare.accepted import expect
from opgraph.declare.graphs.node import Node
from opgraph.declare.graphs.wires import FanIn, FromInput, FromNode, Wire
from opgraph.declare.graphs.wiring_mistakes import NodesInCircle, NoSuchNode, NoSuchOutput, NotANode, NotDependencies
from opgraph.declare.mistakes import InputMissing, TwoDefinitions, UnknownInput, report
from opgraph.declare.ops.hooks import HookDefinition, checked_hooks
from opgraph.declare.ops.inputs import NO_DEFAULT, GraphIn
from opgraph.declare.ops.outputs import GraphOut
from opgraph.declare.retry import RetryPolicy
from opgraph.errors import Source

if TYPE_CHECKING:
    from opgraph.declare.graphs.graph_definition import GraphDefinition
    from opgraph.declare.ops.op import OpDefinition

Composable: TypeAlias = "OpDefinition | GraphDefinition"


class DependencyDefinition(Struct, frozen=True):
    """An input's value is this output of another node.

    Example:
        >>> wires = {"count": {"rows": DependencyDefinition("load")}}
        >>> GraphDefinition("total", node_defs=[load, count], dependencies=wires)
    """

    node: str
    output: str = "result"
    description: str | None = None

    def is_fan_in(self) -> bool:
        """Whether it is several outputs as one list."""
        return False


class MultiDependencyDefinition(Struct, frozen=True):
    """An input's value is a list of outputs of other nodes."""

    dependencies: Sequence[DependencyDefinition]

    def is_fan_in(self) -> bool:
        """Whether it is several outputs as one list."""
        return True


class NodeInvocation(Struct, frozen=True):
    """A node under another name: a key of `dependencies`."""

    name: str
    alias: str | None = None
    tags: Mapping[str, str] = {}
    hook_defs: AbstractSet[HookDefinition] = frozenset()
    retry_policy: RetryPolicy | None = None

    def __hash__(self) -> int:
        return hash((self.name, self.alias))


class InputMapping(Struct, frozen=True):
    """An input of a graph is an input of one of its nodes; the index of a list that it is a part of, if it is."""

    graph_input_name: str
    mapped_node_name: str
    mapped_node_input_name: str
    fan_in_index: int | None = None
    graph_input_description: str | None = None
    dagster_type: Any = None


class OutputMapping(Struct, frozen=True):
    """An output of a graph is an output of one of its nodes."""

    graph_output_name: str
    mapped_node_name: str
    mapped_node_output_name: str = "result"
    graph_output_description: str | None = None
    dagster_type: Any = None
    from_dynamic_mapping: bool = False


Dependencies: TypeAlias = Mapping[
    "str | NodeInvocation", Mapping[str, "DependencyDefinition | MultiDependencyDefinition"]
]


class Wired(Struct, frozen=True):
    """What a graph definition is made of."""

    nodes: dict[str, Node]
    wires: dict[str, dict[str, Wire]]
    ins: dict[str, GraphIn]
    outs: dict[str, GraphOut]
    returns: dict[str, FromNode]


def wired(
    owner: str,
    node_defs: Iterable[Any],
    dependencies: Dependencies | None,
    input_mappings: Sequence[InputMapping],
    output_mappings: Sequence[OutputMapping],
    where: Source | None,
) -> Wired:
    """The nodes and wires of a graph that is given as data."""
    by_name = _definitions(owner, node_defs, where)
    given = _dependencies(owner, dependencies, where)
    nodes = _nodes(owner, by_name, given, where)
    wires: dict[str, dict[str, Wire]] = {name: {} for name in nodes}
    for invocation, inputs in given.items():
        name = invocation.alias or invocation.name
        for key, dependency in inputs.items() if name in nodes else ():
            if key not in nodes[name].definition.ins:
                report(UnknownInput(name, key, list(nodes[name].definition.ins), where=where))
                continue
            items = dependency.dependencies if isinstance(dependency, MultiDependencyDefinition) else (dependency,)
            sources = [_output(owner, nodes, each.node, each.output, where) for each in items]
            found = tuple(each for each in sources if each is not None)
            if isinstance(dependency, MultiDependencyDefinition):
                wires[name][key] = FanIn(found)
            elif found:
                wires[name][key] = found[0]
    ins = _map_inputs(owner, nodes, wires, input_mappings, where)
    returns: dict[str, FromNode] = {}
    outs: dict[str, GraphOut] = {}
    for mapping in output_mappings:
        source = _output(owner, nodes, mapping.mapped_node_name, mapping.mapped_node_output_name, where)
        if source is not None:
            returns[mapping.graph_output_name] = source
            outs[mapping.graph_output_name] = GraphOut(mapping.graph_output_description)
    for name, node in nodes.items():
        for key, declared in node.definition.ins.items():
            if key not in wires[name] and node.definition.needs(key):
                report(InputMissing(name, key, getattr(declared, "description", None), where=where))
    return _in_order(owner, Wired(nodes, wires, ins, outs, returns), where)


def _definitions(owner: str, node_defs: Iterable[Any], where: Source | None) -> dict[str, Composable]:
    found: dict[str, Composable] = {}
    for each in node_defs:
        definition: Any = getattr(each, "node_def", each)
        if not (hasattr(definition, "ins") and hasattr(definition, "outs")):
            report(NotANode(owner, each, where=where))
        elif found.setdefault(definition.name, definition) is not definition:
            first = found[definition.name]
            report(TwoDefinitions(owner, definition.name, first.source, definition.source, where=where))
    return found


def _dependencies(
    owner: str, given: Any, where: Source | None
) -> dict[NodeInvocation, Mapping[str, DependencyDefinition | MultiDependencyDefinition]]:
    if given is not None and not isinstance(given, Mapping):
        report(NotDependencies(owner, given, where=where))
        return {}
    items = cast("Mapping[Any, Any]", given or {})
    return {(NodeInvocation(key) if isinstance(key, str) else key): value for key, value in items.items()}


def _nodes(
    owner: str, by_name: Mapping[str, Composable], given: Iterable[NodeInvocation], where: Source | None
) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    used: set[str] = set()
    for each in given:
        definition = by_name.get(each.name)
        if definition is None:
            report(NoSuchNode(owner, each.name, list(by_name), where=where))
            continue
        used.add(each.name)
        name = each.alias or each.name
        hooks = checked_hooks(f"`{name}`", "hook_defs", each.hook_defs, where)
        expect(f"`{name}`", where, retry_policy=each.retry_policy)
        nodes[name] = Node(name, definition, {**definition.tags, **each.tags}, each.retry_policy, hooks, where)
    for name, definition in by_name.items():
        if name not in used:
            nodes[name] = Node(name, definition, dict(definition.tags), source=where)
    return nodes


def _in_order(owner: str, wired: Wired, where: Source | None) -> Wired:
    """Upstream before downstream, as a graph's body has them."""
    ordered: dict[str, Node] = {}
    left = {name: set(_upstream(wires)) for name, wires in wired.wires.items()}
    while left:
        ready = [name for name, needs in left.items() if needs <= ordered.keys()]
        if not ready:
            report(NodesInCircle(owner, list(left), where=where))
            break
        ordered.update({name: wired.nodes[name] for name in ready})
        for name in ready:
            del left[name]
    return structs.replace(wired, nodes=ordered, wires={name: wired.wires[name] for name in ordered})


def _upstream(wires: Mapping[str, Wire]) -> Iterable[str]:
    for wire in wires.values():
        for each in wire.items if isinstance(wire, FanIn) else (wire,):
            if isinstance(each, FromNode):
                yield each.node


def _output(owner: str, nodes: Mapping[str, Node], node: str, output: str, where: Source | None) -> FromNode | None:
    if node not in nodes:
        report(NoSuchNode(owner, node, list(nodes), where=where))
        return None
    outs = nodes[node].definition.outs
    if output not in outs:
        report(NoSuchOutput(owner, node, output, list(outs), where=where))
        return None
    return FromNode(node, output)


def _map_inputs(
    owner: str,
    nodes: Mapping[str, Node],
    wires: dict[str, dict[str, Wire]],
    mappings: Sequence[InputMapping],
    where: Source | None,
) -> dict[str, GraphIn]:
    ins: dict[str, GraphIn] = {}
    for mapping in mappings:
        node, key, name = mapping.mapped_node_name, mapping.mapped_node_input_name, mapping.graph_input_name
        if node not in nodes:
            report(NoSuchNode(owner, node, list(nodes), where=where))
            continue
        definition = nodes[node].definition
        if key not in definition.ins:
            report(UnknownInput(node, key, list(definition.ins), where=where))
            continue
        ins.setdefault(name, GraphIn(mapping.graph_input_description))
        if mapping.fan_in_index is None:
            wires[node][key] = FromInput(name)
        else:
            there = wires[node].get(key)
            items = list(there.items) if isinstance(there, FanIn) else []
            items.insert(mapping.fan_in_index, FromInput(name))
            wires[node][key] = FanIn(tuple(items))
    return ins


def required(
    ins: Mapping[str, GraphIn],
    nodes: Mapping[str, Node],
    wires: Mapping[str, Mapping[str, Wire]],
    returns: Iterable[FromNode | FromInput],
) -> frozenset[str]:
    """The inputs of a graph that must be wired: what they feed has no value of its own."""
    found = {wire.name for wire in returns if isinstance(wire, FromInput)}
    for node, inputs in wires.items():
        definition = nodes[node].definition
        for key, wire in inputs.items():
            if isinstance(wire, FromInput) and definition.needs(key):
                found.add(wire.name)
            elif isinstance(wire, FanIn):
                found.update(item.name for item in wire.items if isinstance(item, FromInput))
    return frozenset(name for name in found if ins[name].default_value is NO_DEFAULT)
