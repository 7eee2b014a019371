"""Processes that open, write, die and take over one SQLite record."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opgraph.events import LogLine, RunEnded, RunStarted, RunStatus, StepStarted, StepSucceeded
from opgraph.record.refusals import RunHeldError, SupersededError
from opgraph.record.rows import RunRow
from opgraph.record.sqlite import SqliteRecord

SOAK = bool(os.environ.get("OPGRAPH_SOAK"))
RUNS = 1_000 if SOAK else 20  # of each of eight writers
SCRIPT = Path(__file__).with_name("record_process.py")


class Process:
    """A process with a record; `tell` sends it a line, `answer` waits for its answer."""

    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, *words: object) -> None:
        print(*words, file=self.popen.stdin, flush=True)

    def answer(self) -> str:
        return self.popen.stdout.readline().strip()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()
        self.popen.stdout.close()


@pytest.fixture
def start() -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def one() -> Process:
        started.append(Process())
        return started[-1]

    yield one
    for process in started:
        process.kill()


@pytest.mark.figure("R8")
def test_eight_processes_open_a_fresh_database_at_once_a_hundred_times(tmp_path, start, counted):
    """Dagster #27390: all eight succeed and find each other's runs, every time."""
    processes = [start() for _ in range(8)]
    for time_ in range(100):
        path = tmp_path / str(time_) / "opgraph.db"
        for i, process in enumerate(processes):
            process.tell("open", path, f"r{i}")
        assert [process.answer() for process in processes] == ["opened"] * 8
        record = SqliteRecord(path)
        assert sorted((row.run_id, row.status) for row in record.runs()) == [
            (f"r{i}", RunStatus.SUCCESS) for i in range(8)
        ]
        record.close()
    counted(100)


@pytest.mark.figure("R9")
@pytest.mark.timeout(1800 if SOAK else 110)
def test_eight_writers_of_many_runs_lose_nothing(tmp_path, start, counted):
    """Of catalyst-cooperative/pudl, #2977: eight processes write runs into one file at once: none is told that it is
    locked, and every fact is there."""
    path = tmp_path / "opgraph.db"
    record = SqliteRecord(path)
    processes = [start() for _ in range(8)]
    for i, process in enumerate(processes):
        process.tell("runs", path, f"w{i}", RUNS)
    assert [process.answer() for process in processes] == ["written"] * 8
    rows = record.runs()
    assert len(rows) == 8 * RUNS
    assert {row.status for row in rows} == {RunStatus.SUCCESS}
    for row in rows:
        assert len(record.facts(row.run_id)) == 9
        assert record.value(row.run_id, 7) == f"{row.run_id} 2".encode()
    assert len(record.history("shared")) == 8 * RUNS
    record.close()
    counted(8 * RUNS)


@pytest.mark.figure("R5")
def test_kill_9_ends_a_lease_at_once(tmp_path, start):
    """A dead holder's lease is gone as soon as the process is, even while a child that it forked lives on."""
    path = tmp_path / "opgraph.db"
    record = SqliteRecord(path)
    holder = start()
    holder.tell("hold", path, "r")
    child = int(holder.answer())
    try:
        assert record.alive("r")
        with pytest.raises(RunHeldError) as caught:
            record.claim("r", pid=1, host="", now=2.0)
        assert caught.value.pid == holder.popen.pid
        holder.popen.kill()
        holder.popen.wait()
        assert not record.alive("r")
        assert holder.answer() == "free", "the child does not take its parent's lease for its own"
        assert record.claim("r", pid=1, host="", now=2.0).epoch == 2
    finally:
        os.kill(child, signal.SIGKILL)
    record.close()


@pytest.mark.figure("R5")
def test_a_stopped_process_keeps_its_lease(tmp_path, start, counted):
    """A process that is only stopped (SIGSTOP), again and again, is never taken for dead."""
    path = tmp_path / "opgraph.db"
    record = SqliteRecord(path)
    holder = start()
    holder.tell("hold", path, "r")
    child = int(holder.answer())
    try:
        for _ in range(200):
            holder.popen.send_signal(signal.SIGSTOP)
            assert record.alive("r")
            with pytest.raises(RunHeldError):
                record.claim("r", pid=1, host="", now=2.0)
            holder.popen.send_signal(signal.SIGCONT)
        counted(200)
    finally:
        os.kill(child, signal.SIGKILL)
    record.close()


