"""Functions under a user's own decorators that use `functools.wraps`."""

import asyncio
import functools

import pytest

from opgraph import (
    AssetOut,
    Config,
    DynamicOut,
    DynamicOutput,
    Instance,
    asset,
    build_op_context,
    failure_hook,
    graph,
    graph_asset,
    job,
    materialize,
    multi_asset,
    multiprocess_executor,
    op,
    threads_executor,
)
from opgraph.declare.mistakes import PositionalRest, collecting
from opgraph.declare.ops.hooks import HookParameters

calls = []


def counted(fn):
    @functools.wraps(fn)
    def inner(*args, **kwargs):
        calls.append(fn.__name__)
        return fn(*args, **kwargs)

    return inner


def waited_for(fn):
    """What awaits, as an ordinary function."""

    @functools.wraps(fn)
    def inner(*args, **kwargs):
        return asyncio.run(fn(*args, **kwargs))

    return inner


class By(Config):
    factor: int = 3


@asset
@counted
def base(context) -> int:
    return len(context.asset_key.path) + 1


@op
@counted
@counted
def add(context, x: int, y: int = 2) -> int:
    """Adds."""
    context.log.info("adds")
    return x + y


@op
@counted
def times(config: By, x: int) -> int:
    return x * config.factor


@op
@counted
async def later(x):
    await asyncio.sleep(0)
    return x


@op
@waited_for
async def waits(x):
    await asyncio.sleep(0)
    return x


@op(out=DynamicOut())
@counted
def each(x):
    for i in range(x):
        yield DynamicOutput(i, mapping_key=str(i))


@op
@counted
def total(xs):
    return sum(xs)


@graph_asset
@counted
def whole(base):
    return total(each(waits(later(times(add(base))))).map(later).collect())


@pytest.mark.parametrize("executor", [None, threads_executor, multiprocess_executor])
def test_it_takes_what_the_function_takes(executor, tmp_path):
    """Context, config, defaults, annotations, async functions, generators: all as without the decorator, which runs."""
    calls.clear()
    with Instance(tmp_path) as instance:
        ran = materialize([base, whole], instance=instance, executor=executor)
        result = ran.output_for_node("whole")
    assert result == sum(range(12))
    assert list(add.ins) == ["x", "y"]
    assert (add.description, add.outs["result"].dagster_type) == ("Adds.", times.outs["result"].dagster_type)
    if executor is None:
        assert calls.count("add") == 2


def test_called_directly():
    """A test calls it like the function."""
    assert add(build_op_context(), 1) == 3
    assert waits(4) == 4
    assert [item.value for item in each(2)] == [0, 1]


def test_a_decorator_without_wraps():
    """Of a function that takes anything the inputs are not known: the mistake says what a decorator lacks."""

    def careless(fn):
        def inner(*args, **kwargs):
            return fn(*args, **kwargs)

        return inner

    with pytest.raises(PositionalRest, match=r"functools\.wraps"):
        op(careless(lambda x: x))


def test_a_decorator_with_parameters_of_its_own():
    """What does not hand on everything takes what it says itself."""

    def with_limit(fn):
        @functools.wraps(fn)
        def inner(rows, limit=1):
            return fn(rows[:limit])

        return inner

    @op
    @with_limit
    def kept(rows):
        return rows

    assert list(kept.ins) == ["rows", "limit"]
    assert kept([1, 2]) == [1]


def by_name(fn):
    @functools.wraps(fn)
    def inner(**kwargs):
        return fn(**kwargs)

    return inner


def with_context(fn):
    @functools.wraps(fn)
    def inner(context, **kwargs):
        calls.append(context.op_def.name)
        return fn(context, **kwargs)

    return inner


def without_context(fn):
    """What takes the context for itself."""

    @functools.wraps(fn)
    def inner(context, *args, at_most=1000, **kwargs):
        return min(at_most, fn(*args, **kwargs))

    return inner


@op
@with_context
def plus(context, x, y=2):
    return x + y + (context.run_id == "")


@pytest.mark.parametrize("decorator", [by_name, with_context, lambda fn: counted(by_name(with_context(fn)))])
def test_a_decorator_that_hands_on_names(decorator):
    """One that takes `**kwargs` takes what the function takes, which has its context in any case."""

    @asset
    @decorator
    def made(context, config: By, base: int) -> int:
        return base * config.factor + (context.run_id == "")

    @multi_asset(outs={"one": AssetOut(), "two": AssetOut()})
    @decorator
    def both(context, made):
        return made, made * 2

    assert materialize([base, made, both]).asset_value("two") == 12


def test_a_decorator_that_takes_the_context_for_itself():
    """The function has none; what the decorator has defaults for is its own."""

    @asset
    @without_context
    def made(base):
        return base

    assert list(made.op.ins) == ["base"]
    assert materialize([base, made]).asset_value("made") == 2


@op
def start():
    return 5


def test_graphs_jobs_and_hooks_under_decorators():
    """They take what their functions take."""
    told = []

    @graph
    @by_name
    def sum_of(x):
        return plus(x)

    @failure_hook
    @counted
    def tell(context):
        told.append(context.step_key)

    @op
    @by_name
    def fails(x):
        raise ValueError(x)

    @job(hooks={tell})
    @by_name
    def sums():
        fails(sum_of(start()))

    sums.execute_in_process(raise_on_error=False)
    assert told == ["fails"]
    assert plus(build_op_context(), 1) == plus(build_op_context(), x=1, y=2)


def test_a_hook_whose_decorator_takes_no_context():
    """A hook is called with its context alone, by place: the mistake says whose function has no place for it."""
    with pytest.raises(HookParameters, match="decorator"):

        @failure_hook
        @by_name
        def tell(context):
            pass


def test_a_mistake_of_a_decorator_is_said_once():
    """Where an op's inputs are not known, what it is called with is not complained of too."""

    def careless(fn):
        def inner(*args, **kwargs):
            return fn(*args, **kwargs)

        return inner

    with collecting() as found:
        unclear = op(name="unclear")(careless(lambda x: x))

        @graph
        def whole():
            return unclear(x=start())

        graph(name="other")(lambda: unclear(start()))
    assert [type(each) for each in found] == [PositionalRest]
