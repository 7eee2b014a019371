"""The decorators that make assets: of a function, or of a graph of ops."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

from opgraph.declare.assets import layout
from opgraph.declare.assets.asset_mistakes import NoAssets, OutsAndSpecs, SeveralOutputs
from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.attributes import ManyAssets, ManyGraphAssets, OneAsset, OneGraphAsset, check
from opgraph.declare.assets.parameters import list_parameters
from opgraph.declare.assets.spec import AssetOut, AssetSpec
from opgraph.declare.graphs.graph import composed, typed
from opgraph.declare.labels import checked_name
from opgraph.declare.mistakes import gathering, report, reported
from opgraph.declare.ops.body import Body
from opgraph.declare.ops.inputs import NO_DEFAULT, In, Nothing, says_nothing
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.ops.outputs import GraphOut, Out
from opgraph.declare.ops.signatures import AssetDecorator, GraphAssetDecorator, P, T
from opgraph.declare.ops.viewed import type_of_input, type_of_output

if TYPE_CHECKING:
    from opgraph.declare.ops.signatures import GraphAsset


@overload
def asset(compute_fn: Callable[P, T], /) -> AssetsDefinition[P, T]: ...


@overload
def asset(**attributes: Unpack[OneAsset]) -> AssetDecorator: ...


def asset(
    compute_fn: Callable[..., Any] | None = None, /, **attributes: Unpack[OneAsset]
) -> AssetsDefinition | AssetDecorator:
    """Make an asset of a function that returns its value.

    Its parameters are upstream assets, by name, without a first one named `context`.

    Args:
        compute_fn: the function: sync or async, returning or yielding.
        **attributes: see `attributes.OneAsset`.

    Raises:
        InvalidDefinitionError: it cannot work; the message names the place and the fix.
        NotYetSupportedError: a parameter that does nothing yet.

    Example:
        >>> @asset(group_name="reports")
        ... def delays(flights):
        ...     return [f["delay"] for f in flights]
    """
    check("asset", attributes, OneAsset)

    @gathering
    def decorate(fn: Callable[..., Any]) -> AssetsDefinition:
        body = Body(fn)
        name = attributes.get("name") or body.name
        owner = f"asset `{name}`"
        key = layout.key_of(attributes, name, owner, body.source)
        upstream = layout.upstream_of(attributes, body.params, owner, body.source, takes_any=body.var_keywords)
        of = layout.one(attributes, key, upstream, "result", owner, body.source, body.doc)
        out = Out(
            Nothing
            if says_nothing(body.returns_annotation)
            else type_of_output(attributes.get("dagster_type", NO_DEFAULT), body, "result", ("result",)),
            is_required=attributes.get("output_required", True),
            io_manager_key=of.io_manager_keys.get("result"),
            metadata=attributes.get("metadata"),
            code_version=attributes.get("code_version"),
        )
        return AssetsDefinition.of(_op(body, attributes, of, {"result": out}), of)

    return decorate(compute_fn) if compute_fn is not None else decorate


def multi_asset(**attributes: Unpack[ManyAssets]) -> AssetDecorator:
    """Make several assets of a function that returns, or yields, all their values.

    Args:
        **attributes: see `attributes.ManyAssets`.

    Raises:
        InvalidDefinitionError: it cannot work; the message names the place and the fix.
        NotYetSupportedError: a parameter that does nothing yet.

    Example:
        >>> @multi_asset(outs={"good": AssetOut(), "bad": AssetOut()})
        ... def sorted_out(rows):
        ...     return [r for r in rows if r], [r for r in rows if not r]
    """
    check("multi_asset", attributes, ManyAssets)

    @gathering
    def decorate(fn: Callable[..., Any]) -> AssetsDefinition:
        body = Body(fn)
        name = attributes.get("name") or body.name
        owner = f"multi-asset `{name}`"
        checked_name("multi-asset", name, body.source)
        outs, specs = _outs_and_specs(attributes, owner, body)
        upstream = layout.upstream_of(attributes, body.params, owner, body.source, takes_any=body.var_keywords)
        layout.check_specs(attributes, specs, upstream, owner, body.source)
        of = layout.many(attributes, outs, specs, upstream, owner, body.source, name, body.doc)
        optional = bool(attributes.get("can_subset"))  # a part may be asked for
        op_outs = {
            key: Out(
                out.dagster_type,
                description=out.description,
                is_required=out.is_required and not optional,
                io_manager_key=out.io_manager_key,
                metadata=out.metadata,
                code_version=out.code_version,
            )
            for key, out in outs.items()
        }
        return AssetsDefinition.of(_op(body, attributes, of, op_outs), of)

    return decorate


def _outs_and_specs(attributes: ManyAssets, owner: str, body: Body) -> tuple[dict[str, AssetOut], list[AssetSpec]]:
    outs, specs = dict(attributes.get("outs") or {}), list(attributes.get("specs") or ())
    if outs and specs:
        report(OutsAndSpecs(owner, where=body.source))
        specs = []
    if not outs and not specs:
        report(NoAssets(owner, where=body.source))
    if specs:
        # The function stores these itself, so there is no value.
        outs = {spec.key.to_python_identifier(): AssetOut.from_spec(spec, dagster_type=Nothing) for spec in specs}
    for name in outs:
        checked_name("output", name, body.source)
    return outs, specs


def _op(body: Body, attributes: Mapping[str, Any], of: layout.Layout, outs: dict[str, Out]) -> OpDefinition:
    """The op of a function that is an asset."""
    ins = {
        name: In(
            type_of_input(declared.dagster_type, body, name),
            metadata=declared.metadata,
            asset_key=of.upstream.argument_keys[name],
            input_manager_key=declared.input_manager_key,
        )
        for name, declared in layout.op_ins(attributes.get("ins"), of.upstream.argument_keys).items()
    }
    # What `deps` name is an input without a value. `resolve` reads the order from the specs; these are for who asks.
    ins |= {name: In(Nothing, asset_key=key) for name, key in of.upstream.ordering_keys.items()}
    return OpDefinition(
        body,
        of.node_name,
        ins,
        outs,
        attributes.get("description"),
        attributes.get("config_schema"),
        required_resource_keys=of.required_resource_keys.union(of.resource_defs),  # what it brings it may use
        tags=of.op_tags,
        retry_policy=of.retry_policy,
        code_version=attributes.get("code_version"),
        pool=of.pool,
        kind="asset",
    )


@overload
def graph_asset(compose_fn: Callable[P, Mapping[str, Any]], /) -> "GraphAsset[P, Any]": ...


@overload
def graph_asset(compose_fn: Callable[P, T], /) -> "GraphAsset[P, T]": ...


@overload
def graph_asset(**attributes: Unpack[OneGraphAsset]) -> GraphAssetDecorator: ...


def graph_asset(
    compose_fn: Callable[..., Any] | None = None, /, **attributes: Unpack[OneGraphAsset]
) -> AssetsDefinition | GraphAssetDecorator:
    """Make an asset of a graph: a function that calls ops and returns the output that is the asset.

    Its parameters are upstream assets, by name. It takes everything that `asset` takes.

    Args:
        compose_fn: the function; it is run once, here, to see what is wired to what.
        **attributes: see `attributes.OneGraphAsset`.

    Raises:
        InvalidDefinitionError: it cannot work; the message names the place and the fix.
        NotYetSupportedError: a parameter that does nothing yet.

    Example:
        >>> @graph_asset
        ... def delays(flights):
        ...     return summed(cleaned(flights))
    """
    check("graph_asset", attributes, OneGraphAsset)

    @gathering
    def decorate(fn: Callable[..., Any]) -> AssetsDefinition:
        body = Body(fn)
        name = attributes.get("name") or fn.__name__
        owner = f"graph asset `{name}`"
        key = layout.key_of(attributes, name, owner, body.source)
        owner = f"graph asset `{key.to_python_identifier()}`"
        before = reported()
        graph = composed(
            fn,
            kind="graph asset",
            name=key.to_python_identifier(),
            description=attributes.get("description"),
            config=attributes.get("config"),
            more=attributes.get("ins") or (),
        )
        if len(graph.outs) > 1 or (not graph.outs and reported() == before):  # else it was said why there is none
            report(SeveralOutputs(owner, len(graph.outs), where=body.source))
        upstream = layout.upstream_of(attributes, list(graph.ins), owner, body.source)
        output = next(iter(graph.outs), "result")
        of = layout.one(attributes, key, upstream, output, owner, body.source, body.doc)
        return AssetsDefinition.of(typed(graph, {output: attributes.get("dagster_type", NO_DEFAULT)}), of)

    return decorate(compose_fn) if compose_fn is not None else cast("GraphAssetDecorator", decorate)


def graph_multi_asset(**attributes: Unpack[ManyGraphAssets]) -> GraphAssetDecorator:
    """Make several assets of a graph: a function that calls ops and returns the outputs that are the assets.

    It takes everything that `multi_asset` takes. The function returns its outputs as a dict by the names in `outs`, or
    as a tuple in their order.

    Args:
        **attributes: see `attributes.ManyGraphAssets`.

    Raises:
        InvalidDefinitionError: it cannot work; the message names the place and the fix.
        NotYetSupportedError: a parameter that does nothing yet.

    Example:
        >>> @graph_multi_asset(outs={"good": AssetOut(), "bad": AssetOut()}, can_subset=True)
        ... def sorted_out(rows):
        ...     parts = split(rows)
        ...     return {"good": parts.good, "bad": repaired(parts.bad)}
    """
    check("graph_multi_asset", attributes, ManyGraphAssets)

    @gathering
    def decorate(fn: Callable[..., Any]) -> AssetsDefinition:
        body = Body(fn)
        name = attributes.get("name") or fn.__name__
        owner = f"graph multi-asset `{name}`"
        outs, specs = _outs_and_specs(attributes, owner, body)
        graph = composed(
            fn,
            kind="graph multi-asset",
            name=name,
            description=attributes.get("description"),
            out={key: GraphOut(out.description) for key, out in outs.items()},
            config=attributes.get("config"),
            more=attributes.get("ins") or (),
        )
        kept = {key: out for key, out in outs.items() if key in graph.outs}
        upstream = layout.upstream_of(attributes, list(graph.ins), owner, body.source)
        graph = typed(graph, {name: out.dagster_type for name, out in kept.items()})
        return AssetsDefinition.of(
            graph, layout.many(attributes, kept, specs, upstream, owner, body.source, name, body.doc)
        )

    return cast("GraphAssetDecorator", decorate)


list_parameters("asset", asset, OneAsset)
list_parameters("multi_asset", multi_asset, ManyAssets)
list_parameters("graph_asset", graph_asset, OneGraphAsset)
list_parameters("graph_multi_asset", graph_multi_asset, ManyGraphAssets)
