"""What `materialize` and `execute_in_process` return."""

import pytest

from opgraph import (
    AssetOut,
    Failure,
    In,
    Instance,
    Nothing,
    Out,
    Output,
    RunStatus,
    asset,
    graph,
    graph_asset,
    graph_multi_asset,
    job,
    materialize,
    op,
)
from opgraph.run.report.event import NoSuchEvent
from opgraph.run.results import NoOutput, NoSuchNode, NoSuchOutput, NotThatAsset


@op
def seven():
    return 7


@op
def double(x):
    return 2 * x


@op
def fail(x):
    raise ValueError(f"no {x}")


@op(out={"a": Out(is_required=False), "b": Out(is_required=False)})
def either():
    yield Output(1, "a")


@graph
def quadruple(x):
    return double(double(x))


@job
def mixed():
    a, b = either()
    double(a)
    double.alias("skipped")(b)
    double.alias("behind")(fail(seven()))


@pytest.fixture(scope="module")
def result():
    return mixed.execute_in_process(raise_on_error=False)


def test_it_says_how_the_run_and_each_node_ended(result):
    """Success, failed steps and skipped ones; behind a failed step nothing was touched."""
    assert not result.success
    assert result.run.status is RunStatus.FAILURE
    assert result.run_id == result.dagster_run.run_id
    assert result.get_failed_step_keys() == {"fail"}
    assert {e.step_key for e in result.get_step_success_events()} == {"either", "double", "seven"}
    assert [e.step_key for e in result.get_step_skipped_events()] == ["skipped"]
    assert [e.step_key for e in result.get_step_failure_events()] == ["fail"]
    assert result.is_node_success("double")
    assert result.is_node_failed("fail")
    assert result.is_node_skipped("skipped")
    assert result.is_node_untouched("behind")
    assert not result.is_node_skipped("behind")


def test_it_says_why_it_failed(result):
    """The failed node has the user's error; the run points to the first failed step."""
    error = result.failure_data_for_node("fail").error
    assert (error.cls_name, error.message.strip()) == ("ValueError", "ValueError: no 7")
    assert "test_results.py" in error.to_string()
    assert result.failure_data_for_node("seven") is None
    assert result.run_failure_data.first_step_failure_event.step_key == "fail"
    assert result.get_run_failure_event().is_run_failure
    with pytest.raises(NoSuchEvent, match="RUN_SUCCESS"):
        result.get_run_success_event()


def test_events_can_be_filtered_and_looked_up(result):
    """Events come in order, by node, or by a function of the caller's."""
    assert result.all_events[0].event_type_value == "PIPELINE_START"
    assert all(event.is_step_event for event in result.all_node_events)
    assert {e.step_key for e in result.filter_events(lambda e: e.is_step_start)} == {
        "either",
        "double",
        "seven",
        "fail",
    }
    assert [e.event_type.name for e in result.events_for_node("seven")] == [
        "STEP_START", "STEP_OUTPUT", "HANDLED_OUTPUT", "STEP_SUCCESS",
    ]  # fmt: skip


def test_values_are_there_by_node_and_output(result):
    """An op's outputs can be had by name, also where another step failed."""
    assert result.output_for_node("seven") == 7
    assert result.output_for_node("either", "a") == 1


@pytest.mark.parametrize(
    ("node", "output", "error", "said"),
    [
        ("either", "b", NoOutput, "did not yield it"),
        ("either", "c", NoSuchOutput, "it has `a`, `b`"),
        ("fail", "result", NoOutput, "the step failed"),
        ("skipped", "result", NoOutput, "an optional output that it needs did not come"),
        ("behind", "result", NoOutput, "a step that it needs failed"),
        ("sevne", "result", NoSuchNode, "Did you mean `seven`"),
        ("seven.inner", "result", NoSuchNode, "`mixed` has no op named `seven.inner`"),
    ],
)
def test_a_value_that_is_not_there_is_explained(result, node, output, error, said):
    """The error says whether node, output or value is missing, and why."""
    with pytest.raises(error, match=said):
        result.output_for_node(node, output)


