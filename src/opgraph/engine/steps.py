"""The moves of which every transition is made: a step settles, starts, ends."""

from opgraph.engine.commands import Command, End, LookUp, Reuse, Skip, Start
from opgraph.engine.phases import Course, Phase
from opgraph.engine.places import (
    ENDED_BADLY,
    collected,
    elements_of,
    enclosing,
    followers,
    generators,
    made_in,
    slot_of,
    takers,
)
from opgraph.engine.program import DECIDE, REUSE, Gathering
from opgraph.engine.state import State, verdict

_WAITING = int(Phase.WAITING)
_STARTING = int(Phase.STARTING)


def forget(state: State, step: int) -> None:
    """What an unsuccessful attempt stored does not count; the next one makes it, and what was missed meanwhile."""
    wanted = state.wanted.get(step)
    if wanted is not None and step in state.late:
        wanted |= state.late.pop(step)
    base = state.base[step]
    for name, place in state.program.names[state.template[step]].items():
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
    program = state.program
    if step < program.count and not program.groups[step]:
        values = state.values
        for slot in program.needs[step]:
            if values[slot] is None:
                skip = missing(state, step)
                assert skip is not None
                return ask(state, step, Phase.SKIPPING, skip, commands)
    elif (skip := missing(state, step)) is not None:
        return ask(state, step, Phase.SKIPPING, skip, commands)
    if state.decisions[step] == DECIDE:
        fingerprint = program.plan.steps[state.template[step]].decision.fingerprint
        return ask(state, step, Phase.LOOKING, LookUp(step, fingerprint), commands)
    return start(state, step, commands)


def missing(state: State, step: int) -> Skip | None:
    """Why a step cannot run, though all its upstream steps have ended; None: it can.

    A failure upstream goes before an output that was merely not yielded, because a resume can mend it.
    """
    program, values, phases = state.program, state.values, state.phases
    template = state.template[step]
    needs: list[int] | tuple[int, ...] = program.needs[template]
    groups: list[tuple[bool, list[int] | tuple[int, ...]]] = list(program.groups[template])
    if template in program.edges:
        needs = [slot_of(state, step, edge) for edge in program.edges[template]]
        groups = [(others, [slot_of(state, step, e) for e in items]) for others, items in program.lists[template]]
        for edge in program.gates.get(template, ()):
            generator = made_in(state, edge.step, enclosing(state, step, edge.depth))
            if phases[generator] in ENDED_BADLY:
                return Skip(step, generator, "", blocked=True)
    for slot in (*needs, *(slot for _, slots in groups for slot in slots)):
        if values[slot] is None and phases[state.maker[slot]] in ENDED_BADLY:
            return Skip(step, state.maker[slot], "", blocked=True)
    skips = [_uncollected(state, step, each) for each in program.gatherings.get(template, ())]
    for skip in skips:
        if skip is not None and skip.blocked:
            return skip
    for slot in needs:
        if values[slot] is None:
            return Skip(step, state.maker[slot], state.output_at(slot), blocked=False)
    for others, slots in groups:
        if not others and all(values[slot] is None for slot in slots):
            return Skip(step, state.maker[slots[0]], state.output_at(slots[0]), blocked=False)
    return next((skip for skip in skips if skip is not None), None)


def _uncollected(state: State, step: int, each: Gathering) -> Skip | None:
    """Why an input that collects has no value; None: it has one, and be it an empty list."""
    program, phases = state.program, state.phases
    fan = each.path[0]
    outside = enclosing(state, step, each.depth)
    outermost = made_in(state, program.fans[fan].step, outside)
    failed = _failed_below(state, each, outside, 0)
    if failed >= 0:
        return Skip(step, failed, "", blocked=True)
    last = -1
    for slot in collected(state, step, each):
        last = slot
        if state.values[slot] is not None or phases[state.maker[slot]] in ENDED_BADLY:
            return None
    if each.optional or any(phases[generator] in ENDED_BADLY for generator in generators(state, step, each)):
        return None
    if last >= 0:
        return Skip(step, state.maker[last], state.output_at(last), blocked=False)
    if phases[outermost] == Phase.SKIPPED or not program.fans[fan].required:
        return Skip(step, outermost, program.outputs[fan], blocked=False)
    return None


def _failed_below(state: State, each: Gathering, element: int, level: int) -> int:
    """The step whose failure keeps what is below an element from being put together; -1: there is none. A level that
    allows failures leaves out what failed inside it."""
    fan = each.path[level]
    generator = made_in(state, state.program.fans[fan].step, element)
    if state.phases[generator] in ENDED_BADLY:
        return generator
    if each.levels[-1 - level].allow_failed:
        return -1
    for inner in elements_of(state, element, fan):
        if level + 1 < len(each.path):
            failed = _failed_below(state, each, inner, level + 1)
            if failed >= 0:
                return failed
        elif each.place >= 0:
            step = made_in(state, each.step, inner)
            if state.phases[step] in ENDED_BADLY and state.values[state.base[step] + each.place] is None:
                return step
    return -1


def end(state: State, step: int, phase: int) -> list[Command]:
    """A step has ended: settle those that waited for it alone."""
    commands: list[Command] = []
    phases = state.phases
    phases[step] = phase
    waits = state.waits
    program = state.program
    others = program.dependents[step] if step < program.count else None
    if others is None:
        others = list(followers(state, step))
    if state.torn:
        for element in list(state.torn.get(step, ())):  # it will not yield them again
            mend(state, element, commands)
    for other in others:
        left = waits[other] - 1
        waits[other] = left
        if not left and phases[other] == _WAITING:
            settle(state, other, commands)
    left = state.left - 1
    state.left = left
    if not left:
        finish(state, commands)
    return commands


def mend(state: State, element: int, commands: list[Command]) -> None:
    """The lost value of an element is there again, or never will be: those that read it need not wait any more."""
    forget_torn(state, element)
    for other in list(takers(state, element)):
        left = state.waits[other] - 1
        state.waits[other] = left
        if not left and state.phases[other] == _WAITING:
            settle(state, other, commands)


def forget_torn(state: State, element: int) -> None:
    """Nothing waits for the lost value of this element."""
    generator = state.maker[state.elements[element]]
    if element in state.torn.get(generator, ()):
        state.torn[generator].discard(element)
        del state.torn_versions[element]
        if not state.torn[generator]:
            del state.torn[generator]


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
