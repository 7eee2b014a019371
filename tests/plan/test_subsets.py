# ruff: noqa: E501 - a table of cases
"""Rules 4 to 6 of the design as a table: what runs for a selection, what each output is to it, what is stored and recorded."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import opgraph as dg
from opgraph.operate import planning

# -- a small language for programs ------------------------------------------------


class Seen:
    """What the ops and the I/O manager of a run were asked to do."""

    def __init__(self):
        self.values = {}
        self.clear()

    def clear(self):
        self.names, self.subset, self.stored, self.loaded = {}, {}, [], []


SEEN = Seen()


class Spy(dg.IOManager):
    """Keeps assets by key and intermediates by `step.output`."""

    def handle_output(self, context, obj):
        name = context.asset_key.text if context.has_asset_key else f"{context.step_key}.{context.name}"
        SEEN.stored.append(name)
        SEEN.values[name] = obj

    def load_input(self, context):
        made = context if context.upstream_output is None else context.upstream_output
        if not made.has_asset_key:
            return SEEN.values[f"{made.step_key}.{made.name}"]
        if context.upstream_output is None or context.upstream_output.run_id != context.run_id:
            SEEN.loaded.append(made.asset_key.text)
        return SEEN.values[made.asset_key.text]


def step(name, ins="", outs="result", *, always=False):
    """An op with these inputs (`x!`: Nothing) and outputs (`x?`: optional). It yields an optional output when it is
    asked for, or always."""
    outputs = {each.rstrip("?"): dg.Out(is_required=not each.endswith("?")) for each in outs.split()}
    inputs = {each.rstrip("!"): dg.In(dg.Nothing) if each.endswith("!") else dg.In() for each in ins.split()}

    @dg.op(name=name, ins=inputs, out=outputs)
    def it(context, **given):
        SEEN.names[str(context.op_handle)] = set(context.selected_output_names)
        SEEN.subset[str(context.op_handle)] = context.is_subset
        for output, declared in outputs.items():
            if declared.is_required or always or output in context.selected_output_names:
                yield dg.Output(f"{name}.{output}", output)

    return it


def assets_of(graph, outs, **options):
    return dg.graph_multi_asset(outs={each: dg.AssetOut() for each in outs.split()}, can_subset=True, **options)(graph)


def classic(*, both=False):
    """The example that everyone meets first."""
    bar = step("bar", outs="bar_1 bar_2")
    foo = step("foo", "bar_1", "foo_1 foo_2" if both else "foo_1? foo_2?")
    baz = step("baz", "foo_2 bar_2")

    @dg.graph(out={"foo_asset": dg.GraphOut(), "baz_asset": dg.GraphOut()})
    def my_graph():
        bar_1, bar_2 = bar()
        foo_1, foo_2 = foo(bar_1)
        return {"foo_asset": foo_1, "baz_asset": baz(foo_2, bar_2)}

    return [dg.AssetsDefinition.from_graph(my_graph, can_subset=True)]


def classic_both():
    return classic(both=True)


def nested():
    """The classic one in which `bar` and `foo` stand in two graphs around them, which name the outputs otherwise."""
    bar = step("bar", outs="bar_1 bar_2")
    foo = step("foo", "bar_1", "foo_1? foo_2?")
    baz = step("baz", "foo_2 bar_2")

    @dg.graph(out={"p": dg.GraphOut(), "q": dg.GraphOut(), "r": dg.GraphOut()})
    def inner():
        bar_1, bar_2 = bar()
        foo_1, foo_2 = foo(bar_1)
        return {"p": foo_1, "q": foo_2, "r": bar_2}

    @dg.graph(out={"u": dg.GraphOut(), "v": dg.GraphOut()})
    def outer():
        p, q, r = inner()
        return {"u": p, "v": baz(q, r)}

    def whole():
        u, v = outer()
        return {"foo_asset": u, "baz_asset": v}

    return [assets_of(whole, "foo_asset baz_asset")]


def aliases():
    make, use = step("make", outs="a b"), step("use", "x")

    def whole():
        a, b = make.alias("first")()
        return {"left": use.alias("for_left")(a), "right": use.alias("for_right")(b)}

    return [assets_of(whole, "left right")]


def used_twice():
    """One op in two places of a graph, and a graph of it in two more."""
    make, use = step("make"), step("use", "x", "kept rest?", always=True)

    @dg.graph(out={"kept": dg.GraphOut()})
    def twice(x):
        return {"kept": use(use(x).kept).kept}

    def whole():
        made = make()
        return {"left": twice(made), "right": twice(made)}

    return [assets_of(whole, "left right")]


def asset_and_intermediate():
    """One op gives an asset and a value on the way to another; both always come."""
    part, use = step("part", outs="mine mid"), step("use", "x")

    def whole():
        mine, mid = part()
        return {"first": mine, "second": use(mid)}

    return [assets_of(whole, "first second")]


def asset_feeds_asset():
    """An asset that an op of the same graph takes, beside an intermediate of the op that makes it."""
    part, use = step("part", outs="mine? mid?", always=False), step("use", "x y")

    def whole():
        mine, mid = part()
        return {"first": mine, "second": use(mine, mid)}

    return [assets_of(whole, "first second")]


def chain_of_assets():
    """Three assets one after the other in one graph."""
    one, two, three = step("one"), step("two", "x"), step("three", "x")

    def whole():
        a = one()
        b = two(a)
        return {"a": a, "b": b, "c": three(b)}

    return [assets_of(whole, "a b c")]


def list_of_assets():
    """A list of an asset, an intermediate and an input of the graph, taken by one op."""
    raw, one, two, joined = step("raw"), step("one"), step("two"), step("joined", "items")

    @dg.graph_asset(name="raw")
    def raw_asset():
        return raw()

    def whole(raw):
        a = one()
        return {"a": a, "b": joined([a, two(), raw])}

    return [raw_asset, assets_of(whole, "a b")]


def only_order():
    """An asset of the graph that another's op waits for, without its value."""
    one, two = step("one"), step("two", "after!")

    def whole():
        a = one()
        return {"a": a, "b": two(after=a)}

    return [assets_of(whole, "a b")]


