"""Fan-out, memoization and resources: the same whoever runs the ops."""

import asyncio
import os
import threading
import time

import pytest

from opgraph import (
    AssetOut,
    ConfigurableResource,
    Definitions,
    DynamicOut,
    DynamicOutput,
    IOManager,
    Out,
    Output,
    RetryPolicy,
    dask_executor,
    graph,
    graph_asset,
    graph_multi_asset,
    io_manager,
    materialize,
    multiprocess_executor,
    op,
    resource,
    threads_executor,
)
from opgraph.events import OutputStored, RunStatus, StepFailed, StepReused, StepStarted, StepSucceeded, ValueLost
from opgraph.operate import execute
from opgraph.operate.execute import resume
from opgraph.plan.model import decode_plan
from opgraph.run.instance import Instance
from opgraph.run.report.made import Made

EXECUTORS = ("in_process", "threads", "async", "processes", "dask")
SEVERAL = {
    "threads": threads_executor.configured({"max_concurrent": 2}),
    "processes": multiprocess_executor.configured({"max_concurrent": 2}),
}
ALONE = {
    "threads": threads_executor.configured({"max_concurrent": 1}),
    "processes": multiprocess_executor.configured({"max_concurrent": 1}),
}
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=EXECUTORS)
def executor_name(request):
    if request.param == "dask":
        request.getfixturevalue("dask_cluster")
    return request.param


@pytest.fixture(params=["disk", "memory"])
def instance(request, tmp_path):
    with Instance(tmp_path / "home" if request.param == "disk" else None) as made:
        yield made


@pytest.fixture
def on_disk(tmp_path):
    with Instance(tmp_path / "home") as made:
        yield made


def facts(instance, run_id, *kinds):
    return [fact for _, fact in instance.record.facts(run_id) if isinstance(fact, kinds)]


def started(instance, run_id):
    """The keys of the steps that were started, with those that were made for a fan-out."""
    row = instance.record.run(run_id)
    made = Made(decode_plan(row.plan))
    begun = []
    for seq, fact in instance.record.facts(run_id):
        made.add(seq, fact)
        if isinstance(fact, StepStarted):
            begun.append(made.keys[fact.step])
    return sorted(begun)


@op(out=DynamicOut())
def letters():
    for letter in "abc":
        yield DynamicOutput(letter, mapping_key=letter)


@op(out=DynamicOut())
async def letters_async():
    for letter in "abc":
        await asyncio.sleep(0)
        yield DynamicOutput(letter, mapping_key=letter)


@op
def double(x):
    return x * 2


@op
async def mark(x):
    await asyncio.sleep(0)
    return f"<{x}>"


@op
def join(xs):
    return "".join(xs)


@op(out=DynamicOut())
def numbered(x):
    for i in range(2):
        yield DynamicOutput(f"{x}{i}", mapping_key=f"n{i}")


@pytest.mark.parametrize("generator", [letters, letters_async])
def test_a_chain_is_mapped_and_collected(executor_name, instance, generator):
    """Sync and async steps; the order is that in which the values came."""

    @graph_asset
    def word():
        return join(generator().map(lambda x: mark(double(x))).collect())

    result = materialize([word], instance=instance, executor=executor_name)
    assert result.asset_value("word") == "<aa><bb><cc>"
    assert result.output_for_node("word.double") == {"a": "aa", "b": "bb", "c": "cc"}


def test_values_from_outside_and_several_outputs(executor_name, instance):
    """A mapped step takes a value of the graph around it; one of its outputs may stay away."""

    @op(out={"head": Out(), "tail": Out(is_required=False)})
    def split(x, suffix):
        yield Output(x + suffix, "head")
        if x != "b":
            yield Output(x, "tail")

    @op
    def suffix():
        return "!"

    @op
    def both(heads, tails):
        return heads, tails

    @graph_asset
    def parts():
        s = suffix()
        head, tail = letters().map(lambda x: split(x, s))
        return both(head.collect(), tail.collect())

    result = materialize([parts], instance=instance, executor=executor_name)
    assert result.asset_value("parts") == (["a!", "b!", "c!"], ["a", "c"])


def test_fan_outs_nest(executor_name, instance):
    """A fan-out in a fan-out, collected level by level, as lists and as dicts, as a graph's output."""

    @graph
    def inner(x):
        return numbered(x).map(double).collect()

    @graph_asset
    def lists():
        return letters().map(inner).collect()

    @graph_asset
    def dicts():
        return letters().map(lambda x: numbered(x).map(double).collect(as_dict=True)).collect(as_dict=True)

    result = materialize([lists, dicts], instance=instance, executor=executor_name)
    assert result.asset_value("lists") == [["a0a0", "a1a1"], ["b0b0", "b1b1"], ["c0c0", "c1c1"]]
    assert result.asset_value("dicts")["b"] == {"n0": "b0b0", "n1": "b1b1"}


