"""Fan-out: for each value that a generator yields a step is made of every template that is mapped over it.

Steps and slots are numbered on, in the order of the facts that announce the values, so the same log gives the same
numbers. When a generator is tried again, a value that comes with an equal data version keeps the steps that were made
for it. Those of one that comes with another version, or no more, are withdrawn.
"""

from opgraph.engine.commands import Command, Stop
from opgraph.engine.phases import Course, Phase
from opgraph.engine.places import followers, takers, torn_above, upstream
from opgraph.engine.program import SKIP
from opgraph.engine.state import State
from opgraph.engine.steps import finish, forget_torn, give_up, mend, settle
from opgraph.engine.story import refusal
from opgraph.events import Fact, Kept, Stored

_WAITING = int(Phase.WAITING)
_UNDER_WAY = (Phase.STARTING, Phase.RUNNING, Phase.STOPPING)


def take(state: State, fact: Fact, step: int, value: Stored | Kept, seq: int) -> list[Command]:
    """A generator has yielded a value, or one that it had yielded before stands for it."""
    program = state.program
    stored = value.stored if isinstance(value, Kept) else value
    template = state.template[step]
    place = program.names[template].get(stored.output)
    if place is None:
        raise refusal(state, fact, f"the step has no output {stored.output!r}", step)
    fan = program.base[template] + place
    if fan not in program.fans or stored.mapping_key is None:
        kind = "a mapping key" if stored.mapping_key is None else "no mapping key"
        raise refusal(state, fact, f"the output {stored.output!r} needs {kind}", step)
    slot = state.base[step] + place
    if state.gone[state.within[step]]:
        return []
    commands: list[Command] = []
    live = state.live.setdefault(slot, {})
    element = live.get(stored.mapping_key)
    if element is not None:
        if state.yielded[element] == state.attempts[step] and not isinstance(value, Kept):
            raise refusal(state, fact, f"the key {stored.mapping_key!r} has come already", step)
        del live[stored.mapping_key]
        at = state.elements[element]
        before = state.values[at]
        version = state.torn_versions[element] if before is None else state.version_at(at)
        if version and version == stored.data_version:
            live[stored.mapping_key] = element  # at the end: the order is that of the last attempt
            state.yielded[element] = state.attempts[step]
            state.hold(at, value, seq)
            if before is None:
                mend(state, element, commands)
            return commands
        withdraw(state, [element], commands)
    element = _add(state, step, fan, value, seq)
    live[stored.mapping_key] = element
    _make_steps(state, element, commands)
    return commands


def _add(state: State, step: int, fan: int, value: Stored | Kept, seq: int) -> int:
    program = state.program
    stored = value.stored if isinstance(value, Kept) else value
    assert stored.mapping_key is not None
    element = len(state.first)
    members = program.fans[fan].members
    state.above.append(state.within[step])
    state.first.append(len(state.phases) if members else -1 - fan)
    state.keys.append(stored.mapping_key)
    state.elements.append(len(state.values))
    state.yielded.append(state.attempts[step])
    state.gone.append(0)
    state.values.append(state.packed.pack(len(state.values), value))
    state.seqs.append(seq)
    state.maker.append(step)
    for template in members:
        number = len(state.phases)
        outputs = len(program.names[template])
        state.phases.append(Phase.SKIPPED if program.decisions[template] == SKIP else _WAITING)
        state.decisions.append(program.decisions[template])
        state.attempts.append(0)
        state.waits.append(0)
        state.template.append(template)
        state.within.append(element)
        state.base.append(len(state.values))
        state.values.extend([None] * outputs)
        state.seqs.extend([0] * outputs)
        state.maker.extend([number] * outputs)
    return element


