"""What is made from what, as data."""

import pytest

from opgraph import AssetOut, AssetSpec, Definitions, asset, graph, graph_asset, graph_multi_asset, multi_asset, op
from opgraph.operate import lineage
from opgraph.resolve.mistakes import UnknownSelected
from opgraph.resolve.project import resolve


@asset(group_name="raw", kinds={"csv"}, owners=["team:x"])
def orders(outside):
    """All orders."""


@asset
def prices(): ...


@op
def clean(rows): ...


@op
def total(rows, prices): ...


@graph
def inner(rows):
    return clean(clean(rows))


@graph_asset
def revenue(orders, prices):
    return total(inner(orders), prices)


@op
def low(x): ...


@op
def high(x): ...


@graph_multi_asset(outs={"least": AssetOut(), "most": AssetOut()}, can_subset=True)
def bounds(revenue):
    return {"least": low(revenue), "most": high(revenue)}


@multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
def pair(): ...


@pytest.fixture(scope="module")
def assets():
    return resolve(Definitions([orders, prices, revenue, bounds, pair, AssetSpec("outside")])).graph


def around(assets, name, **options):
    return lineage.lineage(assets, lineage.asset_key(assets, name), **options)


def test_an_asset_as_it_is_declared(assets):
    """The summary has what was declared, what makes the asset, and its neighbours."""
    key = lineage.asset_key(assets, "orders")
    found = lineage.summary(assets, key)
    assert (found.kind, found.group, found.kinds, found.owners) == ("asset", "raw", ("csv",), ("team:x",))
    assert (found.description, found.upstream, found.downstream) == ("All orders.", ("outside",), ("revenue",))
    assert found.source.startswith(f"{__file__}:")


@pytest.mark.parametrize(
    ("name", "kind", "ops"),
    [
        ("outside", "external", 0),
        ("prices", "asset", 1),
        ("a", "multi_asset", 1),
        ("revenue", "graph", 3),
        ("most", "graph", 2),
    ],
)
def test_kinds(assets, name, kind, ops):
    """What makes an asset: nothing here, a function, a function that makes several, a graph."""
    found = lineage.summary(assets, lineage.asset_key(assets, name))
    assert (found.kind, found.ops) == (kind, ops)


def test_both_ways_as_rows(assets):
    """Each way is a tree of rows, nearest first, each followed by what is below it."""
    found = around(assets, "revenue")
    assert [(row.asset, row.depth) for row in found.upstream] == [("orders", 0), ("outside", 1), ("prices", 0)]
    assert [(row.asset, row.depth) for row in found.downstream] == [("least", 0), ("most", 0)]


def test_the_ops_inside_a_graph(assets):
    """An asset of a graph has the ops that it needs, by path, with what each takes."""
    ops = around(assets, "revenue").ops
    assert [(each.path, each.takes) for each in ops] == [
        ("inner.clean", ("asset:orders",)),
        ("inner.clean_2", ("inner.clean",)),
        ("total", ("inner.clean_2", "asset:prices")),
    ]
    assert [each.op for each in around(assets, "most").ops] == ["high"]
    assert around(assets, "prices").ops == ()


def test_depth(assets):
    """The depth says how many assets to follow."""
    assert [row.asset for row in around(assets, "revenue", depth=1).upstream] == ["orders", "prices"]
    assert around(assets, "revenue", depth=0).upstream == ()


def test_what_comes_twice_is_opened_once():
    """An asset that is reached in two ways has what is below it the first time only."""

    @asset
    def root(): ...

    @asset
    def base(root): ...

    @asset
    def left(base): ...

    @asset
    def right(base): ...

    @asset
    def top(left, right): ...

    assets = resolve(Definitions([root, base, left, right, top])).graph
    rows = around(assets, "top").upstream
    assert [(row.asset, row.again) for row in rows] == [
        ("left", False), ("base", False), ("root", False), ("right", False), ("base", True),
    ]  # fmt: skip


def test_a_chain_of_thousands():
    """Depth is no limit."""

    def link(i):
        @asset(name=f"a{i}", deps=[f"a{i - 1}"] if i else [])
        def one(): ...

        return one

    assets = resolve(Definitions([link(i) for i in range(3000)])).graph
    assert around(assets, "a2999").upstream[-1].depth == 2998


def test_an_unknown_asset(assets):
    """A near miss is named."""
    with pytest.raises(UnknownSelected, match="revenue"):
        lineage.asset_key(assets, "revenu")
