"""What the pages of runs show: the list, a run, its tree, its steps, what they said."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from opgraph.events import (
    AnyFact,
    ErrorInfo,
    Kept,
    OutputStored,
    Place,
    RunStatus,
    StepFailed,
    StepInterrupted,
    StepReused,
    StepStarted,
    StepSucceeded,
    Stored,
)
from opgraph.events import Read as ReadFact
from opgraph.operate import inspect
from opgraph.operate.clean import disk_of_run
from opgraph.operate.fold import Phase
from opgraph.operate.target import EVERYTHING
from opgraph.plan.model import FromAsset, FromCaller, FromCollected, FromDefault, FromMany, FromMapped, FromStep
from opgraph.record.rows import RunRow
from opgraph.record.store import each_fact
from opgraph.run.instance import Instance
from opgraph.run.store.preview import preview_in
from opgraph.show.web import messages as m
from opgraph.show.web.followed import Followed, Following, Row
from opgraph.show.web.reports import Refused, alike, error_of, metas, preview
from opgraph.show.web.said import first_line

_SHOWN = 20  # assets of a selection, failures of a run
_NAMED = 200  # steps that failed alike
_PREVIEWS = 20  # of the outputs of one step
_OUTPUTS = 500  # of one step
_SCANNED = 5_000  # runs that one request for a filtered list looks at


class RunPages:
    """Answers questions about runs.

    Args:
        instance: where they are recorded.
        following: the runs that are kept up with.
    """

    def __init__(self, instance: Instance, following: Following) -> None:
        self._instance, self._record, self._following = instance, instance.record, following

    # -- lists ------------------------------------------------------------------------

    def row(self, run_id: str) -> RunRow:
        """A run's row.

        Raises:
            Refused: there is no such run.
        """
        row = self._record.run(run_id)
        if row is None:
            raise Refused.of(404, "NoSuchRun", f"there is no run {run_id}")
        return row

    def summary(self, row: RunRow) -> m.RunSummary:
        """A run in the list."""
        return m.RunSummary(**self._summary(row))

    def _summary(self, row: RunRow) -> dict[str, Any]:
        head = self._following.head(row.run_id)
        status = inspect.status_of(self._record, row)
        if status not in (inspect.DIED, row.status.value):
            row = self.row(row.run_id)  # it has just ended
        if status in ("STARTING", "STARTED") and self._instance.cancel_requested(row.run_id):
            status = "CANCELING"  # its process has not heard of it yet, or is busy
        ended = row.ended
        if status == inspect.DIED:  # nobody wrote down when
            ended = self._following.run(row.run_id).fold.last or None
        return {
            "run_id": row.run_id,
            "status": status,
            "job": "" if row.job == EVERYTHING else row.job,
            "created": row.created,
            "started": row.started,
            "ended": ended,
            "who": row.who,
            "why": row.why,
            "parent": row.parent,
            "root": row.root,
            "tags": dict(row.tags),
            "executor": row.executor,
            "selection": list(head.selection[:_SHOWN]),
            "selected": len(head.selection),
            "steps": list((head.asked or head.ops)[:_SHOWN]),
        }

    def runs(self, *, status: Sequence[str], asset: str, job: str, by: str, cursor: str, limit: int) -> m.Runs:
        """The runs that fit, newest first."""
        found: list[m.RunSummary] = []
        before = cursor or None
        if before is not None and self._record.run(before) is None:
            raise Refused.of(400, "BadCursor", "the cursor is not one that was given out, or its run is gone")
        wanted = [s for s in RunStatus if not status or s.value in status or ("DIED" in status and not s.is_final)]
        scanned = 0
        while len(found) < limit and scanned < _SCANNED:
            rows = self._record.runs(status=wanted, job=job or None, limit=200, before=before)
            for row in rows:
                scanned += 1
                before = row.run_id
                if (not by or by.lower() in row.who.lower()) and (
                    not asset or asset in self._following.head(row.run_id).selection
                ):
                    each = self.summary(row)
                    if not status or each.status in status:
                        found.append(each)
                if len(found) == limit:
                    break
            if len(rows) < 200 and len(found) < limit:
                before = None
                break
        return m.Runs(runs=found, cursor=before)

    def timeline(self, start: float | None, end: float | None) -> m.Timeline:
        """The runs that went on in a stretch of time."""
        end = time.time() if end is None else end
        start = end - 86_400 if start is None else start
        lanes: list[m.Lane] = []
        for row in self._record.runs(limit=_SCANNED):
            began = row.started or row.created
            if began > end or (row.ended is not None and row.ended < start):
                continue
            each = self.summary(row)
            if each.ended is not None and each.ended < start:
                continue
            lanes.append(
                m.Lane(
                    run_id=row.run_id,
                    job=each.job,
                    status=each.status,
                    started=began,
                    ended=each.ended,
                    selection=each.selection,
                    selected=each.selected,
                    steps=each.steps,
                )
            )
            if len(lanes) == 500:
                return m.Timeline(start=start, end=end, lanes=lanes, truncated=True)
        return m.Timeline(start=start, end=end, lanes=lanes)

    # -- one run ----------------------------------------------------------------------

    def followed(self, run_id: str) -> Followed:
        """A run, kept up with.

        Raises:
            Refused: there is no such run.
        """
        try:
            return self._following.run(run_id)
        except inspect.NoSuchRunError:
            raise Refused.of(404, "NoSuchRun", f"there is no run {run_id}") from None

    def detail(self, run_id: str) -> m.RunDetail:
        """A run's page."""
        row = self.row(run_id)
        summary = self._summary(row)  # asked first: of a run that has ended all facts are there
        run = self.followed(run_id)
        with run.lock:
            fold, plan = run.fold, run.plan
            failed = fold.failed()
            failures = alike(((n, fold.key(n), fold.errors[n]) for n in failed if n in fold.errors), _SHOWN, _NAMED)
            came = {s.asset for outputs in fold.outputs.values() for _, s in outputs if not s.asked}
            counts, error, seq = counts_of(run), fold.run_error, run.seq
        dropped = inspect.discarded(self._record, run_id, plan)
        others = self._record.runs(limit=_SCANNED)
        return m.RunDetail(
            **summary,
            counts=counts,
            total=sum(counts.values()),
            epoch=row.epoch,
            pid=fold.pid if not row.status.is_final else 0,
            assets=list(plan.selection[:500]),
            besides=[
                m.Besides(
                    asset=each.asset,
                    step=each.step,
                    output=each.output,
                    certain=each.certain,
                    policy=each.policy.value,
                    remedy=each.remedy,
                    came=each.asset in came,
                    discarded=each.asset in dropped,
                )
                for each in plan.besides
            ],
            changes={kind: list(names) for kind, names in plan.changes.items()},
            error=error_of(error) if error is not None else None,
            failures=failures,
            failed=len(failed),
            config=plan.config,
            disk=self._disk(run_id),
            children=[other.run_id for other in others if other.parent == run_id],
            seq=seq,
        )

    def _disk(self, run_id: str) -> m.Disk:
        disk = disk_of_run(self._instance, run_id)
        return m.Disk(record=disk.record, files=disk.files)

    # -- its tree ---------------------------------------------------------------------

    def tree(self, run_id: str, parent: str, cursor: str, limit: int) -> m.Tree:
        """Rows of its tree: below one, or all but the keys of fan-outs."""
        run = self.followed(run_id)
        with run.lock:
            at = _number(cursor)
            if not parent:
                shown = run.rows[at : at + limit]
                more = str(at + limit) if at + limit < len(run.rows) else None
                return m.Tree(rows=[tree_row(run, row) for row in shown], cursor=more, total=len(run.rows), seq=run.seq)
            template = _number(parent.removeprefix("s"), -1)
            if not 0 <= template < len(run.plan.steps) or not parent.startswith("s"):
                rows = [row for row in run.rows if row.parent == parent]
                if not rows:
                    raise Refused.of(404, "NoSuchRow", "there is nothing below a row of this id")
                shown, total = [tree_row(run, row) for row in rows[at : at + limit]], len(rows)
            else:
                members = run.members(template)
                depth = run.depth[template] + 1
                shown = [member_row(run, n, template, depth) for n in members[at : at + limit]]
                total = len(members)
            return m.Tree(rows=shown, cursor=str(at + limit) if at + limit < total else None, total=total, seq=run.seq)

    # -- a step -----------------------------------------------------------------------

    def step(self, run_id: str, n: int) -> m.StepDetail:
        """One step, with all its attempts."""
        run = self.followed(run_id)
        with run.lock:
            if n >= run.size:
                raise Refused.of(404, "NoSuchStep", f"the run has no step {n}")
            template = run.fold.row(n)
            if run.fold.members(n) is None:
                facts = (each for each in each_fact(self._record, run_id) if getattr(each[1], "step", None) == n)
                attempts, outputs, kept, reads = self._attempts(run, n, facts)
                came = Counter(stored.output for stored in _values(outputs, kept) if stored.mapping_key is not None)
                addresses = [(run_id, seq, stored) for seq, stored in outputs[:_OUTPUTS]]
                addresses += [(each.run, each.seq, each.stored) for each in kept]
                of = [""] * len(addresses)
            else:
                attempts, reads, kept = [], (), run.fold.kept.get(n, ())
                came, members = self._of_members(run, n)
                addresses = [each[:3] for each in members]
                of = [run.fold.key(each[3]).removeprefix(run.plan.steps[n].key) for each in members]
            step, fold = run.plan.steps[template], run.fold
            phase = Phase(fold.phase[n])
            because = fold.because.get(n, (-1, ""))[0]
            error = fold.errors.get(n) if phase in (Phase.FAILED, Phase.RETRYING) else None
            return m.StepDetail(
                n=n,
                key=fold.key(n),
                op=step.op,
                unit=step.unit or run.plan.job,
                status=status_of(phase),
                decision=step.decision.outlook.value,
                why=step.decision.why,
                reason=step.decision.reason,
                because=fold.key(because) if because >= 0 else "",
                started=fold.started[n] or None,
                ended=fold.ended[n] or None,
                times=times_of(run, n),
                attempts=attempts,
                error=error_of(error) if error is not None else None,
                inputs=_inputs(run, template, reads),
                outputs=[self._output(*each, i, of[i]) for i, each in enumerate(addresses)],
                came=dict(came),
                counts={p.name.lower(): count for p, count in (fold.members(n) or {}).items()},
                size=fold.sizes.get(n, 0),
                config=step.config,
                reused_from=kept[0].run if kept else None,
                tags=step.tags,
                code_version=step.code_version,
            )

    def _attempts(
        self, run: Followed, n: int, facts: Iterable[tuple[int, AnyFact]]
    ) -> tuple[list[m.Attempt], list[tuple[int, Stored]], tuple[Kept, ...], tuple[ReadFact, ...]]:
        made: list[m.Attempt] = []
        outputs: list[tuple[int, Stored]] = []
        kept: tuple[Kept, ...] = ()
        reads: tuple[ReadFact, ...] = ()

        def end(fact: Any, status: m.StepStatus, error: ErrorInfo | None = None) -> None:
            if made:
                times = m.Times(
                    queue_us=made[-1].times.queue_us,
                    load_us=getattr(fact, "load", 0),
                    compute_us=getattr(fact, "compute", 0),
                    store_us=getattr(fact, "store", 0),
                )
                shown = error_of(error) if error is not None else None
                made[-1] = made[-1].model_copy(
                    update={"ended": fact.time, "status": status, "times": times, "error": shown}
                )

        for seq, fact in facts:
            match fact:
                case StepStarted():
                    outputs = []
                    queue = run.queued(n) if fact.time == run.fold.started[n] else 0
                    made.append(
                        m.Attempt(
                            attempt=fact.attempt,
                            started=fact.time,
                            ended=None,
                            status="running",
                            worker=fact.worker,
                            times=m.Times(queue_us=queue),
                        )
                    )
                case OutputStored():
                    outputs.append((seq, fact.stored))
                case StepSucceeded():
                    outputs += [(seq, stored) for stored in fact.outputs]
                    reads = fact.reads
                    end(fact, "succeeded")
                case StepFailed():
                    reads = fact.reads
                    end(fact, "failed", fact.error)
                case StepInterrupted():
                    end(fact, "interrupted")
                case StepReused():
                    kept = fact.kept
                case _:
                    pass
        return made, outputs, kept, reads

    def _of_members(self, run: Followed, template: int) -> tuple[Counter[str], list[tuple[str, int, Stored, int]]]:
        """What the steps of a fan-out gave: how many values of each dynamic output, and the first ones, with their
        steps."""
        came = Counter[str]()
        first: list[tuple[str, int, Stored, int]] = []
        under_way: dict[int, list[tuple[str, int, Stored]]] = {}  # of each step, what its attempt stored so far
        planned, fold = len(run.plan.steps), run.fold
        for seq, fact in each_fact(self._record, run.run_id):
            step = getattr(fact, "step", -1)
            if not planned <= step < run.size or fold.row(step) != template or step in fold.withdrawn:
                continue
            match fact:
                case StepStarted():
                    under_way[step] = []
                    continue
                case OutputStored():
                    under_way.setdefault(step, []).append((run.run_id, seq, fact.stored))
                    continue
                case StepSucceeded():
                    stored = under_way.pop(step, []) + [(run.run_id, seq, each) for each in fact.outputs]
                case StepReused():
                    stored = [(each.run, each.seq, each.stored) for each in fact.kept]
                case _:
                    continue
            came.update(value.output for _, _, value in stored if value.mapping_key is not None)
            first += [(*each, step) for each in stored[: _PREVIEWS - len(first)]]
        return came, first

    def _output(self, run_id: str, seq: int, stored: Stored, nth: int, of: str) -> m.Output:
        blob = self._record.value(run_id, seq)
        there = blob is not None if stored.place is Place.INLINE else True
        if stored.place is Place.FILE:
            there = self._instance.intermediates.has(stored)
        return m.Output(
            output=stored.output,
            of=of,
            asset=stored.asset,
            asked=stored.asked,
            mapping_key=stored.mapping_key,
            place=stored.place.value,
            size=stored.size,
            data_version=stored.data_version,
            io_manager=stored.io_manager,
            type_name=stored.type_name,
            path=path_of(self._instance, stored),
            kept=there,
            metadata=metas(stored.metadata),
            preview=preview(preview_in(stored, blob)) if nth < _PREVIEWS else None,
        )


