"""Wires whose two ends have types that have no value in common."""

# ruff: noqa: UP007, UP045, F821 - annotations as people write them

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import pytest

from opgraph import (
    AssetIn,
    AssetOut,
    Config,
    In,
    InMemoryIOManager,
    IOManager,
    MaterializeResult,
    Out,
    Output,
    asset,
    graph,
    graph_asset,
    graph_multi_asset,
    materialize,
    multi_asset,
    op,
)
from opgraph.errors import InvalidDefinitionError
from opgraph.resolve.types import TypesDisagree, apart

T = TypeVar("T")
UserId = NewType("UserId", int)


class Animal: ...


class Cat(Animal): ...


class Swimmer: ...


class Otter(Animal, Swimmer): ...


class Colour(str, enum.Enum):  # noqa: UP042 - as in older code
    RED = "red"


class Sized(Protocol):
    def size(self) -> int: ...


class Row(TypedDict):
    n: int


class Pair(NamedTuple):
    a: int
    b: int


class Limit(Config):
    most: int = 3


class Frame(Generic[T]):
    """A table, of rows that a type describes, as libraries that check tables have them."""


class Lazy(Frame[T]): ...


CAN_MEET = [
    (int, int), (Any, int), (int, Any), (object, str), (str, object), (Cat, Animal), (Animal, Cat), (int, float),
    (float, int), (bool, int), (bytes, bytearray), (int | None, str | None), (Optional[int], None),
    (Union[int, str], str | bytes),
    (list[int], list[str]), (list[int], Sequence[int]), (dict, Mapping[str, int]), (Sequence[int], list), (Colour, str),
    (Animal, Swimmer), (Swimmer, Cat | Otter), (Cat, Sized), (Sized, int), (T, int), (int, T), (UserId, int),
    (int, UserId), (Annotated[int, "days"], int), (Literal["a"], str), (Row, dict), (dict[str, int], Row),
    (Pair, tuple[int, int]),
    (str, Iterable[str]), (type[int], type), (Callable[[], int], Callable[[str], str]), ("Unfound", int),
    (int, "Unfound"),
    (Frame[Row], Frame[Row]), (Frame[Row], Frame), (Lazy[Row], Frame[Row]), (Frame[Row], Frame[Pair]),
    (list["Unfound"], list[int]), ("Unfound" , "Other"), (3, int), ([int], int), (Decimal, int | Decimal),
]  # fmt: skip
APART = [
    (int, str), (str, int), (None, int), (int, None), (int | None, str), (list[int], int), (int, list[int]),
    (str, Path),
    (Path, str), (Cat, int), (dict, list), (tuple[int, ...], list[int]), (float, str), (bytes, str), (UserId, str),
    (Annotated[int, "days"], str), (Literal["a", 1], bytes), (Row, list), (Cat, Iterable[int]),
    (Iterator[int], list[int]),
    (Frame[Row], str), (Lazy[Row], Cat),
    (Union[int, str], bytes | list), (Cat, Swimmer), (Decimal, str), (type[int], int), (set[int], frozenset),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), CAN_MEET, ids=str)
def test_types_that_can_meet(one, other):
    """Types of which some value may be a value of the other, or of which not enough is known, are left alone."""
    assert not apart(one, other)


@pytest.mark.parametrize(("one", "other"), APART, ids=str)
def test_types_apart(one, other):
    """Types without a value in common are told, whichever of them is given."""
    assert apart(one, other)
    assert apart(other, one)


# -- wires -----------------------------------------------------------------------


@op
def text() -> str:
    return "one"


@op
def number(n: int) -> int:
    return n


@op
def numbers(ns: list[int]) -> list[int]:
    return ns


def problems_of(*assets, **resources):
    """What is wrong with these assets."""
    try:
        materialize(assets, resources=resources, raise_on_error=False)
    except InvalidDefinitionError as error:
        return list(error.problems)
    return []


def test_a_wire_inside_a_graph():
    """The mistake names the input and the output with their types, the line of the call, and both ops."""

    @graph
    def inner(x):
        return number(x)

    @graph_asset
    def total():
        return inner(text())

    (problem,) = problems_of(total)
    assert isinstance(problem, TypesDisagree)
    assert (problem.reader, problem.input, problem.wanted) == ("total.inner.number", "n", int)
    assert (problem.maker, problem.output, problem.given) == ("total.text", "result", str)
    assert (
        problem.what
        == "the input `n` of `total.inner.number` takes `int`, and the output `result` of `total.text` is `str`"
    )
    assert problem.where.file == __file__
    assert Path(__file__).read_text().splitlines()[problem.where.line - 1].strip() == "return number(x)"
    assert f"at {number.source}, at {text.source}" in problem.fix


def test_a_graph_of_ops():
    """A graph that is run as a job is checked as well, before anything runs."""

    @graph
    def job_of_ops():
        number(text())

    with pytest.raises(TypesDisagree):
        job_of_ops.execute_in_process()


def test_generic_types():
    """Dagster #22694: assets and ops are annotated with generic classes of the user's own, without any declaration, and
    the value is checked as one of the class."""

    @asset
    def rows() -> Frame[Row]:
        return Lazy()

    @op
    def same(rows: Frame[Row]) -> Lazy[Row] | None:
        return None

    @graph_asset
    def lazy(rows):
        return same(rows)

    @asset
    def wrong() -> Frame[Row]:
        return 3  # pyright: ignore[reportReturnType] - what is tested

    assert materialize([rows, lazy]).success
    assert not materialize([wrong], raise_on_error=False).success