def two_inputs():
    """Two inputs, each for one of the assets."""
    use = step("use", "x")

    def upstream(name):
        made = step(name)

        @dg.graph_asset(name=name)
        def it():
            return made.alias("make")()

        return it

    def whole(x, y):
        return {"a": use.alias("for_a")(x), "b": use.alias("for_b")(y)}

    return [upstream("x"), upstream("y"), assets_of(whole, "a b")]


def downstream_of_a_part():
    """A graph asset that takes one of the assets of another graph."""
    make, use = step("make", outs="a? b?"), step("use", "x")

    def source():
        a, b = make()
        return {"a": a, "b": b}

    @dg.graph_asset
    def after(a):
        return use(a)

    return [assets_of(source, "a b"), after]


def crossing():
    """Two graphs, each with one asset that the other takes: no circle, because they are wired op by op."""
    start, pass_on = step("start"), step("pass_on", "x")

    def left(right_1):
        return {"left_1": start(), "left_2": pass_on(right_1)}

    def right(left_1, left_2):
        return {"right_1": pass_on(left_1), "right_2": pass_on(left_2)}

    return [assets_of(left, "left_1 left_2"), assets_of(right, "right_1 right_2")]


@dataclass
class Case:
    program: object
    select: str
    steps: str  # "step: output role, …; …" in the order of the plan
    loads: str = ""  # assets loaded from storage
    besides: str = ""  # "asset step.output certain|may"
    made: str = ""  # assets recorded; `~x`: marked as not asked for
    kept: str = ""  # intermediates stored, `step.output`


