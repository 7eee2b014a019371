"""Ops and assets as plain functions."""

import asyncio

import pytest

from opgraph.declare.assets.asset import asset
from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.graphs.graph import graph
from opgraph.declare.ops.inputs import In, Nothing
from opgraph.declare.ops.materialization import MaterializeResult
from opgraph.declare.ops.op import op
from opgraph.declare.ops.outputs import GraphOut, Out, Output
from opgraph.errors import InvalidInvocationError, InvariantViolationError
from opgraph.keys import AssetKey
from opgraph.run import mistakes
from opgraph.run.call.build_contexts import build_asset_context, build_op_context
from opgraph.run.call.invoke import invoke

AB = {"a": Out(), "b": Out()}


def call(definition, *args, **kwargs):
    return invoke(definition, args, kwargs)


def assets_of(node, **keys):
    keys = {name: AssetKey(key) for name, key in keys.items()}
    return AssetsDefinition(
        node_def=node,
        keys_by_input_name={name: AssetKey(name) for name in node.ins},
        keys_by_output_name=keys,
        specs=[AssetSpec(key) for key in keys.values()],
    )


@op
def add(x, y=2):
    return x + y


@op(ins={"start": In(Nothing), "z": In(default_value=7)})
def typed(context, x, *, y=2, z):
    return (context.op_def.name, x, y, z)


def test_positions_keywords_defaults():
    """Arguments go by position and name; defaults of the function and of In hold; Nothing inputs are not given."""
    assert call(add, 1) == 3 == call(add, x=1)
    assert call(add, 1, 5) == 6 == call(add, 1, y=5)
    assert call(typed, build_op_context(), 1) == ("typed", 1, 2, 7)
    assert call(typed, None, 1, y=3, z=4) == ("typed", 1, 3, 4)
    assert call(typed, x=1, context=build_op_context()) == ("typed", 1, 2, 7)


def test_a_context_that_is_not_taken():
    """A context given to a function without one is left out."""
    assert call(add, build_op_context(), 1) == 3


@pytest.mark.parametrize(
    ("definition", "args", "kwargs", "kind", "text"),
    [
        (typed, (), {}, mistakes.ContextMissing, "no context was provided"),
        (typed, (1,), {}, mistakes.ContextMissing, "type int in its place"),
        (add, (1, 2, 3), {}, mistakes.TooManyArguments, "too many arguments: 3 by position, and it takes 2: `x`, `y`"),
        (typed, (None, 1, 2), {}, mistakes.TooManyArguments, "2 by position, and it takes 1"),
        (add, (1,), {"x": 1}, mistakes.UnknownArguments, "`x`"),
        (add, (1,), {"why": 1}, mistakes.UnknownArguments, "`why`"),
        (typed, (None, 1), {"start": None}, mistakes.UnknownArguments, "only order"),
        (add, (), {}, mistakes.MissingArguments, "was called without `x`"),
    ],
)
def test_wrong_arguments(definition, args, kwargs, kind, text):
    """Arguments that do not fit are InvalidInvocationErrors, one class each, which name the op and its place."""
    with pytest.raises(kind) as caught:
        invoke(definition, args, kwargs)
    assert isinstance(caught.value, InvalidInvocationError)
    assert text in str(caught.value)
    assert definition.name in str(caught.value)
    assert __file__ in str(caught.value)


def test_results_are_unchanged():
    """What the function returns is returned: a tuple of several outputs, an Output with its metadata."""

    @op(out=AB)
    def two():
        return 1, 2

    @op
    def wrapped():
        return Output(1, metadata={"m": 2})

    assert call(two) == (1, 2)
    assert call(wrapped) == Output(1, metadata={"m": 2})


def test_generators():
    """A generator stays one; its outputs are checked as they come, and at the end."""

    @op(out=AB)
    def good():
        yield Output(1, "a")
        yield Output(2, "b")

    @op(out=AB)
    def bad():
        yield Output(1, "a")

    assert [each.value for each in call(good)] == [1, 2]
    items = call(bad)
    assert next(items).value == 1
    with pytest.raises(InvariantViolationError, match="without its required output `b`"):
        next(items)


def test_async():
    """An async function gives a coroutine, an async generator an async generator, both checked."""

    @op
    async def waits(x):
        await asyncio.sleep(0)
        return x + 1

    @op(out=AB)
    async def generates():
        yield Output(1, "a")
        yield Output(2, "b")

    @op(out=AB)
    async def broken():
        return None

    async def all_of(items):
        return [item.value async for item in items]

    assert asyncio.run(call(waits, 1)) == 2
    assert asyncio.run(all_of(call(generates))) == [1, 2]
    with pytest.raises(mistakes.NoneForSeveral):
        asyncio.run(call(broken))


def test_outputs_are_checked():
    """The rules of outputs hold in direct calls too."""

    @op(out=AB)
    def broken():
        return (1,)

    with pytest.raises(mistakes.WrongLength):
        call(broken)


