"""Values are checked against plain classes in annotations, in runs and direct calls."""

from typing import Any, Optional, Protocol

import pytest

import opgraph as og
from opgraph.run.types import classes_of


class Named(Protocol):
    name: str


@pytest.mark.parametrize(
    ("annotation", "value", "fits"),
    [
        (int, 1, True),
        (int, "1", False),
        (float, 1, True),
        (list[int], ["x"], True),
        (list[int], (1,), False),
        (Optional[int], None, True),  # noqa: UP045 - as many write it
        (int | str, 1.5, False),
        (Any, object(), True),
        (Named, 1, True),
    ],
)
def test_what_fits(annotation, value, fits):
    """Classes and unions of them are checked, of a list only that it is one, and what is no class not at all."""
    classes = classes_of(annotation)
    assert (not classes or isinstance(value, classes)) is fits


@og.op
def wrong() -> int:
    return "x"


@og.op
def takes(x: int):
    return x


@og.op
def text():
    return "x"


def test_outputs():
    """An output of another type fails the step, and the direct call."""
    with pytest.raises(og.TypeCheckDidNotPass, match="output `result` of `wrong` is declared as int"):
        wrong()

    @og.job
    def j():
        wrong()

    with pytest.raises(og.TypeCheckDidNotPass):
        j.execute_in_process()


def test_inputs():
    """An input of another type fails the step before the function is called."""

    @og.job
    def j():
        takes(text())

    with pytest.raises(og.TypeCheckDidNotPass, match="input `x` of `takes`"):
        j.execute_in_process()
    with pytest.raises(og.TypeCheckDidNotPass):
        takes("x")


def test_a_value_for_nothing():
    """A value where none is declared is the same kind of mistake."""

    @og.op(out=og.Out(og.Nothing))
    def op():
        return 1

    with pytest.raises(og.TypeCheckDidNotPass):
        op()


@og.op
def each_a_number(last: str) -> list[og.DynamicOutput[int]]:
    return [og.DynamicOutput(1, mapping_key="one"), og.DynamicOutput(last, mapping_key="two")]


@og.op(out=og.DynamicOut(int))
def one_by_one(last: str):
    yield og.DynamicOutput(1, mapping_key="one")
    yield og.DynamicOutput(last, mapping_key="two")


@pytest.mark.parametrize("op", [each_a_number, one_by_one])
def test_each_value_of_a_fan_out_is_checked(op):
    """A type given for a fan-out, as `DynamicOut(int)` or `list[DynamicOutput[int]]`, is that of each value."""

    @og.job
    def j():
        op("x")

    with pytest.raises(og.TypeCheckDidNotPass, match=f"output `result` of `{op.name}` is declared as int"):
        j.execute_in_process()
    with pytest.raises(og.TypeCheckDidNotPass):
        list(op("x"))


def test_a_list_says_nothing_of_a_fan_outs_values():
    """`-> list` of an op with a `DynamicOut` is what it returns, and not the type of each value."""

    @og.op(out=og.DynamicOut())
    def op() -> list:
        return [og.DynamicOutput(1, mapping_key="one")]

    assert [each.value for each in op()] == [1]


def test_a_returned_value_of_a_fan_out_names_its_own_output():
    """In a returned list, a `DynamicOutput` that names another output is refused."""

    @og.op
    def op() -> list[og.DynamicOutput[int]]:
        return [og.DynamicOutput(1, mapping_key="one", output_name="other")]

    with pytest.raises(og.InvariantViolationError, match="no output `other`"):
        op()
