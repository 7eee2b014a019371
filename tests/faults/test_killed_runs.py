"""Runs killed before, after and in the middle of everything they write, and resumed (R1, R3).

The child process is interposed at the operating system's seam only: the writing functions of `os`, the statements that
SQLite announces, and the kernel's limit on file sizes, at which a write of SQLite's own stops half-way and the process
dies. Nothing of opgraph is replaced.
"""

import json
import os
import resource
import shutil
import signal
import sqlite3
import traceback
import warnings
from collections import Counter
from pathlib import Path

import pytest

from opgraph import Definitions, graph_asset, op
from opgraph.events import RunStatus, StepStarted, StepSucceeded
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.plan.model import decode_plan
from opgraph.run.instance import Instance

HERE: dict[str, Path] = {}  # the folder of the run: its home, the version to make, and who ran
WIDE = 80_000  # bytes: half of it is still more than is kept inline
UNLIMITED = resource.RLIM_INFINITY


def ran(name):
    with (HERE["folder"] / "ran").open("a") as file:
        file.write(name + "\n")


@op
def read():
    ran("read")
    return int((HERE["folder"] / "version").read_text())


@op
def widen(version):
    ran("widen")
    return bytes([version]) * WIDE


@op
def half(wide):
    ran("half")
    return wide[: WIDE // 2]


@op
def measure(part):
    ran("measure")
    return len(part), part[0]


@op
def conclude(measured):
    ran("conclude")
    return {"size": measured[0], "version": measured[1]}


@graph_asset
def report():
    return conclude(measure(half(widen(read()))))


DEFS = Definitions(assets=[report])
OPS = ("read", "widen", "half", "measure", "conclude")


def expected(version):
    return {
        "report.read": version,
        "report.widen": bytes([version]) * WIDE,
        "report.half": bytes([version]) * (WIDE // 2),
        "report.measure": (WIDE // 2, version),
        "report.conclude": {"size": WIDE // 2, "version": version},
    }


# -- the seam ---------------------------------------------------------------------------------


class Seam:
    """Numbers the write points of this process, and dies at one of them.

    Args:
        home: whose database is watched.
        at: the number of the point to die at; -1: none.
        how: `before`, `after`, or how much of a write gets through: a fraction of `os.write`'s bytes, or a number of
            bytes of what SQLite appends.
    """

    def __init__(self, home, at=-1, how="before"):
        self.database = home / "record.db"
        self.at, self.how = at, how
        self.points: list[str] = []

    def install(self):
        for name in ("open", "write", "fsync", "rename", "mkdir", "unlink", "rmdir"):
            setattr(os, name, self.watched(name, getattr(os, name)))
        connect = sqlite3.connect

        def connected(*args, **options):
            connection = connect(*args, **options)
            connection.set_trace_callback(self.statement)
            return connection

        sqlite3.connect = connected

    def watched(self, name, call):
        def function(*args, **options):
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR):
                return call(*args, **options)
            here = self.arrive(f"os.{name}")
            if here and isinstance(self.how, float):
                call(args[0], args[1][: int(len(args[1]) * self.how) or 1])
                die()
            result = call(*args, **options)
            if here:
                die()
            return result

        return function

    def statement(self, text):
        verb = text.split(None, 1)[0].lower()
        if verb == "select":
            return
        resource.setrlimit(resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        if self.arrive(f"sql {verb}"):
            self.limit(self.database.with_name("record.db-wal"), self.how)

    def closing(self):
        if self.arrive("close"):
            self.limit(self.database, self.how - self.database.stat().st_size)

    def arrive(self, point):
        """Whether this is the point at which to die later, if not at once."""
        number = len(self.points)
        self.points.append(point)
        if number == self.at and self.how == "before":
            die()
        return number == self.at

    def limit(self, path, more):
        size = path.stat().st_size if path.exists() else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + more, UNLIMITED))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(folder, work):
    """Run a function in a forked child; the status of its end. A child that raises fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of threads, of which the child uses none
        pid = os.fork()
    if not pid:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            work()
        except BaseException:
            (folder / "trouble").write_text(traceback.format_exc())
            os._exit(3)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert not (folder / "trouble").exists(), (folder / "trouble").read_text()
    return status


def run_watched(folder, seam, act):
    """What the child does: act on an instance, with all that it writes numbered."""
    seam.install()
    instance = Instance(folder / "home")
    act(instance)
    seam.closing()
    instance.close()
    if seam.at < 0:
        (folder / "points").write_text(json.dumps(seam.points))


def start(instance):
    materialize(DEFS, instance=instance)


def killed(folder, at, how, act=start):
    """Whether the child died at the point, or had nothing to write there and lived."""
    status = in_child(folder, lambda: run_watched(folder, Seam(folder / "home", at, how), act))
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGXFSZ)
        return True
    return False


def write_points(folder):
    in_child(folder, lambda: run_watched(folder, Seam(folder / "home"), start))
    return json.loads((folder / "points").read_text())


def deaths(points):
    """Every way to die at every point."""
    for at, point in enumerate(points):
        yield at, "before"
        if point == "os.write":
            yield from ((at, share) for share in (0.0, 0.3, 0.999))
        elif point in ("sql commit", "sql insert"):  # an insert commits by itself where no transaction is open
            yield from ((at, size) for size in (1, 24, 900, 24 + 2048, 24 + 2048 + 40, 9000))
        elif point == "close":  # what the log holds goes to the database file
            yield from ((at, size) for size in (1, 2048 + 7, 9 * 2048, 15 * 2048 + 100))
        if point.startswith("os."):
            yield at, "after"


# -- the tests --------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    """Makes folders whose home holds version 1 of the asset, to be made anew as version 2."""
    first = tmp_path / "first"
    (first / "home").mkdir(parents=True)
    (first / "version").write_text("1")
    HERE["folder"] = first
    with Instance(first / "home") as instance:
        materialize(DEFS, instance=instance)
    (first / "version").write_text("2")
    (first / "ran").unlink()
    number = iter(range(10_000))

    def make():
        HERE["folder"] = shutil.copytree(first, tmp_path / f"f{next(number)}")
        return HERE["folder"]

    return make


def values_of(instance, row):
    """Everything that a run has recorded, loaded and verified, by step key."""
    steps = decode_plan(row.plan).steps
    return {
        steps[fact.step].key: instance.intermediates.get(fact.outputs[0], instance.record.value(row.run_id, seq))
        for seq, fact in instance.record.facts(row.run_id)
        if isinstance(fact, StepSucceeded)
    }


def counts(folder):
    file = folder / "ran"
    return Counter(file.read_text().split()) if file.exists() else Counter()


def check_resumed(folder):
    """Resume what a killed process left behind, and check R1 and R3 on the way."""
    with Instance(folder / "home") as instance:
        rows = instance.record.runs()
        old = rows[-1]
        if len(rows) == 1:  # nothing of the new run was recorded, so there is nothing to resume
            assert load_asset_value(DEFS, "report", instance=instance) == expected(1)["report.conclude"]
            assert not counts(folder)
            start(instance)
            return
        row = instance.record.run(rows[0].run_id)
        before, ran_before = values_of(instance, row), counts(folder)
        assert before == {key: value for key, value in expected(2).items() if key in before}
        current = load_asset_value(DEFS, "report", instance=instance)
        assert current == expected(2 if "report.conclude" in before else 1)["report.conclude"]
        facts = instance.record.facts(row.run_id)
        under_way = {f.step for _, f in facts if isinstance(f, StepStarted)}
        under_way -= {f.step for _, f in facts if isinstance(f, StepSucceeded)}
        assert len(under_way) <= 1

        if not row.status.is_final:
            outcome = resume(DEFS, row.run_id, instance=instance)
            assert (outcome.run_id, outcome.resumed, outcome.status) == (row.run_id, "same", RunStatus.SUCCESS)
            assert instance.record.run(row.run_id).epoch == row.epoch + 1
        assert instance.record.run(row.run_id).status is RunStatus.SUCCESS

        again = counts(folder) - ran_before
        assert set(again) == {name for name in OPS if f"report.{name}" not in before}
        extra = {name: n - 1 for name, n in counts(folder).items() if n > 1}
        assert extra.keys() <= {OPS[step] for step in under_way}
        assert sum(extra.values()) <= len(under_way)
        assert values_of(instance, row) == expected(2)
        assert load_asset_value(DEFS, "report", instance=instance) == expected(2)["report.conclude"]
        assert load_asset_value(DEFS, "report", instance=instance, run_id=old.run_id) == expected(1)["report.conclude"]


def test_a_run_killed_at_every_write_is_resumed(folders):
    """Killed before, after or within any write, a run loses no recorded value, shows no torn one, and is resumed under
    its id, running only what had not ended."""
    points = write_points(folders())
    assert {"os.open", "os.write", "os.fsync", "os.rename", "os.mkdir", "sql insert", "sql commit", "close"} <= {
        *points
    }
    died = Counter()
    for at, how in deaths(points):
        folder = folders()
        if killed(folder, at, how):
            died[points[at], how if isinstance(how, str) else "torn"] += 1
        check_resumed(folder)
        shutil.rmtree(folder)
    assert died["os.write", "torn"] >= 9
    assert died["sql commit", "torn"] >= 10
    assert died["sql insert", "torn"] >= 10
    assert died["close", "torn"] >= 2
    assert sum(n for (_, how), n in died.items() if how == "before") == len(points)


def test_a_fresh_home_killed_at_every_write_is_usable(tmp_path):
    """Killed at any write while the database is made, the home opens and runs as if nothing had been."""

    def empty(name):
        HERE["folder"] = tmp_path / name
        (tmp_path / name).mkdir()
        (tmp_path / name / "version").write_text("2")
        return tmp_path / name

    def opening(instance):
        pass

    folder = empty("dry")
    in_child(folder, lambda: run_watched(folder, Seam(folder / "home"), opening))
    points = json.loads((folder / "points").read_text())
    assert "sql create" in points
    for number, (at, how) in enumerate(deaths(points)):
        folder = empty(str(number))
        killed(folder, at, how, opening)
        with Instance(folder / "home") as instance:
            assert materialize(DEFS, instance=instance).success
            assert load_asset_value(DEFS, "report", instance=instance) == expected(2)["report.conclude"]


@pytest.mark.parametrize("most", [36, 38, 40])
def test_a_run_whose_every_process_is_killed_ends_at_last(folders, most):
    """A run goes on from death to death, each process up to its n-th write; no ended step runs twice."""
    folder = folders()
    assert killed(folder, most, "before")

    def go_on(instance):
        resume(DEFS, instance.record.runs()[0].run_id, instance=instance)

    epochs = 1
    while killed(folder, most, "before", go_on):
        epochs += 1
        assert epochs < 12
    with Instance(folder / "home") as instance:
        rows = instance.record.runs()
        assert len(rows) == 2
        row = instance.record.run(rows[0].run_id)
        assert (row.status, row.epoch) == (RunStatus.SUCCESS, epochs + 1)
        ends = Counter(f.step for _, f in instance.record.facts(row.run_id) if isinstance(f, StepSucceeded))
        assert ends == dict.fromkeys(range(5), 1)
        assert values_of(instance, row) == expected(2)


def test_what_a_dead_process_held_is_seen_at_once(folders):
    """A killed run shows as unheld to the next process that looks, and no fact comes after its death (R5, R7)."""
    folder = folders()
    assert killed(folder, 40, "before")
    with Instance(folder / "home") as instance:
        run_id = instance.record.runs()[0].run_id
        facts = instance.record.facts(run_id)
        assert not instance.record.alive(run_id)
        assert instance.record.facts(run_id) == facts
