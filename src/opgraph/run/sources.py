"""Where a step finds what it takes: the stored values of the steps above it, in the fan-outs in which it stands."""

from typing import Any, TypeAlias

from msgspec import Struct

from opgraph.engine import State
from opgraph.engine.places import collected_as, enclosing, made_in
from opgraph.events import Kept
from opgraph.plan.model import FromMapped, FromStep, Gather


class Found(Struct, frozen=True, gc=False):
    """A value's address, and who makes it."""

    maker: int
    output: str
    mapping_key: str | None
    kept: Kept | None


Tree: TypeAlias = "list[tuple[str, Found | Tree]]"  # by mapping key, in order


class Sources:
    """Looks up what the steps of one run take.

    Args:
        state: the run's.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.kept = state.kept
        self.keys = [step.key for step in state.program.plan.steps]

    def one(self, step: int, source: FromStep | FromMapped) -> Found:
        """One output, or one value of a fan-out."""
        state = self._state
        program = state.program
        if type(source) is FromMapped:
            element = enclosing(state, step, len(program.over[source.step]) + 1)
            slot = state.elements[element]
            return Found(state.maker[slot], source.output, state.keys[element], state.at(slot))
        maker = source.step
        if step >= program.count and program.over[maker]:
            maker = made_in(state, maker, enclosing(state, step, len(program.over[maker])))
        return Found(maker, source.output, None, state.kept(maker, source.output))

    def all(self, step: int, name: str, index: int = 0) -> Tree:
        """What an input collects. Of a list, `index` counts the collected ones in it."""
        state = self._state
        gatherings = [each for each in state.program.gatherings[state.template[step]] if each.input == name]
        each = gatherings[index]

        def found(nested: Any) -> Any:
            if isinstance(nested, int):
                element = state.element_at(nested)
                key = state.keys[element] if element else None
                return Found(state.maker[nested], state.output_at(nested), key, state.at(nested))
            return [(key, found(inner)) for key, inner in nested]

        return found(collected_as(state, step, each))

    def key(self, step: int) -> str:
        """A step's key."""
        return self._state.key(step)


def put_together(tree: Any, levels: tuple[Gather, ...], load: Any) -> Any:
    """The values of a tree, as the levels say (the innermost first); what has none is left out."""
    if isinstance(tree, Found):
        return load(tree)
    outer = levels[-1]
    pairs = [(key, put_together(inner, levels[:-1], load)) for key, inner in tree if not _is_empty(inner)]
    return dict(pairs) if outer.as_dict else [value for _, value in pairs]


def _is_empty(inner: Any) -> bool:
    return isinstance(inner, Found) and inner.kept is None
