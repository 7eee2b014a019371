"""A very high and narrow graph broken into columns, as a newspaper's text: 1,600 short chains below one another are a
line that nobody can see whole, and beside one another they are a page.

What is broken is a stretch of ranks between two places that few values pass, into what hangs together within it. Each
column is a graph of its own, laid out as a box is. What comes in runs along above all columns and down before each,
what goes out below them. In the graph around, the whole stretch is one vertex.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import ceil

from msgspec import Struct, structs

from opgraph.show.draw.column import Ends
from opgraph.show.draw.ranks import closing, ranks
from opgraph.show.draw.rows import SHAPE
from opgraph.show.draw.ways import APART, GAP, WIDEST, Pen, Placed, Plane

TALL, _NARROW = 2_400.0, 1.6  # how high a drawing is at least, and how many times its width, that is broken
_LEAST = 900.0  # the least height of a column
_GAIN = 0.7  # how high it may be then, as a part of what it was
_MOST = 16  # values that come in together, or go out
_TRIES = 12  # stretches that are looked at
_STEP, _FALL = 13.0, 64.0  # pixels between two values that run along together; for their way down before a column


_Parts = list[list[int]]  # vertices that hang together


class _Column(Struct, frozen=True):
    """A column with its place within the stretch."""

    placed: "Placed | Abreast"
    x: float
    y: float
    number: dict[int, int]  # by vertex of the whole: its own
    edges: dict[int, int]  # by edge of the whole: its own


def place(plane: Plane, *, whole: bool = True) -> "Placed | Abreast":
    """Puts a graph in its places, in columns beside one another where it is very high and narrow.

    Args:
        plane: the graph.
        whole: whether it may be broken.
    """
    columns = _broken(plane) if whole and sum(plane.height) > TALL else None
    return Placed(plane) if columns is None else Abreast(plane, columns)


def _broken(plane: Plane) -> list[_Parts] | None:
    """What is to stand in each column: of the stretches around the highest rank, that which fewest values pass."""
    n = len(plane.width)
    pairs = [(u, v) for u, _, v, _ in plane.edges]
    if closing(n, pairs):
        return None
    rank = ranks(n, pairs, plane.first, plane.last)
    count = max(rank) + 1
    high, wide = [0.0] * count, [0.0] * count
    for v in range(n):
        high[rank[v]] += plane.height[v] + APART
        wide[rank[v]] = max(wide[rank[v]], plane.width[v])
    highest = max(range(count), key=high.__getitem__)
    if high[highest] < max(TALL, _NARROW * (sum(wide) + GAP * (count - 1))):
        return None
    begin, end = 1 if plane.first else 0, count - (2 if plane.last else 1)
    comes = _passing(rank, [(source, u, v) for source, (u, v) in zip(plane.sources, pairs, strict=True)], count)
    goes = _passing(rank, [(v, u, v) for u, v in pairs], count)
    found = [
        (comes[a] + goes[b + 1], b - a, a, b)
        for a in range(begin, highest + 1)
        if comes[a] <= _MOST
        for b in range(highest, end + 1)
        if goes[b + 1] <= _MOST
    ]
    second: list[_Parts] | None = None
    for _, _, a, b in sorted(found)[:_TRIES]:
        across = sum(wide[a : b + 1]) + GAP * (b - a) + 2 * WIDEST + _FALL
        columns, even = _columns(plane, rank, a, b, across, high[highest])
        if even:
            return columns
        second = second or columns
    return second


def _passing(rank: Sequence[int], edges: Sequence[tuple[int, int, int]], count: int) -> list[int]:
    """By rank how many different things pass into it from before; `edges` are a thing and two vertices."""
    reach: dict[int, tuple[int, int]] = {}
    for thing, u, v in edges:
        least, most = reach.get(thing, (rank[u], rank[v]))
        reach[thing] = min(least, rank[u]), max(most, rank[v])
    change = [0] * (count + 1)
    for least, most in reach.values():
        change[least + 1] += 1
        change[most + 1] -= 1
    return list(accumulate(change))


def _columns(
    plane: Plane, rank: Sequence[int], a: int, b: int, across: float, highest: float
) -> tuple[list[_Parts] | None, bool]:
    """The columns of a stretch, if that makes it much lower, and whether they become about as high as they should."""
    leader = {v: v for v in range(len(rank)) if a <= rank[v] <= b}

    def find(v: int) -> int:
        while leader[v] != v:
            leader[v] = leader[leader[v]]
            v = leader[v]
        return v

    for u, _, v, _ in plane.edges:
        if u in leader and v in leader:
            one, other = find(u), find(v)
            leader[max(one, other)] = min(one, other)
    parts: dict[int, list[int]] = {}
    for v in leader:
        parts.setdefault(find(v), []).append(v)
    high = [_high(plane, rank, part) for part in parts.values()]
    wanted = max((sum(high) * across / SHAPE) ** 0.5, _LEAST)
    room = max(wanted, *high)
    if len(parts) < 2 or room > _GAIN * highest:
        return None, False
    count = max(2, ceil(sum(high) / room))
    limit = sum(high) / count
    while len(columns := _filled(list(parts.values()), high, limit)) > count:
        limit *= 1.005
    return (columns, room < 2 * wanted) if len(columns) > 1 else (None, False)


def _filled(parts: _Parts, high: Sequence[float], limit: float) -> list[_Parts]:
    columns: list[_Parts] = []
    filled = limit
    for part, each in zip(parts, high, strict=True):
        if filled + each > limit:
            columns.append([])
            filled = 0.0
        columns[-1].append(part)
        filled += each
    return columns


def _high(plane: Plane, rank: Sequence[int], part: Sequence[int]) -> float:
    if len(part) == 1:
        return plane.height[part[0]] + APART
    ranked: dict[int, float] = {}
    for v in part:
        ranked[rank[v]] = ranked.get(rank[v], 0.0) + plane.height[v] + APART
    return max(ranked.values())


class Abreast:
    """The places of a plane's vertices, as `Placed` gives them."""

    __slots__ = ("_around", "_columns", "_comes", "_goes", "_inner", "_number", "_outer", "_plane", "x", "y")

    def __init__(self, plane: Plane, columns: list[_Parts]) -> None:
        self._plane = plane
        column = {v: i for i, parts in enumerate(columns) for part in parts for v in part}
        self._inner: list[int | None] = []  # by edge: the column that it is in, comes into or goes out of
        self._comes: dict[tuple[int, float], int] = {}  # what comes in: a track above the columns for each
        self._goes: dict[tuple[int, float], int] = {}
        for u, here, v, there in plane.edges:
            self._inner.append(column.get(u, column.get(v)))
            if v in column and u not in column:
                self._comes.setdefault((u, here), len(self._comes))
            elif u in column and v not in column:
                self._goes.setdefault((v, there), len(self._goes))
        edges: list[list[int]] = [[] for _ in columns]
        for i, inner in enumerate(self._inner):
            if inner is not None:
                edges[inner].append(i)
        self._columns: list[_Column] = []
        top = _STEP * len(self._comes) + APART if self._comes else 0.0
        x, highest = 0.0, 0.0
        for parts, own in zip(columns, edges, strict=True):
            made = self._column(parts, own)
            x += _FALL
            self._columns.append(structs.replace(made, x=x, y=top))
            x += made.placed.width
            highest = max(highest, made.placed.height)
        width = x + (_FALL if self._goes else 0.0)
        height = top + highest + (APART + _STEP * len(self._goes) if self._goes else 0.0)
        self._number = {v: i for i, v in enumerate(v for v in range(len(plane.width)) if v not in column)}
        self._surround(width, height)

    def _column(self, parts: _Parts, edges: list[int]) -> _Column:
        plane = self._plane
        members = [v for part in parts for v in part]
        number = {v: i for i, v in enumerate(members)}
        ins: dict[int, int] = {}
        outs: dict[int, int] = {}
        ends: list[Ends] = []
        for e in edges:
            u, here, v, there = plane.edges[e]
            if u not in number:
                ins.setdefault(self._comes[u, here], 0)
            elif v not in number:
                outs.setdefault(self._goes[v, there], 0)
        for places in (ins, outs):
            before = len(members) + (len(ins) if places is outs else 0)
            places.update({track: before + i for i, track in enumerate(sorted(places, reverse=places is outs))})
        for e in edges:
            u, here, v, there = plane.edges[e]
            begin = (number[u], here) if u in number else (ins[self._comes[u, here]], 0.0)
            ends.append((*begin, number[v], there) if v in number else (*begin, outs[self._goes[v, there]], 0.0))
        borders = [0.0] * (len(ins) + len(outs))
        inner = Plane(
            [*(plane.width[v] for v in members), *borders],
            [*(plane.height[v] for v in members), *borders],
            ends,
            [plane.sources[e] for e in edges],
            [plane.names[e] for e in edges],
            plane.whole,
            list(ins.values()),
            list(outs.values()),
            plane.narrower,
        )
        placed = place(inner, whole=len(parts) == 1)
        placed.stretch(placed.width)
        return _Column(placed, 0.0, 0.0, number, {e: i for i, e in enumerate(edges)})

    def _surround(self, width: float, height: float) -> None:
        """Lays out what is around the stretch, and the stretch as one vertex."""
        plane, number = self._plane, self._number
        block, unused = len(number), min(0, *plane.sources) - 1
        ends: list[Ends] = []
        sources: list[int] = []
        names: list[float] = []
        places: dict[tuple[Ends, int], int] = {}
        self._outer: list[int] = []  # by edge: its number around the stretch
        for i, (u, here, v, there) in enumerate(plane.edges):
            end, source, name = (0, 0.0, 0, 0.0), plane.sources[i], plane.names[i]
            if u in number and v in number:
                end = (number[u], here, number[v], there)
            elif u in number:
                end, name = (number[u], here, block, _STEP * (self._comes[u, here] + 0.5) - height / 2), 0.0
            elif v in number:
                track = self._goes[v, there]
                end, source = (block, height / 2 - _STEP * (track + 0.5), number[v], there), unused - track
            else:
                self._outer.append(-1)
                continue
            at = places.setdefault((end, source), len(ends))
            if at == len(ends):
                ends.append(end)
                sources.append(source)
                names.append(name)
            names[at] = max(names[at], name)
            self._outer.append(at)
        around = self._around = place(
            Plane(
                [*(plane.width[v] for v in number), width],
                [*(plane.height[v] for v in number), height],
                ends,
                sources,
                names,
                plane.whole,
                [number[v] for v in plane.first],
                [number[v] for v in plane.last],
                plane.narrower,
            )
        )
        self.x, self.y = [0.0] * len(plane.width), [0.0] * len(plane.width)
        for v, i in number.items():
            self.x[v], self.y[v] = around.x[i], around.y[i]
        left, above = around.x[block], around.y[block] - height / 2
        self._columns = [structs.replace(each, x=each.x + left, y=each.y + above) for each in self._columns]
        for each in self._columns:
            for v, i in each.number.items():
                self.x[v], self.y[v] = each.placed.x[i] + each.x, each.placed.y[i] + each.y

    @property
    def width(self) -> float:
        """How wide all is."""
        return self._around.width

    @property
    def height(self) -> float:
        """How high all is."""
        return self._around.height

    def stretch(self, width: float) -> None:
        """Moves the right border, and with it what stands there."""
        self._around.stretch(width)
        for v in self._plane.last:
            self.x[v] = self._around.x[self._number[v]]

    def way(self, edge: int) -> list[float]:
        """The points of an edge: a start, then three for each curve."""
        at = self._inner[edge]
        if at is None:
            return self._around.way(self._outer[edge])
        column = self._columns[at]
        own = column.placed.way(column.edges[edge])
        own[::2] = [x + column.x for x in own[::2]]
        own[1::2] = [y + column.y for y in own[1::2]]
        outer = self._outer[edge]
        if outer < 0:
            return own
        there = self._around.way(outer)
        u, _, _, _ = self._plane.edges[edge]
        if u in column.number:  # down behind its column, and on below the others
            pen = Pen(own[-2], own[-1])
            next_ = self._columns[at + 1].x if at + 1 < len(self._columns) else there[0]
            pen.curve(next_, there[1])
            pen.straight(there[0])
            pen.lift()
            return [*own, *pen.points[2:], *there[2:]]
        before = self._columns[at - 1] if at else None
        pen = Pen(there[-2], there[-1])
        if before is not None:
            pen.straight(before.x + before.placed.width)
        pen.curve(own[0], own[1])
        pen.lift()
        return [*there, *pen.points[2:], *own[2:]]
