"""Graphs opened in place: the ops of a graph as nodes, those of its nested graphs in boxes, or one node for each that
is shut."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from itertools import islice

from msgspec import Struct, structs

from opgraph.show.draw.model import Edge, Node
from opgraph.show.draw.names import name_of


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


def fanned(*, mapped: bool, dynamic: bool, count: int = 0) -> str:
    """An op's part in fan-outs: `fan-out` begins one, `\u00d7 30` is run for each value, `\u00d7 n` if not known."""
    return " \u00b7 ".join([f"\u00d7 {count:,}" if count else "\u00d7 n"] * mapped + ["fan-out"] * dynamic)


def arrow(kind: str) -> str:
    """The kind of an edge that takes a fan-out in this way, as a wire's `mapping` says it."""
    return "collect" if "collect" in kind else "map" if kind else "value"


_SAID = 8  # values of one edge that are named in full
_SAME = 3  # edges of one node that may carry the same name


class Arrows:
    """Edges, gathered: one for each pair of nodes and kind, with all that flows along it."""

    __slots__ = ("_flows",)

    def __init__(self) -> None:
        self._flows: dict[tuple[str, str, str], dict[tuple[str, str, str], None]] = {}

    def add(
        self, source: str, target: str, takes: str = "", kind: str = "value", *, gives: str = "", what: str = ""
    ) -> None:
        """One more; none from a node to itself, which is where a shut graph hides it.

        Args:
            source: the id of the node that it comes from.
            target: the id of the node that it goes to.
            takes: the name of the input; "": it goes into none.
            kind: of the edge.
            gives: the name of the output; "": an asset's value, which is named as the asset is.
            what: the type of the value, or what else is known of it.
        """
        if source != target:
            flows = self._flows.setdefault((source, target, kind), {})
            if kind != "order" and (takes or gives or what):
                flows[gives, takes, what] = None

    def edges(self) -> tuple[Edge, ...]:
        """All of them; where a value flows, that it also orders is not said."""
        valued = {(source, target) for source, target, kind in self._flows if kind != "order"}
        inputs: dict[str, set[str]] = {}
        for (_, target, _), flows in self._flows.items():
            inputs.setdefault(target, set()).update(takes for _, takes, _ in flows)
        kept = [key for key in self._flows if key[2] != "order" or key[:2] not in valued]
        names = [
            _names(source, target, self._flows[source, target, kind], inputs[target]) for source, target, kind in kept
        ]
        same = Counter((end, each) for key, name in zip(kept, names, strict=True) for end in key[:2] for each in name)
        edges: list[Edge] = []
        for key, name in zip(kept, names, strict=True):
            source, target, kind = key
            few = [each for each in name if same[source, each] <= _SAME and same[target, each] <= _SAME]
            edges.append(Edge(source, target, _in_short(few), kind, _in_full(self._flows[key])))
        return tuple(edges)


def _names(source: str, target: str, flows: Iterable[tuple[str, str, str]], inputs: Collection[str]) -> list[str]:
    """The outputs' names, or, of ops with one output, the inputs', where there are several; none that stands at the
    edge's end anyway, as the end's name or on a box around it."""
    one, other = ([*filter(None, re.split(r"[./]", end.partition(":")[2]))] for end in (source, target))
    ends = {*one[-1:], *other[-1:], *({*one} ^ {*other})}
    each = (gives if gives not in ("", "result") else takes if len(inputs) > 1 else "" for gives, takes, _ in flows)
    return list(dict.fromkeys(name for name in each if name and name not in ends))


def _in_short(names: Sequence[str]) -> str:
    """The names, or, where they would have to be cut, how many values flow."""
    all_of_them = ", ".join(names)
    return all_of_them if len(names) < 2 or name_of(all_of_them) == all_of_them else f"{len(names)} values"


def _in_full(flows: Collection[tuple[str, str, str]]) -> str:
    lines = [
        ": ".join(part for part in (" \u2192 ".join(name for name in (gives, takes) if name), what) if part)
        for gives, takes, what in islice(flows, _SAID)
    ]
    return "\n".join([*lines, f"and {len(flows) - _SAID:,} more"] if len(flows) > _SAID else lines)
