"""A very long and thin drawing folded into rows, as a text into lines: a chain of 60 ops is a strip that nobody can see
whole, and in rows it is a page.

Between two rows the edges turn around: out of the right end of one, back between both, into the left end of the next.
They are nested like the tracks of a running track, so that those that did not cross do not cross here.
"""

from collections.abc import Sequence

from msgspec import Struct

from opgraph.show.draw.column import Columns

_LONG, _THIN = 2_400.0, 12.0  # how long a drawing is at least, and how many times its height, that is folded
_SHORT, _FLAT = 700.0, 3.5  # the same where the whole has to become narrower
SHAPE = 1.9  # how many times as wide as high it is then, about
_LEAST, _LEAST_SHORT = 1_400.0, 500.0  # the least length of a row
_MOST = 16  # edges that turn around together
_FEW, _MOST_SHORT = 6, 2  # columns and such edges: a few steps in a strip are seen at a glance, what runs back is not
_BETWEEN, _STEP, _SWING = 20.0, 9.0, 30.0  # between a row and an edge, between two edges; how far they reach outside


class Turn(Struct, frozen=True):
    """The way of an edge from one row to the next."""

    right: float  # where it turns around behind its row
    middle: float  # its height on the way back
    left: float  # where it turns around before the next row


Turns = dict[tuple[int, int], Turn]  # by the column before a break, and the vertex there that the edge comes from


class Strip(Struct, frozen=True):
    """What may be folded. Its arrays are changed in place."""

    columns: Columns
    begin: list[float]  # by column
    end: list[float]
    y: list[float]  # the middle of each vertex
    width: float
    height: float
    narrower: bool  # whether it is to become narrower, be it less long and thin than others that are folded
    first: bool  # whether its first column is the border of a box
    last: bool  # whether its last one is


def fold(strip: Strip) -> tuple[float, float, Turns]:
    """Folds a drawing, where it is long and thin and few edges have to turn around. Gives how wide and high it is then,
    and how edges turn around."""
    columns, begin, end, y = strip.columns, strip.begin, strip.end, strip.y
    long, thin = (_SHORT, _FLAT) if strip.narrower else (_LONG, _THIN)
    few = _FEW + strip.first + strip.last
    if strip.width < max(long, thin * strip.height) or (strip.narrower and len(columns.layers) < few):
        return strip.width, strip.height, {}
    crossing: list[dict[int, None]] = [{} for _ in columns.layers]
    for u, _, _, _ in columns.edges:
        crossing[columns.rank[u]][u] = None
    starts = _starts(strip, crossing)
    most = max((len(crossing[r - 1]) for r in starts[1:]), default=0)
    if not 0 < most <= (_MOST_SHORT if strip.narrower else _MOST):
        return strip.width, strip.height, {}
    turns: Turns = {}
    across = _SWING + _STEP * (most - 1)
    x, top, width = max(begin[1] if strip.first else 0.0, across), 0.0, 0.0
    for row, first in enumerate(starts):
        last = starts[row + 1] - 1 if row + 1 < len(starts) else len(columns.layers) - 1
        here = [v for r in range(first, last + 1) for v in columns.layers[r]]
        shift = top - min(y[v] - columns.height[v] / 2 for v in here)
        for v in here:
            y[v] += shift
        along = x - (begin[1] if strip.first and not row else begin[first])
        for r in range(first, last + 1):
            if not (strip.first and r == 0):  # a border stays where it is
                begin[r], end[r] = begin[r] + along, end[r] + along
        top = max(y[v] + columns.height[v] / 2 for v in here)
        width = max(width, end[last])
        if row + 1 < len(starts):
            turning = sorted(crossing[last], key=y.__getitem__)
            for i, u in enumerate(turning):
                inner = len(turning) - 1 - i
                middle = top + _BETWEEN + _STEP * inner
                turns[last, u] = Turn(end[last] + 10 + _STEP * inner, middle, x - 10 - _STEP * i)
            top += 2 * _BETWEEN + _STEP * (len(turning) - 1)
    return width + across, top, turns


def _starts(strip: Strip, crossing: Sequence[dict[int, None]]) -> list[int]:
    """The first column of each row: rows are about equally long, and break where few edges cross."""
    begin, end = strip.begin, strip.end
    long = max(_LEAST_SHORT if strip.narrower else _LEAST, (SHAPE * strip.width * (strip.height + 2 * _BETWEEN)) ** 0.5)
    long = strip.width / round(strip.width / long)
    starts, last = [0], len(end) - (2 if strip.last else 1)
    while starts[-1] < last and end[last] - begin[starts[-1]] > 1.15 * long:
        at = begin[starts[-1]]
        near = [r for r in range(starts[-1], last) if 0.8 * long < end[r] - at < 1.15 * long]
        fallback = next((r for r in range(starts[-1], last) if end[r] - at >= long), last - 1)
        best = min(near, key=lambda r: (len(crossing[r]), abs(end[r] - at - long)), default=fallback)
        starts.append(best + 1)
    return starts
