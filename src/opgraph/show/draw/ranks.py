"""Which column each vertex stands in: circles opened, then ranks along the edges.

The first phase of the method of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of Hierarchical System
Structures", 1981). Circles are opened as in Eades, Lin and Smyth, "A fast and effective heuristic for the feedback arc
set problem" (1993), by which few edges go back; ranks are those of the longest path, then tightened as in Nikolov and
Tarassov, "Graph layering by promotion of nodes" (2006).
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush


def closing(n: int, edges: Sequence[tuple[int, int]]) -> set[int]:
    """The edges, by number, that go back: without them there is no circle. Edges from a vertex to itself count.

    The vertices are put in a row: first what nothing comes into, last what nothing goes out of; where there is neither,
    the one from which most more goes out than comes in.
    """
    after: list[list[int]] = [[] for _ in range(n)]
    before: list[list[int]] = [[] for _ in range(n)]
    for u, v in edges:
        if u != v:
            after[u].append(v)
            before[v].append(u)
    outs, ins = [len(each) for each in after], [len(each) for each in before]
    first = [v for v in range(n) if not ins[v]]
    last = [v for v in range(n) if not outs[v]]
    place = [-1] * n
    begin, end = 0, n
    heap: list[tuple[int, int]] | None = None  # of a graph with circles: what comes in more than goes out, of which
    while begin < end:
        if not first and not last and heap is None:
            heap = [(ins[v] - outs[v], v) for v in range(n) if place[v] < 0]
            heapify(heap)
        more, v = (0, first.pop()) if first else (0, last.pop()) if last else heappop(heap or [])
        if place[v] >= 0 or (ins[v] and outs[v] and more != ins[v] - outs[v]):
            continue  # it has its place, or stands elsewhere in the heap by now
        if outs[v] or not ins[v]:
            place[v], begin = begin, begin + 1
        else:
            end -= 1
            place[v] = end
        for near, count, ready in ((after[v], ins, first), (before[v], outs, last)):
            for w in near:
                if place[w] < 0:
                    count[w] -= 1
                    if not count[w]:
                        ready.append(w)
                    elif heap is not None:
                        heappush(heap, (ins[w] - outs[w], w))
    return {i for i, (u, v) in enumerate(edges) if place[u] >= place[v]}


def ranks(n: int, edges: Sequence[tuple[int, int]], first: Sequence[int], last: Sequence[int]) -> list[int]:
    """The column of each vertex, from 0, along edges without circles. Every edge goes to a higher one.

    Args:
        n: how many vertices there are.
        edges: pairs of them.
        first: vertices that stand alone in a column before all others; nothing goes into them.
        last: vertices that stand alone in a column behind all others; nothing comes out of them.
    """
    pinned = bytearray(n)
    for v in (*first, *last):
        pinned[v] = 1
    after: list[list[int]] = [[] for _ in range(n)]
    before: list[list[int]] = [[] for _ in range(n)]
    for u, v in edges:
        after[u].append(v)
        before[v].append(u)
    waiting = [len(each) for each in before]
    order = [v for v in range(n) if not waiting[v]]
    rank = [0] * n
    for u in order:
        below = rank[u] if pinned[u] else rank[u] + 1
        for v in after[u]:
            rank[v] = max(rank[v], below)
            waiting[v] -= 1
            if not waiting[v]:
                order.append(v)
    free = [v for v in order if not pinned[v]]
    top = max((rank[v] for v in free), default=-1)
    for v in last:
        rank[v] = top + 1
    for v in first:
        rank[v] = -1
    # What only hands its value out stays where it is: borders pull at nothing.
    _tighten(rank, free, before, [[w for w in each if not pinned[w]] for each in after])
    if first:
        rank = [each + 1 for each in rank]
    return rank


def _tighten(rank: list[int], free: list[int], before: list[list[int]], after: list[list[int]]) -> None:
    """Moves vertices with more edges on one side towards that side, as long as that makes anything shorter."""
    for _ in range(4):
        moved = False
        for v in reversed(free):
            if len(after[v]) > len(before[v]):
                nearest = min([rank[w] for w in after[v]]) - 1
                if nearest > rank[v]:
                    rank[v], moved = nearest, True
        for v in free:
            if len(before[v]) > len(after[v]):
                nearest = max([rank[w] for w in before[v]]) + 1
                if nearest < rank[v]:
                    rank[v], moved = nearest, True
        if not moved:
            return
