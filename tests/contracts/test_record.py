"""What every record promises, run on each of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opgraph.errors import RunNotFoundError
from opgraph.events import (
    AssetReported,
    CancelRequested,
    Fact,
    Kept,
    LogLine,
    Meta,
    OutputStored,
    Place,
    RunEnded,
    RunStarted,
    RunStatus,
    StepReused,
    StepStarted,
    StepSucceeded,
    Stored,
)
from opgraph.record.memory import MemoryRecord
from opgraph.record.refusals import RunHeldError, SupersededError
from opgraph.record.rows import RUNLESS, Memoized, RunRow
from opgraph.record.sqlite import SqliteRecord
from opgraph.record.store import Record, Writer, each_fact

STARTED = RunStarted(1.0, 1)


@pytest.fixture(params=["memory", "sqlite"])
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Record]:
    record: Record = MemoryRecord() if request.param == "memory" else SqliteRecord(tmp_path / "home" / "opgraph.db")
    yield record
    record.close()


@pytest.fixture
def claimed(record: Record) -> Callable[[str], Writer]:
    def claim(run_id: str) -> Writer:
        record.create(RunRow(run_id=run_id, created=1.0))
        return record.claim(run_id, pid=7, host="here", now=1.0)

    return claim


def succeeded(step: int, **stored) -> StepSucceeded:
    return StepSucceeded(step, 1, 2.0, outputs=(Stored("result", Place.INLINE, 3, **stored),))


def numbers(record: Record, run_id: str, after: int = 0) -> list[int]:
    return [seq for seq, _ in record.facts(run_id, after)]


# -- runs ---------------------------------------------------------------------


def test_a_run_comes_back_as_it_was_created(record):
    """Every field of a created run is read back."""
    row = RunRow(
        run_id="child", created=5.5, job="nightly", status=RunStatus.QUEUED, parent="p", root="r", plan=b"\x00plan",
        code="abc", tags={"team": "ü"}, who="ana", why="schedule", executor="in_process",
        asked={"executor": "threads", "settings": {"max_concurrent": 2}, "timeout": 0.5},
    )  # fmt: skip
    record.create(row)
    assert record.run("child") == row


def test_an_unknown_run_is_none_and_empty_everywhere(record):
    """Reading about a run that nobody created finds nothing and raises nothing."""
    assert record.run("x") is None
    assert record.facts("x") == []
    assert record.value("x", 1) is None
    assert record.logs("x") == []
    assert record.alive("x") is False


def test_an_unknown_run_cannot_be_claimed(record):
    """Claiming a run that nobody created is an error that names it."""
    with pytest.raises(RunNotFoundError, match="nope"):
        record.claim("nope", pid=1, host="", now=0.0)


def test_runs_are_listed_newest_first_by_pages_and_filters(record):
    """Status, job, limit and the page's last run select among runs; plans are left out of lists."""
    for i in range(6):
        status = RunStatus.FAILURE if i % 2 else RunStatus.SUCCESS
        record.create(RunRow(run_id=f"r{i}", created=float(i), job="a" if i < 3 else "b", status=status, plan=b"plan"))

    def ids(**filters):
        return [row.run_id for row in record.runs(**filters)]

    assert ids() == ["r5", "r4", "r3", "r2", "r1", "r0"]
    assert ids(limit=2) == ["r5", "r4"]
    assert ids(limit=2, before="r4") == ["r3", "r2"]
    assert ids(job="a") == ["r2", "r1", "r0"]
    assert ids(status=[RunStatus.FAILURE]) == ["r5", "r3", "r1"]
    assert ids(status=[RunStatus.FAILURE, RunStatus.SUCCESS], job="b", limit=1) == ["r5"]
    assert ids(before="unknown") == []
    assert {row.plan for row in record.runs()} == {b""}


# -- leases and epochs --------------------------------------------------------


def test_a_claim_begins_the_next_epoch_and_nothing_else(record, claimed):
    """Claiming counts the epoch up and writes no fact; the numbering of facts goes on."""
    first = claimed("r")
    assert (first.epoch, first.next_seq, record.run("r").epoch) == (1, 1, 1)
    first.append([STARTED, StepStarted(0, 1, 1.0)])
    first.release()
    second = record.claim("r", pid=8, host="here", now=2.0)
    assert (second.epoch, second.next_seq) == (2, 3)
    assert numbers(record, "r") == [1, 2]


