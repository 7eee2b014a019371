"""Past runs and assets as data: what `runs` and `show` print. Reads the record and the plan, never the user's code."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from opgraph.errors import Error, Mistake, RunNotFoundError
from opgraph.events import Place, RunStarted, RunStatus, Stored
from opgraph.operate.fold import Branch, Fold, Phase, branches
from opgraph.operate.made_from import inputs_read
from opgraph.operate.target import EVERYTHING
from opgraph.operate.views import (
    AssetView,
    BesidesView,
    LogView,
    MaterializationView,
    NodeView,
    OutputView,
    RunSummary,
    RunView,
    StepView,
)
from opgraph.plan.model import Plan, Policy, decode_plan
from opgraph.record.rows import Materialized, RunRow
from opgraph.record.store import Record, each_fact
from opgraph.run.report.made import Made, fans_out
from opgraph.run.step.outputs import discarded_line
from opgraph.run.store.preview import preview_of
from opgraph.values.files import FileStore

DIED = "DIED"  # what a run is called that has no final status and that no living process drives
BEGINS = 180.0  # seconds until a run that was queued must have begun: importing the user's files is part of it


class AmbiguousRunError(Error):
    """Several runs have ids that begin so."""

    def __init__(self, prefix: str, candidates: Sequence[str]) -> None:
        self.prefix = prefix
        self.candidates = tuple(candidates)
        shown = ", ".join(candidates[:5]) + (f" and {len(candidates) - 5} more" if len(candidates) > 5 else "")
        super().__init__(f"{len(candidates)} runs begin with `{prefix}`: {shown}", fix="write more of the id")


class NoSuchRunError(Mistake, RunNotFoundError):
    """No run has this id, or one that begins so."""

    prefix: str
    says = "there is no run `{prefix}`"
    mend = "`opgraph runs` lists the runs there are"


class NothingToResumeError(Error):
    """No run failed, was cancelled or died that no later run has made good.

    Args:
        last: the newest run; empty: there is none.
        running: the run that is being driven, if one is, and
        pid: by which process.
    """

    def __init__(self, last: str = "", *, running: str = "", pid: int = 0) -> None:
        self.last, self.running, self.pid = last, running, pid
        what, fix = "there is no run yet", "`opgraph materialize` starts one"
        if running:
            what = f"run {running} is running" + (f" (process {pid})" if pid else "")
            fix = "wait for it, or stop it with Ctrl-C where it runs"
        elif last:
            what = f"what failed has been made since, or nothing did; the last run is {last}"
            fix = "name a run: `opgraph resume RUN --from STEP`; `opgraph runs` lists them"
        super().__init__(f"there is nothing to resume: {what}", fix=fix)


class Shelf(Protocol):
    """What is looked into: an `Instance`, or anything with a record and a folder for stored files."""

    @property
    def record(self) -> Record:
        """The runs."""
        ...

    @property
    def storage(self) -> str:
        """The folder of stored files."""
        ...


def to_json(view: Any) -> Any:
    """A view as plain JSON-like data, with the names of all fields: facts are arrays on disk, and objects here."""
    if isinstance(view, Struct):
        return {name: to_json(getattr(view, name)) for name in view.__struct_fields__}
    if isinstance(view, (list, tuple)):
        return [to_json(each) for each in view]  # pyright: ignore[reportUnknownVariableType] - any JSON-like data
    if isinstance(view, dict):
        return {str(name): to_json(each) for name, each in view.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - the same
    return msgspec.to_builtins(view)


# -- runs -------------------------------------------------------------------------


def status_of(record: Record, row: RunRow) -> str:
    """A run's status; DIED where it has no final one and its process is gone."""
    if row.status is RunStatus.QUEUED:
        late = time.time() > row.created + BEGINS + 10  # whoever started its process would have ended it by now
    else:
        late = row.epoch > 0 or row.status is not RunStatus.NOT_STARTED
    if row.status.is_final or not late or record.alive(row.run_id):
        return row.status.value
    now = record.run(row.run_id)  # it may have begun, or ended, between the two looks
    return now.status.value if now is not None and now.status is not row.status else DIED


def summary(record: Record, row: RunRow) -> RunSummary:
    """A run in one line."""
    return RunSummary(
        run_id=row.run_id,
        status=status_of(record, row),
        job="" if row.job == EVERYTHING else row.job,
        created=row.created,
        started=row.started,
        ended=row.ended,
        took=_took(record, row),
        parent=row.parent,
        root=row.root,
        epoch=row.epoch,
        tags=dict(row.tags),
    )


