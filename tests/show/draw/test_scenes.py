"""What is drawn of assets, graphs, plans and runs: which nodes, and which edges between them."""

import pytest

from opgraph import (
    AssetOut,
    AssetSpec,
    Definitions,
    DynamicOut,
    DynamicOutput,
    In,
    Nothing,
    Out,
    asset,
    graph,
    graph_asset,
    graph_multi_asset,
    materialize,
    op,
)
from opgraph.keys import AssetKey
from opgraph.operate import planning
from opgraph.operate.inspect import folded
from opgraph.resolve.project import Project
from opgraph.run.instance import Instance
from opgraph.show.draw.assets import asset_scene, graph_scene
from opgraph.show.draw.opened import EVERYTHING, Arrows, Below
from opgraph.show.draw.runs import run_scene


@asset(group_name="raw")
def orders():
    """All orders.

    More of them.
    """
    return [3, 1]


@op(out=DynamicOut())
def split(rows):
    for i, row in enumerate(rows):
        yield DynamicOutput(row, mapping_key=str(i))


@op
def double(row):
    return row * 2


@op
def check(row):
    return row


@op
def add(rows):
    return sum(rows)


@graph
def clean(row):
    return check(double(row))


@graph_asset(group_name="reports")
def totals(orders):
    return add(split(orders).map(clean).collect())


@op(out={"low": Out(), "high": Out()})
def bound(total):
    return total - 1, total + 1


@op
def rounded(value):
    return value


@graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()}, can_subset=True, group_name="reports")
def bounds(totals):
    low, high = bound(totals)
    return {"low": rounded(low), "high": high}


@asset(deps=["low", AssetSpec("elsewhere")], group_name="reports")
def report(high):
    return high


defs = Definitions(assets=[orders, totals, bounds, report])


def _scene(**how):
    return asset_scene(Project(defs).graph, **how)


def _edges(scene, kind=None):
    return {(e.source, e.target) for e in scene.edges if kind in (None, e.kind)}


def _node(scene, id):
    return next(node for node in scene.nodes if node.id == id)


def test_assets_shut():
    """Assets are nodes in the boxes of their groups; a graph's ops are a number on a badge; `deps` only order."""
    scene = _scene()
    assert _edges(scene, "value") == {
        ("asset:orders", "asset:totals"),
        ("asset:totals", "asset:low"),
        ("asset:totals", "asset:high"),
        ("asset:high", "asset:report"),
    }
    assert _edges(scene, "order") == {("asset:low", "asset:report"), ("asset:elsewhere", "asset:report")}
    totals = _node(scene, "asset:totals")
    assert (totals.parent, totals.badge, totals.opens, totals.ref) == ("group:reports", "4 ops", True, "totals")
    assert _node(scene, "asset:orders").title == "orders\nAll orders."
    assert _node(scene, "asset:elsewhere").kind == "external"
    assert _node(scene, "group:reports").badge == "4 assets"


def test_an_asset_opened():
    """An opened asset is a box around its ops; what it takes and gives leads to and from the very ops."""
    scene = _scene(opened={"asset:totals"})
    assert ("asset:orders", "op:totals.split") in _edges(scene)
    assert ("op:totals.add", "asset:low") in _edges(scene)
    nested = _node(scene, "graph:totals.clean")
    assert (nested.parent, nested.badge, nested.mapped, nested.opens) == ("asset:totals", "2 ops", True, True)
    assert _edges(scene, "map") == {("op:totals.split", "graph:totals.clean")}
    assert _edges(scene, "collect") == {("graph:totals.clean", "op:totals.add")}


def test_opened_to_the_bottom():
    """With what is nested opened too, edges lead to the ops inside, and mapped ops say so."""
    scene = _scene(opened=Below(["asset:totals"]))
    assert _edges(scene, "map") == {("op:totals.split", "op:totals.clean.double")}
    assert ("op:totals.clean.double", "op:totals.clean.check") in _edges(scene, "value")
    assert _node(scene, "op:totals.clean.check").parent == "graph:totals.clean"
    assert _node(scene, "op:totals.clean.check").mapped
    assert _node(scene, "op:totals.split").badge == "fan-out"
    assert not _node(scene, "op:totals.add").mapped


def test_several_assets_of_one_graph():
    """A graph of several assets opens into one box, with the assets behind the ops that make them."""
    scene = _scene(opened={"asset:low"})
    assert {node.id for node in scene.nodes if node.parent == "unit:bounds"} == {
        "op:bounds.bound", "op:bounds.rounded", "asset:low", "asset:high",
    }  # fmt: skip
    assert {("op:bounds.rounded", "asset:low"), ("op:bounds.bound", "asset:high")} <= _edges(scene)
    assert ("asset:high", "asset:report") in _edges(scene)


def test_a_selection_shows_its_part():
    """Only the assets asked for are shown, and of an opened graph the ops that they need."""
    scene = _scene(keys=[AssetKey("high")], opened=EVERYTHING)
    assert [node.id for node in scene.nodes] == ["unit:bounds", "op:bounds.bound", "asset:high"]


def test_a_folded_group_is_one_node():
    """A folded group stands for its assets: edges lead to it, and none is left within it."""
    scene = _scene(folded={"group:reports"}, opened=EVERYTHING)
    assert _edges(scene) == {("asset:orders", "group:reports"), ("asset:elsewhere", "group:reports")}


def test_a_graph_by_itself():
    """A graph has nodes for its inputs and outputs, and inputs that only order are told apart."""

    @op(ins={"after": In(Nothing)})
    def last(value):
        return value

    @graph
    def outer(rows, value):
        return last(value, after=add(rows))

    scene = graph_scene(outer)
    assert _edges(scene, "order") == {("op:add", "op:last")}
    assert _edges(scene, "value") == {("in:rows", "op:add"), ("in:value", "op:last"), ("op:last", "out:result")}