CASES = {
    "classic, foo": Case(
        classic, "foo_asset",
        "my_graph.bar: bar_1 needed, bar_2 unneeded; my_graph.foo: foo_1 selected, foo_2 unneeded",
        made="foo_asset", kept="my_graph.bar.bar_1",
    ),
    "classic, baz": Case(
        classic, "baz_asset",
        "my_graph.bar: bar_1 needed, bar_2 needed; my_graph.foo: foo_1 unselected_optional, foo_2 needed; my_graph.baz: result selected",
        besides="foo_asset my_graph.foo.foo_1 may", made="baz_asset",
        kept="my_graph.bar.bar_1 my_graph.bar.bar_2 my_graph.foo.foo_2",
    ),
    "classic, both": Case(
        classic, "foo_asset baz_asset",
        "my_graph.bar: bar_1 needed, bar_2 needed; my_graph.foo: foo_1 selected, foo_2 needed; my_graph.baz: result selected",
        made="foo_asset baz_asset", kept="my_graph.bar.bar_1 my_graph.bar.bar_2 my_graph.foo.foo_2",
    ),
    "foo gives both, baz": Case(
        classic_both, "baz_asset",
        "my_graph.bar: bar_1 needed, bar_2 needed; my_graph.foo: foo_1 unselected_required, foo_2 needed; my_graph.baz: result selected",
        besides="foo_asset my_graph.foo.foo_1 certain", made="~foo_asset baz_asset",
        kept="my_graph.bar.bar_1 my_graph.bar.bar_2 my_graph.foo.foo_2",
    ),
    "foo gives both, foo": Case(  # what nobody needs is dropped, and no fault
        classic_both, "foo_asset",
        "my_graph.bar: bar_1 needed, bar_2 unneeded; my_graph.foo: foo_1 selected, foo_2 unneeded",
        made="foo_asset", kept="my_graph.bar.bar_1",
    ),
    "nested, foo": Case(
        nested, "foo_asset",
        "whole.outer.inner.bar: bar_1 needed, bar_2 unneeded; whole.outer.inner.foo: foo_1 selected, foo_2 unneeded",
        made="foo_asset", kept="whole.outer.inner.bar.bar_1",
    ),
    "nested, baz": Case(
        nested, "baz_asset",
        "whole.outer.inner.bar: bar_1 needed, bar_2 needed; whole.outer.inner.foo: foo_1 unselected_optional, foo_2 needed; whole.outer.baz: result selected",
        besides="foo_asset whole.outer.inner.foo.foo_1 may", made="baz_asset",
        kept="whole.outer.inner.bar.bar_1 whole.outer.inner.bar.bar_2 whole.outer.inner.foo.foo_2",
    ),
    "aliases": Case(
        aliases, "right", "whole.first: a unneeded, b needed; whole.for_right: result selected",
        made="right", kept="whole.first.b",
    ),
    "one op used four times": Case(
        used_twice, "right",
        "whole.make: result needed; whole.twice_2.use: kept needed, rest unneeded; whole.twice_2.use_2: kept selected, rest unneeded",
        made="right", kept="whole.make.result whole.twice_2.use.kept",
    ),
    "an asset and an intermediate, the asset": Case(
        asset_and_intermediate, "first", "whole.part: mine selected, mid unneeded", made="first",
    ),
    "an asset and an intermediate, the other": Case(
        asset_and_intermediate, "second", "whole.part: mine unselected_required, mid needed; whole.use: result selected",
        besides="first whole.part.mine certain", made="~first second", kept="whole.part.mid",
    ),
    "an asset of the same graph is loaded, also where its op runs": Case(
        asset_feeds_asset, "second", "whole.part: mine unselected_optional, mid needed; whole.use: result selected",
        loads="first", besides="first whole.part.mine may", made="second", kept="whole.part.mid",
    ),
    "in the middle of a chain": Case(
        chain_of_assets, "b", "whole.two: result selected", loads="a", made="b",
    ),
    "both ends of a chain": Case(
        chain_of_assets, "a c", "whole.one: result selected; whole.three: result selected", loads="b", made="a c",
    ),
    "a list with an asset of the same graph and one from outside": Case(
        list_of_assets, "b", "whole.two: result needed; whole.joined: result selected",
        loads="a raw", made="b", kept="whole.two.result",
    ),
    "order alone loads nothing": Case(only_order, "b", "whole.two: result selected", made="b"),
    "inputs that nothing needs are not loaded": Case(
        two_inputs, "a", "whole.for_a: result selected", loads="x", made="a",
    ),
    "downstream of a part that is not selected": Case(
        downstream_of_a_part, "b after", "source.make: a unselected_optional, b selected; after.use: result selected",
        loads="a", besides="a source.make.a may", made="b after",
    ),
    "downstream of a part that is": Case(
        downstream_of_a_part, "a after", "source.make: a selected, b unselected_optional; after.use: result selected",
        besides="b source.make.b may", made="a after",
    ),
    "parts that cross, all": Case(
        crossing, "left_1 left_2 right_1 right_2",
        "left.start: result selected; right.pass_on: result selected; left.pass_on: result selected; right.pass_on_2: result selected",
        made="left_1 right_1 left_2 right_2",
    ),
    "parts that cross, some of each": Case(
        crossing, "left_2 right_1 right_2",
        "right.pass_on: result selected; left.pass_on: result selected; right.pass_on_2: result selected",
        loads="left_1", made="right_1 left_2 right_2",
    ),
    "parts that cross, the ends": Case(
        crossing, "left_1 right_2", "left.start: result selected; right.pass_on_2: result selected",
        loads="left_2", made="left_1 right_2",
    ),
}  # fmt: skip


