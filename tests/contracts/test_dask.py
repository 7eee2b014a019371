"""What only the executor `dask` does: several hosts, and what is wrong with a cluster."""

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dask
import pytest

from opgraph import Definitions, Output, asset, dask_executor, graph_asset, materialize, multiprocess_executor, op
from opgraph.events import StepInterrupted, StepStarted, StepSucceeded
from opgraph.operate import execute
from opgraph.run.executors.mistakes import (
    ClusterNotReached,
    CodeChanged,
    HostUnfit,
    NotSharedBetweenProcesses,
    NotShippable,
    WorkerCannotLoad,
)
from opgraph.run.instance import Instance

pytestmark = pytest.mark.timeout(100)
NET = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
lock = threading.Lock()


# -- two hosts ---------------------------------------------------------------------------------------


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def namespaces():
    """Two hosts of a network of their own, as prefixes of commands and addresses; where that is not permitted, this
    host twice."""
    names = [f"opg{os.getpid()}{letter}" for letter in "ab"]
    bridge = f"opg{os.getpid()}"
    with ExitStack() as undo:

        def later(*words):
            undo.callback(subprocess.run, ["ip", *words], check=False, capture_output=True)

        try:
            ip("link", "add", bridge, "type", "bridge")
            later("link", "del", bridge)
            ip("addr", "add", f"{NET}.1/24", "dev", bridge)
            ip("link", "set", bridge, "up")
            for number, name in enumerate(names, 11):
                ip("netns", "add", name)
                later("netns", "del", name)
                ip("link", "add", f"{name}o", "type", "veth", "peer", "name", "eth0", "netns", name)
                later("link", "del", f"{name}o")
                ip("link", "set", f"{name}o", "master", bridge, "up")
                ip("-n", name, "addr", "add", f"{NET}.{number}/24", "dev", "eth0")
                ip("-n", name, "link", "set", "eth0", "up")
                ip("-n", name, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError):
            yield [([], "127.0.0.1"), ([], "127.0.0.1")]
        else:
            yield [(["ip", "netns", "exec", name], f"{NET}.{number}") for number, name in enumerate(names, 11)]


@pytest.fixture
def two_hosts(tmp_path):
    """A Dask scheduler and a worker on one host and a worker on another, each with a working directory of its own, and
    none with the tests on its path. The scheduler's address, and the workers' processes."""
    with namespaces() as hosts, ExitStack() as undo:

        def start(number, *words):
            folder = tmp_path / f"host{number}"
            folder.mkdir(exist_ok=True)
            command = [*hosts[number][0], sys.executable, "-m", *words]
            process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
            undo.callback(process.wait)
            undo.callback(process.kill)
            return process

        port = 20_000 + os.getpid() % 20_000
        address = f"tcp://{hosts[0][1]}:{port}"
        start(0, "distributed.cli.dask_scheduler", "--host", hosts[0][1], "--port", str(port), "--no-dashboard")
        workers = [
            start(
                number,
                "distributed.cli.dask_worker",
                address,
                *("--host", hosts[number][1], "--nthreads", "2", "--no-nanny", "--no-dashboard"),
                *("--local-directory", str(tmp_path / f"scratch{number}")),
            )
            for number in (0, 1)
        ]
        import distributed

        with distributed.Client(address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=30)
        yield address, workers


class Place:
    """Where an op ran: a class of the project, which only the driver has on its disk."""

    def __init__(self, folder):
        self.folder = folder


@op
def somewhere():
    time.sleep(0.5)
    host = Path.cwd().name
    return Output(Place(host), metadata={"host": host})


@op
def places(found):
    return [each.folder for each in found]


@graph_asset
def scattered():
    return places([somewhere() for _ in range(16)])


def test_a_run_survives_the_loss_of_a_host(two_hosts, tmp_path):
    """Dagster #16013: the executor for several hosts is one to rely on. Steps run on both; those that were under way on
    the one that is stopped begin again on the other."""
    address, workers = two_hosts
    with Instance(tmp_path / "home") as instance:

        def stop_one(_seq, fact):
            if isinstance(fact, StepSucceeded) and "host1" in str(fact.outputs) and workers[1].poll() is None:
                workers[1].kill()

        outcome = execute.materialize(
            Definitions(assets=[scattered]),
            instance=instance,
            executor=dask_executor.configured({"address": address}),
            listeners=[stop_one],
        )
        assert outcome.success, outcome.error
        facts = [fact for _, fact in instance.record.facts(outcome.run_id)]
    interrupted = [fact for fact in facts if isinstance(fact, StepInterrupted)]
    assert workers[1].poll() is not None
    assert 1 <= len(interrupted) <= 2
    assert "is gone" in interrupted[0].reason
    assert sum(isinstance(fact, StepStarted) for fact in facts) == 17 + len(interrupted)
    with Instance(tmp_path / "home") as instance:
        found = Definitions(assets=[scattered]).load_asset_value("scattered", instance=instance)
    assert len(found) == 16
    assert set(found) == {"host0", "host1"}
    assert not [each for each in (tmp_path / "home" / "values").iterdir() if each.name.startswith(".")]