def _took(record: Record, row: RunRow) -> float | None:
    if row.started is None or row.ended is None:
        return None
    took, last = row.ended - row.started, row.ended
    for _, fact in each_fact(record, row.run_id) if row.epoch > 1 else ():
        if isinstance(fact, RunStarted):
            took -= max(fact.time - last, 0.0)
        last = fact.time
    return took


def runs(
    record: Record, *, limit: int | None = 20, job: str | None = None, status: str | None = None
) -> list[RunSummary]:
    """The runs, newest first.

    Args:
        record: where they are recorded.
        limit: how many at most.
        job: only those of this job.
        status: only those of this status, DIED included.
    """
    if status == DIED:
        open_ones = [s for s in RunStatus if not s.is_final]
        found = (summary(record, row) for row in record.runs(status=open_ones, job=job))
        return [each for each in found if each.status == DIED][:limit]
    wanted = (RunStatus(status),) if status else ()
    found = (summary(record, row) for row in record.runs(status=wanted, job=job, limit=limit))
    return [each for each in found if not status or each.status == status]


def find_run(record: Record, prefix: str) -> str:
    """The id of the one run whose id begins so.

    Raises:
        NoSuchRunError: there is none.
        AmbiguousRunError: there are several.
    """
    if record.run(prefix) is not None:
        return prefix
    candidates = [row.run_id for row in record.runs() if row.run_id.startswith(prefix)] if prefix else []
    if not candidates:
        raise NoSuchRunError(prefix)
    if len(candidates) > 1:
        raise AmbiguousRunError(prefix, candidates)
    return candidates[0]


def latest_unfinished(record: Record) -> str:
    """The newest run that failed, was cancelled or died, and that no later run has made good.

    A later run that succeeded makes it good if it is of the same line or of the same job, or if such runs were asked
    for all that it was asked for. One that is under way is about to: it counts as well.

    Raises:
        NothingToResumeError: there is none.
    """
    lines: set[str] = set()
    later = _Later(record)
    rows = record.runs()
    running = ""
    for row in rows:
        line = row.root or row.run_id
        status = status_of(record, row)
        if status in (RunStatus.STARTED.value, RunStatus.CANCELING.value, RunStatus.STARTING.value):
            running = running or row.run_id
        elif status in (RunStatus.FAILURE.value, RunStatus.CANCELED.value, DIED):
            if line not in lines and not later.cover(row):
                return row.run_id
            continue
        elif status != RunStatus.SUCCESS.value:
            continue
        lines.add(line)
        later.rows.append(row)
    pid = _driver_of(record, running) if running else 0
    raise NothingToResumeError(rows[0].run_id if rows else "", running=running, pid=pid)


class _Later:
    """The runs that succeeded, newest first, and what they were asked for; plans are read as far as they are needed."""

    def __init__(self, record: Record) -> None:
        self.rows: list[RunRow] = []
        self._record = record
        self._read = 0
        self._assets: set[str] = set()

    def cover(self, row: RunRow) -> bool:
        """Whether they made what an earlier run was to make."""
        plan = plan_of(self._record, row.run_id)
        if row.job != EVERYTHING and not plan.ops and any(each.job == row.job for each in self.rows):
            return True
        if not plan.selection:
            plans = (plan_of(self._record, each.run_id) for each in self.rows if each.job == row.job)
            return any(not each.ops or set(plan.ops) <= set(each.ops) for each in plans)
        while not self._assets.issuperset(plan.selection) and self._read < len(self.rows):
            self._assets.update(plan_of(self._record, self.rows[self._read].run_id).selection)
            self._read += 1
        return self._assets.issuperset(plan.selection)


def _driver_of(record: Record, run_id: str) -> int:
    """The process that drives a run; 0: it has not said so yet."""
    begun = [fact for _, fact in each_fact(record, run_id) if isinstance(fact, RunStarted)]
    return begun[-1].pid if begun else 0


