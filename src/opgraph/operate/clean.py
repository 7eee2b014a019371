"""Clean-up: removing what nobody will ask for again, and never what somebody may.

Everything here follows from one question: which stored values are still referred to? The latest value of each asset is,
what the memo remembers, what the runs refer to that are not old enough, and their own values. The rest of what a run
stored goes when the run is old enough. Facts go only with their run.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opgraph.errors import Error, Mistake
from opgraph.events import (
    Found,
    Kept,
    OutputStored,
    Place,
    RunStatus,
    StepReused,
    StepSucceeded,
    Stored,
    encode_fact,
)
from opgraph.plan.memo import fan_of
from opgraph.plan.model import decode_plan
from opgraph.record.rows import Memoized, RunRow
from opgraph.record.store import Record, each_fact
from opgraph.run.instance import Instance
from opgraph.run.report.made import Made
from opgraph.run.report.retention import DAY, Retention
from opgraph.values.files import safe_name

_STAMP = "cleaned"  # a file whose time says when clean-up after a run last began
_EVERY = 60 * 60.0  # seconds between clean-ups after runs
_LIGHT = 0.3  # seconds that one of them may take
_WAIT = 10.0  # seconds that a clean-up waits for plans being made
_YOUNG = 60 * 60.0  # seconds: a file that no fact refers to may belong to a fact that is being written
_OURS = re.compile(r".+\.[0-9a-f]{12}(\.part)?$")  # how our store names files

Address = tuple[str, int]  # run and number of the fact


class CleaningRefusedError(Mistake, Error):
    """Somebody makes a plan, or cleans up already."""

    says = "another process is making a plan or cleaning up; nothing was removed"
    mend = "try again in a moment"


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that goes.

    Attributes:
        kind: `intermediates`, `versions` (of assets), `output`, `run`, `memo` or `orphans`.
        what: the run, the step of the memo, or the folder.
        count: how many values, files or lines of the memo.
        size: bytes.
    """

    kind: str
    what: str
    count: int
    size: int


@dataclass(slots=True)
class Cleaning:
    """What a clean-up removed, or would remove.

    Attributes:
        dry: whether nothing was removed.
        removals: what goes.
        complete: False: time was up before it was done.
    """

    dry: bool
    removals: list[Removal] = field(default_factory=list[Removal])
    complete: bool = True

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(each.size for each in self.removals)


def clean(
    instance: Instance,
    retention: Retention | None = None,
    *,
    dry: bool = False,
    now: float | None = None,
    seconds: float | None = None,
    wait: float = _WAIT,
) -> Cleaning:
    """Remove what nobody will ask for again.

    Args:
        instance: whose runs and values.
        retention: what to keep; None: what the instance says, or the defaults.
        dry: only say what would go.
        now: the time to count from, in seconds since 1970.
        seconds: how long it may take; None: as long as it takes.
        wait: how long to wait for plans that are being made.

    Raises:
        CleaningRefusedError: a plan is being made all the time.
    """
    kept = retention or instance.retention or Retention()
    started = time.monotonic()
    ends = started + seconds if seconds is not None else None
    work = _Work(instance, kept, dry=dry, now=time.time() if now is None else now, ends=ends)
    if dry:
        work.go()
        return work.found
    with instance.record.cleaning(wait) as alone:
        if not alone:
            raise CleaningRefusedError
        work.go()
    return work.found


def after_a_run(instance: Instance) -> None:
    """Clean up a little, at most once an hour, unless the instance says that nothing is to be cleaned up."""
    if instance.home is None or instance.retention is None:
        return
    stamp = instance.home / _STAMP
    try:
        if not stamp.exists():
            stamp.touch(mode=0o600)  # a new home: there is nothing to remove yet
            return
        if time.time() - stamp.stat().st_mtime < _EVERY:
            return
        os.utime(stamp)
        clean(instance, seconds=_LIGHT, wait=0.0)
    except (Error, OSError):  # the run went well, whatever becomes of this; the next clean-up finds the same
        return


