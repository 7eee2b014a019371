"""Pools: how many steps run at once that name the same one, under every executor and over all runs of a database."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from opgraph import Definitions, DynamicOut, DynamicOutput, RetryPolicy, asset, graph_asset, job, op
from opgraph.events import OutputStored, RunStatus, StepStarted, StepSucceeded, StepWaits
from opgraph.operate import execute, inspect
from opgraph.operate.cancel import cancel
from opgraph.record.memory import MemoryRecord
from opgraph.record.sqlite import SqliteRecord
from opgraph.run.executors.names import NAMES
from opgraph.run.instance import BadPoolLimit, Instance
from opgraph.show.cli.tree import RunTree

EXECUTORS = [name for name in ("in_process", "threads", "async", "processes") if name in NAMES]
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=EXECUTORS)
def executor(request):
    return request.param


@pytest.fixture(params=["disk", "memory"])
def instance(request, tmp_path):
    with Instance(tmp_path / "home" if request.param == "disk" else None) as made:
        yield made


@pytest.fixture
def on_disk(tmp_path):
    with Instance(tmp_path / "home") as made:
        yield made


def run(definition, instance, **options):
    return execute.materialize(Definitions(assets=[definition]), instance=instance, **options)


def facts(instance, outcome, kind):
    return [fact for _, fact in instance.record.facts(outcome.run_id) if isinstance(fact, kind)]


def most_at_once(spans):
    """How many of these (beginning, end) overlap at any time."""
    moments = sorted((at, change) for span in spans for at, change in zip(span, (1, -1), strict=True))
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def spans(folder, name="*"):
    """What `noted` wrote down."""
    return [tuple(map(float, path.read_text().split())) for path in Path(folder).glob(f"{name}.span")]


def noted(folder, name, seconds=0.02):
    began = time.monotonic()
    time.sleep(seconds)
    (Path(folder) / f"{name}-{os.getpid()}-{time.monotonic_ns()}.span").write_text(f"{began} {time.monotonic()}")


@pytest.mark.parametrize("slots", [1, 2])
def test_no_more_steps_run_at_once_than_the_pool_has_slots(executor, instance, tmp_path, slots):
    """Of six steps that could run at once, as many do as the pool has slots; a step without the pool is not held up."""

    @op(pool="db")
    def part():
        noted(tmp_path, "part")
        return 1

    @op
    def free():
        return 1

    @op
    def total(parts):
        return sum(parts)

    @graph_asset
    def report():
        return total([part(), part(), part(), part(), part(), part(), free()])

    instance.set_pool_limit("db", slots)
    outcome = run(report, instance, executor=executor)
    assert outcome.status is RunStatus.SUCCESS
    assert len(spans(tmp_path)) == 6
    assert most_at_once(spans(tmp_path)) <= slots
    assert instance.record.pools() == {"db": (slots, 0)}


def test_a_pool_of_an_asset_holds_for_each_of_its_ops(tmp_path, on_disk):
    """Dagster #33430: `pool=` of a graph asset holds for its ops, beside the pools that these have themselves."""

    @op(pool="disk")
    def part():
        noted(tmp_path, "part")
        return 1

    @op
    def total(parts):
        return sum(parts)

    @graph_asset(pool="db")
    def report():
        return total([part(), part(), part()])

    @asset(pool="db")
    def plain(report):
        return report

    on_disk.set_pool_limit("db", 1)
    outcome = execute.materialize(Definitions(assets=[report, plain]), instance=on_disk, executor="threads")
    assert [step.pools for step in outcome.plan.steps] == [("disk", "db")] * 3 + [("db",)] * 2
    assert outcome.status is RunStatus.SUCCESS
    assert most_at_once(spans(tmp_path)) == 1


def test_a_pool_without_a_limit_holds_nothing_up(on_disk, executor):
    """A pool of which nobody has said how many slots it has lets everything through."""

    @asset(pool="unknown")
    def made():
        return 1

    assert run(made, on_disk, executor=executor).status is RunStatus.SUCCESS
    assert on_disk.record.pools() == {}