def test_a_plan_tells_what_is_to_be_done():
    """Each op of a plan has its decision, a graph what all its ops have, and stored assets are where they are read."""
    with Instance() as instance:
        plan = planning.plan(defs, "low", instance=instance)
    scene = run_scene(plan)
    assert _node(scene, "op:bounds.bound").state == "run"
    assert _node(scene, "unit:bounds").state == "run"
    assert _node(scene, "stored:totals").detail == "not stored"
    assert ("stored:totals", "op:bounds.bound") in _edges(scene)


def test_a_run_tells_what_became_of_it():
    """Of a run each op tells how it ended, a fan-out how many of it, and a graph what is worst in it."""

    @op
    def fails(total):
        raise ValueError("too little")

    @graph_asset
    def sums(orders):
        return fails(add(split(orders).map(clean).collect()))

    with Instance() as instance:
        result = materialize([orders, sums], instance=instance, raise_on_error=False)
        scene = run_scene(result.plan, folded(instance.record, result.run_id, result.plan))
        shut = run_scene(result.plan, folded(instance.record, result.run_id, result.plan), opened=())
    assert _node(scene, "op:sums.clean.double").detail == "2 done"
    failed = _node(scene, "op:sums.fails")
    assert failed.state == "failed"
    assert failed.detail.startswith("failed · ")
    assert "too little" in failed.title
    assert (_node(scene, "graph:sums.clean").state, _node(scene, "unit:sums").state) == ("succeeded", "failed")
    assert [(node.id, node.parent, node.state) for node in shut.nodes] == [
        ("group:raw", None, ""),
        ("unit:orders", "group:raw", "succeeded"),
        ("unit:sums", None, "failed"),
    ]
    assert _edges(shut) == {("unit:orders", "unit:sums")}


def test_a_run_counts_the_values_of_a_fan_out():
    """What flows into a nested fan-out is told by its values, not by the steps that yielded them; a fan-out of none
    says so."""

    @op(out=DynamicOut())
    def yields(rows):
        yield from (DynamicOutput(n, f"k{n}") for n in range(rows))

    @op
    def nothing():
        return 0

    @graph_asset
    def nested(orders):
        found = split(orders).map(lambda row: yields.alias("inner")(row).map(clean).collect()).collect()
        return add.alias("both")([found, yields(nothing()).map(clean.alias("idle")).collect()])

    with Instance() as instance:
        result = materialize([orders, nested], instance=instance, raise_on_error=False)
        scene = run_scene(result.plan, folded(instance.record, result.run_id, result.plan))
    said = {(edge.source, edge.target): edge.said for edge in scene.edges}
    assert "\u00d7 4" in said["op:nested.inner", "op:nested.clean.double"]
    assert "\u00d7 2" in said["op:nested.split", "op:nested.inner"]
    assert "no values" in said["op:nested.yields", "op:nested.idle.double"]
    assert _node(scene, "op:nested.idle.double").detail == "no values"


def test_what_a_plan_loads_stands_in_its_group():
    """Assets that a run makes and those that it loads lie in the boxes of their groups; where there is only one group
    there are no boxes."""
    with Instance() as instance:
        both, one = (planning.plan(defs, wanted, instance=instance) for wanted in ("totals", "low"))
    scene = run_scene(both)
    assert _node(scene, "group:raw").badge == _node(scene, "group:reports").badge == "1 asset"
    assert (_node(scene, "stored:orders").parent, _node(scene, "unit:totals").parent) == ("group:raw", "group:reports")
    assert _node(scene, "op:totals.add").parent == "unit:totals"
    assert [node.id for node in run_scene(one).nodes if node.kind == "group"] == []


@pytest.mark.parametrize("opened", [(), EVERYTHING, {"asset:totals"}, {"asset:high"}])
def test_every_end_of_an_edge_is_there(opened):
    """Whatever is opened, parents and both ends of every edge are among the nodes, and no id is there twice."""
    scene = _scene(opened=opened)
    ids = [node.id for node in scene.nodes]
    assert len(set(ids)) == len(ids)
    named = {end for e in scene.edges for end in (e.source, e.target)}
    assert named | {node.parent for node in scene.nodes if node.parent} <= set(ids)


def test_a_line_is_named_where_its_name_tells_more_than_its_ends():
    """A named output is named; an input only where its op has others; neither where more than three lines at one box
    would say the same, nor where the name stands on a box around an end. Names that find no room are counted."""
    arrows = Arrows()
    arrows.add("op:a", "op:only", "x", gives="result")
    arrows.add("op:split", "op:named", "x", gives="complete")
    for output in ("complete", "incomplete"):
        arrows.add("op:split", "op:both", output, gives=output)
    arrows.add("op:graph.last", "op:two", "graph", gives="result")
    arrows.add("op:a", "op:two", "left", gives="result")
    arrows.add("op:b", "op:two", "right")
    for i in range(4):
        arrows.add(f"op:from{i}", "op:many", "xs", gives="result")
        arrows.add("op:hub", f"op:to{i}", "x", gives="table")
    arrows.add("op:b", "op:many", "other", gives="result")
    labels = {(edge.source[3:], edge.target[3:]): edge.label for edge in arrows.edges() if edge.label}
    assert labels == {
        ("split", "named"): "complete", ("split", "both"): "2 values",
        ("a", "two"): "left", ("b", "two"): "right", ("b", "many"): "other",
    }  # fmt: skip
