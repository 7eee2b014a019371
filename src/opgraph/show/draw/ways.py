"""One graph without nesting, put in columns from left to right, and the ways of its edges.

An edge changes its height only in the gap between two columns, so no line can run through a box: where it passes
a column it has a lane of its own, and the Bezier curves stay in the gaps, as their control points do. In large graphs
the longest edges have none: they run together below all columns, those that go back below the others.
"""

from collections.abc import Sequence

from msgspec import Struct

from opgraph.show.draw.column import Columns, Ends
from opgraph.show.draw.heights import heights
from opgraph.show.draw.order import put_in_order
from opgraph.show.draw.ranks import closing, ranks
from opgraph.show.draw.rows import Strip, Turns, fold

APART, _LANE = 18.0, 13.0  # between two boxes of a column, and beside a lane, in pixels
GAP, WIDEST, _TURN = 46.0, 150.0, 22.0  # between two columns; what a curve needs that goes back
_SAME = 0.75  # pixels: two heights that are one to the eye


class Plane(Struct, frozen=True):
    """What is to be put in place."""

    width: Sequence[float]  # by vertex
    height: Sequence[float]
    edges: Sequence[Ends]
    sources: Sequence[int]  # by edge: those of one source run together
    names: Sequence[float]  # by edge: how long a part of it has to be for its name
    whole: int  # vertices and edges of the whole drawing, of which this may be a part
    first: Sequence[int] = ()  # vertices at the left border
    last: Sequence[int] = ()  # vertices at the right border
    narrower: bool = False  # whether it is folded already where it is long and flat


