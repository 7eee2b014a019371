"""Past runs and assets as data."""

from dataclasses import dataclass, field

import msgspec
import pytest

from opgraph import DynamicOut, DynamicOutput, Instance, job, op
from opgraph.events import (
    CancelRequested,
    ErrorInfo,
    Frame,
    Kept,
    LogLine,
    Meta,
    Place,
    Read,
    RunEnded,
    RunStarted,
    RunStatus,
    StepFailed,
    StepInterrupted,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    Stored,
    ValueLost,
)
from opgraph.operate import inspect
from opgraph.operate.fold import Fold, Phase, branches
from opgraph.operate.target import EVERYTHING
from opgraph.plan.model import (
    Besides,
    Decision,
    Do,
    FromStep,
    Plan,
    Policy,
    Retry,
    Role,
    Step,
    StepInput,
    StepOutput,
    encode_plan,
)
from opgraph.record.memory import MemoryRecord
from opgraph.record.rows import RunRow
from opgraph.record.store import each_fact

RUN = Decision(Do.RUN, "selected")
ERROR = ErrorInfo("ValueError", "no", (Frame("/p/ops.py", 3, "clean", "raise ValueError('no')"),))


def step(key, unit, *, takes=(), asset=None, decision=RUN, role=Role.SELECTED, retry=None):
    """A step with one output, named by its key."""
    return Step(
        key=key,
        node=key,
        op=key.rsplit(".", 1)[-1],
        inputs=tuple(StepInput(f"x{i}", FromStep(i, "result")) for i in takes),
        outputs=(StepOutput("result", role if asset else Role.NEEDED, asset=asset),),
        decision=decision,
        unit=unit,
        retry=retry,
    )


PLAN = Plan(
    job="daily",
    steps=(
        step("raw__orders", "raw__orders", asset="raw/orders"),
        step("report.clean.parse", "report", takes=(0,)),
        step("report.clean.check", "report", takes=(1,)),
        step("report.total", "report", takes=(2,), asset="report"),
    ),
    selection=("raw/orders", "report"),
)


@dataclass
class Shelf:
    record: MemoryRecord = field(default_factory=MemoryRecord)
    storage: str = "/values"


@pytest.fixture
def shelf():
    return Shelf()


def record_run(shelf, run_id, facts, *, plan=PLAN, created=1.0, parent=None, release=True, logs=()):
    """A recorded run with these facts."""
    root = parent or run_id
    row = RunRow(run_id=run_id, created=created, job=plan.job, plan=encode_plan(plan), parent=parent, root=root)
    shelf.record.create(row)
    writer = shelf.record.claim(run_id, pid=1, host="here", now=created)
    writer.append(facts, logs=logs)
    if release:
        writer.release()
    return writer


def ended(i, time=2.0, attempt=1, asset=None, **more):
    stored = Stored("result", Place.FILE if asset else Place.INLINE, 10, "abc", "abc", "run/x.pickle", asset=asset)
    return StepSucceeded(i, attempt, time, 1000, 2000, 3000, (stored,), **more)


FAILED = (
    RunStarted(1.0, 1),
    StepStarted(0, 1, 1.0),
    ended(0, asset="raw/orders"),
    StepStarted(1, 1, 2.0),
    ended(1, 3.0, reads=(Read("x0", "raw/orders", "aaaa1111", 3, "abc"),)),
    StepStarted(2, 1, 3.0),
    StepFailed(2, 1, 4.0, ERROR),
    StepSkipped(3, 4.0, 2, blocked=True),
    RunEnded(5.0, RunStatus.FAILURE),
)
WELL = (
    *FAILED[:6],
    ended(2, 4.0),
    StepStarted(3, 1, 4.0),
    ended(3, 5.0, asset="report"),
    RunEnded(6.0, RunStatus.SUCCESS),
)


# -- the tree -----------------------------------------------------------------