def test_a_graphs_output_is_that_of_the_op_inside():
    """Nested nodes are named by path; a graph's name gives what it returns; the job's output is its graph's."""

    @job
    def nested():
        return quadruple(seven())

    found = nested.execute_in_process()
    assert found.output_for_node("quadruple.double") == 14
    assert found.output_for_node("quadruple") == 28
    assert found.output_value() == 28
    assert {e.step_key for e in found.events_for_node("quadruple")} == {"quadruple.double", "quadruple.double_2"}
    assert found.get_run_success_event().is_job_success
    with pytest.raises(NoSuchOutput, match="top-level output 'other' of graph `nested`"):
        found.output_value("other")


def test_a_deliberate_failure_keeps_what_it_said():
    """A `Failure`'s description and metadata are with the failed node."""

    @job
    def stops():
        @op
        def stop():
            raise Failure("empty", metadata={"path": "in.csv"})

        stop()

    data = stops.execute_in_process(raise_on_error=False).failure_data_for_node("stop")
    assert data.user_failure_data.description == "empty"
    assert data.user_failure_data.metadata["path"].value == "in.csv"


def test_a_nothing_output_has_the_value_none():
    """An output that only orders can be asked for, and is None."""

    @op(out=Out(Nothing))
    def first():
        pass

    @op(ins={"start": In(Nothing)})
    def second():
        return 2

    @job
    def ordered():
        second(start=first())

    found = ordered.execute_in_process()
    assert found.output_for_node("first") is None
    assert found.output_for_node("second") == 2


@asset
def one():
    return Output(1, metadata={"rows": 3})


@graph_asset
def four(one):
    return quadruple(one)


def test_assets_have_values_and_materializations():
    """An asset's value can be had by key or by node; its materialization carries its metadata."""
    found = materialize([one, four])
    assert (found.asset_value("one"), found.asset_value("four")) == (1, 4)
    assert (found.output_for_node("four"), found.output_for_node("four.quadruple.double")) == (4, 2)
    (made,) = found.asset_materializations_for_node("one")
    assert made.metadata["rows"].value == 3
    assert [m.asset_key.text for m in found.asset_materializations_for_node("four")] == ["four"]
    assert {e.asset_key.text for e in found.get_asset_materialization_planned_events()} == {"one", "four"}
    assert len(found.get_asset_materialization_events()) == 2
    assert found.get_asset_observation_events() == []
    assert found.besides == []
    with pytest.raises(NotThatAsset, match="Did you mean `four`"):
        found.asset_value("fuor")
    with pytest.raises(NoSuchOutput):
        found.output_value()


@op(out={"a": Out(), "b": Out()})
def both():
    return 1, 2


@graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()}, can_subset=True)
def pair():
    a, b = both()
    return {"a": a, "b": b}


def test_what_came_besides_is_named():
    """An asset that was made though nobody selected it is in `besides`, with the op that made it."""
    found = materialize([pair], selection="a")
    assert [(each.asset, each.step, each.certain) for each in found.besides] == [("b", "pair.both", True)]
    assert found.asset_value("b") == 2
    assert [besides.asset for besides in found.plan.besides] == ["b"]


def test_what_is_not_in_the_run_is_said_to_be_so():
    """The node of an asset that was not selected exists, and has no value in this run."""
    instance = Instance.ephemeral()
    materialize([one, four], instance=instance)
    found = materialize([one, four], selection="one", instance=instance)
    with pytest.raises(NoOutput, match="not part of this run"):
        found.output_for_node("four")


def test_the_instance_has_the_same_events():
    """What the result tells, the instance tells later, from what it recorded."""
    instance = Instance.ephemeral()
    found = materialize([one, four], instance=instance)
    later = instance.all_logs(found.run_id)
    assert [(r.event_type, r.step_key) for r in later] == [(e.event_type, e.step_key) for e in found.all_events]
