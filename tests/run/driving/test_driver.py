"""What the driver does with whatever ops do: bad ends, Ctrl-C, managers that fail, what is said, optional outputs."""

import asyncio
import contextlib
import logging
import os
import pickle
import resource
import signal
import sys
import threading
import warnings
from pathlib import Path

import pytest

from opgraph import (
    AssetOut,
    Definitions,
    DynamicOut,
    DynamicOutput,
    Failure,
    In,
    IOManager,
    Nothing,
    Out,
    Output,
    asset,
    graph,
    graph_asset,
    graph_multi_asset,
    multi_asset,
    op,
)
from opgraph.errors import InvalidSubsetError
from opgraph.events import (
    CancelRequested,
    OutputStored,
    RunEnded,
    RunStatus,
    StepFailed,
    StepInterrupted,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.record.refusals import UnusableRecordError
from opgraph.run.instance import Instance

WIDE = 40_000
world: dict[str, object] = {}


@pytest.fixture(autouse=True)
def fresh_world():
    world.clear()
    world.update(ran=[])


@pytest.fixture
def instance(tmp_path):
    with Instance(tmp_path / "home") as made:
        yield made


def ran():
    names, world["ran"] = world["ran"], []
    return names


def facts(instance, run_id, kind):
    return [fact for _, fact in instance.record.facts(run_id) if isinstance(fact, kind)]


def files(instance):
    root = Path(instance.storage)
    return sorted(path for path in root.rglob("*") if path.is_file()) if root.exists() else []


def between(body, *, out=None):
    """An asset whose middle op has this body: an op before it, and one after."""

    @op
    def before():
        world["ran"].append("before")
        return 1

    middle = op(name="middle", out=out)(body) if out else op(name="middle")(body)

    @op
    def after(x):
        world["ran"].append("after")
        return x

    @graph_asset
    def out_():
        return after(middle(before()))

    return Definitions(assets=[out_])


# -- bad ends -------------------------------------------------------------------------------------


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Frozen(Exception):
    def __setattr__(self, name, value):
        raise AttributeError(name)


def recurse(x):
    return recurse(x)


def exits(x):
    sys.exit(3)


def breaks(x):
    raise Broken


def fails(x):
    raise Failure("no good", metadata={"rows": 3})


def generator_exit(x):
    raise GeneratorExit


def groups(x):
    raise ExceptionGroup("two", [ValueError("one"), KeyError("other")])


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (exits, "SystemExit", "the op called sys.exit(3)"),
        (recurse, "RecursionError", "maximum recursion depth"),
        (breaks, "Broken", "its text cannot be had"),
        (fails, "Failure", "no good"),
        (generator_exit, "GeneratorExit", ""),
        (groups, "ExceptionGroup", "two (2 sub-exceptions)"),
    ],
)
def test_a_bad_end_is_the_steps_failure(instance, body, kind, text):
    """Whatever an op raises fails its step and nothing else: the run ends, what follows is blocked, it is resumable."""
    defs = between(body)
    outcome = materialize(defs, instance=instance)
    assert (outcome.status, outcome.failed_step, ran()) == (RunStatus.FAILURE, "out_.middle", ["before"])
    assert (outcome.error.kind, outcome.error.during) == (kind, "compute")
    assert text in outcome.error.message
    assert outcome.error.frames[0].file == __file__
    (skipped,) = facts(instance, outcome.run_id, StepSkipped)
    assert (skipped.step, skipped.because, skipped.blocked) == (2, 1, True)
    assert instance.record.run(outcome.run_id).status is RunStatus.FAILURE
    assert not instance.record.alive(outcome.run_id)
    assert resume(between(lambda x: x), outcome.run_id, instance=instance).success
    assert ran() == ["after"]


def test_an_unpicklable_value(instance):
    """A value that cannot be stored fails the op that made it, named with its output, and leaves nothing behind."""

    def two(x):
        return b"w" * WIDE, threading.Lock()

    @op(out={"wide": Out(), "lock": Out()})
    def middle():
        return two(1)

    @op
    def join(wide, lock):
        return 1

    @graph_asset
    def out_():
        return join(*middle())

    outcome = materialize(Definitions(assets=[out_]), instance=instance)
    assert (outcome.status, outcome.failed_step) == (RunStatus.FAILURE, "out_.middle")
    error = outcome.error
    assert (error.kind, error.during, error.about) == ("UnstorableValueError", "store", "lock")
    assert "output 'lock' of 'out_.middle' is a lock that cannot be stored" in error.message
    assert files(instance) == [], "the value beside it is taken back"
    assert facts(instance, outcome.run_id, (StepSucceeded, OutputStored)) == []


