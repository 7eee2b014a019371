"""The reference model itself, held to the rules by examples small enough to check by eye."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from classic import BAZ, FOO, classic
from hypothesis import HealthCheck, given, settings
from program_tree import (
    Call,
    Case,
    External,
    Graph,
    GraphAsset,
    Input,
    Key,
    Op,
    Port,
    Program,
    Ref,
    Request,
    definition_keys,
    text,
)
from programs import cases, has_cycle, histogram, seeded
from reference_model import Outcome, flatten, foresee, makeable, mix, needed_outputs, ops_in_the_way, simulate
from smallest import smallest, valid

quick = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def ran(program: Program, *selection: Key, policy: str = "materialize", storage: dict | None = None) -> Outcome:
    request = Request(frozenset(selection), policy)  # type: ignore[arg-type]
    return simulate(program, request, {} if storage is None else storage, "now")


def test_classic_foo_only() -> None:
    """Selecting foo_asset runs bar and foo, asks foo for foo_1 alone, and drops bar_2."""
    plan = foresee(classic(), Request(frozenset([FOO])))
    assert plan.selected_names == {"my_graph.bar": {"bar_1"}, "my_graph.foo": {"foo_1"}}
    assert plan.roles == {
        ("my_graph.bar", "bar_1"): "needed",
        ("my_graph.bar", "bar_2"): "unneeded",
        ("my_graph.foo", "foo_1"): "selected",
        ("my_graph.foo", "foo_2"): "unneeded",
    }
    out = ran(classic(), FOO)
    assert out.order == ["my_graph.bar", "my_graph.foo"]
    assert out.dropped == {("my_graph.bar", "bar_2")}
    assert (set(out.asked), out.besides) == ({FOO}, {})


def test_classic_baz_only() -> None:
    """Selecting baz_asset runs all three, asks foo for foo_2 alone, and makes no foo_asset, which may have come."""
    plan = foresee(classic(), Request(frozenset([BAZ])))
    assert plan.selected_names["my_graph.foo"] == {"foo_2"}
    assert (plan.certain, plan.may, plan.missing) == (frozenset(), {FOO}, frozenset())
    out = ran(classic(), BAZ)
    assert out.order == ["my_graph.bar", "my_graph.foo", "my_graph.baz"]
    assert (set(out.asked), out.besides) == ({BAZ}, {})
    bar_1 = mix("now", "bar.bar_1", ())
    assert out.asked[BAZ] == mix("now", "baz.result", (mix("now", "foo.foo_2", (bar_1,)), mix("now", "bar.bar_2", ())))


def test_classic_both() -> None:
    """Selecting both asks for every output, drops none and announces none."""
    plan = foresee(classic(), Request(frozenset([FOO, BAZ])))
    assert plan.selected_names["my_graph.foo"] == {"foo_1", "foo_2"}
    assert not plan.certain | plan.may
    assert not plan.partial
    out = ran(classic(), FOO, BAZ)
    assert set(out.asked) == {FOO, BAZ}
    assert out.dropped == set()


@pytest.mark.parametrize(
    ("policy", "besides", "refused"), [("materialize", {FOO}, False), ("discard", set(), False), ("error", None, True)]
)
def test_classic_when_foo_gives_both(policy: str, besides: set[Key] | None, refused: bool) -> None:
    """A foo that always gives both is certain to bring foo_asset, which the policy stores, drops or refuses."""
    plan = foresee(classic(foo_gives_both=True), Request(frozenset([BAZ])))
    assert (plan.certain, plan.may) == ({FOO}, frozenset())
    assert plan.refused(policy) == refused
    if besides is not None:
        storage: dict[Key, object] = {}
        assert set(ran(classic(foo_gives_both=True), BAZ, policy=policy, storage=storage).besides) == besides
        assert set(storage) == besides | {BAZ}


def test_classic_text_is_what_a_user_writes() -> None:
    """The text of the classic example reads as the documentation's."""
    assert (
        "def my_graph():\n    v0 = bar()\n    v1 = foo(bar_1=v0.bar_1)\n    v2 = baz(foo_2=v1.foo_2, bar_2=v0.bar_2)\n"
        in text(classic())
    )


