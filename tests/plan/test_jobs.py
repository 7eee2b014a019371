"""Plans of jobs over ops: every op runs."""

import opgraph as dg
from opgraph.plan.jobs import plan_graph
from opgraph.plan.model import Do, FromCaller, FromDefault, FromMany, FromStep, Role
from opgraph.resolve.flatten import flatten


@dg.op
def one():
    return 1


@dg.op
def plus(x, y=2):
    return x + y


@dg.op(out={"a": dg.Out(), "b": dg.Out(dg.Nothing, is_required=False)})
def two(): ...


@dg.op(ins={"after": dg.In(dg.Nothing)})
def last(): ...


@dg.op
def total(items): ...


@dg.graph
def inner(x):
    return plus(x)


@dg.graph
def whole(given):
    a, b = two()
    last(after=b)
    last.alias("last_of_all")(after=[inner(a), b])
    return total([one(), given, plus(a, 7)])


def inputs(plan, key):
    return {each.name: each.source for each in plan.steps[plan.index()[key]].inputs}


def test_every_op_runs_and_every_output_is_needed():
    """Each op is a step that runs because the job does; all outputs are stored, `Nothing` ones excepted."""
    plan = plan_graph(flatten(whole), job="daily")
    assert [step.key for step in plan.steps] == [
        "two", "last", "inner.plus", "last_of_all", "one", "plus", "total",
    ]  # fmt: skip
    assert {(s.decision.do, s.decision.reason) for s in plan.steps} == {(Do.RUN, "the job runs all its ops")}
    assert {output.role for step in plan.steps for output in step.outputs} == {Role.NEEDED}
    assert [(o.name, o.required, o.stored) for o in plan.steps[0].outputs] == [("a", True, True), ("b", False, False)]
    assert (plan.job, plan.selection, plan.besides) == ("daily", (), ())
    assert {step.unit for step in plan.steps} == {"daily"}


def test_where_inputs_come_from():
    """An input comes from a step, from the caller by the graph's own name, or has a default or written value."""
    plan = plan_graph(flatten(whole), job="daily")
    place = plan.index()
    assert inputs(plan, "plus") == {"x": FromStep(place["two"], "a"), "y": FromDefault()}
    assert inputs(plan, "inner.plus") == {"x": FromStep(place["two"], "a"), "y": FromDefault()}
    assert inputs(plan, "total")["items"].items[0] == FromStep(place["one"], "result")
    assert inputs(plan, "total")["items"].items[2] == FromStep(place["plus"], "result")

    @dg.graph
    def outer(thing):
        return inner(thing)

    assert inputs(plan_graph(flatten(outer), job="j"), "inner.plus")["x"] == FromCaller("thing")


def test_nothing_only_orders():
    """A `Nothing` input is an order, a list of them a list with nothing to load."""
    plan = plan_graph(flatten(whole), job="daily")
    place = plan.index()
    step = plan.steps[place["last"]]
    assert (step.inputs, step.after) == ((), (FromStep(place["two"], "b"),))
    step = plan.steps[place["last_of_all"]]
    assert step.after == ()
    assert step.inputs[0].nothing
    assert step.inputs[0].source == FromMany((FromStep(place["inner.plus"], "result"), FromStep(place["two"], "b")))


def test_chosen_ops():
    """Of some of the ops just these run; what came from another op is the caller's to give, or has its default."""
    plan = plan_graph(flatten(whole), job="daily", chosen={"plus", "last"})
    assert [step.key for step in plan.steps] == ["last", "plus"]
    assert inputs(plan, "plus") == {"x": FromCaller("x"), "y": FromDefault()}
    assert plan.steps[0].after == ()


def test_labels_and_versions():
    """A step carries the op's tags, version and hash of code, and the I/O managers its op names."""

    @dg.op(
        tags={"k": "v"}, code_version="3", out=dg.Out(io_manager_key="lake"), ins={"x": dg.In(input_manager_key="p")}
    )
    def it(x): ...

    @dg.graph
    def g(x):
        return it(x)

    (step,) = plan_graph(flatten(g), job="j").steps
    assert (dict(step.tags), step.code_version, len(step.code)) == ({"k": "v"}, "3", 32)
    assert step.outputs[0].io_manager == "lake"
    assert step.inputs[0].manager == "p"