def test_a_generator_that_fails_after_a_value(instance):
    """What a failed step had stored and nobody heard of is taken back; an asset it had announced stays."""

    @op(out={"wide": Out(), "more": Out()})
    def yields():
        yield Output(b"w" * WIDE, "wide")
        raise ValueError("late")

    @op
    def join(wide, more):
        return 1

    @graph_asset
    def out_():
        return join(*yields())

    @multi_asset(outs={"first": AssetOut(), "second": AssetOut()})
    def pair():
        yield Output(1, "first")
        raise ValueError("late")

    defs = Definitions(assets=[out_, pair])
    outcome = materialize(defs, instance=instance)
    assert outcome.status is RunStatus.FAILURE
    (kept,) = facts(instance, outcome.run_id, OutputStored)
    assert [path.name for path in files(instance)] == [kept.stored.location.split("/")[1]]
    assert load_asset_value(defs, "first", instance=instance) == 1


class Failing(IOManager):
    def handle_output(self, context, obj):
        if world.get("fail") == "store":
            raise Frozen("disk says no") from OSError("why")

    def load_input(self, context):
        if world.get("fail") == "load":
            raise Frozen("disk says no") from OSError("why")
        return 1


@pytest.mark.parametrize(
    ("during", "step", "about"), [("store", "out_.before", "result"), ("load", "out_.middle", "x")]
)
def test_a_manager_that_fails(instance, during, step, about):
    """An exception in `handle_output` or `load_input` fails the step, is named as such, and keeps the user's cause."""
    defs = between(lambda x: x)
    defs = Definitions(assets=defs.assets, resources={"io_manager": Failing()})
    world["fail"] = during
    outcome = materialize(defs, instance=instance)
    assert (outcome.status, outcome.failed_step) == (RunStatus.FAILURE, step)
    error = outcome.error
    assert (error.kind, error.message, error.during, error.about) == ("Frozen", "disk says no", during, about)
    assert (error.cause.kind, error.cause.message) == ("OSError", "why")


def test_other_branches_go_on(instance):
    """A failure stops what depends on it and nothing else."""

    @op
    def good():
        world["ran"].append("good")
        return 1

    @op
    def bad():
        raise ValueError

    @op
    def use(x):
        world["ran"].append("use")
        return x

    @graph
    def work():
        use.alias("of_bad")(bad())
        use.alias("of_good")(good())

    result = work.to_job().execute_in_process(instance=instance, raise_on_error=False)
    assert (result.success, ran()) == (False, ["good", "use"])


# -- Ctrl-C ---------------------------------------------------------------------------------------


def interrupts(x):
    if not world.get("calm"):
        signal.raise_signal(signal.SIGINT)
        world["ran"].append("went on")
    return x


def terminates(x):
    if not world.get("calm"):
        signal.raise_signal(signal.SIGTERM)
        world["ran"].append("went on")
    return x


def hangs_up(x):
    if not world.get("calm"):
        signal.raise_signal(signal.SIGHUP)
        world["ran"].append("went on")
    return x


async def interrupts_async(x):
    await asyncio.sleep(0)
    if not world.get("calm"):
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)
    return x


def swallows(x):
    with contextlib.suppress(KeyboardInterrupt):
        interrupts(x)
    return x


