"""Selections, resolved: from a tree of set operations to the keys it means."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase

from opgraph.declare.assets import selection as s
from opgraph.keys import AssetKey, near_misses
from opgraph.resolve.assets import AssetGraph
from opgraph.resolve.mistakes import NothingSelected, UnknownSelected

Keys = frozenset[AssetKey]
Recorded = Callable[[Sequence[str]], AbstractSet[str]]


def select(graph: AssetGraph, selection: s.AssetSelection, recorded: Recorded = lambda _: frozenset()) -> Keys:
    """The keys that a selection means, external assets included.

    Raises:
        UnknownSelected: it names a key that does not exist.
    """
    return _Resolver(graph, recorded, external=False).of(selection)


def select_to_run(graph: AssetGraph, selection: s.AssetSelection, text: str, recorded: Recorded) -> Keys:
    """The keys of a selection that can be materialized.

    Raises:
        UnknownSelected: it names a key that does not exist.
        NothingSelected: there are none.
    """
    keys = select(graph, selection, recorded)
    chosen = keys & graph.materializable
    if not chosen:
        raise NothingSelected(text, sorted(keys))
    return chosen


class _Resolver:
    """Reads a tree. With `external`, conditions hold for external assets too."""

    def __init__(self, graph: AssetGraph, recorded: Recorded, *, external: bool) -> None:
        self.graph, self.recorded = graph, recorded
        made = graph.materializable
        self.pool = {key: node for key, node in graph.nodes.items() if external or key in made}

    def of(self, tree: s.AssetSelection) -> Keys:  # noqa: PLR0911 - one a kind
        """The keys that a selection means."""
        nodes, pool = self.graph.nodes, self.pool
        match tree:
            case s.All():
                return frozenset(nodes) if tree.external else self.graph.materializable
            case s.Keys():
                return frozenset(self._known(key) for key in tree.keys)
            case s.KeyWildcard():
                return frozenset(key for key in nodes if fnmatchcase(key.text, tree.pattern))
            case s.KeyPrefixes():
                return frozenset(key for key in pool if any(key.has_prefix(prefix) for prefix in tree.prefixes))
            case s.KeySubstring():
                return frozenset(key for key in pool if tree.text in key.text)
            case s.Groups():
                return frozenset(key for key, node in pool.items() if node.group in tree.names)
            case s.Tag():
                return self._where(lambda tags: tree.key in tags and tree.value in (None, tags[tree.key]))
            case s.Kind():
                return frozenset(
                    key
                    for key, node in pool.items()
                    if (tree.kind in node.spec.kinds if tree.kind is not None else not node.spec.kinds)
                )
            case s.Owner():
                return frozenset(
                    key
                    for key, node in pool.items()
                    if (tree.owner in node.spec.owners if tree.owner is not None else not node.spec.owners)
                )
            case s.And():
                first, *others = (self.of(each) for each in tree.operands)
                return first.intersection(*others)
            case s.Or():
                return frozenset[AssetKey]().union(*(self.of(each) for each in tree.operands))
            case s.Sub():
                return self.of(tree.left) - self.of(tree.right)
            case s.Missing():
                pool = self.of(tree.child) if tree.child is not None else self.graph.materializable
                have = self.recorded(sorted(key.text for key in pool))
                return frozenset(key for key in pool if key.text not in have)
            case _:
                return self._around(tree)

    def _around(self, tree: s.AssetSelection) -> Keys:
        """The selections that follow dependencies."""
        nodes, children = self.graph.nodes, self.graph.children
        parents = {key: node.parents for key, node in nodes.items()}
        match tree:
            case s.Upstream():
                start = self.of(tree.child)
                found = self._walk(start, parents, tree.depth)
                return found | start if tree.include_self else found - start
            case s.Downstream():
                start = self.of(tree.child)
                found = self._walk(start, children, tree.depth)
                return found | start if tree.include_self else found - start
            case s.Roots():
                start = self.of(tree.child)
                return start - self._walk(start, children, None)
            case s.Sinks():
                start = self.of(tree.child)
                return start - self._walk(start, parents, None)
            case s.External():
                return _Resolver(self.graph, self.recorded, external=True).of(tree.child)
            case s.Materializable():
                return self.of(tree.child) & self.graph.materializable
            case s.Sources():
                start = self.of(tree.child)
                found = start | self._walk(start, parents, None)
                return frozenset(key for key in found if not parents[key])
            case s.UpstreamExternal():
                found = self._walk(self.of(tree.child), parents, None)
                return frozenset(key for key in found if nodes[key].unit is None)
            case s.Siblings():
                start = self.of(tree.child)
                units = {id(nodes[key].unit): nodes[key].unit for key in start}
                together = (
                    u.definition.specs_by_key for u in units.values() if u is not None and not u.definition.can_subset
                )
                return start.union(*together)
            case _:
                raise AssertionError(tree)

    def _walk(self, start: Iterable[AssetKey], edges: Mapping[AssetKey, Sequence[AssetKey]], depth: int | None) -> Keys:
        """What can be reached from the start in so many steps."""
        found: set[AssetKey] = set()
        todo = deque((key, 0) for key in start)
        while todo:
            key, steps = todo.popleft()
            if depth is not None and steps >= depth:
                continue
            for other in edges[key]:
                if other not in found and other in self.graph.nodes:
                    found.add(other)
                    todo.append((other, steps + 1))
        return frozenset(found)

    def _where(self, test: Callable[[Mapping[str, str]], bool]) -> Keys:
        return frozenset(key for key, node in self.pool.items() if test(node.spec.tags))

    def _known(self, key: AssetKey) -> AssetKey:
        if key not in self.graph.nodes:
            near = near_misses(key.text, (other.text for other in self.graph.nodes))
            raise UnknownSelected(key.text, near, len(self.graph.nodes))
        return key
