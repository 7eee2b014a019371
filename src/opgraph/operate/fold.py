"""The facts of a run folded into where each step stands: what screens show, live and afterwards.

Ints and lists by step number, because a run of 10,000 ops is folded while it goes.
"""

import enum
from collections import Counter
from collections.abc import Callable
from itertools import islice

from opgraph.events import (
    AnyFact,
    CancelRequested,
    ErrorInfo,
    HookRan,
    Kept,
    OutputStored,
    Read,
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
    StepWaits,
    Stored,
    ValueLost,
)
from opgraph.plan.model import Do, Plan, Role
from opgraph.run.report.made import Facts, Made


class Phase(enum.IntEnum):
    """Where a step stands."""

    PENDING = 0
    RUNNING = 1
    RETRYING = 2  # failed, and to be tried again
    SUCCEEDED = 3
    FAILED = 4
    SKIPPED = 5  # not needed, an optional output did not come, or the value for which it was made was withdrawn
    BLOCKED = 6  # a step that it needs failed
    REUSED = 7
    INTERRUPTED = 8  # cancelled, or its process died


ENDED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED, Phase.BLOCKED, Phase.REUSED, Phase.INTERRUPTED})
_PENDING, _RUNNING, _SUCCEEDED = Phase.PENDING, Phase.RUNNING, Phase.SUCCEEDED  # to ask an enum for one takes time
_ENDED = bytes(1 if Phase(i) in ENDED else 0 for i in range(len(Phase)))


