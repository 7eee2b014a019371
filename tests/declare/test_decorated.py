"""Functions under a user's own decorators that use `functools.wraps`."""

import asyncio
import functools

import pytest

from opgraph import (
    Config,
    DynamicOut,
    DynamicOutput,
    Instance,
    asset,
    build_op_context,
    graph_asset,
    materialize,
    multiprocess_executor,
    op,
    threads_executor,
)
from opgraph.declare.mistakes import PositionalRest

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
