"""A record in memory: of ephemeral runs and of tests. Nothing is encoded, nothing outlives the process."""

# ruff: noqa: D102 - what the methods promise stands in store.py

from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from threading import RLock
from typing import Self

from opgraph.errors import UnknownRun
from opgraph.events import AnyFact, AssetReported, LogLine, RunStatus
from opgraph.record import views
from opgraph.record.refusals import RunHeldError, SupersededError
from opgraph.record.rows import RUNLESS, Materialized, Memoized, RunRow


class _Run:
    __slots__ = ("facts", "holder", "logs", "row", "values")

    def __init__(self, row: RunRow) -> None:
        self.row = row
        self.facts: list[AnyFact] = []
        self.values: dict[int, bytes] = {}
        self.logs: list[LogLine] = []
        self.holder: tuple[int, str] | None = None


class MemoryWriter:
    """Writes one run's facts; see `Writer`."""

    __slots__ = ("_facts", "_record", "_run", "epoch", "run_id")

    def __init__(self, record: "MemoryRecord", run: _Run) -> None:
        self._record = record
        self._run = run
        self._facts = run.facts
        self.run_id = run.row.run_id
        self.epoch = run.row.epoch

    @property
    def next_seq(self) -> int:
        return len(self._facts) + 1

    def append(
        self,
        facts: Sequence[AnyFact],
        values: Sequence[bytes | None] = (),
        logs: Sequence[LogLine] = (),
        *,
        durable: bool = False,  # noqa: ARG002 - memory survives nothing
    ) -> int:
        run = self._run
        with self._record.lock:
            if run.row.epoch != self.epoch:
                raise SupersededError(self.run_id, self.epoch, run.row.epoch)
            first = seq = len(self._facts) + 1
            for value in values:
                if value is not None:
                    run.values[seq] = value
                seq += 1
            self._facts.extend(facts)
            if logs:
                run.logs.extend(logs)
            if views.touched(facts):
                self._record.show(run, first, facts)
            return first

    def release(self) -> None:
        if self._run.row.epoch == self.epoch:
            self._run.holder = None


