"""A record in a folder where nothing can be written: it can be looked at."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import opgraph as og
from opgraph.record.refusals import ReadOnlyRecordError

_NOBODY = 65534


@og.asset
def seven() -> int:
    return 7


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that any user of the machine can be let into: pytest's own belongs to one."""
    folder = Path(tempfile.mkdtemp(prefix="opgraph-"))
    yield folder
    shutil.rmtree(folder)


@contextmanager
def unwritable(home: Path) -> Iterator[None]:
    """Nobody may write here meanwhile, and this process is somebody for whom that holds."""
    everything = [home, *home.rglob("*")]
    before = [path.stat().st_mode for path in everything]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in zip(everything, before, strict=True):
            path.chmod(mode)


def test_it_can_be_looked_at(home):
    """Runs, events, log lines and values are read as ever, nothing is made beside them, and every write is refused."""
    with og.Instance(home) as instance:
        run_id = og.materialize([seven], instance=instance).run_id
    before = sorted(home.rglob("*"))
    with unwritable(home), og.Instance(home) as instance:
        assert [run.run_id for run in instance.get_runs()] == [run_id]
        assert instance.all_logs(run_id)
        assert not instance.record.alive(run_id)
        assert og.Definitions([seven]).load_asset_value("seven", instance=instance) == 7
        with pytest.raises(ReadOnlyRecordError, match="is read-only, and this would write to it"):
            og.materialize([seven], instance=instance)
        with pytest.raises(ReadOnlyRecordError):
            instance.record.claim(run_id, pid=1, host="here", now=0.0)
        with pytest.raises(ReadOnlyRecordError), instance.record.cleaning():
            pass
    assert sorted(home.rglob("*")) == before


_DIES = """
import os, signal, sys, opgraph as og
@og.op
def first(): return 1
@og.op
def last(x): os.kill(os.getpid(), signal.SIGKILL)
@og.job
def job(): last(first())
job.execute_in_process(instance=og.Instance(sys.argv[1]))
"""


def test_what_a_killed_process_left_can_be_looked_at(home):
    """A database that was not closed has its last commits in a log beside it: they are seen too."""
    died = subprocess.run([sys.executable, "-c", _DIES, str(home)], check=False, capture_output=True)
    assert died.returncode == -signal.SIGKILL
    with unwritable(home), og.Instance(home) as instance:
        (run,) = instance.get_runs()
        assert not run.is_finished
        assert any(each.step_key == "first" for each in instance.all_logs(run.run_id))


def test_an_older_schema_is_left_alone(home):
    """A database that must be brought up to date first is refused, and says so."""
    og.Instance(home).close()
    with og.Instance(home) as instance:
        instance.record.connection.execute("pragma user_version = 1")
    with unwritable(home), pytest.raises(ReadOnlyRecordError, match="schema version 1 must be brought up to"):
        og.Instance(home)


def test_an_empty_folder_that_cannot_be_written(home):
    """Where there is no record and none can be made, the system's own reason is given."""
    with unwritable(home), pytest.raises(og.Error, match="Permission denied"):
        og.Instance(home / "new")
    with unwritable(home), pytest.raises(og.Error, match="Permission denied"):
        og.Instance(home)
