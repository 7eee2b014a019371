"""Runs as the server follows them: their plans and where their steps stand, kept up with the record."""

import threading
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict

import msgspec

from opgraph.events import AnyFact, RunEnded, RunStarted, StepFailed, StepSucceeded
from opgraph.operate.fold import Branch, Fold, Phase, branches
from opgraph.operate.inspect import NoSuchRunError, together
from opgraph.plan.model import Plan, decode_plan, outputs_in
from opgraph.record.store import Record

_STEPS = 25_000  # in all runs that are kept, but for the one in use
_AT_ONCE = 200  # appends to the log that are in memory at a time
_NONE, _ENDED, _ANY = -1, -2, -3  # what facts are about that are about no step
_LARGE = 2_000  # steps
_UNUSED = 30.0  # seconds after which a run is forgotten


class Head(msgspec.Struct):
    """The beginning of a plan: what a list of runs needs of it."""

    job: str
    selection: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


_decode_head = msgspec.msgpack.Decoder(Head).decode


class Row:
    """A row of a run's tree: a branch of its plan."""

    __slots__ = ("branch", "depth", "id", "parent")

    def __init__(self, branch: Branch, depth: int, parent: str | None) -> None:
        self.branch, self.depth, self.parent = branch, depth, parent
        self.id = f"s{branch.step}" if branch.is_leaf else f"b:{branch.path}"


class Followed:
    """One run.

    Args:
        run_id: the run.
        plan: its plan.
    """

    def __init__(self, run_id: str, plan: Plan) -> None:
        self.run_id, self.plan = run_id, plan
        self.fold = Fold(plan)
        self.seq = 0
        self._about = array("i")  # of every fact its number, and the step that it was about
        self.died = False  # its process is gone, and did not say so
        self.tries: dict[int, list[tuple[float, float, float]]] = {}  # failed: start, end, and when the next was due
        self.lock = threading.RLock()
        self.used = time.monotonic()
        self.rows: list[Row] = []
        self.above: list[list[int]] = [[] for _ in plan.steps]  # by step: its row and those around it, as indexes
        for branch in branches(plan):
            self._add(branch, 0, None, ())
        self.depth = {row.branch.step: row.depth for row in self.rows if row.branch.is_leaf}
        self.mapped_over: dict[int, list[int]] = {}  # by generator: the steps that are mapped over it
        for i, step in enumerate(plan.steps):
            if step.over:
                self.mapped_over.setdefault(step.over[-1].step, []).append(i)
        self.upstream = [
            sorted({o.step for i in step.inputs for o in outputs_in(i.source)} | {o.step for o in step.after})
            for step in plan.steps
        ]

    def _add(self, branch: Branch, depth: int, parent: str | None, around: tuple[int, ...]) -> None:
        row = Row(branch, depth, parent)
        path = (*around, len(self.rows))
        self.rows.append(row)
        if branch.is_leaf:
            self.above[branch.step] = list(path)
        for child in branch.children.values():
            self._add(child, depth + 1, row.id, path)

    @property
    def size(self) -> int:
        """Steps, those of fan-outs too."""
        return len(self.fold.phase)

    def catch_up(self, record: Record) -> None:
        """Take in what was recorded since."""
        with self.lock:
            self.used = time.monotonic()
            driven = self.fold.over or record.alive(self.run_id)  # asked first: what it says until then is all there
            facts = record.facts(self.run_id, self.seq, _AT_ONCE)
            if facts and self.died:  # it was taken up again, which begins where it stood when its process died
                self.fold, self.died, self.tries = Fold(self.plan), False, {}
                facts = record.facts(self.run_id, 0, _AT_ONCE)
                del self._about[:]
            while facts:
                for seq, fact in facts:
                    self._add_fact(seq, fact)
                facts = record.facts(self.run_id, self.seq, _AT_ONCE)
            if self.fold.epoch and not self.fold.over and not driven:
                self._stop(record)

    def _add_fact(self, seq: int, fact: AnyFact) -> None:
        if isinstance(fact, StepFailed):
            due = fact.time + (fact.retry_after or 0.0)
            self.tries.setdefault(fact.step, []).append((self.fold.started[fact.step], fact.time, due))
        self.fold.add(seq, fact)
        self.seq = seq
        about = getattr(fact, "step", _NONE)
        if isinstance(fact, StepSucceeded):
            came = self.fold.outputs.get(about, ())  # of thousands, only how large they are is shown
            if came and all(stored.asset is None for _, stored in came):
                self.fold.sizes[about] = sum(stored.size for _, stored in came)
                del self.fold.outputs[about]
        elif isinstance(fact, RunEnded):
            about = _ENDED
        elif isinstance(fact, RunStarted) and fact.epoch > 1:
            about = _ANY
        self._about.extend((seq, about))

    def _stop(self, record: Record) -> None:
        """Its process died: what ran went on until it was last heard of."""
        fold, under_way = self.fold, list(self.fold.running)
        self.died = True
        fold.stop()
        for step in under_way:
            said = record.logs(self.run_id, step)
            if said:
                fold.ended[step] = max(fold.ended[step], said[-1][1].time)
            fold.ended[fold.row(step)] = max(fold.ended[fold.row(step)], fold.ended[step])

    def changed_after(self, seq: int) -> set[int] | None:
        """The steps that the facts were about that came after one; None: it may be any of them."""
        begin = bisect_right(self._about[::2], seq)
        steps = set(self._about[2 * begin + 1 :: 2])
        if _ANY in steps:
            return None
        if _ENDED in steps:
            steps |= self.stopped()
        return steps - {_NONE, _ENDED}

    def stopped(self) -> set[int]:
        """The steps that may have changed as the run ended."""
        ended = {i for i, phase in enumerate(self.fold.phase) if phase in (Phase.INTERRUPTED, Phase.FAILED)}
        return ended | {i for i, step in enumerate(self.plan.steps) if step.over}

    def members(self, template: int) -> list[int]:
        """The steps that were made of a mapped one."""
        return [i for i in range(len(self.plan.steps), self.size) if self.fold.row(i) == template]

    def queued(self, step: int) -> int:
        """How long a step waited, in microseconds, from when all that it needs was there."""
        fold = self.fold
        began = fold.started[step]
        if not began:
            return 0
        planned = len(self.plan.steps)
        made = fold.made[step - planned] if step >= planned else 0.0
        ends = [fold.ended[self._beside(step, up)] for up in self.upstream[fold.row(step)]]
        due = [due for _, _, due in self.tries.get(step, ())]  # of the tries before: it was tried again from then on
        ready = max([fold.run_started, made, *(end for end in (*ends, *due) if end and end <= began)])
        return max(0, int((began - ready) * 1_000_000)) if ready else 0

    def _beside(self, step: int, up: int) -> int:
        """Of a step above that is mapped too, the one of the same mapping key: it was made by the same value."""
        planned, fold = len(self.plan.steps), self.fold
        if step < planned or not self.plan.steps[up].over:
            return up
        wanted = self.plan.steps[up].key + fold.key(step).removeprefix(self.plan.steps[fold.row(step)].key)
        near = range(step - 1, max(planned, step - planned) - 1, -1)
        return next((i for i in near if fold.key(i) == wanted), up)

    def status_of_row(self, row: Row) -> Phase:
        """How the steps of a row stand as one."""
        return together({Phase(self.fold.phase[i]) for i in row.branch.steps})


