"""Graphs: nodes wired to one another, usable wherever an op is."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast, overload

from msgspec.structs import replace

from opgraph.declare.accepted import expect, only
from opgraph.declare.frozen import made, replaced
from opgraph.declare.graphs import compose
from opgraph.declare.graphs.compose import Composition, Outputs, Placeholder
from opgraph.declare.graphs.config_mapping import checked_config
from opgraph.declare.graphs.graph_definition import GraphDefinition, Returned
from opgraph.declare.graphs.wires import FromInput, FromNode
from opgraph.declare.graphs.wiring import required
from opgraph.declare.graphs.wiring_mistakes import BodyThatRuns, UnpackedOtherwise
from opgraph.declare.labels import checked_name, checked_tags
from opgraph.declare.mistakes import (
    GraphTakesContext,
    NoSuchOutput,
    NoSuchParameter,
    OutputsMissing,
    OutputsUnnamed,
    PositionalRest,
    ReturnedOther,
    ReturnedUncalled,
    UnknownOutput,
    UnusedInput,
    UsedAsValue,
    WrongCount,
    WrongType,
    gathering,
    owner_of,
    report,
)
from opgraph.declare.ops.body import Body
from opgraph.declare.ops.inputs import NO_DEFAULT, GraphIn, says_nothing
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.ops.outputs import GraphOut, Out
from opgraph.declare.ops.signatures import GraphDecorator, P, T
from opgraph.declare.settings.run_config import is_config_type
from opgraph.declare.unsupported import refuse
from opgraph.errors import Source
from opgraph.keys import NAME, near_misses


def composed(
    fn: Callable[..., Any],
    *,
    kind: str,
    name: str,
    description: str | None = None,
    ins: Mapping[str, GraphIn] | None = None,
    out: GraphOut | Mapping[str, GraphOut] | None = None,
    tags: Mapping[str, Any] | None = None,
    config: Any = None,
    more: Iterable[str] = (),
) -> GraphDefinition:
    """The graph that a function's body describes: runs the body once, with placeholders."""
    body = Body(fn)
    owner = owner_of(kind, name)
    source = body.source
    expect(owner, source, description=description, ins=ins, tags=tags)
    ins = only(owner, "ins", ins, GraphIn, "a `GraphIn`", source) if ins else None
    if isinstance(out, Mapping):
        out = only(owner, "out", out, GraphOut, "a `GraphOut`", source)
    elif out is not None and not isinstance(out, GraphOut):  # pyright: ignore[reportUnnecessaryIsInstance] - users' data
        report(WrongType(owner, "out", out, "a `GraphOut` or a mapping of them by name", where=source))
        out = None
    takes_context = body.takes_context and body.all_params[0] != "_"
    if takes_context:
        report(GraphTakesContext(owner, body.all_params[0], where=source))
    others = dict.fromkeys(body.resources, "resource")
    if body.config is not None and is_config_type(body.config[1]):
        others["config"] = "configuration"
    for key, what in others.items():
        report(GraphTakesContext(owner, key, what=what, where=source))
    if body.var_positional:
        report(PositionalRest(owner, where=source))
    params = body.all_params
    if body.var_keywords:  # it takes what `ins` name beside them
        params = (*params, *(key for key in more if key not in params))
    for key in ins or {}:
        if key not in params:
            report(NoSuchParameter(owner, "ins", key, params, where=source))
    graph_ins = {key: _with_default((ins or {}).get(key), body.defaults.get(key, NO_DEFAULT)) for key in params}
    composition = Composition(owner, makes_assets=kind.endswith("asset"))
    try:
        if body.kind != "sync":
            raise BodyThatRuns(owner, body.kind, where=source)
        returned = composition.run(fn, params)
    except (BodyThatRuns, UsedAsValue, NoSuchOutput, UnpackedOtherwise) as mistake:
        report(mistake)
        composition = Composition(owner)  # the declaration goes on with a graph that has the outputs it declares
        returned = composition.run(_stand_in(out), params)
        composition.used.update(params)
    returns = _returns(owner, source, returned, out)
    used = composition.used | {wire.name for wire in returns.values() if isinstance(wire, FromInput)}
    for key in params:
        if key not in used and key not in others and not (takes_context and key == params[0]):
            report(UnusedInput(owner, key, where=source))
    return made(
        GraphDefinition,
        name=name if kind == "graph asset" else checked_name(kind, name, source),
        body=body,
        nodes=composition.nodes,
        wires=composition.wires,
        ins=graph_ins,
        outs=_outs(out, returns, composition),
        returns=returns,
        required_ins=required(graph_ins, composition.nodes, composition.wires, returns.values()),
        fans=composition.levels.any,
        description=description if description is not None else body.doc,
        tags=checked_tags(owner, tags, source),
        config=checked_config(owner, config, source),
        metadata={},
        source=source,
    )


