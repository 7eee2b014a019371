"""Plans of assets: reasons, order, where inputs come from."""

import pytest

import opgraph as dg
from opgraph.keys import AssetKey
from opgraph.plan.build import plan_assets
from opgraph.plan.model import FromAsset, FromDefault, FromMany, FromStep, Role
from opgraph.resolve.assets import AssetGraph
from opgraph.resolve.mistakes import CannotSplit, TakesItsOwn


@dg.op
def one():
    return 1


@dg.op
def use(x, y=2):
    return x


@dg.op(out={"a": dg.Out(), "b": dg.Out()})
def two():
    return 1, 2


@dg.op
def total(items):
    return items


@dg.op(ins={"after": dg.In(dg.Nothing)})
def last(): ...


def asset(name, *upstream, **options):
    @dg.asset(name=name, ins={each: dg.AssetIn(each) for each in upstream}, **options)
    def it(**values): ...

    return it


def outs(*names):
    return {name: dg.AssetOut() for name in names}


def planned(*assets, select="", **options):
    graph = AssetGraph(
        [each for each in assets if isinstance(each, dg.AssetsDefinition)],
        [each for each in assets if isinstance(each, dg.AssetSpec)],
    )
    assert graph.problems == []
    keys = {AssetKey(name) for name in select.split()} or graph.materializable
    return plan_assets(graph, keys, job="j", **options)


def order(plan):
    return [step.key for step in plan.steps]


def upstream(plan):
    """For each step the steps it waits for, in whatever way."""
    found = {}
    for step in plan.steps:
        waits = {each.step for each in step.after}
        for each in step.inputs:
            items = each.source.items if isinstance(each.source, FromMany) else (each.source,)
            waits |= {item.step for item in items if isinstance(item, FromStep)}
        found[step.key] = sorted(plan.steps[number].key for number in waits)
    return found


def test_reasons_name_the_assets():
    """A step that makes selected assets says which; another says for which it is needed, the first three of many."""

    @dg.graph_multi_asset(outs=outs("p", "q", "r", "s", "t"))
    def it():
        shared = one()
        return {
            name: use.alias(f"use_{name}")(use.alias(f"first_{name}")(shared)) for name in ("p", "q", "r", "s", "t")
        }

    decisions = {step.key: step.decision for step in planned(it).steps}
    assert decisions["it.use_p"].reason == "it makes a selected asset: p"
    assert decisions["it.first_p"].reason == "a selected asset needs it: p"
    assert decisions["it.one"].reason == "a selected asset needs it: p, q, r and 2 more"

    @dg.graph_multi_asset(outs=outs("a", "b"))
    def both():
        a, b = two()
        return {"a": a, "b": b}

    assert planned(both).steps[0].decision.reason == "it makes a selected asset: a, b"


def test_reasons_go_through_assets_on_the_way():
    """An op is needed for every selected asset that it leads to, `Nothing` included."""

    @dg.graph_multi_asset(outs=outs("a", "b"))
    def it():
        start = one()
        a = use(start)
        return {"a": a, "b": last(after=a)}

    assert planned(it).steps[0].decision.detail == "a, b"


def test_order_is_that_of_the_definitions_where_it_can_be():
    """Steps come after what they need, otherwise in the order in which they were declared."""
    plan = planned(asset("c", "b"), asset("z"), asset("b", "a"), asset("a"))
    assert order(plan) == ["z", "a", "b", "c"]
    place = plan.index()
    for step, sources in upstream(plan).items():
        assert all(place[source] < place[step] for source in sources)


def test_inputs():
    """An input comes from a step, from storage, or has its default; a list keeps its order, with all of these."""

    @dg.graph_asset
    def it(made, stored):
        return use(total([made, stored, one()]), 5)

    plan = planned(asset("made"), asset("stored"), it, select="made it")
    inputs = {step.key: {each.name: each.source for each in step.inputs} for step in plan.steps}
    place = plan.index()
    assert inputs["it.total"]["items"] == FromMany(
        (FromStep(place["made"], "result"), FromAsset("stored", recorded=False), FromStep(place["it.one"], "result"))
    )
    assert inputs["it.use"] == {"x": FromStep(place["it.total"], "result"), "y": FromDefault()}


