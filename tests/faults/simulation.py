"""A world of its own for one run: the real engine and driver, the record in memory, and a clock, an executor and a
store of values that do whatever a seed says. Nothing waits, nothing runs, everything can fail.
"""

import errno
from collections import Counter
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from random_plans import random_plan, stored

from opgraph.engine import Phase, State, advance, new, program
from opgraph.engine.steps import ENDED_BADLY
from opgraph.events import (
    CancelRequested,
    ErrorInfo,
    Found,
    Kept,
    NotFound,
    OutputStored,
    Place,
    RunEnded,
    RunStarted,
    RunStatus,
    StepFailed,
    StepStarted,
    StepSucceeded,
    Stored,
    ValueLost,
)
from opgraph.plan.model import Do, Plan, Role, encode_plan
from opgraph.record.memory import MemoryRecord
from opgraph.record.refusals import SupersededError, UnusableRecordError
from opgraph.record.rows import RunRow
from opgraph.run.call.binding import BoundStep
from opgraph.run.call.context import RunSide
from opgraph.run.captured import Captured
from opgraph.run.driving import driver as driving
from opgraph.run.driving.driver import Driver
from opgraph.run.executors.protocol import (
    LANES,
    Begun,
    Died,
    Dropped,
    Ended,
    Happened,
    Missing,
    Order,
    Report,
    Stopped,
    Task,
)
from opgraph.run.step.retries import judged

RUN = "run"
MOST_TURNS = 50_000  # of the executor: no plan of a dozen steps needs a tenth of that
MOST_NESTED = 3  # fan-outs in one another: of more, a run is thousands of steps
FIELDS = [name for name in State.__slots__ if name != "program"]


class Death(BaseException):
    """The process of the run is gone, at this point."""


