"""A run of thirty ops whose driver is killed at its writes, under each executor, and resumed (R1, R3)."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from seam import Seam, in_child

from opgraph import Definitions, graph_asset, op
from opgraph.events import RunStatus, StepStarted, StepSucceeded
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.plan.model import decode_plan
from opgraph.run.instance import Instance

SOAK = bool(os.environ.get("OPGRAPH_SOAK"))
STRIDE = 1 if SOAK else 40
WIDE = 40_000  # bytes: kept in a file
HERE: dict[str, Path] = {}


def ran(name):
    with (HERE["folder"] / "ran").open("a") as file:
        file.write(name + "\n")


@op
def begin():
    ran("begin")
    return 1


def stage(number):
    @op(name=f"stage_{number}")
    def made(x):
        ran(f"stage_{number}")
        return bytes([number]) * WIDE if number % 7 == 0 else len(x) if isinstance(x, bytes) else x + number

    return made


STAGES = [stage(number) for number in range(28)]


@op
def conclude(xs):
    ran("conclude")
    return [x if isinstance(x, int) else len(x) for x in xs]


@graph_asset
def tall():
    ends, first = [], begin()
    for branch in range(4):  # four chains of seven
        x = first
        for number in range(7):
            x = STAGES[branch * 7 + number](x)
        ends.append(x)
    return conclude(ends)


DEFS = Definitions(assets=[tall])


def whole(folder, executor):
    """The run, whole; its value."""
    HERE["folder"] = folder
    folder.mkdir()
    with Instance(folder / "home") as instance:
        assert materialize(DEFS, instance=instance, executor=executor).success
        return load_asset_value(DEFS, "tall", instance=instance)


def killed(folder, at, how, executor):
    """Whether the driver died at its n-th write. At -1 it lives, and its writes are noted."""

    def work():
        seam = Seam(folder / "home", at, how)
        seam.install()
        with Instance(folder / "home") as instance:
            materialize(DEFS, instance=instance, executor=executor)
        if at < 0:
            (folder / "points").write_text(json.dumps(seam.points))

    return os.WIFSIGNALED(in_child(folder, work))


def values_of(instance, row):
    steps = decode_plan(row.plan).steps
    return {
        steps[fact.step].key: instance.intermediates.get(stored, instance.record.value(row.run_id, seq))
        for seq, fact in instance.record.facts(row.run_id)
        if isinstance(fact, StepSucceeded)
        for stored in fact.outputs
    }


def counts(folder):
    file = folder / "ran"
    return Counter(file.read_text().split()) if file.exists() else Counter()


@pytest.mark.figure("R1")
@pytest.mark.figure("R3")
@pytest.mark.timeout(3600 if SOAK else 110)
@pytest.mark.parametrize("executor", ["in_process", "threads", "async", "processes"])
def test_a_driver_killed_at_its_writes_is_followed(tmp_path, counted, executor):
    """Whatever is recorded is there and whole; the next process resumes the run under its id and runs what is left."""
    expected = whole(tmp_path / "whole", executor)
    HERE["folder"] = tmp_path / "dry"
    HERE["folder"].mkdir()
    assert not killed(HERE["folder"], -1, "before", executor)
    points = json.loads((HERE["folder"] / "points").read_text())
    died = 0
    for at in range(STRIDE - 1, len(points), STRIDE):
        hows = ["before", "after" if points[at].startswith("os.") else 900]
        for how in (*hows, 0.5) if points[at] == "os.write" else hows:
            folder = HERE["folder"] = tmp_path / f"{at} {how}"
            folder.mkdir()
            died += killed(folder, at, how, executor)
            check(folder, executor, expected)
            shutil.rmtree(folder)
    assert died
    counted(died)


@pytest.mark.parametrize("point", ["os.open", "os.mkdir", "os.write", "sql commit"])
def test_a_point_of_another_kind_kills_too(tmp_path, point):
    """Threads write in another order each time: where half a write was to get through, whatever comes dies there."""
    HERE["folder"] = tmp_path
    assert not killed(tmp_path, -1, "before", "in_process")
    at = json.loads((tmp_path / "points").read_text()).index(point)
    HERE["folder"] = tmp_path / "again"
    HERE["folder"].mkdir()
    assert killed(HERE["folder"], at, 0.5, "in_process")


def check(folder, executor, expected):
    with Instance(folder / "home") as instance:
        rows = instance.record.runs()
        if not rows:
            assert not counts(folder)
            return
        row = instance.record.run(rows[0].run_id)
        before, ran_before = values_of(instance, row), counts(folder)
        facts = [fact for _, fact in instance.record.facts(row.run_id)]
        ended = {fact.step for fact in facts if isinstance(fact, StepSucceeded)}
        under_way = {fact.step for fact in facts if isinstance(fact, StepStarted)} - ended
        if not row.status.is_final:
            outcome = resume(DEFS, row.run_id, instance=instance, executor=executor)
            assert (outcome.resumed, outcome.status) == ("same", RunStatus.SUCCESS)
        assert instance.record.run(row.run_id).status is RunStatus.SUCCESS
        again = counts(folder) - ran_before
        steps = decode_plan(row.plan).steps
        assert set(again) == {step.op for step in steps if step.key not in before}
        extra = {name for name, number in counts(folder).items() if number > 1}
        assert extra <= {steps[number].op for number in under_way}
        assert load_asset_value(DEFS, "tall", instance=instance) == expected
        assert len(values_of(instance, row)) == 30
