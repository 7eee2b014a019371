"""A stored value that is gone: its maker runs again, once per epoch, for what was lost.

So do the steps above it whose values are not at hand either. The shell reports a loss about the address that `kept`
gives at that time, and then the end of the attempt that missed it: StepInterrupted where `can_be_made_again` said yes.
"""

from opgraph.engine.commands import Command
from opgraph.engine.fan import tear
from opgraph.engine.phases import Course, Phase
from opgraph.engine.places import ENDED_BADLY, followers, slots_read
from opgraph.engine.program import RUN
from opgraph.engine.state import State
from opgraph.engine.steps import again, settle
from opgraph.engine.story import refusal
from opgraph.events import ValueLost


def can_be_made_again(state: State, step: int, output: str, mapping_key: str | None = None) -> bool:
    """Whether a ValueLost about this output leads to a new value.

    Then the attempt that missed it counts as interrupted, and another follows. Otherwise the step fails.
    """
    slot = state.slot(step, output, mapping_key)
    if slot is None or state.course != Course.GOING or state.phases[step] in ENDED_BADLY:
        return False
    if mapping_key is None and step in state.wanted:
        return True
    return slot not in state.lost or state.values[slot] is None


def lost(state: State, fact: ValueLost, _seq: int) -> list[Command]:
    """SUCCEEDED, REUSED: a value of a step that had ended is gone."""
    step = fact.step
    slot = _slot(state, fact)
    if slot is None:
        return []
    if state.course == Course.ENDING:
        raise refusal(state, fact, "no step is left that could miss it", step)
    if slot in state.lost:
        if state.values[slot] is not None:
            state.beyond.add(slot)
        return []
    if state.values[slot] is None:
        raise refusal(state, fact, "that output never came", step)
    if state.course == Course.CANCELING:
        return []
    commands: list[Command] = []
    _miss(state, slot)
    _make_again(state, [slot], commands)
    return commands


def lost_too(state: State, fact: ValueLost, _seq: int) -> list[Command]:
    """From WAITING to STOPPING, SKIPPING: another value of a step that is to run again already."""
    step = fact.step
    slot = _slot(state, fact)
    if slot is None:
        return []
    if fact.mapping_key is not None:
        return _element_lost_too(state, slot)
    if step not in state.wanted:
        raise refusal(state, fact, "that output never came", step)
    if fact.output not in state.wanted[step] and fact.output not in state.late.get(step, ()):
        state.values[slot] = None
        _want(state, slot)
    return []


def _slot(state: State, fact: ValueLost) -> int | None:
    """The slot of a loss; None: a value of a fan-out that was withdrawn."""
    slot = state.slot(fact.step, fact.output, fact.mapping_key)
    if slot is None and fact.mapping_key is None:
        raise refusal(state, fact, f"the step has no output {fact.output!r}", fact.step)
    return slot


def _miss(state: State, slot: int) -> None:
    element = state.element_at(slot)
    if element:
        tear(state, element)
    else:
        state.values[slot] = None


def _element_lost_too(state: State, slot: int) -> list[Command]:
    """A value of a generator that goes on, or is to run again: it comes again with the others."""
    if slot in state.lost:
        if state.values[slot] is not None:
            state.beyond.add(slot)
    elif state.course == Course.GOING and state.values[slot] is not None:
        _miss(state, slot)
        _want(state, slot)
    return []


def lost_for_good(_state: State, _fact: ValueLost, _seq: int) -> list[Command]:
    """SKIPPED, BLOCKED, FAILED, CANCELED, WITHDRAWN: it ran again and did not make it; who missed it will find out."""
    return []


def is_beyond_repair(state: State, step: int) -> bool:
    """Whether a value that the step needs was lost twice."""
    return bool(state.beyond) and any(slot in state.beyond for slot in slots_read(state, step))


def goes_on(state: State, step: int) -> bool:
    """A step has its outputs: is one of them wanted that was found missing after the attempt had begun?"""
    state.wanted.pop(step, None)
    late = state.late.get(step)
    if late is None:
        return False
    if state.course == Course.GOING and any(_is_missing(state, step, name) for name in late):
        return True
    del state.late[step]
    return False


def _is_missing(state: State, step: int, output: str) -> bool:
    template = state.template[step]
    place = state.program.names[template][output]
    fan = state.program.base[template] + place
    if fan in state.program.fans:
        return any(state.fan_of(element) == fan for element in state.torn.get(step, ()))
    return state.values[state.base[step] + place] is None


def make_late(state: State, step: int) -> list[Command]:
    """Another attempt, for what `goes_on` found missing."""
    state.wanted[step] = state.late.pop(step)
    state.decisions[step] = RUN
    state.uncounted[step] = state.attempts[step]
    commands: list[Command] = []
    again(state, step, commands)
    return commands


def _want(state: State, slot: int) -> None:
    """Add an output to what a step that has not ended is to make again."""
    step = state.maker[slot]
    name = state.output_at(slot)
    state.lost.add(slot)
    if state.phases[step] == Phase.WAITING:
        state.wanted.setdefault(step, set()).add(name)
    else:
        state.late.setdefault(step, set()).add(name)


def _make_again(state: State, slots: list[int], commands: list[Command]) -> None:
    """Send the makers of these slots back to WAITING, and whatever above them has no value at hand."""
    phases = state.phases
    woken: list[int] = []
    while slots:
        slot = slots.pop()
        step = state.maker[slot]
        if phases[step] >= Phase.SUCCEEDED:
            phases[step] = Phase.WAITING
            state.decisions[step] = RUN
            state.uncounted[step] = state.attempts[step]
            state.left += 1
            for other in followers(state, step):
                state.waits[other] += 1
            woken.append(step)
            slots.extend(s for s in slots_read(state, step) if state.values[s] is None and _is_not_at_hand(state, s))
        elif state.output_at(slot) in state.wanted.get(step, ()):
            continue  # it is to be made already, and not yielding it is an answer
        _want(state, slot)
    for step in woken:
        if not state.waits[step]:
            settle(state, step, commands)


def _is_not_at_hand(state: State, slot: int) -> bool:
    """Whether an output without a value may get one when its step runs.

    It may where the step is reused without it, or the plan left the step out as not needed; not where it ran and did
    not yield it.
    """
    step = state.maker[slot]
    if state.phases[step] in (Phase.REUSED, Phase.REUSING) or step in state.wanted:
        return True
    return state.phases[step] == Phase.SKIPPED and state.program.is_left_out(state.template[step])
