"""Nodes and edges, nested to any depth, put in their places from left to right.

The boxes are laid out from the inside to the outside: what lies in a box is a graph of its own (`ways`), and the box
with its size is a vertex of the graph around it. An edge that crosses a border gets a place on it, on the left where
it goes in and on the right where it comes out, one for all edges from the same source; the graph inside chooses the
height, the graph outside goes by it. So an edge is a row of pieces, one in each graph that it passes.
"""

from collections.abc import Iterable, Sequence

from opgraph.show.draw.abreast import Abreast, place
from opgraph.show.draw.letters import BOLD, text_width
from opgraph.show.draw.model import Box, Drawing, Edge, Line, Node
from opgraph.show.draw.names import room
from opgraph.show.draw.ways import APART, Placed, Plane

MARGIN = 16.0  # around the whole
_SIDE, _TITLE = 18.0, 34.0  # within a box: at its sides, and above for its name
_NARROWEST, _WIDEST = 64.0, 240.0  # of a leaf
LABEL, DETAIL, BADGE = 13.0, 11.0, 10.0  # sizes of letters
_DOT = 13.0  # what shows a state, before the name
_OUTSIDE = -1
_TWICE = 4_000  # vertices and edges of all levels, up to which there is time to lay all out twice
_READABLE = 600  # vertices and edges, up to which one wants to read a drawing as a whole
_SCREEN = 1_200.0, 640.0  # room for a drawing, in pixels
_READ, _BETTER = 0.8, 1.2  # how large a drawing is on it that can be read; how much larger one is that is better


class _Level:
    """The graph in one box, or the outermost."""

    __slots__ = (
        "edges",
        "height",
        "hints",
        "ins",
        "lefts",
        "members",
        "names",
        "numbers",
        "outs",
        "parts",
        "tops",
        "ways",
        "width",
    )

    def __init__(self) -> None:
        self.members: list[int] = []  # nodes: vertices 0, 1, ...
        self.ins: dict[int, int] = {}  # by source: the vertex on the left border; numbered behind the members
        self.outs: dict[int, int] = {}
        self.edges: list[tuple[int, int, int]] = []  # vertex, vertex, source
        self.numbers: dict[tuple[int, int, int], int] = {}
        self.names: dict[int, float] = {}  # by edge, what room the longest name needs that may stand on it
        self.lefts: list[float] = []  # by vertex, once placed: its left edge and its middle
        self.tops: list[float] = []
        self.ways: list[list[float]] = []  # by edge
        self.width = self.height = 0.0
        self.hints: dict[int, float] = {}  # by vertex on a border: the height at which its edges are outside

    def edge(self, u: int, v: int, source: int) -> int:
        key = (u, v, source)
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.edges)
            self.edges.append(key)
        return number

    def border(self, places: dict[int, int], source: int) -> int:
        if source not in places:
            places[source] = len(self.members) + len(self.ins) + len(self.outs)
        return places[source]


def lay_out(nodes: Iterable[Node], edges: Iterable[Edge]) -> Drawing:
    """Puts everything in its place. The same input gives the same drawing.

    Nodes keep the size they ask for; a box around others is as large as it must be. Edges may close circles: some
    then go back. An edge from a box to what lies in it begins at the box's left border, the other way round it ends
    at its right border.

    Raises:
        KeyError: a parent or an edge's end is not among the nodes.

    Example:
        >>> nodes = [Node(id=each, label=each, kind="op") for each in "ab"]
        >>> drawing = lay_out(nodes, [Edge("a", "b")])
        >>> drawing.boxes[0].x < drawing.boxes[1].x
        True
    """
    return _Layout(list(nodes), list(edges)).drawing()


