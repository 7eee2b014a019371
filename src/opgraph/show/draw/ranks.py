"""Which column each vertex stands in: circles opened, then ranks along the edges.

The first phase of the method of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of Hierarchical System
Structures", 1981). Circles are opened at the edges that close them in a depth-first search; ranks are those of the
longest path, then tightened as in Nikolov and Tarassov, "Graph layering by promotion of nodes" (2006).
"""

from collections.abc import Sequence


def closing(n: int, edges: Sequence[tuple[int, int]]) -> set[int]:
    """The edges, by number, that close a circle: without them there is none. Edges from a vertex to itself count."""
    after: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    entered = bytearray(n)
    for i, (u, v) in enumerate(edges):
        after[u].append((v, i))
        entered[v] = 1
    state = bytearray(n)  # 0: not seen, 1: on the path, 2: done
    found: set[int] = set()
    for start in sorted(range(n), key=lambda v: entered[v]):  # where nothing comes in first: most graphs have no circle
        if state[start]:
            continue
        state[start] = 1
        path = [(start, iter(after[start]))]
        while path:
            u, rest = path[-1]
            for v, i in rest:
                if state[v] == 1:
                    found.add(i)
                elif not state[v]:
                    state[v] = 1
                    path.append((v, iter(after[v])))
                    break
            else:
                state[u] = 2
                path.pop()
    return found


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
