"""What the record costs: beside one hand-written INSERT with the value inside (the `inline` floor).

python -m benchmarks.record
"""

import os
import pickle
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from opgraph.events import AnyFact, Place, RunEnded, RunStarted, RunStatus, StepStarted, StepSucceeded, Stored
from opgraph.record.memory import MemoryRecord
from opgraph.record.rows import RunRow
from opgraph.record.sqlite import SqliteRecord
from opgraph.record.store import Record, Writer

STEPS = 2_000
PAIRS = 11
VALUE = pickle.dumps(12345, protocol=5)


def started(record: Record, run_id: str, plan: bytes = b"") -> Writer:
    record.create(RunRow(run_id=run_id, created=0.0, plan=plan))
    writer = record.claim(run_id, pid=os.getpid(), host="", now=0.0)
    writer.append([RunStarted(0.0, writer.epoch), StepStarted(0, 1, 0.0)])
    return writer


def step(i: int, asset: str | None = None) -> list[AnyFact]:
    stored = Stored("result", Place.INLINE, len(VALUE), "0123456789abcdef" * 2, asset=asset, type_name="int")
    return [StepSucceeded(i, 1, 1.7e9 + i, 10, 20, 30, (stored,)), StepStarted(i + 1, 1, 1.7e9 + i)]


def floor(folder: str) -> Callable[[int], object]:
    log = sqlite3.connect(f"{folder}/floor.db", isolation_level=None)
    log.execute("pragma journal_mode = wal")
    log.execute("pragma synchronous = normal")
    log.execute("create table events (id integer primary key, run text, step text, kind text, body text, value blob)")
    insert = "insert into events (run, step, kind, body, value) values (?, ?, ?, ?, ?)"
    return lambda i: log.execute(insert, ("run", f"step_{i}", "succeeded", "{}", VALUE))


def appending(record: Record, run_id: str, asset: str | None = None) -> Callable[[int], object]:
    writer = started(record, run_id)
    facts = [step(i, asset) for i in range(STEPS)]
    return lambda i: writer.append(facts[i], [VALUE, None], durable=asset is not None)


def timed(act: Callable[[int], object], times: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for i in range(times):
        act(i)
    return (time.process_time() - cpu) / times * 1e6, (time.perf_counter() - wall) / times * 1e6


def compare(folder: str) -> None:
    record = SqliteRecord(Path(folder, "append.db"))
    kinds: list[tuple[str, Callable[[int], Callable[[int], object]], int]] = [
        ("floor: one INSERT", lambda _: floor(tempfile.mkdtemp(dir=folder)), STEPS),
        ("SQLite append", lambda i: appending(record, f"r{i}"), STEPS),
        ("SQLite append, an asset's, durable", lambda i: appending(record, f"d{i}", "asset"), 50),
        ("memory append", lambda i: appending(MemoryRecord(), f"r{i}"), STEPS),
    ]
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in kinds}
    for pair in range(PAIRS):
        for name, make, times in kinds:
            figures[name].append(timed(make(pair), times))
    for name, measured in figures.items():
        cpu, wall = (statistics.median(one[i] for one in measured) for i in (0, 1))
        ratio = statistics.median(
            one[0] / base[0] for one, base in zip(measured, figures["floor: one INSERT"], strict=True)
        )
        print(f"{name:36} {cpu:7.1f} µs CPU {wall:7.1f} µs wall  {ratio:5.2f} x floor")
    record.close()


def long_run(folder: str) -> None:
    record = SqliteRecord(Path(folder, "long.db"))
    writer = started(record, "r")
    for i in range(10_000):
        writer.append(step(i), [VALUE])
    writer.release()
    for name, act in (
        ("read the 20,002 facts of 10,000 steps", lambda _: record.facts("r")),
        ("read the facts after number 20,000", lambda _: record.facts("r", 20_000)),
        ("read one value", lambda _: record.value("r", 9_999)),
        ("claim and release", lambda _: record.claim("r", pid=1, host="", now=0.0).release()),
        ("ask whether it is alive", lambda _: record.alive("r")),
    ):
        print(f"{name:38} {timed(act, 20)[1]:9.0f} µs")
    record.close()
    fresh = timed(lambda i: SqliteRecord(Path(folder, str(i), "fresh.db")).close(), 20)[1]
    again = timed(lambda _: SqliteRecord(Path(folder, "1", "fresh.db")).close(), 20)[1]
    print(f"{'open a fresh database / one that is there':38} {fresh:6.0f} / {again:.0f} µs")


def size(folder: str) -> None:
    path = Path(folder, "size.db")
    record = SqliteRecord(path)
    sizes: list[int] = []
    for run in range(11):
        writer = started(record, f"r{run}", plan=b"p" * 5000)
        for i in range(30):
            writer.append(step(i, "asset" if i == 29 else None), [VALUE])
        writer.append([RunEnded(1.7e9, RunStatus.SUCCESS)])
        record.connection.execute("pragma wal_checkpoint(truncate)")
        sizes.append(path.stat().st_size)
    record.close()
    print(f"{'growth per 30-op run':38} {(sizes[-1] - sizes[0]) / 10 / 1000:9.1f} KB")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        compare(folder)
        long_run(folder)
        size(folder)


if __name__ == "__main__":
    main()