def _stand_in(out: GraphOut | Mapping[str, GraphOut] | None) -> Callable[..., Any]:
    """A body that has the outputs that are declared, whatever its inputs."""
    names = list(out) if isinstance(out, Mapping) else ["result"]
    outs = {name: Out() for name in names if NAME.fullmatch(name)}

    def body(**_: Any) -> Any:
        return OpDefinition(lambda: None, "not_composed", outs=outs)()

    return body


def _with_default(given: GraphIn | None, default: Any) -> GraphIn:
    if given is None:
        return _PLAIN if default is NO_DEFAULT else GraphIn(default_value=default)
    return given if default is NO_DEFAULT else replaced(given, default_value=default)


_PLAIN = GraphIn()


def _outs(
    out: GraphOut | Mapping[str, GraphOut] | None, returns: Mapping[str, Returned], composition: Composition
) -> dict[str, GraphOut]:
    if isinstance(out, Mapping):
        return {key: given for key, given in out.items() if key in returns}
    if isinstance(out, GraphOut):
        return dict.fromkeys(returns, out)
    return {key: GraphOut(_described(wire, composition)) for key, wire in returns.items()}


def _described(wire: Returned, composition: Composition) -> str | None:
    if isinstance(wire, FromInput):
        return None
    given: Out | GraphOut = composition.nodes[wire.node].definition.outs[wire.output]
    return given.description


def _returns(
    owner: str,
    source: Source,
    returned: Any,
    out: GraphOut | Mapping[str, GraphOut] | None,
) -> dict[str, Returned]:
    """What a body returned, by output name; what cannot be an output is reported and left out."""
    names = list(out) if isinstance(out, Mapping) else ["result"] if out is not None else None
    given = _by_name(owner, source, returned, names)
    returns: dict[str, Returned] = {}
    for name, value in given:
        checked_name("output", name, source)
        if not isinstance(value, Placeholder):
            report(_not_an_output(owner, value, source))
        elif names is not None and name not in names:
            report(UnknownOutput(owner, name, names, where=source))
            meant = near_misses(name, [each for each in names if each not in returns])
            if meant:  # go on as if it were written rightly, so that one slip is one mistake
                returns[meant[0]] = value.wire
        elif name in returns:
            report(OutputsUnnamed(owner, name, where=source))
        else:
            returns[name] = value.wire
    told = {name for name, _ in given}
    missing = [name for name in names or () if name not in told]
    if missing and told <= set(names or ()):  # else it is a wrong name, and was said
        report(OutputsMissing(owner, missing, where=source))
    return {name: returns[name] for name in names or returns if name in returns}


def _by_name(owner: str, source: Source, returned: Any, names: list[str] | None) -> list[tuple[str, Any]]:
    if returned is None:
        return []
    if isinstance(returned, Mapping):
        return list(cast("Mapping[str, Any]", returned).items())
    if not isinstance(returned, tuple):
        return [(names[0] if names is not None and len(names) == 1 else "result", returned)]
    values = cast("tuple[Any, ...]", returned)
    if names is None:
        return [(_own_name(value), value) for value in values]
    if isinstance(returned, Outputs) and set(returned.names) == set(names):
        return list(zip(returned.names, values, strict=True))
    if len(values) != len(names):
        report(WrongCount(owner, len(values), names, where=source))
    return list(zip(names, values, strict=False))