def keys(names):
    return [dg.AssetKey(name) for name in names.split()]


def run(assets, names, instance, **options):
    """Materializes, noting in SEEN what happened in this run only."""
    SEEN.clear()
    return dg.materialize(assets, selection=keys(names), instance=instance, resources={"io_manager": Spy()}, **options)


def planned(assets, names, instance, **options):
    defs = dg.Definitions(assets=assets, resources={"io_manager": Spy()})
    return planning.plan(defs, keys(names), instance=instance, **options)


def whole(assets):
    return " ".join(sorted(key.text for each in assets for key in each.keys))


def steps_of(plan):
    return [f"{s.key}: {', '.join(f'{o.name} {o.role.value}' for o in s.outputs)}" for s in plan.steps]


def besides_of(plan):
    return "; ".join(f"{b.asset} {b.step}.{b.output} {'certain' if b.certain else 'may'}" for b in plan.besides)


def sources_of(plan):
    """Where all inputs come from, as the plan's JSON has it."""
    every = [source for step in plan.to_json()["steps"] for source in step["inputs"].values()]
    return [one for each in every for one in (each if isinstance(each, list) else [each])]


def recorded(result):
    """The recorded materializations of a run, `~` before those that nobody asked for."""
    return [
        ("" if event.step_materialization_data.asked else "~") + event.asset_key.text
        for event in result.all_events
        if event.event_type_value == "ASSET_MATERIALIZATION"
    ]


@pytest.fixture
def instance():
    SEEN.values.clear()
    with dg.Instance.ephemeral() as it:
        yield it


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_subset(case, instance):
    """The plan has exactly the steps, roles, loads and extras of the table, and the run does what the plan says."""
    assets = case.program()
    run(assets, whole(assets), instance)
    plan = planned(assets, case.select, instance)
    assert steps_of(plan) == [each.strip() for each in case.steps.split(";")]
    assert besides_of(plan) == case.besides
    assert {source["asset"] for source in sources_of(plan) if "asset" in source} == set(case.loads.split())
    assert plan.missing == ()
    assert plan.selection == tuple(sorted(case.select.split()))

    result = run(assets, case.select, instance)
    assert SEEN.names == {step.key: set(step.selected) for step in plan.steps}
    assert SEEN.subset == {step.key: step.subset for step in plan.steps}
    assert set(SEEN.loaded) == set(case.loads.split())
    made = case.made.split()
    assert [name for name in SEEN.stored if "." not in name] == [name.lstrip("~") for name in made]
    assert sorted(name for name in SEEN.stored if "." in name) == sorted(case.kept.split())
    assert recorded(result) == made
    assert [f"~{each.asset}" for each in result.besides] == [name for name in made if name.startswith("~")]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_subset_of_a_program_never_run(case, instance):
    """What a selection loads and nobody made is missing in the plan; the plan is otherwise the same."""
    plan = planned(case.program(), case.select, instance)
    assert steps_of(plan) == [each.strip() for each in case.steps.split(";")]
    assert plan.missing == tuple(sorted(case.loads.split()))
    assert {s["asset"] for s in sources_of(plan) if s.get("recorded") is False} == set(case.loads.split())


