"""Levels: where a multi-asset op stands on both sides of another asset, in how many parts it has to run."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from opgraph.keys import AssetKey
from opgraph.resolve.assets import AssetGraph, Unit


def levels(graph: AssetGraph, unit: Unit, selected: AbstractSet[AssetKey]) -> list[list[AssetKey]]:
    """The selected assets of a unit in the parts in which it has to run, first part first.

    An asset is one level above another of the same unit when a path between them leaves the unit and comes back.
    """
    mine: dict[AssetKey, int] = {}
    highest: dict[AssetKey, int] = {}  # the highest level among an asset and what it is made from; -1: none of the unit
    for key in graph.in_order():
        node = graph.nodes[key]
        best, level = -1, 0
        for parent in node.parents:
            if parent not in selected or parent not in highest:
                continue
            best = max(best, highest[parent])
            outside = graph.nodes[parent].unit is not unit
            level = max(level, highest[parent] + 1 if outside else mine[parent])
        if node.unit is unit and key in selected:
            mine[key] = level
            best = max(best, level)
        highest[key] = best
    parts: list[list[AssetKey]] = [[] for _ in range(max(mine.values(), default=0) + 1)]
    for key in unit.definition.specs_by_key:
        if key in mine:
            parts[mine[key]].append(key)
    return parts


def between(graph: AssetGraph, parts: Sequence[Sequence[AssetKey]], unit: Unit) -> list[AssetKey]:
    """The assets of other units that stand before the later parts of this one."""
    later = [key for part in parts[1:] for key in part]
    return list(dict.fromkeys(p for key in later for p in graph.nodes[key].parents if graph.nodes[p].unit is not unit))