class Clock:
    """Time passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def place(kept: Kept) -> str:
    """Where a value is, as the store knows it."""
    return kept.stored.location or f"{kept.run}/{kept.seq}/{kept.stored.output}/{kept.stored.mapping_key}"


@dataclass(eq=False)
class Attempt:
    """One that is under way: what it will still do, and when."""

    task: Task
    due: float
    yields: list[Stored]
    loaded: bool = False
    since: int = 0  # values of a fan-out since the driver last let it go on
    paused: bool = False
    told: Order | None = None


class Hands:
    """An executor that makes attempts of nothing; see `Executor`."""

    apart = ready = True

    def __init__(self, world: "World") -> None:
        self.world, self.random = world, world.random
        self.lanes = world.random.randint(1, LANES)
        self.room = [world.random.randint(1, 3) for _ in range(LANES)]
        self.under: dict[int, Attempt] = {}
        self.late: list[Report] = []  # ends that will be told once more, or long after they were given up

    def lane(self, step: int, template: int) -> int:
        return template % self.lanes

    def places(self, lane: int) -> int:
        return self.room[lane] if lane < self.lanes else 0

    def start(self, task: Task) -> bool:
        world = self.world
        assert task.step not in self.under, "one attempt at a time"
        assert (task.step, task.attempt) in world.recorded_starts(), "a start is recorded before it happens"
        assert (task.step, task.attempt) not in world.begun, "no attempt is made twice"
        world.begun.add((task.step, task.attempt))
        busy = [a for a in self.under.values() if a.task.lane == task.lane and not a.paused]
        assert len(busy) < self.room[task.lane], "no more than there are places for"
        assert task.taken is not None
        for found in task.taken.found:
            assert found.kept is None or found.kept.run != RUN or found.kept.seq <= len(world.facts()), "recorded"
        self.under[task.step] = Attempt(task, world.clock.now + self.duration(), world.yields(task))
        begun = self.random.random() < 0.9
        if not begun:  # its worker is being made
            self.late.append(Begun(task.step, task.attempt))
        return begun

    def duration(self) -> float:
        return self.random.choice([0.0, 0.01, 0.5, 1.0, 3.0, 30.0]) * self.random.random()

    def reports(self, timeout: float) -> list[Report]:
        world, clock = self.world, self.world.clock
        assert timeout >= 0
        world.turn()
        if self.late and self.random.random() < 0.3:
            return [self.late.pop(self.random.randrange(len(self.late)))]
        waiting = [attempt for attempt in self.under.values() if not attempt.paused]
        first = min(waiting, key=lambda attempt: attempt.due, default=None)
        if first is None or first.due > clock.now + timeout:
            clock.now += max(timeout, 1e-5)
            return []
        clock.now = max(clock.now, first.due)
        ready = [attempt for attempt in waiting if attempt.due <= clock.now]
        self.random.shuffle(ready)
        return [self.report(attempt) for attempt in ready]

    def order(self, step: int, attempt: int, order: Order) -> None:
        making = self.under.get(step)
        if making is None or making.task.attempt != attempt:
            return
        if order is Order.MORE:
            making.paused, making.since = False, 0
            making.due = self.world.clock.now + self.duration()
        elif order is Order.KILL or self.random.random() < 0.7:  # it may not listen
            making.told, making.paused = order, False
            making.due = self.world.clock.now + 0.1 * self.random.random()

    def close(self) -> None:
        self.under.clear()

    def report(self, making: Attempt) -> Report:
        """The next thing that an attempt does."""
        report = self.next_of(making)
        if not isinstance(report, Happened):
            del self.under[making.task.step]
            if self.random.random() < 0.1:
                self.late.append(report)
            if isinstance(report, Died) and self.random.random() < 0.3:  # it was only thought dead
                self.late.append(self.world.success(making.task, making.yields))
        elif making.since >= making.task.window:
            making.paused = True
        else:
            making.due = self.world.clock.now + self.duration()
        return report

    def next_of(self, making: Attempt) -> Report:
        world, task, chance = self.world, making.task, self.random.random
        step, attempt = task.step, task.attempt
        if making.told is Order.KILL:
            return Died(step, attempt, "was killed")
        if making.told is Order.STOP and chance() < 0.8:
            return Stopped(step, attempt, ErrorInfo("KeyboardInterrupt", ""))
        if not making.loaded:
            making.loaded = True
            missing = world.missing(task)
            if missing is not None:
                return missing
        if world.unlucky and chance() < 0.2:
            return self.misfortune(task)
        if making.yields and chance() < 0.8:
            value = making.yields.pop(0)
            making.since += value.mapping_key is not None
            return Happened(OutputStored(step, attempt, world.clock.now, world.keep(value, task)), None)
        return world.success(task, making.yields)

    def misfortune(self, task: Task) -> Report:
        step, attempt, kind = task.step, task.attempt, self.random.random()
        if kind < 0.2:
            return Died(step, attempt, "was killed by SIGSEGV")
        if kind < 0.35:
            return Dropped(step, attempt, "its worker was killed by another step")
        if kind < 0.37:
            return Stopped(step, attempt, ErrorInfo("KeyboardInterrupt", "by its own code"))
        error = RuntimeError("failed")
        info = ErrorInfo("RuntimeError", "failed", retry=self.random.random() < 0.8)
        told, wait = judged(error, info, task.bound.step.retry, task.count)
        return Ended(self.world.failure(task, told, wait), None, error)


class Pen:
    """A writer that may refuse, or die before or after it has written; see `Writer`."""

    def __init__(self, world: "World", writer: Any) -> None:
        self.world, self.writer = world, writer
        self.run_id, self.epoch, self.release = writer.run_id, writer.epoch, writer.release

    @property
    def next_seq(self) -> int:
        return self.writer.next_seq

    def append(self, facts, values=(), logs=(), *, durable=False) -> int:
        world = self.world
        if world.befalls(0.01):
            raise UnusableRecordError(Path("record.db"), OSError(errno.ENOSPC, "no space left on device"))
        if world.befalls(0.005):
            raise Death
        before = world.record.run(RUN).status
        first = self.writer.append(facts, values, logs, durable=durable)
        after = world.record.run(RUN).status
        assert not before.is_final or after is before, "a final status never changes"
        for fact in facts:
            if type(fact) in (OutputStored, StepSucceeded):
                outputs = fact.outputs if isinstance(fact, StepSucceeded) else (fact.stored,)
                assets = any(each.asset is not None for each in outputs)
                assert durable or not assets, "an asset's value survives a power cut"
        if world.befalls(0.005):
            raise Death
        return first


@dataclass(eq=False)
class World:
    """What one seed makes of one run."""

    seed: int
    clock: Clock = field(default_factory=Clock)
    begun: set[tuple[int, int]] = field(default_factory=set)
    store: set[str] = field(default_factory=set)  # the values that this run's attempts stored
    gone: set[str] = field(default_factory=set)  # those that were lost, of this run or an earlier one
    turns: int = 0
    processes: int = 0
    superseded: int = 0
    managers: None = None  # the executor of the simulation asks no I/O manager
    given: dict[str, object] = field(default_factory=dict)  # nor a resource

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        chance = self.random.random
        plan = random_plan(self.random)
        while any(len(step.over) > MOST_NESTED for step in plan.steps):
            plan = random_plan(self.random)
        self.plan = self.limited(plan)
        self.unlucky = chance() < 0.7
        self.harm = self.random.choice([0.0, 0.0, 1.0, 1.0, 3.0])  # how often the process, disk or lease fails
        self.lossy = self.random.choice([0.0, 0.0, 0.2, 0.5])
        self.cancel_at = self.clock.now + 20 * chance() if chance() < 0.25 else None
        self.timeout = 30 * chance() if chance() < 0.2 else None
        self.record = MemoryRecord()
        self.record.create(RunRow(run_id=RUN, plan=encode_plan(self.plan), created=self.clock.now))
        self.driver: Driver | None = None
        self.starts: tuple[int, set[tuple[int, int]]] = (0, set())

    def limited(self, plan: Plan) -> Plan:
        """The plan with time limits and assets."""
        steps = []
        for step in plan.steps:
            outputs = tuple(
                replace(out, asset=f"{step.key}.{out.name}", role=Role.SELECTED)
                if not out.dynamic and not step.over and self.random.random() < 0.4
                else out
                for out in step.outputs
            )
            timeout = self.random.choice([0.2, 1.0, 5.0]) if self.random.random() < 0.2 else None
            steps.append(replace(step, outputs=outputs, timeout=timeout))
        return replace(plan, steps=tuple(steps))

    def befalls(self, chance: float) -> bool:
        """Whether something happens to the process of the run; never without end."""
        return self.processes < 8 and self.random.random() < chance * self.harm

    def turn(self) -> None:
        self.turns += 1
        assert self.turns < MOST_TURNS, "the run goes on for ever"
        if self.befalls(0.01):
            raise Death
        if self.befalls(0.01):
            self.record._runs[RUN].holder = None  # as if the lease had been dropped
            self.superseded += 1
            self.drive_to_end()

    # -- what is recorded

    def facts(self) -> list[Any]:
        return self.record._runs[RUN].facts

    def recorded_starts(self) -> set[tuple[int, int]]:
        facts, (seen, starts) = self.facts(), self.starts
        starts |= {(fact.step, fact.attempt) for fact in facts[seen:] if type(fact) is StepStarted}
        self.starts = len(facts), starts
        return starts

    # -- what attempts do

    def outputs(self, task: Task):
        return [o for o in self.plan.steps[task.template].outputs if task.asked is None or o.name in task.asked]

    def yields(self, task: Task) -> list[Stored]:
        """What an attempt will yield before it ends, in its order."""
        found: list[Stored] = []
        for output in self.outputs(task):
            if output.dynamic:
                keys = self.random.sample("abcd", self.random.randint(0, 4)) if self.random.random() < 0.3 else "abc"
                for key in keys:
                    version = self.random.choice([f"v{key}"] * 5 + ["", f"w{task.attempt}"])
                    found.append(Stored(output.name, Place.FILE, data_version=version, mapping_key=key))
            elif output.required and self.random.random() < 0.2:
                found.append(Stored(output.name, Place.FILE, asset=output.asset))
        return found

    def keep(self, value: Stored, task: Task) -> Stored:
        location = f"{len(self.store)}/{task.step}.{task.attempt}/{value.output}/{value.mapping_key}"
        self.store.add(location)
        return replace(value, location=location)

    def success(self, task: Task, left: list[Stored]) -> Ended:
        """The end of an attempt, with all that it has not yielded yet."""
        step = self.plan.steps[task.template]
        known = {value.output for value in left} | {
            fact.stored.output
            for fact in self.driver._journal.facts + self.facts()
            if isinstance(fact, OutputStored) and (fact.step, fact.attempt) == (task.step, task.attempt)
        }
        came = [
            Stored(out.name, Place.FILE, asset=out.asset)
            for out in self.outputs(task)
            if not out.dynamic and out.name not in known and (out.required or self.random.random() < 0.6)
        ]
        assert step is task.bound.step or task.bound.step.key != step.key
        outputs = tuple(self.keep(value, task) for value in (*left, *came))
        left.clear()
        return Ended(StepSucceeded(task.step, task.attempt, self.clock.now, outputs=outputs), None)

    def failure(self, task: Task, error: ErrorInfo, wait: float | None) -> StepFailed:
        return StepFailed(task.step, task.attempt, self.clock.now, error, retry_after=wait)

    def missing(self, task: Task) -> Missing | None:
        taken = [found for found in task.taken.found if found.kept is not None]
        for found in taken:
            if self.random.random() < self.lossy:
                self.gone.add(place(found.kept))
        for found in taken:
            if place(found.kept) in self.gone:
                error = ErrorInfo("ValueLostError", "gone", during="load")
                return Missing(task.step, task.attempt, found.maker, found.output, error, None, found.mapping_key)
            assert found.kept.run != RUN or place(found.kept) in self.store, "what is recorded is stored"
        return None

    # -- what the driver asks for

    def answer(self, sources: Any, step: int) -> Found | NotFound:
        if self.random.random() < 0.5:
            return NotFound(step, self.clock.now, "never run")
        outputs = self.plan.steps[sources.state.template[step]].outputs
        kept = tuple(k for out in outputs for k in stored(out, self.random))
        return Found(step, self.clock.now, kept, "same")

    def remember(self, seq: int, blob: bytes) -> None:
        """Part of a shelf: no attempt here brings bytes."""

    def remove(self, outputs: Iterable[Stored]) -> None:
        """Part of a shelf."""
        for value in outputs:
            announced = {each.location for fact in self.facts() for each in stored_by(fact)}
            assert value.location not in announced, "what is recorded is never taken back"
            self.store.discard(value.location)

    # -- the run

    def drive_to_end(self) -> None:
        """Processes take the run, one after the other, until one has ended it."""
        outer = self.driver
        while not self.record.run(RUN).status.is_final:
            self.processes += 1
            pen = Pen(self, self.record.claim(RUN, pid=self.processes, host="here", now=self.clock.now))
            try:
                if self.drive(pen) is not None:
                    break
            finally:
                pen.release()
        self.driver = outer

    def drive(self, pen: Pen) -> RunStatus | None:
        """One process. Returns None where it did not come to the end of the run."""
        said, side = Captured(), RunSide(run_id=RUN)
        bound: list[Any] = [
            BoundStep(i, i, step, None, None, None, None, {out.name: out for out in step.outputs}, {}, False)
            for i, step in enumerate(self.plan.steps)
        ]
        self.driver = Driver(
            self.plan,
            bound,
            pen,
            self.record.facts(RUN),
            self,
            side,
            said,
            {},
            look_ups=self,
            timeout=self.timeout,
            canceled=lambda: "somebody" if self.cancel_at is not None and self.clock.now >= self.cancel_at else "",
        )
        driver = self.driver
        try:
            status = driver.drive()
        except (Death, UnusableRecordError):
            return None
        except SupersededError:
            assert self.record.run(RUN).epoch > pen.epoch
            return None
        assert self.record.run(RUN).epoch == pen.epoch, "who was superseded has noticed"
        self.check_replay(driver.state)
        return status

    def check_replay(self, state: State) -> None:
        copy = new(program.compile(self.plan), RUN)
        for seq, fact in self.record.facts(RUN):
            advance(copy, fact, seq)
        for name in FIELDS:
            after, live = getattr(copy, name), getattr(state, name)
            assert after == live or type(after).__eq__ is object.__eq__, f"its log gives another {name}"


def stored_by(fact: Any) -> tuple[Stored, ...]:
    if isinstance(fact, StepSucceeded):
        return fact.outputs
    return (fact.stored,) if isinstance(fact, OutputStored) else ()


@contextmanager
def inside(world: World):
    """Gives the driver the world's clock and executor."""
    clock = world.clock
    time = SimpleNamespace(time=clock.time, monotonic=clock.time, sleep=clock.sleep)
    opened = {"open_executor": lambda *_: Hands(world)}
    with patch.multiple(driving, time=time, _now=clock.time, _clock=clock.time, **opened):
        yield


