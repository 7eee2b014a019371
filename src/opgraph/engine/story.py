"""The error for a fact that cannot follow those before it, with the step's story."""

from typing import get_args

from opgraph.engine.phases import Phase
from opgraph.engine.state import State
from opgraph.errors import Error
from opgraph.events import AnyFact, CancelRequested, Fact, RunEnded, RunStarted

# A fact's class is its place here in the trail that a state keeps.
FACTS: tuple[type[AnyFact], ...] = get_args(AnyFact)
RUN_FACTS: tuple[type[AnyFact], ...] = (RunStarted, CancelRequested, RunEnded)
STEP_FACTS = tuple(kind for kind in FACTS if kind not in RUN_FACTS)


class EngineError(Error):
    """A fact that cannot follow those before it: a bug of the shell, or a damaged log.

    `story` holds the facts about the step so far, as pairs: the fact's number among the run's facts, from 1, and the
    name of its class.
    """

    def __init__(
        self, where_it_is: str, attempt: int, fact: Fact, problem: str, story: tuple[tuple[int, str], ...]
    ) -> None:
        self.where_it_is = where_it_is
        self.attempt = attempt
        self.fact = fact
        self.problem = problem
        self.story = story
        told = ", ".join(f"{number} {name}" for number, name in story) or "nothing"
        super().__init__(
            f"{type(fact).__name__} is out of place: {problem}\n"
            f"  {where_it_is}, attempt {attempt}; facts about it so far: {told}\n"
            f"  this one: {fact}",
            fix="report it with the run's record; `opgraph resume` makes a new run from the values that are stored",
        )


def refusal(state: State, fact: Fact, problem: str, step: int = -1) -> EngineError:
    """The error to raise for this fact."""
    story = tuple((number, FACTS[code].__name__) for number, code in state.story(step))
    if not 0 <= step < len(state.phases):
        return EngineError(f"the run is {state.course.name}", state.epoch, fact, problem, story)
    where = f"step {state.key(step)!r} is {Phase(state.phases[step]).name}, the run {state.course.name}"
    return EngineError(where, state.attempts[step], fact, problem, story)