def test_a_plan_is_a_tree_of_assets_graphs_and_ops():
    """A plain asset is a leaf under its key; a graph asset has its nested graphs and ops below it."""
    raw, report = branches(PLAN)
    assert (raw.name, raw.kind, raw.is_leaf, raw.assets) == ("raw/orders", "asset", True, ("raw/orders",))
    assert (report.name, report.steps) == ("report", [1, 2, 3])
    clean, total = report.children.values()
    assert (clean.kind, list(clean.children), clean.steps) == ("graph", ["parse", "check"], [1, 2])
    assert (total.kind, total.assets) == ("op", ("report",))


def test_a_job_of_ops_is_a_tree_under_its_name():
    """The ops of a job stand below the job."""
    (top,) = branches(Plan(job="j", steps=(step("load", "j"), step("g.save", "j"))))
    assert (top.name, top.kind, list(top.children)) == ("j", "job", ["load", "g"])


def test_an_asset_in_two_parts_has_a_leaf_for_each():
    """A multi-asset op that runs in two parts is one unit with two leaves."""
    (top,) = branches(Plan(job="j", steps=(step("m", "m", asset="a"), step("m_2", "m", asset="b"))))
    assert (list(top.children), top.assets) == (["m", "m_2"], ("a", "b"))


# -- the fold -----------------------------------------------------------------


def test_a_failed_step_that_may_be_tried_again_is_not_failed_yet():
    """With a retry policy that has attempts left, a failure means another attempt is coming."""
    fold = Fold(Plan(job="j", steps=(step("a", "a", retry=Retry(1)),)))
    for attempt, phase in ((1, Phase.RETRYING), (2, Phase.FAILED)):
        fold.add(1, StepStarted(0, attempt, 1.0))
        fold.add(2, StepFailed(0, attempt, 2.0, ERROR))
        assert fold.phase[0] == phase


def test_a_new_epoch_puts_what_was_under_way_back():
    """When a run is taken up again, steps that ran when its process died are pending; what had ended stays."""
    fold = Fold(PLAN)
    for seq, fact in enumerate((*FAILED[:4], RunStarted(9.0, 2)), 1):
        fold.add(seq, fact)
    assert [Phase(p).name for p in fold.phase] == ["SUCCEEDED", "PENDING", "PENDING", "PENDING"]
    assert fold.counts[Phase.PENDING] == 3
    assert not fold.running


def test_the_time_in_which_nobody_drove_a_run_does_not_count(shelf):
    """How long a run took that was taken up is without what passed between the death and the next process."""
    record_run(shelf, "aaaa1111", (RunStarted(1.0, 1), StepStarted(0, 1, 2.0)))
    assert inspect.summary(shelf.record, shelf.record.run("aaaa1111")).took is None
    writer = shelf.record.claim("aaaa1111", pid=2, host="here", now=102.0)
    writer.append((RunStarted(102.0, 2), StepStarted(0, 1, 102.0), ended(0, 104.0)))
    assert inspect.folded(shelf.record, "aaaa1111", PLAN).took(104.5) == 3.5
    writer.append((RunEnded(105.0, RunStatus.SUCCESS),))
    writer.release()
    assert inspect.folded(shelf.record, "aaaa1111", PLAN).took(999.0) == 4.0
    assert inspect.summary(shelf.record, shelf.record.run("aaaa1111")).took == 4.0


def test_a_lost_value_makes_its_producer_pending():
    """A value that is gone is not shown as there."""
    fold = Fold(PLAN)
    for seq, fact in enumerate((*FAILED[:3], ValueLost(0, "result", 3.0)), 1):
        fold.add(seq, fact)
    assert fold.phase[0] == Phase.PENDING
    assert 0 not in fold.outputs


def test_what_a_cancelled_run_left_is_interrupted():
    """A step that was under way when the run was cancelled has not succeeded, and shows so."""
    fold = Fold(PLAN)
    facts = (*FAILED[:4], CancelRequested(3.0), StepInterrupted(1, 1, 3.0), RunEnded(3.0, RunStatus.CANCELED))
    for seq, fact in enumerate(facts, 1):
        fold.add(seq, fact)
    assert (fold.phase[1], fold.phase[2], fold.status) == (Phase.INTERRUPTED, Phase.PENDING, RunStatus.CANCELED)
    assert sum(fold.counts) == 4