class _Work:
    """One clean-up."""

    def __init__(self, instance: Instance, retention: Retention, *, dry: bool, now: float, ends: float | None) -> None:
        self._instance, self._record, self._retention = instance, instance.record, retention
        self._dry, self._now, self._ends = dry, now, ends
        self.found = Cleaning(dry)
        self._protected: set[Address] = set()
        self._freed: set[str] = set()  # runs that may have lost a reference since they were cleaned up
        self._values = Path(instance.home, "values") if instance.home is not None else None

    def go(self) -> None:
        """Do it, oldest runs first."""
        rows = self._record.runs()
        going = {row.run_id for row in rows if not row.status.is_final and self._record.alive(row.run_id)}
        old = [row for row in rows if row.run_id not in going and self._is_old(row)]
        gone = {row.run_id for row in old}
        self._protect_assets()
        self._protect_memo(forget=not going)
        for row in rows:
            if row.run_id not in gone:
                self._protected.update(_references(self._record, row))
        holders = {run for run, _ in self._protected}
        for row in reversed(old):
            if self._is_late():
                return
            if self._age(row) >= self._retention.runs * DAY and row.run_id not in holders:
                self._remove_run(row)
                continue
            if row.cleaned is None or row.run_id in self._freed or self._ends is None:
                self._remove_values(row)
        for row in reversed(rows):
            if self._is_late():
                return
            if row.run_id not in going and self._age(row) >= self._retention.output * DAY:
                size = self._record.forget_output(row.run_id, dry=self._dry) if self._record.run(row.run_id) else 0
                self._note("output", row.run_id, 1, size)
        if self._ends is None:
            self._remove_orphans(rows, going)

    # -- what stays -------------------------------------------------------------------

    def _protect_assets(self) -> None:
        """The latest version of each asset, and those that were replaced not long ago."""
        for asset in self._record.assets():
            replaced: float | None = None
            seen: set[Address] = set()
            for made in self._record.history(asset):
                if not made.stored.output:
                    continue  # it was reported, which replaces no value
                address = (made.run_id, made.seq)
                if replaced is None or self._now - replaced < self._retention.versions * DAY:
                    self._protected.add(address)
                elif address not in self._protected and address not in seen and self._has(made.stored):
                    self._freed.add(made.run_id)
                seen.add(address)
                replaced = made.time

    def _protect_memo(self, *, forget: bool) -> None:
        """What the memo remembers. Rows are forgotten only while no run goes on, which may have found one."""
        memos = self._record.memos()
        ranked = [
            (rank, -row.time, row)
            for name, rows in memos.items()
            for rank, row in enumerate(rows, self._retention.memo if self._has_vanished(name, memos) else 0)
        ]
        ranked.sort(key=lambda each: each[:2])
        size = 0
        dropped: list[Memoized] = []
        for rank, _, row in ranked:
            size += row.size
            if forget and (rank >= self._retention.memo or size > self._retention.memo_bytes):
                dropped.append(row)
                size -= row.size
            else:
                self._protected.update((kept.run, kept.seq) for kept in row.kept)
        for row in dropped:
            self._freed.update(kept.run for kept in row.kept)
            self._note("memo", row.step, 1, len(encode_fact([row.parts, row.kept, row.absent])))
        if dropped and not self._dry:
            self._record.forget_memos([(row.step, row.fingerprint) for row in dropped])

    def _has_vanished(self, name: str, memos: Mapping[str, Sequence[Memoized]]) -> bool:
        """Whether it is long ago that a fan-out had a mapping key: as many times as fingerprints are kept it has had
        others since."""
        fans = memos.get(fan_of(name), ())[: self._retention.memo] if "[" in name else ()
        if not fans or len(fans) < self._retention.memo or any(name in fan.parts for fan in fans):
            return False
        return not name.endswith("[]") and memos[name][0].time < min(fan.time for fan in fans)

    def _is_old(self, row: RunRow) -> bool:
        days = self._retention.intermediates if row.status is RunStatus.SUCCESS else self._retention.failed
        return self._age(row) >= days * DAY

    def _age(self, row: RunRow) -> float:
        return self._now - (row.ended or row.started or row.created)

    def _is_late(self) -> bool:
        if self._ends is not None and time.monotonic() > self._ends:
            self.found.complete = False
            return True
        return False

    # -- what goes --------------------------------------------------------------------

    def _remove_values(self, row: RunRow) -> None:
        sizes = self._record.inline_sizes(row.run_id)
        inline = {seq for seq in sizes if (row.run_id, seq) not in self._protected}
        stored_then = list(_stored(self._record, row.run_id))
        files = [
            stored
            for seq, stored in stored_then
            if stored.place is Place.FILE and (row.run_id, seq) not in self._protected and self._has(stored)
        ]
        if not self._dry and (inline or files or row.cleaned is None):
            # First the record: a file that is gone is then known to have been cleaned up, and not to be lost.
            self._record.forget_values(row.run_id, sizes.keys() - inline, self._now)
            for stored in files:
                self._instance.intermediates.remove(stored)
        between = [stored for stored in files if stored.asset is None]
        size = sum(sizes[seq] for seq in inline) + sum(stored.size for stored in between)
        values = inline & {seq for seq, stored in stored_then if stored.place is Place.INLINE}  # the rest are previews
        self._note("intermediates", row.run_id, len(values) + len(between), size)
        versions = [stored for stored in files if stored.asset is not None]
        self._note("versions", row.run_id, len(versions), sum(stored.size for stored in versions))

    def _remove_run(self, row: RunRow) -> None:
        files = [s for _, s in _stored(self._record, row.run_id) if s.place is Place.FILE and self._has(s)]
        if not self._dry:
            for stored in files:
                self._instance.intermediates.remove(stored)
        size = self._record.forget_run(row.run_id, dry=self._dry)
        self._note("run", row.run_id, 1, size + sum(stored.size for stored in files))

    def _remove_orphans(self, rows: Iterable[RunRow], going: set[str]) -> None:
        """Files of our store that no fact refers to: half-written ones, and those of attempts that never ended."""
        if self._values is None or not self._values.is_dir():
            return
        runs = {safe_name(row.run_id): row.run_id for row in rows}
        for folder in sorted(self._values.iterdir()):
            run_id = runs.get(folder.name, "")
            if run_id in going or not folder.is_dir():
                continue
            known = {stored.location for _, stored in _stored(self._record, run_id)} if run_id else set[str]()
            loose = [
                file
                for file in folder.iterdir()
                if _OURS.fullmatch(file.name)
                and f"{folder.name}/{file.name}" not in known
                and self._now - file.stat().st_mtime > _YOUNG
            ]
            self._note("orphans", run_id or folder.name, len(loose), sum(file.stat().st_size for file in loose))
            if loose and not self._dry:
                for file in loose:
                    file.unlink(missing_ok=True)
                if not any(folder.iterdir()):
                    folder.rmdir()

    def _has(self, stored: Stored) -> bool:
        return stored.place is Place.FILE and self._instance.intermediates.has(stored)

    def _note(self, kind: str, what: str, count: int, size: int) -> None:
        if count and (size or kind in ("memo", "run", "orphans")):
            self.found.removals.append(Removal(kind, what, count, size))