class _Layout:
    def __init__(self, nodes: list[Node], edges: list[Edge]) -> None:
        self.nodes, self.edges = nodes, edges
        number = {node.id: i for i, node in enumerate(nodes)}
        self.parent = [number[node.parent] if node.parent is not None else _OUTSIDE for node in nodes]
        self.ends = [(number[edge.source], number[edge.target]) for edge in edges]
        self.levels: dict[int, _Level] = {_OUTSIDE: _Level()}
        self.slot = [0] * len(nodes)
        for i, parent in enumerate(self.parent):
            level = self.levels.setdefault(parent, _Level())
            self.slot[i] = len(level.members)
            level.members.append(i)
        self.around = self._from_outside()
        self.width = [_wide(node) for node in nodes]
        self.height = [_high(node) for node in nodes]
        self.pieces = [self._cut(s, t) for s, t in self.ends]
        for edge, pieces in zip(self.edges, self.pieces, strict=True):
            if edge.label and pieces:
                box, number = pieces[-1]
                names = self.levels[box].names
                names[number] = max(names.get(number, 0.0), room(edge.label))
        self.narrower = False
        self.whole = sum(len(each.members) + len(each.edges) for each in self.levels.values())

    def _from_outside(self) -> list[int]:
        """How many boxes each node lies in; sorts the levels, outer ones first."""
        depth = [0] * len(self.nodes)
        order, todo = dict[int, _Level](), [_OUTSIDE]
        for each in todo:
            order[each] = self.levels[each]
            for member in order[each].members:
                depth[member] = depth[each] + 1 if each != _OUTSIDE else 0
                if member in self.levels:
                    todo.append(member)
        if len(order) < len(self.levels):
            raise KeyError(next(self.nodes[each].id for each in self.levels if each not in order))
        self.levels = order
        return depth

    def _cut(self, source: int, target: int) -> list[tuple[int, int]]:
        """The pieces of an edge: levels, and the number of an edge there."""
        out: list[tuple[int, int]] = []
        into: list[tuple[int, int]] = []
        parent, around, slot = self.parent, self.around, self.slot
        s, t = source, target

        def leave() -> int:
            level = self.levels[parent[s]]
            out.append((parent[s], level.edge(slot[s], level.border(level.outs, source), source)))
            return parent[s]

        def enter() -> int:
            level = self.levels[parent[t]]
            into.append((parent[t], level.edge(level.border(level.ins, source), slot[t], source)))
            return parent[t]

        while around[s] > around[t]:
            s = leave()
        while around[t] > around[s]:
            t = enter()
        while parent[s] != parent[t]:
            s, t = leave(), enter()
        if s != t or source == target:
            out.append((parent[s], self.levels[parent[s]].edge(slot[s], slot[t], source)))
        return [*out, *reversed(into)]

    def drawing(self) -> Drawing:
        self._place_all()
        before = self._scale()
        if before < _READ and self.whole <= _READABLE:
            self.narrower = True
            self._place_all()
            if self._scale() < _BETTER * before:
                self.narrower = False
                self._place_all()
        return self._gathered()

    def _scale(self) -> float:
        """How large all of it is on a screen."""
        outer = self.levels[_OUTSIDE]
        return min(1.0, _SCREEN[0] / outer.width, _SCREEN[1] / outer.height)

    def _place_all(self) -> None:
        boxes = list(reversed(self.levels))
        for box in boxes:
            self._place(box)
        if self.whole <= _TWICE and self._look_outside():
            for box in boxes:
                self._place(box)

    def _look_outside(self) -> bool:
        """Tells what is on a border where its edges come from or go to outside. Whether there is any such thing."""
        found = False
        for level in self.levels.values():
            for u, v, source in level.edges:
                for one, other, leaving in ((u, v, True), (v, u, False)):
                    inner = self.levels.get(level.members[one]) if one < len(level.members) else None
                    places = {} if inner is None else inner.outs if leaving else inner.ins
                    if inner is not None and source in places:
                        there = level.members[other] if other < len(level.members) else _OUTSIDE
                        at = self._at(there, source, leaving=not leaving) if there != _OUTSIDE else 0.0
                        inner.hints[places[source]] = level.tops[other] + at
                        found = True
        return found

    # -- one level -----------------------------------------------------------------

    def _at(self, member: int, source: int, *, leaving: bool) -> float:
        """Where on a member's side the edges of a source are, from its middle."""
        level = self.levels.get(member)
        places = (level.outs if leaving else level.ins) if level is not None else {}
        if level is None or source not in places:
            return 0.0
        return level.tops[places[source]] - level.height / 2

    def _place(self, box: int) -> None:
        level = self.levels[box]
        members, count = level.members, len(level.members) + len(level.ins) + len(level.outs)
        borders = [0.0] * (count - len(members))
        wide = [self.width[m] for m in members] + borders
        high = [self.height[m] for m in members] + borders
        inside = box != _OUTSIDE
        side, above, below = (_SIDE, _TITLE, _SIDE) if inside else (MARGIN, MARGIN, MARGIN)
        level.lefts, level.tops = [0.0] * count, [0.0] * count
        level.ways = [[] for _ in level.edges]
        parts = [self._part(level, vertices, edges, wide, high) for vertices, edges in _parts(level, count)]
        widest = self._shelve(level, parts, side, above)
        if inside:
            level.width = max(widest + side, _title_width(self.nodes[box]))
            level.height += below
            self.width[box], self.height[box] = level.width, level.height
        else:
            level.width = widest + side
            level.height += below
        for vertices, edges, placed, x, y in level.parts:
            if level.outs and max(vertices) >= len(members):
                placed.stretch(level.width - x)
            for i, v in enumerate(vertices):
                level.lefts[v], level.tops[v] = placed.x[i] + x, placed.y[i] + y
            for i, e in enumerate(edges):
                way = placed.way(i)
                way[::2] = [each + x for each in way[::2]]
                way[1::2] = [each + y for each in way[1::2]]
                level.ways[e] = way
        level.parts = []

    def _part(
        self, level: _Level, vertices: list[int], edges: list[int], wide: list[float], high: list[float]
    ) -> "_Part":
        own = len(level.members)
        vertices = sorted(vertices, key=lambda v: (v >= own, level.hints.get(v, 0.0)))
        number = {v: i for i, v in enumerate(vertices)}
        ins, outs = set(level.ins.values()), set(level.outs.values())
        ends: list[tuple[int, float, int, float]] = []
        sources: list[int] = []
        for e in edges:
            u, v, source = level.edges[e]
            here = self._at(level.members[u], source, leaving=True) if u < own else 0.0
            there = self._at(level.members[v], source, leaving=False) if v < own else 0.0
            ends.append((number[u], here, number[v], there))
            sources.append(source)
        plane = Plane(
            [wide[v] for v in vertices],
            [high[v] for v in vertices],
            ends,
            sources,
            [level.names.get(e, 0.0) for e in edges],
            self.whole,
            [number[v] for v in vertices if v in ins],
            [number[v] for v in vertices if v in outs],
            self.narrower,
        )
        return vertices, edges, place(plane)

    def _shelve(self, level: _Level, parts: "list[_Part]", side: float, above: float) -> float:
        """Puts what does not hang together on shelves; what reaches a border gets one for itself.
        Gives how wide it became."""
        level.parts = []
        y, widest = above, side
        own = len(level.members)
        loose: list[_Part] = []
        for part in parts:
            if max(part[0]) < own:
                loose.append(part)
                continue
            x = 0.0 if level.ins else side
            level.parts.append((*part, x, y))
            y += part[2].height + APART
            widest = max(widest, x + part[2].width - (side if level.outs else 0.0))
        loose.sort(key=lambda part: -part[2].height if len(part[0]) > 1 else 0.0)
        area = sum((part[2].width + APART) * (part[2].height + APART) for part in loose)
        room = max([(1.9 * area) ** 0.5, widest - side, *(part[2].width for part in loose)])
        x, tallest = 0.0, 0.0
        for part in loose:
            if x and (x + part[2].width > room or len(part[0]) == 1 < len(level.parts[-1][0])):
                x, y, tallest = 0.0, y + tallest + APART, 0.0
            level.parts.append((*part, side + x, y))
            tallest = max(tallest, part[2].height)
            x += part[2].width + APART
            widest = max(widest, side + x - APART)
        level.height = y + tallest if loose else y - APART
        return widest

    # -- all together --------------------------------------------------------------

    def _gathered(self) -> Drawing:
        x, y = [0.0] * len(self.nodes), [0.0] * len(self.nodes)
        boxes: list[Box] = []
        origin = {_OUTSIDE: (0.0, 0.0)}
        for box, level in self.levels.items():
            left, top = origin[box]
            for i, m in enumerate(level.members):
                x[m], y[m] = left + level.lefts[i], top + level.tops[i] - self.height[m] / 2
                origin[m] = x[m], y[m]
                boxes.append(self._box(m, x[m], y[m]))
        lines = [self._line(edge, pieces, origin) for edge, pieces in zip(self.edges, self.pieces, strict=True)]
        outer = self.levels[_OUTSIDE]
        return Drawing(round(outer.width, 1), round(outer.height, 1), tuple(boxes), tuple(lines))

    def _box(self, m: int, x: float, y: float) -> Box:
        node = self.nodes[m]
        return Box(
            id=node.id, label=node.label, kind=node.kind, parent=node.parent, ref=node.ref, detail=node.detail,
            title=node.title, badge=node.badge, state=node.state, mapped=node.mapped, opens=node.opens,
            x=round(x, 1), y=round(y, 1), width=round(self.width[m], 1), height=round(self.height[m], 1),
            depth=self.around[m], holds=len(self.levels[m].members) if m in self.levels else 0,
        )  # fmt: skip

    def _line(self, edge: Edge, pieces: Sequence[tuple[int, int]], origin: dict[int, tuple[float, float]]) -> Line:
        points: list[float] = []
        for box, number in pieces:
            left, top = origin[box]
            way = self.levels[box].ways[number]
            piece = [0.0] * len(way)
            piece[::2] = [round(x + left, 1) for x in way[::2]]
            piece[1::2] = [round(y + top, 1) for y in way[1::2]]
            points += piece[2:] if points else piece
        return Line(edge.source, edge.target, edge.label, edge.kind, edge.said, tuple(points))