# -- what comes besides -------------------------------------------------------------

REMEDY = (
    "make output `foo_1` of op `foo` optional (`Out(is_required=False)`) and yield it only when it is in "
    "`context.selected_output_names`, or select `foo_asset` too"
)


def test_materialize_stores_what_comes_besides(instance):
    """By default an asset that comes unasked is stored and recorded as not asked for, and the result says so with op
    and remedy."""
    result = run(classic_both(), "baz_asset", instance)
    assert recorded(result) == ["~foo_asset", "baz_asset"]
    (besides,) = result.besides
    assert (besides.asset, besides.step, besides.output, besides.certain, besides.policy.value, besides.remedy) == (
        "foo_asset", "my_graph.foo", "foo_1", True, "materialize", REMEDY,
    )  # fmt: skip
    assert instance.record.latest(["foo_asset"])["foo_asset"].stored.asked is False
    assert instance.record.latest(["baz_asset"])["baz_asset"].stored.asked is True


def test_discard_drops_what_comes_besides(instance):
    """Under `discard` the plan lists it, and nothing of it is stored or recorded."""
    assert [b.policy.value for b in planned(classic_both(), "baz_asset", instance, policy="discard").besides] == [
        "discard"
    ]
    result = run(classic_both(), "baz_asset", instance, unselected="discard")
    assert result.success
    assert recorded(result) == ["baz_asset"]
    assert "foo_asset" not in SEEN.stored
    assert result.besides == []


def test_error_refuses_what_is_certain(instance):
    """Under `error` a plan that is certain to make an unselected asset is refused, naming asset, op and remedy."""
    for act in (planned, run):
        policy = {"policy": "error"} if act is planned else {"unselected": "error"}
        with pytest.raises(dg.InvalidSubsetError) as caught:
            act(classic_both(), "baz_asset", instance, **policy)
        assert str(caught.value) == (
            "the selection would also materialize `foo_asset` (output `foo_1` of op `my_graph.foo`), and the policy for "
            f"unselected assets is `error`\n  fix: {REMEDY}"
        )
    assert SEEN.stored == []
    assert run(classic_both(), "foo_asset baz_asset", instance, unselected="error").success


def always_yields():
    """Two optional assets of one op, both of which it always yields, asked for or not."""
    make = step("make", outs="a? b?", always=True)

    def both():
        a, b = make()
        return {"a": a, "b": b}

    return [assets_of(both, "a b")]


def test_what_may_come_and_comes(instance):
    """An optional unselected asset that is yielded is stored as not asked for, or dropped, or fails the step before
    anything of it is stored: as the policy says."""
    plan = planned(always_yields(), "b", instance)
    assert besides_of(plan) == "a both.make.a may"
    assert plan.besides[0].remedy == (
        "let op `make` yield `a` only when it is in `context.selected_output_names`, or select `a` too"
    )
    assert recorded(run(always_yields(), "b", instance)) == ["~a", "b"]
    assert recorded(run(always_yields(), "b", instance, unselected="discard")) == ["b"]
    result = run(always_yields(), "b", instance, unselected="error", raise_on_error=False)
    assert not result.success
    assert SEEN.stored == []
    (failure,) = (event for event in result.all_events if event.event_type_value == "STEP_FAILURE")
    assert "step `both.make` yielded `a` (asset `a`), which is not selected" in str(failure.event_specific_data.error)