@pytest.mark.figure("R6")
def test_a_superseded_writer_writes_nothing_200_times(tmp_path, counted):
    """What a writer sends after another has claimed its run is refused, whatever it is, and leaves no trace."""
    record = SqliteRecord(tmp_path / "opgraph.db")
    for i in range(200):
        run_id = f"r{i}"
        record.create(RunRow(run_id=run_id, created=1.0))
        old = record.claim(run_id, pid=1, host="a", now=1.0)
        old.append([RunStarted(1.0, 1)])
        old.release()
        new = record.claim(run_id, pid=2, host="b", now=2.0)
        new.append([RunStarted(2.0, 2), RunEnded(3.0, RunStatus.FAILURE)])
        before = record.run(run_id), record.facts(run_id)
        late = [
            lambda: old.append([StepStarted(0, 1, 1.0)], [b"late"]),
            lambda: old.append([RunEnded(4.0, RunStatus.SUCCESS)], durable=True),
            lambda: old.append([StepStarted(0, 1, 1.0)] * 2, [b"1", b"2"]),
            lambda: old.append([], logs=[LogLine(0, 1, 1.0, "INFO", "x", "late")]),
        ][i % 4]
        with pytest.raises(SupersededError):
            late()
        assert (record.run(run_id), record.facts(run_id)) == before
        assert (record.logs(run_id), record.value(run_id, 4)) == ([], None)
        new.release()
    record.close()
    counted(200)


def test_four_writers_at_once_lose_nothing_and_are_read_meanwhile(tmp_path, start):
    """Four processes write 500 steps each with no `locked` and no loss; a reader always sees a gapless beginning."""
    path = tmp_path / "opgraph.db"
    record = SqliteRecord(path)
    processes = [start() for _ in range(4)]
    for i, process in enumerate(processes):
        process.tell("write", path, f"r{i}", 500)
    seen = {f"r{i}": 0 for i in range(4)}
    looks = 0
    while any(count < 1003 for count in seen.values()):
        for run_id, count in seen.items():
            fresh = [seq for seq, _ in record.facts(run_id, count)]
            assert fresh == list(range(count + 1, count + len(fresh) + 1))
            seen[run_id] += len(fresh)
        looks += 1
        assert all(process.popen.poll() is None for process in processes)
    assert looks > 1
    assert [process.answer() for process in processes] == ["written"] * 4
    for run_id in seen:
        values = [record.value(run_id, 3 + 2 * step) for step in range(500)]
        assert values == [f"{run_id} {step}".encode() for step in range(500)]
        assert len(record.logs(run_id)) == 72
    assert len(record.history("shared")) == 200
    record.close()


@pytest.mark.parametrize("time_", range(8))
def test_a_writer_killed_anywhere_leaves_whole_facts(tmp_path, start, time_):
    """After kill -9 the log is gapless, each step's fact has its value, and the run can be claimed and goes on."""
    path = tmp_path / "opgraph.db"
    record = SqliteRecord(path)
    writer = start()
    writer.tell("write", path, "r", 1_000_000)
    while len(record.facts("r")) < 10:
        time.sleep(0.001)
    time.sleep(time_ * 0.007)
    writer.kill()
    facts = record.facts("r")
    assert [seq for seq, _ in facts] == list(range(1, len(facts) + 1))
    for seq, fact in facts:
        if isinstance(fact, StepSucceeded):
            assert record.value("r", seq) == f"r {fact.step}".encode()
    assert record.run("r").status is RunStatus.STARTED
    successor = record.claim("r", pid=1, host="", now=1.0)
    assert successor.append([RunStarted(2.0, successor.epoch)]) == len(facts) + 1
    record.close()