def _own_name(value: Any) -> str:
    if isinstance(value, Placeholder):
        return value.wire.output if isinstance(value.wire, FromNode) else value.wire.name
    return "result"


def _not_an_output(owner: str, value: Any, source: Source) -> ReturnedOther | ReturnedUncalled:
    uncalled = compose.uncalled(value)
    if uncalled is not None:
        return ReturnedUncalled(owner, uncalled, where=source)
    return ReturnedOther(owner, value, where=source)


def typed(graph: GraphDefinition, types: Mapping[str, Any]) -> GraphDefinition:
    """The graph with these types on the outputs of the ops that make its own: a value's type is checked where it is
    made. What is collected, passed on from an input or `Nothing` has none there."""
    nodes: dict[str, Any] = {}
    for name, kind in types.items():
        wire = graph.returns.get(name)
        if kind is NO_DEFAULT or says_nothing(kind) or not isinstance(wire, FromNode) or wire.mapping:
            continue
        nodes = nodes or dict(graph.nodes)
        definition = nodes[wire.node].definition
        if isinstance(definition, GraphDefinition):
            definition = typed(cast("GraphDefinition", definition), {wire.output: kind})
        else:
            out = replaced(definition.outs[wire.output], dagster_type=kind)
            definition = replaced(definition, outs={**definition.outs, wire.output: out})
        nodes[wire.node] = replace(nodes[wire.node], definition=definition)
    return replaced(graph, nodes=nodes) if nodes else graph


@overload
def graph(compose_fn: Callable[P, Mapping[str, Any]]) -> GraphDefinition[P, Any]: ...


@overload
def graph(compose_fn: Callable[P, T]) -> GraphDefinition[P, T]: ...


@overload
def graph(
    *,
    name: str | None = ...,
    description: str | None = ...,
    input_defs: Any = ...,
    output_defs: Any = ...,
    ins: Mapping[str, GraphIn] | None = ...,
    out: GraphOut | Mapping[str, GraphOut] | None = ...,
    tags: Mapping[str, Any] | None = ...,
    config: Any = ...,
) -> GraphDecorator: ...


def graph(
    compose_fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    input_defs: Any = None,
    output_defs: Any = None,
    ins: Mapping[str, GraphIn] | None = None,
    out: GraphOut | Mapping[str, GraphOut] | None = None,
    tags: Mapping[str, Any] | None = None,
    config: Any = None,
) -> GraphDefinition | GraphDecorator:
    """Make a graph of a function that calls ops and other graphs.

    The body is run once, here: each call in it becomes a node, what it passes on becomes a wire, what it returns an
    output. Its parameters are the graph's inputs.

    Args:
        compose_fn: the function.
        name: the graph's name, by default the function's.
        description: for people, by default the docstring.
        input_defs: not supported.
        output_defs: not supported.
        ins: what to say of its inputs, by name.
        out: what to say of its output, or its outputs by name.
        tags: labels.
        config: defaults for the configuration of its ops, by name, or a ConfigMapping that makes it.

    Raises:
        InvalidDefinitionError: it cannot work; the message names the place and the fix.

    Example:
        >>> @graph
        ... def cleaned(text):
        ...     return drop_empty(parse(text))
    """
    refuse("graph", {"input_defs": input_defs, "output_defs": output_defs})

    @gathering
    def decorate(fn: Callable[..., Any]) -> GraphDefinition:
        own = name if name is not None else getattr(fn, "__name__", "it")
        return composed(fn, kind="graph", name=own, description=description, ins=ins, out=out, tags=tags, config=config)

    return decorate(compose_fn) if compose_fn is not None else decorate
