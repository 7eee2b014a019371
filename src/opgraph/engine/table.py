"""The table of transitions, and the one door to it."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

from opgraph import events
from opgraph.engine import attempts, course, fan, loss, retry, reuse
from opgraph.engine.commands import Command
from opgraph.engine.phases import Course, Phase
from opgraph.engine.state import FACT_BITS, State
from opgraph.engine.story import FACTS, refusal
from opgraph.events import AnyFact

# A handler takes the class of fact that its row names; a table of them cannot say so in its type.
Handler: TypeAlias = Callable[[State, Any, int], list[Command]]

_P = Phase

# What a step's fact leads to, by the step's phase. What is absent is an error.
STEP_TABLE: Final[dict[type[AnyFact], dict[Phase, Handler]]] = {
    events.StepStarted: {_P.STARTING: attempts.started, _P.STOPPING: attempts.started_too_late},
    events.OutputStored: {_P.RUNNING: attempts.stored, _P.STOPPING: attempts.stored},
    events.StepSucceeded: {_P.RUNNING: attempts.succeeded, _P.STOPPING: attempts.succeeded},
    events.StepFailed: {_P.RUNNING: attempts.failed, _P.STOPPING: attempts.failed},
    events.StepInterrupted: dict.fromkeys((_P.STARTING, _P.RUNNING, _P.STOPPING), attempts.interrupted),
    events.AssetReported: {_P.RUNNING: attempts.reported, _P.STOPPING: attempts.reported},
    events.RetryDue: {_P.DELAYED: retry.due, _P.CANCELED: retry.due_too_late, _P.WITHDRAWN: fan.answered_too_late},
    events.StepSkipped: {_P.SKIPPING: reuse.skipped, _P.WITHDRAWN: fan.answered_too_late},
    events.StepReused: {_P.REUSING: reuse.reused, _P.WITHDRAWN: fan.answered_too_late},
    events.Found: {_P.LOOKING: reuse.found, _P.WITHDRAWN: fan.answered_too_late},
    events.NotFound: {_P.LOOKING: reuse.not_found, _P.WITHDRAWN: fan.answered_too_late},
    events.StepWaits: {_P.STARTING: attempts.kept_waiting},
    events.ValueLost: {
        **dict.fromkeys((_P.SUCCEEDED, _P.REUSED), loss.lost),
        **dict.fromkeys((_P.WAITING, _P.STARTING, _P.RUNNING, _P.STOPPING, _P.DELAYED, _P.SKIPPING), loss.lost_too),
        **dict.fromkeys((_P.SKIPPED, _P.BLOCKED, _P.FAILED, _P.CANCELED, _P.WITHDRAWN), loss.lost_for_good),
    },
}

# The same for facts about the run, by the run's course.
RUN_TABLE: Final[dict[type[AnyFact], dict[Course, Handler]]] = {
    events.RunStarted: {
        Course.NEW: course.taken,
        **dict.fromkeys((Course.GOING, Course.CANCELING, Course.ENDING), course.taken_over),
    },
    events.CancelRequested: {
        **dict.fromkeys((Course.NEW, Course.GOING), course.cancelled),
        **dict.fromkeys((Course.CANCELING, Course.ENDING), course.cancelled_already),
    },
    events.RunEnded: dict.fromkeys((Course.NEW, Course.GOING, Course.CANCELING, Course.ENDING), course.ended),
}

# Why a fact that the tables do not have at some phase is an error there.
REFUSED: Final[dict[type[AnyFact], str]] = {
    events.StepStarted: "only an attempt that was asked for can start, and only once",
    events.OutputStored: "only an attempt under way stores outputs",
    events.StepSucceeded: "only an attempt under way can succeed",
    events.StepFailed: "only an attempt under way can fail",
    events.StepInterrupted: "only an attempt that was asked for and has not ended can be interrupted",
    events.AssetReported: "only an attempt under way reports anything",
    events.RetryDue: "the step waits for no retry",
    events.StepSkipped: "the engine did not ask to skip the step",
    events.StepReused: "the engine did not ask to reuse stored values for the step",
    events.Found: "the engine did not ask whether stored values stand for the step",
    events.NotFound: "the engine did not ask whether stored values stand for the step",
    events.StepWaits: "only a step that may start can wait for a pool",
    events.ValueLost: "no value of the step is in use at this time",
    events.RunStarted: "the run is over",
    events.CancelRequested: "the run is over",
    events.RunEnded: "the run is over, and a final status never changes",
}


def _refuse_at(state: State, fact: Any, _seq: int) -> list[Command]:
    raise refusal(state, fact, REFUSED[type(fact)], fact.step)


_STEP_ROWS = {
    kind: (code, "attempt" in kind.__struct_fields__, tuple(STEP_TABLE[kind].get(phase, _refuse_at) for phase in Phase))
    for code, kind in enumerate(FACTS)
    if kind in STEP_TABLE
}
_OVER = int(Course.OVER)


def advance(state: State, fact: AnyFact, seq: int = 0) -> list[Command]:
    """Take in one fact; say what is to be done now.

    The only way in which a state changes. The same facts in the same order give the same state and the same commands.

    Args:
        state: the run's state; changed in place.
        fact: what happened.
        seq: the fact's number in the run's log, kept as the address of the values that it announces.

    Returns:
        The commands that follow from this fact, in the order of the plan where several steps become ready.

    Raises:
        EngineError: the fact cannot follow those before it.

    Example:
        >>> from opgraph.engine import program, state
        >>> from opgraph.events import RunStarted
        >>> from opgraph.plan.model import Plan
        >>> advance(state.new(program.compile(Plan(job="empty", steps=()))), RunStarted(time=0.0, epoch=1))
        [End(status=<RunStatus.SUCCESS: 'SUCCESS'>)]
    """
    row = _STEP_ROWS.get(fact.__class__)
    if row is None:
        return _advance_run(state, fact, seq)
    about = cast("events.StepStarted", fact)  # or another of the classes that have a step
    step = about.step
    code, is_of_attempt, handlers = row
    if state.course == _OVER:
        raise refusal(state, fact, "the run is over", step)
    handler = handlers[state.phases[step]]
    if is_of_attempt and about.attempt != state.attempts[step] and handler is not _refuse_at:
        raise refusal(state, fact, "it is about another attempt", step)
    commands = handler(state, fact, seq)
    state.trail.append(step << FACT_BITS | code)
    return commands


def _advance_run(state: State, fact: AnyFact, seq: int) -> list[Command]:
    kind = type(fact)
    handler = RUN_TABLE[kind].get(state.course)
    if handler is None:
        raise refusal(state, fact, REFUSED[kind])
    commands = handler(state, fact, seq)
    state.trail.append(-1 << FACT_BITS | FACTS.index(kind))
    return commands
