"""Where a step finds what it takes: the stored values of the steps above it, in the fan-outs in which it stands."""

from typing import Any, TypeAlias

from msgspec import Struct

from opgraph.engine import State
from opgraph.engine.places import collected_as, enclosing, made_in
from opgraph.events import Kept
from opgraph.plan.model import FromCollected, FromMany, FromMapped, FromStep, Gather, Step


class Found(Struct, frozen=True, gc=False, array_like=True):
    """A value's address, and who makes it: its number and its key."""

    maker: int
    key: str
    output: str
    mapping_key: str | None
    kept: Kept | None


Tree: TypeAlias = "list[tuple[str, Found | Tree]]"  # by mapping key, in order


class Taken(Struct, frozen=True, gc=False, array_like=True):
    """All that one step takes, for an attempt that is made where the run's state is not at hand.

    Attributes:
        found: the values.
        ones: by input and place in it (0, unless it is a list): which value it is.
        trees: the same of what is collected: trees of such numbers.
    """

    found: list[Found]
    ones: list[tuple[str, int, int]]
    trees: list[tuple[str, int, Any]]

    def one(self, name: str, index: int) -> Found:
        """One output, or one value of a fan-out."""
        return next(self.found[at] for other, i, at in self.ones if i == index and other == name)

    def all(self, name: str, index: int) -> Any:
        """What an input collects; see `Sources.all`."""

        def filled(nested: Any) -> Any:
            return self.found[nested] if isinstance(nested, int) else [(key, filled(inner)) for key, inner in nested]

        return next(filled(tree) for other, i, tree in self.trees if i == index and other == name)


class Sources:
    """Looks up what the steps of one run take.

    Args:
        state: the run's.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.kept = state.kept  # the address of an ordinary step's output
        self.keys = [step.key for step in state.program.plan.steps]

    def one(self, step: int, source: FromStep | FromMapped) -> Found:
        """One output, or one value of a fan-out."""
        state = self._state
        program = state.program
        if type(source) is FromMapped:
            element = enclosing(state, step, len(program.over[source.step]) + 1)
            slot = state.elements[element]
            maker = state.maker[slot]
            return Found(maker, state.key(maker), source.output, state.keys[element], state.at(slot))
        maker = source.step
        if step >= program.count and program.over[maker]:
            maker = made_in(state, maker, enclosing(state, step, len(program.over[maker])))
            return Found(maker, state.key(maker), source.output, None, state.kept(maker, source.output))
        return Found(maker, self.keys[maker], source.output, None, state.kept(maker, source.output))

    def all(self, step: int, name: str, index: int = 0) -> Tree:
        """What an input collects. Of a list, `index` counts the collected ones in it."""
        state = self._state
        gatherings = [each for each in state.program.gatherings[state.template[step]] if each.input == name]
        each = gatherings[index]

        def found(nested: Any) -> Any:
            if isinstance(nested, int):
                element = state.element_at(nested)
                key = state.keys[element] if element else None
                maker = state.maker[nested]
                return Found(maker, state.key(maker), state.output_at(nested), key, state.at(nested))
            return [(key, found(inner)) for key, inner in nested]

        return found(collected_as(state, step, each))

    def taken(self, number: int, step: Step) -> Taken:
        """All that a step takes, as it stands now.

        Args:
            number: the step.
            step: the step of the plan of which it is made.
        """
        taken = Taken([], [], [])

        def add(found: Found) -> int:
            taken.found.append(found)
            return len(taken.found) - 1

        def numbered(nested: Any) -> Any:
            return add(nested) if isinstance(nested, Found) else [(key, numbered(inner)) for key, inner in nested]

        for each in step.inputs:
            if each.nothing and not isinstance(each.source, FromStep):
                continue
            collected = 0
            for i, source in enumerate(each.source.items if isinstance(each.source, FromMany) else (each.source,)):
                if isinstance(source, (FromStep, FromMapped)):
                    taken.ones.append((each.name, i, add(self.one(number, source))))
                elif isinstance(source, FromCollected):
                    taken.trees.append((each.name, collected, numbered(self.all(number, each.name, collected))))
                    collected += 1
        return taken


def put_together(tree: Any, levels: tuple[Gather, ...], load: Any) -> Any:
    """The values of a tree, as the levels say (the innermost first); what has none is left out."""
    if isinstance(tree, Found):
        return load(tree)
    outer = levels[-1]
    pairs = [(key, put_together(inner, levels[:-1], load)) for key, inner in tree if not _is_empty(inner)]
    return dict(pairs) if outer.as_dict else [value for _, value in pairs]


def _is_empty(inner: Any) -> bool:
    return isinstance(inner, Found) and inner.kept is None