def _values(outputs: Iterable[tuple[int, Stored]], kept: Iterable[Kept]) -> Iterator[Stored]:
    yield from (stored for _, stored in outputs)
    yield from (each.stored for each in kept)


def _number(text: str, otherwise: int | None = None) -> int:
    if not text:
        return 0
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if otherwise is not None:
        return otherwise
    raise Refused.of(400, "BadCursor", "the cursor is not one that was given out")


def status_of(phase: Phase) -> m.StepStatus:
    """How a step stands, as the API says it."""
    return phase.name.lower()  # pyright: ignore[reportReturnType] - the names are those of Phase


def path_of(instance: Instance, stored: Stored) -> str:
    """Where a value's file is, for people; empty: it has none."""
    if stored.place is Place.FILE:
        return f"{instance.storage}/{stored.location}"
    return stored.location if stored.place is Place.MANAGER else ""


def counts_of(run: Followed) -> dict[str, int]:
    """How many steps of a run stand where. A fan-out of which no step was made yet is one, as it is in a plan."""
    fold = run.fold
    unmade = Counter(fold.phase[i] for each in run.mapped_over.values() for i in each if not fold.members(i))
    counts = {p: fold.counts[p] + (unmade[p] if p not in (Phase.SUCCEEDED, Phase.REUSED) else 0) for p in Phase}
    return {phase.name.lower(): count for phase, count in counts.items() if count}