def test_a_held_run_is_refused_naming_its_holder(record, claimed):
    """While the lease is held nobody else gets it, and the error says who has it."""
    writer = claimed("r")
    with pytest.raises(RunHeldError, match="process 7 on here") as caught:
        record.claim("r", pid=8, host="there", now=2.0)
    assert (caught.value.run_id, caught.value.pid, caught.value.host) == ("r", 7, "here")
    assert record.run("r").epoch == 1
    writer.release()
    assert record.claim("r", pid=8, host="there", now=3.0).epoch == 2


def test_a_run_is_alive_while_its_lease_is_held(record, claimed):
    """`alive` follows the lease, run by run."""
    record.create(RunRow(run_id="other", created=1.0))
    assert record.alive("other") is False
    writer = claimed("r")
    assert (record.alive("r"), record.alive("other")) == (True, False)
    writer.release()
    assert record.alive("r") is False


@pytest.mark.parametrize("facts", [[StepStarted(0, 1, 1.0)], [RunEnded(1.0, RunStatus.SUCCESS)], []])
def test_a_superseded_writer_is_refused(record, claimed, facts):
    """After another claim nothing of the earlier writer is written, whatever it writes."""
    old = claimed("r")
    old.append([STARTED])
    old.release()
    new = record.claim("r", pid=8, host="here", now=2.0)
    before = record.run("r")
    with pytest.raises(SupersededError) as caught:
        old.append(facts, [b"v"] if facts else [], [LogLine(0, 1, 1.0, "INFO", "x", "late")])
    assert (caught.value.epoch, caught.value.current) == (1, 2)
    with pytest.raises(SupersededError):
        old.append([StepStarted(0, 1, 1.0)])
    old.release()
    assert record.alive("r"), "a writer that is gone must not end its successor's lease"
    assert (numbers(record, "r"), record.logs("r"), record.run("r")) == ([1], [], before)
    assert new.append([StepStarted(0, 2, 2.0)]) == 2


# -- facts, values, logs ------------------------------------------------------


def test_facts_come_back_as_they_went_in(record, claimed):
    """Facts of every shape are read back equal, numbered from 1."""
    stored = Stored("o", Place.FILE, 9, "c", "v", "a/b", 0, "k", "x/y", False, "io", {"n": Meta("int", 3)}, "int")
    facts: list[Fact] = [
        STARTED,
        StepStarted(0, 1, 1.0, "w"),
        OutputStored(0, 1, 1.5, stored),
        StepReused(1, 2.0, (Kept("old", 4, stored),)),
        RunEnded(3.0, RunStatus.SUCCESS),
    ]
    writer = claimed("r")
    assert writer.append(facts) == 1
    assert record.facts("r") == list(enumerate(facts, 1))


def test_numbers_are_consecutive_over_appends_of_any_size(record, claimed):
    """`append` returns the first number; the next append goes on where it ended."""
    writer = claimed("r")
    for size in (1, 3, 2, 1, 5):
        expected = writer.next_seq
        assert writer.append([StepStarted(i, 1, 1.0) for i in range(size)]) == expected
        assert writer.next_seq == expected + size
    assert numbers(record, "r") == list(range(1, 13))


@pytest.mark.parametrize("after", range(9))
def test_facts_are_read_from_any_number_on(record, claimed, after):
    """Reading after a number gives exactly the later facts, also from inside what was appended together."""
    writer = claimed("r")
    for size in (3, 1, 3):
        writer.append([StepStarted(0, 1, 1.0)] * size)
    assert numbers(record, "r", after) == list(range(after + 1, 8))


@pytest.mark.parametrize("portion", [1, 2, 7, 1_000])
def test_facts_in_portions(record, claimed, monkeypatch, portion):
    """However many appends are read at once, and wherever a reading stands, each fact comes once and in order."""
    monkeypatch.setattr("opgraph.record.store._PORTION", portion)
    writer = claimed("r")
    sizes = [1, 3, 1, 2, 5, 1]
    facts = [StepStarted(n, 1, float(n)) for n in range(sum(sizes))]
    for at, size in enumerate(sizes):
        writer.append(facts[sum(sizes[:at]) :][:size])
    assert list(each_fact(record, "r")) == list(enumerate(facts, 1))
    for after in range(len(facts)):
        some = record.facts("r", after, portion)
        assert some
        assert some == list(enumerate(facts, 1))[after:][: len(some)]
    assert record.facts("r", len(facts), portion) == []


