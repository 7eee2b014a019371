"""Levels of a unit's assets: in how many parts an op has to run that stands on both sides of others."""

import opgraph as dg
from opgraph.keys import AssetKey
from opgraph.plan.split import between, levels
from opgraph.resolve.assets import AssetGraph


def asset(name, *upstream):
    @dg.asset(name=name, ins={each: dg.AssetIn(each) for each in upstream})
    def it(**values): ...

    return it


def unit_of(deps):
    """A multi-asset; for each of its assets what it depends on."""
    own = set(deps)
    ins = {each for upstream in deps.values() for each in upstream} - own

    @dg.multi_asset(
        name="work",
        outs={name: dg.AssetOut(is_required=False) for name in deps},
        ins={each: dg.AssetIn(each) for each in sorted(ins)},
        internal_asset_deps={name: {AssetKey(each) for each in upstream} for name, upstream in deps.items()},
        can_subset=True,
    )
    def work(**values): ...

    return work


def told(deps, *others, select=""):
    graph = AssetGraph([unit_of(deps), *others], [])
    unit = graph.units[0]
    selected = {AssetKey(name) for name in select.split()} or set(graph.nodes)
    parts = levels(graph, unit, selected)
    return [[key.text for key in part] for part in parts], [key.text for key in between(graph, parts, unit)]


def test_one_part_where_no_path_leaves_and_comes_back():
    """Assets that depend on one another inside, and on others that do not come from them, are one part."""
    assert told({"a": [], "b": ["a"], "c": ["x"]}, asset("x")) == ([["a", "b", "c"]], [])


def test_a_path_that_leaves_and_comes_back_is_a_level():
    """Each return from outside is one level more; an asset on the inside stays at the level of what it is made from."""
    assert told({"a": [], "b": ["x"], "c": ["b"], "d": ["y"]}, asset("x", "a"), asset("y", "c")) == (
        [["a"], ["b", "c"], ["d"]],
        ["x", "y"],
    )


def test_the_longest_way_counts():
    """Of several paths the one with most returns counts, and a long way outside is one return."""
    others = [asset("x", "a"), asset("far", "x"), asset("y", "b", "far")]
    assert told({"a": [], "b": ["far"], "c": ["x", "y"]}, *others)[0] == [["a"], ["b"], ["c"]]


def test_what_is_not_selected_separates_nothing():
    """An asset between that is not part of the run is loaded, so it separates nothing."""
    deps, others = {"a": [], "b": ["x"], "c": ["y"]}, [asset("x", "a"), asset("y", "b")]
    assert told(deps, *others, select="a b c y")[0] == [["a", "b"], ["c"]]
    assert told(deps, *others, select="a b c")[0] == [["a", "b", "c"]]


def test_parts_keep_the_order_of_declaration():
    """In each part the assets stand as they were declared."""
    assert told({"c": ["x"], "b": ["x"], "a": []}, asset("x", "a"))[0] == [["a"], ["c", "b"]]