def test_what_waited_for_a_retry_as_the_run_was_cancelled_is_stopped():
    """A step between two attempts has not failed for good when the run is cancelled: it is stopped, and its error kept;
    one that fails after the request has failed."""
    fold = Fold(Plan(job="j", steps=tuple(step(key, key, retry=Retry(1)) for key in "ab")))
    waits = (StepStarted(0, 1, 1.0), StepFailed(0, 1, 2.0, ERROR), StepStarted(1, 1, 2.0))
    facts = (RunStarted(1.0, 1), *waits, CancelRequested(3.0), StepFailed(1, 1, 3.5, ERROR))
    for seq, fact in enumerate((*facts, RunEnded(4.0, RunStatus.CANCELED)), 1):
        fold.add(seq, fact)
    assert [Phase(each) for each in fold.phase] == [Phase.INTERRUPTED, Phase.FAILED]
    assert (fold.errors[0], fold.ended[0], fold.failed()) == (ERROR, 3.0, [1])


# -- runs ---------------------------------------------------------------------


def test_a_failed_run_as_data(shelf):
    """The view has every step with its status, times, error and reason, and what was blocked by what."""
    record_run(shelf, "aaaa1111", FAILED)
    view = inspect.run_view(shelf, "aaaa1111")
    assert view.run.status == "FAILURE"
    assert view.failed == ("report.clean.check",)
    raw, report = view.tree
    assert (raw.status, raw.step.load, raw.step.compute, raw.step.store) == ("succeeded", 1000, 2000, 3000)
    assert raw.step.outputs[0].path == "/values/run/x.pickle"
    clean, total = report.children
    assert (report.status, clean.counts) == ("failed", {"succeeded": 1, "failed": 1})
    assert clean.children[1].step.error.kind == "ValueError"
    assert (total.step.status, total.step.because) == ("blocked", "report.clean.check")


def test_a_view_is_plain_json(shelf):
    """A view turns into dicts, lists, texts and numbers."""
    record_run(shelf, "aaaa1111", FAILED)
    data = inspect.to_json(inspect.run_view(shelf, "aaaa1111"))
    assert data["tree"][1]["children"][0]["children"][1]["step"]["error"]["message"] == "no"
    assert data["run"]["run_id"] == "aaaa1111"


def test_reuse_names_the_run_it_came_from(shelf):
    """A reused step says which run made its value."""
    kept = Kept("aaaa1111", 3, Stored("result", Place.INLINE, asset="raw/orders"))
    record_run(shelf, "bbbb2222", (RunStarted(1.0, 1), StepReused(0, 1.5, (kept,))))
    leaf = inspect.run_view(shelf, "bbbb2222").tree[0].step
    assert (leaf.status, leaf.reused_from, leaf.outputs[0].run_id) == ("reused", "aaaa1111", "aaaa1111")


def test_an_asset_that_came_unasked_is_marked(shelf):
    """The view says of each asset that could come besides whether it came."""
    plan = Plan(
        job="j",
        steps=(step("a", "a", asset="a", role=Role.UNSELECTED_REQUIRED),),
        besides=(Besides("a", "a", "result", certain=True, policy=Policy.MATERIALIZE, remedy="make it optional"),),
    )
    stored = Stored("result", Place.INLINE, asset="a", asked=False)
    record_run(shelf, "aaaa1111", (RunStarted(1.0, 1), StepSucceeded(0, 1, 2.0, outputs=(stored,))), plan=plan)
    (besides,) = inspect.run_view(shelf, "aaaa1111").besides
    assert besides.came
    assert besides.remedy == "make it optional"


def test_a_dead_run_is_called_dead(shelf):
    """A run with no end is DIED once no living process holds it, and STARTED while one does."""
    writer = record_run(shelf, "aaaa1111", FAILED[:4], release=False)
    assert inspect.runs(shelf.record)[0].status == "STARTED"
    writer.release()
    assert inspect.runs(shelf.record)[0].status == "DIED"
    assert [run.run_id for run in inspect.runs(shelf.record, status="DIED")] == ["aaaa1111"]
    assert inspect.runs(shelf.record, status="STARTED") == []