def times_of(run: Followed, n: int) -> m.Times:
    """Where a step's time went."""
    fold = run.fold
    queue = run.queued(n) if fold.members(n) is None else 0
    return m.Times(queue_us=queue, load_us=fold.load[n], compute_us=fold.compute[n], store_us=fold.store[n])


def tree_row(run: Followed, row: Row) -> m.TreeRow:
    """A row of a run's tree, as it stands."""
    branch, fold = row.branch, run.fold
    shared: dict[str, Any] = {
        "id": row.id,
        "parent": row.parent,
        "depth": row.depth,
        "kind": branch.kind if branch.kind in ("asset", "graph", "job") and not branch.is_leaf else "op",
        "name": branch.name,
        "path": branch.path,
        "assets": list(branch.assets),
    }
    if branch.is_leaf:
        n = branch.step
        if row.depth == 0 and branch.kind == "asset":
            shared["kind"] = "asset"
        return m.TreeRow(**shared, **_of_step(run, n, n))
    started = [fold.started[i] for i in branch.steps if fold.started[i]]
    counts: dict[str, int] = {}
    for i in branch.steps:
        for phase, count in (fold.members(i) or {Phase(fold.phase[i]): 1}).items():
            counts[phase.name.lower()] = counts.get(phase.name.lower(), 0) + count
    phase = run.status_of_row(row)
    failed = next((i for i in branch.steps if fold.phase[i] == Phase.FAILED and i in fold.errors), None)
    return m.TreeRow(
        **shared,
        status=status_of(phase),
        counts=counts,
        expandable=True,
        started=min(started, default=None),
        ended=max((fold.ended[i] for i in branch.steps if fold.ended[i]), default=None)
        if phase not in (Phase.RUNNING, Phase.PENDING, Phase.RETRYING)
        else None,
        times=m.Times(
            load_us=sum(fold.load[i] for i in branch.steps),
            compute_us=sum(fold.compute[i] for i in branch.steps),
            store_us=sum(fold.store[i] for i in branch.steps),
        ),
        message=first_line(fold.errors[failed]) if failed is not None else "",
    )