@pytest.fixture
def with_terminal():
    """Where tests run under `nohup` nothing hears that the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("with_terminal")
@pytest.mark.parametrize("body", [interrupts, terminates, hangs_up, interrupts_async])
def test_a_signal_in_the_middle_of_an_op(instance, body):
    """Ctrl-C, SIGTERM or a closed terminal interrupts the op that runs, the run ends CANCELED, and a resume runs that
    op again."""
    defs = between(body)
    outcome = materialize(defs, instance=instance)
    assert (outcome.status, ran()) == (RunStatus.CANCELED, ["before"])
    assert [f.step for f in facts(instance, outcome.run_id, StepInterrupted)] == [1]
    assert len(facts(instance, outcome.run_id, CancelRequested)) == 1
    assert instance.record.run(outcome.run_id).status is RunStatus.CANCELED
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    world["calm"] = True
    again = resume(defs, outcome.run_id, instance=instance)
    assert (again.status, again.resumed, ran()) == (RunStatus.SUCCESS, "new", ["after"])


def test_a_signal_that_an_op_swallows(instance):
    """An op that catches the interruption keeps its value; nothing starts after it."""
    outcome = materialize(between(swallows), instance=instance)
    assert (outcome.status, ran()) == (RunStatus.CANCELED, ["before"])
    assert [f.step for f in facts(instance, outcome.run_id, StepSucceeded)] == [0, 1]


def test_a_signal_that_the_last_op_swallows(instance):
    """Where nothing was left to start either, the run ends CANCELED; what the op gave is kept, and a resume succeeds
    with it: no step runs."""

    @asset
    def only():
        return swallows(1)

    defs = Definitions(assets=[only])
    outcome = materialize(defs, instance=instance)
    assert (outcome.status, outcome.canceled_by) == (RunStatus.CANCELED, "SIGINT")
    assert [f.step for f in facts(instance, outcome.run_id, StepSucceeded)] == [0]
    assert load_asset_value(defs, "only", instance=instance) == 1
    again = resume(defs, outcome.run_id, instance=instance)
    assert again.success
    assert not facts(instance, again.run_id, StepStarted)


def test_a_signal_that_an_op_of_a_fan_out_swallows(instance):
    """In a fan-out too nothing starts after it: neither the op's next value nor the generator goes on."""

    @op(out=DynamicOut())
    def values():
        for i in range(3):
            world["ran"].append(f"value {i}")
            yield DynamicOutput(i, str(i))

    @op
    def swallowing(x):
        return swallows(x)

    @graph_asset
    def table():
        return values().map(swallowing).collect()

    outcome = materialize(Definitions(assets=[table]), instance=instance)
    assert (outcome.status, ran()) == (RunStatus.CANCELED, ["value 0"])


@pytest.mark.parametrize(
    ("when", "status", "names"),
    [
        (lambda f: isinstance(f, StepSucceeded) and f.step == 0, RunStatus.CANCELED, ["before"]),
        (lambda f: isinstance(f, StepStarted) and f.step == 0, RunStatus.CANCELED, []),
        (lambda f: isinstance(f, RunEnded), RunStatus.SUCCESS, ["before", "after"]),
    ],
)
def test_a_signal_between_ops(instance, when, status, names):
    """A signal that comes while facts are recorded waits for that, then cancels; after the end it changes nothing."""

    def listen(_seq, fact):
        if when(fact) and not world.get("sent"):
            world["sent"] = True
            signal.raise_signal(signal.SIGINT)

    defs = between(lambda x: x)
    outcome = materialize(defs, instance=instance, listeners=[listen])
    assert (outcome.status, ran()) == (status, names)
    if status is RunStatus.CANCELED:
        assert resume(defs, outcome.run_id, instance=instance).success


def test_a_signal_while_an_output_is_recorded(instance):
    """A signal that comes while a yielded asset is recorded finds it whole: recorded once, and then the run ends."""

    @multi_asset(outs={"first": AssetOut(), "second": AssetOut()})
    def pair():
        yield Output(1, "first")
        world["ran"].append("went on")
        yield Output(2, "second")

    def listen(_seq, fact):
        if isinstance(fact, OutputStored):
            signal.raise_signal(signal.SIGINT)

    defs = Definitions(assets=[pair])
    outcome = materialize(defs, instance=instance, listeners=[listen])
    assert (outcome.status, ran()) == (RunStatus.CANCELED, [])
    assert [f.stored.output for f in facts(instance, outcome.run_id, OutputStored)] == ["first"]
    assert load_asset_value(defs, "first", instance=instance) == 1


# -- a full disk ----------------------------------------------------------------------------------


