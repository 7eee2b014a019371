"""Direct calls: ops, graphs and assets, used as plain functions, in tests above all."""

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.graphs.graph_definition import GraphDefinition
from opgraph.declare.graphs.wires import FanIn, FromInput, FromNode, Value, Wire
from opgraph.declare.ops.inputs import NO_DEFAULT
from opgraph.declare.ops.op import OpDefinition
from opgraph.keys import AssetKey
from opgraph.resolve.config import OpConfig, Settings, config_of
from opgraph.resolve.flatten import flatten
from opgraph.run import mistakes
from opgraph.run.call.body import Coming, OpCall, drained
from opgraph.run.call.build_contexts import build_asset_context, build_op_context
from opgraph.run.call.context import AssetSide, OpExecutionContext
from opgraph.run.call.loop import EventLoop


def invoke(
    definition: OpDefinition | GraphDefinition | AssetsDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Call an op, graph or asset with values, and check what its functions give.

    Args:
        definition: what is called.
        args: a context first, where the function takes one, then values for its inputs.
        kwargs: values by name.

    Returns:
        What the function returns, unchanged: a coroutine of an async function, a generator of one that yields, whose
        outputs are checked as they come. Of a graph, or its asset, the value that it returns; a tuple of them if it
        has several outputs; None if it has none.

    Raises:
        InvalidInvocationError: the arguments do not fit.
        InvariantViolationError: the outputs break a rule.
    """
    if isinstance(definition, GraphDefinition):
        return _call_graph(definition, args, kwargs, None)
    if isinstance(definition, OpDefinition):
        return _call(definition, args, kwargs, None)
    node = definition.node_def
    if isinstance(node, OpDefinition):
        return _call(node, args, kwargs, definition)
    return _call_graph(node, args, kwargs, definition)


def _call(op: OpDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any], assets: AssetsDefinition | None) -> Any:
    context, args, kwargs = _context(op, args, kwargs, assets)
    by_key: Mapping[AssetKey, str] = assets.output_names_by_key if assets is not None else {}
    call = OpCall(op, assets=by_key, after=_order(assets, by_key), direct=True)
    ins = _inputs(op, call.defaults, args, kwargs, context)
    selected = context.bind(op, _assets_of(assets)) if context is not None else None
    value = call.start(ins, context if op.body.takes_context else None)
    coming = Coming(call, context, selected, raw=True)
    kind = op.body.kind
    if kind == "async":
        return _awaited(coming, value)
    if kind == "async_generator":
        return coming.stream_async(value)
    if kind == "generator" or isinstance(value, Generator):
        return coming.stream(value)  # pyright: ignore[reportUnknownArgumentType] - whatever the user yields
    coming.split(value)
    return value


async def _awaited(coming: Coming, coroutine: Any) -> Any:
    value = await coroutine
    coming.split(value)
    return value


# -- arguments --------------------------------------------------------------------


def _context(
    op: OpDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any], assets: AssetsDefinition | None
) -> tuple[OpExecutionContext | None, tuple[Any, ...], Mapping[str, Any]]:
    """The context among the arguments, and the others. One that the function does not take is fine."""
    builder = build_op_context if assets is None else build_asset_context
    if not op.body.takes_context:
        return (args[0], args[1:], kwargs) if args and isinstance(args[0], OpExecutionContext) else (None, args, kwargs)
    name = op.body.all_params[0]
    if name in kwargs:
        given, kwargs = kwargs[name], {key: value for key, value in kwargs.items() if key != name}
    elif args:
        given, args = args[0], args[1:]
    else:
        raise mistakes.ContextMissing(op.name, builder.__name__, where=op.source)
    if given is None:
        given = builder()
    if not isinstance(given, OpExecutionContext):
        raise mistakes.ContextMissing(op.name, builder.__name__, type(given).__qualname__, where=op.source)
    if assets is not None:
        given.bring(assets)
    return given, args, kwargs


def _inputs(
    op: OpDefinition,
    defaults: Mapping[str, Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    context: OpExecutionContext | None,
) -> dict[str, Any]:
    """A value for each input, and the configuration."""
    names = [name for name, each in op.ins.items() if not each.is_nothing]
    told = context is not None and context.op_config is not None
    taken = {*names, *op.body.resources, *(("config",) if op.body.config is not None and not told else ())}
    positional = [name for name in op.body.all_params if name in taken and name not in op.body.keyword_only]
    if len(args) > len(positional):
        raise mistakes.TooManyArguments(op.name, len(args), positional, where=op.source)
    ins = dict(zip(positional, args, strict=False))
    if told and "config" in kwargs and op.body.config is not None:
        raise mistakes.ConfigTwice(op.name, where=op.source)
    wrong = [name for name in kwargs if name in ins or name not in taken]
    if wrong:
        raise mistakes.UnknownArguments(op.name, wrong, names, where=op.source)
    ins.update(kwargs)
    _add_resources(op, ins, context)
    if op.takes_config:
        given = context.op_config if context is not None and told else ins.get("config")
        config = config_of(op, given, op.name)
        if op.body.config is not None:
            ins["config"] = config.value
        if context is not None:
            context.use_config(config.raw)
    missing = [name for name in names if name not in ins and name not in defaults]
    if missing:
        raise mistakes.MissingArguments(op.name, missing, where=op.source)
    return {**{name: value for name, value in defaults.items() if name in names}, **ins}


def _add_resources(op: OpDefinition, ins: dict[str, Any], context: OpExecutionContext | None) -> None:
    """The resources that parameters are: given as arguments, or by the context, and not by both."""
    if not op.body.resources:
        return
    given = [name for name in op.body.resources if name in ins]
    there = dir(context.resources) if context is not None else []
    if given and there:
        raise mistakes.ResourcesTwice(op.name, given, there, where=op.source)
    for name in op.body.resources:
        if name not in ins:
            if name not in there:
                raise mistakes.MissingArguments(op.name, [name], where=op.source)
            ins[name] = getattr(context.resources, name)  # pyright: ignore[reportOptionalMemberAccess] - it is there


def _assets_of(assets: AssetsDefinition | None, made: Mapping[str, AssetKey] | None = None) -> AssetSide | None:
    """What a context knows of a definition's assets; `made`: in a graph, those that the op itself makes."""
    if assets is None:
        return None
    keys = frozenset(assets.keys)
    if made is not None:
        return AssetSide(keys, keys, made, {}, assets)
    return AssetSide(keys, keys, assets.keys_by_output_name, assets.argument_keys, assets)


def _order(assets: AssetsDefinition | None, by_key: Mapping[AssetKey, str]) -> dict[str, frozenset[str]]:
    """For each output, those that must come before it: the assets of the same definition that it depends on."""
    if assets is None or not assets.explicit_deps:
        return {}
    return {
        by_key[key]: frozenset(by_key[dep] for dep in deps if dep in by_key and dep != key)
        for key, deps in assets.explicit_deps.items()
        if key in by_key
    }


# -- a graph, and its asset -------------------------------------------------------


def _call_graph(
    graph: GraphDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any], assets: AssetsDefinition | None
) -> Any:
    """Run the ops of a graph one after the other, in this process, with nothing stored."""
    context: OpExecutionContext | None = None
    if args and isinstance(args[0], OpExecutionContext):
        context, args = args[0], args[1:]
    names = list(graph.ins)
    if len(args) > len(names):
        raise mistakes.TooManyArguments(graph.name, len(args), names, where=graph.source, kind="graph")
    ins = dict(zip(names, args, strict=False))
    wrong = [name for name in kwargs if name in ins or name not in graph.ins]
    if wrong:
        raise mistakes.UnknownArguments(graph.name, wrong, names, where=graph.source)
    ins.update(kwargs)
    missing = [name for name in graph.required_ins if name not in ins]
    if missing:
        raise mistakes.MissingArguments(graph.name, sorted(missing), where=graph.source)
    path = graph.name if assets is None else assets.node_name
    keys: Mapping[str, AssetKey] = {} if assets is None else assets.keys_by_output_name
    flat = flatten(graph, (path,))
    settings = Settings(None, {path: graph})
    settings.refuse(flat.steps)
    loop = EventLoop()
    fresh = build_op_context if assets is None else build_asset_context
    side = _GraphSide(assets, context or fresh(), loop, settings.of(flat.steps))
    try:
        values = _walk(graph, ins, keys, side, path)
    finally:
        loop.close()
    if len(graph.outs) == 1:
        return values.get(next(iter(graph.outs)))
    return tuple(values.get(name) for name in graph.outs) if graph.outs else None


