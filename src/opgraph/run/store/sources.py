"""Where a step finds what it takes: the stored values of the steps above it, in the fan-outs in which it stands."""

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from opgraph.engine import State
from opgraph.engine.places import ENDED_BADLY, collected_as, enclosing, made_in
from opgraph.events import Kept
from opgraph.plan.model import FromCollected, FromMany, FromMapped, FromStep, Gather, Step


class Found(Struct, frozen=True, gc=False, array_like=True):
    """A value's address, and who makes it: its number and its key. `failed`: there is none, because that failed."""

    maker: int
    key: str
    output: str
    mapping_key: str | None
    kept: Kept | None
    failed: bool = False


Tree: TypeAlias = Any  # pairs of a mapping key and a tree, in order; at last a number, or None where a generator failed


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

    def tree(self, name: str, index: int) -> Tree:
        """What an input collects, by numbers; see `Sources.tree`."""
        return next(tree for other, i, tree in self.trees if i == index and other == name)

    def at(self, number: int) -> Found:
        """What is at a number of a tree."""
        return self.found[number]


class Sources:
    """Looks up what the steps of one run take.

    Args:
        state: the run's.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.kept = state.kept  # the address of an ordinary step's output
        self.keys = [step.key for step in state.program.plan.steps]

    def one(self, step: int, source: FromStep | FromMapped) -> Found:
        """One output, or one value of a fan-out."""
        state = self.state
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

    def tree(self, step: int, name: str, index: int = 0) -> Tree:
        """What an input collects, by slots. Of a list, `index` counts the collected ones in it."""
        state = self.state
        gatherings = [each for each in state.program.gatherings[state.template[step]] if each.input == name]
        return collected_as(state, step, gatherings[index])

    def at(self, slot: int) -> Found:
        """What is at a slot of a tree."""
        state = self.state
        element = state.element_at(slot)
        maker = state.maker[slot]
        key = state.keys[element] if element else None
        kept = state.at(slot)
        failed = kept is None and state.phases[maker] in ENDED_BADLY
        return Found(maker, state.key(maker), state.output_at(slot), key, kept, failed)

    def was_made_again(self, taken: Taken | None, maker: int, output: str, mapping_key: str | None) -> bool:
        """Whether a value that an attempt misses is there again: another step has missed it, too."""
        state = self.state
        slot = state.slot(maker, output, mapping_key)
        if taken is None or slot is None:
            return False
        place = (maker, output, mapping_key)
        was = next((each for each in taken.found if (each.maker, each.output, each.mapping_key) == place), None)
        now = state.at(slot)
        return now is not None and was is not None and was.kept is not None and now != was.kept

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
            if nested is None:
                return None
            return (
                add(self.at(nested)) if isinstance(nested, int) else [(key, numbered(inner)) for key, inner in nested]
            )

        for each in step.inputs:
            if each.nothing and not isinstance(each.source, FromStep):
                continue
            collected = 0
            for i, source in enumerate(each.source.items if isinstance(each.source, FromMany) else (each.source,)):
                if isinstance(source, (FromStep, FromMapped)):
                    taken.ones.append((each.name, i, add(self.one(number, source))))
                elif isinstance(source, FromCollected):
                    taken.trees.append((each.name, collected, numbered(self.tree(number, each.name, collected))))
                    collected += 1
        return taken


_LEFT_OUT: Any = object()  # nothing came
_FAILED: Any = object()


def put_together(
    tree: Tree, levels: tuple[Gather, ...], at: Callable[[int], Found], load: Callable[[Found], Any]
) -> tuple[Any, list[str]]:
    """The values of a tree, as the levels say, and the mapping keys of those that failed and are left out.

    What has no value is left out. A level that does not allow failures has failed itself where something in it has.

    Args:
        tree: what is collected.
        levels: the innermost first.
        at: what a leaf of the tree is.
        load: gives its value.
    """
    without: list[str] = []

    def below(nested: Tree, level: int, above: str) -> Any:
        if nested is None:
            return _FAILED
        if isinstance(nested, int):
            found = at(nested)
            if found.kept is None:
                return _FAILED if found.failed else _LEFT_OUT
            return load(found)
        gather = levels[level]
        pairs: list[Any] = []
        for key, inner in nested:
            value = below(inner, level - 1, f"{above}{key}/" if level else "")
            if value is _FAILED:
                if not gather.allow_failed:
                    return _FAILED
                without.append(above + key)
            elif value is not _LEFT_OUT:
                pairs.append((key, value) if gather.as_dict else value)
        return dict(pairs) if gather.as_dict else pairs

    return below(tree, len(levels) - 1, ""), without
