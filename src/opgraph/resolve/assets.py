"""The asset graph: every asset by its key, what makes it, and exactly what it is made from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary, ref

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.ops.op import OpDefinition
from opgraph.errors import InvalidDefinitionError, Source
from opgraph.keys import AssetKey, near_misses
from opgraph.resolve.collect import collected
from opgraph.resolve.flatten import Flat, Many, Origin, OuterInput, StepOut, flatten, level_of
from opgraph.resolve.mistakes import DuplicateAssetKey, DuplicateNode, UnknownUpstream


class Unit:
    """One asset definition with its op or graph made flat, and the op output at which each of its assets is made."""

    __slots__ = (
        "_definition", "_named", "_parents", "at", "fanned", "flat", "key_at", "key_of_input", "manager_at", "mistakes",
        "name", "passed",
    )  # fmt: skip

    def __init__(self, definition: AssetsDefinition, name: str = "") -> None:
        self._definition = ref(definition)  # weak: the unit is kept with the definition, which must be free to go
        self.mistakes: Sequence[InvalidDefinitionError] | None = None  # in how it is wired, once `verify` has looked
        self.name = name or definition.node_name
        self.flat: Flat = collected(flatten(definition.node_def, (self.name,)))
        self.key_of_input: Mapping[str, AssetKey] = definition.argument_keys
        self.at: dict[AssetKey, tuple[int, str]] = {}  # asset -> (step, output)
        self.key_at: dict[tuple[int, str], AssetKey] = {}
        self.manager_at: dict[tuple[int, str], str] = {}  # (step, output) -> the I/O manager given for the asset
        self.passed: list[str] = []  # outputs that hand an input through: a mistake, found by `verify`
        self.fanned: list[str] = []  # outputs that are fan-outs: the same
        for output, key in definition.keys_by_output_name.items():
            origin = self.flat.returns.get(output)
            if isinstance(origin, StepOut):
                if level_of(origin, self.flat.steps):
                    self.fanned.append(output)
                self.at[key] = (origin.step, origin.output)
                self.key_at.setdefault((origin.step, origin.output), key)
                if output in definition.io_manager_keys:
                    self.manager_at[origin.step, origin.output] = definition.io_manager_keys[output]
            elif origin is not None:  # else the graph's body did not return it, and that was said
                self.passed.append(output)
        self._parents: dict[AssetKey, tuple[AssetKey, ...]] | None = None
        self._named: dict[AssetKey, tuple[AssetKey, ...]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"_definition": self.definition}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, ref(value) if name == "_definition" else value)

    @property
    def definition(self) -> AssetsDefinition:
        """What it was made from. Whoever holds units holds their definitions too."""
        definition = self._definition()
        assert definition is not None
        return definition

    @property
    def source(self) -> Source | None:
        """Where it was declared."""
        return self.definition.source

    def parents(self, key: AssetKey) -> tuple[AssetKey, ...]:
        """The assets that this one is made from: what its op output depends on, per output, and what `deps` say."""
        if self._parents is None:
            self._parents = self._find_parents()
        return self._parents.get(key, ())

    def only_named(self, key: AssetKey) -> tuple[AssetKey, ...]:
        """The upstream assets that only `deps` name: ordering, with nothing to load."""
        if key not in self._named:
            inputs = set(self.key_of_input.values())
            spec = self.definition.specs_by_key[key]
            own = self.definition.specs_by_key
            self._named[key] = tuple(
                dep.asset_key for dep in spec.deps if dep.asset_key not in inputs and dep.asset_key not in own
            )
        return self._named[key]

    def _find_parents(self) -> dict[AssetKey, tuple[AssetKey, ...]]:
        explicit, specs = self.definition.explicit_deps, self.definition.specs_by_key
        if isinstance(self.definition.node_def, OpDefinition):
            every = tuple(dict.fromkeys(self.key_of_input.values()))
            return {
                key: tuple(explicit[key])
                if explicit is not None and key in explicit
                else _union(every, (dep.asset_key for dep in spec.deps))
                for key, spec in specs.items()
            }
        traced = self._trace()
        return {
            key: tuple(explicit[key])
            if explicit is not None and key in explicit
            else _union(traced.get(key, ()), self.only_named(key), _siblings(specs, spec))
            for key, spec in specs.items()
        }

    def _trace(self) -> dict[AssetKey, tuple[AssetKey, ...]]:
        """For each asset the assets that reach it through the ops, stopping at an asset on the way."""
        keys: list[AssetKey] = []
        number: dict[AssetKey, int] = {}

        def bit(key: AssetKey) -> int:
            if key not in number:
                number[key] = len(keys)
                keys.append(key)
            return 1 << number[key]

        reach: list[int] = []  # for each step: what its outputs are made from, as bits

        def of(origin: Origin) -> int:
            if isinstance(origin, StepOut):
                key = self.key_at.get((origin.step, origin.output))
                return bit(key) if key is not None else reach[origin.step]
            if isinstance(origin, OuterInput):
                key = self.key_of_input.get(origin.name)
                return bit(key) if key is not None else 0
            if isinstance(origin, Many):
                bits = 0
                for item in origin.items:
                    bits |= of(item)
                return bits
            return 0

        for step in self.flat.steps:
            bits = 0
            for origin in step.inputs.values():
                bits |= of(origin)
            reach.append(bits)
        return {key: tuple(k for i, k in enumerate(keys) if reach[step] >> i & 1) for key, (step, _) in self.at.items()}


_NEAR_SEARCHES = 100_000  # pairs of names compared, about 2 s


_units: WeakKeyDictionary[AssetsDefinition, Unit] = WeakKeyDictionary()


def unit_of(definition: AssetsDefinition) -> Unit:
    """The unit of a definition: worked out once, since a definition never changes."""
    unit = _units.get(definition)
    if unit is None:
        unit = _units[definition] = Unit(definition)
    return unit


def _siblings(specs: Mapping[AssetKey, AssetSpec], spec: AssetSpec) -> Iterator[AssetKey]:
    return (dep.asset_key for dep in spec.deps if dep.asset_key in specs)


def _union(*groups: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
    return tuple(dict.fromkeys(key for group in groups for key in group))


class AssetNode:
    """One asset: its spec, the unit that makes it (None: it is external), its parents."""

    __slots__ = ("key", "parents", "spec", "stub", "unit")

    def __init__(
        self, key: AssetKey, spec: AssetSpec, unit: Unit | None, parents: tuple[AssetKey, ...], stub: bool = False
    ) -> None:
        self.key, self.spec, self.unit, self.parents, self.stub = key, spec, unit, parents, stub

    @property
    def group(self) -> str:
        """The group it is shown in."""
        return self.spec.group_name or "default"


class AssetGraph:
    """All assets of a project.

    `problems` holds what is wrong with the set as a whole: two definitions of one key, unknown upstreams.
    """

    def __init__(self, definitions: Sequence[AssetsDefinition], specs: Sequence[AssetSpec]) -> None:
        self.definitions = list(definitions)
        self.problems: list[InvalidDefinitionError] = []
        self.units: list[Unit] = []
        self.nodes: dict[AssetKey, AssetNode] = {}
        by_name: dict[str, list[AssetsDefinition]] = {}
        for definition in definitions:
            if not definition.is_executable:
                specs = [*specs, *definition.specs]
                continue
            self._add_unit(definition, by_name)
        for spec in specs:
            if spec.key in self.nodes:
                known = self.nodes[spec.key]
                if known.unit is not None or known.spec is not spec:
                    place = known.unit.source if known.unit is not None else None
                    self.problems.append(DuplicateAssetKey(spec.key, [place, getattr(spec, "source", None)]))
                continue
            self.nodes[spec.key] = AssetNode(spec.key, spec, None, tuple(dep.asset_key for dep in spec.deps))
        self._check_upstreams()

    def _add_unit(self, definition: AssetsDefinition, by_name: dict[str, list[AssetsDefinition]]) -> None:
        others = by_name.setdefault(definition.node_name, [])
        others.append(definition)
        same = others[0].node_def is definition.node_def
        if not same and not others[0].specs_by_key.keys() & definition.specs_by_key.keys():
            self.problems.append(DuplicateNode(definition.node_name, where=definition.source))
        try:  # one graph used for several assets is `name`, `name_2`, …
            unit = (
                unit_of(definition) if len(others) == 1 else Unit(definition, f"{definition.node_name}_{len(others)}")
            )
        except InvalidDefinitionError as problem:
            self.problems.append(problem)
            return
        self.units.append(unit)
        for key, spec in definition.specs_by_key.items():
            if key in self.nodes:
                first = self.nodes[key].unit
                self.problems.append(DuplicateAssetKey(key, [first.source if first else None, definition.source]))
                continue
            self.nodes[key] = AssetNode(key, spec, unit, unit.parents(key))

    def _check_upstreams(self) -> None:
        """Every parent exists; one that only `deps` name, and that resembles no other, becomes an external asset."""
        unknown = [(node, p) for node in self.nodes.values() for p in node.parents if p not in self.nodes]
        if not unknown:
            return
        stubs: dict[AssetKey, AssetNode] = {}
        texts = [key.text for key in self.nodes]
        only_deps = {parent for node, parent in unknown if not _parameter(node.unit, parent)}
        left = max(_NEAR_SEARCHES // len(texts), 3)
        search = len(only_deps) <= left  # who names this many has not mistyped them: they are made elsewhere
        for node, parent in unknown:
            if parent in stubs:
                continue
            parameter, near = _parameter(node.unit, parent), list[str]()
            if search if not parameter else left > 0:
                left -= 1
                near = near_misses(parent.text, (text for text in texts if text != node.key.text))
            if parameter or near:
                where = node.unit.source if node.unit is not None else getattr(node.spec, "source", None)
                self.problems.append(UnknownUpstream(node.key, parent, parameter, where, near))
            else:
                stubs[parent] = AssetNode(parent, AssetSpec(parent), None, (), stub=True)
        self.nodes.update(stubs)

    def __contains__(self, key: object) -> bool:
        return key in self.nodes

    @cached_property
    def children(self) -> Mapping[AssetKey, tuple[AssetKey, ...]]:
        """For each asset the assets made from it."""
        found: dict[AssetKey, list[AssetKey]] = {key: [] for key in self.nodes}
        for node in self.nodes.values():
            for parent in node.parents:
                if parent in found and parent != node.key:
                    found[parent].append(node.key)
        return {key: tuple(keys) for key, keys in found.items()}

    @cached_property
    def materializable(self) -> frozenset[AssetKey]:
        """The assets that something here can make."""
        return frozenset(key for key, node in self.nodes.items() if node.unit is not None)

    def in_order(self) -> list[AssetKey]:
        """All keys, parents first; those on a circle last, in the order in which they were given."""
        ready, stuck = self._sort()
        return [*ready, *stuck]

    def _sort(self) -> tuple[list[AssetKey], list[AssetKey]]:
        """The keys that have an order, parents first, and those that are on a circle or after one."""
        waiting = {key: sum(1 for p in node.parents if p in self.nodes) for key, node in self.nodes.items()}
        ready = [key for key, count in waiting.items() if count == 0]
        for key in ready:
            for child in self.children[key]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
        return ready, [key for key, count in waiting.items() if count > 0]

    def circle(self) -> list[AssetKey]:
        """Some assets that depend on one another in a circle, in the order of the circle, the
        first that was declared first; empty: there are none."""
        for key, node in self.nodes.items():
            if key in node.parents:
                return [key]
        stuck = dict.fromkeys(self._sort()[1])
        if not stuck:
            return []
        key = next(iter(stuck))
        path: dict[AssetKey, None] = {}
        while key not in path:  # each of these has a parent among them, so going back ends on a circle
            path[key] = None
            key = next(p for p in self.nodes[key].parents if p in stuck)
        passed = list(path)
        circle = list(reversed(passed[passed.index(key) :]))
        first = circle.index(next(key for key in stuck if key in path and key in circle))
        return [*circle[first:], *circle[:first]]


def _parameter(unit: Unit | None, parent: AssetKey) -> str:
    if unit is None:
        return ""
    return next(
        (name for name, key in unit.key_of_input.items() if key == parent and not unit_input_is_nothing(unit, name)), ""
    )


def unit_input_is_nothing(unit: Unit, name: str) -> bool:
    """Whether an input of a unit only orders: every op input that it feeds is a `Nothing` input."""
    node = unit.definition.node_def
    if isinstance(node, OpDefinition):
        return node.ins[name].is_nothing
    for step in unit.flat.steps:
        for i, origin in step.inputs.items():
            items = origin.items if isinstance(origin, Many) else (origin,)
            if (
                any(isinstance(item, OuterInput) and item.name == name for item in items)
                and not step.op.ins[i].is_nothing
            ):
                return False
    return True