def in_child(work):
    """What a function returns, run in a forked child."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        try:
            os.write(write, pickle.dumps(work()))
        except BaseException as error:
            os.write(write, pickle.dumps(f"{type(error).__name__}: {error}"))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pickle.loads(pipe.read())
    os.waitpid(pid, 0)
    return answer


@multi_asset(outs={"small": AssetOut(), "wide": AssetOut()})
def fills():
    yield Output(1, "small")
    yield Output(b"w" * WIDE, "wide")


@pytest.mark.parametrize("room", [*range(100, 40_000, 1900), 50_000])
def test_a_disk_that_is_full(tmp_path, room):
    """However much room is left, a full disk is a clear error that blames no op for the record's refusal, the old
    values stay, and with room again the run goes on."""
    defs = Definitions(assets=[*between(lambda x: x).assets, fills])
    with Instance(tmp_path) as instance:
        first = materialize(defs, instance=instance)
    ran()

    def full():
        with Instance(tmp_path) as instance:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            try:
                outcome = materialize(defs, instance=instance)
                answer = outcome.status.value, outcome.error.kind if outcome.error else ""
            except UnusableRecordError as error:
                answer = "refused", str(error)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return answer

    status, text = in_child(full)
    with Instance(tmp_path) as instance:
        assert load_asset_value(defs, "wide", instance=instance, run_id=first.run_id) == b"w" * WIDE
        assert load_asset_value(defs, "wide", instance=instance) == b"w" * WIDE
        rows = instance.record.runs()
        blamed = {f.error.kind for f in facts(instance, rows[0].run_id, StepFailed)}
        if status == "refused":
            assert "cannot be used" in text
            assert "check the disk" in text
            assert blamed <= {"ValueNotWrittenError"}
        elif status == "FAILURE":
            assert blamed == {text} == {"ValueNotWrittenError"}
        else:
            assert status == "SUCCESS"
        if len(rows) == 2 and status != "SUCCESS":
            assert resume(defs, rows[0].run_id, instance=instance).success


def test_a_record_that_refuses_once(tmp_path):
    """When the record refuses an output in the middle of an op and would take the next fact, the op is not blamed: the
    run stops there, and can go on."""

    @multi_asset(outs={"first": AssetOut(), "second": AssetOut()})
    def pair():
        log = (tmp_path / "record.db-wal").stat().st_size if world.get("full") else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (log, resource.RLIM_INFINITY))
        yield Output(1, "first")
        yield Output(2, "second")

    defs = Definitions(assets=[pair])

    def once():
        def make_room(*_):
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        signal.signal(signal.SIGXFSZ, make_room)
        world["full"] = True
        with Instance(tmp_path) as instance:
            materialize(defs, instance=instance)

    assert in_child(once).startswith("UnusableRecordError: ")
    with Instance(tmp_path) as instance:
        run_id = instance.record.runs()[0].run_id
        assert facts(instance, run_id, (StepFailed, OutputStored)) == []
        outcome = resume(defs, run_id, instance=instance)
        assert (outcome.resumed, outcome.success) == ("same", True)


# -- what is said ---------------------------------------------------------------------------------


def test_what_ops_say_lands_with_their_step(instance):
    """Printing, `logging` and `context.log` are kept with the step and attempt that spoke, also where it failed."""

    @op
    def talks(context):
        print("printed")
        logging.getLogger("app").warning("logged")
        context.log.info("by context")
        return 1

    @op
    def dies(x):
        print("before it died", file=sys.stderr)
        raise ValueError

    @graph_asset
    def out_():
        return dies(talks())

    defs = Definitions(assets=[out_])
    outcome = materialize(defs, instance=instance)
    again = resume(defs, outcome.run_id, instance=instance, from_step="out_.talks")
    for run_id in (outcome.run_id, again.run_id):
        lines = [line for _, line in instance.record.logs(run_id)]
        assert [(line.step, line.attempt, line.level, line.logger, line.text) for line in lines] == [
            (0, 1, "STDOUT", "", "printed"),
            (0, 1, "WARNING", "app", "logged"),
            (0, 1, "INFO", "opgraph", "by context"),
            (1, 1, "STDERR", "", "before it died"),
        ]
        assert [line.text for _, line in instance.record.logs(run_id, step=1)] == ["before it died"]


# -- kinds of ops ---------------------------------------------------------------------------------


def test_every_kind_of_op(instance):
    """Sync, async, generator and async generator ops work together in one graph, with defaults."""

    @op
    async def one():
        await asyncio.sleep(0)
        return 1

    @op(out={"a": Out(), "b": Out()})
    def two(x):
        yield Output(x + 1, "a")
        yield Output(x + 2, "b")

    @op(out={"c": Out(), "d": Out()})
    async def three(a, b, more=10):
        yield Output(a + more, "c")
        await asyncio.sleep(0)
        yield Output(b + more, "d")

    @op
    def last(c, d):
        return [c, d]

    @graph_asset
    def out_():
        return last(*three(*two(one())))

    defs = Definitions(assets=[out_])
    assert materialize(defs, instance=instance).success
    assert load_asset_value(defs, "out_", instance=instance) == [12, 13]


@op(out={"x": Out(is_required=False), "y": Out(is_required=False), "z": Out(is_required=False)})
def maybe():
    for name in world["yields"]:
        yield Output(name, name)


@op
def use(value):
    world["ran"].append(value)
    return value


@op
def gather(values):
    world["ran"].append(values)


def test_optional_outputs_that_do_not_come(instance):
    """What needs an output that did not come is skipped, and what needs that in turn; the run succeeds."""

    @graph
    def work():
        x, y, _ = maybe()
        use.alias("second")(use.alias("first")(x))
        use.alias("third")(y)

    world["yields"] = ["y"]
    result = work.to_job().execute_in_process(instance=instance)
    assert (result.success, ran()) == (True, ["y"])
    skipped = facts(instance, result.run_id, StepSkipped)
    assert [(f.output, f.blocked) for f in skipped] == [("x", False), ("result", False)]


@pytest.mark.parametrize(("yields", "seen"), [("xyz", [["x", "y", "z"]]), ("z", [["z"]]), ("", [])])
def test_a_list_with_gaps(instance, yields, seen):
    """A list of outputs holds those that came, in order; where none came, what needs the list is skipped."""

    @graph
    def work():
        x, y, z = maybe()
        gather([x, y, z])

    world["yields"] = list(yields)
    assert work.to_job().execute_in_process(instance=instance).success
    assert ran() == seen


def test_nothing_orders(instance):
    """A `Nothing` input passes no value and makes its op wait; a failure upstream blocks it."""

    @op(out=Out(Nothing))
    def setup():
        world["ran"].append("setup")
        if world.get("fail"):
            raise ValueError

    @op(ins={"ready": In(Nothing)})
    def work_():
        world["ran"].append("work")

    @graph
    def work():
        work_(ready=setup())

    assert work.to_job().execute_in_process(instance=instance).success
    assert ran() == ["setup", "work"]
    world["fail"] = True
    result = work.to_job().execute_in_process(instance=instance, raise_on_error=False)
    assert (result.success, ran()) == (False, ["setup"])


# -- assets that nobody asked for -----------------------------------------------------------------


def split_asset(*, required):
    @op(out={"one": Out(is_required=required), "two": Out()})
    def both(context):
        world["selected"] = set(context.selected_output_names)
        yield Output(1, "one")
        yield Output(2, "two")

    @op
    def finish(x):
        return x + 1

    @graph_multi_asset(outs={"one": AssetOut(), "three": AssetOut()}, can_subset=True)
    def pair():
        one, two = both()
        return {"one": one, "three": finish(two)}

    return Definitions(assets=[pair])


@pytest.mark.parametrize("required", [True, False])
def test_policy_materialize(instance, required):
    """By default an asset that comes unasked is stored and recorded, marked as not asked for."""
    defs = split_asset(required=required)
    outcome = materialize(defs, "three", instance=instance)
    assert (outcome.status, world["selected"]) == (RunStatus.SUCCESS, {"two"})
    latest = instance.record.latest(["one", "three"])
    assert {key: made.stored.asked for key, made in latest.items()} == {"one": False, "three": True}
    assert load_asset_value(defs, "one", instance=instance) == 1


@pytest.mark.parametrize("required", [True, False])
def test_policy_discard(instance, required):
    """Under `discard` it is neither stored nor recorded, also when the run is resumed."""
    defs = split_asset(required=required)
    outcome = materialize(defs, "three", instance=instance, policy="discard")
    assert outcome.success
    assert instance.record.assets() == ["three"]
    assert len(files(instance)) == 1
    resume(defs, outcome.run_id, instance=instance, from_step="pair.both")
    assert instance.record.assets() == ["three"]


def test_policy_error(instance):
    """Under `error` a plan that is certain to make it is refused; where it may come and does, its step fails before
    anything of it is stored."""
    with pytest.raises(InvalidSubsetError, match="would also materialize `one`"):
        materialize(split_asset(required=True), "three", instance=instance, policy="error")
    assert instance.record.runs() == []
    outcome = materialize(split_asset(required=False), "three", instance=instance, policy="error")
    assert (outcome.status, outcome.failed_step) == (RunStatus.FAILURE, "pair.both")
    assert "not selected, and the policy for unselected assets is `error`" in outcome.error.message
    assert (instance.record.assets(), files(instance)) == ([], [])
