"""The table of transitions says something about every fact at every phase."""

import typing

import pytest
from engine_diagram import LEADS_TO

from opgraph.engine import Course, EngineError, Phase, advance, new, program
from opgraph.engine.story import FACTS, RUN_FACTS, STEP_FACTS
from opgraph.engine.table import REFUSED, RUN_TABLE, STEP_TABLE
from opgraph.events import AnyFact, ErrorInfo, Place, RunEnded, RunStatus, StepStarted, Stored
from opgraph.plan.model import Decision, Do, Plan, Role, Step, StepOutput

EXAMPLE = {
    "step": 0,
    "attempt": 1,
    "time": 0.0,
    "epoch": 1,
    "status": RunStatus.SUCCESS,
    "stored": Stored("result", Place.INLINE),
    "error": ErrorInfo("E", "m"),
    "because": 0,
    "kept": (),
    "output": "result",
    "asset": "a",
    "pool": "p",
}


def example(kind):
    return kind(**{name: EXAMPLE[name] for name in kind.__struct_fields__ if name in EXAMPLE})


def one_step(phase, course=Course.GOING):
    output = StepOutput("result", Role.NEEDED)
    plan = Plan(job="one", steps=(Step("one", "one", "one", (), (output,), Decision(Do.RUN, "job")),))
    state = new(program.compile(plan), "run")
    state.phases[0] = phase
    state.attempts[0] = 1
    state.course = course
    return state


def test_every_class_of_fact_has_a_row():
    """The tables together have a row for every class of fact, and a reason for refusing it."""
    assert set(STEP_TABLE) == set(STEP_FACTS)
    assert set(RUN_TABLE) == set(RUN_FACTS)
    assert set(REFUSED) == set(FACTS) == set(typing.get_args(AnyFact))


def test_every_handler_that_moves_a_step_is_in_the_diagram():
    """The diagram speaks of handlers of the table only."""
    assert set(LEADS_TO) <= {handler for row in STEP_TABLE.values() for handler in row.values()}


@pytest.mark.parametrize("kind", STEP_FACTS)
@pytest.mark.parametrize("phase", Phase)
def test_a_fact_about_a_step_is_taken_in_or_refused_with_a_reason(phase, kind):
    """Where the table has no handler, the error gives the documented reason and the step's key and phase."""
    if phase in STEP_TABLE[kind]:
        assert STEP_TABLE[kind][phase].__doc__.partition(":")[0], "says at which phases it is used"
        assert phase.name in STEP_TABLE[kind][phase].__doc__ or STEP_TABLE[kind][phase].__name__ == "lost_too"
        return
    state = one_step(phase)
    with pytest.raises(EngineError) as caught:
        advance(state, example(kind))
    assert caught.value.problem == REFUSED[kind]
    assert "'one'" in str(caught.value)
    assert phase.name in str(caught.value)
    assert state.phase(0) == phase


@pytest.mark.parametrize("kind", RUN_FACTS)
@pytest.mark.parametrize("course", Course)
def test_a_fact_about_the_run_is_taken_in_or_refused_with_a_reason(course, kind):
    """A run that is over takes in nothing; before that every fact about the run has a handler."""
    assert (course in RUN_TABLE[kind]) == (course != Course.OVER)
    if course == Course.OVER:
        with pytest.raises(EngineError, match=REFUSED[kind]):
            advance(one_step(Phase.SUCCEEDED, course), example(kind))


@pytest.mark.parametrize("kind", STEP_FACTS)
@pytest.mark.parametrize("phase", Phase)
def test_a_run_that_is_over_takes_in_nothing(phase, kind):
    """After RunEnded no fact about a step is taken in, whatever the step's phase was."""
    state = one_step(phase)
    advance(state, RunEnded(0.0, RunStatus.FAILURE))
    with pytest.raises(EngineError, match="the run is over"):
        advance(state, example(kind))


def test_a_fact_about_another_attempt_is_refused():
    """A fact that an earlier or later attempt sent is no fact about this one."""
    for kind, row in STEP_TABLE.items():
        if "attempt" in kind.__struct_fields__:
            for phase in row:
                state = one_step(phase)
                state.attempts[0] = 2
                with pytest.raises(EngineError, match="about another attempt"):
                    advance(state, example(kind))


def test_an_unknown_output_is_refused():
    """A value of an output that the step does not have is an error that names the output."""
    for kind in STEP_TABLE:
        for phase, field in ((Phase.RUNNING, "stored"), (Phase.SUCCEEDED, "output")):
            if field in kind.__struct_fields__ and phase in STEP_TABLE[kind]:
                other = {"stored": Stored("other", Place.INLINE), "output": "other"}
                fact = kind(**{n: {**EXAMPLE, **other}[n] for n in kind.__struct_fields__ if n in EXAMPLE})
                with pytest.raises(EngineError, match="no output 'other'"):
                    advance(one_step(phase), fact)


def test_the_error_tells_the_story_of_the_step():
    """The error lists the facts about the step so far, with their numbers in the run."""
    state = one_step(Phase.STARTING)
    advance(state, StepStarted(0, 1, 0.0))
    with pytest.raises(EngineError) as caught:
        advance(state, StepStarted(0, 1, 0.0))
    assert caught.value.story == ((1, "StepStarted"),)
    assert "1 StepStarted" in str(caught.value)