class Fold:
    """Where the steps of one run stand, after the facts that were added.

    Args:
        plan: the run's plan.
        again: gives the facts from the first one on; None: they are not kept, which takes more time here.
    """

    __slots__ = (
        "_first", "_made", "_members", "_planned", "_yielding",
        "attempts", "because", "before", "canceling", "compute", "counts", "dead", "ended", "epoch", "errors", "hooks",
        "kept", "load", "made", "outputs", "over", "phase", "pid", "plan", "reads", "run_ended", "run_error",
        "run_started", "running", "sizes", "started", "status", "store", "values", "waits", "waits_for", "withdrawn",
    )  # fmt: skip

    def __init__(self, plan: Plan, again: Callable[[], Facts] | None = None) -> None:
        self._planned = n = len(plan.steps)
        self.plan = plan
        self.phase = bytearray(n)  # a Phase each
        self.counts = [0] * len(Phase)  # how many steps stand where
        self.counts[Phase.PENDING] = n
        self.attempts = [0] * n
        self.started: list[float] = [0.0] * n  # of the last attempt
        self.ended: list[float] = [0.0] * n
        self.made: list[float] = []  # when each step came that was made for a value of a fan-out
        self.load = [0] * n  # µs, of the last attempt
        self.compute = [0] * n
        self.store = [0] * n
        self.running: dict[int, None] = {}  # in the order in which they started
        self.errors: dict[int, ErrorInfo] = {}  # of the last failed attempt
        self.waits: dict[int, float] = {}  # seconds from that attempt to the next, where they are known
        self.waits_for: dict[int, str] = {}  # the pool, of steps that may start and wait for a slot of it
        self.hooks: list[tuple[int, HookRan]] = []  # those that failed, with their steps
        self.because: dict[int, tuple[int, str]] = {}  # skipped: the step upstream, its output
        self.kept: dict[int, tuple[Kept, ...]] = {}
        self.outputs: dict[int, list[tuple[int, Stored]]] = {}  # with the number of the fact that announced it
        self.sizes: dict[int, int] = {}  # of mapped steps: bytes that their steps stored
        self.values = Counter[tuple[int, str]]()  # of mapped steps that fan out in turn, by output: how many came
        self.reads: dict[int, tuple[Read, ...]] = {}
        self.status: RunStatus | None = None  # once it ended
        self.over = False  # nothing is under way
        self.run_error: ErrorInfo | None = None
        self.run_started = self.run_ended = 0.0
        self.dead = 0.0  # seconds: from the last that was heard of a process that died to the one that took over
        self.epoch = self.pid = 0
        self.canceling = False
        self.before: set[int] = set()  # what had succeeded when the run was taken up
        self._made = Made(plan, (), again)
        self.withdrawn: set[int] = set()  # steps whose value of a fan-out was; they count as skipped
        self._members: dict[int, list[int]] = {}  # by template: how many of the steps made of it stand where
        self._first: dict[int, int] = {}  # by template: the first of its steps that failed
        self._yielding: set[int] = set()  # mapped steps that fan out in turn
        for i, step in enumerate(plan.steps):
            if step.over:
                self._members[i] = [0] * len(Phase)
                if any(output.dynamic for output in step.outputs):
                    self._yielding.add(i)
                self.counts[Phase.PENDING] -= 1
                if step.decision.do is Do.SKIP:
                    self.phase[i] = Phase.SKIPPED
            elif step.decision.do is Do.SKIP:
                self._to(i, Phase.SKIPPED)

    @property
    def finished(self) -> int:
        """How many steps have ended, whatever the way."""
        return sum(self.counts[phase] for phase in ENDED)

    @property
    def total(self) -> int:
        """How many steps there are so far: those of the plan that are not mapped, and those made for fan-outs."""
        return sum(self.counts)

    def key(self, step: int) -> str:
        """A step's key, also of one that was made for a fan-out."""
        return self._made.keys[step]

    def row(self, step: int) -> int:
        """The step of the plan in whose row a step is shown: itself, or that of which it was made."""
        return self._made.templates[step]

    def members(self, step: int) -> dict[Phase, int] | None:
        """How many of the steps made of a mapped step of the plan stand where; None: it is not mapped."""
        found = self._members.get(step)
        return None if found is None else {phase: found[phase] for phase in Phase if found[phase]}

    def failed(self) -> list[int]:
        """The steps that failed, not those of the plan of which they were made."""
        return [i for i, phase in enumerate(self.phase) if phase == Phase.FAILED and i not in self._members]

    def has_ended(self, step: int) -> bool:
        """Whether a step has ended."""
        return bool(_ENDED[self.phase[step]])

    def add(self, seq: int, fact: AnyFact) -> int:
        """Take in one fact. Gives the number of the step of the plan that it changed, or -1."""
        if not self._members:
            return self._add(seq, fact)
        step = self._take(seq, fact)
        if step < 0:
            self._sum_up_all()
            return -1
        row = self.row(step)
        if row != step:
            self._sum_up(row)
        changed = {row}
        for template in self._members:  # in the plan's order: what is mapped comes after what it is mapped over
            if self.plan.steps[template].over[-1].step in changed:
                self._sum_up(template)
                changed.add(template)
        return row

    def add_all(self, facts: Facts) -> None:
        """Take in many facts: the same as one after the other, in less time."""
        take = self._take if self._members else self._add
        for seq, fact in facts:
            take(seq, fact)
        self._sum_up_all()

    def _take(self, seq: int, fact: AnyFact) -> int:
        """Take in a fact, but for what it changes of how the steps made of one step stand together."""
        made = self._made
        made.add(seq, fact)
        if len(made.keys) > len(self.phase):
            for number in range(len(self.phase), len(made.keys)):
                self._grow(number, getattr(fact, "time", 0.0))
        step = self._add(seq, fact)
        if len(made.withdrawn) > len(self.withdrawn):
            for gone in islice(made.withdrawn, len(self.withdrawn), None):
                self.withdrawn.add(gone)
                self._to(gone, Phase.SKIPPED)
        if step >= self._planned:
            self._tell_row(made.templates[step], step)
        return step

    def _grow(self, number: int, time: float) -> None:
        """A step was made for a value of a fan-out."""
        self.phase.append(_PENDING)
        self.made.append(time)
        self.attempts.append(0)
        for times in (self.started, self.ended):
            times.append(0.0)
        for spent in (self.load, self.compute, self.store):
            spent.append(0)
        self.counts[_PENDING] += 1
        self._members[self._made.templates[number]][_PENDING] += 1

    def _tell_row(self, row: int, step: int) -> None:
        """The row of a mapped step sums up what its steps did."""
        if self.started[step] and (not self.started[row] or self.started[step] < self.started[row]):
            self.started[row] = self.started[step]
        self.ended[row] = max(self.ended[row], self.ended[step])
        self.attempts[row] = max(self.attempts[row], self.attempts[step])
        if self.phase[step] == _SUCCEEDED:
            self.load[row] += self.load[step]
            self.compute[row] += self.compute[step]
            self.store[row] += self.store[step]
            came = self.outputs.pop(step, ())  # of thousands of steps nobody looks at the values one by one
            self.sizes[row] = self.sizes.get(row, 0) + sum(stored.size for _, stored in came)
            if row in self._yielding:
                self.values.update((row, stored.output) for _, stored in came if stored.mapping_key is not None)
        if step in self.errors:
            self._tell_error(row, step)
        if step in self.because:
            self.because[row] = self.because[step]
        if step in self.waits_for:
            self.waits_for[row] = self.waits_for[step]
        elif self.waits_for:
            self.waits_for.pop(row, None)
        if step in self.kept:
            self.kept[row] = self.kept[step]
            if row in self._yielding:
                values = (kept.stored for kept in self.kept[step])
                self.values.update((row, stored.output) for stored in values if stored.mapping_key is not None)

    def _tell_error(self, row: int, step: int) -> None:
        """Of those that failed for good, the first one stands for all; before, whichever failed last."""
        first = self._first.get(row, step)
        if self.phase[step] == Phase.FAILED and step <= first:
            self._first[row] = step
        elif row in self._first:
            return
        self.errors[row], self.waits[row] = self.errors[step], self.waits[step]

    def _sum_up_all(self) -> None:
        for template in self._members:
            self._sum_up(template)

    def _sum_up(self, template: int) -> None:
        """Where the steps made of a mapped step stand, as one."""
        counts = self._members[template]
        if self.plan.steps[template].decision.do is Do.SKIP:
            return
        generator = Phase(self.phase[self.plan.steps[template].over[-1].step])
        for phase in (Phase.RUNNING, Phase.RETRYING):
            if counts[phase]:
                self.phase[template] = phase
                return
        if counts[Phase.PENDING] or (sum(counts) and generator not in ENDED):
            begun = counts[Phase.PENDING] < sum(counts)
            left = Phase.INTERRUPTED if self.over else Phase.RUNNING
            self.phase[template] = left if begun else Phase.PENDING
            return
        for phase in (Phase.FAILED, Phase.INTERRUPTED, Phase.BLOCKED, Phase.SUCCEEDED, Phase.REUSED, Phase.SKIPPED):
            if counts[phase]:
                self.phase[template] = phase
                return
        if generator in (Phase.SUCCEEDED, Phase.REUSED):
            self.phase[template] = Phase.SUCCEEDED  # no value came, so there was nothing to do
        elif generator in ENDED:
            self.because.setdefault(template, (self.plan.steps[template].over[-1].step, ""))
            self.phase[template] = Phase.SKIPPED if generator is Phase.SKIPPED else Phase.BLOCKED

    def _add(self, seq: int, fact: AnyFact) -> int:  # noqa: PLR0911 - one a kind of fact
        kind = type(fact)
        if kind is StepSucceeded:
            return self._succeeded(seq, fact)  # pyright: ignore[reportArgumentType] - `kind is` is the fast isinstance
        if kind is StepStarted:
            return self._started(fact)  # pyright: ignore[reportArgumentType] - the same
        if isinstance(fact, OutputStored):
            self.outputs.setdefault(fact.step, []).append((seq, fact.stored))
            return fact.step
        if isinstance(fact, StepFailed):
            return self._failed(fact)
        if isinstance(fact, StepReused):
            self.kept[fact.step] = fact.kept
            self.ended[fact.step] = fact.time
            return self._to(fact.step, Phase.REUSED)
        if isinstance(fact, StepSkipped):
            self.because[fact.step] = (fact.because, fact.output)
            self.ended[fact.step] = fact.time
            return self._to(fact.step, Phase.BLOCKED if fact.blocked else Phase.SKIPPED)
        if isinstance(fact, StepInterrupted):
            if not self.attempts[fact.step]:  # it was about to start
                return self._to(fact.step, Phase.PENDING)
            self.ended[fact.step] = fact.time
            return self._to(fact.step, Phase.INTERRUPTED)
        if isinstance(fact, RetryDue):
            return self._to(fact.step, Phase.RETRYING)
        if isinstance(fact, StepWaits):
            self.waits_for[fact.step] = fact.pool
            return fact.step
        if isinstance(fact, ValueLost):
            self.outputs.pop(fact.step, None)
            return self._to(fact.step, Phase.PENDING)
        return self._of_run(fact)

    def _to(self, step: int, phase: Phase) -> int:
        if step in self.withdrawn:
            phase = Phase.SKIPPED  # also when it ends after all
        self.counts[self.phase[step]] -= 1
        self.counts[phase] += 1
        if step >= self._planned:
            members = self._members[self._made.templates[step]]
            members[self.phase[step]] -= 1
            members[phase] += 1
        self.phase[step] = phase
        if phase is not _RUNNING:
            self.running.pop(step, None)
        if self.waits_for:
            self.waits_for.pop(step, None)
        return step

    def _started(self, fact: StepStarted) -> int:
        step = fact.step
        self.attempts[step] = fact.attempt
        self.started[step] = fact.time
        self.running[step] = None
        if self.before:
            self.before.discard(step)
        return self._to(step, _RUNNING)

    def _succeeded(self, seq: int, fact: StepSucceeded) -> int:
        step = fact.step
        self.ended[step] = fact.time
        self.load[step], self.compute[step], self.store[step] = fact.load, fact.compute, fact.store
        if fact.outputs:
            self.outputs.setdefault(step, []).extend((seq, stored) for stored in fact.outputs)
        if fact.reads:
            self.reads[step] = fact.reads
        if fact.hooks:
            self.hooks += [(step, hook) for hook in fact.hooks if hook.error is not None]
        return self._to(step, _SUCCEEDED)

    def _failed(self, fact: StepFailed) -> int:
        step = fact.step
        self.ended[step] = fact.time
        self.load[step], self.compute[step], self.store[step] = fact.load, fact.compute, fact.store
        self.errors[step] = fact.error
        self.waits[step] = fact.retry_after or 0.0
        self.outputs.pop(step, None)
        self.hooks += [(step, hook) for hook in fact.hooks if hook.error is not None]
        retry = self.plan.steps[self.row(step)].retry
        again = fact.retry_after is not None or (retry is not None and fact.error.retry and fact.attempt <= retry.most)
        return self._to(step, Phase.RETRYING if again and not self.canceling else Phase.FAILED)

    def _of_run(self, fact: AnyFact) -> int:
        if isinstance(fact, RunStarted):
            self.run_started = self.run_started or fact.time
            if self.epoch:
                self.dead += max(fact.time - self.last, 0.0)
                done = (i for i, phase in enumerate(self.phase) if phase == Phase.SUCCEEDED)
                self.before = {i for i in done if i not in self._members}
            self.epoch, self.status, self.run_ended, self.canceling = fact.epoch, None, 0.0, False
            self.pid = fact.pid
            self.over = False
            for step in [
                i
                for i, p in enumerate(self.phase)
                if p in (Phase.RUNNING, Phase.INTERRUPTED, Phase.RETRYING) and i not in self._members
            ]:
                self._to(step, Phase.PENDING)
        elif isinstance(fact, CancelRequested):
            self.canceling = True
            for step in [i for i, p in enumerate(self.phase) if p == Phase.RETRYING and i not in self._members]:
                self.ended[step] = fact.time
                self._to(step, Phase.INTERRUPTED)
        elif isinstance(fact, RunEnded):
            self.status, self.run_ended, self.run_error = fact.status, fact.time, fact.error
            self.stop()
        return -1

    def took(self, now: float) -> float:
        """Seconds that the run has taken, or had taken when it ended, without those in which no process drove it."""
        return max((self.run_ended or now) - self.run_started - self.dead, 0.0) if self.run_started else 0.0

    @property
    def last(self) -> float:
        """When a step was heard of last."""
        return max(*self.started, *self.ended, self.run_started, 0.0)

    def stop(self) -> None:
        """Nothing is under way any more: the run has ended, or its process has died."""
        self.over = True
        end = self.run_ended or self.last
        for step in list(self.running):
            self.ended[step] = end
            self._to(step, Phase.INTERRUPTED)
        self.waits_for.clear()
        for step in [i for i, p in enumerate(self.phase) if p == Phase.RETRYING and i not in self._members]:
            self._to(step, Phase.FAILED if step in self.errors else Phase.INTERRUPTED)
            if step >= self._planned and step in self.errors:
                self._tell_error(self.row(step), step)
        self._sum_up_all()