class Following:
    """The runs that are followed: the ones used last.

    Args:
        record: where they are recorded.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._runs: OrderedDict[str, Followed] = OrderedDict()
        self._heads: OrderedDict[str, Head] = OrderedDict()
        self._lock = threading.Lock()
        self._beginning = threading.Lock()

    def run(self, run_id: str, *, once: bool = False) -> Followed:
        """A run, as it stands now.

        Args:
            run_id: the run.
            once: that it will not be asked for again soon: if it is large, it is not kept.

        Raises:
            NoSuchRunError: there is none of this id.
        """
        with self._lock:
            found = self._runs.get(run_id)
            if found is not None:
                self._runs.move_to_end(run_id)
        if found is None:
            found = self._begun(run_id, once=once)
        found.catch_up(self._record)
        return found

    def _begun(self, run_id: str, *, once: bool) -> Followed:
        with self._beginning:  # one at a time: all requests of a page ask for the same run, which may be large
            with self._lock:
                found = self._runs.get(run_id)
            if found is not None:
                return found
            row = self._record.run(run_id)
            if row is None:
                raise NoSuchRunError(run_id)
            found = Followed(run_id, decode_plan(row.plan))
            if not once or found.size < _LARGE:
                with self._lock:
                    self._runs[run_id] = found
                    self._shrink()
            return found

    def head(self, run_id: str) -> Head:
        """What a run was asked for."""
        with self._lock:
            head = self._heads.get(run_id)
        if head is None:
            row = self._record.run(run_id)
            head = _decode_head(row.plan) if row is not None and row.plan else Head("")
            with self._lock:
                self._heads[run_id] = head
                while len(self._heads) > 5_000:
                    self._heads.popitem(last=False)
        return head

    def forget_unused(self) -> None:
        """Give back the memory of runs that nobody looks at."""
        with self._lock:
            now = time.monotonic()
            for run_id in [each for each, run in self._runs.items() if now - run.used > _UNUSED]:
                del self._runs[run_id]

    def _shrink(self) -> None:
        while len(self._runs) > 1 and sum(run.size for run in self._runs.values()) > _STEPS:
            self._runs.popitem(last=False)
