"""Assertions on plans."""

import pytest

from opgraph import AssetOut, Definitions, Instance, Out, Output, asset, define_asset_job, graph_multi_asset, op
from opgraph.testing import assert_plan, run
from opgraph.testing.plans import WrongPlan


@asset
def rows():
    return [1, 20]


@op(out={"low": Out(is_required=False), "high": Out(is_required=False)})
def split(rows):
    yield Output([row for row in rows if row < 10], "low")
    yield Output([row for row in rows if row >= 10], "high")


@op(required_resource_keys={"broken"})
def summed(context, part):
    if context.resources.broken:
        raise ValueError("broken")
    return sum(part)


@graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()}, can_subset=True)
def parts(rows):
    low, high = split(rows)
    return {"low": summed.alias("low_sum")(low), "high": high}


defs = Definitions(assets=[rows, parts], jobs=[define_asset_job("lows", "low")], resources={"broken": False})


def test_what_a_subset_does():
    """A test says all of what a plan runs, materializes and makes besides, and that nothing else does."""
    assert_plan(defs, "low", given={"rows": []}).runs("parts.split", "parts.low_sum").materializes("low").besides(
        "high"
    )
    assert_plan(defs, "low").loads_unrecorded("rows")
    assert_plan(defs).materializes("rows", "low", "high").besides().reuses()
    assert_plan(defs, job="lows").materializes("low")
    assert_plan(defs, given={"rows": []}).materializes("low", "high").loads_unrecorded()


def test_the_message_shows_the_plan():
    """What differs is named, and the plan's tree stands below it."""
    with pytest.raises(WrongPlan) as found:
        assert_plan(defs, "low", given={"rows": []}).runs("parts.split", "parts.high_sum")
    assert found.value.missing == ("parts.high_sum",)
    assert found.value.extra == ("parts.low_sum",)
    text = str(found.value)
    assert text.startswith("the plan runs something else:\n  not in the plan: parts.high_sum\n")
    assert "  not expected:    parts.low_sum" in text
    assert "● low_sum" in text
    assert "high may also be materialized" in text


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (lambda plan: plan.materializes("high"), "materializes"),
        (lambda plan: plan.besides(), "makes besides"),
        (lambda plan: plan.reuses("parts.split"), "reuses"),
        (lambda plan: plan.loads_unrecorded(), "loads"),
    ],
)
def test_each_assertion_can_fail(said, what):
    """Each kind of assertion fails where the plan does otherwise."""
    with pytest.raises(WrongPlan, match=f"the plan {what}"):
        said(assert_plan(defs, "low"))


def test_resuming():
    """What resuming a failed run reuses and runs can be asserted."""
    instance = Instance.ephemeral()
    failed = run(defs, resources={"broken": True}, instance=instance, raise_on_error=False)
    plan = assert_plan(defs, instance=instance, resume=failed.run_id)
    plan.reuses("rows", "parts.split").runs("parts.low_sum").materializes("low")
