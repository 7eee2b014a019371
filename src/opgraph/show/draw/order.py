"""The order of the vertices within their columns, with few crossings.

The second phase of Sugiyama's method: sweeps by barycenters, which count where on a box's side an edge ends
(as in Spönemann et al., "Port Constraints in Hierarchical Layout of Data Flow Diagrams", 2009), then exchanges of
neighbours as in Gansner et al., "A Technique for Drawing Directed Graphs" (1993). The best order seen is kept.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise

from opgraph.show.draw.column import Columns

_STEPS = 240_000  # edges and vertices looked at in all sweeps together: a fifth of a second
_COUNTED = 20_000  # edges and vertices, up to which there is time to count crossings
_EXCHANGED = 8_000  # edges and vertices, up to which neighbours are exchanged


def put_in_order(columns: Columns) -> None:
    """Sorts the vertices of each column so that few edges cross."""
    _begin(columns)
    if max(map(len, columns.layers), default=0) > 1:
        _reduce(columns)
    for lane, v, _ in columns.beside:
        if not columns.before[lane] and not columns.after[lane]:  # from a vertex to itself: close to it
            layer = columns.layers[columns.rank[v]]
            layer.remove(lane)
            layer.insert(layer.index(v) + 1, lane)


def _reduce(columns: Columns) -> None:
    layers, size = columns.layers, columns.size
    if size > _COUNTED:
        for i in range(max(3, _STEPS // size)):
            _sweep(columns, forwards=i % 2 == 0)
        return
    best, fewest, idle = [list(layer) for layer in layers], crossings(columns), 0
    for i in range(min(24, _STEPS // size)):
        if not fewest or idle >= 6:
            break
        _sweep(columns, forwards=i % 2 == 0)
        found = crossings(columns)
        if found < fewest:
            best, fewest, idle = [list(layer) for layer in layers], found, 0
        else:
            idle += 1
    layers[:] = best
    if fewest and size <= _EXCHANGED:
        _exchange(columns)


def _begin(columns: Columns) -> None:
    """What hangs together stands together: the order in which a search from the left comes by."""
    after, seen = columns.after, bytearray(len(columns.rank))
    layers: list[list[int]] = [[] for _ in columns.layers]
    for start in (v for layer in columns.layers for v in layer):
        todo = [start]
        while todo:
            v = todo.pop()
            if not seen[v]:
                seen[v] = 1
                layers[columns.rank[v]].append(v)
                todo += [w for w, _, _ in reversed(after[v])]
    columns.layers[:] = layers


def _sweep(columns: Columns, *, forwards: bool) -> None:
    layers, position = columns.layers, _positions(columns)
    beside = columns.before if forwards else columns.after
    share = columns.share
    for r in range(len(layers)) if forwards else range(len(layers) - 1, -1, -1):
        layer = layers[r]
        wanted: dict[int, float] = {}
        for i, v in enumerate(layer):
            near = beside[v]
            if len(near) == 1:
                w, _, there = near[0]
                wanted[v] = position[w] + there * share[w]
            elif near:
                wanted[v] = sum([position[w] + there * share[w] for w, _, there in near]) / len(near)
            else:
                wanted[v] = float(i)
        layer.sort(key=wanted.__getitem__)
        for i, v in enumerate(layer):
            position[v] = i


def _positions(columns: Columns) -> list[int]:
    position = [0] * len(columns.rank)
    for layer in columns.layers:
        for i, v in enumerate(layer):
            position[v] = i
    return position


def crossings(columns: Columns) -> int:
    """How many pairs of edges between neighbouring columns cross."""
    position, share, total = _positions(columns), columns.share, 0
    for layer in columns.layers:
        ends: list[tuple[float, float]] = []
        for v in layer:
            for w, here, there in columns.after[v]:
                ends.append((position[v] + here * share[v], position[w] + there * share[w]))
        ends.sort()
        if all(a[1] <= b[1] for a, b in pairwise(ends)):
            continue
        seen: list[float] = []
        for i, (_, end) in enumerate(ends):
            total += i - bisect_right(seen, end)
            insort(seen, end)
    return total


def _exchange(columns: Columns) -> None:
    """Exchanges neighbours as long as that removes crossings."""
    position, share = _positions(columns), columns.share

    def ends(v: int, near: Sequence[list[tuple[int, float, float]]]) -> list[float]:
        return sorted([position[w] + there * share[w] for w, _, there in near[v]])

    for _ in range(8):
        better = False
        for layer in columns.layers:
            for i in range(len(layer) - 1):
                u, v = layer[i], layer[i + 1]
                gain = 0
                for near in (columns.before, columns.after):
                    if near[u] and near[v]:
                        a, b = ends(u, near), ends(v, near)
                        gain += _above(b, a) - _above(a, b)
                if gain > 0:
                    layer[i], layer[i + 1], position[u], position[v] = v, u, i + 1, i
                    better = True
        if not better:
            return


def _above(a: list[float], b: list[float]) -> int:
    """The pairs of which the one of `a` stands before the one of `b`."""
    return sum([len(b) - bisect_right(b, each) for each in a])
