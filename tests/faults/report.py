"""A run of five ops that make one asset, of which every version is known: what the tests kill, starve and resume."""

from collections import Counter
from pathlib import Path

from opgraph import Definitions, graph_asset, op
from opgraph.events import StepSucceeded
from opgraph.plan.model import decode_plan

HERE: dict[str, Path] = {}  # the folder of the run: its home, the version to make, and who ran
WIDE = 80_000  # bytes: half of it is still more than is kept inline


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
