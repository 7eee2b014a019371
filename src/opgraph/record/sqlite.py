"""A record in one SQLite file, for all runs. Several processes may read and write it at once."""

# ruff: noqa: D102 - what the methods promise stands in store.py

import json
import sqlite3
import time as clock
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from threading import RLock
from typing import Any

import msgspec

from opgraph.errors import RecordError, UnknownRun
from opgraph.events import AnyFact, AssetReported, Kept, LogLine, RunStatus, Stored, encode_fact
from opgraph.record import leases, views
from opgraph.record.database import connect
from opgraph.record.queries import queries
from opgraph.record.refusals import (
    ClosedRecordError,
    ReadOnlyRecordError,
    RunHeldError,
    SupersededError,
    UnusableRecordError,
)
from opgraph.record.rows import Materialized, Memoized, RunRow

_encode = encode_fact  # an encoder of anything; a row's facts go in as one list
_decode = msgspec.msgpack.Decoder(list[AnyFact]).decode
_decode_stored = msgspec.msgpack.Decoder(Stored).decode
_decode_kept = msgspec.msgpack.Decoder(tuple[Kept, ...]).decode
_decode_parts = msgspec.msgpack.Decoder(dict[str, str]).decode
_decode_names = msgspec.msgpack.Decoder(tuple[str, ...]).decode
_SQL = queries("sqlite")
_APPEND = _SQL["append"]
_APPEND_TWO = _SQL["append_two"]


class SqliteWriter:
    """Writes one run's facts; see `Writer`."""

    __slots__ = ("_execute", "_number", "_record", "_released", "epoch", "next_seq", "run_id")

    def __init__(self, record: "SqliteRecord", run_id: str, number: int, epoch: int, next_seq: int) -> None:
        self._record = record
        self._number = number
        self._released = False
        self._execute = record.connection.cursor().execute
        self.run_id = run_id
        self.epoch = epoch
        self.next_seq = next_seq

    def append(
        self,
        facts: Sequence[AnyFact],
        values: Sequence[bytes | None] = (),
        logs: Sequence[LogLine] = (),
        *,
        durable: bool = False,
    ) -> int:
        first = self.next_seq
        value = values[0] if values else None
        # A row has one value, of its first fact: so one row will do unless a later fact has one too.
        several = len(values) - values.count(None) > (value is not None)
        if logs or durable or not facts or views.touched(facts):
            return self._append_all(facts, values, logs, durable=durable)
        if several:
            rows = self._rows(facts, values)
            if len(rows) > 2:
                return self._append_all(facts, values, logs, durable=durable)
            statement, row = _APPEND_TWO, (*rows[0], *rows[1], self._number, self.epoch)
        else:
            statement, row = _APPEND, (self._number << 32 | first, _encode(facts), value, self._number, self.epoch)
        with self._record.lock:
            try:
                written = self._execute(statement, row).rowcount
            except sqlite3.Error as cause:
                raise self._record.refusal(cause) from cause
        if not written:
            raise self._superseded()
        self.next_seq = first + len(facts)
        return first

    def release(self) -> None:
        if not self._released:  # twice must not end the lease of whoever claimed the run in between
            self._released = True
            self._record.leases.drop(self._number)

    def _append_all(
        self, facts: Sequence[AnyFact], values: Sequence[bytes | None], logs: Sequence[LogLine], *, durable: bool
    ) -> int:
        with self._record.transaction(durable=durable) as connection:
            first = self.next_seq
            if _epoch(connection, self._number) != self.epoch:
                raise self._superseded()
            self.write(connection, facts, values)
            if logs:
                connection.executemany(
                    _SQL["append_log"], [{"number": self._number, **msgspec.structs.asdict(line)} for line in logs]
                )
        if facts:  # lines of log may come from another thread, at any time
            self.next_seq = first + len(facts)
        return first

    def write(
        self, connection: sqlite3.Connection, facts: Sequence[AnyFact], values: Sequence[bytes | None] = ()
    ) -> None:
        """Within a transaction of the caller's: facts, with the views that they change."""
        connection.executemany(_APPEND, [(*row, self._number, self.epoch) for row in self._rows(facts, values)])
        if views.touched(facts):
            self._show(connection, self.next_seq, facts)

    def _rows(self, facts: Sequence[AnyFact], values: Sequence[bytes | None]) -> list[tuple[int, bytes, bytes | None]]:
        """The facts cut into rows, each fact with a value beginning one."""
        base = self._number << 32 | self.next_seq
        starts = [i for i in range(len(facts)) if i == 0 or (i < len(values) and values[i] is not None)]
        return [
            (base + start, _encode(facts[start:end]), values[start] if start < len(values) else None)
            for start, end in pairwise([*starts, len(facts)])
        ]

    def _show(self, connection: sqlite3.Connection, first: int, facts: Sequence[AnyFact]) -> None:
        status, started, ended = connection.execute(_SQL["standing"], {"number": self._number}).fetchone()
        before = after = views.Standing(RunStatus(status), started, ended)
        for seq, fact in enumerate(facts, first):
            after = views.standing_after(fact, after)
            for asset, step, time, stored in views.materializations(fact):
                connection.execute(
                    _SQL["append_materialization"],
                    {
                        "asset": asset,
                        "number": self._number,
                        "seq": seq,
                        "step": step,
                        "time": time,
                        "stored": _encode(stored),
                    },
                )
            if (asset := views.observed(fact)) is not None:
                where = {"asset": asset, "number": self._number, "seq": seq}
                connection.execute(_SQL["append_observation"], where)
            for asset, run_id, number, time in views.renewals(fact):
                connection.execute(
                    _SQL["make_current"], {"asset": asset, "run_id": run_id, "seq": number, "time": time}
                )
        if after is not before:
            standing = {"status": after.status.value, "started": after.started, "ended": after.ended}
            connection.execute(_SQL["stand"], {"number": self._number, **standing})

    def _superseded(self) -> SupersededError:
        return SupersededError(self.run_id, self.epoch, _epoch(self._record.connection, self._number))