@pytest.mark.parametrize("where", ["graph", "ops"])
def test_a_generator_and_its_mapped_steps_may_share_a_pool_of_one(executor, instance, where):
    """A generator that waits for its mapped steps lends them its slot, so nobody waits for himself."""
    of_graph, of_ops = ("db", None) if where == "graph" else (None, "db")

    @op(out=DynamicOut(), pool=of_ops)
    def numbers():
        for number in range(120):
            yield DynamicOutput(number, str(number))

    @op(pool=of_ops)
    def doubled(number):
        return 2 * number

    @op
    def total(parts):
        return sum(parts)

    @graph_asset(pool=of_graph)
    def report():
        return total(numbers().map(doubled).collect())

    instance.set_pool_limit("db", 1)
    outcome = run(report, instance, executor=executor)
    assert outcome.status is RunStatus.SUCCESS
    assert len(facts(instance, outcome, OutputStored)) == 120


def test_two_runs_that_need_two_pools_the_other_way_round_do_not_wait_for_each_other(executor, tmp_path):
    """A step takes all its slots or none, and a generator that waits for the steps of its values holds none."""

    def crossing(outer, inner):
        @op(out=DynamicOut(), pool=outer)
        def numbers():
            for number in range(4):
                time.sleep(0.01)
                yield DynamicOutput(number, str(number))

        @op(pool=inner)
        def each(number):
            time.sleep(0.01)
            return number

        @op
        def total(parts):
            return sum(parts)

        @graph_asset(name=f"from_{outer}", pool=outer)
        def report():
            return total(numbers().map(each).collect())

        return report

    ended = []

    def one(definition):
        with Instance(tmp_path / "home") as instance:
            ended.append(run(definition, instance, executor=executor).status)

    with Instance(tmp_path / "home") as instance:
        for pool in ("a", "b"):
            instance.set_pool_limit(pool, 1)
    definitions = [crossing("a", "b"), crossing("b", "a")]
    if executor == "in_process":  # what a run in process says is captured by one run at a time in a process
        for definition in definitions:
            one(definition)
    else:
        threads = [threading.Thread(target=one, args=(definition,)) for definition in definitions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ended == [RunStatus.SUCCESS] * 2


def test_an_attempt_that_is_tried_again_gives_its_slot_back_meanwhile(executor, on_disk, tmp_path):
    """The wait before another attempt holds no slot."""

    @op(pool="db", retry_policy=RetryPolicy(max_retries=1, delay=0.3))
    def flaky():
        if not (tmp_path / "tried").exists():
            (tmp_path / "tried").touch()
            raise ValueError("once")
        return time.monotonic()

    @op(pool="db")
    def other():
        return time.monotonic()

    @op
    def total(parts):
        return sum(parts)

    @graph_asset
    def report():
        return total([flaky(), other()])

    on_disk.set_pool_limit("db", 1)
    outcome = run(report, on_disk, executor=executor)
    ended = [outcome.plan.steps[fact.step].op for fact in facts(on_disk, outcome, StepSucceeded)]
    assert ended == ["other", "flaky", "total"]


# -- several runs ---------------------------------------------------------------------

PROJECT = """
import os, sys, time
from pathlib import Path
from opgraph import Definitions, asset, graph_asset, op

FOLDER = Path(sys.argv[1])

@op(pool="db")
def part():
    began = time.monotonic()
    (FOLDER / f"began-{os.getpid()}").touch()
    time.sleep(float(sys.argv[3]))
    (FOLDER / f"{os.getpid()}-{time.monotonic_ns()}.span").write_text(f"{began} {time.monotonic()}")
    return 1

@op
def total(parts):
    return sum(parts)

@graph_asset(name=sys.argv[4])
def report():
    return total([part(), part(), part(), part()])

from opgraph.operate import execute
from opgraph.run.instance import Instance
with Instance(FOLDER / "home") as instance:
    outcome = execute.materialize(Definitions(assets=[report]), instance=instance, executor=sys.argv[2])
print(outcome.status.value)
"""


def other_process(folder, executor, seconds, name):
    return subprocess.Popen(
        [sys.executable, "-c", PROJECT, str(folder), executor, str(seconds), name], stdout=subprocess.PIPE, text=True
    )


def wait_for(condition, seconds=20.0):
    patience = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < patience, "waited for too long"
        time.sleep(0.01)


def test_the_limit_holds_over_runs_in_several_processes(executor, on_disk, tmp_path):
    """Two processes that share a database share its pools."""
    on_disk.set_pool_limit("db", 1)
    both = [other_process(tmp_path, executor, 0.05, name) for name in ("a", "b")]
    assert [process.communicate()[0].strip() for process in both] == ["SUCCESS"] * 2
    assert len(spans(tmp_path)) == 8
    assert most_at_once(spans(tmp_path)) == 1


def test_the_slots_of_a_run_that_was_killed_come_back_at_once(executor, on_disk, tmp_path):
    """Dagster #28456, #32560: when the process that holds a pool's only slot is killed, a run that waits goes on within
    moments."""
    on_disk.set_pool_limit("db", 1)
    holder = other_process(tmp_path, executor, 60, "holder")
    wait_for(lambda: list(tmp_path.glob("began-*")))
    assert on_disk.record.pools() == {"db": (1, 1)}

    @asset(pool="db")
    def waits():
        return 1

    killed = []

    def kill_it():
        wait_for(lambda: any(facts(on_disk, row, StepWaits) for row in on_disk.record.runs()))
        holder.send_signal(signal.SIGKILL)
        killed.append(time.monotonic())

    killer = threading.Thread(target=kill_it)
    killer.start()
    outcome = run(waits, on_disk, executor="in_process" if executor == "in_process" else "threads")
    ended = time.monotonic()
    killer.join()
    holder.communicate()
    assert outcome.status is RunStatus.SUCCESS
    assert ended - killed[0] < 5


def test_a_run_lets_others_have_their_turn(on_disk, tmp_path):
    """A run with many short steps does not keep the slot for itself while another run waits."""
    on_disk.set_pool_limit("db", 1)

    @op(pool="db")
    def part():
        noted(tmp_path, "mine", 0.05 if len(spans(tmp_path, "[0-9]*")) < 4 else 0)
        return 1

    @op
    def total(parts):
        return sum(parts)

    @graph_asset
    def long():
        return total([part() for _ in range(120)])

    other = other_process(tmp_path, "in_process", 0.01, "short")
    outcome = run(long, on_disk, executor="threads")
    other.communicate()
    assert outcome.status is RunStatus.SUCCESS
    mine, others = spans(tmp_path, "mine*"), spans(tmp_path, "[0-9]*")
    assert len(others) == 4
    assert min(others)[0] < max(mine)[0], "the other run had to wait for the end of this one"


# -- waiting --------------------------------------------------------------------------


@pytest.fixture
def taken(on_disk):
    """The only slot of the pool `db`, held by somebody else."""
    on_disk.set_pool_limit("db", 1)
    return on_disk.record.take_slots(["db"])


def two_steps():
    @op(pool="db")
    def waits():
        return 1

    @op
    def goes():
        return 2

    @op
    def total(parts):
        return sum(parts)

    @graph_asset
    def report():
        return total([waits(), goes()])

    return report


def free_after(seen, on_disk, slots):
    """Frees slots when something has been seen of the newest run."""

    def look():
        try:
            wait_for(lambda: on_disk.record.runs() and seen(on_disk.record.runs()[0]))
        finally:
            on_disk.record.free_slots(slots)

    thread = threading.Thread(target=look)
    thread.start()
    return thread


def test_waiting_for_a_slot_does_not_block_other_steps(executor, on_disk, taken):
    """While one step waits, another of the same run runs to its end."""
    thread = free_after(lambda row: facts(on_disk, row, StepSucceeded), on_disk, taken)
    outcome = run(two_steps(), on_disk, executor=executor)
    thread.join()
    assert outcome.status is RunStatus.SUCCESS
    assert [outcome.plan.steps[fact.step].op for fact in facts(on_disk, outcome, StepStarted)][0] == "goes"


def test_a_step_that_waits_is_seen_to(executor, on_disk, taken):
    """That a step waits, and for which pool, is recorded after a moment and shown in the run's tree."""
    shown = []

    def seen(row):
        if not facts(on_disk, row, StepWaits):
            return False
        fold = inspect.folded(on_disk.record, row.run_id, inspect.plan_of(on_disk.record, row.run_id))
        shown.append("\n".join("".join(text for text, _ in line) for line in RunTree(fold).full(time.time())))
        return True

    thread = free_after(seen, on_disk, taken)
    outcome = run(two_steps(), on_disk, executor=executor)
    thread.join()
    assert outcome.status is RunStatus.SUCCESS
    assert "waits for pool db" in shown[-1]
    waits = facts(on_disk, outcome, StepWaits)
    assert [(outcome.plan.steps[fact.step].op, fact.pool) for fact in waits] == [("waits", "db")]


def test_a_run_that_waits_can_be_cancelled(executor, on_disk, taken):
    """A request to cancel ends a run all of whose steps wait."""
    thread = threading.Thread(
        target=lambda: (
            wait_for(lambda: on_disk.record.runs() and facts(on_disk, on_disk.record.runs()[0], StepWaits)),
            cancel(on_disk, on_disk.record.runs()[0].run_id, wait=10),
        )
    )
    thread.start()
    outcome = run(two_steps(), on_disk, executor=executor)
    thread.join()
    assert outcome.status is RunStatus.CANCELED


def test_the_time_limit_of_a_run_holds_while_it_waits(executor, on_disk, taken):
    """A run that waits for longer than it may take fails, and says so."""
    outcome = run(two_steps(), on_disk, executor=executor, timeout=0.4)
    assert outcome.status is RunStatus.FAILURE
    assert on_disk.record.pools() == {"db": (1, 1)}, "another's slot is not given back"


# -- the record -----------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def record(request, tmp_path):
    made = MemoryRecord() if request.param == "memory" else SqliteRecord(tmp_path / "record.db")
    yield made
    made.close()


def test_slots_are_taken_all_or_none(record):
    """Where one pool is full, nothing of the other is taken."""
    record.limit_pool("a", 1)
    record.limit_pool("b", 1)
    first = record.take_slots(["b"])
    assert record.take_slots(["a", "b"]) is None
    assert record.pools() == {"a": (1, 0), "b": (1, 1)}
    record.free_slots(first)
    assert record.take_slots(["a", "b"]) is not None
    assert record.pools() == {"a": (1, 1), "b": (1, 1)}


def test_a_limit_can_be_changed_and_lifted(record):
    """A limit holds from when it is set; without one there is nothing to take."""
    record.limit_pool("a", 1)
    assert record.take_slots(["a"])
    assert record.take_slots(["a"]) is None
    record.limit_pool("a", 2)
    assert record.take_slots(["a"])
    record.limit_pool("a", None)
    assert record.take_slots(["a"]) == ()
    assert record.pools() == {}


def test_others_are_told_that_somebody_waits(record):
    """`is_wanted` is about the others, not about the caller."""
    record.limit_pool("a", 1)
    assert not record.is_wanted("a", queues=False)
    record.queue_for("a", queues=True)
    assert record.is_wanted("a", queues=False)
    assert not record.is_wanted("a", queues=True)
    record.queue_for("a", queues=False)
    assert not record.is_wanted("a", queues=False)


@pytest.mark.parametrize(("pool", "slots"), [("a b", 1), ("", 1), ("a", 0), ("a", 10_001)])
def test_a_limit_that_makes_no_sense_is_refused(on_disk, pool, slots):
    """A pool has a name and at least one slot."""
    with pytest.raises(BadPoolLimit):
        on_disk.set_pool_limit(pool, slots)


def test_a_job_of_ops_has_pools_too(on_disk, tmp_path, executor):
    """`pool=` on an op holds in a job without assets."""

    @op(pool="db")
    def part():
        noted(tmp_path, "part")

    @job
    def parts():
        part()
        part()
        part()

    on_disk.set_pool_limit("db", 1)
    outcome = execute.materialize(Definitions(jobs=[parts]), job="parts", instance=on_disk, executor=executor)
    assert outcome.status is RunStatus.SUCCESS
    assert most_at_once(spans(tmp_path)) == 1