def _make_steps(state: State, element: int, commands: list[Command]) -> None:
    program = state.program
    first = state.first[element]
    if first < 0:
        return
    made = range(first, len(state.phases))
    canceling = state.course == Course.CANCELING
    for step in made:
        if state.phases[step] != _WAITING:
            continue
        if canceling:
            state.phases[step] = Phase.CANCELED
            state.cut += 1
            continue
        state.left += 1
        template = state.template[step]
        if program.dependents[template] is None:
            for other in followers(state, step):  # what is made beside it is counted in a moment
                state.waits[other] += 1
    if canceling:
        return
    for step in made:
        state.waits[step] = torn_above(state, step) + sum(
            1 for other in upstream(state, step) if state.phases[other] < Phase.SUCCEEDED
        )
    for step in made:
        if not state.waits[step] and state.phases[step] == _WAITING:
            settle(state, step, commands)


def withdraw(state: State, elements: list[int], commands: list[Command]) -> None:
    """The steps that were made for these elements do not count any more; those under way are stopped."""
    ended: list[int] = []
    while elements:
        element = elements.pop()
        state.gone[element] = 1
        state.values[state.elements[element]] = None
        forget_torn(state, element)
        first = state.first[element]
        if first < 0:
            continue
        fan = state.program.over[state.template[first]][-1]
        for step in range(first, first + len(state.program.fans[fan].members)):
            _withdraw_step(state, step, ended, commands)
            template, base = state.template[step], state.base[step]
            for place in range(len(state.program.names[template])):
                elements += state.live.pop(base + place, {}).values()
    for step in ended:
        for other in list(followers(state, step)):
            left = state.waits[other] - 1
            state.waits[other] = left
            if not left and state.phases[other] == _WAITING:
                settle(state, other, commands)


def _withdraw_step(state: State, step: int, ended: list[int], commands: list[Command]) -> None:
    phase = state.phases[step]
    state.withdrawn.append(step)
    if phase < Phase.SUCCEEDED:
        ended.append(step)  # nobody waits for it any more
    if phase in _UNDER_WAY:
        state.dying.add(step)
        if phase != Phase.STOPPING:
            state.phases[step] = Phase.STOPPING
            commands.append(Stop(step, state.attempts[step]))
        return
    if phase < Phase.SUCCEEDED:
        state.left -= 1
    elif phase == Phase.CANCELED:
        return
    elif phase in (Phase.FAILED, Phase.BLOCKED):
        state.failed -= 1
    state.phases[step] = Phase.WITHDRAWN
    give_up(state, step)


def died(state: State, step: int) -> list[Command]:
    """A step that was withdrawn while it was under way has ended."""
    commands: list[Command] = []
    state.dying.discard(step)
    give_up(state, step)
    state.phases[step] = Phase.WITHDRAWN
    state.left -= 1
    if not state.left:
        finish(state, commands)
    return commands


def answered_too_late(_state: State, _fact: Fact, _seq: int) -> list[Command]:
    """WITHDRAWN: the answer to what was asked before the step was withdrawn."""
    return []


# -- the end of a generator -----------------------------------------------------


def confirm(state: State, step: int, outputs: set[str] | None, commands: list[Command]) -> None:
    """A generator has succeeded: what this attempt did not yield again is withdrawn. `outputs`: those that it was
    asked for; None: all."""
    attempt = state.attempts[step]
    for name, place in state.program.names[state.template[step]].items():
        live = state.live.get(state.base[step] + place)
        if not live or (outputs is not None and name not in outputs):
            continue
        stale = [element for element in live.values() if state.yielded[element] != attempt]
        for element in stale:
            del live[state.keys[element]]
        if stale:
            withdraw(state, stale, commands)


# -- values that were lost --------------------------------------------------------


def tear(state: State, element: int) -> None:
    """The value of an element is gone: the steps that read it wait until its generator has yielded it again."""
    slot = state.elements[element]
    state.torn.setdefault(state.maker[slot], set()).add(element)
    state.torn_versions[element] = state.version_at(slot)
    state.values[slot] = None
    for step in takers(state, element):
        state.waits[step] += 1
