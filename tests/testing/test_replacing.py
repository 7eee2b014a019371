"""Definitions with some of their ops replaced."""

import pytest

from opgraph import Config, In, Nothing, Out, asset, graph, graph_asset, job, op
from opgraph.testing import replace_ops, run
from opgraph.testing.replacing import FakeTakesOther, GraphReplaced, NoSuchOp


@op
def download():
    raise AssertionError("the network was asked")


@op(required_resource_keys={"rates"})
def convert(context, rows):
    return [row * context.resources.rates for row in rows]


@op
def add(rows, n: int = 1):
    return [row + n for row in rows]


@op(ins={"after": In(Nothing)})
def total():
    return 1


@graph
def inner(rows):
    return add(convert(rows))


@graph
def outer(rows):
    return add.alias("last")(inner(rows), 10)


@graph_asset
def revenue():
    return outer(download())


def test_one_graph_asset_with_some_ops_replaced():
    """The replaced ops, at any depth, give what their functions give; the others run as they are."""
    faked = replace_ops(revenue, {"download": lambda: [1], "outer.inner.convert": lambda rows: [r * 5 for r in rows]})
    result = run(faked)
    assert result.asset_value("revenue") == [16]
    assert result.output_for_node("revenue.outer.inner.convert") == [5]


def test_the_definition_stays_as_it_is():
    """What was given is not changed: definitions are shared by tests."""
    replace_ops(revenue, {"download": lambda: [1]})
    with pytest.raises(AssertionError, match="the network was asked"):
        run(revenue, resources={"rates": 1})


def test_direct_calls_of_what_was_replaced():
    """The copy is called directly like the original."""
    faked = replace_ops(outer, {"inner.convert": lambda rows: rows})
    assert faked.execute_in_process(input_values={"rows": [1]}).output_value() == [12]
    assert replace_ops(revenue, {"download": lambda: [2], "outer.inner.convert": lambda rows: rows})() == [13]


def test_a_fake_with_a_context_or_an_op():
    """A fake may take a context first, be an op with resources of its own, and be async."""

    @op(required_resource_keys={"other"})
    def fake(context, rows):
        return [context.resources.other, 0]

    async def one(context):
        context.log.info("asked")
        return [1]

    faked = replace_ops(revenue, {"download": one, "outer.inner.convert": fake})
    assert run(faked, resources={"other": 7}).asset_value("revenue") == [18, 11]


def test_unread_inputs():
    """A fake takes `**_` for inputs that it does not read; what feeds them still runs."""
    faked = replace_ops(revenue, {"download": lambda: [1], "outer.inner.convert": lambda **_: [0]})
    assert run(faked).asset_value("revenue") == [11]


def test_plain_assets_and_jobs():
    """The one op of an asset, and an op of a job, can be replaced too."""

    @asset(key_prefix="raw")
    def table():
        raise AssertionError

    @job
    def nightly():
        total(after=download())

    assert run(replace_ops(table, {"table": lambda: 3})).asset_value("raw/table") == 3
    done = replace_ops(nightly, {"download": lambda: None, "total": lambda: 5}).execute_in_process()
    assert done.output_for_node("total") == 5


class Limit(Config):
    most: int


def test_config():
    """What is configured for an op may be read by its fake, and need not be."""

    @op
    def limited(rows, config: Limit):
        return rows[: config.most]

    @graph_asset(config={"limited": {"config": {"most": 2}}})
    def few(rows):
        return limited(rows)

    def doubled(rows, config: Limit):
        return rows * config.most

    assert run(replace_ops(few, {"limited": lambda rows: rows}), given={"rows": [1, 2, 3]}).asset_value("few") == [
        1,
        2,
        3,
    ]
    assert run(replace_ops(few, {"limited": doubled}), given={"rows": [1]}).asset_value("few") == [1, 1]


def test_several_outputs():
    """The outputs are the op's own: a fake of an op that yields returns or yields the same ones."""

    @op(out={"low": Out(), "high": Out()})
    def split(rows):
        return [], []

    @graph_asset
    def top(rows):
        low, high = split(rows)
        return add(high)

    faked = replace_ops(top, {"split": lambda rows: ([1], [5])})
    assert run(faked, given={"rows": []}).asset_value("top") == [6]


def test_mistakes():
    """A path without an op, a graph's path and a fake with other parameters are errors that say what there is."""
    with pytest.raises(NoSuchOp, match=r"no op `outer.inner.conver` to replace. Did you mean `outer.inner.convert`"):
        replace_ops(revenue, {"outer.inner.conver": lambda rows: rows})
    with pytest.raises(NoSuchOp, match="its ops are download, outer.inner.convert, outer.inner.add, outer.last"):
        replace_ops(revenue, {"download.more": lambda rows: rows})
    with pytest.raises(GraphReplaced, match=r"replace `outer.inner.convert`, `outer.inner.add`"):
        replace_ops(revenue, {"outer.inner": lambda rows: rows})
    with pytest.raises(FakeTakesOther, match=r"`outer.inner.add` takes row; the op has the inputs rows, n"):
        replace_ops(revenue, {"outer.inner.add": lambda row: row})

    @asset
    def table():
        return 1

    with pytest.raises(NoSuchOp, match="its ops are table"):
        replace_ops(table, {"tabel": lambda: 2})