def test_an_empty_fan_out(executor_name, instance):
    """Nothing is mapped, and an empty list is collected."""

    @op(out=DynamicOut())
    def none():
        yield from ()

    @graph_asset
    def word():
        return join(none().map(double).collect())

    assert materialize([word], instance=instance, executor=executor_name).asset_value("word") == ""


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("choice", [*EXECUTORS, ALONE["threads"], ALONE["processes"]], ids=str)
def test_mapped_steps_run_while_the_generator_is_yielding(choice, on_disk, kind):
    """The first value's step has ended before the last value comes, even where there is one place only."""

    @op(out=DynamicOut())
    def slow():
        for i in range(200):
            yield DynamicOutput(i, mapping_key=f"k{i}")

    @op(out=DynamicOut())
    async def slow_async():
        for i in range(200):
            yield DynamicOutput(i, mapping_key=f"k{i}")

    @op
    def total(xs):
        return sum(xs)

    generator = slow if kind == "sync" else slow_async

    @graph_asset
    def whole():
        return total(generator().map(double).collect())

    outcome = execute.materialize(Definitions(assets=[whole]), instance=on_disk, executor=choice)
    assert outcome.success, outcome.error
    order = facts(on_disk, outcome.run_id, OutputStored, StepSucceeded)
    first = next(i for i, fact in enumerate(order) if isinstance(fact, StepSucceeded) and fact.step)
    last = max(i for i, fact in enumerate(order) if isinstance(fact, OutputStored))
    assert first < last


@pytest.mark.parametrize("choice", ["in_process", *SEVERAL.values(), *ALONE.values()], ids=str)
def test_a_generator_waits_where_its_values_pile_up(choice, on_disk):
    """However slow the mapped steps are, few values are stored for which nothing has begun."""

    @op(out=DynamicOut())
    def fast():
        for i in range(400):
            yield DynamicOutput(i, mapping_key=f"k{i}")

    @op
    def slow(x):
        time.sleep(0.002)
        return x

    @graph_asset
    def whole():
        return fast().map(slow).collect()

    outcome = execute.materialize(Definitions(assets=[whole]), instance=on_disk, executor=choice)
    assert outcome.success, outcome.error
    waiting = most = 0
    for fact in facts(on_disk, outcome.run_id, OutputStored, StepStarted):
        waiting += 1 if isinstance(fact, OutputStored) else -1 if fact.step > 1 else 0
        most = max(most, waiting)
    assert most <= 110


def test_a_generator_that_is_tried_again_withdraws_what_had_not_begun(executor_name, on_disk):
    """Its values are others the second time: the steps of the first ones are stopped, or never begin."""
    tried = on_disk.home / "tried"

    @op(out=DynamicOut(), retry_policy=RetryPolicy(max_retries=1))
    def moody():
        again = tried.exists()
        for i in range(30):
            yield DynamicOutput((again, i), mapping_key=f"k{i}")
        tried.touch()
        if not again:
            raise ValueError

    @op
    def slow(x):
        time.sleep(0.01)
        return x

    @graph_asset
    def whole():
        return moody().map(slow).collect()

    choice = SEVERAL.get(executor_name, executor_name)
    outcome = execute.materialize(Definitions(assets=[whole]), instance=on_disk, executor=choice)
    assert outcome.success, outcome.error
    assert Definitions(assets=[whole]).load_asset_value("whole", instance=on_disk) == [(True, i) for i in range(30)]


def test_without_streaming_the_mapped_steps_wait(executor_name, on_disk):
    """`DynamicOut(stream=False)`: more values than a window, and nothing hangs."""

    @op(out=DynamicOut(stream=False))
    def many():
        for i in range(150):
            yield DynamicOutput(i, mapping_key=f"k{i}")

    @op
    def count(xs):
        return len(xs)

    @graph_asset
    def whole():
        return count(many().map(double).collect())

    outcome = execute.materialize(Definitions(assets=[whole]), instance=on_disk, executor=executor_name)
    order = facts(on_disk, outcome.run_id, StepStarted, StepSucceeded)
    assert [type(fact) for fact in order[:2]] == [StepStarted, StepSucceeded]
    assert outcome.success