def _stored(record: Record, run_id: str) -> Iterator[tuple[int, Stored]]:
    """What a run stored, with the numbers of the facts."""
    for seq, fact in each_fact(record, run_id):
        if isinstance(fact, StepSucceeded):
            for stored in fact.outputs:
                yield seq, stored
        elif isinstance(fact, OutputStored):
            yield seq, fact.stored


def _references(record: Record, row: RunRow) -> Iterator[Address]:
    """The values of other runs that a run uses, and its own."""
    kept: list[Kept] = []
    full = record.run(row.run_id)
    if full is not None and full.plan:
        kept += [each for step in decode_plan(full.plan).steps for each in step.decision.kept]
    for seq, fact in each_fact(record, row.run_id):
        if isinstance(fact, (StepReused, Found)):
            kept += fact.kept
        elif isinstance(fact, (StepSucceeded, OutputStored)):
            yield row.run_id, seq
    for each in kept:
        yield each.run, each.seq


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes that something takes up: in the record, and in files."""

    record: int
    files: int


def disk_of_run(instance: Instance, run_id: str) -> Disk:
    """What a run takes up. The record's part is a little more on disk."""
    files = 0
    if instance.home is not None:
        folder = Path(instance.storage, safe_name(run_id))
        files = sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else 0
    return Disk(instance.record.forget_run(run_id, dry=True), files)


def disk_of_asset(instance: Instance, asset: str) -> Disk:
    """What the values of an asset take up, the latest and those before it."""
    record = files = 0
    versions = {(each.run_id, each.seq): each.stored for each in instance.record.history(asset)}
    for (run_id, seq), stored in versions.items():
        if stored.place is Place.FILE and instance.intermediates.has(stored):
            files += stored.size
        elif stored.place is Place.INLINE and instance.record.value(run_id, seq) is not None:
            record += stored.size
    return Disk(record, files)


