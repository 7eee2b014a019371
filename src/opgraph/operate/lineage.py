"""What is made from what: the assets around one asset, with the ops inside those that a graph makes."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from opgraph.keys import AssetKey, near_misses
from opgraph.resolve.assets import AssetGraph, AssetNode
from opgraph.resolve.flatten import Many, OuterInput, StepOut
from opgraph.resolve.mistakes import UnknownSelected
from opgraph.resolve.subset import part_of


class OpView(Struct, frozen=True, kw_only=True):
    """An op of an asset's graph. `takes` has what its inputs come from: ops by path, assets as `asset:key`."""

    path: str  # below the asset definition: `clean.dedupe`
    op: str
    takes: tuple[str, ...]


class AssetSummary(Struct, frozen=True, kw_only=True):
    """An asset as it is declared."""

    asset: str
    kind: str  # asset | multi_asset | graph | external
    made_by: str  # the function or graph that makes it; empty: external
    ops: int
    group: str
    description: str
    kinds: tuple[str, ...]
    owners: tuple[str, ...]
    tags: dict[str, str]
    source: str  # file:line
    upstream: tuple[str, ...]
    downstream: tuple[str, ...]


class LineageRow(Struct, frozen=True, kw_only=True):
    """An asset in a tree of lineage, written as rows: what is below a row follows it, one deeper.
    `again`: it stands further up, with what belongs below it."""

    asset: str
    depth: int  # 0: next to the asset in the middle
    kind: str
    made_by: str
    ops: tuple[OpView, ...]
    again: bool


class Lineage(Struct, frozen=True, kw_only=True):
    """The assets around one asset, each way as the rows of a tree."""

    asset: AssetSummary
    ops: tuple[OpView, ...]
    upstream: tuple[LineageRow, ...]
    downstream: tuple[LineageRow, ...]


def asset_key(graph: AssetGraph, text: str) -> AssetKey:
    """The key of an asset of the project.

    Raises:
        UnknownSelected: no asset has it.
    """
    known = {key.text: key for key in graph.nodes}
    if text not in known:
        raise UnknownSelected(text, near_misses(text, known), len(known))
    return known[text]


def summary(graph: AssetGraph, key: AssetKey) -> AssetSummary:
    """An asset as it is declared."""
    node = graph.nodes[key]
    spec, unit = node.spec, node.unit
    source = unit.source if unit is not None else spec.source
    return AssetSummary(
        asset=key.text,
        kind=_kind(node),
        made_by=unit.name if unit is not None else "",
        ops=len(unit.flat.steps) if unit is not None else 0,
        group=node.group,
        description=spec.description or "",
        kinds=tuple(sorted(spec.kinds or ())),
        owners=tuple(spec.owners or ()),
        tags=dict(spec.tags or {}),
        source=str(source) if source is not None and not node.stub else "",
        upstream=tuple(parent.text for parent in node.parents),
        downstream=tuple(sorted(child.text for child in graph.children[key])),
    )


def _kind(node: AssetNode) -> str:
    if node.unit is None:
        return "external"
    if node.unit.definition.is_graph:
        return "graph"
    return "asset" if len(node.unit.definition.specs_by_key) == 1 else "multi_asset"


def assets(graph: AssetGraph, keys: Iterable[AssetKey]) -> list[AssetSummary]:
    """Some assets, upstream first."""
    wanted = set(keys)
    return [summary(graph, key) for key in graph.in_order() if key in wanted]


def lineage(graph: AssetGraph, key: AssetKey, *, depth: int | None = None) -> Lineage:
    """The assets around one.

    Args:
        graph: all assets.
        key: the one in the middle.
        depth: how far to go each way; None: to the end.
    """
    return Lineage(
        asset=summary(graph, key),
        ops=ops_of(graph, key),
        upstream=_around(graph, key, lambda k: graph.nodes[k].parents, depth),
        downstream=_around(graph, key, lambda k: tuple(sorted(graph.children[k])), depth),
    )


def _around(
    graph: AssetGraph, start: AssetKey, following: Callable[[AssetKey], Sequence[AssetKey]], depth: int | None
) -> tuple[LineageRow, ...]:
    """Depth first, without recursion: chains of assets are long."""
    seen = {start}
    rows: list[LineageRow] = []
    todo = [(other, 0) for other in reversed(following(start))] if depth != 0 else []
    while todo:
        key, level = todo.pop()
        below = () if depth is not None and level + 1 >= depth else following(key)
        again = key in seen and bool(following(key))
        node = graph.nodes[key]
        rows.append(
            LineageRow(
                asset=key.text,
                depth=level,
                kind=_kind(node),
                made_by=node.unit.name if node.unit is not None else "",
                ops=() if again else ops_of(graph, key),
                again=again,
            )
        )
        if not again:
            seen.add(key)
            todo += [(other, level + 1) for other in reversed(below)]
    return tuple(rows)


def ops_of(graph: AssetGraph, key: AssetKey) -> tuple[OpView, ...]:
    """The ops that an asset of a graph needs, in an order in which they could run; none for other assets."""
    unit = graph.nodes[key].unit
    if unit is None or not unit.definition.is_graph:
        return ()
    steps = unit.flat.steps
    found: list[OpView] = []
    for number in part_of(unit, {key}).needed:
        step = steps[number]
        takes: dict[str, None] = {}
        for origin in step.inputs.values():
            for each in origin.items if isinstance(origin, Many) else (origin,):
                if isinstance(each, StepOut):
                    takes[".".join(steps[each.step].path[1:])] = None
                elif isinstance(each, OuterInput) and each.name in unit.key_of_input:
                    takes[f"asset:{unit.key_of_input[each.name].text}"] = None
        found.append(OpView(path=".".join(step.path[1:]), op=step.op.name, takes=tuple(takes)))
    return tuple(found)