def simulate(seed: int) -> World:
    """One run under one seed, checked."""
    world = World(seed)
    with inside(world):
        world.drive_to_end()
    check(world)
    return world


def below(plan: Plan, step: int) -> set[int]:
    """The steps of a plan that this one needs, and what they need."""
    found, left = set[int](), [step]
    while left:
        each = plan.steps[left.pop()]
        sources = [source for given in each.inputs for source in getattr(given.source, "items", (given.source,))]
        new_ones = {source.step for source in (*sources, *each.after, *each.over) if hasattr(source, "step")} - found
        found |= new_ones
        left += new_ones
    return found - {step}


def check(world: World) -> None:
    """What holds of every run that is over."""
    row, facts = world.record.run(RUN), world.facts()
    assert row.status.is_final
    ends = [i for i, fact in enumerate(facts) if isinstance(fact, RunEnded)]
    assert ends == [len(facts) - 1], "it ends once, and nothing follows"
    state = new(program.compile(world.plan), RUN)
    for seq, fact in enumerate(facts, 1):
        advance(state, fact, seq)
    assert all(state.phase(i).has_ended for i in range(len(state.phases)))

    epochs = [fact.epoch for fact in facts if isinstance(fact, RunStarted)]
    assert epochs == sorted(set(epochs))
    done, lost = Counter[int](), Counter[int]()
    starts: set[tuple[int, int]] = set()
    canceled = False
    for fact in facts:
        if isinstance(fact, StepStarted):
            assert not canceled, "nothing begins once the run is being cancelled"
            template = state.template[fact.step]  # above a lost value every mapped step may be made again
            times = lost[fact.step] + (lost[template] if template != fact.step else 0)
            assert done[fact.step] <= times, f"{state.key(fact.step)} runs again though nothing was lost"
            assert (fact.step, fact.attempt) not in starts
            starts.add((fact.step, fact.attempt))
        elif isinstance(fact, StepSucceeded):
            done[fact.step] += 1
        elif isinstance(fact, ValueLost):
            for step in (fact.step, *below(world.plan, state.template[fact.step])):
                lost[step] += 1  # its maker runs again, and what that lacks then is made as well
        elif isinstance(fact, CancelRequested):
            canceled = True
    assert world.begun <= starts

    announced = {each.location for fact in facts for each in stored_by(fact)}
    assert announced <= world.store, "what was recorded is stored"
    if row.status is RunStatus.SUCCESS:
        phases = [state.phase(i) for i in range(len(state.phases))]
        assert not any(phase in ENDED_BADLY for phase in phases)
        for number, step in enumerate(world.plan.steps):
            for out in step.outputs:
                made = phases[number] is Phase.SUCCEEDED
                if made and out.asset is not None and out.required and step.decision.do is Do.RUN:
                    latest = world.record.latest([out.asset])
                    assert latest, f"{out.asset} was selected, and is not recorded"
                    assert latest[out.asset].stored.location in world.store
    with suppress(SupersededError):  # whoever writes to it later changes nothing about how it ended
        pen = world.record.claim(RUN, pid=0, host="", now=world.clock.now)
        pen.append([RunStarted(world.clock.now, pen.epoch), RunEnded(world.clock.now, RunStatus.FAILURE)])
        assert world.record.run(RUN).status is row.status