class Placed:
    """The places of a plane's vertices: `x` their left edges, `y` their middles."""

    __slots__ = ("_back", "_begin", "_below", "_columns", "_end", "_plane", "_turns", "height", "width", "x", "y")

    def __init__(self, plane: Plane) -> None:
        n = len(plane.width)
        pairs = [(u, v) for u, _, v, _ in plane.edges]
        opened = closing(n, pairs)
        rank = ranks(n, [pair for i, pair in enumerate(pairs) if i not in opened], plane.first, plane.last)
        back = {i for i in opened if rank[pairs[i][0]] >= rank[pairs[i][1]]}
        columns = Columns(plane.height, rank, plane.whole)
        columns.lead(plane.edges, plane.sources, back)
        put_in_order(columns)
        y = heights(columns, APART, _LANE)
        top = min((at - h / 2 for at, h in zip(y, columns.height, strict=True)), default=0.0)
        self.y = [at - top for at in y]
        self.height = max((at + h / 2 for at, h in zip(self.y, columns.height, strict=True)), default=0.0)
        self._below = self.height + APART, self.height + APART + _LANE
        if columns.far:
            self.height = self._below[1] if back & columns.far else self._below[0]
        self._plane, self._columns, self._back = plane, columns, back
        self._across()

    def _across(self) -> None:
        """Where the columns begin and end; a gap is wider where its curves are high."""
        columns, plane, y = self._columns, self._plane, self.y
        count = len(columns.layers)
        wide = [0.0] * count
        for v, width in enumerate(plane.width):
            wide[columns.rank[v]] = max(wide[columns.rank[v]], width)
        highest = [0.0] * count
        for u, here, v, there in columns.edges:
            r = columns.rank[u]
            highest[r] = max(highest[r], abs(y[u] + here - y[v] - there))
        for i in columns.far - self._back:
            u, _, v, _ = plane.edges[i]
            highest[columns.rank[u]] = highest[columns.rank[v] - 1] = self.height
        least = [GAP] * count  # so that a name finds room, where its edge is in this gap only
        for i, (u, _, v, _) in enumerate(plane.edges):
            r = columns.rank[u]
            if plane.names[i] > least[r] and columns.rank[v] == r + 1:
                least[r] = plane.names[i]
        ends = [0] * (count + 1)  # curves that go back need room before and behind a column
        for i in self._back:
            u, _, v, _ = plane.edges[i]
            ends[columns.rank[u] + 1] = 1
            ends[columns.rank[v]] = 1
        self._begin, self._end = [0.0] * count, [0.0] * count
        at = _TURN * ends[0] if count else 0.0
        for r in range(count):
            self._begin[r] = at
            self._end[r] = at + wide[r]
            at += wide[r] + max(least[r], min(WIDEST, GAP + highest[r] * 0.16)) + _TURN * ends[r + 1]
        self.width = self._end[-1] + _TURN * ends[count] if count else 0.0
        self._turns: Turns = {}
        if not self._back and not columns.far:
            borders = bool(plane.first), bool(plane.last)
            strip = Strip(columns, self._begin, self._end, y, self.width, self.height, plane.narrower, *borders)
            self.width, self.height, self._turns = fold(strip)
        self.x = [self._begin[columns.rank[v]] for v in range(columns.own)]

    def stretch(self, width: float) -> None:
        """Moves the right border, and with it what stands there."""
        if self._plane.last:
            self._begin[-1] = self._end[-1] = width
            for v in self._plane.last:
                self.x[v] = width
        self.width = width

    def way(self, edge: int) -> list[float]:
        """The points of an edge: a start, then three for each curve."""
        columns, y = self._columns, self.y
        u, here, v, there = self._plane.edges[edge]
        lanes = columns.lanes[edge]
        first, last = columns.rank[u], columns.rank[v]
        pen = Pen(self.x[u] + self._plane.width[u], y[u] + here)
        if edge in self._back:
            pen.straight(self._end[first])
            pen.turn(y[lanes[0]] if lanes else self._below[1], _TURN)
            for lane in lanes:
                r = columns.rank[lane]
                pen.curve(self._end[r], y[lane])
                pen.straight(self._begin[r])
            pen.straight(self._begin[last])
            pen.turn(y[v] + there, -_TURN)
        else:
            pen.straight(self._end[first])
            if edge in columns.far:
                pen.curve(self._begin[first + 1], self._below[0])
                pen.straight(self._end[last - 1])
            for before, lane in zip((u, *lanes), lanes, strict=False):
                r = columns.rank[lane]
                self._on(pen, before, self._begin[r], y[lane])
                pen.straight(self._end[r])
            self._on(pen, lanes[-1] if lanes else u, self.x[v], y[v] + there)
        pen.lift()
        return pen.points

    def _on(self, pen: "Pen", vertex: int, x: float, y: float) -> None:
        """From a vertex over to the next column, around where another row begins."""
        turn = self._turns.get((self._columns.rank[vertex], vertex)) if self._turns else None
        if turn is None:
            pen.curve(x, y)
            return
        pen.straight(turn.right)
        pen.turn(turn.middle, _TURN)
        pen.straight(turn.left)
        pen.turn(y, -_TURN)
        pen.straight(x)


class Pen:
    """Draws straight lines and curves, one after another."""

    __slots__ = ("_x", "points", "y")

    def __init__(self, x: float, y: float) -> None:
        self.points = [x, y]
        self._x, self.y = x, y  # where it is; the last straight line is not drawn yet

    def straight(self, x: float) -> None:
        """On to another place at the same height."""
        self._x = x

    def lift(self) -> None:
        """Draws what is left to draw."""
        x = self.points[-2]
        if abs(self._x - x) > 0.01:
            third = (self._x - x) / 3
            self.points += (x + third, self.y, self._x - third, self.y, self._x, self.y)

    def curve(self, x: float, y: float) -> None:
        """Over to another height, level at both ends."""
        if abs(y - self.y) < _SAME:
            self._x = x
            return
        self.lift()
        middle = (self._x + x) / 2
        self.points += (middle, self.y, middle, y, x, y)
        self._x, self.y = x, y

    def turn(self, y: float, reach: float) -> None:
        """Round to another height at the same place, facing back."""
        self.lift()
        self.points += (self._x + reach, self.y, self._x + reach, y, self._x, y)
        self.y = y
