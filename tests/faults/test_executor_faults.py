"""Drivers that are killed, runs that are cancelled, ops that end badly: under every executor (R7, R13, R14)."""

import contextlib
import os
import random
import signal
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import pytest

from opgraph import AssetOut, Definitions, graph_asset, graph_multi_asset, op
from opgraph.events import RunStatus, StepFailed, StepStarted, StepSucceeded
from opgraph.operate import execute
from opgraph.operate.cancel import RunIsOver, cancel
from opgraph.operate.execute import resume
from opgraph.run.instance import Instance

EXECUTORS = ("in_process", "threads", "async", "processes")
SOAK = bool(os.environ.get("OPGRAPH_SOAK"))
MOMENTS = 200 if SOAK else 20  # under each executor a quarter of them
pytestmark = pytest.mark.timeout(110)


@op
def first():
    return 1


@op
def nap(x):
    time.sleep(0.02)
    return x


@op
def total(xs):
    return sum(xs)


@graph_asset
def napping():
    x = first()
    return total([nap(nap(x)) for _ in range(10)])


NAPPING = Definitions(assets=[napping])


def children_of(pid):
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def in_a_child(work):
    """A forked process that does some work. Returns its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    return pid


def started(record, run_id):
    return sum(isinstance(fact, StepStarted) for _, fact in record.facts(run_id))


@pytest.mark.figure("R7")
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("after", range(1, 21) if SOAK else [2, 5, 12])
def test_a_killed_driver_takes_its_workers_along_and_the_run_is_resumed(tmp_path, counted, after):
    """Dagster #4308, #20444, #21476: no child lives two seconds later, nothing is written after the death, and only
    what did not end runs again."""
    home = tmp_path / "home"

    def work():
        with Instance(home) as own:
            execute.materialize(NAPPING, instance=own, executor="processes")

    pid = in_a_child(work)
    with Instance(home) as instance:
        patience = time.monotonic() + 20
        while not (runs := instance.record.runs()) or started(instance.record, runs[0].run_id) < after:
            assert time.monotonic() < patience
            time.sleep(0.002)
        while not (workers := children_of(pid)):  # the first step's start is recorded before its worker is made
            assert time.monotonic() < patience
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        run_id = runs[0].run_id
        written = len(instance.record.facts(run_id))
        patience = time.monotonic() + 2
        while not all(map(gone, workers)):
            assert time.monotonic() < patience
            time.sleep(0.01)
        assert len(instance.record.facts(run_id)) == written
        done = {fact.step for _, fact in instance.record.facts(run_id) if isinstance(fact, StepSucceeded)}
        outcome = resume(NAPPING, run_id, instance=instance, executor="processes")
        assert outcome.success
        assert outcome.resumed == "same"
        again = {f.step for seq, f in instance.record.facts(run_id) if seq > written and isinstance(f, StepStarted)}
        assert not again & done
    counted(1)


@pytest.mark.figure("R13")
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_run_cancelled_at_any_moment_ends_and_is_resumed(tmp_path, counted, executor):
    """It ends CANCELED within two seconds, or had ended already; a resume completes it."""
    chance = random.Random(executor)
    for moment in range(MOMENTS // len(EXECUTORS)):
        with Instance(tmp_path / str(moment)) as instance:
            asked = [0.0]

            def stop(instance=instance, asked=asked, pause=chance.uniform(0, 0.3)):
                patience = time.monotonic() + 10
                while not (runs := instance.record.runs()) or runs[0].status not in (
                    RunStatus.STARTED,
                    RunStatus.SUCCESS,
                ):
                    assert time.monotonic() < patience
                    time.sleep(0.001)
                time.sleep(pause)
                asked[0] = time.monotonic()
                with contextlib.suppress(RunIsOver):
                    cancel(instance, runs[0].run_id, wait=5)

            thread = threading.Thread(target=stop)
            thread.start()
            outcome = execute.materialize(NAPPING, instance=instance, executor=executor)
            ended = time.monotonic()
            thread.join()
            assert outcome.status in (RunStatus.CANCELED, RunStatus.SUCCESS)
            if outcome.status is RunStatus.CANCELED:
                assert ended - asked[0] < 2
                assert resume(NAPPING, outcome.run_id, instance=instance, executor=executor).success
    counted(MOMENTS // len(EXECUTORS))


# -- twenty bad ops ---------------------------------------------------------------------------------


class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class NotLoadable:
    def __reduce__(self):
        return int, ("not a number",)


def deep(x):
    return deep(x)


def nested(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


def raises(error):
    raise error


async def never():
    raise SystemExit(2)


def thread_then_fail():
    threading.Thread(target=time.sleep, args=(0.01,)).start()
    raise RuntimeError("beside a thread")


def close_streams():
    sys.stdout.close() if False else None
    sys.stdout = None
    raise RuntimeError("no stdout")


def chdir_gone(tmp=[]):
    raise OSError(2, "No such file", "nowhere")


def lock():
    return threading.Lock()


def abort():
    os.abort()


BAD = {
    "raises": lambda: raises(ValueError("x")),
    "no text": lambda: raises(NoText()),
    "sys.exit": lambda: sys.exit(1),
    "exit 0": lambda: sys.exit(0),
    "recursion": lambda: deep(1),
    "assertion": lambda: raises(AssertionError()),
    "generator exit": lambda: raises(GeneratorExit()),
    "stop iteration": lambda: raises(StopIteration(1)),
    "memory": lambda: raises(MemoryError()),
    "base exception": lambda: raises(BaseException("base")),
    "group": lambda: raises(ExceptionGroup("two", [ValueError(1), KeyError(2)])),
    "lock": lock,
    "lambda": lambda: lambda: 1,
    "generator inside": lambda: [iter(()), (i for i in ())],
    "deep value": lambda: nested(100_000),
    "async exit": never,
    "thread": thread_then_fail,
    "os error": chdir_gone,
    "wrong tuple": lambda: raises(TypeError("nothing")),
    "unicode": lambda: raises(ValueError("\ud800")),
}
assert len(BAD) == 20
DEADLY = {
    "os._exit": lambda: os._exit(1),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "abort": abort,
}


def with_bad(bodies):
    """One asset of each body, and a good one."""
    ops = [op(name=f"bad_{i}")(body) for i, body in enumerate(bodies)]

    @graph_multi_asset(outs={**{f"a{i}": AssetOut() for i in range(len(ops))}, "good": AssetOut()})
    def everything():
        return {**{f"a{i}": each() for i, each in enumerate(ops)}, "good": total([first(), first()])}

    return Definitions(assets=[everything])


@pytest.mark.parametrize("executor", EXECUTORS)
def test_twenty_bad_ops_fail_and_nothing_else_does(tmp_path, executor):
    """Each has its own failure, the good op succeeds, no file is left behind, and the run has ended."""
    with Instance(tmp_path / "home") as instance:
        outcome = execute.materialize(with_bad(BAD.values()), instance=instance, executor=executor)
        failed = [fact for _, fact in instance.record.facts(outcome.run_id) if isinstance(fact, StepFailed)]
        assert outcome.status is RunStatus.FAILURE
        assert instance.record.run(outcome.run_id).status is RunStatus.FAILURE
        assert len({fact.step for fact in failed}) == 20
        assert "good" in instance.record.latest(["good"])
        files = [path for path in (tmp_path / "home" / "values").rglob("*") if path.is_file()]
        assert len(files) == 1


def test_deadly_ops_fail_alone_in_processes(tmp_path):
    """Each takes its worker along and nothing else."""
    with Instance(tmp_path / "home") as instance:
        outcome = execute.materialize(with_bad([*DEADLY.values()] * 2), instance=instance, executor="processes")
        failed = [fact for _, fact in instance.record.facts(outcome.run_id) if isinstance(fact, StepFailed)]
        assert [fact.error.kind for fact in failed] == ["WorkerDied"] * 6
        assert "good" in instance.record.latest(["good"])


def test_ctrl_c_with_workers_ends_cancelled(tmp_path):
    """A SIGINT to the driver: CANCELED, with every start answered; then a resume completes it."""
    home = tmp_path / "home"

    def work():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with Instance(home) as own:
            execute.materialize(NAPPING, instance=own, executor="processes")

    pid = in_a_child(work)
    with Instance(home) as instance:
        patience = time.monotonic() + 20
        while not (runs := instance.record.runs()) or started(instance.record, runs[0].run_id) < 4:
            assert time.monotonic() < patience
            time.sleep(0.002)
        os.kill(pid, signal.SIGINT)
        os.waitpid(pid, 0)
        row = instance.record.run(runs[0].run_id)
        assert row.status is RunStatus.CANCELED
        assert resume(NAPPING, row.run_id, instance=instance, executor="threads").success