def test_one_mapped_step_fails_and_from_failure_only_that_one_runs(executor_name, on_disk):
    """The others go on; over two generations, what succeeded is reused."""
    fixed = on_disk.home / "fixed"

    @op
    def fragile(x):
        if x == "b" and not fixed.exists():
            raise ValueError(x)
        return x

    @graph_asset
    def word():
        return join(letters().map(lambda x: double(fragile(x))).collect())

    defs = Definitions(assets=[word])
    first = execute.materialize(defs, instance=on_disk, executor=executor_name)
    assert first.failed_step == "word.fragile[b]"
    assert isinstance(first.exceptions["word.fragile[b]"], ValueError)
    fixed.touch()
    second = resume(defs, first.run_id, instance=on_disk, executor=executor_name)
    assert second.success, second.error
    assert started(on_disk, second.run_id) == ["word.double[b]", "word.fragile[b]", "word.join"]
    third = resume(defs, second.run_id, instance=on_disk, executor=executor_name, from_step="word.double")
    assert third.success, third.error
    assert len(facts(on_disk, third.run_id, StepStarted)) == 4


def test_a_lost_value_of_a_fan_out_comes_again(executor_name, on_disk):
    """A file that is gone when a mapped step wants it: the generator runs again, and its other steps stay."""
    done = on_disk.home / "done"

    @op(out=DynamicOut())
    def large():
        for letter in "abc":
            yield DynamicOutput(letter * 50_000, mapping_key=letter)

    @op
    def loses(x):
        if x.startswith("c") and not done.exists():
            done.touch()
            for path in (on_disk.home / "values").rglob("*"):
                if path.is_file() and b"c" * 50_000 in path.read_bytes():
                    path.unlink()
        return x[:1]

    @op
    def both(x, letter):
        return letter * (len(x) // 50_000)

    @graph_asset
    def word():
        return join(large().map(lambda x: both(x, loses(x))).collect())

    result = materialize([word], instance=on_disk, executor=executor_name)
    assert result.asset_value("word") == "abc"
    assert [(f.output, f.mapping_key) for f in facts(on_disk, result.run_id, ValueLost)] == [("result", "c")]


def test_a_mapped_step_kills_its_worker(on_disk):
    """It is blamed by its key; the other keys go on."""

    @op
    def dies(x):
        if x == "b":
            os._exit(3)
        return x

    @graph_asset
    def word():
        return join(letters().map(dies).collect(allow_failed=True))

    outcome = execute.materialize(Definitions(assets=[word]), instance=on_disk, executor=SEVERAL["processes"])
    assert outcome.failed_step == "word.dies[b]"
    assert outcome.error.kind == "WorkerDied"
    assert len(facts(on_disk, outcome.run_id, StepFailed)) == 1
    assert len(facts(on_disk, outcome.run_id, StepSucceeded)) == 4


def test_a_generator_that_waits_is_cancelled(executor_name, on_disk):
    """Stopped in the middle of a fan-out, resumed from what was stored."""
    from opgraph.operate.cancel import cancel

    quick = on_disk.home / "quick"

    @op(out=DynamicOut())
    def endless():
        for i in range(10_000 if not quick.exists() else 3):
            yield DynamicOutput(i, mapping_key=f"k{i}")

    @op
    def slow(x):
        time.sleep(0.0 if quick.exists() else 0.05)
        return x

    @graph_asset
    def whole():
        return endless().map(slow).collect()

    def stop():
        while not (runs := on_disk.record.runs()) or len(facts(on_disk, runs[0].run_id, StepStarted)) < 5:
            time.sleep(0.01)
        cancel(on_disk, runs[0].run_id, by="a test")

    thread = threading.Thread(target=stop)
    thread.start()
    defs = Definitions(assets=[whole])
    outcome = execute.materialize(defs, instance=on_disk, executor=executor_name)
    thread.join()
    assert outcome.status is RunStatus.CANCELED
    quick.touch()
    again = resume(defs, outcome.run_id, instance=on_disk, executor=executor_name)
    assert again.success, again.error


# -- memoization ------------------------------------------------------------------------------------


def test_memoized_values_are_reused(executor_name, instance):
    """A second run under any executor runs nothing; a mapped part runs again."""

    @op(tags={"opgraph/memoize": "true"})
    def first():
        return 1

    @op(tags={"opgraph/memoize": "true"})
    def then(x):
        return x + 1

    @graph_asset
    def chain():
        return then(first())

    defs = Definitions(assets=[chain])
    assert execute.materialize(defs, instance=instance, executor=executor_name).success
    again = execute.materialize(defs, instance=instance, executor=executor_name)
    assert again.success
    assert facts(instance, again.run_id, StepStarted) == []
    assert len(facts(instance, again.run_id, StepReused)) == 2


# -- resources --------------------------------------------------------------------------------------


def test_a_resource_is_made_once_in_each_worker_and_put_away(executor_name, on_disk):
    """Never used by two processes; when the run has ended it is put away."""
    log = on_disk.home / "log"

    @resource
    def connection():
        pid = os.getpid()
        with log.open("a") as file:
            file.write(f"made {pid}\n")
        yield pid
        with log.open("a") as file:
            file.write(f"put away {pid} {os.getpid()}\n")

    @op(required_resource_keys={"connection"})
    def uses(context, x):
        time.sleep(0.02)
        assert context.resources.connection == os.getpid()
        return x

    @op
    def one():
        return 1

    @op
    def total(xs):
        return sum(xs)

    @graph_asset
    def whole():  # without a generator: under Dask that has a worker beside the two
        x = one()
        return total([uses(x) for _ in range(4)])

    defs = Definitions(assets=[whole], resources={"connection": connection})
    two_on_dask = dask_executor.configured({"max_concurrent": 2})
    choice = two_on_dask if executor_name == "dask" else SEVERAL.get(executor_name, executor_name)
    outcome = execute.materialize(defs, instance=on_disk, executor=choice)
    assert outcome.success, outcome.error
    lines = log.read_text().splitlines()
    made = [line.split()[1] for line in lines if line.startswith("made")]
    gone = [line.split()[2:] for line in lines if line.startswith("put")]
    assert len(made) == len(set(made)) <= 2
    assert sorted(gone) == sorted([pid, pid] for pid in made)
    assert (str(os.getpid()) in made) == (executor_name not in ("processes", "dask"))


def test_a_resource_that_cannot_be_made(executor_name, on_disk):
    """The steps that need it fail, at the user's line and before their code ran; what does not need it is made."""

    class Broken(ConfigurableResource):
        def setup_for_execution(self, context):
            raise OSError("no route")

    @op
    def uses(broken: Broken):
        raise AssertionError("it ran")

    @io_manager
    def store(context):
        raise OSError("no route to the store")

    @op
    def stores():
        raise AssertionError("it ran")

    @op
    def plain():
        return 1

    @graph_multi_asset(outs={"whole": AssetOut(), "kept": AssetOut(io_manager_key="store"), "other": AssetOut()})
    def three():
        return {"whole": uses(), "kept": stores(), "other": plain()}

    defs = Definitions(assets=[three], resources={"broken": Broken(), "store": store})
    outcome = execute.materialize(defs, instance=on_disk, executor=executor_name)
    assert outcome.status is RunStatus.FAILURE
    failed = [fact.error for _, fact in on_disk.record.facts(outcome.run_id) if isinstance(fact, StepFailed)]
    assert [(error.kind, error.during) for error in failed] == [("ResourceNotMade", "resources")] * 2
    assert all("no route" in error.message and error.cause.frames[-1].line for error in failed)
    assert "other" in on_disk.record.latest(["other"])


def test_a_resource_is_made_again_when_its_step_is_tried_again(executor_name, on_disk):
    """What could not be made at first can be made later: a retry policy covers it."""
    tries = on_disk.home / "tries"
    tries.mkdir()

    class Flaky(ConfigurableResource):
        def setup_for_execution(self, context):
            (tries / str(time.time_ns())).touch()
            if len(list(tries.iterdir())) < 3:
                raise OSError("no route yet")

    @op(retry_policy=RetryPolicy(max_retries=2))
    def uses(flaky: Flaky):
        return 1

    @graph_asset
    def whole():
        return uses()

    defs = Definitions(assets=[whole], resources={"flaky": Flaky()})
    outcome = execute.materialize(defs, instance=on_disk, executor=executor_name)
    assert outcome.success, outcome.error


def test_users_io_managers(executor_name, on_disk):
    """Store and load in whichever process the step runs; what they report is recorded."""
    folder = on_disk.home / "mine"
    folder.mkdir()

    class Mine(IOManager):
        def handle_output(self, context, obj):
            (folder / "-".join(context.get_identifier())).write_text(obj)
            context.add_output_metadata({"length": len(obj)})

        def load_input(self, context):
            return (folder / "-".join(context.upstream_output.get_identifier())).read_text()

    @graph_asset
    def word():
        return join(letters().map(double).collect())

    result = materialize([word], instance=on_disk, executor=executor_name, resources={"io_manager": Mine()})
    assert result.asset_value("word") == "aabbcc"
    (event,) = result.asset_materializations_for_node("word.join")
    assert event.metadata["length"].value == 6