def test_missing():
    """Of what is to be loaded, that which nothing recorded is missing; an external asset is nobody's to make."""
    asked = []

    def recorded(keys):
        asked.append(list(keys))
        return {"known"}

    assets = [asset("known"), asset("unknown"), asset("x", "known", "unknown", "outside"), dg.AssetSpec("outside")]
    plan = planned(*assets, select="x", recorded=recorded)
    assert asked == [["known", "outside", "unknown"]]
    assert plan.missing == ("unknown",)
    assert [each.source for each in plan.steps[0].inputs] == [
        FromAsset("known"),
        FromAsset("unknown", recorded=False),
        FromAsset("outside"),
    ]


def test_io_managers():
    """An asset's I/O manager is the one given for the asset, else the output's own, else the default; an intermediate
    has its output's; an input has the one it names."""
    out = dg.op(name="out", out=dg.Out(io_manager_key="of_out"))(lambda: 1)
    into = dg.op(name="into", ins={"x": dg.In(input_manager_key="of_in")})(lambda x: 1)

    @dg.graph_asset(io_manager_key="of_asset")
    def given():
        return out()

    @dg.graph_asset
    def from_out():
        return out()

    @dg.graph_asset
    def default():
        return into(out())

    plan = planned(given, from_out, default)
    managers = {step.key: [o.io_manager for o in step.outputs] for step in plan.steps}
    assert managers == {
        "given.out": ["of_asset"], "from_out.out": ["of_out"],
        "default.out": ["of_out"], "default.into": ["io_manager"],
    }  # fmt: skip
    assert plan.steps[plan.index()["default.into"]].inputs[0].manager == "of_in"


# -- dependencies without values ------------------------------------------------------


def test_deps_of_a_graph_asset():
    """The first ops of a graph asset all wait for what `deps` name, and the later ones only through these."""

    @dg.graph_asset(deps=["before"])
    def it(taken):
        return total([one(), use(taken), use.alias("later")(one.alias("again")())])

    plan = planned(asset("before"), asset("taken"), it)
    assert upstream(plan) == {
        "before": [],
        "taken": [],
        "it.one": ["before"],
        "it.use": ["before", "taken"],
        "it.again": ["before"],
        "it.later": ["it.again"],
        "it.total": ["it.later", "it.one", "it.use"],
    }


def test_deps_wait_for_the_op_that_makes_the_asset():
    """What waits for a graph asset waits for the op that makes it, not for its last op."""

    @dg.graph_multi_asset(outs=outs("early", "late"))
    def before():
        early = one()
        return {"early": early, "late": use(early)}

    plan = planned(before, asset("after", deps=["early"]))
    assert upstream(plan)["after"] == ["before.one"]


def test_deps_that_are_not_selected_order_nothing():
    """A dependency without a value that is not part of the run is not loaded, not waited for and not missing."""

    @dg.graph_asset(deps=["before"])
    def it():
        return one()

    plan = planned(asset("before"), it, select="it")
    assert upstream(plan) == {"it.one": []}
    assert plan.missing == ()


def test_deps_of_one_part():
    """Behind an asset on the way the next one's own ops wait for what it names, also when only that part runs."""

    @dg.graph_multi_asset(outs=outs("a", "b"), deps=["before"], can_subset=True)
    def it():
        a = one()
        return {"a": a, "b": use(a, one.alias("beside")())}

    plan = planned(asset("before"), it, select="before b")
    assert upstream(plan)["it.beside"] == ["before"]
    plan = planned(asset("before"), it)
    assert upstream(plan)["it.one"] == ["before"]
    assert upstream(plan)["it.use"] == ["it.beside", "it.one"]


