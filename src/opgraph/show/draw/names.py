"""Where the names of what flows stand: on their lines, where there is room for them.

A line is bent only between two columns, and passes a column in a lane of its own. So a name that is no longer than the
part of the line on which it stands covers no box; it also must cover no other name, and stand on no part that several
lines share.
"""

from collections.abc import Iterator, Sequence

from opgraph.show.draw.letters import shortened, text_width
from opgraph.show.draw.model import Line

SIZE = 11.0  # of the letters
_MOST = 84.0  # the width of a name, in pixels
_BARE = 11.0  # of the line, at either end of a name
_HIGH = 15.0  # what a name takes up


def name_of(label: str) -> str:
    """A name as it stands on a line: in the middle shortened, where it is long."""
    return shortened(label, SIZE, _MOST) if label else ""


def room(label: str) -> float:
    """How long a part of a line has to be for a name to stand on it."""
    return text_width(name_of(label), SIZE) + 2 * _BARE if label else 0.0


def stations(line: Line) -> list[int]:
    """Where a line begins and the end of each of its curves: those are level at both ends, bent half-way, so that
    their control points need not be said. Two stations straight above each other are a turn."""
    points = line.points
    found = [round(points[0]), round(points[1])]
    for i in range(2, len(points), 6):
        turns = points[i + 4] == points[i - 2]
        x, y = round(points[i + 4]), round(points[i + 5])
        if turns or x != found[-2]:
            found += (x, y)
    return found


def places(lines: Sequence[Line], ways: Sequence[Sequence[int]]) -> list[int]:
    """For each line the station behind which its name stands, half-way to the next; -1: nowhere.

    Args:
        lines: all lines of a drawing.
        ways: the stations of each.
    """
    alone: dict[tuple[int, int, int, int], str | None] = {}  # None: lines with other names go there too
    for line, way in zip(lines, ways, strict=True):
        for i in range(0, len(way) - 2, 2):
            part = (way[i], way[i + 1], way[i + 2], way[i + 3])
            if alone.setdefault(part, line.label) != line.label:
                alone[part] = None
    taken: set[tuple[int, int]] = set()
    found: list[int] = []
    for line, way in zip(lines, ways, strict=True):
        found.append(-1)
        long = room(line.label)
        for i in _parts(way, long) if long else ():
            if alone[way[i], way[i + 1], way[i + 2], way[i + 3]] is None:
                continue
            x, y = (way[i] + way[i + 2]) / 2, (way[i + 1] + way[i + 3]) / 2
            cells = set(_cells(x, y, long))
            if not cells & taken:
                taken |= cells
                found[-1] = i // 2
                break
    return found


def _parts(way: Sequence[int], long: float) -> list[int]:
    """The parts of a line that are long enough, level ones first, the longest of them before others."""
    parts = [(way[i + 1] != way[i + 3], way[i] - way[i + 2], i) for i in range(0, len(way) - 2, 2)]
    return [i for _, length, i in sorted(parts) if -length >= long - 2]  # places are rounded


def _cells(x: float, y: float, long: float) -> Iterator[tuple[int, int]]:
    """The small squares of the drawing that a name lies in."""
    for row in range(int((y - _HIGH / 2) // 8), int((y + _HIGH / 2) // 8) + 1):
        for column in range(int((x - long / 2) // 16), int((x + long / 2) // 16) + 1):
            yield column, row
