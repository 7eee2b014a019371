"""Random plans, orders of events, failures, cancellations, losses and restarts: what holds of every run."""

import os
from collections import Counter
from random import Random

import pytest
from engine_diagram import moves
from random_plans import random_plan, stored

from opgraph.engine import (
    Course,
    Delay,
    End,
    LookUp,
    Phase,
    Reuse,
    Skip,
    Start,
    State,
    Stop,
    advance,
    can_be_made_again,
    new,
    outstanding,
    program,
    status,
)
from opgraph.engine.places import slots_read, torn_above, upstream
from opgraph.events import (
    CancelRequested,
    ErrorInfo,
    Found,
    Kept,
    NotFound,
    OutputStored,
    Place,
    RetryDue,
    RunEnded,
    RunStarted,
    RunStatus,
    StepFailed,
    StepInterrupted,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    Stored,
    ValueLost,
)
from opgraph.run.report.made import Made

RUNS = 20_000 if os.environ.get("OPGRAPH_SOAK") else 1_000
UNDER_WAY = {Phase.STARTING, Phase.RUNNING, Phase.STOPPING}
FIELDS = [name for name in State.__slots__ if name != "program"]


class Shell:
    """Answers commands in any order, in any way that a real shell might, and checks what must hold after every fact."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.plan = random_plan(random)
        self.program = program.compile(self.plan)
        self.state = new(self.program, "run")
        self.log: list[tuple[object, int]] = []
        self.asked: list[object] = []
        self.given: dict[int, dict[int, Kept]] = {}  # the addresses that an attempt under way reads
        self.seen: set[tuple[Phase, Phase, str]] = set()
        self.unlucky = random.random() < 0.7
        self.restless = random.random() < 0.4
        self.lossy = random.choice([0.0, 0.0, 0.25, 0.6])
        self.cancels = random.random() < 0.3
        self.epoch = 0
        self.attempts: Counter[int] = Counter()
        self.ends: list[int] = []

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def tell(self, fact) -> None:
        seq = len(self.log) + 1
        before = [self.state.phase(i) for i in range(len(self.state.phases))]
        commands = advance(self.state, fact, seq)
        self.log.append((fact, seq))
        self.watch(fact, before)
        if isinstance(fact, RunStarted):
            self.asked = commands
        else:
            self.asked = [c for c in self.asked if not answered(c, fact, self.state)] + commands
        self.check(commands)

    def watch(self, fact, before: list[Phase]) -> None:
        kind = type(fact).__name__
        for i, phase in enumerate(before):
            after = self.state.phase(i)
            if phase == after:
                continue
            if getattr(fact, "step", -1) == i:
                cause = kind
            elif kind == "RunStarted":
                cause = (
                    "RunStarted" if len([f for f, _ in self.log if isinstance(f, RunStarted)]) == 1 else "next epoch"
                )
            elif kind not in ("RunStarted", "CancelRequested") and {after, phase} & {Phase.WITHDRAWN, Phase.STOPPING}:
                cause = "withdrawn"
            elif kind in ("CancelRequested", "ValueLost"):
                cause = kind if kind == "CancelRequested" else "ValueLost below"
            elif kind in ("StepReused", "StepSucceeded") and phase.has_ended:
                cause = "ValueLost below"
            else:
                cause = "upstream ended"
            self.seen.add((phase, after, cause))

    def check(self, commands: list[object]) -> None:
        state, prog = self.state, self.program
        assert sorted(map(repr, outstanding(state))) == sorted(map(repr, self.asked)), "asked for once, until answered"
        phases = [state.phase(i) for i in range(len(state.phases))]
        assert state.left == sum(not p.has_ended for p in phases)
        assert state.failed == sum(p in (Phase.FAILED, Phase.BLOCKED) for p in phases)
        for i, phase in enumerate(phases):
            if i < prog.count and prog.over[i]:
                assert phase == Phase.SKIPPED, "a template never runs"
                continue
            above = upstream(state, i)
            if state.course in (Course.NEW, Course.GOING) and not state.gone[state.within[i]]:
                torn = torn_above(state, i)
                assert state.waits[i] == sum(not phases[j].has_ended for j in above) + torn, (i, phase, above)
                assert phase != Phase.WAITING or state.waits[i] or state.course == Course.NEW, (
                    "nothing that could go on is forgotten"
                )
            assert (i in state.asking) == (phase in (Phase.DELAYED, Phase.LOOKING, Phase.REUSING, Phase.SKIPPING))
        for command in commands:
            if isinstance(command, Start):
                above = upstream(state, command.step)
                assert all(phases[j].has_ended for j in above) or isinstance(self.log[-1][0], RunStarted)
                assert all(state.values[slot] is not None for slot in prog.needs[state.template[command.step]])
                assert state.course == Course.GOING
            if isinstance(command, End):
                self.ends.append(len(self.log))
                assert all(p.has_ended for p in phases)

    # what a shell does

    def run(self) -> None:
        if self.cancels and self.chance(0.05):
            self.tell(CancelRequested(0.0))
        self.take()
        for _ in range(3_000):
            if self.state.course == Course.OVER:
                return
            self.disturb()
            stopped = {c.step for c in self.asked if isinstance(c, Stop)}
            chosen = self.random.choice([*self.asked, *(step for step in self.given if step not in stopped)])
            if isinstance(chosen, int):
                self.go_on(chosen, self.state.attempt(chosen), stop=False)
            else:
                self.answer(chosen)
        raise AssertionError("the run goes on for ever")

    def take(self) -> None:
        self.epoch += 1
        self.given.clear()
        self.tell(RunStarted(0.0, self.epoch))

    def disturb(self) -> None:
        if self.restless and self.epoch < 6 and self.chance(0.05):
            self.take()
        if self.cancels and self.chance(0.05):
            self.tell(CancelRequested(0.0))

    def answer(self, command) -> None:
        step = getattr(command, "step", -1)
        match command:
            case Start():
                if self.unlucky and self.chance(0.1):
                    self.tell(StepInterrupted(step, command.attempt, 0.0))
                else:
                    self.begin(step, command.attempt)
            case Stop() if step in self.given:
                self.go_on(step, command.attempt, stop=True)
            case Stop():
                if self.chance(0.5):
                    self.begin(step, command.attempt)
                else:
                    self.tell(StepInterrupted(step, command.attempt, 0.0))
            case Reuse():
                self.tell(StepReused(step, 0.0, command.kept))
            case Skip():
                self.tell(StepSkipped(step, 0.0, command.because, command.output, command.blocked))
            case LookUp():
                kept = tuple(k for o in self.outputs(step) for k in stored(o, self.random))
                self.tell(Found(step, 0.0, kept) if self.chance(0.5) else NotFound(step, 0.0))
            case Delay():
                self.tell(RetryDue(step, 0.0))
            case End():
                self.tell(RunEnded(0.0, command.status))

    def begin(self, step: int, attempt: int) -> None:
        self.tell(StepStarted(step, attempt, 0.0))
        slots = slots_read(self.state, step)
        self.given[step] = {slot: kept for slot in slots if (kept := self.state.at(slot)) is not None}

    def outputs(self, step: int):
        return self.plan.steps[self.state.template[step]].outputs

    def yields(self, step: int, attempt: int) -> list[Stored]:
        """The values of fan-outs that an attempt may still yield."""
        state, found = self.state, []
        asked = state.asked(step)
        for output in self.outputs(step):
            if not output.dynamic or (asked is not None and output.name not in asked):
                continue
            live = state.live.get(state.slot(step, output.name), {})
            come = {key for key, element in live.items() if state.yielded[element] == attempt}
            for key in "abc":
                if key not in come:
                    version = self.random.choice([f"v{key}"] * 5 + ["", f"w{attempt}"])
                    found.append(Stored(output.name, Place.FILE, data_version=version, mapping_key=key))
        return found

    def go_on(self, step: int, attempt: int, *, stop: bool) -> None:
        if self.given[step] and self.chance(self.lossy):
            self.lose(step, attempt)
            return
        given = self.given.pop(step)
        outputs = [output for output in self.outputs(step) if not output.dynamic]
        yields = self.yields(step, attempt)
        if yields and self.chance(0.6):
            self.given[step] = given
            self.tell(OutputStored(step, attempt, 0.0, self.random.choice(yields)))
            return
        if self.unlucky and self.chance(0.15):
            retry_after = 5.0 if attempt < 3 and self.chance(0.3) else None
            self.tell(
                StepFailed(step, attempt, 0.0, ErrorInfo("E", "", retry=self.chance(0.8)), retry_after=retry_after)
            )
        elif (self.unlucky or stop) and self.chance(0.15):
            self.tell(StepInterrupted(step, attempt, 0.0))
        elif outputs and self.chance(0.2):
            self.given[step] = given
            self.tell(OutputStored(step, attempt, 0.0, Stored(outputs[0].name, Place.FILE)))
        else:
            came = tuple(Stored(o.name, Place.INLINE) for o in outputs if o.required or self.chance(0.6))
            if yields and self.chance(0.3):
                came = (*came, self.random.choice(yields))
            self.tell(StepSucceeded(step, attempt, 0.0, outputs=came))

    def lose(self, step: int, attempt: int) -> None:
        """The attempt misses a value: a loss if the address is still the one that it was given."""
        state = self.state
        slot, kept = self.random.choice(list(self.given.pop(step).items()))
        maker, output, element = state.maker[slot], state.output_at(slot), state.element_at(slot)
        key = state.keys[element] if element else None
        again = True
        if state.at(slot) in (kept, None) and state.course != Course.ENDING and not state.gone[element]:
            again = can_be_made_again(state, maker, output, key)
            self.tell(ValueLost(maker, output, 0.0, key))
        if again or self.chance(0.5):
            self.tell(StepInterrupted(step, attempt, 0.0, "value lost"))
        else:
            self.tell(StepFailed(step, attempt, 0.0, ErrorInfo("ValueLost", "", retry=False)))


def answered(command, fact, state: State) -> bool:
    """Whether this fact answered the command, or made it pointless."""
    if isinstance(command, End) or isinstance(fact, RunEnded):
        return isinstance(fact, RunEnded)
    if isinstance(fact, CancelRequested):
        return isinstance(command, (Start, Delay)) and state.phase(command.step) != Phase.STARTING
    step = getattr(command, "step", None)
    if step is not None and state.gone[state.within[step]] and not isinstance(command, Stop):
        return True  # it was withdrawn
    if getattr(fact, "step", None) != command.step or isinstance(fact, (OutputStored, ValueLost)):
        return False
    return not (isinstance(fact, StepStarted) and isinstance(command, Stop))


def snapshot(state: State) -> dict[str, object]:
    return {name: getattr(state, name) for name in FIELDS}


@pytest.mark.parametrize("part", range(4))
def test_every_run_ends_and_its_log_gives_its_state_again(part):
    """Whatever happens, every run ends once with the status that its steps' ends say; and after every prefix of its
    log a fresh state told the same facts is equal and has the same commands outstanding."""
    for seed in range(part * RUNS // 4, (part + 1) * RUNS // 4):
        shell = Shell(Random(seed))
        try:
            shell.run()
            check_end(shell)
            check_replay(shell)
            check_keys(shell)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def check_end(shell: Shell) -> None:
    state = shell.state
    final = status(state)
    phases = {state.phase(i) for i in range(len(state.phases))}
    assert all(phase.has_ended for phase in phases)
    assert final.is_final
    assert not state.asking
    assert not state.wanted
    assert not state.late
    assert not state.dying
    if Phase.CANCELED in phases:
        assert final == RunStatus.CANCELED
    elif final != RunStatus.CANCELED:
        assert (final == RunStatus.FAILURE) == bool(phases & {Phase.FAILED, Phase.BLOCKED})
    told = [fact for fact, _ in shell.log]
    if final == RunStatus.CANCELED:
        assert any(isinstance(fact, CancelRequested) for fact in told)
    keys = Counter(
        state.key(i)
        for i, phase in enumerate(state.phases)
        if phase != Phase.WITHDRAWN and not state.gone[state.within[i]]
    )
    assert all(n == 1 for n in keys.values()), "a key names one step, but for those that were withdrawn"
    started = Counter((f.step, f.attempt) for f in told if isinstance(f, StepStarted))
    assert all(n == 1 for n in started.values()), "no attempt starts twice"


def check_replay(shell: Shell) -> None:
    copy = new(shell.program, "run")
    stop = shell.random.randint(0, len(shell.log))
    for fact, seq in shell.log[:stop]:
        advance(copy, fact, seq)
    half = new(shell.program, "run")
    for fact, seq in shell.log[:stop]:
        advance(half, fact, seq)
    assert snapshot(half) == snapshot(copy)
    assert outstanding(half) == outstanding(copy)
    for fact, seq in shell.log[stop:]:
        advance(copy, fact, seq)
    assert snapshot(copy) == snapshot(shell.state)


def check_keys(shell: Shell) -> None:
    """Which steps were made of what is known without the engine, until something comes for which it is asked."""
    log = [(seq, fact) for fact, seq in shell.log]
    made = Made(shell.program.plan, log, lambda: log)
    assert made.keys == [shell.state.key(i) for i in range(len(shell.state.phases))]
    assert made.templates == list(shell.state.template)
    assert list(made.withdrawn) == list(shell.state.withdrawn)


# Each needs two or three unlikely things at once: a loss or a restart while another loss is being mended.
RARE = {
    (before, after)
    for after in (Phase.WAITING, Phase.STARTING, Phase.SKIPPING)
    for before in Phase
    if before != Phase.WAITING and (after == Phase.SKIPPING or before in (Phase.REUSED, Phase.REUSING, Phase.SKIPPED))
} | {
    (Phase.RUNNING, Phase.WAITING),
    (Phase.RUNNING, Phase.STARTING),
    (Phase.DELAYED, Phase.WAITING),
    (Phase.STOPPING, Phase.WITHDRAWN),
    (Phase.DELAYED, Phase.WITHDRAWN),
    (Phase.LOOKING, Phase.WITHDRAWN),
    (Phase.REUSING, Phase.WITHDRAWN),
    (Phase.SKIPPING, Phase.WITHDRAWN),
    (Phase.LOOKING, Phase.CANCELED),
}


def test_steps_move_only_as_the_diagram_says():
    """Over many random runs a step goes from phase to phase only as the diagram says, and every way of the diagram is
    taken but for those that few runs in 10,000 take."""
    seen: set[tuple[Phase, Phase, str]] = set()
    for seed in range(2_000):
        shell = Shell(Random(seed + 1_000_000))
        shell.run()
        seen |= shell.seen
    drawn = {(a, b, why) for a, b, why in moves() if a != b}
    assert sorted(seen - drawn) == []
    assert sorted(way for way in drawn - seen if way[:2] not in RARE) == []