_Part = tuple[list[int], list[int], Placed | Abreast]  # vertices, edges, where they are


def _parts(level: _Level, count: int) -> list[tuple[list[int], list[int]]]:
    """The vertices and edges that hang together; all that reaches a border is one part."""
    leader = list(range(count))

    def find(v: int) -> int:
        while leader[v] != v:
            leader[v] = leader[leader[v]]
            v = leader[v]
        return v

    for u, v, _ in level.edges:
        a, b = find(u), find(v)
        leader[max(a, b)] = min(a, b)
    own = len(level.members)
    for v in range(own + 1, count):
        a, b = find(own), find(v)
        leader[max(a, b)] = min(a, b)
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for v in range(count):
        parts.setdefault(find(v), ([], []))[0].append(v)
    for e, (u, _, _) in enumerate(level.edges):
        parts[find(u)][1].append(e)
    return list(parts.values())


def _title_width(node: Node) -> float:
    badge = text_width(node.badge, BADGE) + 30 if node.badge else 0.0
    return min(text_width(node.label, LABEL) * BOLD, 2 * _WIDEST) + badge + 2 * _SIDE + (_DOT if node.state else 0.0)


def _wide(node: Node) -> float:
    if node.width:
        return node.width
    badge = text_width(node.badge, BADGE) + 22 if node.badge else 0.0
    dot = _DOT if node.state else 0.0
    own = max(text_width(node.label, LABEL) * BOLD + badge + dot, text_width(node.detail, DETAIL)) + 26
    return min(_WIDEST, max(_NARROWEST, own))


def _high(node: Node) -> float:
    return node.height or (46.0 if node.detail else 32.0)
