"""Laying out graphs of 5,000 nodes, in every shape that projects have.

python -m benchmarks.drawing
"""

import random
from collections.abc import Callable

from benchmarks.floor import beside, graph_floor
from opgraph.show.draw.layout import lay_out
from opgraph.show.draw.model import Edge, Node

Shape = tuple[list[Node], list[Edge]]


def _node(name: str, parent: str | None = None) -> Node:
    return Node(id=name, label=name, kind="op", parent=parent)


def crossing_groups(n: int, groups: int = 20, near: int = 60) -> Shape:
    """Assets in groups; each has up to three upstreams, half of them in other groups, which so need each other."""
    chance = random.Random(5)
    nodes = [_node(f"g{g}") for g in range(groups)]
    group = [chance.randrange(groups) for _ in range(n)]
    nodes += [_node(str(i), f"g{group[i]}") for i in range(n)]
    mates: list[list[int]] = [[] for _ in range(groups)]
    edges: list[Edge] = []
    for i in range(n):
        for _ in range(chance.randint(1, 3)):
            others = mates[group[i]] if chance.random() < 0.5 else range(i)
            if others:
                edges.append(Edge(str(others[-1 - chance.randrange(min(near, len(others)))]), str(i)))
        mates[group[i]].append(i)
    return nodes, list(dict.fromkeys(edges))


def far_groups(n: int) -> Shape:
    """The same, with upstreams anywhere before."""
    return crossing_groups(n, near=n)


def one_group(n: int) -> Shape:
    """All assets in one group."""
    return crossing_groups(n, groups=1)


def many_groups(n: int) -> Shape:
    """Groups of ten."""
    return crossing_groups(n, groups=n // 10)


def zigzag(n: int) -> Shape:
    """One chain that goes round and round through ten groups."""
    nodes = [_node(f"g{g}") for g in range(10)] + [_node(str(i), f"g{i % 10}") for i in range(n)]
    return nodes, [Edge(str(i - 1), str(i)) for i in range(1, n)]


def dense(n: int) -> Shape:
    """Three edges a node, from anywhere before."""
    chance = random.Random(6)
    edges = (Edge(str(chance.randrange(i)), str(i)) for i in range(1, n) for _ in range(3))
    return [_node(str(i)) for i in range(n)], list(dict.fromkeys(edges))


def fan_in(n: int) -> Shape:
    """All into one."""
    return [_node(str(i)) for i in range(n)], [Edge(str(i), str(n - 1)) for i in range(n - 1)]


def deep(n: int) -> Shape:
    """Boxes in boxes, six levels deep, with ops in the innermost; edges from anywhere before."""
    chance = random.Random(7)
    nodes: list[Node] = []
    leaves: list[str] = []

    def fill(parent: str | None, level: int, leaf_count: int) -> None:
        if level == 6 or leaf_count < 4:
            for i in range(leaf_count):
                leaves.append(f"{parent or ''}.{i}")
                nodes.append(_node(leaves[-1], parent))
            return
        for i in range(4):
            nodes.append(_node(f"{parent or ''}/{i}", parent))
            fill(nodes[-1].id, level + 1, leaf_count // 4)

    fill(None, 0, n // 2)
    edges = (
        Edge(leaves[max(0, i - 1 - int(chance.expovariate(0.05)))], leaves[i])
        for i in range(1, len(leaves))
        for _ in range(2)
    )
    return nodes, list(dict.fromkeys(edges))


def layered(n: int) -> Shape:
    """Fifty layers, each node fed by four of the layer before, and one of ten by a layer far before."""
    chance = random.Random(8)
    wide = n // 50
    edges = [
        Edge(str((layer - 1) * wide + chance.randrange(wide)), str(layer * wide + i))
        for layer in range(1, 50)
        for i in range(wide)
        for _ in range(4)
    ]
    edges += [Edge(str(chance.randrange(i - wide + 1)), str(i)) for i in range(wide, n, 10)]
    return [_node(str(i)) for i in range(n)], list(dict.fromkeys(edges))


def chain(n: int) -> Shape:
    """One after another."""
    return [_node(str(i)) for i in range(n)], [Edge(str(i - 1), str(i)) for i in range(1, n)]


def hubs(n: int) -> Shape:
    """Twenty that feed all others, each of which also has one upstream anywhere before."""
    chance = random.Random(9)
    edges = [Edge(str(chance.randrange(20)), str(i)) for i in range(20, n)]
    edges += [Edge(str(chance.randrange(20, i)), str(i)) for i in range(40, n)]
    return [_node(str(i)) for i in range(n)], list(dict.fromkeys(edges))


def all_to_all(n: int, wide: int = 12) -> Shape:
    """Layers in which each takes from all of the layer before."""
    edges = [Edge(str(i - i % wide - wide + k), str(i)) for i in range(wide, n) for k in range(wide)]
    return [_node(str(i)) for i in range(n)], edges


def long_edges(n: int) -> Shape:
    """A chain in which each also feeds one anywhere behind."""
    chance = random.Random(2)
    edges = [Edge(str(i), str(other)) for i in range(n - 1) for other in (i + 1, chance.randrange(i + 1, n))]
    return [_node(str(i)) for i in range(n)], list(dict.fromkeys(edges))


def nested_groups(n: int) -> Shape:
    """Fifty boxes of five boxes each; upstreams anywhere before."""
    chance = random.Random(3)
    nodes = [_node(f"g{g}") for g in range(50)] + [_node(f"g{g}.{h}", f"g{g}") for g in range(50) for h in range(5)]
    nodes += [_node(str(i), f"g{i * 50 // n}.{i * 250 // n % 5}") for i in range(n)]
    edges = [Edge(str(chance.randrange(i)), str(i)) for i in range(1, n)]
    edges += [Edge(str(max(0, i - 1 - chance.randrange(20))), str(i)) for i in range(1, n, 2)]
    return nodes, list(dict.fromkeys(edges))


def dolls(n: int) -> Shape:
    """Boxes in boxes, a hundred levels deep, with a chain on each level and edges from one to the next."""
    nodes = [_node(f"box{level}", f"box{level - 1}" if level else None) for level in range(100)]
    each = n // 100
    nodes += [_node(str(i), f"box{i // each}") for i in range(each * 100)]
    edges = [Edge(str(i - 1), str(i)) for i in range(1, each * 100)]
    return nodes, edges + [Edge(str(i - each), str(i)) for i in range(each, each * 100, 7)]


SHAPES: tuple[Callable[[int], Shape], ...] = (
    crossing_groups, far_groups, one_group, many_groups, zigzag, dense, fan_in, deep, layered, chain,
    hubs, all_to_all, long_edges, nested_groups, dolls,
)  # fmt: skip


def main() -> None:
    for shape in SHAPES:
        scene = shape(5_000)
        beside(f"lay out {shape.__name__.replace('_', ' ')}: {len(scene[0]):,} nodes, {len(scene[1]):,} edges",
               lambda scene=scene: lay_out(*scene), lambda: graph_floor(5_000), "≤ 1 s")  # fmt: skip


if __name__ == "__main__":
    main()
