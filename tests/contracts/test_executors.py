"""What every executor does: the same facts, values, errors and output, whoever runs the ops."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from opgraph import (
    AssetOut,
    ConfigurableResource,
    Definitions,
    DynamicOut,
    DynamicOutput,
    Failure,
    In,
    Nothing,
    Out,
    Output,
    RetryPolicy,
    asset,
    executor,
    graph_asset,
    graph_multi_asset,
    in_process_executor,
    job,
    materialize,
    mem_io_manager,
    multi_asset,
    multiprocess_executor,
    op,
    threads_executor,
)
from opgraph.events import (
    AssetReported,
    CancelRequested,
    OutputStored,
    RunEnded,
    RunStarted,
    RunStatus,
    StepFailed,
    StepInterrupted,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    ValueLost,
)
from opgraph.operate import execute
from opgraph.operate.cancel import RunCanceledError, RunIsOver, cancel
from opgraph.operate.execute import resume
from opgraph.run.executors import processes
from opgraph.run.executors.mistakes import (
    BadExecutorSetting,
    NotSharedBetweenProcesses,
    StepTimedOut,
    UnknownExecutor,
    WorkerCannotLoad,
    WorkerDied,
)
from opgraph.run.instance import Instance

EXECUTORS = ("in_process", "threads", "async", "processes", "spawned", "dask")
SLACK = 3.0  # a machine that is busy with other tests is slower
LONG = 30.0  # seconds: nothing here takes so long unless stopping does not work
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


SPAWNED = multiprocess_executor.configured({"start_method": "spawn"})


def chosen(name):
    """An executor of the list above: worker processes that are not forked have no name of their own."""
    return SPAWNED if name == "spawned" else name


def run(defs, name, instance, **options):
    defs = defs if isinstance(defs, Definitions) else Definitions(assets=[defs])
    return execute.materialize(defs, instance=instance, executor=chosen(name), **options)


def facts(instance, outcome, kind):
    return [fact for _, fact in instance.record.facts(outcome.run_id) if isinstance(fact, kind)]


def seconds_of_steps(instance, outcome):
    """From the first step's start to the run's end: without the start of an executor's processes or cluster."""
    return facts(instance, outcome, RunEnded)[0].time - facts(instance, outcome, StepStarted)[0].time


def value(instance, outcome, step):
    """What a step returned."""
    number = outcome.plan.index()[step]
    for seq, fact in instance.record.facts(outcome.run_id):
        if isinstance(fact, StepSucceeded) and fact.step == number:
            from opgraph.events import Kept

            return outcome.shelf.get(Kept(outcome.run_id, seq, fact.outputs[0]), None, "", "")
    raise AssertionError(f"{step} did not succeed")


def said(instance, outcome, level=None):
    return [line.text for _, line in instance.record.logs(outcome.run_id) if level in (None, line.level)]


def error(outcome):
    return outcome.error


def one(body, **options):
    """An asset of one op with this body."""
    made = op(name="made", **options)(body)

    @graph_asset
    def only():
        return made()

    return only


# -- ordinary ends ----------------------------------------------------------------------------------


def test_values_flow_from_op_to_op(executor_name, instance):
    """Sync and async ops, fan-in, small and large values, None."""

    @op
    def small():
        return 1

    @op
    async def large(x):
        await asyncio.sleep(0)
        return b"x" * (100_000 * x)

    @op
    def nothing():
        return None

    @op
    def total(parts, none):
        assert none is None
        return sum(len(part) for part in parts)

    @graph_asset
    def whole():
        x = small()
        return total([large(x), large(x)], nothing())

    outcome = run(whole, executor_name, instance)
    assert outcome.success, outcome.error
    assert value(instance, outcome, "whole.total") == 200_000
    assert outcome.status is RunStatus.SUCCESS


def test_every_start_is_recorded_before_its_end(executor_name, on_disk):
    """A step's StepStarted comes before its StepSucceeded, and both after those of the steps that it needs."""

    @op
    def first():
        return 1

    @op
    def then(x):
        return x + 1

    @graph_asset
    def chain():
        return then(then(then(first())))

    outcome = run(chain, executor_name, on_disk)
    order = [
        (type(fact).__name__, fact.step)
        for _, fact in on_disk.record.facts(outcome.run_id)
        if isinstance(fact, (StepStarted, StepSucceeded))
    ]
    assert order == [(name, step) for step in range(4) for name in ("StepStarted", "StepSucceeded")]


def test_a_failure_is_the_users_exception(executor_name, instance):
    """Kind, message, the user's line; the exception itself is raised by `materialize`."""

    def body():
        raise ValueError("three sheep")

    outcome = run(one(body), executor_name, instance)
    assert outcome.status is RunStatus.FAILURE
    assert (error(outcome).kind, error(outcome).message) == ("ValueError", "three sheep")
    assert error(outcome).frames[-1].text == 'raise ValueError("three sheep")'
    with pytest.raises(ValueError, match="three sheep"):
        materialize([one(body)], instance=instance, executor=chosen(executor_name))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_op_that_raises_keyboard_interrupt_itself_has_failed(executor_name, on_disk, kind):
    """Nobody has cancelled anything: it is named like any other failure, tried again, and the others go on."""

    def sync():
        raise KeyboardInterrupt("by hand")

    async def coroutine():
        raise KeyboardInterrupt("by hand")

    bad = op(name="bad", retry_policy=RetryPolicy(max_retries=1))(sync if kind == "sync" else coroutine)

    @op
    def good():
        return 1

    @graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def both():
        return {"a": bad(), "b": good()}

    outcome = run(both, executor_name, on_disk)
    assert outcome.status is RunStatus.FAILURE
    assert (error(outcome).kind, error(outcome).message) == ("KeyboardInterrupt", "by hand")
    assert error(outcome).frames[-1].text == 'raise KeyboardInterrupt("by hand")'
    assert len(facts(on_disk, outcome, StepStarted)) == 3
    assert not facts(on_disk, outcome, CancelRequested)
    assert "b" in on_disk.record.latest(["b"])


