"""What is drawn, before and after it has a place. Sizes are in CSS pixels; x grows to the right, y down.

Everything here is plain data: `msgspec.to_builtins(drawing)` is what the web page gets.
"""

from collections.abc import Iterable

from msgspec import Struct


class Node(Struct, frozen=True, gc=False, kw_only=True):
    """A thing to draw: a box, or, where other nodes name it as their parent, a box around those."""

    id: str  # unique in its drawing: `asset:orders`, `op:totals.clean`, `group:raw`
    label: str
    kind: str  # asset | external | graph | op | input | output | group
    parent: str | None = None  # the id of the box it lies in
    ref: str = ""  # what a status refers to: the asset's key, or the step's
    detail: str = ""  # a second line, smaller: an op's name, a duration
    title: str = ""  # what is said of it in full, where one points at it
    badge: str = ""  # `7 ops`
    state: str = ""  # of a plan: run | reuse | skip | decide; of a run: succeeded | failed | ...
    mapped: bool = False  # run once for each value of a fan-out
    opens: bool = False  # has something in it that can be shown in place
    width: float = 0.0  # 0: as wide as its texts need
    height: float = 0.0  # 0: as high as its texts need


class Edge(Struct, frozen=True, gc=False):
    """What flows from one node to another."""

    source: str
    target: str
    label: str = ""  # in short, where that says more than the names of its ends
    kind: str = "value"  # value | order (nothing flows) | map (one value at a time) | collect (all together)
    said: str = ""  # in full, a line for each value: `rows \u2192 table: list[int]`


class Box(Struct, frozen=True, gc=False, kw_only=True):
    """A node with its place; the fields of `Node` mean the same here."""

    id: str
    label: str
    kind: str
    parent: str | None
    ref: str
    detail: str
    title: str
    badge: str
    state: str
    mapped: bool
    opens: bool
    x: float  # left edge
    y: float  # top edge
    width: float
    height: float
    depth: int  # how many boxes it lies in
    holds: int  # how many nodes lie directly in it; 0: it is a leaf


class Line(Struct, frozen=True, gc=False):
    """An edge with its way. `points` is x, y, x, y, ...: where it begins, then for each cubic Bezier curve its two
    control points and its end. Empty: there is nothing to draw."""

    source: str
    target: str
    label: str
    kind: str
    said: str
    points: tuple[float, ...]


class Drawing(Struct, frozen=True):
    """Everything in its place, outer boxes before what lies in them."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


class Scene(Struct, frozen=True):
    """What is to be drawn: nodes, and the edges between them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @staticmethod
    def of(nodes: Iterable[Node], edges: Iterable[Edge]) -> "Scene":
        """A scene of any iterables; an edge that is there twice is kept once."""
        return Scene(tuple(nodes), tuple(dict.fromkeys(edges)))