def test_runs_do_not_see_each_others_facts(record, claimed):
    """Two runs that are written in turns stay apart, also at the ends of their numbering."""
    a, b = claimed("a"), claimed("b")
    for i in range(5):
        a.append([succeeded(i)], [b"a%d" % i])
        b.append([succeeded(i), StepStarted(i, 1, 1.0)], [b"b%d" % i])
    assert numbers(record, "a") == [1, 2, 3, 4, 5]
    assert numbers(record, "b") == list(range(1, 11))
    assert [record.value("a", i) for i in (0, 1, 5, 6)] == [None, b"a0", b"a4", None]
    assert record.facts("a", 5) == []


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b"1"],
        [b"1", None],
        [None, b"2"],
        [b"1", b"2"],
        [None, b"2", None, b"4"],
        [b"1", None, b"3", b"4"],
        [None] * 4,
        [b""],
    ],
)
def test_each_value_belongs_to_its_fact(record, claimed, values):
    """Any of several facts appended together may bring a value; each is found under its own fact's number."""
    writer = claimed("r")
    writer.append([STARTED])
    first = writer.append([succeeded(i) for i in range(4)], values)
    padded = [*values, *[None] * (4 - len(values))]
    assert [record.value("r", first + i) for i in range(4)] == padded
    assert numbers(record, "r") == [1, 2, 3, 4, 5]


def test_logs_are_read_by_step_and_from_any_line_on(record, claimed):
    """Lines keep their order; a step's lines, and those after a line, can be read alone."""
    writer = claimed("r")
    lines = [LogLine(i % 2, 1, float(i), "INFO", "log", f"line {i}") for i in range(6)]
    writer.append([STARTED], logs=lines[:4])
    writer.append([], logs=lines[4:])
    read = record.logs("r")
    assert [line for _, line in read] == lines
    assert [line for _, line in record.logs("r", step=1)] == lines[1::2]
    assert record.logs("r", after=read[3][0]) == read[4:]
    assert record.logs("r", step=0, after=read[3][0]) == [read[4]]
    assert record.logs("r", step=1, limit=1) == [read[1]]
    assert writer.next_seq == 2


def test_durable_facts_are_facts(record, claimed):
    """What is written for a power cut is read like anything else."""
    writer = claimed("r")
    writer.append([succeeded(0, asset="a")], [b"v"], durable=True)
    writer.append([StepStarted(1, 1, 1.0)])
    assert numbers(record, "r") == [1, 2]
    assert record.value("r", 1) == b"v"


# -- where a run stands -------------------------------------------------------


def test_status_and_times_follow_the_facts(record, claimed):
    """RunStarted, CancelRequested and RunEnded move the run's status, start and end."""
    writer = claimed("r")
    seen = [record.run("r")]
    for fact in (RunStarted(2.0, 1), CancelRequested(3.0), RunEnded(4.0, RunStatus.CANCELED)):
        writer.append([fact])
        seen.append(record.run("r"))
    assert [(row.status.name, row.started, row.ended) for row in seen] == [
        ("NOT_STARTED", None, None),
        ("STARTED", 2.0, None),
        ("CANCELING", 2.0, None),
        ("CANCELED", 2.0, 4.0),
    ]


def test_a_run_taken_over_keeps_its_start_and_its_cancellation(record, claimed):
    """A second RunStarted changes neither when the run started nor that it is to be cancelled."""
    writer = claimed("r")
    writer.append([RunStarted(2.0, 1), CancelRequested(3.0)])
    writer.release()
    record.claim("r", pid=1, host="", now=5.0).append([RunStarted(5.0, 2)])
    row = record.run("r")
    assert (row.status, row.started) == (RunStatus.CANCELING, 2.0)


@pytest.mark.parametrize("final", [RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED])
def test_a_final_status_never_changes(record, claimed, final):
    """No later fact, in the same append or another epoch, changes how and when a run ended."""
    late = [RunStarted(9.0, 2), CancelRequested(9.0), *(RunEnded(9.0, s) for s in RunStatus)]
    writer = claimed("r")
    writer.append([RunStarted(2.0, 1), RunEnded(4.0, final), *late])
    for fact in late:
        writer.append([fact])
    writer.release()
    record.claim("r", pid=1, host="", now=5.0).append(late)
    row = record.run("r")
    assert (row.status, row.started, row.ended) == (final, 2.0, 4.0)


# -- the catalog --------------------------------------------------------------


