"""Graphs made flat: paths, the places that inputs come from, and the order of steps."""

import pytest

import opgraph as dg
from opgraph.declare.frozen import replaced
from opgraph.declare.graphs.wires import FromNode
from opgraph.resolve.flatten import UNWIRED, Constant, Many, OuterInput, StepOut, flatten
from opgraph.resolve.mistakes import GraphCycle


@dg.op
def one():
    return 1


@dg.op
def plus(x, y=2):
    return x + y


@dg.op(out={"a": dg.Out(), "b": dg.Out()})
def two():
    return 1, 2


@dg.op(ins={"after": dg.In(dg.Nothing)})
def last(): ...


@dg.op
def total(items):
    return sum(items)


def keys(flat):
    return [step.key for step in flat.steps]


def inputs(flat, key):
    return next(dict(step.inputs) for step in flat.steps if step.key == key)


def out(flat, key, output="result"):
    return StepOut(keys(flat).index(key), output)


def test_an_op_alone_is_one_step():
    """An op is a step of its own name, or of the path it is given; its inputs come from outside."""
    flat = flatten(plus)
    assert keys(flat) == ["plus"]
    assert inputs(flat, "plus") == {"x": OuterInput("x"), "y": OuterInput("y")}
    assert flat.returns == {"result": StepOut(0, "result")}
    assert flat.steps[0].node is None
    assert keys(flatten(plus, ("pre", "plus"))) == ["pre.plus"]


def test_paths_of_nested_graphs():
    """A step's key is the path of the calls to it; `op_2`, `op_3` where one op is used again, aliases as given."""

    @dg.graph
    def inner(x):
        return plus(plus(x))

    @dg.graph
    def outer():
        return inner(inner.alias("once")(plus.alias("start")(one())))

    assert keys(flatten(outer, ("top",))) == [
        "top.one", "top.start", "top.once.plus", "top.once.plus_2", "top.inner.plus", "top.inner.plus_2",
    ]  # fmt: skip


def test_names_of_graphs_leave_no_trace_in_the_wiring():
    """What passes through the inputs and outputs of graphs comes from the op's own output."""

    @dg.graph(out={"p": dg.GraphOut(), "q": dg.GraphOut()})
    def inner(u):
        a, b = two()
        return {"p": plus(a, u), "q": b}

    @dg.graph(out={"left": dg.GraphOut(), "right": dg.GraphOut(), "same": dg.GraphOut()})
    def outer(v):
        p, q = inner(v)
        return {"left": q, "right": p, "same": v}

    flat = flatten(outer)
    assert inputs(flat, "inner.plus") == {"x": out(flat, "inner.two", "a"), "y": OuterInput("v")}
    assert flat.returns == {
        "left": out(flat, "inner.two", "b"),
        "right": out(flat, "inner.plus"),
        "same": OuterInput("v"),
    }


def test_parents_are_the_calls_around_a_step():
    """Each step knows its own call and the calls of the graphs around it, outermost first."""

    @dg.graph
    def inner():
        return one.tag({"k": "v"})()

    @dg.graph
    def outer():
        return inner.alias("around")()

    (step,) = flatten(outer).steps
    assert step.node.tags == {"k": "v"}
    assert [node.name for node in step.parents] == ["around"]
    assert step.path == ("around", "one")


def test_a_list_handed_in_joins_the_list_inside():
    """A list given to a graph's input, and there an element of another list, becomes part of it, in order."""

    @dg.graph
    def inner(many, single):
        return total([one(), many, single])

    @dg.graph
    def outer(w):
        first, second = one.alias("first")(), one.alias("second")()
        return inner([first, w, second], one.alias("third")())

    flat = flatten(outer)
    assert inputs(flat, "inner.total") == {
        "items": Many(
            (
                out(flat, "inner.one"),
                out(flat, "first"),
                OuterInput("w"),
                out(flat, "second"),
                out(flat, "third"),
            )
        )
    }


def test_constants_and_defaults():
    """A value written in the body is a constant, also through a nested graph; what is not wired has its default."""

    @dg.graph
    def inner(x):
        return plus(x)

    @dg.graph
    def outer():
        return plus(inner(5), 7)

    flat = flatten(outer)
    five, left_out = inputs(flat, "inner.plus").values()
    made, seven = inputs(flat, "plus").values()
    assert (type(five), five.value) == (Constant, 5)
    assert left_out is UNWIRED
    assert made == out(flat, "inner.plus")
    assert (type(seven), seven.value) == (Constant, 7)


def test_nothing_is_wired_like_any_other():
    """A `Nothing` input has its source, or a list of them; that it only orders is the op's word."""

    @dg.graph
    def outer():
        last(after=[one(), one.alias("again")()])

    flat = flatten(outer)
    assert inputs(flat, "last") == {"after": Many((out(flat, "one"), out(flat, "again")))}


@dg.graph
def written():
    return plus.alias("third")(plus.alias("second")(one.alias("first")()))


def test_graphs_put_together_by_hand_are_put_in_order():
    """The nodes of a graph may stand in any order: steps come after those that feed them."""
    by_hand = replaced(written, nodes=dict(reversed(written.nodes.items())))
    assert list(by_hand.nodes) == ["third", "second", "first"]
    flat = flatten(by_hand)
    assert keys(flat) == ["first", "second", "third"]
    assert inputs(flat, "third")["x"] == out(flat, "second")


def test_a_circle_of_nodes_is_refused():
    """Nodes that feed one another in a circle are named, without those that only come after them."""
    wires = {**written.wires, "first": {"x": FromNode("second")}}
    nodes = {**written.nodes, "first": written.nodes["second"]}
    with pytest.raises(GraphCycle) as caught:
        flatten(replaced(written, nodes=nodes, wires=wires))
    assert caught.value.nodes == ("first", "second")
    assert caught.value.where.file == __file__
    assert caught.value.what == "in graph `written`, these nodes depend on one another in a circle: `first`, `second`"


def test_a_long_graph_in_the_wrong_order_is_quick():
    """Putting 3,000 nodes in order takes no recursion, and time in proportion."""
    node = written.nodes["second"]
    names = [f"n{i}" for i in range(3000)]
    wires = {name: {"x": FromNode(names[i + 1])} for i, name in enumerate(names[:-1])}
    by_hand = replaced(written, nodes=dict.fromkeys(names, node), wires=wires, returns={"result": FromNode("n0")})
    assert keys(flatten(by_hand)) == list(reversed(names))
