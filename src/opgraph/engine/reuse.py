"""A step for which stored values stand, or that is skipped: ends without an attempt."""

from opgraph.engine import fan, loss
from opgraph.engine.commands import Command, Reuse
from opgraph.engine.phases import Course, Phase
from opgraph.engine.program import RUN
from opgraph.engine.state import State
from opgraph.engine.steps import again, ask, call_off, end, give_up
from opgraph.engine.story import refusal
from opgraph.events import Found, NotFound, StepReused, StepSkipped


def found(state: State, fact: Found, _seq: int) -> list[Command]:
    """LOOKING: stored values have the step's fingerprint."""
    commands: list[Command] = []
    ask(state, fact.step, Phase.REUSING, Reuse(fact.step, fact.kept), commands)
    return commands


def not_found(state: State, fact: NotFound, _seq: int) -> list[Command]:
    """LOOKING: the step must run."""
    step = fact.step
    if state.course == Course.CANCELING:
        return call_off(state, step)
    del state.asking[step]
    state.decisions[step] = RUN
    commands: list[Command] = []
    again(state, step, commands)
    return commands


def reused(state: State, fact: StepReused, _seq: int) -> list[Command]:
    """REUSING: stored values stand for the step."""
    step = fact.step
    commands: list[Command] = []
    for kept in fact.kept:
        slot = state.slot(step, kept.stored.output)
        if slot is None:
            raise refusal(state, fact, f"the step has no output {kept.stored.output!r}", step)
        if kept.stored.mapping_key is not None:
            commands += fan.take(state, fact, step, kept, 0)
            continue
        state.values[slot] = kept
    del state.asking[step]
    if state.late and loss.goes_on(state, step):
        return commands + loss.make_late(state, step)
    return commands + end(state, step, Phase.REUSED)


def skipped(state: State, fact: StepSkipped, _seq: int) -> list[Command]:
    """SKIPPING: the step will not run."""
    step = fact.step
    give_up(state, step)
    if not fact.blocked:
        return end(state, step, Phase.SKIPPED)
    state.failed += 1
    return end(state, step, Phase.BLOCKED)