class _GraphSide(NamedTuple):
    """What the ops of a graph have in common in a direct call."""

    assets: AssetsDefinition | None  # None: the graph is no asset
    context: OpExecutionContext
    loop: EventLoop
    config: Mapping[str, OpConfig]  # by path


def _walk(
    graph: GraphDefinition,
    ins: Mapping[str, Any],
    keys: Mapping[str, AssetKey],
    side: _GraphSide,
    path: str,
) -> dict[str, Any]:
    """The values of a graph's outputs; one that depends on an output that did not come is left out."""
    given = {name: each.default_value for name, each in graph.ins.items() if each.default_value is not NO_DEFAULT}
    given.update(ins)
    came: dict[tuple[str, str], Any] = {}
    for name, node in graph.nodes.items():  # in the order of the calls in the body: what a node needs is before it
        wires = graph.wires.get(name, {})
        values = {key: _wired(wire, came, given) for key, wire in wires.items()}
        values = {key: value for key, value in values.items() if value is not _UNGIVEN}
        if isinstance(node.definition, OpDefinition) and any(value is _ABSENT for value in values.values()):
            continue
        made = {
            wire.output: keys[out]
            for out, wire in graph.returns.items()
            if out in keys and isinstance(wire, FromNode) and wire.node == name
        }
        if isinstance(node.definition, OpDefinition):
            outputs = _op_of_graph(node.definition, values, made, side, f"{path}.{name}")
        else:
            outputs = _walk(node.definition, values, made, side, f"{path}.{name}")
        came.update({(name, output): value for output, value in outputs.items()})
    returned = {out: _wired(wire, came, given) for out, wire in graph.returns.items()}
    return {out: value for out, value in returned.items() if not isinstance(value, _Mark)}


