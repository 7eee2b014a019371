"""What happens to the run as a whole: it starts, goes on in another process, is cancelled, ends."""

from opgraph.engine.attempts import give_back
from opgraph.engine.commands import Command, End, Start, Stop
from opgraph.engine.fan import died
from opgraph.engine.phases import Course, Phase
from opgraph.engine.state import State, verdict
from opgraph.engine.steps import begin, call_off, finish, give_up
from opgraph.engine.story import refusal
from opgraph.events import CancelRequested, RunEnded, RunStarted


def taken(state: State, fact: RunStarted, _seq: int) -> list[Command]:
    """NEW: the first process takes the run."""
    state.epoch = fact.epoch
    state.course = Course.GOING
    return begin(state)


def taken_over(state: State, fact: RunStarted, _seq: int) -> list[Command]:
    """GOING, CANCELING, ENDING: the process before has died, and with it every attempt that was under way."""
    if fact.epoch <= state.epoch:
        raise refusal(state, fact, f"epoch {state.epoch} has begun")
    state.epoch = fact.epoch
    for memory in (state.interrupted, state.lost, state.beyond):
        memory.clear()
    canceling = state.course == Course.CANCELING
    for step, phase in enumerate(state.phases):
        if phase in (Phase.STARTING, Phase.RUNNING, Phase.STOPPING):
            if step in state.dying:
                died(state, step)
                continue
            if canceling:
                call_off(state, step)
                continue
            if phase == Phase.STARTING:
                state.attempts[step] -= 1  # nobody knows of it, so its number is free
                state.uncounted[step] = state.uncounted.get(step, 0) - 1
            give_back(state, step, [])
        elif phase == Phase.LOOKING and canceling:
            call_off(state, step)
    return outstanding(state)


def cancelled(state: State, _fact: CancelRequested, _seq: int) -> list[Command]:
    """NEW, GOING: nothing starts any more; what is under way is stopped, what was only asked for is answered."""
    state.course = Course.CANCELING
    commands: list[Command] = []
    for step, phase in enumerate(state.phases):
        if phase in (Phase.WAITING, Phase.DELAYED):
            state.phases[step] = Phase.CANCELED
            give_up(state, step)
            state.cut += 1
            state.left -= 1
        elif phase in (Phase.STARTING, Phase.RUNNING):
            state.phases[step] = Phase.STOPPING
            commands.append(Stop(step, state.attempts[step]))
    if not state.left:
        finish(state, commands)
    return commands


def cancelled_already(_state: State, _fact: CancelRequested, _seq: int) -> list[Command]:
    """CANCELING, ENDING: nothing is left to cancel."""
    return []


def ended(state: State, fact: RunEnded, _seq: int) -> list[Command]:
    """NEW, GOING, CANCELING, ENDING: the run is over, whatever its steps did."""
    state.course = Course.OVER
    state.final = fact.status
    return []


def outstanding(state: State) -> list[Command]:
    """Every command that no fact has answered yet: what a driver does first after it replayed a log."""
    if state.course == Course.ENDING:
        return [End(verdict(state))]
    commands: list[Command] = []
    if state.course != Course.OVER:
        for step, phase in enumerate(state.phases):
            if phase == Phase.STARTING:
                commands.append(Start(step, state.attempts[step]))
            elif phase == Phase.STOPPING:
                commands.append(Stop(step, state.attempts[step]))
            elif step in state.asking:
                commands.append(state.asking[step])
    return commands