def test_the_context_can_be_looked_at_afterwards():
    """What the function added to the context is there for the test; resources are what was given."""

    @op
    def looks(context):
        context.add_output_metadata({"m": context.resources.size})
        return context.selected_output_names

    context = build_op_context(resources={"size": 3})
    assert call(looks, context) == {"result"}
    assert context.get_output_metadata("result") == {"m": 3}


def test_assets():
    """An asset's function is called like an op's; its context knows the keys, its results are found by key."""

    @op(out=AB)
    def both(context, up):
        assert context.asset_key_for_input("up") == AssetKey("up")
        yield MaterializeResult("y", value=up)
        yield MaterializeResult("x", metadata={"keys": len(context.asset_keys)})

    results = list(call(assets_of(both, a="x", b="y"), build_asset_context(), 5))
    assert [(each.asset_key.text, each.metadata) for each in results] == [("y", {}), ("x", {"keys": 2})]


def test_selected_outputs_of_a_built_context():
    """A context built with selected outputs makes only those required."""

    @op(out=AB)
    def some(context):
        for name in context.selected_output_names:
            yield Output(1, name)

    assert [each.output_name for each in call(some, build_op_context(selected_output_names=["b"]))] == ["b"]


# -- graphs --


@op(out={"small": Out(), "big": Out(is_required=False)})
def sort(context, n):
    context.log.debug("sorting")
    yield Output(n, "small")
    if n > context.resources.limit:
        yield Output(n * 100, "big")


@op
def double(n=21):
    return 2 * n


@op
async def total(numbers):
    return sum(numbers)


@graph
def doubled(n, m):
    return {"n": double(n), "m": double.alias("other")(m)}


@graph(out={"sum": GraphOut(), "big": GraphOut()})
def whole(n):
    small, big = sort(n)
    twice = doubled(small, big)
    return {"sum": total([twice.n, twice.m]), "big": twice.m}


@graph
def only_double(n):
    return double(n)


@graph
def silent(n):
    double(n)


@op(required_resource_keys={"limit"})
def look(context):
    return context.resources.limit, context.has_assets_def


@graph
def looking():
    return look()


def test_a_graph_is_called():
    """A graph called outside of a graph's body runs its ops, nested ones too, and gives what it returns: a value, a
    tuple of several, None for none; what depends on an optional output that did not come is left out."""
    context = build_op_context(resources={"limit": 5})
    assert call(doubled, context, 1, m=2) == (2, 4)
    assert call(whole, context, 10) == (20 + 2000, 2000)
    assert call(whole, context, n=1) == (2, None)
    assert call(only_double, 3) == 6
    assert call(silent, 3) is None
    with pytest.raises(mistakes.MissingArguments, match="called without `n`"):
        call(whole)
    with pytest.raises(mistakes.TooManyArguments):
        call(whole, 1, 2)


def test_the_context_of_a_graph_that_is_called():
    """An op of a graph that is no asset has its resources and config, and no asset."""
    context = build_op_context(resources={"limit": 5})
    assert call(looking, context) == (5, False)


def test_a_job_is_not_called():
    """A job called like a function is an error that says how to run it."""
    with pytest.raises(InvariantViolationError, match="execute_in_process"):
        only_double.to_job()(1)


def test_a_graph_asset_is_called():
    """A graph's asset is called with its inputs and gives its values, through nested graphs, lists and async ops;
    what depends on an optional output that did not come is left out."""
    asset = assets_of(whole, sum="sum", big="big")
    context = build_asset_context(resources={"limit": 5})
    assert call(asset, context, 10) == (20 + 2000, 2000)
    assert call(asset, context, n=1) == (2, None)
    with pytest.raises(mistakes.MissingArguments, match="called without `n`"):
        call(asset)
    with pytest.raises(mistakes.UnknownArguments, match="`k`"):
        call(asset, k=1)
    with pytest.raises(mistakes.TooManyArguments):
        call(asset, 1, 2)


def test_a_graph_asset_with_defaults():
    """Defaults of the graph and of its ops hold when nothing is given; a result by key is found in nested graphs."""

    @op
    def result(n):
        return MaterializeResult("made", value=n, metadata={"n": n})

    @graph
    def inner(n):
        return result(n)

    @graph
    def outer(n=4):
        return inner(double(n))

    assert call(assets_of(outer, result="made")) == 8
    assert call(assets_of(outer, result="made"), 5) == 10


def test_a_definition_brings_its_resources_into_a_direct_call():
    """What `resource_defs` have is there beside the context's resources; a key in both is an error."""

    @asset(resource_defs={"warehouse": "own"}, required_resource_keys={"limit"})
    def table(context):
        return context.resources.warehouse, context.resources.limit

    context = build_asset_context(resources={"limit": 3})
    assert [table(context), table(context)] == [("own", 3)] * 2
    with pytest.raises(mistakes.ResourcesOnBoth) as caught:
        table(build_asset_context(resources={"warehouse": "other", "limit": 3}))
    assert caught.value.keys == ("warehouse",)
