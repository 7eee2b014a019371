"""What a run keeps stays small, whatever its ops say (R15). Output under each executor: tests/contracts."""

import resource
import sys

import pytest

from opgraph import Definitions, Failure, MetadataValue, Output, asset
from opgraph.events import RunStatus, encode_fact
from opgraph.operate.execute import materialize
from opgraph.record.rows import RunRow
from opgraph.run.instance import Instance

EVENT = 64 * 1024  # bytes


def deep(n):
    """An exception with causes, long words, wide frames and notes."""
    try:
        if n:
            deep(n - 1)
        raise ValueError("é" * 40_000)
    except ValueError as error:
        raised = RuntimeError("é" * 40_000)
        for number in range(100):
            raised.add_note(f"{number} " + "x" * 10_000)
        raise raised from error


@asset
def fails():
    deep(30)


@asset
def fails_with_metadata():
    raise Failure("no", metadata={f"k{n}": "x" * 100_000 for n in range(50)})


@asset
def talks():
    text = {f"k{n}": MetadataValue.md("x" * 100_000) for n in range(30)}
    return Output(1, metadata={**text, "rows": 7, "json": MetadataValue.json({"all": list(range(100_000))})})


@pytest.mark.figure("R15")
def test_no_event_is_larger_than_64_kb(tmp_path, counted):
    """Long messages, causes, notes and metadata are cut, and say so; what is short beside them is kept."""
    with Instance(tmp_path) as instance:
        run_id = materialize(Definitions(assets=[fails, fails_with_metadata, talks]), instance=instance).run_id
        facts = [fact for _, fact in instance.record.facts(run_id)]
        assert max(len(encode_fact(fact)) for fact in facts) <= EVENT
        metadata = instance.record.latest(["talks"])["talks"].stored.metadata
        assert metadata["rows"].value == 7
        assert metadata["k0"].value.endswith("metadata has at most 32,000)")
        assert metadata["json"].kind == "text"
        errors = [fact.error for fact in facts if hasattr(fact, "error") and fact.error is not None]
        assert {"RuntimeError", "Failure"} <= {error.kind for error in errors}
    counted(3)


@pytest.mark.figure("R15")
@pytest.mark.skipif(sys.platform != "linux", reason="counts kilobytes")
def test_ten_thousand_queued_runs_are_light(tmp_path, counted):
    """Recorded and listed, they take less than 50 MB."""
    with Instance(tmp_path, durability="process") as instance:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        plan = b"x" * 2_000
        for number in range(10_000):
            instance.record.create(RunRow(run_id=f"r{number}", status=RunStatus.QUEUED, plan=plan, created=1.0))
        rows = instance.record.runs(status=[RunStatus.QUEUED])
        assert len(rows) == 10_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 50_000
    counted(10_000)
