"""What holds of the SQLite file alone."""

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from opgraph.errors import RecordError
from opgraph.events import LogLine, Place, RunEnded, RunStarted, RunStatus, StepStarted, StepSucceeded, Stored
from opgraph.record.refusals import NewerSchemaError, RunHeldError, UnusableRecordError
from opgraph.record.rows import RunRow
from opgraph.record.sqlite import SqliteRecord


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "opgraph.db"


def write_run(record: SqliteRecord, run_id: str, *, steps: int, plan: bytes = b"") -> None:
    record.create(RunRow(run_id=run_id, created=1.7e9, plan=plan))
    writer = record.claim(run_id, pid=os.getpid(), host="h", now=1.7e9)
    writer.append([RunStarted(1.7e9, 1), StepStarted(0, 1, 1.7e9)])
    for step in range(steps):
        stored = Stored("result", Place.INLINE, 200, "0" * 32, metadata={}, type_name="int")
        facts = [StepSucceeded(step, 1, 1.7e9, 11, 22, 33, (stored,)), StepStarted(step + 1, 1, 1.7e9)]
        writer.append(facts, [b"v" * 200], [LogLine(step, 1, 1.7e9, "INFO", "opgraph", "a line of log")])
    writer.append([RunEnded(1.7e9, RunStatus.SUCCESS)])
    writer.release()


def test_what_was_written_is_there_when_the_file_is_opened_again(path):
    """A record closed and opened again has the same runs, facts and values."""
    record = SqliteRecord(path)
    write_run(record, "r", steps=3, plan=b"plan")
    before = record.run("r"), record.facts("r"), record.logs("r")
    record.close()
    again = SqliteRecord(path)
    assert (again.run("r"), again.facts("r"), again.logs("r")) == before
    assert again.value("r", 3) == b"v" * 200
    again.close()


def test_nobody_else_can_read_the_files(path):
    """Files are 0600 and the folder 0700, whatever the umask."""
    mask = os.umask(0)
    try:
        record = SqliteRecord(path)
        write_run(record, "r", steps=1)
    finally:
        os.umask(mask)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert len(list(path.parent.iterdir())) == 4, "database, log, shared memory, leases"
    assert modes == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    record.close()


def test_a_newer_schema_is_refused_unharmed(path):
    """A database that a newer version wrote is an error naming both versions, and stays as it is, byte for byte."""
    SqliteRecord(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("pragma user_version = 99")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(NewerSchemaError, match=r"version 99; .* up to 5") as caught:
        SqliteRecord(path)
    assert isinstance(caught.value, RecordError)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_unharmed(path):
    """A file of something else is an error naming it, and stays as it is."""
    path.parent.mkdir()
    path.write_bytes(b"precious" * 1000)
    with pytest.raises(UnusableRecordError, match=r"opgraph\.db cannot be used"):
        SqliteRecord(path)
    assert path.read_bytes() == b"precious" * 1000


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    """Where a file stands in the way of the folder, the error names the record."""
    (tmp_path / "home").write_text("a file")
    with pytest.raises(UnusableRecordError, match="cannot be used"):
        SqliteRecord(tmp_path / "home" / "opgraph.db")


def test_an_opening_that_was_cut_short_is_finished_by_the_next(path):
    """An empty file, or one switched to WAL with no schema yet, becomes a record."""
    path.parent.mkdir()
    path.touch()
    SqliteRecord(path).close()
    other = path.with_name("other.db")
    half = sqlite3.connect(other)
    half.execute("pragma journal_mode = wal")
    half.close()
    record = SqliteRecord(other)
    assert record.runs() == []
    record.close()


def test_two_records_of_one_process_share_their_leases(path):
    """A run claimed through one record is held for another on the same file; closing that other ends no lease."""
    one, two = SqliteRecord(path), SqliteRecord(path)
    one.create(RunRow(run_id="r", created=1.0))
    one.claim("r", pid=1, host="h", now=1.0)
    assert two.alive("r")
    with pytest.raises(RunHeldError):
        two.claim("r", pid=1, host="h", now=1.0)
    two.close()
    assert one.alive("r")
    one.close()
    three = SqliteRecord(path)
    assert not three.alive("r")
    three.close()


def test_a_full_disk_is_a_clear_error_and_writes_nothing(path):
    """When the database can't grow, the append is refused whole, and works again once there is room."""
    record = SqliteRecord(path)
    record.create(RunRow(run_id="r", created=1.0))
    writer = record.claim("r", pid=1, host="h", now=1.0)
    writer.append([RunStarted(1.0, 1)])
    pages = record.connection.execute("pragma page_count").fetchone()[0]
    record.connection.execute(f"pragma max_page_count = {pages}")
    big = b"v" * 30_000
    for durable in (False, True):
        with pytest.raises(UnusableRecordError, match="full"):
            writer.append([StepStarted(0, 1, 1.0)], [big], durable=durable)
    assert [seq for seq, _ in record.facts("r")] == [1]
    record.connection.execute("pragma max_page_count = 1000000")
    assert writer.append([StepStarted(0, 1, 1.0)], [big]) == 2
    record.close()


def test_threads_share_a_record(path):
    """Four threads, each driving its own run through one record, lose and mix nothing."""
    record = SqliteRecord(path)
    errors: list[BaseException] = []

    def drive(run_id: str) -> None:
        try:
            write_run(record, run_id, steps=50)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=drive, args=(f"r{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for i in range(4):
        assert [seq for seq, _ in record.facts(f"r{i}")] == list(range(1, 104))
        assert len(record.logs(f"r{i}")) == 50
    record.close()


def test_a_run_of_30_ops_takes_less_than_60_kb(path):
    """With a plan of 5 KB, inline values of 200 bytes and a line of log for each op, after a checkpoint."""
    record = SqliteRecord(path)
    sizes = []
    for i in range(11):
        write_run(record, f"r{i}", steps=30, plan=b"p" * 5000)
        record.connection.execute("pragma wal_checkpoint(truncate)")
        sizes.append(path.stat().st_size)
    assert (sizes[-1] - sizes[0]) / 10 < 60_000
    record.close()


def test_values_can_be_cleaned_without_touching_the_facts(path):
    """Nulling a run's values leaves its facts readable and its values absent."""
    record = SqliteRecord(path)
    write_run(record, "r", steps=3)
    facts = record.facts("r")
    record.connection.execute("update facts set value = null")
    assert record.facts("r") == facts
    assert record.value("r", 3) is None
    record.close()