def test_other_branches_go_on_after_a_failure(executor_name, on_disk):
    """What depends on the failed op is blocked, the rest is made; a resume runs only what is left."""
    flag = on_disk.home / "fixed"

    @op
    def good():
        return 1

    @op
    def bad(x):
        if not flag.exists():
            raise Failure("not yet", metadata={"n": 3})
        return x

    @op
    def after(x):
        return x

    @graph_multi_asset(outs={"left": AssetOut(), "right": AssetOut()})
    def both():
        x = good()
        return {"left": after(bad(x)), "right": after(x)}

    defs = Definitions(assets=[both])
    outcome = run(defs, executor_name, on_disk)
    assert outcome.status is RunStatus.FAILURE
    assert len(facts(on_disk, outcome, StepFailed)) == 1
    assert [fact.blocked for fact in facts(on_disk, outcome, StepSkipped)] == [True]
    flag.touch()
    again = resume(defs, outcome.run_id, instance=on_disk, executor=chosen(executor_name))
    assert again.success
    assert sorted(again.plan.steps[f.step].key for f in facts(on_disk, again, StepStarted)) == [
        "both.after",
        "both.bad",
    ]


def test_optional_outputs_that_do_not_come_skip_what_needs_them(executor_name, instance):
    """One of two optional outputs is yielded; the other's consumer is skipped, not failed."""

    @op(out={"a": Out(is_required=False), "b": Out(is_required=False)})
    def either():
        yield Output(1, "a")

    @op
    def take(x):
        return x

    @graph_multi_asset(outs={"x": AssetOut(is_required=False), "y": AssetOut(is_required=False)})
    def both():
        a, b = either()
        return {"x": take(a), "y": take(b)}

    outcome = run(both, executor_name, instance)
    assert outcome.success
    assert [fact.blocked for fact in facts(instance, outcome, StepSkipped)] == [False]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_a_generator_yielded_stays_when_it_fails_later(executor_name, instance, kind):
    """An asset's output of a generator is recorded as it comes."""
    if kind == "sync":

        @multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
        def two():
            yield Output(1, "a")
            raise RuntimeError("after a")

    else:

        @multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
        async def two():
            yield Output(1, "a")
            await asyncio.sleep(0)
            raise RuntimeError("after a")

    outcome = run(two, executor_name, instance)
    assert outcome.status is RunStatus.FAILURE
    assert [fact.stored.output for fact in facts(instance, outcome, OutputStored)] == ["a"]
    assert "a" in instance.record.latest(["a"])


def test_assets_made_before_are_loaded_and_their_versions_recorded(executor_name, instance):
    """An asset outside of the selection comes from the record; the step says which version it read."""

    @asset
    def up():
        return 20

    @asset
    def down(up):
        return up + 1

    defs = Definitions(assets=[up, down])
    first = run(defs, "in_process", instance, selection="up")
    second = run(defs, executor_name, instance, selection="down")
    assert second.success, second.error
    assert value(instance, second, "down") == 21
    (fact,) = facts(instance, second, StepSucceeded)
    assert [(read.asset, read.run) for read in fact.reads] == [("up", first.run_id)]


def test_nothing_orders(executor_name, instance):
    """An input of type Nothing waits, and hands over no value."""

    @op
    def before():
        return 1

    @op(ins={"after": In(Nothing)})
    def last():
        return 2

    @graph_asset
    def ordered():
        return last(before())

    assert run(ordered, executor_name, instance).success


def test_async_ops_wait_together_where_the_executor_can(executor_name, on_disk):
    """Dagster #4041: twenty ops that wait: one after the other in process, together elsewhere."""
    seconds = 0.02 if executor_name == "in_process" else 0.2

    @op
    async def wait():
        await asyncio.sleep(seconds)
        return 1

    @op
    def total(xs):
        return sum(xs)

    @graph_asset
    def waits():
        return total([wait() for _ in range(20)])

    outcome = run(waits, executor_name, on_disk)
    assert outcome.success, outcome.error
    took = seconds_of_steps(on_disk, outcome)
    assert took > 20 * seconds if executor_name == "in_process" else took < 15 * seconds


def test_what_ops_report_is_recorded(executor_name, instance):
    """`context.log_event`, output metadata, context members."""
    from opgraph import AssetMaterialization

    def body(context):
        context.log_event(AssetMaterialization("elsewhere", metadata={"n": 1}))
        context.add_output_metadata({"rows": 3})
        return context.run_id

    outcome = run(one(body), executor_name, instance)
    assert outcome.success, outcome.error
    assert [fact.asset for fact in facts(instance, outcome, AssetReported)] == ["elsewhere"]
    assert value(instance, outcome, "only.made") == outcome.run_id


