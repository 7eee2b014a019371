"""An attempt at a step, from its start to its end: the path of every ordinary step, so it is short.

That a fact is about the present attempt is looked at before it comes here (table.py).
"""

from opgraph.engine import fan, loss, retry
from opgraph.engine.commands import Command
from opgraph.engine.phases import Course, Phase
from opgraph.engine.state import State
from opgraph.engine.steps import again, call_off, end, fail, forget
from opgraph.engine.story import refusal
from opgraph.events import (
    AssetReported,
    OutputStored,
    StepFailed,
    StepInterrupted,
    StepStarted,
    StepSucceeded,
    StepWaits,
)

MOST_INTERRUPTIONS = 3  # attempts at one step that may end without a verdict, per epoch, before the step fails

_RUNNING = int(Phase.RUNNING)
_SUCCEEDED = int(Phase.SUCCEEDED)


def started(state: State, fact: StepStarted, _seq: int) -> list[Command]:
    """STARTING: the attempt has begun."""
    state.phases[fact.step] = _RUNNING
    return []


def started_too_late(_state: State, _fact: StepStarted, _seq: int) -> list[Command]:
    """STOPPING: it began before the command to stop reached it."""
    return []


def kept_waiting(_state: State, _fact: StepWaits, _seq: int) -> list[Command]:
    """STARTING: there is no slot of a pool for it yet; nothing follows from it here."""
    return []


def stored(state: State, fact: OutputStored, seq: int) -> list[Command]:
    """RUNNING, STOPPING: an output came while the step goes on."""
    step = fact.step
    if fact.stored.mapping_key is not None:
        return fan.take(state, fact, step, fact.stored, seq)
    slot = state.slot(step, fact.stored.output)
    if slot is None:
        raise refusal(state, fact, f"the step has no output {fact.stored.output!r}", step)
    if step >= state.program.count:
        state.hold(slot, fact.stored, seq)
    else:
        state.values[slot] = fact.stored
        state.seqs[slot] = seq
    return []


def reported(_state: State, _fact: AssetReported, _seq: int) -> list[Command]:
    """RUNNING, STOPPING: the op logged something about an asset; nothing follows from it here."""
    return []


def succeeded(state: State, fact: StepSucceeded, seq: int) -> list[Command]:
    """RUNNING, STOPPING: the step has ended well."""
    step = fact.step
    if state.dying and step in state.dying:
        return fan.died(state, step)
    names = state.program.names[state.template[step]]
    base = state.base[step]
    commands: list[Command] = []
    for value in fact.outputs:
        place = names.get(value.output)
        if place is None:
            raise refusal(state, fact, f"the step has no output {value.output!r}", step)
        if value.mapping_key is not None:
            commands += fan.take(state, fact, step, value, seq)
            continue
        if step >= state.program.count:
            state.hold(base + place, value, seq)
        else:
            state.values[base + place] = value
            state.seqs[base + place] = seq
    if state.live:
        fan.confirm(state, step, state.wanted.get(step), commands)
    if (state.wanted or state.late) and loss.goes_on(state, step):
        return commands + loss.make_late(state, step)
    return commands + end(state, step, _SUCCEEDED) if commands else end(state, step, _SUCCEEDED)


def failed(state: State, fact: StepFailed, _seq: int) -> list[Command]:
    """RUNNING, STOPPING: the attempt has failed; whether another follows is the retry policy's to say."""
    step = fact.step
    if step in state.dying:
        return fan.died(state, step)
    if state.course == Course.CANCELING:
        state.cut += 1
        return fail(state, step)
    seconds = retry.wait(state, step, fact)
    if seconds is None:
        return fail(state, step)
    forget(state, step)
    return retry.delay(state, step, seconds)


def interrupted(state: State, fact: StepInterrupted, _seq: int) -> list[Command]:
    """STARTING, RUNNING, STOPPING: the attempt has ended without a verdict.

    Another follows, which uses up no retry; but not in a cancelled run, nor where a value that the step needs was lost
    twice, nor for ever.
    """
    step = fact.step
    if step in state.dying:
        return fan.died(state, step)
    if state.course == Course.CANCELING:
        return call_off(state, step)
    if loss.is_beyond_repair(state, step):
        return fail(state, step)
    if not state.waits[step]:
        times = state.interrupted.get(step, 0) + 1
        if times > MOST_INTERRUPTIONS:
            return fail(state, step)
        state.interrupted[step] = times
    commands: list[Command] = []
    give_back(state, step, commands)
    return commands


def give_back(state: State, step: int, commands: list[Command]) -> None:
    """The step is pending again, as if this attempt had not been."""
    forget(state, step)
    state.uncounted[step] = state.uncounted.get(step, 0) + 1
    again(state, step, commands)