def test_the_catalog_names_the_fact_that_materialized_an_asset(record, claimed):
    """Outputs that are assets, and reported materializations, are found with run, number, step and what was stored."""
    writer = claimed("r")
    yielded = Stored("one", Place.FILE, 1, asset="a/one")
    returned = Stored("two", Place.INLINE, 2, asset="a/two", metadata={"rows": Meta("int", 3)})
    inner = Stored("three", Place.INLINE)
    writer.append([STARTED, OutputStored(4, 1, 2.0, yielded)])
    writer.append([StepSucceeded(5, 1, 3.0, outputs=(returned, inner)), StepStarted(6, 1, 3.0)], [b"v"])
    writer.append([AssetReported(6, 1, 4.0, "a/three", {"n": Meta("int", 1)})])
    found = record.latest(["a/one", "a/two", "a/three", "a/none"])
    assert {key: (m.run_id, m.seq, m.step, m.time) for key, m in found.items()} == {
        "a/one": ("r", 2, 4, 2.0),
        "a/two": ("r", 3, 5, 3.0),
        "a/three": ("r", 5, 6, 4.0),
    }
    assert (found["a/one"].stored, found["a/two"].stored) == (yielded, returned)
    assert found["a/three"].stored == Stored("", Place.NONE, asset="a/three", metadata={"n": Meta("int", 1)})


def test_reuse_and_observation_are_no_materialization(record, claimed):
    """Neither a reused asset nor an observed one enters the catalog."""
    writer = claimed("r")
    writer.append([StepReused(0, 1.0, (Kept("old", 1, Stored("result", Place.FILE, asset="a")),))])
    writer.append([AssetReported(0, 1, 1.0, "a", observation=True)])
    assert record.latest(["a"]) == {}
    assert record.history("a") == []


def test_observations_are_found_by_asset(record, claimed):
    """The catalog names the facts that observe an asset, over all runs, the newest first, until their run is gone."""
    first, second = claimed("a"), claimed("b")
    seen = AssetReported(0, 1, 1.0, "x", observation=True)
    first.append([STARTED, seen])
    second.append([seen, AssetReported(0, 1, 1.0, "x"), seen])
    assert record.observed("x") == [("b", 3), ("b", 1), ("a", 2)]
    assert record.observed("y") == []
    second.release()
    record.forget_run("b")
    assert record.observed("x") == [("a", 2)]


def test_the_latest_is_the_one_recorded_last(record, claimed):
    """Over several runs, the order of recording decides, and history gives it newest first."""
    a, b = claimed("a"), claimed("b")
    for writer in (a, b, b, a):
        writer.append([succeeded(0, asset="x")])
    assert record.latest(["x"])["x"] == record.history("x")[0]
    assert [(m.run_id, m.seq) for m in record.history("x")] == [("a", 2), ("b", 2), ("b", 1), ("a", 1)]
    assert len(record.history("x", limit=3)) == 3


def test_assets_lists_each_once(record, claimed):
    """`assets` names every asset that was ever materialized, once, in order of name."""
    assert record.assets() == []
    claimed("a").append([succeeded(0, asset="y"), succeeded(1, asset="x"), succeeded(1, asset="x")])
    assert record.assets() == ["x", "y"]


# -- what people say --------------------------------------------------------------


def test_reports_outside_runs_are_in_the_catalog_and_in_no_list_of_runs(record, claimed):
    """What is reported outside a run is numbered and kept as of a run of its own, which is not listed."""
    claimed("r")
    row = RunRow(run_id=RUNLESS, created=1.0, status=RunStatus.SUCCESS)
    for at in (2.0, 3.0):
        record.report(row, AssetReported(0, 0, at, "a", {"n": Meta("int", 1)}, tags={"t": "1"}))
    assert numbers(record, RUNLESS) == [1, 2]
    latest = record.latest(["a"])["a"]
    assert (latest.run_id, latest.seq, latest.time, latest.stored.tags) == (RUNLESS, 2, 3.0, {"t": "1"})
    assert [each.run_id for each in record.runs()] == ["r"]


def test_a_forgotten_asset_is_in_no_view_and_its_values_are_not_reused(record, claimed):
    """Forgetting an asset takes it from the catalog and from what is remembered, and nothing else."""
    writer = claimed("r")
    writer.append([succeeded(0, asset="a"), succeeded(1, asset="b")])
    for name in ("a", "b"):
        kept = (Kept("r", 1, Stored("result", Place.INLINE, 3, asset=name)),)
        record.remember([Memoized(step=name, fingerprint="f", parts={}, kept=kept)])
    record.forget_assets(["a", "never"])
    assert record.assets() == ["b"]
    assert record.history("a") == []
    assert list(record.memos()) == ["b"]
    assert numbers(record, "r") == [1, 2]


def test_tags_are_added_to_a_run(record):
    """A tag given later is there beside the others, or in place of the one of its key."""
    record.create(RunRow(run_id="r", created=1.0, tags={"a": "1", "b": "2"}))
    record.tag_run("r", {"b": "3", "opgraph/x": ""})
    assert record.run("r").tags == {"a": "1", "b": "3", "opgraph/x": ""}
    with pytest.raises(RunNotFoundError):
        record.tag_run("nope", {"a": "1"})