# -- what ops say -----------------------------------------------------------------------------------


def test_output_and_logs_land_with_their_step(executor_name, instance):
    """print, stderr, logging, context.log; an unfinished line; two ops at once keep their lines apart."""

    def speak(context, who):
        for i in range(20):
            print(who, i)
            time.sleep(0.001)
        print("err", who, file=sys.stderr)
        logging.getLogger("mine").warning("log %s", who)
        context.log.info("context %s", who)
        print("unfinished", who, end="")
        return 1

    @op
    def left(context):
        return speak(context, "left")

    @op
    def right(context):
        return speak(context, "right")

    @op
    def both(a, b):
        return a + b

    @graph_asset
    def loud():
        return both(left(), right())

    outcome = run(loud, executor_name, instance)
    assert outcome.success, outcome.error
    for who in ("left", "right"):
        number = outcome.plan.index()[f"loud.{who}"]
        lines = [line for _, line in instance.record.logs(outcome.run_id, number)]
        assert sorted(line.text for line in lines) == sorted(
            [*(f"{who} {i}" for i in range(20)), f"err {who}", f"log {who}", f"context {who}", f"unfinished {who}"]
        )
        assert [line.text for line in lines if line.level == "STDOUT"][:20] == [f"{who} {i}" for i in range(20)]


def test_output_is_seen_while_the_step_goes_on(executor_name, on_disk):
    """A line that was printed is in the record before the step has ended."""
    gate = on_disk.home / "gate"

    def body():
        print("begun")
        patience = time.monotonic() + 10
        while not gate.exists() and time.monotonic() < patience:
            time.sleep(0.01)
        return gate.exists()

    seen = []

    def watch():
        patience = time.monotonic() + 8
        while time.monotonic() < patience and not seen:
            runs = on_disk.record.runs()
            if runs and any(line.text == "begun" for _, line in on_disk.record.logs(runs[0].run_id)):
                seen.append(True)
            time.sleep(0.02)
        gate.touch()

    thread = threading.Thread(target=watch)
    thread.start()
    outcome = run(one(body), executor_name, on_disk)
    thread.join()
    assert outcome.success
    assert seen


@pytest.mark.parametrize("pieces", [["loading"], ["10 %", "\r20 %", "\r30 %", "\r40 %"]], ids=["quiet", "progress"])
def test_a_line_that_has_not_ended_is_seen_too(executor_name, on_disk, pieces):
    """A short time after the last piece of it; what comes then is another line, and nothing is lost or said twice."""
    gate = on_disk.home / "gate"

    def body():
        for piece in pieces:
            print(piece, end="", flush=True)
        patience = time.monotonic() + 10
        while not gate.exists() and time.monotonic() < patience:
            time.sleep(0.01)
        print(" done", end="")

    seen = []

    def watch():
        patience = time.monotonic() + 8
        while time.monotonic() < patience and not seen:
            seen.extend(line for run in on_disk.record.runs() for _, line in on_disk.record.logs(run.run_id))
            time.sleep(0.02)
        gate.touch()

    thread = threading.Thread(target=watch)
    thread.start()
    outcome = run(one(body), executor_name, on_disk)
    thread.join()
    assert [line.text for line in seen] == ["".join(pieces)]
    assert said(on_disk, outcome) == ["".join(pieces), " done"]


@pytest.mark.parametrize("kind", ["sync", "async", "generator"])
def test_what_is_said_is_seen_at_once_also_when_the_op_goes_quiet(executor_name, on_disk, kind):
    """Each way of speaking is in the record within half a second, once, in its order, while the op waits."""
    gate = on_disk.home / "gate"

    def speak(context):
        for i in range(50):
            print("printed", i)
        print("printed badly", file=sys.stderr)
        logging.getLogger("mine").warning("logged")
        context.log.info("said")
        return time.time()

    def waits():
        patience = time.monotonic() + 10
        while not gate.exists() and time.monotonic() < patience:
            time.sleep(0.01)

    def sync(context):
        spoke = speak(context)
        waits()
        return spoke

    async def coroutine(context):
        spoke = speak(context)
        while not gate.exists():  # noqa: ASYNC110 - the gate is a file
            await asyncio.sleep(0.01)
        return spoke

    def generator(context):
        yield DynamicOutput(speak(context), mapping_key="a")
        waits()

    if kind == "generator":
        deal = op(name="only", out=DynamicOut())(generator)

        @job
        def dealt():
            deal()

        options = {"defs": Definitions(jobs=[dealt]), "job": "dealt"}
    else:
        options = {"defs": one(sync if kind == "sync" else coroutine)}
    expected = [*(f"printed {i}" for i in range(50)), "printed badly", "logged", "said"]
    seen = {}

    def watch():
        patience = time.monotonic() + 8
        while time.monotonic() < patience and len(seen) < len(expected):
            for row in on_disk.record.runs():
                for _, line in on_disk.record.logs(row.run_id):
                    seen.setdefault(line.text, time.time() - line.time)
            time.sleep(0.01)
        gate.touch()

    thread = threading.Thread(target=watch)
    thread.start()
    outcome = run(options.pop("defs"), executor_name, on_disk, **options)
    thread.join()
    assert outcome.success, outcome.error
    assert set(expected) <= seen.keys()
    assert max(seen[text] for text in expected) < 0.5 * SLACK
    said = [line.text for _, line in on_disk.record.logs(outcome.run_id) if line.level != "STDERR"]
    assert said == [text for text in expected if text != "printed badly"]