def test_assets():
    """Dagster #34009: between assets the mistake names the asset, before anything runs; through a graph asset's input
    too."""

    @asset(key_prefix="raw")
    def flights() -> str:
        return ""

    @asset(ins={"rows": AssetIn("raw/flights")})
    def delays(rows: list[int]) -> None: ...

    @graph_asset(ins={"rows": AssetIn("raw/flights")})
    def counted(rows):
        return number(rows)

    first, second = problems_of(flights, delays, counted)
    assert str(first).startswith("the input `rows` of `delays` takes `list[int]`, and the asset `raw/flights` is `str`")
    assert second.reader == "counted.number"


def test_lists():
    """Of several outputs in a list each is checked, and the list itself."""

    @graph_asset
    def each():
        return numbers([text(), number(1)])

    @graph_asset
    def whole():
        return number([number(2)])

    (one,) = problems_of(each)
    assert (one.wanted, one.given) == (list[int], str)
    (other,) = problems_of(whole)
    assert (other.wanted, other.given) == (int, list[int])


def test_several_outputs():
    """The outputs of a tuple, those that are declared, and the one of a generator have the types that are said."""

    @op(out={"a": Out(), "b": Out()})
    def pair() -> tuple[int, Output[str]]:
        return 1, Output("", "b")

    @op
    def yielded() -> Iterator[Output[str]]:
        yield Output("")

    @op(out=Out(str), ins={"x": In(int)})
    def declared(x):
        return ""

    @graph_multi_asset(outs={"one": AssetOut(), "two": AssetOut(), "three": AssetOut(), "four": AssetOut()})
    def all_of_them():
        a, b = pair()
        return {
            "one": number(a),
            "two": number(b),
            "three": number(yielded()),
            "four": number.alias("last")(declared(text())),
        }

    found = {(each.reader, each.maker) for each in problems_of(all_of_them)}
    assert found == {
        ("all_of_them.number_2", "all_of_them.pair"),
        ("all_of_them.number_3", "all_of_them.yielded"),
        ("all_of_them.last", "all_of_them.declared"),
        ("all_of_them.declared", "all_of_them.text"),
    }


class Turning(IOManager):
    """Gives back numbers for the texts that it is given."""

    def handle_output(self, context, obj):
        pass

    def load_input(self, context):
        return 1


def test_managers_that_turn_values():
    """What a user's I/O manager stores may come back as another type: nothing is said of it."""

    @asset
    def words() -> str:
        return ""

    @asset(io_manager_key="turning")
    def turned() -> str:
        return ""

    @asset
    def after(turned: int) -> None: ...

    @asset
    def count(words: int) -> None: ...

    @asset(ins={"words": AssetIn(input_manager_key="turning")})
    def by_input(words: int) -> None: ...

    assert problems_of(words, count, io_manager=Turning()) == []
    assert problems_of(turned, after, turning=Turning()) == []
    assert problems_of(words, by_input, turning=Turning()) == []
    assert len(problems_of(words, count, io_manager=InMemoryIOManager())) == 1


def test_what_stands_for_a_value_is_no_value():
    """`MaterializeResult`, a bare `Output`, no annotation, and names that cannot be found fit everything."""

    @asset
    def a() -> MaterializeResult:
        return MaterializeResult(value=1)

    @asset
    def b() -> Output:
        return Output(1)

    @asset
    def c() -> Output[int] | int:
        return 1

    @asset
    def d() -> Unfound:
        return 1

    @multi_asset(outs={"e": AssetOut(), "f": AssetOut()})
    def g() -> dict[str, int]:
        return {"e": 1, "f": 2}

    @asset
    def h() -> MaterializeResult[str]:
        return MaterializeResult(value="")

    @asset
    def reader(h: int) -> None: ...

    assert len(problems_of(h, reader)) == 1

    @asset
    def taker(context, a: int, b: int, c: int, d: int, e: int, f: int, config: Limit) -> int:
        return config.most

    assert problems_of(a, b, c, d, g, taker) == []


def test_all_at_once():
    """Every wire that cannot work is told, with everything else that is wrong."""

    @asset
    def words() -> str:
        return ""

    @asset
    def x(words: int, missing: int) -> None: ...

    @asset
    def y(words: bytes) -> None: ...

    kinds = [type(each).__name__ for each in problems_of(words, x, y)]
    assert sorted(kinds) == ["TypesDisagree", "TypesDisagree", "UnknownUpstream"]


def test_the_type_of_an_asset_that_a_graph_makes():
    """`dagster_type` of a graph asset, or of an output of several, is the type of the op's output that makes it: it is
    compared with what reads it, and a value of another type fails the step that made it, in a nested graph too."""

    @op
    def worded(given):
        return given

    @graph
    def inner(given):
        return worded(given)

    @op
    def made():
        return "a word"

    @graph_asset(dagster_type=str)
    def word():
        return inner(made())

    @graph_multi_asset(outs={"number": AssetOut(dagster_type=int), "any": AssetOut()})
    def several():
        return {"number": inner(made()), "any": made()}

    @asset
    def reader(word: int, any: int) -> None: ...

    assert [each.asset.text for each in problems_of(word, several, reader)] == ["word"]
    assert materialize([word]).asset_value("word") == "a word"
    result = materialize([several], raise_on_error=False)
    assert [each.step_key for each in result.get_step_failure_events()] == ["several.inner.worded"]
    assert worded.outs["result"].dagster_type is not int