def test_runs_are_found_by_the_beginning_of_their_id(shelf):
    """A unique prefix is enough; an ambiguous one lists the runs; an unknown one says so."""
    record_run(shelf, "aaaa1111", FAILED)
    record_run(shelf, "aabb2222", FAILED)
    assert inspect.find_run(shelf.record, "aaa") == "aaaa1111"
    with pytest.raises(inspect.AmbiguousRunError, match="2 runs begin with `aa`"):
        inspect.find_run(shelf.record, "aa")
    for unknown in ("zzz", ""):
        with pytest.raises(inspect.NoSuchRunError):
            inspect.find_run(shelf.record, unknown)


def test_the_run_to_resume_is_the_newest_that_is_not_made_good(shelf):
    """A failed run whose resumption succeeded needs none any more; one that was asked for something else does."""
    with pytest.raises(inspect.NothingToResumeError, match="no run yet"):
        inspect.latest_unfinished(shelf.record)
    other = msgspec.structs.replace(PLAN, job="hourly", selection=("raw/orders", "other"))
    record_run(shelf, "aaaa1111", FAILED, plan=other, created=1.0)
    record_run(shelf, "bbbb2222", FAILED, created=2.0)
    assert inspect.latest_unfinished(shelf.record) == "bbbb2222"
    record_run(shelf, "cccc3333", WELL, created=3.0, parent="bbbb2222")
    assert inspect.latest_unfinished(shelf.record) == "aaaa1111"
    record_run(shelf, "dddd4444", FAILED[:4], created=4.0)
    assert inspect.latest_unfinished(shelf.record) == "dddd4444"


def test_a_run_is_made_good_by_what_later_runs_were_asked_for(shelf):
    """Later successes of the same job, or of selections that together cover the run's, leave nothing to resume."""
    some = msgspec.structs.replace(PLAN, job=EVERYTHING)
    record_run(shelf, "aaaa1111", FAILED, plan=some, created=1.0)
    record_run(shelf, "bbbb2222", WELL, plan=msgspec.structs.replace(some, selection=("report",)), created=2.0)
    assert inspect.latest_unfinished(shelf.record) == "aaaa1111"
    record_run(shelf, "cccc3333", WELL, plan=msgspec.structs.replace(some, selection=("raw/orders",)), created=3.0)
    with pytest.raises(inspect.NothingToResumeError, match="has been made since"):
        inspect.latest_unfinished(shelf.record)
    record_run(shelf, "dddd4444", FAILED, plan=msgspec.structs.replace(PLAN, selection=("gone",)), created=4.0)
    assert inspect.latest_unfinished(shelf.record) == "dddd4444"
    record_run(shelf, "eeee5555", WELL, created=5.0)
    with pytest.raises(inspect.NothingToResumeError):
        inspect.latest_unfinished(shelf.record)


def test_ops_of_a_job_are_made_good_by_a_run_of_them(shelf):
    """A run of some ops of a job is made good by one of all of them, and not by one of others."""
    ops = msgspec.structs.replace(PLAN, selection=(), ops=("a", "b"))
    record_run(shelf, "aaaa1111", FAILED, plan=ops, created=1.0)
    record_run(shelf, "bbbb2222", WELL, plan=msgspec.structs.replace(ops, ops=("b", "c")), created=2.0)
    assert inspect.latest_unfinished(shelf.record) == "aaaa1111"
    record_run(shelf, "cccc3333", WELL, plan=msgspec.structs.replace(ops, ops=()), created=3.0)
    with pytest.raises(inspect.NothingToResumeError):
        inspect.latest_unfinished(shelf.record)


def test_a_run_that_is_driven_is_named(shelf):
    """While the only unfinished run is being driven, there is nothing to resume: it and its process are named."""
    driven = (RunStarted(1.0, 1, 4242), *FAILED[1:4])
    writer = record_run(shelf, "aaaa1111", driven, release=False)
    with pytest.raises(inspect.NothingToResumeError, match=r"run aaaa1111 is running \(process 4242\)"):
        inspect.latest_unfinished(shelf.record)
    writer.release()
    assert inspect.latest_unfinished(shelf.record) == "aaaa1111"