@dataclass(frozen=True, slots=True)
class Between:
    """A value that is kept between two ops of a definition.

    Attributes:
        run_id: the run that stored it.
        seq: the number of the fact that announced it.
        node: the op, by the key of its node.
        size: bytes.
        resumable: whether the run did not succeed, so that a resume would take it up.
    """

    run_id: str
    seq: int
    node: str
    size: int
    resumable: bool


def between_ops(instance: Instance, unit: str, *, runs: int = 100) -> Iterator[Between]:
    """What is kept between the ops of an asset definition, of its newest runs, one after another: there can be many.

    Args:
        instance: where they are recorded.
        unit: the definition's name.
        runs: how many runs are looked at.
    """
    return (each for each, _ in _between(instance, unit, runs))


def size_between(instance: Instance, unit: str) -> int:
    """The bytes of what `between_ops` tells, without telling the mapped ops of a definition apart: that takes time."""
    return sum(each.size for each, _ in _between(instance, unit, 100, by_op=False))


def clean_between(instance: Instance, unit: str, *, dry: bool = False, runs: int = 100) -> list[Between]:
    """Remove what is kept between the ops of an asset definition. Values of assets stay, and runs that go on keep
    everything.

    Raises:
        CleaningRefusedError: a plan is being made all the time.
    """
    if dry:
        return list(between_ops(instance, unit, runs=runs))
    with instance.record.cleaning(_WAIT) as alone:
        if not alone:
            raise CleaningRefusedError
        found = list(_between(instance, unit, runs))
        for run_id in dict.fromkeys(each.run_id for each, _ in found):
            mine = [(each.seq, stored) for each, stored in found if each.run_id == run_id]
            inline = {seq for seq, stored in mine if stored.place is Place.INLINE}
            instance.record.forget_values(run_id, instance.record.inline_sizes(run_id).keys() - inline, time.time())
            for _, stored in mine:
                if stored.place is Place.FILE:
                    instance.intermediates.remove(stored)
    return [each for each, _ in found]


def _between(instance: Instance, unit: str, runs: int, *, by_op: bool = True) -> Iterator[tuple[Between, Stored]]:
    record = instance.record
    rows = record.runs(limit=runs)
    going = [row for row in rows if not row.status.is_final and record.alive(row.run_id)]
    needed = {address for row in going for address in _references(record, row)}
    for row in rows:
        full = record.run(row.run_id)
        if row in going or full is None or not full.plan:
            continue
        plan = decode_plan(full.plan)
        if not any(step.unit == unit for step in plan.steps):
            continue
        sizes = record.inline_sizes(row.run_id)
        in_files = instance.home is not None and Path(instance.storage, safe_name(row.run_id)).is_dir()
        if not sizes and not in_files:
            continue
        mapped = [step for step in plan.steps if step.over]
        # Which one a step was made of is for the engine to say, unless it makes no difference.
        made = Made(plan) if len({step.node if by_op else step.unit for step in mapped}) > 1 else None
        for seq, fact in each_fact(record, row.run_id):
            if made is not None:
                made.add(seq, fact)
            if not isinstance(fact, (StepSucceeded, OutputStored)) or (row.run_id, seq) in needed:
                continue
            number = made.templates[fact.step] if made is not None else fact.step
            step = plan.steps[number] if number < len(plan.steps) else mapped[0]
            if step.unit != unit:
                continue
            outputs = fact.outputs if isinstance(fact, StepSucceeded) else (fact.stored,)
            # The bytes of one fact go together, and those of an asset, or its preview, stay.
            beside = any(stored.asset is not None and stored.place is not Place.NONE for stored in outputs)
            inside = seq in sizes and not beside
            for stored in outputs:
                there = inside if stored.place is Place.INLINE else stored.place is Place.FILE
                if (
                    stored.asset is None
                    and there
                    and (stored.place is Place.INLINE or instance.intermediates.has(stored))
                ):
                    resumable = row.status is not RunStatus.SUCCESS
                    yield Between(row.run_id, seq, step.node, stored.size, resumable), stored
