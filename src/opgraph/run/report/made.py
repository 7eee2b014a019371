"""The steps that a run has made of its templates, for those who read its facts: the engine says which they are."""

from collections.abc import Iterable, Sequence

from opgraph.engine import EngineError, State, advance, new
from opgraph.engine import program as programs
from opgraph.events import AnyFact
from opgraph.plan.model import Plan
from opgraph.plan.past import Past, fold


def fans_out(plan: Plan) -> bool:
    """Whether steps may be made of a plan's templates."""
    return any(step.over for step in plan.steps)


class Made:
    """The keys and templates of a run's steps, as its facts come in.

    Args:
        plan: the run's plan.
        facts: those that are known already, in the order of the log.
    """

    __slots__ = ("_state", "keys", "templates")

    def __init__(self, plan: Plan, facts: Iterable[tuple[int, AnyFact]] = ()) -> None:
        self._state: State | None = new(programs.compile(plan)) if fans_out(plan) else None
        self.keys = [step.key for step in plan.steps]
        self.templates = list(range(len(plan.steps)))
        for seq, fact in facts:
            self.add(seq, fact)

    def add(self, seq: int, fact: AnyFact) -> None:
        """Take in one fact, in the order of the log."""
        state = self._state
        if state is None:
            return
        try:
            advance(state, fact, seq)
        except EngineError:  # a log that no run could have: whoever drives it says so
            self._state = None
            return
        for number in range(len(self.keys), len(state.phases)):
            self.keys.append(state.key(number))
            self.templates.append(state.template[number])

    @property
    def withdrawn(self) -> Sequence[int]:
        """The steps that were made for values that were withdrawn, in the order in which that happened."""
        return self._state.withdrawn if self._state is not None else ()

    def is_withdrawn(self, step: int) -> bool:
        """Whether the value for which a step was made was withdrawn."""
        return self._state is not None and bool(self._state.gone[self._state.within[step]])


def past_of(run_id: str, plan: Plan, facts: Iterable[tuple[int, AnyFact]]) -> Past:
    """The past of a run, with the steps that it made."""
    if not fans_out(plan):
        return fold(run_id, plan, facts)
    facts = list(facts)
    made = Made(plan, facts)
    keys = ["" if made.is_withdrawn(step) else key for step, key in enumerate(made.keys)]
    return fold(run_id, plan, facts, keys)
