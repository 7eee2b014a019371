"""What a run does with part of a definition, and what its materializations keep."""

import pytest

from opgraph import (
    AssetKey,
    AssetOut,
    DataVersion,
    MaterializeResult,
    Output,
    TypeCheckDidNotPass,
    asset,
    graph_multi_asset,
    materialize,
    multi_asset,
    op,
)


@op
def one():
    return 1


@op
def plus(x, y):
    return x + y


def test_a_part_of_a_definition():
    """`subset_for` gives a copy with some of the assets; the function sees the others as not selected."""
    seen = []

    @multi_asset(outs={"a": AssetOut(group_name="x"), "b": AssetOut(group_name="y")}, can_subset=True)
    def it(context):
        seen.append((context.selected_output_names, context.is_subset))
        for name in sorted(context.selected_output_names):
            yield Output(1, name)

    part = it.subset_for({"b", "elsewhere"})
    assert part.group_names_by_key == {AssetKey("b"): "y"}
    result = materialize([part])
    assert [event.asset_key.text for event in result.get_asset_materialization_events()] == ["b"]
    assert seen == [({"b"}, True)]
    assert it.subset_for({"a", "b"}) is it


def test_a_part_of_a_graph():
    """Of a graph only the ops run that the assets of the part need, and nothing else is materialized."""

    @graph_multi_asset(outs={"p": AssetOut(), "q": AssetOut()}, can_subset=True)
    def it():
        n = one()
        return {"p": plus.alias("left")(n, n), "q": plus.alias("right")(n, n)}

    result = materialize([it.subset_for({"q"})])
    assert {event.step_key for event in result.get_step_success_events()} == {"it.one", "it.right"}
    assert [event.asset_key.text for event in result.get_asset_materialization_events()] == ["q"]


def test_tags_of_a_materialization():
    """A materialization keeps the tags that were given, and a data version, also where there is no value."""

    @asset
    def stored():
        return Output(1, data_version=DataVersion("v1"), tags={"who": "ada"})

    @asset
    def made():
        return MaterializeResult(tags={"who": "ben"})

    result = materialize([stored, made])
    found = {e.asset_key.text: e.materialization.tags for e in result.get_asset_materialization_events()}
    assert found["stored"] == {"who": "ada", "dagster/data_version": "v1"}
    assert found["made"]["who"] == "ben"
    assert found["made"]["dagster/data_version"]


def test_the_type_of_an_asset():
    """`dagster_type` is the type of the value: another one fails the step."""

    @asset(dagster_type=int)
    def number():
        return "one"

    assert number.op.outs["result"].dagster_type is int
    with pytest.raises(TypeCheckDidNotPass, match="number"):
        materialize([number])
