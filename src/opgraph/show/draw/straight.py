"""Edges drawn straight: what is only a chain is moved as one piece to where the bends at its ends are least.

One piece after another, as long as order and distances allow; for one piece the best height is a weighted median
(as for the vertices in Gansner et al., "A Technique for Drawing Directed Graphs", 1993). Pieces are like the blocks of
Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment" (2001).
"""

from collections.abc import Sequence

from opgraph.show.draw.column import Columns

Member = tuple[int, float]  # a vertex, and how much further down than its piece it is


def straighten(
    columns: Columns,
    y: list[float],
    offsets: Sequence[Sequence[float]],
    chains: Sequence[Sequence[Member]],
    passes: int,
) -> None:
    """Moves pieces up and down.

    Args:
        columns: with the order settled.
        y: the middle of each vertex, changed in place.
        offsets: by column, where its vertices are when they are as close as they may be.
        chains: the pieces.
        passes: how often each piece is looked at.
    """
    place = [0] * len(columns.rank)
    for layer in columns.layers:
        for i, v in enumerate(layer):
            place[v] = i

    def room(v: int) -> tuple[float, float]:
        layer, down, i = columns.layers[columns.rank[v]], offsets[columns.rank[v]], place[v]
        low = y[layer[i - 1]] + down[i] - down[i - 1] if i else -1e12
        high = y[layer[i + 1]] + down[i] - down[i + 1] if i + 1 < len(layer) else 1e12
        return low, high

    def move(piece: Sequence[Member]) -> bool:
        low, high = -1e12, 1e12
        now, inside = 0.0, {v for v, _ in piece}
        wanted: list[float] = []
        for v, shift in piece:
            above, below = room(v)
            low, high = max(low, above - shift), min(high, below - shift)
            now += y[v] - shift
            for near in (columns.before[v], columns.after[v]):
                wanted += [y[w] + there - here - shift for w, here, there in near if w not in inside]
        if low > high + 1e-6:
            return False
        at = min(max(_between(wanted, now / len(piece)), low), max(low, high))
        for v, shift in piece:
            y[v] = at + shift
        return True

    for i in range(passes):
        for piece in chains if i % 2 == 0 else reversed(chains):
            if not move(piece):
                for v, _ in piece:
                    move(((v, 0.0),))


def _between(wanted: list[float], now: float) -> float:
    """The median that is nearest to where it is."""
    if not wanted:
        return now
    wanted.sort()
    half = len(wanted) // 2
    if len(wanted) % 2:
        return wanted[half]
    return min(max(now, wanted[half - 1]), wanted[half])


def pieces(columns: Columns) -> list[list[Member]]:
    """The vertices, each in its chain: the lanes of one row, and what has one neighbour before and one behind."""
    own, after, before = columns.own, columns.after, columns.before
    found: list[list[Member]] = []
    taken = bytearray(len(columns.rank))
    for layer in columns.layers:
        for start in layer:
            if taken[start]:
                continue
            taken[start] = 1
            piece = [(start, 0.0)]
            v, shift = start, 0.0
            while True:
                if v >= own:
                    following = next((each for each in after[v] if each[0] >= own), None)
                    if following is None and len(after[v]) == 1:
                        following = after[v][0]
                else:
                    following = after[v][0] if len(after[v]) == 1 else None
                if following is None or taken[following[0]] or len(before[following[0]]) != 1:
                    break
                w, here, there = following
                shift += here - there
                piece.append((w, shift))
                taken[w] = 1
                v = w
            found.append(piece)
    return found
