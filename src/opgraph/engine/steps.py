"""The moves of which every transition is made: a step settles, starts, ends."""

from opgraph.engine.commands import Command, End, LookUp, Reuse, Skip, Start
from opgraph.engine.phases import Course, Phase
from opgraph.engine.program import DECIDE, REUSE
from opgraph.engine.state import State, verdict

_WAITING = int(Phase.WAITING)
_STARTING = int(Phase.STARTING)
ENDED_BADLY = (Phase.FAILED, Phase.BLOCKED, Phase.CANCELED)


def forget(state: State, step: int) -> None:
    """What an unsuccessful attempt stored does not count; the next one makes it, and what was missed meanwhile."""
    wanted = state.wanted.get(step)
    if wanted is not None and step in state.late:
        wanted |= state.late.pop(step)
    base = state.program.base[step]
    for name, place in state.program.names[step].items():
        if wanted is None or name in wanted:
            state.values[base + place] = None


def give_up(state: State, step: int) -> None:
    """The step ends without success: nothing that it stored counts, nothing is asked of it any more."""
    state.asking.pop(step, None)
    state.wanted.pop(step, None)
    state.late.pop(step, None)
    forget(state, step)


def start(state: State, step: int, commands: list[Command]) -> None:
    """Ask for the next attempt."""
    state.phases[step] = _STARTING
    attempt = state.attempts[step] + 1
    state.attempts[step] = attempt
    commands.append(Start(step, attempt))


def ask(state: State, step: int, phase: Phase, command: Command, commands: list[Command]) -> None:
    """Ask for something that one fact will answer."""
    state.phases[step] = phase
    state.asking[step] = command
    commands.append(command)


def settle(state: State, step: int, commands: list[Command]) -> None:
    """Decide what becomes of a step whose upstream steps have all ended."""
    values = state.values
    for slot in state.program.needs[step]:
        if values[slot] is None:
            skip = missing(state, step)
            assert skip is not None
            return ask(state, step, Phase.SKIPPING, skip, commands)
    if state.program.groups[step] and (skip := missing(state, step)) is not None:
        return ask(state, step, Phase.SKIPPING, skip, commands)
    if state.decisions[step] == DECIDE:
        fingerprint = state.program.plan.steps[step].decision.fingerprint
        return ask(state, step, Phase.LOOKING, LookUp(step, fingerprint), commands)
    return start(state, step, commands)


def missing(state: State, step: int) -> Skip | None:
    """Why a step cannot run, though all its upstream steps have ended; None: it can.

    A failure upstream goes before an output that was merely not yielded, because a resume can mend it.
    """
    program, values, phases = state.program, state.values, state.phases
    for slot in program.slots_needed(step):
        if values[slot] is None and phases[program.maker[slot]] in ENDED_BADLY:
            return Skip(step, program.maker[slot], "", blocked=True)
    for slot in program.needs[step]:
        if values[slot] is None:
            return Skip(step, program.maker[slot], program.outputs[slot], blocked=False)
    for others, slots in program.groups[step]:
        if not others and all(values[slot] is None for slot in slots):
            return Skip(step, program.maker[slots[0]], program.outputs[slots[0]], blocked=False)
    return None


def end(state: State, step: int, phase: int) -> list[Command]:
    """A step has ended: settle those that waited for it alone."""
    commands: list[Command] = []
    phases = state.phases
    phases[step] = phase
    waits = state.waits
    for other in state.program.dependents[step]:
        left = waits[other] - 1
        waits[other] = left
        if not left and phases[other] == _WAITING:
            settle(state, other, commands)
    left = state.left - 1
    state.left = left
    if not left:
        finish(state, commands)
    return commands


def fail(state: State, step: int) -> list[Command]:
    """A step has failed for good."""
    give_up(state, step)
    state.failed += 1
    return end(state, step, Phase.FAILED)


def call_off(state: State, step: int) -> list[Command]:
    """A cancellation kept the step from its own end."""
    give_up(state, step)
    state.cut += 1
    return end(state, step, Phase.CANCELED)


def again(state: State, step: int, commands: list[Command]) -> None:
    """Another attempt, now, or when the values that it needs have been made again."""
    if state.waits[step]:
        state.phases[step] = _WAITING
    else:
        settle(state, step, commands)


def finish(state: State, commands: list[Command]) -> None:
    """All steps have ended."""
    state.course = Course.ENDING
    commands.append(End(verdict(state)))


def begin(state: State) -> list[Command]:
    """The first commands of a run: reuse what the plan says, and settle what waits for nothing."""
    commands: list[Command] = []
    for step, waits in enumerate(state.waits):
        if state.phases[step] != _WAITING:
            continue
        if state.decisions[step] == REUSE:
            kept = state.program.plan.steps[step].decision.kept
            ask(state, step, Phase.REUSING, Reuse(step, kept), commands)
        elif not waits:
            settle(state, step, commands)
    if not state.left:
        finish(state, commands)
    return commands
