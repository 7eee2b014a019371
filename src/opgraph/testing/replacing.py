"""An asset, graph or job with some of its ops replaced: the rest of it runs as it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from msgspec import structs

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.frozen import replaced
from opgraph.declare.graphs.graph_definition import GraphDefinition, JobDefinition
from opgraph.declare.graphs.node import Node
from opgraph.declare.ops.body import Body
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.settings.config import PermissiveConfig
from opgraph.errors import InvalidDefinitionError, Mistake, Source
from opgraph.keys import near_misses

D = TypeVar("D", AssetsDefinition, GraphDefinition, JobDefinition)


class NoSuchOp(InvalidDefinitionError):
    """An op is to be replaced that the definition does not have."""

    def __init__(self, owner: str, path: str, known: Sequence[str], where: Source) -> None:
        self.owner, self.path, self.known = owner, path, tuple(known)
        near = near_misses(path, known)
        meant = f". Did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
        super().__init__(
            f"`{owner}` has no op `{path}` to replace{meant}", where=where, fix=f"its ops are {', '.join(known)}"
        )


class FakeTakesOther(InvalidDefinitionError):
    """A function that is to stand for an op does not take what the op takes."""

    def __init__(self, path: str, takes: Sequence[str], inputs: Sequence[str], where: Source) -> None:
        self.path, self.takes, self.inputs = path, tuple(takes), tuple(inputs)
        listed = ", ".join(takes) or "nothing"
        super().__init__(
            f"what replaces the op `{path}` takes {listed}; the op has the inputs {', '.join(inputs) or 'none'}",
            where=where,
            fix="name its parameters as the op's inputs, or take `**_` for those that it does not read",
        )


class NothingToReplaceIn(Mistake, InvalidDefinitionError, TypeError):
    """Ops are to be replaced in something that is no asset, graph or job."""

    given: object
    says = "`replace_ops` was given a `{given:type}`, and replaces ops of an asset, a graph or a job"
    mend = (
        "give it the asset or job whose ops are to be replaced, and put what it returns into a `Definitions`, or into "
        "`run`"
    )


class GraphReplaced(Mistake, InvalidDefinitionError):
    """A graph is to be replaced by a function."""

    path: str
    inner: Sequence[str]
    says = "`{path}` is a graph, and only ops can be replaced"
    mend = "replace {inner}"


def replace_ops(definition: D, fakes: Mapping[str, Callable[..., Any]]) -> D:
    """A copy of a definition in which other functions stand for some of its ops.

    The op keeps its name, its inputs and outputs, and so its place in the plan; its I/O managers too.

    Args:
        definition: an asset of a graph or of one op, a graph, or a job.
        fakes: functions, or ops, by the path of the op in the definition: `clean`, `inner.clean`. A function takes the
            op's inputs by name, after a context if it likes; `**_` takes those that it does not read.

    Raises:
        NothingToReplaceIn: it is no such definition.
        NoSuchOp: there is no op at a path.
        FakeTakesOther: a function does not take the op's inputs.
        GraphReplaced: at a path there is a graph.

    Example:
        >>> faked = replace_ops(revenue, {"download": lambda: ["1;2"], "inner.clean": lambda rows: rows})
        >>> run(faked).asset_value("revenue")
    """
    if isinstance(definition, JobDefinition):
        job = cast("JobDefinition", definition)
        return cast("D", replaced(job, graph=_graph(job.graph, fakes, "", job.name)))
    if isinstance(definition, GraphDefinition):
        return cast("D", _graph(cast("GraphDefinition", definition), fakes, "", definition.name))
    given: Any = definition
    if not isinstance(given, AssetsDefinition):
        raise NothingToReplaceIn(given, where=Source.of_caller())
    asset = cast("AssetsDefinition", definition)
    node = asset.node_def
    if isinstance(node, GraphDefinition):
        return cast("D", replaced(asset, node_def=_graph(node, fakes, "", asset.node_name)))
    names = (node.body.name, node.name, asset.node_name)
    for path in fakes:
        if path not in names:
            raise NoSuchOp(asset.node_name, path, names[:1], node.source)
    return cast("D", replaced(asset, node_def=_op(node, node.name, *fakes.values())) if fakes else asset)


def _graph(graph: GraphDefinition, fakes: Mapping[str, Any], before: str, owner: str) -> GraphDefinition:
    """The graph with what concerns it replaced; the paths of `fakes` begin in it, `before` comes before them."""
    nodes: dict[str, Node] = dict(graph.nodes)
    inner: dict[str, dict[str, Any]] = {}
    for path, fake in fakes.items():
        name, _, rest = path.partition(".")
        node = graph.nodes.get(name)
        nested = node is not None and isinstance(node.definition, GraphDefinition)
        if node is None or (rest and not nested):
            raise NoSuchOp(owner, before + path, [before + known for known, _ in graph.ops()], graph.source)
        if isinstance(node.definition, GraphDefinition):
            if not rest:
                ops = [f"{before}{name}.{op}" for op, _ in node.definition.ops()]
                raise GraphReplaced(before + path, ops, where=node.definition.source)
            inner.setdefault(name, {})[rest] = fake
        else:
            nodes[name] = structs.replace(node, definition=_op(node.definition, before + path, fake))
    for name, deeper in inner.items():
        within = cast("GraphDefinition", graph.nodes[name].definition)
        nodes[name] = structs.replace(nodes[name], definition=_graph(within, deeper, f"{before}{name}.", owner))
    return replaced(graph, nodes=nodes)


def _op(op: OpDefinition, path: str, fake: Callable[..., Any]) -> OpDefinition:
    body = fake.body if isinstance(fake, OpDefinition) else Body(fake)
    values = [name for name, declared in op.ins.items() if not declared.is_nothing]
    unread = [name for name in values if name not in body.params]
    unknown = [name for name in body.params if name not in op.ins and name not in body.defaults]
    if unknown or (unread and not body.var_keywords):
        raise FakeTakesOther(path, body.params, values, body.source)
    more = {name: declared for name, declared in op.ins.items() if name not in body.params}
    kept = {name: declared for name, declared in op.ins.items() if name in body.params}
    configurable = op.takes_config or op.body.takes_context
    return OpDefinition(
        body,
        op.name,
        {**kept, **more},
        op.outs,
        op.description,
        # What configures the op, a default of its graph for one, must not fail because the fake reads none of it.
        PermissiveConfig if configurable and body.config is None else None,
        required_resource_keys=fake.required_resource_keys if isinstance(fake, OpDefinition) else None,
        tags=op.tags,
        kind="replacement of op",
    )