def test_safety_of_the_classic() -> None:
    """Only the foo that has a required asset output beside a needed one is in the way of subsets."""
    assert ops_in_the_way(classic(), 0) == set()
    assert ops_in_the_way(classic(foo_gives_both=True), 0) == {"my_graph.foo"}


def chain(optional: bool = False, nothing: bool = False) -> Program:
    """X -> y in one graph, both assets; y takes x."""
    first = Op("first", (), (Port("result", not optional, "flag" if optional else "always"),), returns=not optional)
    second = Op("second", (Input("a", nothing=nothing),), (Port("result"),), returns=True)
    calls = (Call("first", first, ()), Call("second", second, (("a", (Ref("first", "result"),)),)))
    graph = Graph("g", (), calls, (("x", Ref("first", "result")), ("y", Ref("second", "result"))))
    return Program((GraphAsset(graph, (), (("x", ("x",)), ("y", ("y",))), "from_graph"),))


def test_unselected_asset_of_the_same_graph_is_loaded() -> None:
    """An unselected asset that a selected one needs is loaded, and its op does not run on its account."""
    out = ran(chain(), ("y",), storage={("x",): 5})
    assert out.order == ["g.second"]
    assert out.loaded == {("g.second", ("x",))}
    assert out.asked == {("y",): mix("now", "second.result", (5,))}


def test_missing_asset_fails_the_step_that_loads_it() -> None:
    """The plan names an asset that is needed and not stored; the step that loads it fails uncalled."""
    assert foresee(chain(), Request(frozenset([("y",)]))).missing == {("x",)}
    out = ran(chain(), ("y",))
    assert (out.order, out.called, out.failed) == (["g.second"], [], {"g.second"})


def test_ordering_on_an_unselected_asset_asks_nothing() -> None:
    """A `Nothing` input from an unselected asset is neither loaded nor waited for."""
    out = ran(chain(nothing=True), ("y",))
    assert (out.order, out.loaded, out.succeeded) == (["g.second"], set(), {"g.second"})


def test_optional_output_that_stays_away_skips_what_follows() -> None:
    """A step whose only source gave nothing is skipped, not failed."""
    request = Request(frozenset([("x",), ("y",)]), off=frozenset(["first.result"]))
    out = simulate(chain(optional=True), request, {}, "now")
    assert (out.succeeded, out.skipped, out.asked) == ({"g.first"}, {"g.second"}, {})


@pytest.mark.parametrize(("off", "takes"), [([], 2), (["maybe.result"], 1), (["maybe.result", "perhaps.result"], None)])
def test_a_list_takes_what_came(off: list[str], takes: int | None) -> None:
    """A list of outputs holds those that came; where none came, the step is skipped."""
    ops = [Op(name, (), (Port("result", False, "flag"),)) for name in ("maybe", "perhaps")]
    total = Op("total", (Input("a", many=True),), (Port("result"),), returns=True)
    refs = tuple(Ref(op.name, "result") for op in ops)
    calls = (*(Call(op.name, op, ()) for op in ops), Call("total", total, (("a", refs),)))
    graph = Graph("g", (), calls, (("result", Ref("total", "result")),))
    program = Program((GraphAsset(graph, (), (("result", ("g",)),), "graph_asset"),))
    out = simulate(program, Request(frozenset([("g",)]), off=frozenset(off)), {}, "now")
    if takes is None:
        assert out.skipped == {"g.total"}
    else:
        assert [len(call.arguments[0]) for call in out.called if call.step == "g.total"] == [takes]  # type: ignore[arg-type]


