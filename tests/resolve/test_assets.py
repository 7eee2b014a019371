"""The asset graph: what each asset is exactly made from, and what is wrong with the set as a whole."""

import pytest

import opgraph as dg
from opgraph.keys import AssetKey
from opgraph.resolve.assets import AssetGraph
from opgraph.resolve.mistakes import DuplicateAssetKey, DuplicateNode, UnknownUpstream


@dg.op
def one():
    return 1


@dg.op
def use(x):
    return x


@dg.op
def join(x, y):
    return x


@dg.op(out={"a": dg.Out(), "b": dg.Out()})
def two(x):
    return x, x


def graph(*assets):
    return AssetGraph(
        [each for each in assets if isinstance(each, dg.AssetsDefinition)],
        [each for each in assets if isinstance(each, dg.AssetSpec)],
    )


def parents(made):
    return {key.text: sorted(p.text for p in node.parents) for key, node in made.nodes.items()}


def outs(*names):
    return {name: dg.AssetOut() for name in names}


def plain(name, *upstream, **options):
    """An asset made from others, by parameter."""

    @dg.asset(name=name, ins={each: dg.AssetIn(each) for each in upstream}, **options)
    def it(**values): ...

    return it


def test_parents_of_each_output():
    """An asset of a graph is made from the inputs that reach it through the ops, not from the others'."""

    @dg.graph_multi_asset(outs=outs("left", "right", "both"))
    def it(u, v):
        x, y = use(u), use(v)
        return {"left": use(x), "right": use(y), "both": join(x, y)}

    assert parents(graph(plain("u"), plain("v"), it)) == {
        "u": [], "v": [], "left": ["u"], "right": ["v"], "both": ["u", "v"],
    }  # fmt: skip


def test_parents_stop_at_an_asset_on_the_way():
    """Dagster #11963: an asset that ops of the same graph take is the parent; what it is made from is not, unless it
    comes in another way too."""

    @dg.graph_multi_asset(outs=outs("first", "second", "third"))
    def it(u, v):
        first = use(u)
        return {"first": first, "second": join(first, v), "third": join(first, u)}

    assert parents(graph(plain("u"), plain("v"), it)) == {
        "u": [], "v": [], "first": ["u"], "second": ["first", "v"], "third": ["first", "u"],
    }  # fmt: skip


def test_parents_through_nested_graphs_and_lists():
    """Nesting, names of inner outputs and lists make no difference."""

    @dg.graph(out={"p": dg.GraphOut(), "q": dg.GraphOut()})
    def inner(items, z):
        a, b = two(items)
        return {"p": b, "q": use(z)}

    @dg.graph_multi_asset(outs=outs("left", "right"))
    def it(u, v, w):
        p, q = inner([u, use(v)], w)
        return {"left": p, "right": q}

    assert parents(graph(plain("u"), plain("v"), plain("w"), it))["left"] == ["u", "v"]
    assert parents(graph(plain("u"), plain("v"), plain("w"), it))["right"] == ["w"]


def test_two_outputs_of_one_op_share_its_inputs():
    """What an op takes reaches all its outputs, and its outputs do not depend on one another."""

    @dg.graph_multi_asset(outs=outs("a", "b"))
    def it(u):
        a, b = two(u)
        return {"a": a, "b": b}

    assert parents(graph(plain("u"), it)) == {"u": [], "a": ["u"], "b": ["u"]}


def test_internal_asset_deps_say_otherwise():
    """`internal_asset_deps` of a multi-asset says what each output depends on; unnamed ones depend on every input."""

    @dg.multi_asset(
        outs=outs("a", "b", "c"), internal_asset_deps={"a": {AssetKey("u")}, "b": {AssetKey("a"), AssetKey("v")}}
    )
    def it(u, v): ...

    assert parents(graph(plain("u"), plain("v"), it)) == {
        "u": [], "v": [], "a": ["u"], "b": ["a", "v"], "c": ["u", "v"],
    }  # fmt: skip


def test_deps_only_order():
    """What `deps` name is a parent, of every asset of the definition, and no input of an op."""

    @dg.graph_multi_asset(outs=outs("a", "b"), deps=["w"])
    def it(u):
        return {"a": use(u), "b": one()}

    made = graph(plain("u"), plain("w"), it)
    assert parents(made) == {"u": [], "w": [], "a": ["u", "w"], "b": ["w"]}
    unit = made.nodes[AssetKey("a")].unit
    assert unit.only_named(AssetKey("a")) == (AssetKey("w"),)
    assert unit.key_of_input == {"u": AssetKey("u")}


def test_children_and_order():
    """Children mirror parents, and the order of all keys has parents first, whatever order they were given in."""
    made = graph(plain("c", "b"), plain("b", "a"), plain("d", "a", "c"), plain("a"))
    assert [key.text for key in made.in_order()] == ["a", "b", "c", "d"]
    assert {k.text: [c.text for c in v] for k, v in made.children.items()} == {
        "a": ["b", "d"], "b": ["c"], "c": ["d"], "d": [],
    }  # fmt: skip
    assert made.circle() == []