class Branch:
    """A node of a run's tree: a unit (an asset definition or a job), a graph inside it, or one op."""

    __slots__ = ("assets", "children", "kind", "name", "path", "steps")

    def __init__(self, name: str, path: str, kind: str) -> None:
        self.name = name  # what a person reads
        self.path = path  # `journeys.clean`
        self.kind = kind  # asset | graph | job | op
        self.children: dict[str, Branch] = {}
        self.steps: list[int] = []  # all below it, in the plan's order
        self.assets: tuple[str, ...] = ()  # those that come out here

    @property
    def step(self) -> int:
        """The step of a leaf."""
        return self.steps[0]

    @property
    def is_leaf(self) -> bool:
        """Whether it is one op."""
        return not self.children


def branches(plan: Plan) -> list[Branch]:
    """The tree of a plan: its units in the order in which they could run, each with its graphs and ops."""
    units: dict[str, Branch] = {}
    for i, step in enumerate(plan.steps):
        unit = step.unit or plan.job
        top = units.get(unit)
        if top is None:
            top = units[unit] = Branch(unit, unit, "asset")
        inner = step.key.removeprefix(f"{unit}.") if step.key != unit else ""
        at = top
        at.steps.append(i)
        path = unit
        parts = inner.split(".") if inner else []
        for depth, part in enumerate(parts):
            path = f"{path}.{part}"
            leaf = depth == len(parts) - 1
            at = at.children.setdefault(part, Branch(part, path, "op" if leaf else "graph"))
            at.steps.append(i)
        assets = tuple(o.asset for o in step.outputs if o.asset is not None and o.role is Role.SELECTED)
        if assets:
            top.assets = (*top.assets, *assets)
            if at is not top:
                at.assets = assets
    for top in units.values():
        if not top.assets and top.path == plan.job:
            top.kind = "job"
        elif len(top.assets) == 1 and top.assets[0].replace("/", "__") == top.path:
            top.name = top.assets[0]
        if top.children and top.kind == "asset":
            _name_parts(top, plan)
    return list(units.values())


def _name_parts(top: Branch, plan: Plan) -> None:
    """A plain asset whose op runs in two parts: the first has the unit's own key, and becomes a leaf of its own."""
    for i in (i for i in top.steps if plan.steps[i].key == top.path):
        leaf = Branch(top.path, top.path, "op")
        leaf.steps.append(i)
        top.children = {top.path: leaf, **top.children}
