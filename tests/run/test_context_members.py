"""What real code asks of contexts, beside outputs and assets."""

import linecache

import pytest

import opgraph as og
from opgraph.declare.metadata import InvalidMetadataError


def test_get():
    """A function that the op calls gets the op's own context; where no step is under way there is none."""
    with pytest.raises(og.InvariantViolationError, match="no step"):
        og.OpExecutionContext.get()
    seen = []

    def helper():
        seen.append(og.OpExecutionContext.get())

    @og.op
    def with_context(context):
        helper()
        assert seen[-1] is context

    @og.op
    def without():
        helper()
        assert seen[-1].op_def.name == "without"

    @og.job
    def j():
        with_context()
        without()

    assert j.execute_in_process().success


def test_load_asset_value():
    """An op loads any asset by its key; one that does not exist is a KeyError."""

    @og.asset
    def five():
        return 5

    @og.asset(deps=[five])
    def six(context: og.AssetExecutionContext):
        with pytest.raises(KeyError, match="fiev"):
            context.load_asset_value("fiev")
        return context.load_asset_value(five.key) + 1

    assert og.materialize([five, six]).asset_value("six") == 6


def test_the_kind_is_as_annotated():
    """An asset's function may ask for an op's context."""
    kinds = []

    @og.asset
    def a(context: og.OpExecutionContext):
        kinds.append(type(context))

    @og.asset
    def b(context):
        kinds.append(type(context))

    og.materialize([a, b])
    assert kinds == [og.OpExecutionContext, og.AssetExecutionContext]


def test_op_and_its_use():
    """`context.op` is the op's use in its graph, with alias and tags; a direct call has none."""

    @og.op
    def tagged(context):
        return context.op.name, context.op.tags["k"]

    @og.job
    def j():
        tagged.tag({"k": "v"}).alias("other")()

    assert j.execute_in_process().output_for_node("other") == ("other", "v")
    for member in ("op", "job_def", "step_launcher", "load_asset_value"):
        with pytest.raises(og.InvalidPropertyError):
            getattr(og.build_op_context(), member)("x")


def test_inputs_of_graph_ops():
    """In a graph's op an input that is an asset has its key, also where the same graph makes it."""
    keys = []

    @og.op
    def first(context, x):
        keys.append(context.asset_key_for_input("x"))
        return x

    @og.op
    def second(context, y):
        keys.append(context.asset_key_for_input("y"))
        return y

    @og.asset
    def raw():
        return 1

    @og.graph_multi_asset(outs={"a": og.AssetOut(), "b": og.AssetOut()})
    def both(raw):
        a = first(raw)
        return {"a": a, "b": second(a)}

    og.materialize([raw, both])
    assert [key.text for key in keys] == ["raw", "a"]


def test_observations():
    """An observation is recorded, whether it is yielded or logged."""

    @og.op(out={})
    def looks(context):
        context.log_event(og.AssetObservation("a", metadata={"rows": 1}))
        yield og.AssetObservation("b")

    @og.job
    def j():
        looks()

    found = j.execute_in_process().asset_observations_for_node("looks")
    assert sorted(each.label for each in found) == ["a", "b"]
    assert og.AssetObservation("a", metadata={"rows": 1}) in found


def test_get_logger(caplog):
    """Code without a context says things under the step that runs it."""
    og.get_logger("orders").info("hello")
    assert og.get_dagster_logger is og.get_logger
    assert "hello" in caplog.text


def test_a_fact_of_no_kind_names_the_line_that_tells_it():
    """Whatever carries it: the mistake is the line's that made it, and says the key."""

    @og.asset
    def returned():
        return og.MaterializeResult(metadata={"rows": object()})

    @og.asset
    def added(context):
        context.add_output_metadata({"rows": object()})

    for each, line in ((returned, "return og.MaterializeResult"), (added, "context.add_output_metadata")):
        with pytest.raises(InvalidMetadataError) as caught:
            og.materialize([each])
        assert line in linecache.getline(*caught.value.where)
        assert "under the key 'rows'" in caught.value.__notes__