def test_a_spec_is_external_and_may_have_parents():
    """An `AssetSpec` is an asset that nothing here makes."""
    made = graph(plain("a", "raw"), dg.AssetSpec("raw", deps=["source"]), dg.AssetSpec("source"))
    assert made.problems == []
    assert made.nodes[AssetKey("raw")].unit is None
    assert parents(made)["raw"] == ["source"]
    assert made.materializable == {AssetKey("a")}


def test_unknown_deps_become_external():
    """A key that only `deps` name and that resembles no other is taken for an asset made elsewhere, once."""
    made = graph(plain("a", deps=["warehouse/users"]), plain("b", deps=["warehouse/users"]))
    assert made.problems == []
    node = made.nodes[AssetKey("warehouse/users")]
    assert node.stub
    assert node.unit is None
    assert [key.text for key in made.children[node.key]] == ["a", "b"]


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("raw/ordres", "raw/orders"),
        ("orders", "raw/orders"),
        ("raw__orders", "raw/orders"),
        ("lake/orders", "raw/orders"),
    ],
)
def test_near_misses_in_deps_are_mistakes(named, meant):
    """A key in `deps` that is nearly another's, or has another prefix or separator, is a mistake naming that one."""
    made = graph(dg.asset(key="raw/orders")(lambda: 1), plain("a", deps=[named]))
    (problem,) = made.problems
    assert isinstance(problem, UnknownUpstream)
    assert (problem.near, problem.parameter) == ((meant,), "")
    assert (
        f"depends on `{named}` (in `deps`), which no definition makes and which is not among the sources. "
        f"Did you mean `{meant}`?" in problem.what
    )
    assert problem.where.file == __file__


def test_an_unknown_parameter_is_always_a_mistake():
    """A parameter has to be loaded, so the asset must be declared, near miss or not; `AssetSpec` is offered."""
    (problem,) = graph(plain("a", "nothing_like_it")).problems
    assert isinstance(problem, UnknownUpstream)
    assert problem.parameter == "nothing_like_it"
    assert problem.fix == (
        "add the asset that makes it to the definitions; if it is made elsewhere, add "
        '`AssetSpec("nothing_like_it")` to the assets'
    )
    (problem,) = graph(plain("order"), plain("a", "ordr")).problems
    assert problem.fix.startswith("write `order`;")


def test_very_many_unknown_keys():
    """Who names thousands of keys that do not exist has not mistyped them: near misses are looked for only in few."""
    made = graph(*(plain(f"asset_{i}", deps=[f"elsewhere_{i}"]) for i in range(1500)))
    assert made.problems == []
    assert sum(node.stub for node in made.nodes.values()) == 1500
    made = graph(*(plain(f"asset_{i}", f"assets_{i}") for i in range(1500)))
    assert len(made.problems) == 1500
    assert made.problems[0].near
    assert not made.problems[-1].near


def test_one_key_twice():
    """Two definitions, or a definition and a spec, of one key are a mistake that names both places."""
    first, second = plain("a"), plain("a")
    (problem,) = [p for p in graph(first, second).problems if isinstance(p, DuplicateAssetKey)]
    assert [place.file for place in problem.places] == [__file__, __file__]
    assert "asset key `a` is defined more than once" in problem.what
    (problem,) = graph(first, dg.AssetSpec("a")).problems
    assert isinstance(problem, DuplicateAssetKey)
    spec = dg.AssetSpec("a")
    assert graph(spec, spec).problems == []


def test_two_definitions_of_one_step_name():
    """Two different functions behind one step name are refused; one graph used for several assets is numbered."""
    first = dg.asset(key="a/b")(lambda: 1)
    second = dg.asset(key="a__b")(lambda: 1)
    (problem,) = graph(first, second).problems
    assert isinstance(problem, DuplicateNode)

    @dg.graph
    def shared():
        return one()

    uses = [dg.AssetsDefinition.from_graph(shared, keys_by_output_name={"result": key}) for key in ("p", "q", "r")]
    made = graph(*uses)
    assert made.problems == []
    assert [unit.name for unit in made.units] == ["shared", "shared_2", "shared_3"]
    assert [unit.flat.steps[0].key for unit in made.units] == ["shared.one", "shared_2.one", "shared_3.one"]


def test_circles():
    """A circle is found, in its order, without what leads to it or comes after; so is an asset made from itself."""
    made = graph(plain("start"), plain("a", "start", "c"), plain("b", "a"), plain("c", "b"), plain("after", "c"))
    assert sorted(key.text for key in made.circle()) == ["a", "b", "c"]
    path = made.circle()
    for before, after in zip(path, [*path[1:], path[0]], strict=True):
        assert before in made.nodes[after].parents
    assert made.circle() != []
    assert [key.text for key in made.in_order()][0] == "start"
    assert [k.text for k in graph(plain("x", deps=["x"])).circle()] == ["x"]


def test_no_circle_through_parts_of_a_graph():
    """A graph between two assets of another graph is no circle."""

    @dg.graph_multi_asset(outs=outs("a", "b"))
    def around(between):
        return {"a": one(), "b": use(between)}

    made = graph(around, plain("between", "a"))
    assert made.circle() == []
    assert [key.text for key in made.in_order()] == ["a", "between", "b"]