def test_lines_belong_to_their_step(shelf):
    """What an op said is found under its key."""
    line = LogLine(1, 1, 2.0, "INFO", "opgraph", "3 rows")
    record_run(shelf, "aaaa1111", FAILED, logs=(line,))
    assert [each.text for each in inspect.logs(shelf.record, "aaaa1111", PLAN, "report.clean.parse")] == ["3 rows"]
    assert inspect.logs(shelf.record, "aaaa1111", PLAN, "report.total") == []


# -- assets -------------------------------------------------------------------


def test_an_asset_knows_its_past_and_what_it_was_made_from(shelf):
    """The newest materialization comes first, with the versions of the assets that all ops of its graph read."""
    record_run(shelf, "aaaa1111", WELL, created=1.0)
    record_run(shelf, "bbbb2222", WELL, created=2.0)
    view = inspect.asset_view(shelf, "report")
    assert [each.run_id for each in view.history] == ["bbbb2222", "aaaa1111"]
    assert view.latest.step == "report.total"
    assert [(read.asset, read.run) for read in view.latest.reads] == [("raw/orders", "aaaa1111")]


def test_metadata_of_a_materialization(shelf):
    """What the op said of its value is there by name."""
    stored = Stored("result", Place.MANAGER, asset="raw/orders", metadata={"rows": Meta("int", 7)}, io_manager="lake")
    record_run(shelf, "aaaa1111", (RunStarted(1.0, 1), StepSucceeded(0, 1, 2.0, outputs=(stored,))))
    latest = inspect.asset_view(shelf, "raw/orders").latest
    assert (latest.stored.metadata, latest.stored.io_manager) == ({"rows": 7}, "lake")


def test_an_asset_nobody_made(shelf):
    """An asset without a materialization has none, and no error."""
    assert inspect.asset_view(shelf, "report").latest is None


def test_a_step_that_was_about_to_start_was_not_reached():
    """What a cancellation kept from starting counts as not reached, not as stopped, and the process that drives the run
    is known."""
    fold = Fold(PLAN)
    facts = [RunStarted(1.0, 1, 77, "here"), StepStarted(0, 1, 2.0), CancelRequested(3.0, "x")]
    facts += [StepInterrupted(0, 1, 4.0, "x"), StepInterrupted(1, 1, 4.0, "x"), RunEnded(5.0, RunStatus.CANCELED)]
    for seq, fact in enumerate(facts, 1):
        fold.add(seq, fact)
    assert [Phase(phase) for phase in fold.phase[:2]] == [Phase.INTERRUPTED, Phase.PENDING]
    assert fold.pid == 77


def test_a_run_that_has_just_ended_did_not_die(shelf):
    """A run that ends after its row was read, and whose process goes, is told as it ended."""
    writer = record_run(shelf, "aaaa1111", [RunStarted(1.0, 1), StepStarted(0, 1, 1.0)], release=False)
    before = shelf.record.run("aaaa1111")
    assert inspect.status_of(shelf.record, before) == "STARTED"
    writer.append([RunEnded(2.0, RunStatus.SUCCESS)])
    writer.release()
    assert inspect.status_of(shelf.record, before) == "SUCCESS"


def test_a_fan_out_that_was_left_half_done_was_interrupted(tmp_path):
    """Where a run ends before all steps of a fan-out have begun, it is told as interrupted, and waits for nothing."""

    @op(out=DynamicOut(stream=False))
    def deal():
        return [DynamicOutput(n, f"k{n}") for n in range(3)]

    @op
    def work(n): ...

    @job
    def dealing():
        deal().map(work)

    record = Instance(tmp_path).record
    run_id = dealing.execute_in_process(instance=Instance(tmp_path)).run_id
    plan = inspect.plan_of(record, run_id)
    fold, number = Fold(plan), plan.index()["work"]
    for seq, fact in each_fact(record, run_id):
        if fold.members(number) == {Phase.PENDING: 2, Phase.SUCCEEDED: 1}:
            break
        fold.add(seq, fact)
    assert fold.phase[number] == Phase.RUNNING
    fold.stop()
    assert fold.phase[number] == Phase.INTERRUPTED
