"""How high or low each vertex stands in its column: near its neighbours, lanes straight, nothing overlapping.

The third phase of Sugiyama's method as a weighted least-squares problem for one column at a time, in the manner of
the priority method of that paper: each vertex wants to be where its edges would be straight. For one column with
a fixed order and least distances that is isotonic regression, which "pool adjacent violators" (Ayer et al., 1955)
solves exactly and in linear time.
"""

from collections.abc import Sequence

from opgraph.show.draw.column import Columns
from opgraph.show.draw.straight import Member, pieces, straighten

_ROUNDS, _TURNS, _STIFF = 2, 12, 20.0  # of making room for chains: how often, how many steps, how stiff they are
_SMALL = 6_000  # vertices and edges, up to which there is time to look at everything several times
_STEPS = 180_000  # edges looked at in all passes together: about a third of a second
# How much an edge wants to be straight: between lanes, at their ends, else; and how much what goes back keeps near.
_LANE, _END, _PLAIN, _BESIDE = 16.0, 4.0, 1.0, 0.2


def heights(columns: Columns, apart: float, lane: float) -> list[float]:
    """The middle of each vertex.

    Args:
        columns: with the order settled.
        apart: the least distance between two boxes, in pixels.
        lane: the least distance between a lane and what is beside it.
    """
    y = [0.0] * len(columns.rank)
    offsets: list[list[float]] = []
    for layer in columns.layers:
        down = _stacked(columns, layer, apart, lane)
        offsets.append(down)
        middle = down[-1] / 2 if down else 0.0
        for v, at in zip(layer, down, strict=True):
            y[v] = at - middle
    size = columns.size
    passes = max(3, min(16, _STEPS // max(1, size)))
    last = len(columns.layers)
    before, after = _weighed(columns, columns.before), _weighed(columns, columns.after)
    for turn, v, shift in columns.beside:
        for near in (before[turn], after[turn]):
            near.append((v, shift, _BESIDE))
    for i in range(passes):
        forwards = i % 2 == 0
        early = i < passes // 2
        for r in range(last) if forwards else range(last - 1, -1, -1):
            layer = columns.layers[r]
            wanted: list[float] = []
            weights: list[float] = []
            for v in layer:
                near = (before[v] if forwards else after[v]) if early else before[v] + after[v]
                if not near:
                    near = after[v] if forwards else before[v]
                at, weight = _median(near, y) if not early and len(near) > 1 else _mean(near, y, y[v])
                wanted.append(at)
                weights.append(weight)
            for v, at in zip(layer, _settled(wanted, weights, offsets[r]), strict=True):
                y[v] = at
    chains = pieces(columns)
    for _ in range(_ROUNDS if size < _SMALL else 0):
        _agree(columns, y, offsets, [chain for chain in chains if len(chain) > 1])
        straighten(columns, y, offsets, chains, 1)
    straighten(columns, y, offsets, chains, 4 if size < _SMALL else 1)
    return y


def _agree(columns: Columns, y: list[float], offsets: list[list[float]], chains: Sequence[Sequence[Member]]) -> None:
    """Makes room for chains to be straight: by turns each chain is put where it is on average, and each column in
    order, in which what is in no chain gives way. Alternating projections, as in von Neumann (1933)."""
    weight = [1.0] * len(y)
    for chain in chains:
        for v, _ in chain:
            weight[v] = _STIFF
    for _ in range(_TURNS):
        for chain in chains:
            middle = sum([y[v] - shift for v, shift in chain]) / len(chain)
            for v, shift in chain:
                y[v] = middle + shift
        for layer, down in zip(columns.layers, offsets, strict=True):
            places = _settled([y[v] for v in layer], [weight[v] for v in layer], down)
            for v, at in zip(layer, places, strict=True):
                y[v] = at


Pull = tuple[int, float, float]  # a neighbour, how much further down this vertex is to be, how strongly


def _weighed(columns: Columns, near: Sequence[list[tuple[int, float, float]]]) -> list[list[Pull]]:
    own = columns.own
    found: list[list[Pull]] = []
    for v, each in enumerate(near):
        inner = v >= own
        pulls: list[Pull] = []
        for w, here, there in each:
            weight = (_LANE if inner else _END) if w >= own else (_END if inner else _PLAIN)
            pulls.append((w, there - here, weight))
        found.append(pulls)
    return found


def _mean(near: list[Pull], y: list[float], now: float) -> tuple[float, float]:
    if len(near) == 1:
        w, shift, weight = near[0]
        return y[w] + shift, weight
    total = moment = 0.0
    for w, shift, weight in near:
        total += weight
        moment += weight * (y[w] + shift)
    return (moment / total, total) if near else (now, 0.01)


def _median(near: list[Pull], y: list[float]) -> tuple[float, float]:
    """Where most edges are short: at a neighbour's height, so that at least one of them is straight."""
    places = sorted([(y[w] + shift, weight) for w, shift, weight in near])
    total = sum([weight for _, weight in places])
    passed = 0.0
    for i, (at, weight) in enumerate(places):
        passed += weight
        if passed * 2 > total + 1e-9:
            return at, total
        if passed * 2 > total - 1e-9:
            return (at + places[i + 1][0]) / 2, total
    return places[-1][0], total


def _stacked(columns: Columns, layer: list[int], apart: float, lane: float) -> list[float]:
    """Where the vertices of a column are when they are as close as they may be."""
    down: list[float] = []
    at = 0.0
    for i, v in enumerate(layer):
        if i:
            u = layer[i - 1]
            space = apart if u < columns.own and v < columns.own else lane
            at += (columns.height[u] + columns.height[v]) / 2 + space
        down.append(at)
    return down


def _settled(wanted: list[float], weights: list[float], offsets: list[float]) -> list[float]:
    """The places nearest to what is wanted that keep order and distances: pool adjacent violators."""
    means: list[float] = []
    sums: list[float] = []
    counts: list[int] = []
    for at, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, count = at - offset, weight, 1
        while means and means[-1] > mean:
            more = sums.pop()
            mean = (mean * total + means.pop() * more) / (total + more)
            total += more
            count += counts.pop()
        means.append(mean)
        sums.append(total)
        counts.append(count)
    places: list[float] = []
    i = 0
    for mean, count in zip(means, counts, strict=True):
        for _ in range(count):
            places.append(mean + offsets[i])
            i += 1
    return places