def run_view(shelf: Shelf, run_id: str, fold: Fold | None = None) -> RunView:
    """A run with all its steps.

    Args:
        shelf: the instance.
        run_id: the run.
        fold: where its steps stand, where that is known: a fan-out of 100,000 takes seconds.

    Raises:
        NoSuchRunError: no run has this id.
    """
    row = row_of(shelf.record, run_id)
    plan = decode_plan(row.plan)
    fold = fold or folded(shelf.record, run_id, plan)
    build = _Build(shelf, run_id, plan, fold)
    made = {stored.asset for outputs in fold.outputs.values() for _, stored in outputs if not stored.asked}
    dropped = discarded(shelf.record, run_id, plan)
    return RunView(
        run=summary(shelf.record, row),
        selection=plan.selection,
        counts={phase.name.lower(): fold.counts[phase] for phase in Phase if fold.counts[phase]},
        tree=tuple(build.node(branch) for branch in branches(plan)),
        besides=tuple(
            BesidesView(
                asset=b.asset,
                step=b.step,
                output=b.output,
                certain=b.certain,
                policy=b.policy.value,
                remedy=b.remedy,
                came=b.asset in made,
                discarded=b.asset in dropped,
            )
            for b in plan.besides
        ),
        changes=dict(plan.changes),
        error=fold.run_error,
        failed=tuple(fold.key(i) for i in fold.failed()),
    )


def folded(record: Record, run_id: str, plan: Plan) -> Fold:
    """Where the steps of a recorded run stand."""
    fold = Fold(plan, lambda: each_fact(record, run_id))
    fold.add_all(each_fact(record, run_id))
    row = record.run(run_id)
    if row is not None and status_of(record, row) == DIED:
        fold.stop()
    return fold


def logs(record: Record, run_id: str, plan: Plan, step: str | None = None) -> list[LogView]:
    """What the steps of a run said, or one of them."""
    names = made.keys if (made := _made(record, run_id, plan)) is not None else [each.key for each in plan.steps]
    number = names.index(step) if step in names else None
    return [
        LogView(
            step=names[line.step] if 0 <= line.step < len(names) else "",
            attempt=line.attempt,
            time=line.time,
            level=line.level,
            logger=line.logger,
            text=line.text,
        )
        for _, line in record.logs(run_id, number)
    ]


def _made(record: Record, run_id: str, plan: Plan) -> Made | None:
    """The steps that a run made for its fan-outs; None: it has none."""
    if not fans_out(plan):
        return None
    return Made(plan, each_fact(record, run_id), lambda: each_fact(record, run_id))


def discarded(record: Record, run_id: str, plan: Plan) -> set[str]:
    """The assets that came in a run unasked and that its policy dropped: the log of their steps says so."""
    numbers = plan.index()
    found: set[str] = set()
    for each in plan.besides:
        if each.policy is Policy.DISCARD:
            said = discarded_line(each.output, each.asset)
            if any(line.text == said for _, line in record.logs(run_id, numbers[each.step])):
                found.add(each.asset)
    return found


def row_of(record: Record, run_id: str) -> RunRow:
    """A recorded run.

    Raises:
        NoSuchRunError: no run has this id.
    """
    row = record.run(run_id)
    if row is None:
        raise NoSuchRunError(run_id)
    return row


def plan_of(record: Record, run_id: str) -> Plan:
    """A recorded run's plan.

    Raises:
        NoSuchRunError: no run has this id.
    """
    return decode_plan(row_of(record, run_id).plan)


class _Build:
    """The nodes of one run's tree."""

    def __init__(self, shelf: Shelf, run_id: str, plan: Plan, fold: Fold) -> None:
        self.shelf, self.run_id, self.plan, self.fold = shelf, run_id, plan, fold

    def node(self, branch: Branch) -> NodeView:
        children = tuple(self.node(child) for child in branch.children.values())
        phases = [Phase(self.fold.phase[i]) for i in branch.steps]
        started = [self.fold.started[i] for i in branch.steps if self.fold.started[i]]
        ended = [self.fold.ended[i] for i in branch.steps if self.fold.ended[i]]
        counts: dict[str, int] = {}
        for phase in phases:
            counts[phase.name.lower()] = counts.get(phase.name.lower(), 0) + 1
        return NodeView(
            name=branch.name,
            path=branch.path,
            kind=branch.kind,
            assets=branch.assets,
            status=together(phases).name.lower(),
            counts=counts,
            started=min(started, default=None),
            ended=max(ended, default=None),
            step=self.step(branch.step) if branch.is_leaf else None,
            children=children,
        )

    def step(self, i: int) -> StepView:
        step, fold = self.plan.steps[i], self.fold
        kept = fold.kept.get(i, ())
        because, output = fold.because.get(i, (-1, ""))
        stored = [(self.run_id, seq, s) for seq, s in fold.outputs.get(i, ())] + [
            (k.run, k.seq, k.stored) for k in kept
        ]
        phase = Phase(fold.phase[i])
        return StepView(
            key=step.key,
            op=step.op,
            status=phase.name.lower(),
            do=step.decision.do.value,
            why=step.decision.why,
            detail=step.decision.detail,
            attempts=fold.attempts[i],
            started=fold.started[i] or None,
            ended=fold.ended[i] or None,
            load=fold.load[i],
            compute=fold.compute[i],
            store=fold.store[i],
            reused_from=kept[0].run if kept else None,
            because=fold.key(because) if because >= 0 else "",
            because_output=output,
            outputs=tuple(_output(self.shelf, run, seq, s) for run, seq, s in stored),
            reads=fold.reads.get(i, ()),
            steps={phase.name.lower(): n for phase, n in (fold.members(i) or {}).items()},
            error=fold.errors.get(i) if phase in (Phase.FAILED, Phase.RETRYING, Phase.INTERRUPTED) else None,
            hook_errors=tuple(hook for step, hook in fold.hooks if fold.row(step) == i),
        )


