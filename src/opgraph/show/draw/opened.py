"""Graphs opened in place: the ops of a graph as nodes, those of its nested graphs in boxes, or one node for each that
is shut."""

from collections.abc import Callable, Container, Sequence

from msgspec import Struct, structs

from opgraph.show.draw.model import Edge, Node


class Everything:
    """A container that has everything in it: all is opened."""

    __slots__ = ()

    def __contains__(self, _: object) -> bool:
        return True


class Below:
    """The ids of some things, and of all that lies in them.

    Args:
        names: the names of assets or graphs, as in `asset:totals`, `graph:totals.clean`.
    """

    __slots__ = ("_ids", "_prefixes")

    def __init__(self, names: Sequence[str]) -> None:
        self._ids = frozenset(names)
        self._prefixes = tuple(f"graph:{name.partition(':')[2].replace('/', '__')}." for name in names)

    def __contains__(self, each: object) -> bool:
        return each in self._ids or (isinstance(each, str) and each.startswith(self._prefixes))


EVERYTHING = Everything()


class Leaf(Struct, frozen=True):
    """An op in its place: the names of the graphs around it, and the node that it is when all of them are open."""

    path: tuple[str, ...]  # its own name last
    node: Node


class Opened:
    """The nodes of a graph.

    Args:
        leaves: its ops.
        name: what the keys of its ops begin with; "": nothing.
        box: the id of the box that it is opened in; None: it is the whole picture.
        opened: the ids of the nested graphs that are open.
        together: how several states are told as one.
    """

    __slots__ = ("nodes", "stands")

    def __init__(
        self,
        leaves: Sequence[Leaf],
        name: str,
        box: str | None,
        opened: Container[str],
        together: Callable[[Sequence[str]], str],
    ) -> None:
        members: dict[tuple[str, ...], list[Node]] = {}
        for leaf in leaves:
            for depth in range(1, len(leaf.path)):
                members.setdefault(leaf.path[:depth], []).append(leaf.node)
        self.nodes: list[Node] = []
        self.stands: list[str] = []  # for each op the id of the node that stands for it
        seen: set[str] = set()
        for leaf in leaves:
            parent = box
            for depth in range(1, len(leaf.path)):
                path = leaf.path[:depth]
                ref = ".".join((name, *path) if name else path)
                graph = f"graph:{ref}"
                if graph not in seen:
                    seen.add(graph)
                    self.nodes.append(_graph(graph, ref, path[-1], parent, members[path], together))
                if graph not in opened:
                    self.stands.append(graph)
                    break
                parent = graph
            else:
                self.nodes.append(structs.replace(leaf.node, parent=parent))
                self.stands.append(leaf.node.id)


def _graph(
    id: str,  # noqa: A002 - the field's name
    ref: str,
    label: str,
    parent: str | None,
    inside: Sequence[Node],
    together: Callable[[Sequence[str]], str],
) -> Node:
    return Node(
        id=id,
        label=label,
        kind="graph",
        parent=parent,
        ref=ref,
        badge=counted(len(inside), "op"),
        state=together([node.state for node in inside]),
        mapped=all(node.mapped for node in inside),
        opens=True,
    )


def group_node(name: str, assets: int) -> Node:
    """The box of a group of assets."""
    return Node(id=f"group:{name}", label=name, kind="group", ref=name, badge=counted(assets, "asset"), opens=True)


def counted(number: int, one: str) -> str:
    """`1 op`, `2 ops`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def arrow(kind: str) -> str:
    """The kind of an edge that takes a fan-out in this way, as a wire's `mapping` says it."""
    return "collect" if "collect" in kind else "map" if kind else "value"


class Arrows:
    """Edges, gathered: one for each pair of nodes and kind, with all its labels."""

    __slots__ = ("_labels",)

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str, str], dict[str, None]] = {}

    def add(self, source: str, target: str, label: str = "", kind: str = "value") -> None:
        """One more; none from a node to itself, which is where a shut graph hides it."""
        if source != target:
            labels = self._labels.setdefault((source, target, kind), {})
            if label:
                labels[label] = None

    def edges(self) -> tuple[Edge, ...]:
        """All of them; where a value flows, that it also orders is not said."""
        flows = {(source, target) for source, target, kind in self._labels if kind != "order"}
        return tuple(
            Edge(source, target, ", ".join(labels), kind)
            for (source, target, kind), labels in self._labels.items()
            if kind != "order" or (source, target) not in flows
        )