def member_row(run: Followed, n: int, template: int, depth: int) -> m.TreeRow:
    """The row of one step of a fan-out."""
    key = run.fold.key(n)
    return m.TreeRow(
        id=f"s{n}",
        parent=f"s{template}",
        depth=depth,
        kind="key",
        name=key.removeprefix(run.plan.steps[template].key),
        path=key,
        **_of_step(run, n, template),
    )


def _of_step(run: Followed, n: int, template: int) -> dict[str, Any]:
    fold, step = run.fold, run.plan.steps[template]
    members = fold.members(n)
    kept = fold.kept.get(n, ())
    phase = Phase(fold.phase[n])
    because = fold.because.get(n, (-1, ""))[0]
    going = phase in (Phase.RUNNING, Phase.PENDING)
    return {
        "n": n,
        "key": fold.key(n),
        "status": status_of(phase),
        "decision": step.decision.outlook.value,
        "reason": step.decision.reason,
        "counts": {p.name.lower(): count for p, count in (members or {}).items()},
        "expandable": bool(members),
        "mapped": members is not None,
        "attempts": fold.attempts[n],
        "tries": [(start, end) for start, end, _ in run.tries.get(n, ())],
        "started": fold.started[n] or None,
        "ended": (fold.ended[n] or None) if not going else None,
        "times": times_of(run, n),
        "reused_from": kept[0].run if kept else None,
        "because": fold.key(because) if because >= 0 else "",
        "message": first_line(fold.errors[n]) if n in fold.errors and phase in (Phase.FAILED, Phase.RETRYING) else "",
    }


def _inputs(run: Followed, template: int, reads: Sequence[ReadFact]) -> list[m.StepRead]:
    step, plan = run.plan.steps[template], run.plan
    read = {each.input: each for each in reads}
    found: list[m.StepRead] = []

    def add(name: str, source: Any) -> None:
        if isinstance(source, FromMany):
            for item in source.items:
                add(name, item)
        elif isinstance(source, (FromStep, FromMapped, FromCollected)):
            key = plan.steps[source.step].key
            found.append(m.StepRead(input=name, step=key, n=source.step, output=source.output))
        elif isinstance(source, FromAsset):
            fact = read.get(name)
            found.append(
                m.StepRead(
                    input=name,
                    asset=source.asset,
                    run_id=fact.run if fact is not None else "",
                    data_version=fact.data_version if fact is not None else "",
                )
            )
        elif isinstance(source, FromCaller):
            found.append(m.StepRead(input=name, given="caller"))
        elif isinstance(source, FromDefault):
            found.append(m.StepRead(input=name, given="default"))

    for each in step.inputs:
        add(each.name, each.source)
    return found
