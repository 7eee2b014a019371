"""What an op can ask of its context."""

import logging

import pytest

from opgraph.declare.ops.op import op
from opgraph.declare.ops.outputs import Out
from opgraph.declare.project.job import job
from opgraph.errors import InvariantViolationError, NotYetSupportedError
from opgraph.keys import AssetKey
from opgraph.run import mistakes
from opgraph.run.call.build_contexts import build_asset_context, build_op_context
from opgraph.run.call.context import (
    AssetExecutionContext,
    AssetSide,
    OpExecutionContext,
    Resources,
    RunSide,
)
from opgraph.run.captured import Captured
from opgraph.values.problems import UnpartitionedError

A, B, UP = AssetKey("a"), AssetKey("x/b"), AssetKey("up")


@op(out={"a": Out(), "b": Out()})
def two(up):
    return up, up


@op
def one():
    return 1


SIDE = RunSide(
    run_id="r1", job_name="job", tags={"t": "1"}, resources=Resources({"db": 5}), instance="the instance", run="the run"
)
ASSETS = AssetSide(frozenset({A, B}), frozenset({A}), {"a": A, "b": B}, {"up": UP})


def test_members_of_a_run():
    """A context says which run, job, step and attempt it is, and gives tags and resources."""
    context = OpExecutionContext(two, SIDE, "g.two", 4, 3, frozenset({"a"}), is_subset=True, config={"c": 1})
    assert (context.run_id, context.job_name, context.run, context.instance) == ("r1", "job", "the run", "the instance")
    assert (context.op_def, context.op_handle, context.step_key, context.retry_number) == (two, "g.two", "g.two", 2)
    assert (context.selected_output_names, context.is_subset, context.op_config) == ({"a"}, True, {"c": 1})
    assert (context.resources.db, context.has_tag("t"), context.get_tag("t"), context.get_tag("u")) == (
        5,
        True,
        "1",
        None,
    )
    assert (context.has_assets_def, context.selected_asset_keys) == (False, frozenset())
    assert OpExecutionContext(two, SIDE).selected_output_names == {"a", "b"}


def test_assets():
    """A context of an asset's op knows the keys of its inputs and outputs, and those selected."""
    context = AssetExecutionContext(two, SIDE, assets=ASSETS)
    assert context.asset_keys == {A, B}
    assert context.selected_asset_keys == {A}
    assert (context.asset_key_for_output("b"), context.asset_key_for_input("up")) == (B, UP)
    assert context.output_for_asset_key(B) == "b"
    assert context.op_execution_context is context
    with pytest.raises(mistakes.WhichAsset, match="`a`, `x/b`"):
        _ = context.asset_key
    with pytest.raises(mistakes.WhichAsset, match="`up` is no asset"):
        context.output_for_asset_key(UP)
    with pytest.raises(mistakes.UnknownOutput):
        context.asset_key_for_output("c")
    single = AssetExecutionContext(one, SIDE, assets=AssetSide(frozenset({A}), frozenset({A}), {"result": A}, {}))
    assert (single.asset_key, single.asset_key_for_output()) == (A, A)


@pytest.mark.parametrize("member", ["asset_key", "asset_keys", "assets_def"])
def test_no_assets(member):
    """Asking an op of no asset for its asset is an error that names the member."""
    with pytest.raises(mistakes.NoAssets, match=f"`context.{member}`"):
        getattr(OpExecutionContext(one, SIDE), member)


def test_partitions():
    """In a run without a partition, has_partition_key is false and the partition's members are errors of their own."""
    context = OpExecutionContext(one, SIDE)
    assert not context.has_partition_key
    assert not context.has_partitions
    for member in ("partition_key", "partition_time_window", "asset_partition_key_for_output"):
        with pytest.raises(UnpartitionedError, match=member):
            getattr(context, member)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = context.nonsense


def test_resources():
    """An unknown resource is an error that lists what there is, and an AttributeError for hasattr."""
    context = build_op_context(resources={"warehouse": 1})
    assert context.resources.warehouse == 1
    assert not hasattr(context.resources, "other")
    with pytest.raises(mistakes.ResourceNotGiven, match="did you mean `warehouse`"):
        _ = context.resources.warehous


def test_log():
    """In a run, log lines go to the step; in a direct call to the standard logging."""
    said = Captured()
    OpExecutionContext(one, RunSide(said=said), "one", 7, 2).log.info("hello %s", "you")
    (line,) = said.drain()
    assert (line.step, line.attempt, line.level, line.text) == (7, 2, "INFO", "hello you")
    assert isinstance(build_op_context().log, logging.Logger)


def test_metadata():
    """Metadata is gathered by output; for an asset it goes to the asset's output; mistakes are named."""
    context = AssetExecutionContext(two, SIDE, assets=ASSETS)
    context.add_output_metadata({"x": 1}, output_name="a")
    context.add_output_metadata({"y": 2}, "a")
    context.add_asset_metadata({"z": 3}, "x/b")
    assert context.added_metadata == {"a": {"x": 1, "y": 2}, "b": {"z": 3}}
    assert context.get_output_metadata("a") == {"x": 1, "y": 2}
    with pytest.raises(mistakes.MetadataForWhich, match="`a`, `b`"):
        context.add_output_metadata({})
    with pytest.raises(mistakes.UnknownOutput):
        context.add_output_metadata({}, "c")
    with pytest.raises(mistakes.WhichAsset):
        context.add_asset_metadata({"z": 3}, "other")
    with pytest.raises(mistakes.WhichAsset):
        context.add_asset_metadata({"z": 3})


def test_contexts_for_tests():
    """Built contexts have the id EPHEMERAL, and what was given; what only a run has is an error that says so."""
    context = build_op_context(run_tags={"a": "b"}, instance=3, selected_output_names=["x"], op_config=4)
    assert (context.run_id, context.run_tags, context.instance, context.op_config) == ("EPHEMERAL", {"a": "b"}, 3, 4)
    assert (context.selected_output_names, context.is_subset) == ({"x"}, True)
    assert isinstance(build_asset_context(), AssetExecutionContext)
    assert build_op_context().instance.get_runs() == []
    for member in ("run", "job_def", "op_def"):
        with pytest.raises(InvariantViolationError, match=f"`context.{member}` was read"):
            getattr(build_asset_context(), member)
    with pytest.raises(NotYetSupportedError, match="partition_key"):
        build_op_context(partition_key="2013")


def test_log_event():
    """What log_event is given is kept for the driver, in order."""
    context = OpExecutionContext(one, SIDE)
    context.log_event("first")
    context.log_event("second")
    assert [event for _, event in context.reported] == ["first", "second"]


def test_what_only_runs_have():
    """A context made by hand refuses what a run has, and has the mapping key that it was given."""
    context = build_op_context(mapping_key="a")
    assert context.get_mapping_key() == "a"
    for member in ("job_name", "assets_def", "op_def", "run"):
        with pytest.raises(mistakes.NotInTests):
            getattr(context, member)


def test_an_op_sees_the_configuration_of_the_whole_run():
    """`context.run_config` is what the run was given; a direct call has none, and says so."""
    seen = []

    @op(config_schema={"strict": bool})
    def look(context):
        seen.append(context.run_config)

    @job
    def nightly():
        look()

    given = {"ops": {"look": {"config": {"strict": True}}}}
    assert nightly.execute_in_process(run_config=given).success
    assert seen == [given]
    with pytest.raises(InvariantViolationError):
        look(build_op_context(op_config={"strict": True}))