def test_an_op_shared_with_an_asset_that_names_nothing_does_not_wait():
    """What only one asset of a graph names may be made from another of its assets: the op that both need is free."""

    @dg.graph_multi_asset(
        specs=[dg.AssetSpec("a"), dg.AssetSpec("b", deps=["between"])],
    )
    def it():
        shared = one()
        return {"a": use.alias("for_a")(shared), "b": use.alias("for_b")(shared)}

    plan = planned(it, asset("between", "a"))
    assert order(plan) == ["it.one", "it.for_a", "between", "it.for_b"]
    assert upstream(plan)["it.for_b"] == ["between", "it.one"]


# -- what cannot be planned ----------------------------------------------------------


def test_a_graph_whose_op_would_have_to_run_twice():
    """An op that makes an asset, and takes something made from that asset, cannot be put in order; the error names the
    assets in their parts and what is between."""

    @dg.op(out={"a": dg.Out(is_required=False), "b": dg.Out(is_required=False)})
    def both(x):
        return x, x

    @dg.graph_multi_asset(
        outs=outs("a", "b"), can_subset=True,
        internal_asset_deps={"a": set(), "b": {AssetKey("between")}},
    )  # fmt: skip
    def it(between):
        a, b = both(between)
        return {"a": a, "b": b}

    with pytest.raises(CannotSplit) as caught:
        planned(it, asset("between", "a"))
    assert caught.value.what == (
        "`it` makes `a` and then `b`, but `between` lies between them, and an op of a graph cannot run in two parts"
    )
    assert "make the assets by two definitions" in caught.value.fix
    assert caught.value.where.file == __file__


def test_an_op_that_takes_its_own_without_saying_so():
    """A multi-asset that takes what is made from its own asset, of which nothing selected depends on that, is
    refused."""
    b_alone = {"a": set[dg.AssetKey](), "b": {dg.AssetKey("between")}}

    @dg.multi_asset(outs=outs("a", "b"), internal_asset_deps=b_alone, can_subset=True)
    def it(between): ...

    with pytest.raises(TakesItsOwn) as caught:
        planned(asset("start"), it, asset("between", "a"), asset("after", "between"), select="a between")
    assert caught.value.what == (
        "`it` takes `between`, which is made from what `it` makes itself, and none of its assets that are selected "
        "depends on it"
    )
    assert caught.value.where.file == __file__


# -- outputs -------------------------------------------------------------------------


def test_nothing_outputs_are_not_stored():
    """A `Nothing` output has nothing to store, an asset's too."""
    done = dg.op(name="done", out=dg.Out(dg.Nothing))(lambda: None)

    @dg.graph_asset
    def it():
        return last(after=done())

    plan = planned(it)
    assert [(o.name, o.stored) for o in plan.steps[0].outputs] == [("result", False)]
    assert [each.output for each in plan.steps[1].after] == ["result"]
    assert plan.steps[1].inputs == ()


def test_a_list_that_only_orders():
    """A list of outputs wired into a `Nothing` input is kept as a list with nothing to load: one of them is enough."""

    @dg.graph_asset
    def it():
        return last(after=[one(), one()])

    step = planned(it).steps[-1]
    assert step.after == ()
    (each,) = step.inputs
    assert each.nothing
    assert each.source == FromMany((FromStep(0, "result"), FromStep(1, "result")))


def test_every_step_says_its_unit_and_its_node():
    """Steps name the definition they belong to, the node whose code they run, and the version given for it."""
    versioned = dg.op(name="versioned", code_version="7")(lambda: 1)

    @dg.graph_asset(key_prefix="pre")
    def it():
        return use.alias("again")(versioned())

    plan = planned(it)
    assert [(s.key, s.node, s.op, s.unit, s.subset, s.code_version) for s in plan.steps] == [
        ("pre__it.versioned", "pre__it.versioned", "versioned", "pre__it", False, "7"),
        ("pre__it.again", "pre__it.again", "use", "pre__it", False, ""),
    ]
    assert plan.steps[1].outputs[0].asset == "pre/it"
    assert plan.steps[1].outputs[0].role is Role.SELECTED
