"""Large projects: no depth is too deep, and time grows in proportion to size."""

import gc
import time

import pytest

import opgraph as dg
from opgraph.plan.build import plan_assets
from opgraph.resolve.project import resolve
from opgraph.resolve.select import select


def assets(number, upstream):
    """Assets `a0`, `a1`, …; `upstream` gives for a number those that it is made from."""
    made = []
    for i in range(number):

        @dg.asset(name=f"a{i}", ins={f"x{n}": dg.AssetIn(f"a{n}") for n in upstream(i)})
        def it(**values): ...

        made.append(it)
    return made


def chain(number):
    return assets(number, lambda i: [i - 1] if i else [])


def wide(number):
    """One asset of which half of the others are made, and one that is made from all of these."""
    half = number - 2
    return assets(number, lambda i: [] if i == 0 else [0] if i <= half else range(1, half + 1))


@dg.op
def start():
    return 1


@dg.op
def use(x):
    return x


@dg.op(out={f"o{i}": dg.Out(is_required=False) for i in range(50)})
def fan(x): ...


def big_graph(ops, outs=50):
    """A graph of so many ops: a chain to an op with fifty outputs, and a chain behind each of these."""
    each = (ops - 2) // (outs + 1)

    @dg.graph_multi_asset(outs={f"o{i}": dg.AssetOut() for i in range(outs)}, can_subset=True)
    def big():
        value = start()
        for _ in range(ops - 1 - outs * each):
            value = use(value)
        values = list(fan(value))
        for _ in range(each):
            values = [use(value) for value in values]
        return {f"o{i}": value for i, value in enumerate(values)}

    return big


def plan_of(definitions):
    project = resolve(definitions)
    return plan_assets(project.graph, project.graph.materializable, job="j")


def test_a_chain_of_10_000_assets():
    """A chain of 10,000 assets resolves, is selected from end to end, and plans, without recursion."""
    project = resolve(dg.Definitions(assets=chain(10_000)))
    graph = project.graph
    assert graph.circle() == []
    assert len(select(graph, dg.AssetSelection.from_string("*a9999"))) == 10_000
    assert len(select(graph, dg.AssetSelection.from_string("a0+"))) == 10_000
    plan = plan_assets(graph, graph.materializable, job="j")
    assert [step.key for step in plan.steps] == [f"a{i}" for i in range(10_000)]


def test_a_circle_of_10_000_assets():
    """A circle of 10,000 assets is found as quickly as there being none."""
    made = assets(10_000, lambda i: [(i - 1) % 10_000])
    with pytest.raises(dg.InvalidDefinitionError, match="in a circle: a0 → a1 → a2") as caught:
        resolve(dg.Definitions(assets=made))
    assert len(caught.value.keys) == 10_000
    assert "a9 → … → a9999 → a0" in str(caught.value)


def test_a_wide_graph():
    """An asset with a thousand downstream ones, and one with a thousand upstream ones, plan."""
    plan = plan_of(dg.Definitions(assets=wide(1_000)))
    assert len(plan.steps) == 1_000
    assert len(plan.steps[-1].inputs) == 998


def test_one_of_fifty_outputs_of_a_big_graph():
    """Of a graph of 500 ops with fifty assets, one asset's plan has only the ops that it needs."""
    project = resolve(dg.Definitions(assets=[big_graph(500)]))
    assert len(project.graph.units[0].flat.steps) == 500 + 1
    plan = plan_assets(project.graph, {dg.AssetKey("o7")}, job="j")
    other = [step for step in plan.steps if "fan" not in step.key]
    assert len(plan.steps) < 120
    assert all(step.decision.detail == "o7" for step in other)
    assert len(plan.besides) == 0
    assert len(plan_assets(project.graph, project.graph.materializable, job="j").steps) == 501


def nested(node):
    """A graph of one call."""
    inside = node.alias("n")

    @dg.graph
    def level(x):
        return inside(x)

    return level


def test_a_graph_nested_300_deep():
    """A graph in a graph, 300 times over, flattens and plans."""
    node = use
    for _ in range(300):
        node = nested(node)
    whole = dg.graph_asset(name="deep")(lambda: node(start()))
    plan = plan_of(dg.Definitions(assets=[whole]))
    assert len(plan.steps) == 2
    assert plan.steps[1].key == "deep.level" + ".n" * 300


def seconds(work):
    """Of this process; the garbage collector's share grows with everything else in memory."""
    gc.collect()
    gc.disable()
    try:
        began = time.process_time()
        work()
        return time.process_time() - began
    finally:
        gc.enable()


def grows_in_proportion(small, large):
    """Whether planning the second, twice as large, takes about twice as long: the least of five each, or fewer."""
    least = [float("inf")] * 2
    for _ in range(5):
        least = [min(best, seconds(lambda d=d: plan_of(d))) for best, d in zip(least, (small, large), strict=True)]
        if least[1] / least[0] < 3:
            return True
    return False


@pytest.mark.parametrize("make", [chain, wide])
def test_time_grows_with_size(make):
    """Resolving and planning twice as many assets takes about twice as long."""
    assert grows_in_proportion(*(dg.Definitions(assets=make(number)) for number in (2_000, 4_000)))


def test_time_grows_with_the_size_of_a_graph():
    """Resolving and planning a graph of twice as many ops takes about twice as long."""
    assert grows_in_proportion(*(dg.Definitions(assets=[big_graph(ops)]) for ops in (2_000, 4_000)))