# -- what is wrong -----------------------------------------------------------------------------------


@asset
def one():
    return 1


def test_a_cluster_in_this_process(monkeypatch):
    """Without an address a cluster is started for the run; its ops run in other processes."""

    @op
    def pid():
        return os.getpid()

    @graph_asset
    def only():
        return pid()

    found = materialize([only], executor=dask_executor.configured({"max_concurrent": 1})).asset_value("only")
    assert found != os.getpid()


def test_an_op_may_stay_in_the_drivers_process(dask_cluster):
    """Its neighbours run on the cluster."""

    @op(tags={"opgraph/executor": "in_process"})
    def here():
        return os.getpid()

    @op
    def there(pid):
        return pid, os.getpid()

    @graph_asset
    def both():
        return there(here())

    first, second = materialize([both], executor="dask").asset_value("both")
    assert first == os.getpid() != second


def test_a_cluster_that_does_not_answer(tmp_path, monkeypatch):
    """The address is named, and the run can be resumed elsewhere."""
    monkeypatch.setattr("opgraph.run.executors.dask._PATIENCE", 0.5)
    with Instance(tmp_path) as instance:
        with pytest.raises(ClusterNotReached, match="127.0.0.1:1"):
            materialize([one], instance=instance, executor=dask_executor.configured({"address": "tcp://127.0.0.1:1"}))
        (run,) = instance.get_runs()
        assert execute.resume(Definitions(assets=[one]), run.run_id, instance=instance, executor="in_process").success


def test_what_cannot_go_to_another_host(dask_cluster):
    """The op or the resource is named."""

    @op
    def guarded():
        with here:
            return 1

    here = lock

    @graph_asset
    def only():
        return guarded()

    with pytest.raises(NotShippable, match="op `guarded`"):
        materialize([only], executor="dask")


def test_code_that_changed_while_the_run_was_on_its_way(dask_cluster, tmp_path, monkeypatch):
    """The file says something else than what the driver had loaded: the worker refuses the run."""
    file = tmp_path / "changing.py"
    file.write_text("from opgraph import asset\ndef rate():\n    return 1\n@asset\ndef a():\n    return rate()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import changing

    file.write_text(file.read_text().replace("return 1", "return 2"))
    try:
        with pytest.raises(CodeChanged, match="other code of `a`"):
            materialize([changing.a], executor="dask")
    finally:
        del sys.modules["changing"]


@pytest.mark.parametrize("executor", ["dask", multiprocess_executor.configured({"start_method": "spawn"})])
@pytest.mark.parametrize(
    ("does", "says"),
    [("raise OSError('no display')", r"OSError: no display \(.*alone\.py:4\)"), ("os._exit(7)", "code 7")],
)
def test_definitions_that_only_one_process_can_load(executor, does, says, tmp_path, monkeypatch, capfd):
    """What happened in the worker is told in one sentence, with the file and line where there is one."""
    file = tmp_path / "alone.py"
    here = f"import os\nfrom opgraph import asset\nif os.getpid() != {os.getpid()}:\n    {does}\n"
    file.write_text(here + "@asset\ndef a():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import alone

    try:
        with pytest.raises(WorkerCannotLoad, match=says), dask.config.set({"scheduler-address": None}):
            materialize([alone.a], executor=executor)
    finally:
        del sys.modules["alone"]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no such path that means another folder elsewhere")
def test_a_folder_of_values_that_is_not_shared(dask_cluster, tmp_path, monkeypatch):
    """A worker that does not see it refuses the run."""
    monkeypatch.chdir(tmp_path)
    with Instance("/proc/self/cwd/home") as instance, pytest.raises(HostUnfit, match="folder of values"):
        materialize([one], instance=instance, executor="dask")


def test_values_in_memory_are_refused():
    """They would stay where they were made."""
    from opgraph import mem_io_manager

    with pytest.raises(NotSharedBetweenProcesses, match="executor `dask`"):
        materialize([one], executor="dask", resources={"io_manager": mem_io_manager})