def test_processes_capture_at_the_descriptor(on_disk):
    """What C code and subprocesses write lands with the step, in order of the steps."""

    @op
    def first():
        os.write(1, b"raw first\n")
        subprocess.run(["sh", "-c", "echo shell first; echo bad first >&2"], check=True)
        return 1

    @op
    def second(x):
        os.write(2, b"raw second\n")
        return x

    @graph_asset
    def raw():
        return second(first())

    outcome = run(raw, "processes", on_disk)
    lines = [(line.step, line.level, line.text) for _, line in on_disk.record.logs(outcome.run_id)]
    assert sorted(lines) == [
        (0, "STDERR", "bad first"),
        (0, "STDOUT", "raw first"),
        (0, "STDOUT", "shell first"),
        (1, "STDERR", "raw second"),
    ]


class Database(ConfigurableResource):
    def teardown_after_execution(self, context):
        print("put away")


def test_what_is_said_when_a_resource_is_put_away_is_the_runs(executor_name, on_disk, capfd):
    """It is kept with the run, not with the step that was the last, and not written to the terminal."""

    @op
    def made(database: Database):
        print("used")

    @graph_asset
    def only():
        return made()

    outcome = run(Definitions(assets=[only], resources={"database": Database()}), executor_name, on_disk)
    assert outcome.success, outcome.error
    lines = [(line.step, line.text) for _, line in on_disk.record.logs(outcome.run_id)]
    assert lines == [(0, "used"), (-1, "put away")]
    assert capfd.readouterr().out == ""


def test_of_100_mb_of_output_the_head_and_the_tail_are_kept(executor_name, on_disk):
    """10 MB are kept, and a line says how much is not."""

    def body():
        line = "x" * 9_999
        print("the first")
        for _ in range(10_000):
            print(line)
        print("the last")
        return 1

    outcome = run(one(body), executor_name, on_disk)
    assert outcome.success, outcome.error
    texts = said(on_disk, outcome)
    assert texts[0] == "the first"
    assert texts[-1] == "the last"
    assert 8_000_000 < sum(map(len, texts)) < 10_100_000
    assert any("left out" in text for text in texts)


# -- bad ends ---------------------------------------------------------------------------------------


def test_sys_exit_is_the_steps_failure(executor_name, instance):
    """SystemExit ends the step, not the run's process."""
    outcome = run(one(lambda: sys.exit(3)), executor_name, instance)
    assert outcome.status is RunStatus.FAILURE
    assert error(outcome).kind == "SystemExit"


def test_a_value_that_cannot_be_pickled_is_the_steps_failure(executor_name, instance):
    """The error names the type and the output."""

    def body():
        return threading.Lock()

    outcome = run(one(body), executor_name, instance)
    assert outcome.status is RunStatus.FAILURE
    assert error(outcome).kind == "UnstorableValueError"
    assert error(outcome).during == "store"


def test_an_exception_that_cannot_be_pickled_is_told_as_data(executor_name, instance):
    """Its class and text are recorded all the same."""

    class Odd(Exception):
        def __init__(self):
            super().__init__("odd")
            self.lock = threading.Lock()

    def body():
        raise Odd

    outcome = run(one(body), executor_name, instance)
    assert (error(outcome).kind, error(outcome).message) == ("Odd", "odd")


def test_a_lost_value_is_made_again(executor_name, on_disk):
    """A file that is gone when it is to be loaded: its producer runs again, once."""
    ran = on_disk.home / "ran"

    @op
    def wide():
        with ran.open("a") as file:
            file.write("wide\n")
        return b"w" * 100_000

    @op
    def lose():
        return 1

    @op
    def use(w, x):
        return len(w)

    @op
    def vandal(w):
        for path in (on_disk.home / "values").rglob("*"):
            if path.is_file() and ran.read_text().count("wide") == 1:
                path.unlink()
        return 1

    @graph_asset
    def lossy():
        w = wide()
        return use(w, vandal(w))

    outcome = run(lossy, executor_name, on_disk)
    assert outcome.success, outcome.error
    assert len(facts(on_disk, outcome, ValueLost)) == 1
    assert ran.read_text().count("wide") == 2
    assert value(on_disk, outcome, "lossy.use") == 100_000


def test_a_run_within_a_run(executor_name, on_disk, tmp_path):
    """An op that materializes something itself: its lines and values are its own run's."""

    @asset
    def inner():
        print("inside")
        return 5

    def body():
        print("outside")
        with Instance(tmp_path / "other") as other:
            return materialize([inner], instance=other).output_for_node("inner")

    outcome = run(one(body), executor_name, on_disk)
    assert outcome.success, outcome.error
    assert value(on_disk, outcome, "only.made") == 5
    assert said(on_disk, outcome, "STDOUT")[0] == "outside"


