"""Ops that do to their process what ops should not, under each executor (R14)."""

import ctypes
import faulthandler
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import pytest

from opgraph import Definitions, graph_asset, op
from opgraph.events import RunStatus, StepFailed, StepSucceeded
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.run.instance import Instance

SOAK = bool(os.environ.get("OPGRAPH_SOAK"))
EXECUTORS = ("in_process", "threads", "async", "processes")
DEADLINE = 20  # seconds that any of these runs may take
HOME = {"folder": None, "good": False}


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Holding(Exception):
    def __init__(self):
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def raises(error):
    raise error


def crashes():
    faulthandler.disable()
    ctypes.string_at(0)


def aborts():
    faulthandler.disable()
    os.abort()


def unpicklable():
    return threading.Lock()


def recurses(n):
    return recurses(n + 1)


def speaks():
    for _ in range(100 if SOAK else 12):
        print("x" * 1_000_000)
    os.write(1, b"y" * 100_000)
    raise RuntimeError("said it all")


def closes_streams():
    sys.stdout.close()
    os.close(1)
    os.close(2)
    raise RuntimeError("speechless")


def leaves_its_folder():
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    Path(folder).rmdir()
    raise RuntimeError("nowhere")


def takes_signals():
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
    raise RuntimeError("deaf")


def leaves_threads():
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    threading.Thread(target=time.sleep, args=(0.05,)).start()
    raise RuntimeError("beside threads")


def leaves_a_process():
    subprocess.Popen(["sleep", "1"])
    raise RuntimeError("beside a process")


def forks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.fork() == 0:
            os._exit(0)
    raise RuntimeError("forked")


def returns_twice():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return "one of two"


def deletes_values():
    shutil.rmtree(HOME["folder"] / "values", ignore_errors=True)
    raise RuntimeError("deleted")


BAD = {
    "os._exit(0)": lambda: os._exit(0),
    "os._exit(3)": lambda: os._exit(3),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGSEGV": crashes,
    "abort": aborts,
    "sys.exit": lambda: sys.exit("bye"),
    "recursion": lambda: recurses(0),
    "memory": lambda: bytearray(1 << 62),
    "result": unpicklable,
    "exception": lambda: raises(Holding()),
    "mute": lambda: raises(Mute()),
    "base": lambda: raises(BaseException("base")),
    "interrupt": lambda: raises(KeyboardInterrupt()),
    "generator exit": lambda: raises(GeneratorExit()),
    "huge text": lambda: raises(ValueError("é" * 30_000_000)),
    "unicode": lambda: (print("\ud800\x00\x1b[31m"), raises(ValueError("\ud800\x00"))),
    "output": speaks,
    "streams": closes_streams,
    "folder": leaves_its_folder,
    "signals": takes_signals,
    "threads": leaves_threads,
    "process": leaves_a_process,
    "fork": forks,
    "values": deletes_values,
}
DEADLY = {"os._exit(0)", "os._exit(3)", "SIGKILL", "SIGSEGV", "abort"}


@op
def before():
    return "before" * 10_000


def definitions(body):
    @op(name="bad")
    def bad(x):
        return "good" if HOME["good"] else body()

    @graph_asset
    def spoiled():
        return bad(before())

    return Definitions(assets=[spoiled])


def in_child(work):
    """Runs the driver in a process of its own. Whether it died by itself; one that hangs is shown and fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(7)
    patience = time.monotonic() + DEADLINE
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > patience:
            os.kill(pid, signal.SIGABRT)  # faulthandler shows its stacks
            os.waitpid(pid, 0)
            raise AssertionError("the run hangs")
        time.sleep(0.005)


@pytest.mark.figure("R14")
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", BAD)
def test_a_bad_op_ends_its_run_and_nothing_else(tmp_path, counted, name, executor):
    """Dagster #28492: the run has a final status; where the driver itself died, the next command sees that at once.
    Nothing half-written is left, and once the op is good the run is resumed."""
    defs, home = definitions(BAD[name]), tmp_path / "home"
    HOME.update(folder=home, good=False)

    def drive():
        with Instance(home) as own:
            materialize(defs, instance=own, executor=executor)

    in_child(drive)
    with Instance(home) as instance:
        row = instance.record.runs()[0]
        facts = [fact for _, fact in instance.record.facts(row.run_id)]
        if row.status.is_final:
            assert row.status is RunStatus.FAILURE
            assert any(isinstance(fact, StepFailed) for fact in facts)
        else:
            assert name in DEADLY
            assert executor != "processes"
            assert not instance.record.alive(row.run_id)
        known = {
            stored.location
            for fact in facts
            if isinstance(fact, StepSucceeded)
            for stored in fact.outputs
            if stored.location
        }
        values = home / "values"
        found = {str(path.relative_to(values)) for path in values.rglob("*") if path.is_file()}
        assert found <= known, "no stray files"
        HOME["good"] = True
        outcome = resume(defs, row.run_id, instance=instance, executor=executor)
        assert outcome.success
        assert load_asset_value(defs, "spoiled", instance=instance) == "good"
    counted(1)


@pytest.mark.figure("R14")
@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_op_that_returns_in_two_processes_ends_once(tmp_path, executor):
    """A forked child that comes back from the op writes nothing: it is not the process that drives, or works."""
    defs, home = definitions(returns_twice), tmp_path / "home"
    HOME.update(folder=home, good=False)

    def drive():
        with Instance(home) as own:
            materialize(defs, instance=own, executor=executor)

    in_child(drive)
    with Instance(home) as instance:
        row = instance.record.runs()[0]
        ends = [fact.step for _, fact in instance.record.facts(row.run_id) if isinstance(fact, StepSucceeded)]
        assert row.status is RunStatus.SUCCESS
        assert sorted(ends) == [0, 1]