FLOW = """\
from opgraph import AssetOut, Definitions, Out, graph_multi_asset, op

@op(out={"bar_1": Out(), "bar_2": Out()})
def bar():
    return 1, 2

@op(out={"foo_1": Out(), "foo_2": Out()})
def foo(bar_1):
    return bar_1, bar_1

@op
def baz(foo_2, bar_2):
    return foo_2 + bar_2

@graph_multi_asset(outs={"foo_asset": AssetOut(), "baz_asset": AssetOut()}, can_subset=True)
def my_graph():
    bar_1, bar_2 = bar()
    foo_1, foo_2 = foo(bar_1)
    return {"foo_asset": foo_1, "baz_asset": baz(foo_2, bar_2)}

defs = Definitions(assets=[my_graph])
"""


def test_the_terminal_says_what_comes_besides(tmp_path):
    """`opgraph plan` and `opgraph materialize` name the asset, the op that yields it and the remedy."""
    (tmp_path / "flow.py").write_text(FLOW)

    def opgraph(*words, code=0):
        environment = {k: v for k, v in os.environ.items() if k != "OPGRAPH_HOME"} | {"NO_COLOR": "1", "COLUMNS": "300"}
        done = subprocess.run(
            [Path(sys.executable).parent / "opgraph", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    for command in ("plan", "materialize"):
        text = " ".join(opgraph(command, "-f", "flow.py", "-s", "baz_asset").split())
        assert "foo_asset" in text
        assert "nobody asked for it" in text
        assert "op my_graph.foo yields it as output `foo_1`" in text
        assert f"to avoid it: {REMEDY}" in text
        refused = opgraph(command, "-f", "flow.py", "-s", "baz_asset", "--on-unselected", "error", code=2)
        assert "would also materialize `foo_asset` (output `foo_1` of op `my_graph.foo`)" in refused


# -- whether a part may be asked for ----------------------------------------------


def refusal(assets, names, instance):
    with pytest.raises(dg.InvalidSubsetError) as caught:
        planned(assets, names, instance)
    assert caught.value.where is None or caught.value.where.file == __file__
    return caught.value


def two_of_one_op(can_subset, *, required):
    make = step("make", outs="a b" if required else "a? b?")

    @dg.graph_multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut()}, can_subset=can_subset)
    def pair():
        a, b = make()
        return {"a": a, "b": b}

    return [pair]


def test_refused_and_safe(instance):
    """Without `can_subset` a part is refused, and the error says that allowing it would be safe, where it would be."""
    problem = refusal(two_of_one_op(False, required=False), "a", instance)
    assert problem.safe
    assert problem.what == (
        "`pair` makes `a`, `b` together and does not say `can_subset=True`, but the selection leaves out `b`"
    )
    assert problem.fix == "select `b` too, or allow subsets: `can_subset=True` would be safe here"


def test_refused_and_unsafe(instance):
    """Where it would not be safe, the error names the ops in the way, and what to change in them."""
    problem = refusal(two_of_one_op(False, required=True), "b", instance)
    assert not problem.safe
    assert problem.fix == (
        "select `a` too, or allow subsets: `can_subset=True` would not be safe as it is, because op `pair.make` always "
        "yields `a` (asset `a`), also when only `b` is needed (for asset `b`); op `pair.make` always yields `b` (asset "
        "`b`), also when only `a` is needed (for asset `a`). Make the output optional (`Out(is_required=False)`) and "
        "yield it only when it is in `context.selected_output_names`"
    )


def test_auto(instance):
    """Dagster #9637: `can_subset="auto"` allows a part where that is safe, and refuses it where it is not, saying
    that."""
    assert steps_of(planned(two_of_one_op("auto", required=False), "a", instance)) == [
        "pair.make: a selected, b unselected_optional"
    ]
    problem = refusal(two_of_one_op("auto", required=True), "a", instance)
    assert 'together and can_subset="auto" finds that unsafe, but the selection leaves out `b`' in problem.what
    assert len(planned(two_of_one_op("auto", required=True), "a b", instance).steps) == 1