# -- workers that die -------------------------------------------------------------------------------


def dies(how):
    def body():
        how()
        return 1

    return body


@pytest.mark.parametrize(
    ("how", "words", "fix"),
    [
        (lambda: os._exit(3), "exited with code 3", "raise an exception"),
        (lambda: os._exit(0), "exited with code 0", "raise an exception"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL", "out of memory"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "killed by SIGTERM", "someone sent it"),
        (os.abort, "killed by SIGABRT", "native code"),
    ],
)
def test_a_worker_that_dies_is_blamed_on_its_step(instance, how, words, fix):
    """WorkerDied names the signal or the code, and what that means; the other steps go on, in a new worker."""
    made = op(name="made")(dies(how))

    @op
    def other():
        time.sleep(0.05)
        return os.getpid()

    @op
    def after(x):
        return x

    @graph_multi_asset(outs={"bad": AssetOut(), "good": AssetOut()})
    def both():
        return {"bad": made(), "good": after(other())}

    outcome = run(both, multiprocess_executor.configured({"max_concurrent": 1}), instance)
    assert outcome.status is RunStatus.FAILURE
    (failed,) = facts(instance, outcome, StepFailed)
    assert (failed.error.kind, words in failed.error.message) == ("WorkerDied", True)
    assert value(instance, outcome, "both.after") != os.getpid()
    assert isinstance(died := outcome.exceptions["both.made"], WorkerDied)
    assert fix in died.fix


def test_a_forked_worker_has_all_that_it_needs(on_disk):
    """It imports nothing before its op: the start of each worker would take that much longer."""
    script = """
import sys, pickle
from opgraph import Instance, asset, materialize, multiprocess_executor
@asset
def loaded():
    return set(sys.modules)
forked = multiprocess_executor.configured({"start_method": "fork", "max_concurrent": 1})
value = materialize([loaded], instance=Instance(sys.argv[1]), executor=forked).asset_value("loaded")
print(sorted(value - set(sys.modules)))
print("ctypes" in value)
"""
    ran = subprocess.run([sys.executable, "-c", script, str(on_disk.home)], capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[:2] == ["[]", "True"]


def test_the_last_words_of_a_worker_are_kept(on_disk):
    """A crash in native code leaves its stack in the step's output, and in its error: only what the op called."""
    import ctypes

    def body():
        print("before")
        ctypes.string_at(0)

    outcome = run(one(body), "processes", on_disk)
    texts = said(on_disk, outcome)
    assert "killed by SIGSEGV" in outcome.error.message
    assert "before" in texts
    at = next(i for i, text in enumerate(texts) if "Segmentation fault" in text)
    assert [text.rpartition(" in ")[2] for text in texts[at + 1 :]] == ["string_at", "body"]
    assert [frame.function for frame in outcome.error.frames] == ["body", "string_at"]


def test_an_async_op_that_kills_its_worker_is_found(on_disk):
    """Of several on one event loop the guilty one is blamed; the others succeed."""

    @op
    async def fine():
        await asyncio.sleep(0.3)
        return 1

    @op
    async def fatal():
        await asyncio.sleep(0.1)
        os._exit(9)

    @op
    def total(xs):
        return sum(xs)

    @graph_multi_asset(outs={"bad": AssetOut(), "good": AssetOut()})
    def both():
        return {"bad": fatal(), "good": total([fine() for _ in range(5)])}

    outcome = run(both, "processes", on_disk)
    (failed,) = facts(on_disk, outcome, StepFailed)
    assert outcome.plan.steps[failed.step].key == "both.fatal"
    assert value(on_disk, outcome, "both.total") == 5


def test_a_workers_children_die_with_it(on_disk):
    """What a step started is killed when its worker is."""

    def body():
        child = subprocess.Popen(["sleep", "60"])
        (on_disk.home / "child").write_text(str(child.pid))
        os._exit(1)

    run(one(body), "processes", on_disk)
    pid = int((on_disk.home / "child").read_text())
    patience = time.monotonic() + 2
    while time.monotonic() < patience and alive(pid):
        time.sleep(0.01)
    assert not alive(pid)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_where_python_was_when_a_worker_crashed(on_disk):
    """The error names the signal, and its frames end at the line of the op; its output has the whole story."""

    def deep():
        import ctypes

        ctypes.string_at(0)

    def body():
        deep()

    for how in ("processes", "spawned"):
        outcome = run(one(body), how, on_disk)
        assert error(outcome).kind == "WorkerDied"
        assert "`only.made`" in error(outcome).message
        assert "SIGSEGV" in error(outcome).message
        assert [frame.text for frame in error(outcome).frames if frame.own][-2:] == ["deep()", "ctypes.string_at(0)"]
        assert any("Segmentation fault" in line for line in said(on_disk, outcome, "STDERR"))


# -- time -------------------------------------------------------------------------------------------


def sleeps():
    patience = time.monotonic() + LONG
    while time.monotonic() < patience:
        time.sleep(0.01)
    return 1


async def sleeps_async():
    await asyncio.sleep(LONG)
    return 1


@pytest.mark.parametrize("body", [sleeps, sleeps_async])
def test_a_step_that_takes_too_long_fails(executor_name, instance, body):
    """The error names the limit, and how far the step was; it takes no more than a second longer."""
    outcome = run(one(body, tags={"opgraph/timeout": 0.2}), executor_name, instance)
    took = seconds_of_steps(instance, outcome)
    assert outcome.status is RunStatus.FAILURE
    assert error(outcome).kind == "StepTimedOut"
    assert "0.2 s" in error(outcome).message
    assert error(outcome).cause is not None
    assert 0.2 <= took < 2.2
    assert isinstance(next(iter(outcome.exceptions.values())), StepTimedOut)


def swallows():
    patience = time.monotonic() + 5
    try:
        while time.monotonic() < patience:
            time.sleep(0.01)
    except BaseException:
        return 1


async def swallows_async():
    with contextlib.suppress(BaseException):
        await asyncio.sleep(5)
    return 1


def computes():
    return time.sleep(0.7)  # in C: nobody can interrupt that in a thread


@pytest.mark.parametrize("body", [swallows, swallows_async, computes])
def test_a_step_that_goes_on_after_its_time_has_failed(executor_name, on_disk, body):
    """Whether it was told and did not mind, or could not hear: it took too long, and its value is not kept."""
    outcome = run(one(body, tags={"opgraph/timeout": 0.3}), executor_name, on_disk)
    assert outcome.status is RunStatus.FAILURE
    assert [fact.error.kind for fact in facts(on_disk, outcome, StepFailed)] == ["StepTimedOut"]
    assert isinstance(next(iter(outcome.exceptions.values())), StepTimedOut)


def test_a_step_that_does_not_listen_is_killed_where_it_can_be(instance):
    """In processes by a signal, half a second after its time was up."""

    def body():
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(LONG)

    began = time.monotonic()
    outcome = run(one(body, tags={"opgraph/timeout": 0.5}), "processes", instance)
    assert error(outcome).kind == "StepTimedOut"
    assert 1.0 <= time.monotonic() - began < 2.5


@pytest.mark.skipif(
    sys.gettrace() is not None and sys.version_info < (3, 12),
    reason="traced, all threads of Python 3.11 wait until the one that is to be interrupted comes back from C",
)
def test_a_thread_that_does_not_listen_is_left_behind(on_disk):
    """The step fails in time, with the line where it stands; what comes after its place goes on, and what it says later
    is not recorded."""
    release = threading.Event()

    def body():
        release.wait(LONG)  # one call into C: no exception arrives
        return 1

    stuck = op(name="stuck", tags={"opgraph/timeout": 0.3})(body)

    @op
    def other():
        time.sleep(1.2)
        release.set()
        time.sleep(0.3)
        return 1

    @graph_multi_asset(outs={"bad": AssetOut(), "good": AssetOut()})
    def both():
        return {"bad": stuck(), "good": other()}

    outcome = run(both, "threads", on_disk)
    (fact,) = facts(on_disk, outcome, StepFailed)
    assert fact.error.kind == "StepTimedOut"
    at = [frame for frame in fact.error.frames if frame.own][-1]
    assert (at.file, at.function, at.text) == (
        __file__,
        "body",
        "release.wait(LONG)  # one call into C: no exception arrives",
    )
    assert len(facts(on_disk, outcome, StepSucceeded)) == 1


def test_the_limit_of_a_run(executor_name, on_disk):
    """Dagster #4937: its steps under way fail, naming the run's limit; the run is a failure, and can be resumed."""
    flag = on_disk.home / "quick"

    @op
    def first():
        return 1

    @op
    def slow(x):
        return x if flag.exists() else sleeps()

    @graph_asset
    def whole():
        return slow(first())

    defs = Definitions(assets=[whole])
    limit = 4 if executor_name == "spawned" else 0.7  # what a new worker needs to be there is the run's
    outcome = run(defs, executor_name, on_disk, timeout=limit)
    assert seconds_of_steps(on_disk, outcome) < limit + 2.3
    assert outcome.status is RunStatus.FAILURE
    assert error(outcome).kind == "StepTimedOut"
    assert f"the run's limit of {limit} s" in error(outcome).message
    (ended,) = facts(on_disk, outcome, RunEnded)
    assert ended.error.kind == "RunTimedOut"
    flag.touch()
    again = resume(defs, outcome.run_id, instance=on_disk, executor=chosen(executor_name))
    assert again.success
    assert len(facts(on_disk, again, StepStarted)) == 1


class Sleeper:
    """What unpickles this, a new worker, sleeps."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __reduce__(self):
        return awake, (self.seconds,)


def awake(seconds):
    time.sleep(seconds)
    return Sleeper(seconds)


def of_a_slow_load(seconds, **options):
    """An asset whose new workers take so long to load it."""
    sleeper = Sleeper(seconds)

    def body():
        return sleeper is not None

    return one(body, **options)


@pytest.mark.parametrize("made", ["spawned", "dask"])
@pytest.mark.usefixtures("dask_cluster")
def test_the_limit_of_a_run_holds_while_workers_start(on_disk, made):
    """A run whose workers do not get ready in its time has failed then, and no step of it began."""
    outcome = run(of_a_slow_load(LONG), made, on_disk, timeout=0.5)
    (ended,) = facts(on_disk, outcome, RunEnded)
    assert ended.error.kind == "RunTimedOut"
    assert ended.time - facts(on_disk, outcome, RunStarted)[0].time < 0.5 + SLACK
    assert not facts(on_disk, outcome, StepStarted)


@pytest.mark.parametrize("made", ["spawned", "dask"])
@pytest.mark.usefixtures("dask_cluster")
def test_a_run_is_cancelled_while_workers_start(on_disk, made):
    """It is seen to have started, and a request to cancel it ends it at once."""

    def cancel_it():
        while not (runs := list(on_disk.get_run_ids())) or not on_disk.record.facts(runs[0]):
            time.sleep(0.05)
        cancel(on_disk, runs[0])

    began = time.monotonic()
    threading.Thread(target=cancel_it, daemon=True).start()
    outcome = run(of_a_slow_load(LONG), made, on_disk)
    assert outcome.status is RunStatus.CANCELED
    assert not facts(on_disk, outcome, StepStarted)
    assert time.monotonic() - began < 2 + SLACK


def test_the_time_of_a_step_begins_when_its_worker_is_there(on_disk, monkeypatch):
    """Its limit does not count what a new worker takes to load the definitions."""
    monkeypatch.setattr(processes, "_LOADING", 0.0)
    outcome = run(of_a_slow_load(2, tags={"opgraph/timeout": 1}), "spawned", on_disk)
    assert outcome.success
    assert seconds_of_steps(on_disk, outcome) > 1.5


def test_a_worker_that_does_not_get_ready_is_killed(on_disk, monkeypatch):
    """It counts as one that cannot load the definitions: the run has failed for that, and can be resumed."""
    defs = Definitions(assets=[of_a_slow_load(LONG)])
    monkeypatch.setattr(processes, "_PATIENCE", 0.5)
    with pytest.raises(WorkerCannotLoad, match=r"had not loaded them after 0\.5 s"):
        run(defs, "spawned", on_disk)
    (run_id,) = on_disk.get_run_ids()
    (ended,) = [fact for _, fact in on_disk.record.facts(run_id) if isinstance(fact, RunEnded)]
    assert (ended.status, ended.error.kind) == (RunStatus.FAILURE, "WorkerCannotLoad")
    assert resume(defs, run_id, instance=on_disk, executor=in_process_executor).success


def test_the_limit_of_a_job(on_disk):
    """A job's tag is the limit of its runs."""

    @op
    def slow():
        return sleeps()

    @job(tags={"opgraph/timeout": 0.3})
    def nightly():
        slow()

    outcome = execute.materialize(Definitions(jobs=[nightly]), job="nightly", instance=on_disk)
    assert "the run's limit of 0.3 s" in outcome.error.message


def test_a_limit_that_makes_no_sense_is_refused(on_disk):
    """Before anything runs."""
    from opgraph.plan.limits import BadStepTag

    with pytest.raises(BadStepTag, match="opgraph/timeout"):
        run(one(lambda: 1, tags={"opgraph/timeout": "soon"}), "in_process", on_disk)


# -- cancelling -------------------------------------------------------------------------------------


def cancel_when_begun(instance, into, wait=5.0):
    """In a thread: cancel the run once a step has started."""

    def watch():
        patience = time.monotonic() + 10
        while time.monotonic() < patience:
            runs = instance.record.runs()
            if runs and any(isinstance(f, StepStarted) for _, f in instance.record.facts(runs[0].run_id)):
                time.sleep(0.1)
                into["asked"] = time.monotonic()
                into["status"] = cancel(instance, runs[0].run_id, by="a test", wait=wait)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.parametrize("body", [sleeps, sleeps_async])
def test_a_run_is_cancelled(executor_name, instance, body):
    """Dagster #23406: its steps are interrupted, it ends CANCELED within two seconds, nothing else starts."""
    made = op(name="made")(body)

    @op
    def after(x):
        return x

    @graph_asset
    def whole():
        return after(made())

    into = {}
    thread = cancel_when_begun(instance, into)
    outcome = run(whole, executor_name, instance)
    ended = time.monotonic()
    thread.join()
    assert outcome.status is RunStatus.CANCELED
    assert ended - into["asked"] < 2
    assert into["status"] is RunStatus.CANCELED
    assert [fact.by for fact in facts(instance, outcome, CancelRequested)] == ["a test"]
    assert len(facts(instance, outcome, StepInterrupted)) == 1
    assert outcome.canceled_by == "a test"
    with pytest.raises(RunIsOver):
        cancel(instance, outcome.run_id)


def test_a_cancelled_run_is_resumed(executor_name, on_disk):
    """What it stored is reused."""
    flag = on_disk.home / "quick"

    @op
    def first():
        return 1

    @op
    def slow(x):
        return x if flag.exists() else sleeps()

    @graph_asset
    def whole():
        return slow(first())

    defs = Definitions(assets=[whole])
    into = {}

    def when_slow():
        patience = time.monotonic() + 10
        while time.monotonic() < patience:
            runs = on_disk.record.runs()
            if runs and len([f for _, f in on_disk.record.facts(runs[0].run_id) if isinstance(f, StepStarted)]) == 2:
                into["status"] = cancel(on_disk, runs[0].run_id, wait=5)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=when_slow)
    thread.start()
    outcome = run(defs, executor_name, on_disk)
    thread.join()
    assert outcome.status is RunStatus.CANCELED
    flag.touch()
    again = resume(defs, outcome.run_id, instance=on_disk, executor=chosen(executor_name))
    assert again.success
    assert [again.plan.steps[f.step].key for f in facts(on_disk, again, StepStarted)] == ["whole.slow"]


def test_a_step_that_does_not_listen_is_killed_when_the_run_is_cancelled(on_disk):
    """In processes: the run is over within two seconds."""

    def body():
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(LONG)

    into = {}
    thread = cancel_when_begun(on_disk, into)
    outcome = run(one(body), "processes", on_disk)
    ended = time.monotonic()
    thread.join()
    assert outcome.status is RunStatus.CANCELED
    assert ended - into["asked"] < 2


def test_materialize_says_that_it_was_cancelled(on_disk):
    """By an error of its own, where it was not Ctrl-C."""
    into = {}
    thread = cancel_when_begun(on_disk, into)
    with pytest.raises(RunCanceledError, match="a test"):
        materialize([one(sleeps)], instance=on_disk, executor="threads")
    thread.join()


def test_a_run_in_another_thread_is_cancelled(executor_name, on_disk):
    """Where signals do not reach."""
    into, results = {}, []
    thread = threading.Thread(target=lambda: results.append(run(one(sleeps), executor_name, on_disk)))
    thread.start()
    canceling = cancel_when_begun(on_disk, into)
    thread.join(10)
    canceling.join()
    assert results[0].status is RunStatus.CANCELED


# -- choosing ---------------------------------------------------------------------------------------


def where():
    return os.getpid(), threading.current_thread().name


def test_an_op_may_say_that_it_stays_in_the_drivers_process(on_disk):
    """Its neighbours run in workers."""
    here = op(name="here", tags={"opgraph/executor": "in_process"})(where)
    there = op(name="there")(where)

    @op
    def both(a, b):
        return a, b

    @graph_asset
    def places():
        return both(here(), there())

    outcome = run(places, "processes", on_disk)
    (here_pid, _), (there_pid, _) = value(on_disk, outcome, "places.both")
    assert here_pid == os.getpid() != there_pid


def test_the_executor_is_the_runs_else_the_jobs_else_the_definitions(on_disk):
    """And in process where nobody says."""
    made = op(name="made")(where)

    @job(executor_def=threads_executor)
    def threaded():
        made()

    @job
    def plain():
        made()

    @executor(name="mine")
    def mine(init_context):
        return multiprocess_executor.configured(init_context.executor_config)

    def recorded(name, **options):
        outcome = execute.materialize(
            Definitions(jobs=[threaded, plain], executor=options.pop("default", None)),
            job=name,
            instance=on_disk,
            **options,
        )
        assert outcome.success, outcome.error
        return on_disk.record.run(outcome.run_id).executor

    assert recorded("plain") == "in_process"
    assert recorded("plain", otherwise="async") == "async"
    assert recorded("plain", default=threads_executor, otherwise="async") == "threads"
    assert recorded("plain", default=mine.configured({"max_concurrent": 1})) == "processes"
    assert recorded("threaded", default=mine) == "threads"
    assert recorded("threaded", executor="processes") == "processes"


def test_settings_in_the_run_configuration():
    """As code for Dagster writes them; who asks for settings and names no executor gets worker processes."""
    only = one(where)

    def pid(config, **options):
        return materialize([only], run_config={"execution": {"config": config}}, **options).asset_value("only")[0]

    assert pid({"max_concurrent": 2}) != os.getpid()
    assert pid({"multiprocess": {"max_concurrent": 2}}) != os.getpid()
    assert pid({"in_process": {}}) == os.getpid()
    assert pid({"max_concurrent": 2}, executor="threads") == os.getpid()
    with pytest.raises(BadExecutorSetting, match="whole number"):
        pid({"max_concurrent": "many"})


def test_mistakes_in_choosing_are_told():
    """An unknown name, an unknown setting, a number that makes no sense, values that cannot be shared."""
    only = one(lambda: 1)
    with pytest.raises(UnknownExecutor, match="in_process, threads, async, processes, dask"):
        materialize([only], executor="celery")
    with pytest.raises(BadExecutorSetting, match="max_concurrent"):
        materialize([only], executor=threads_executor.configured({"size": 3}))
    with pytest.raises(BadExecutorSetting, match="whole number"):
        materialize([only], executor=multiprocess_executor.configured({"max_concurrent": -1}))
    with pytest.raises(NotSharedBetweenProcesses, match="io_manager"):
        materialize([only], executor="processes", resources={"io_manager": mem_io_manager})


def test_settings_limit_how_many_run_at_once(tmp_path):
    """`max_concurrent` ops of each kind, never more."""

    def body():
        mine = tmp_path / f"{os.getpid()}-{threading.get_ident()}"
        mine.touch()
        seen = len(list(tmp_path.iterdir()))
        time.sleep(0.05)
        mine.unlink()
        return seen

    each = op(name="each")(body)

    @op
    def most(xs):
        return max(xs)

    @graph_asset
    def crowd():
        return most([each() for _ in range(8)])

    for base in (threads_executor, multiprocess_executor):
        result = materialize([crowd], executor=base.configured({"max_concurrent": 2}))
        assert result.output_for_node("crowd") == 2