class MemoryRecord:
    """A record in memory; see `Record`.

    Example:
        >>> from opgraph.events import RunStarted
        >>> record = MemoryRecord()
        >>> record.create(RunRow(run_id="r1", created=0.0))
        >>> writer = record.claim("r1", pid=1, host="here", now=0.0)
        >>> writer.append([RunStarted(time=0.0, epoch=writer.epoch)])
        1
        >>> record.facts("r1")
        [(1, RunStarted(time=0.0, epoch=1, pid=0, host=''))]
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self._runs: dict[str, _Run] = {}
        self._assets: dict[str, list[Materialized]] = {}
        self._observed: dict[str, list[tuple[str, int]]] = {}
        self._memos: dict[tuple[str, str], Memoized] = {}  # the last used last
        self._limits: dict[str, int] = {}  # of pools
        self._slots: dict[int, str] = {}  # those taken, and of which pool
        self._queues: Counter[str] = Counter()

    def create(self, row: RunRow) -> None:
        with self.lock:
            self._runs[row.run_id] = _Run(replace(row, epoch=0))

    def claim(self, run_id: str, *, pid: int, host: str, now: float) -> MemoryWriter:  # noqa: ARG002 - nobody asks memory when
        with self.lock:
            run = self._runs.get(run_id)
            if run is None:
                raise UnknownRun(run_id)
            if run.holder is not None:
                raise RunHeldError(run_id, *run.holder)
            run.holder = (pid, host)
            run.row = replace(run.row, epoch=run.row.epoch + 1)
            return MemoryWriter(self, run)

    def run(self, run_id: str) -> RunRow | None:
        run = self._runs.get(run_id)
        return run.row if run is not None else None

    def runs(
        self,
        *,
        status: Sequence[RunStatus] = (),
        job: str | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> list[RunRow]:
        with self.lock:
            rows = [run.row for run in self._runs.values() if run.row.run_id != RUNLESS]
        if before is not None:
            rows = rows[: next((i for i, row in enumerate(rows) if row.run_id == before), 0)]
        wanted = (
            replace(row, plan=b"")
            for row in reversed(rows)
            if (not status or row.status in status) and (job is None or row.job == job)
        )
        return list(islice(wanted, limit))

    def alive(self, run_id: str) -> bool:
        run = self._runs.get(run_id)
        return run is not None and run.holder is not None

    def close(self) -> None:
        """Nothing to give back: what was recorded stays readable."""

    def facts(self, run_id: str, after: int = 0, limit: int | None = None) -> list[tuple[int, AnyFact]]:
        run = self._runs.get(run_id)
        end = None if limit is None else after + limit
        return list(enumerate(run.facts[after:end], after + 1)) if run is not None else []

    def value(self, run_id: str, seq: int) -> bytes | None:
        run = self._runs.get(run_id)
        return run.values.get(seq) if run is not None else None

    def logs(
        self, run_id: str, step: int | None = None, after: int = 0, limit: int | None = None
    ) -> list[tuple[int, LogLine]]:
        run = self._runs.get(run_id)
        if run is None:
            return []
        lines = ((i, line) for i, line in enumerate(run.logs[after:], after + 1) if step is None or line.step == step)
        return list(islice(lines, limit))

    def latest(self, assets: Sequence[str]) -> dict[str, Materialized]:
        return {asset: self._assets[asset][-1] for asset in assets if asset in self._assets}

    def history(self, asset: str, limit: int | None = None) -> list[Materialized]:
        with self.lock:
            return list(islice(reversed(self._assets.get(asset, [])), limit))

    def observed(self, asset: str) -> list[tuple[str, int]]:
        with self.lock:
            return self._observed.get(asset, [])[::-1]

    def assets(self) -> list[str]:
        with self.lock:
            return sorted(self._assets)

    def show(self, run: _Run, first: int, facts: Sequence[AnyFact]) -> None:
        """Brings the views up to date with facts that were just recorded."""
        for seq, fact in enumerate(facts, first):
            row = run.row
            before = views.Standing(row.status, row.started, row.ended)
            after = views.standing_after(fact, before)
            if after is not before:
                run.row = row = replace(row, status=after.status, started=after.started, ended=after.ended)
            for asset, step, time, stored in views.materializations(fact):
                self._assets.setdefault(asset, []).append(
                    Materialized(asset=asset, run_id=row.run_id, seq=seq, step=step, time=time, stored=stored)
                )
            if (asset := views.observed(fact)) is not None:
                self._observed.setdefault(asset, []).append((row.run_id, seq))
            for asset, run_id, number, time in views.renewals(fact):
                known = self._assets.get(asset, [])
                old = next((each for each in known if (each.run_id, each.seq) == (run_id, number)), None)
                if old is not None and (known[-1].run_id, known[-1].seq) != (run_id, number):
                    known.append(replace(old, time=time))

    def report(self, row: RunRow, fact: AssetReported) -> None:
        with self.lock:
            run = self._runs.setdefault(row.run_id, _Run(row))
            MemoryWriter(self, run).append([fact])

    def forget_assets(self, assets: Sequence[str]) -> None:
        with self.lock:
            for asset in assets:
                self._assets.pop(asset, None)
            self.forget_memos([place for place, row in self._memos.items() if row.is_of(assets)])

    def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        with self.lock:
            run = self._runs.get(run_id)
            if run is None:
                raise UnknownRun(run_id)
            run.row = replace(run.row, tags={**run.row.tags, **tags})

    def memos(self, steps: Sequence[str] | None = None) -> dict[str, list[Memoized]]:
        found: dict[str, list[Memoized]] = {}
        with self.lock:
            for row in reversed(self._memos.values()):
                if steps is None or row.step in steps:
                    found.setdefault(row.step, []).append(row)
        return found

    def remember(self, rows: Sequence[Memoized], used: Sequence[tuple[str, str]] = ()) -> None:
        with self.lock:
            for each in used:
                known = self._memos.pop(each, None)
                if known is not None:
                    self._memos[each] = known
            for row in rows:
                older = self._memos.pop((row.step, row.fingerprint), None)
                self._memos[row.step, row.fingerprint] = row.joined(older) if older is not None else row

    def forget_memos(self, rows: Sequence[tuple[str, str]]) -> None:
        with self.lock:
            for each in rows:
                self._memos.pop(each, None)

    # -- pools ------------------------------------------------------------------------

    def limit_pool(self, pool: str, slots: int | None) -> None:
        with self.lock:
            self._limits.pop(pool, None)
            if slots is not None:
                self._limits[pool] = slots

    def pools(self) -> dict[str, tuple[int, int]]:
        with self.lock:
            taken = Counter(self._slots.values())
            return {pool: (self._limits[pool], taken[pool]) for pool in sorted(self._limits)}

    def take_slots(self, pools: Sequence[str]) -> tuple[int, ...] | None:
        with self.lock:
            taken = Counter(self._slots.values())
            limited = [pool for pool in pools if pool in self._limits]
            if any(taken[pool] >= self._limits[pool] for pool in limited):
                return None
            first = max(self._slots, default=0) + 1
            self._slots.update(enumerate(limited, first))
            return tuple(range(first, first + len(limited)))

    def free_slots(self, slots: Sequence[int]) -> None:
        with self.lock:
            for slot in slots:
                del self._slots[slot]

    def queue_for(self, pool: str, *, queues: bool) -> None:
        with self.lock:
            self._queues[pool] = max(self._queues[pool] + (1 if queues else -1), 0)

    def is_wanted(self, pool: str, *, queues: bool) -> bool:
        return self._queues[pool] > queues

    # -- clean-up ---------------------------------------------------------------------

    def planning(self) -> "Open":
        return Open()

    @contextmanager
    def cleaning(self, wait: float = 0.0) -> Generator[bool]:  # noqa: ARG002 - nobody else has this record
        yield True

    def inline_sizes(self, run_id: str) -> Mapping[int, int]:
        run = self._runs.get(run_id)
        return {seq: len(value) for seq, value in run.values.items()} if run is not None else {}

    def forget_values(self, run_id: str, keep: Collection[int], time: float) -> int:
        with self.lock:
            run = self._runs[run_id]
            gone = [seq for seq in run.values if seq not in keep]
            run.row = replace(run.row, cleaned=time)
            return sum(len(run.values.pop(seq)) for seq in gone)

    def forget_output(self, run_id: str, *, dry: bool = False) -> int:
        with self.lock:
            run = self._runs[run_id]
            size = sum(len(line.text) + _LINE for line in run.logs)
            if not dry:
                run.logs.clear()
            return size

    def forget_run(self, run_id: str, *, dry: bool = False) -> int:
        with self.lock:
            run = self._runs[run_id]
            size = len(run.row.plan) + sum(map(len, run.values.values())) + sum(len(x.text) + _LINE for x in run.logs)
            if not dry:
                del self._runs[run_id]
                for asset, known in list(self._assets.items()):
                    self._assets[asset] = [each for each in known if each.run_id != run_id]
                    if not self._assets[asset]:
                        del self._assets[asset]
                for asset, seen in self._observed.items():
                    self._observed[asset] = [each for each in seen if each[0] != run_id]
            return size


_LINE = 40  # bytes of a line of output beside its text


class Open:
    """A gate that nobody closes."""

    def done(self) -> None:
        """See `Gate`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.done()
