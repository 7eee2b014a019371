"""The steps that a run has made of its templates, for those who read its facts: the engine says which they are."""

from collections.abc import Callable, Iterable, Sequence

from opgraph.engine import EngineError, State, advance, new
from opgraph.engine import program as programs
from opgraph.events import AnyFact, OutputStored, StepReused, StepStarted, StepSucceeded, Stored, ValueLost
from opgraph.plan.model import Plan
from opgraph.plan.past import Past, fold

Facts = Iterable[tuple[int, AnyFact]]


def fans_out(plan: Plan) -> bool:
    """Whether steps may be made of a plan's templates."""
    return any(step.over for step in plan.steps)


class Made:
    """The keys and templates of a run's steps, as its facts come in.

    Where nothing yields a value a second time, they follow from the values alone, in a tenth of the time that the
    engine takes.

    Args:
        plan: the run's plan.
        facts: those that are known already, in the order of the log.
        again: gives the facts from the first one on, should the engine be needed after all; None: it is asked from the
            beginning, because they are not kept.

    Attributes:
        keys: of the steps, by number.
        templates: the step of the plan of which each was made.
        withdrawn: the steps that were made for values that were withdrawn, in the order in which that happened.
    """

    __slots__ = ("_again", "_generators", "_members", "_plan", "_state", "_yielded", "keys", "templates", "withdrawn")

    def __init__(self, plan: Plan, facts: Facts = (), again: Callable[[], Facts] | None = None) -> None:
        self._plan, self._again = plan, again
        self._state: State | None = None
        self.withdrawn: Sequence[int] = ()
        self._yielded: dict[int, set[tuple[str, str]]] | None = None  # by generator; None: the engine knows
        self._members: dict[tuple[int, str], list[int]] = {}  # by dynamic output, the templates that are mapped over it
        for number, step in enumerate(plan.steps):
            if step.over:
                self._members.setdefault((step.over[-1].step, step.over[-1].output), []).append(number)
        self._generators = {step for step, _ in self._members}
        self.keys = [step.key for step in plan.steps]
        self.templates = list(range(len(plan.steps)))
        if self._members and again is not None:
            self._yielded = {}
        elif self._members:
            self._begin_engine()
        for seq, fact in facts:
            self.add(seq, fact)

    def add(self, seq: int, fact: AnyFact) -> None:
        """Take in one fact, in the order of the log."""
        yielded = self._yielded
        if yielded is None:
            self._advance(seq, fact)
        elif isinstance(fact, StepStarted):
            if fact.step in yielded:
                self._ask_the_engine(seq)
        elif isinstance(fact, StepSucceeded):
            if self.templates[fact.step] in self._generators:
                self._came(seq, fact.step, fact.outputs)
        elif isinstance(fact, OutputStored):
            self._came(seq, fact.step, (fact.stored,))
        elif isinstance(fact, StepReused):
            self._came(seq, fact.step, [kept.stored for kept in fact.kept])
        elif isinstance(fact, ValueLost):
            self._ask_the_engine(seq)

    def _came(self, seq: int, step: int, values: Iterable[Stored]) -> None:
        for value in values:
            if value.mapping_key is not None and not self._is_new(step, value):
                self._ask_the_engine(seq)
                return

    def _is_new(self, step: int, value: Stored) -> bool:
        """Number the steps that are made for a value of a fan-out; False: it is not that simple."""
        assert self._yielded is not None
        known = self._yielded.get(step)
        if known is None:
            known = self._yielded[step] = set()
        key, name = value.mapping_key, value.output
        if key is None or (name, key) in known:
            return False
        known.add((name, key))
        generator = self.templates[step]
        inside = f"{self.keys[step].removeprefix(self._plan.steps[generator].key)}[{key}]"
        for template in self._members.get((generator, name), ()):
            self.keys.append(self._plan.steps[template].key + inside)
            self.templates.append(template)
        return True

    def _ask_the_engine(self, until: int) -> None:
        assert self._again is not None
        self._yielded = None
        self._begin_engine()
        del self.keys[len(self._plan.steps) :], self.templates[len(self._plan.steps) :]
        for seq, fact in self._again():
            self._advance(seq, fact)
            if seq >= until:
                return

    def _begin_engine(self) -> None:
        self._state = new(programs.compile(self._plan))
        self.withdrawn = self._state.withdrawn

    def _advance(self, seq: int, fact: AnyFact) -> None:
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

    def is_withdrawn(self, step: int) -> bool:
        """Whether the value for which a step was made was withdrawn."""
        return self._state is not None and bool(self._state.gone[self._state.within[step]])


def past_of(run_id: str, plan: Plan, facts: Facts) -> Past:
    """The past of a run, with the steps that it made."""
    if not fans_out(plan):
        return fold(run_id, plan, facts)
    facts = list(facts)
    made = Made(plan, facts, lambda: facts)
    keys = ["" if made.is_withdrawn(step) else key for step, key in enumerate(made.keys)]
    return fold(run_id, plan, facts, keys)