def test_several_refusals_come_together(instance):
    """Each definition that cannot be subset that way is named in one error."""
    first, second = two_of_one_op(False, required=True)[0], step("other", outs="c d")

    @dg.graph_multi_asset(outs={"c": dg.AssetOut(), "d": dg.AssetOut()})
    def other_pair():
        c, d = second()
        return {"c": c, "d": d}

    problem = refusal([first, other_pair], "a c", instance)
    assert [each.unit for each in problem.problems] == ["pair", "other_pair"]


def test_missing_siblings_are_named_with_the_selection_that_adds_them(instance):
    """Dagster #6839: where an unselected asset of the same graph was never made, the step's error names it and the
    `+key` that adds it, and nothing is stored."""
    assert planned(chain_of_assets(), "b", instance).missing == ("a",)
    with pytest.raises(dg.Error) as caught:
        run(chain_of_assets(), "b", instance)
    assert "asset `a` is to be loaded, and no materialization of it is recorded" in str(caught.value)
    assert "select `+b`" in str(caught.value)
    assert SEEN.stored == []
    assert run(chain_of_assets(), "a b", instance).success


# -- a multi-asset on both sides of another asset ------------------------------------


def around(can_subset=True):
    """One op whose assets stand before and after two others: a → x → b → y → c."""

    @dg.multi_asset(
        outs={name: dg.AssetOut(is_required=False) for name in ("a", "b", "c")},
        ins={"x": dg.AssetIn(dagster_type=dg.Nothing), "y": dg.AssetIn(dagster_type=dg.Nothing)},
        internal_asset_deps={"a": set(), "b": {dg.AssetKey("x")}, "c": {dg.AssetKey("y")}},
        can_subset=can_subset,
    )
    def work(context):
        SEEN.names.setdefault("work", []).append(sorted(context.selected_output_names))
        for name in sorted(context.selected_output_names):
            yield dg.Output(name, name)

    @dg.asset
    def x(a):
        return a

    @dg.asset
    def y(b):
        return b

    return [work, x, y]


def test_split_in_three(instance):
    """An op that stands on both sides of other assets runs in parts: op, op_2, op_3, each for its own assets, in order,
    and nothing counts as coming besides."""
    plan = planned(around(), "a b c x y", instance)
    assert [s.key for s in plan.steps] == ["work", "x", "work_2", "y", "work_3"]
    assert {s.node for s in plan.steps if s.unit == "work"} == {"work"}
    assert steps_of(plan)[2] == "work_2: a unneeded, b selected, c unneeded"
    assert plan.besides == ()
    assert [(s.key, sorted({plan.steps[a.step].key for a in s.after})) for s in plan.steps if s.unit == "work"] == [
        ("work", []), ("work_2", ["x"]), ("work_3", ["y"]),
    ]  # fmt: skip
    result = run(around(), "a b c x y", instance)
    assert SEEN.names["work"] == [["a"], ["b"], ["c"]]
    assert recorded(result) == ["a", "x", "b", "y", "c"]


def test_no_split_where_nothing_is_between(instance):
    """Without what stands between, the op runs once."""
    run(around(), "a b c x y", instance)
    assert [s.key for s in planned(around(), "a b c", instance).steps] == ["work"]
    assert [s.key for s in planned(around(), "a b c y", instance).steps] == ["work", "y", "work_2"]


def test_what_cannot_be_subset_cannot_be_split(instance):
    """An op that has to run in parts and does not allow subsets is refused, with the parts and what is between."""
    problem = refusal(around(can_subset=False), "a b c x y", instance)
    assert type(problem).__name__ == "CannotSplit"
    assert problem.what == (
        "`work` makes `a` and then `b` and then `c`, but `x`, `y` lie between them, and the definition does not say "
        "`can_subset=True`, so it cannot run in 3 parts"
    )
    assert problem.where.file == __file__
