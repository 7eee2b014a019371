"""A graph cut into columns: its vertices and, where an edge passes a column, a lane kept free for it.

All edges from one source share one row of lanes up to where they part: fewer lines, and fewer lanes to place. Where
there would be more lanes than can be placed in time, the edges that need most go far round, below everything.
"""

from collections.abc import Sequence

_TURNS = 13.0  # pixels below a box, where an edge that goes back would like to
_LANES, _LANES_OF_ALL = 150, 10_000  # of one graph whatever its size; of all graphs of a drawing together, about
Ends = tuple[int, float, int, float]  # vertex, where on its side, vertex, where: measured from its middle


class Columns:
    """Vertices 0 ... n-1 are the graph's own; those behind them are lanes."""

    __slots__ = (
        "after", "before", "beside", "edges", "far", "height", "lanes", "layers", "own", "rank", "share", "whole",
    )  # fmt: skip

    def __init__(self, height: Sequence[float], rank: Sequence[int], whole: int) -> None:
        self.own = len(rank)
        self.whole = whole  # how many vertices and edges there are, here and in the boxes inside and around
        self.rank = list(rank)
        self.height = list(height)
        self.edges: list[Ends] = []  # each from a column to the next
        self.lanes: list[list[int]] = []  # by edge of the graph: the lanes that it takes
        self.far: set[int] = set()  # edges of the graph, by number, that take none: they go below everything
        self.beside: list[tuple[int, int, float]] = []  # a lane that turns, at which vertex, how much further down
        self.layers: list[list[int]] = []  # by column, its vertices from above
        self.before: list[list[tuple[int, float, float]]] = []  # by vertex: the other one, where here, where there
        self.after: list[list[tuple[int, float, float]]] = []
        self.share: list[float] = []  # what one pixel is of a vertex's height, no more than fits between two positions

    def lead(self, edges: Sequence[Ends], sources: Sequence[int], closing: set[int]) -> None:
        """Cuts the edges up.

        Args:
            edges: of the graph.
            sources: by edge, whose lanes it shares.
            closing: edges that go back, by number: their lanes lead from the column they begin in to the one they
                end in.
        """
        rank, rows, seen = self.rank, dict[int, list[int]](), set[Ends]()
        back: dict[tuple[int, int, float], list[int]] = {}
        most = max(_LANES, _LANES_OF_ALL * (self.own + len(edges)) // self.whole)
        self.far = _longest(rank, edges, sources, closing, most)
        for i, (u, here, v, there) in enumerate(edges):
            if i in self.far:
                self.lanes.append([])
                continue
            if i in closing:
                row = back.setdefault((sources[i], u, here), [])
                if not row:
                    row.append(self._lane(rank[u]))
                    self.beside.append((row[0], u, self.height[u] / 2 + _TURNS))
                while len(row) <= rank[u] - rank[v]:
                    row.append(self._lane(rank[u] - len(row)))
                    self.edges.append((row[-1], 0.0, row[-2], 0.0))
                lanes = row[: rank[u] - rank[v] + 1]
                self.beside.append((lanes[-1], v, self.height[v] / 2 + _TURNS))
                self.lanes.append(lanes)
                continue
            row = rows.setdefault(sources[i], [])
            while len(row) < rank[v] - rank[u] - 1:
                lane = self._lane(rank[u] + 1 + len(row))
                self.edges.append((row[-1], 0.0, lane, 0.0) if row else (u, here, lane, 0.0))
                row.append(lane)
            lanes = row[: rank[v] - rank[u] - 1]
            end = (lanes[-1], 0.0, v, there) if lanes else (u, here, v, there)
            if end not in seen:
                seen.add(end)
                self.edges.append(end)
            self.lanes.append(lanes)
        n = len(rank)
        self.before, self.after = [[] for _ in range(n)], [[] for _ in range(n)]
        for u, here, v, there in self.edges:
            self.after[u].append((v, here, there))
            self.before[v].append((u, there, here))
        self.layers = [[] for _ in range(max(rank, default=-1) + 1)]
        for v, r in enumerate(rank):
            self.layers[r].append(v)
        self.share = [0.9 / height if height else 0.0 for height in self.height]

    @property
    def size(self) -> int:
        """How much there is to look at, here and elsewhere: who has more, looks less often."""
        return max(self.whole, len(self.edges) + len(self.rank))

    def _lane(self, rank: int) -> int:
        self.rank.append(rank)
        self.height.append(0.0)
        return len(self.rank) - 1


def _longest(
    rank: Sequence[int], edges: Sequence[Ends], sources: Sequence[int], closing: set[int], most: int
) -> set[int]:
    """The edges for which no lanes are left when short ones are served first."""
    spans = [abs(rank[v] - rank[u]) for u, _, v, _ in edges]
    if sum(spans) + len(closing) <= most:
        return set()
    served: dict[tuple[int, bool], int] = {}  # by source, and whether it goes back: the lanes of its row
    for place, i in enumerate(order := sorted(range(len(edges)), key=spans.__getitem__)):
        row = (sources[i], i in closing)
        had = served.get(row, 0)
        served[row] = max(had, spans[i] + (1 if row[1] else -1))
        most -= served[row] - had
        if most < 0:
            return set(order[place:])
    return set()
