"""Runs killed before, after and in the middle of everything they write, and resumed (R1, R3)."""

import json
import os
import shutil
import signal
from collections import Counter

import pytest
from report import DEFS, HERE, OPS, counts, expected, values_of
from seam import Seam, in_child

from opgraph.events import RunStatus, StepStarted, StepSucceeded
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.run.instance import Instance


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


@pytest.mark.figure("R1")
@pytest.mark.figure("R3")
def test_a_run_killed_at_every_write_is_resumed(folders, counted):
    """Dagster #17403: killed before, after or within any write, a run loses no recorded value, shows no torn one, and
    is resumed under its id, running only what had not ended."""
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
    counted(died.total())


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


@pytest.mark.figure("R1")
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


@pytest.mark.figure("R5")
def test_what_a_dead_process_held_is_seen_at_once(folders):
    """Dagster #15325, #16535: a killed run shows as unheld to the next process that looks, and no fact comes after its
    death (R5, R7)."""
    folder = folders()
    assert killed(folder, 40, "before")
    with Instance(folder / "home") as instance:
        run_id = instance.record.runs()[0].run_id
        facts = instance.record.facts(run_id)
        assert not instance.record.alive(run_id)
        assert instance.record.facts(run_id) == facts
