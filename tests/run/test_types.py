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