_WORST = (
    Phase.FAILED,
    Phase.RUNNING,
    Phase.RETRYING,
    Phase.INTERRUPTED,
    Phase.BLOCKED,
)


def together(phases: Iterable[Phase]) -> Phase:
    """How several steps stand as one."""
    present = set(phases)
    for phase in _WORST:
        if phase in present:
            return phase
    if Phase.PENDING in present:
        return Phase.RUNNING if present & {Phase.SUCCEEDED, Phase.REUSED} else Phase.PENDING
    return next((p for p in (Phase.SUCCEEDED, Phase.REUSED, Phase.SKIPPED) if p in present), Phase.PENDING)


def _output(shelf: Shelf, run_id: str, seq: int, stored: Stored) -> OutputView:
    path = stored.location
    if stored.place is Place.FILE:
        path = str(Path(shelf.storage) / stored.location)
    return OutputView(
        output=stored.output,
        place=stored.place.value,
        size=stored.size,
        asset=stored.asset,
        asked=stored.asked,
        data_version=stored.data_version,
        io_manager=stored.io_manager,
        path=path,
        run_id=run_id,
        seq=seq,
        metadata={name: meta.value for name, meta in stored.metadata.items()},
        metadata_kinds={name: meta.kind for name, meta in stored.metadata.items()},
        type_name=stored.type_name,
    )


# -- assets -----------------------------------------------------------------------


def asset_view(shelf: Shelf, asset: str, *, limit: int = 10) -> AssetView:
    """An asset's materializations, newest first, with what the newest one was made from.

    Args:
        shelf: the instance.
        asset: the key, its parts joined by `/`.
        limit: how many materializations at most.
    """
    found = shelf.record.history(asset, limit)
    plans: dict[str, Plan] = {}
    views: list[MaterializationView] = []
    for i, each in enumerate(found):
        if each.run_id not in plans:
            plans[each.run_id] = plan_of(shelf.record, each.run_id)
        plan = plans[each.run_id]
        reads = inputs_read(shelf.record, each) if i == 0 else ()
        stored = _output(shelf, each.run_id, each.seq, each.stored)
        if not _is_kept(shelf, each):
            stored = msgspec.structs.replace(stored, kept=False)
        if i == 0:
            seen = preview_of(shelf.record, each.run_id, each.seq, each.stored)
            stored = msgspec.structs.replace(stored, preview=seen)
        views.append(
            MaterializationView(
                run_id=each.run_id,
                seq=each.seq,
                time=each.time,
                step=plan.steps[each.step].key if each.step < len(plan.steps) else "",
                stored=stored,
                reads=reads,
            )
        )
    return AssetView(asset=asset, latest=views[0] if views else None, history=tuple(views))


def _is_kept(shelf: Shelf, each: Materialized) -> bool:
    """Whether what opgraph itself stored seems to be there."""
    if each.stored.place is Place.FILE:
        return FileStore(shelf.storage).has(each.stored.location, each.stored.size)
    return each.stored.place is not Place.INLINE or shelf.record.value(each.run_id, each.seq) is not None


def latest(record: Record, assets: Sequence[str]) -> Mapping[str, Materialized]:
    """The last materialization of each asset that has one."""
    return record.latest(assets)