def _op_of_graph(
    op: OpDefinition,
    values: Mapping[str, Any],
    made: Mapping[str, AssetKey],
    side: _GraphSide,
    path: str,
) -> dict[str, Any]:
    context, assets = side.context, side.assets
    call = OpCall(op, assets={key: name for name, key in made.items()}, direct=True)
    ins = {**call.defaults, **{key: value for key, value in values.items() if not op.ins[key].is_nothing}}
    _add_resources(op, ins, context)
    own: OpExecutionContext | None = None
    config = side.config.get(path)
    if config is not None and op.body.config is not None:
        ins["config"] = config.value
    if op.body.takes_context:
        own = context.twin()
        own.use_config(config.raw if config is not None else None)
        own.bind(op, _assets_of(assets, made))
    return {each.output: each.value for each in drained(call.outputs(ins, own, None, side.loop))}


class _Mark:
    """The class of the two marks below."""


_ABSENT = _Mark()  # what an optional output is that did not come
_UNGIVEN = _Mark()  # what an input of a graph is that nothing is wired to: the op's default holds


def _wired(wire: Wire, came: Mapping[tuple[str, str], Any], given: Mapping[str, Any]) -> Any:
    if isinstance(wire, FromNode):
        return came.get((wire.node, wire.output), _ABSENT)
    if isinstance(wire, FromInput):
        return given.get(wire.name, _UNGIVEN)
    if isinstance(wire, Value):
        return wire.value
    assert isinstance(wire, FanIn)
    items = [_wired(item, came, given) for item in wire.items]
    kept = [item for item in items if not isinstance(item, _Mark)]
    return kept if kept or not items else _ABSENT