class SqliteRecord:
    """A record in a SQLite file; see `Record`. The file and its folder are made where they are missing.

    Where they are there and cannot be written, what is recorded can be read, and every write is refused.

    It belongs to the process that made it: a forked child makes its own.

    Args:
        path: the database file. Leases are kept in a file beside it.

    Raises:
        NewerSchemaError: a newer opgraph wrote the file.
        UnusableRecordError: the file is no database, or cannot be opened.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.lock = RLock()
        self._closed = False
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.leases = leases.share(self.path.with_name(self.path.name + ".leases"))
        except OSError as cause:
            raise UnusableRecordError(self.path, cause) from cause
        try:
            self.connection = connect(self.path, self.leases)
        except BaseException:
            leases.give_back(self.leases)
            raise

    def create(self, row: RunRow) -> None:
        with self.transaction() as connection:
            _create(connection, row)

    def claim(self, run_id: str, *, pid: int, host: str, now: float) -> SqliteWriter:
        self._refuse_to_write()
        number = self._number(run_id)
        if number is None:
            raise UnknownRun(run_id)
        if not self.leases.take(number):
            raise RunHeldError(run_id, *self._read("holder", number=number)[0])
        try:
            with self.transaction() as connection:
                connection.execute(_SQL["claim"], {"number": number, "pid": pid, "host": host, "now": now})
                epoch = _epoch(connection, number)
                next_seq = _next_seq(connection, number)
        except BaseException:
            self.leases.drop(number)
            raise
        return SqliteWriter(self, run_id, number, epoch, next_seq)

    def run(self, run_id: str) -> RunRow | None:
        return next(map(_run_row, self._read("run", run_id=run_id)), None)

    def runs(
        self,
        *,
        status: Sequence[RunStatus] = (),
        job: str | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> list[RunRow]:
        statuses = json.dumps([one.value for one in status])
        rows = self._read("runs", statuses=statuses, job=job, before=before, limit=-1 if limit is None else limit)
        return [_run_row(row) for row in rows]

    def alive(self, run_id: str) -> bool:
        number = self._number(run_id)
        return number is not None and self.leases.taken(number)

    def close(self) -> None:
        """Closes the file. Leases end when the last record of this process on this file is closed."""
        if not self._closed:
            self._closed = True
            self.connection.close()
            leases.give_back(self.leases)

    def __del__(self) -> None:
        """An instance that nobody closed: the same that Python does, which complains of it since 3.13."""
        with suppress(AttributeError):  # it was never opened
            self.connection.close()

    def stamp(self) -> int:
        """A number that is another one once anybody else has written to the file."""
        with self.lock:
            return self.connection.execute("pragma data_version").fetchone()[0]

    def refusal(self, cause: sqlite3.Error) -> RecordError:
        """What to raise for an error of the database."""
        return ClosedRecordError(self.path) if self._closed else UnusableRecordError(self.path, cause)

    def facts(self, run_id: str, after: int = 0, limit: int | None = None) -> list[tuple[int, AnyFact]]:
        # One row more: the first may end at `after`.
        rows = self._read("facts", run_id=run_id, after=after, limit=-1 if limit is None else limit + 1)
        numbered = (pair for first, body in rows for pair in enumerate(_decode(body), first))
        return [pair for pair in numbered if pair[0] > after]

    def value(self, run_id: str, seq: int) -> bytes | None:
        rows = self._read("value", run_id=run_id, seq=seq)
        return rows[0][0] if rows else None

    def logs(
        self, run_id: str, step: int | None = None, after: int = 0, limit: int | None = None
    ) -> list[tuple[int, LogLine]]:
        rows = self._read("logs", run_id=run_id, step=step, after=after, limit=-1 if limit is None else limit)
        return [(row[0], LogLine(*row[1:])) for row in rows]

    def latest(self, assets: Sequence[str]) -> dict[str, Materialized]:
        return {row[0]: _materialized(row) for row in self._read("latest", assets=json.dumps(list(assets)))}

    def history(self, asset: str, limit: int | None = None) -> list[Materialized]:
        return [_materialized(row) for row in self._read("history", asset=asset, limit=-1 if limit is None else limit)]

    def observed(self, asset: str) -> list[tuple[str, int]]:
        return self._read("observed", asset=asset)

    def assets(self) -> list[str]:
        return [row[0] for row in self._read("assets")]

    def memos(self, steps: Sequence[str] | None = None) -> dict[str, list[Memoized]]:
        found: dict[str, list[Memoized]] = {}
        rows = self._read("all_memos") if steps is None else self._read("memos", steps=json.dumps(list(steps)))
        for step, fingerprint, parts, kept, absent, time in rows:
            found.setdefault(step, []).append(
                Memoized(
                    step=step,
                    fingerprint=fingerprint,
                    parts=_decode_parts(parts),
                    kept=_decode_kept(kept),
                    absent=_decode_names(absent),
                    time=time,
                )
            )
        return found

    def remember(self, rows: Sequence[Memoized], used: Sequence[tuple[str, str]] = ()) -> None:
        if not rows and not used:
            return
        with self.transaction() as connection:
            for step, fingerprint in used:
                connection.execute(_SQL["use_memo"], {"step": step, "fingerprint": fingerprint})
            for given in rows:
                where = {"step": given.step, "fingerprint": given.fingerprint}
                known = connection.execute(_SQL["memo"], where).fetchone()
                row = given
                if known is not None:
                    older = Memoized(
                        step=given.step,
                        fingerprint=given.fingerprint,
                        parts={},
                        kept=_decode_kept(known[0]),
                        absent=_decode_names(known[1]),
                    )
                    row = given.joined(older)
                    connection.execute(_SQL["forget_memo"], where)
                content = {"parts": _encode(dict(row.parts)), "kept": _encode(row.kept), "absent": _encode(row.absent)}
                connection.execute(_SQL["remember"], {**where, **content, "size": row.size, "time": row.time})

    def forget_memos(self, rows: Sequence[tuple[str, str]]) -> None:
        with self.transaction() as connection:
            for step, fingerprint in rows:
                connection.execute(_SQL["forget_memo"], {"step": step, "fingerprint": fingerprint})

    # -- what people say --------------------------------------------------------------

    def report(self, row: RunRow, fact: AssetReported) -> None:
        with self.transaction(durable=True) as connection:  # which keeps others out, so no lease is needed
            known = connection.execute(_SQL["number"], {"run_id": row.run_id}).fetchone()
            number = known[0] if known is not None else _create(connection, row)
            SqliteWriter(self, row.run_id, number, 0, _next_seq(connection, number)).write(connection, [fact])

    def forget_assets(self, assets: Sequence[str]) -> None:
        named = set(assets)
        with self.transaction() as connection:
            connection.execute(_SQL["forget_assets"], {"assets": json.dumps(list(assets))})
            for rows in self.memos().values():
                for row in rows:
                    if row.is_of(named):
                        connection.execute(_SQL["forget_memo"], {"step": row.step, "fingerprint": row.fingerprint})

    def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        with self.transaction() as connection:
            if not connection.execute(_SQL["tag_run"], {"run_id": run_id, "tags": json.dumps(dict(tags))}).rowcount:
                raise UnknownRun(run_id)

    # -- pools ------------------------------------------------------------------------

    def limit_pool(self, pool: str, slots: int | None) -> None:
        with self.transaction() as connection:
            connection.execute(_SQL["limit_pool"], {"pool": pool, "slots": slots})

    def pools(self) -> dict[str, tuple[int, int]]:
        return {name: (slots, self.leases.slots_taken(number, slots)) for name, number, slots in self._read("pools")}

    def take_slots(self, pools: Sequence[str]) -> tuple[int, ...] | None:
        return self.leases.take_slots([(number, slots) for number, slots in self._known(pools) if slots is not None])

    def free_slots(self, slots: Sequence[int]) -> None:
        for slot in slots:
            self.leases.drop(slot)

    def queue_for(self, pool: str, *, queues: bool) -> None:
        for number, _ in self._known([pool]):
            self.leases.queue_for(number, queues=queues)

    def is_wanted(self, pool: str, *, queues: bool) -> bool:
        return any(self.leases.is_wanted(number, queues=queues) for number, _ in self._known([pool]))

    def _known(self, pools: Sequence[str]) -> list[tuple[int, int | None]]:
        """The numbers and slots of those that have, or had, a limit."""
        return self._read("limits_of_pools", pools=json.dumps(list(pools)))

    # -- clean-up ---------------------------------------------------------------------

    def planning(self) -> leases.Shared:
        return self.leases.planning()

    @contextmanager
    def cleaning(self, wait: float = 0.0) -> Generator[bool]:
        self._refuse_to_write()
        ends = clock.monotonic() + wait
        while not (got := self.leases.begin_cleaning()) and clock.monotonic() < ends:
            clock.sleep(0.02)
        try:
            yield got
        finally:
            if got:
                self.leases.end_cleaning()

    def inline_sizes(self, run_id: str) -> Mapping[int, int]:
        return dict(self._read("value_sizes", number=self._number(run_id)))

    def forget_values(self, run_id: str, keep: Collection[int], time: float) -> int:
        number = self._number(run_id)
        size = sum(size for seq, size in self.inline_sizes(run_id).items() if seq not in keep)
        with self.transaction() as connection:
            connection.execute(_SQL["forget_values"], {"number": number, "keep": json.dumps(sorted(keep))})
            connection.execute(_SQL["mark_cleaned"], {"number": number, "time": time})
        return size

    def forget_output(self, run_id: str, *, dry: bool = False) -> int:
        number = self._number(run_id)
        size = self._read("has_logs", number=number)[0][0]
        if size and not dry:
            with self.transaction() as connection:
                connection.execute(_SQL["forget_logs"], {"number": number})
        return size

    def forget_run(self, run_id: str, *, dry: bool = False) -> int:
        number = self._number(run_id)
        size = self._read("size_of_run", number=number)[0][0]
        if not dry:
            with self.transaction() as connection:
                for what in ("materializations", "observations", "logs", "facts", "plan", "run"):
                    connection.execute(_SQL[f"forget_{what}"], {"number": number})
        return size

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Generator[sqlite3.Connection]:
        """One write transaction: what is done within holds together, or not at all."""
        self._refuse_to_write()
        connection = self.connection
        with self.lock:
            try:
                if durable:
                    connection.execute("pragma synchronous = full")
                try:
                    connection.execute("begin immediate")
                    yield connection
                    connection.execute("commit")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("rollback")
                    raise
                finally:
                    if durable:
                        connection.execute("pragma synchronous = normal")
            except sqlite3.Error as cause:
                raise self.refusal(cause) from cause

    def _refuse_to_write(self) -> None:
        if self.leases.read_only:
            raise ReadOnlyRecordError(self.path)

    def _read(self, query: str, **parameters: Any) -> list[Any]:
        with self.lock:
            try:
                return self.connection.execute(_SQL[query], parameters).fetchall()
            except sqlite3.Error as cause:
                raise self.refusal(cause) from cause

    def _number(self, run_id: str) -> int | None:
        rows = self._read("number", run_id=run_id)
        return rows[0][0] if rows else None


def _create(connection: sqlite3.Connection, row: RunRow) -> int:
    number = connection.execute(
        _SQL["create_run"],
        {
            "run_id": row.run_id,
            "job": row.job,
            "status": row.status.value,
            "parent": row.parent,
            "root": row.root,
            "code": row.code,
            "tags": json.dumps(dict(row.tags)),
            "created": row.created,
            "started": row.started,
            "ended": row.ended,
            "who": row.who,
            "why": row.why,
            "executor": row.executor,
            "asked": json.dumps(dict(row.asked)),
        },
    ).lastrowid
    assert number is not None
    connection.execute(_SQL["create_plan"], {"number": number, "plan": row.plan})
    return number


def _next_seq(connection: sqlite3.Connection, number: int) -> int:
    last = connection.execute(_SQL["last_facts"], {"number": number}).fetchone()
    return last[0] + len(_decode(last[1])) if last else 1


def _epoch(connection: sqlite3.Connection, number: int) -> int:
    return connection.execute(_SQL["epoch"], {"number": number}).fetchone()[0]


def _run_row(row: tuple[Any, ...]) -> RunRow:
    run_id, created, job, status, parent, root, plan, code, tags, started, ended = row[:11]
    epoch, who, why, executor, cleaned, asked = row[11:]
    return RunRow(
        run_id=run_id,
        created=created,
        job=job,
        status=RunStatus(status),
        parent=parent,
        root=root,
        plan=plan,
        code=code,
        tags=json.loads(tags),
        started=started,
        ended=ended,
        epoch=epoch,
        who=who,
        why=why,
        executor=executor,
        cleaned=cleaned,
        asked=json.loads(asked),
    )


def _materialized(row: tuple[Any, ...]) -> Materialized:
    asset, run_id, seq, step, time, stored = row
    return Materialized(asset=asset, run_id=run_id, seq=seq, step=step, time=time, stored=_decode_stored(stored))
