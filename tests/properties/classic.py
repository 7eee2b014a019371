"""The example that everyone meets first: three ops, two assets, and a value that only one of the two needs."""

from __future__ import annotations

from program_tree import Call, Graph, GraphAsset, Input, Op, Port, Program, Ref


def classic(foo_gives_both: bool = False) -> Program:
    """`bar` returns bar_1 and bar_2; foo(bar_1) gives foo_1, the foo_asset, and foo_2; baz(foo_2, bar_2) is baz_asset.

    `foo` gives each output only when it is asked for, or, with `foo_gives_both`, always both.
    """
    bar = Op("bar", (), (Port("bar_1"), Port("bar_2")), returns=True)
    foo = Op("foo", (Input("bar_1"),), (Port("foo_1", False, "selected"), Port("foo_2", False, "selected")))
    if foo_gives_both:
        foo = Op("foo", foo.inputs, (Port("foo_1"), Port("foo_2")), returns=True)
    baz = Op("baz", (Input("foo_2"), Input("bar_2")), (Port("result"),), returns=True)
    calls = (
        Call("bar", bar, ()),
        Call("foo", foo, (("bar_1", (Ref("bar", "bar_1"),)),)),
        Call("baz", baz, (("foo_2", (Ref("foo", "foo_2"),)), ("bar_2", (Ref("bar", "bar_2"),)))),
    )
    returns = (("foo_asset", Ref("foo", "foo_1")), ("baz_asset", Ref("baz", "result")))
    graph = Graph("my_graph", (), calls, returns)
    keys = (("foo_asset", ("foo_asset",)), ("baz_asset", ("baz_asset",)))
    return Program((GraphAsset(graph, (), keys, "from_graph"),))


FOO, BAZ = ("foo_asset",), ("baz_asset",)