def test_two_graphs_that_need_parts_of_each_other() -> None:
    """Two graphs may each take an asset of the other: their steps form a line, a -> b -> a2."""
    one = Op("one", (), (Port("result"),), returns=True)
    add = Op("add", (Input("a"),), (Port("result"),), returns=True)
    both = (Call("one", one, ()), Call("add", add, (("a", (Ref(None, "p"),)),)))
    left = Graph("left", ("p",), both, (("a", Ref("one", "result")), ("a2", Ref("add", "result"))))
    right = Graph("right", ("p",), both[1:], (("result", Ref("add", "result")),))
    program = Program(
        (
            GraphAsset(left, (("p", ("b",)),), (("a", ("a",)), ("a2", ("a2",))), "from_graph"),
            GraphAsset(right, (("p", ("a",)),), (("result", ("b",)),), "from_graph"),
        )
    )
    assert not has_cycle(program)
    assert ran(program, ("a",), ("a2",), ("b",)).order == ["left.one", "right.add", "left.add"]
    assert ran(program, ("a2",), storage={("b",): 1}).order == ["left.add"]


def test_policy_error_fails_the_step_before_anything_of_it_is_stored() -> None:
    """Where an unselected optional asset comes under `error`, the step fails and its selected asset is not stored."""
    op = Op("pair", (), (Port("x", False), Port("y", False)))
    graph = Graph("g", (), (Call("pair", op, ()),), (("x", Ref("pair", "x")), ("y", Ref("pair", "y"))))
    program = Program((GraphAsset(graph, (), (("x", ("x",)), ("y", ("y",))), "from_graph"),))
    storage: dict[Key, object] = {}
    out = ran(program, ("x",), policy="error", storage=storage)
    assert (out.failed, out.asked, storage) == ({"g.pair"}, {}, {})


@quick
@given(case=cases())
def test_order_of_a_simulation_is_one_that_it_accepts(case: Case) -> None:
    """The model accepts the order that it made, and changes the storage the same way twice."""
    stored: dict[Key, object] = {d.key: 5 for d in case.program.assets if isinstance(d, External)}
    again = dict(stored)
    for request in case.requests:
        first = simulate(case.program, request, stored, "now")
        second = simulate(case.program, request, again, "now", first.order)
        assert (first, stored) == (second, again)


@quick
@given(case=cases())
def test_an_op_is_in_the_way_where_some_selection_brings_more(case: Case) -> None:
    """Rule 6: a definition has an op in the way exactly if some part of it is certain to bring another asset."""
    for i, definition in enumerate(case.program.assets):
        keys = definition_keys(definition)
        if not isinstance(definition, GraphAsset) or len(keys) > 7:
            continue
        alone = Program((replace(definition, can_subset=True),))
        parts = [part for size in range(1, len(keys)) for part in combinations(keys, size)]
        brings = any(foresee(alone, Request(frozenset(part))).certain for part in parts)
        assert brings == bool(ops_in_the_way(case.program, i))


@quick
@given(case=cases())
def test_what_is_needed_grows_with_the_selection(case: Case) -> None:
    """What a selection needs is what each of its assets needs, and every step is needed by some asset."""
    steps = flatten(case.program)
    selection = case.requests[-1].selection
    assert needed_outputs(steps, selection) == set().union(*(needed_outputs(steps, [key]) for key in selection))
    assert {step for step, _ in needed_outputs(steps, makeable(case.program))} == set(steps)


def test_random_programs_show_what_they_should() -> None:
    """Among 1,000 programs each kind of thing is common, and none has a cycle."""
    made = [seeded("look", i) for i in range(1000)]
    seen = histogram(made)
    assert min(seen.values()) >= 40, seen
    assert not any(has_cycle(case.program) for case in made)


def test_a_failing_case_is_made_small() -> None:
    """What stays of a case that fails for one of its steps is little more than that step."""

    def fails(case: Case) -> bool:
        return any(step.ports[0].when == "flag" for step in flatten(case.program).values())

    failing = [case for case in (seeded("small", i) for i in range(50)) if fails(case)]
    for case in failing:
        small = smallest(case, fails)
        assert valid(small.program)
        assert fails(small)
        assert len(small.requests) == 1
        assert len(flatten(small.program)) <= len(flatten(case.program))
    before = sum(len(flatten(case.program)) for case in failing)
    assert sum(len(flatten(smallest(case, fails).program)) for case in failing) < before / 2


def test_seeded_programs_are_the_same_each_time() -> None:
    """A seed and an index name one program."""
    assert repr(seeded(1, 2)) == repr(seeded(1, 2)) != repr(seeded(1, 3))
