"""A graph that is laid out, as the pages draw it."""

from opgraph.show.web.message import Reply


class DrawnNodes(Reply):
    """Boxes: each list has something of every box, in the same order, outer ones before what lies in them.
    A box that others name as their parent is open; places are those of its upper left corner in the whole."""

    id: list[str]  # `op:totals.clean` is the op whose step's key is behind the colon
    kind: list[str]  # asset | external | graph | op | group | job | input | output
    label: list[str]
    detail: list[str]
    title: list[str]  # what is said of it in full; "": no more than its name
    badge: list[str]  # `7 ops`
    parent: list[int]  # the number of the box that it lies in, or -1
    x: list[int]
    y: list[int]
    width: list[int]
    height: list[int]
    asset: list[str]  # the asset's id, to which a status belongs, or ""
    opens: list[int]  # 1: has something in it that can be shown in place
    mapped: list[int]  # 1: runs once for each value of a fan-out


class DrawnEdges(Reply):
    """Lines from one box to another. `points` are x, y, x, y, ... of all of them: those of the n-th end before
    `until[n]`. From point to point a line is a cubic Bézier curve, level at both ends, its control points half-way;
    where x stays the same it turns around, first to the right and then to the left."""

    source: list[int]  # the numbers of boxes
    target: list[int]
    kind: list[str]  # value | order (nothing flows) | map (one value at a time) | collect (all together)
    label: list[str]  # what flows, in short: "" where that is what the box is named that it begins or ends at
    said: list[str]  # in full, a line for each value: `rows \u2192 table: list[int]`
    at: list[int]  # behind which of the line's points its label has room, half-way to the next; -1: nowhere
    until: list[int]
    points: list[int]


class Drawing(Reply):
    """A laid out graph, left to right."""

    manifest: str
    width: float
    height: float
    nodes: DrawnNodes
    edges: DrawnEdges
