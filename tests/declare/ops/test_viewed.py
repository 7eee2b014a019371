"""Inputs and outputs as lists of definitions."""

import typing

import pytest

import opgraph as og
from opgraph.declare.ops.viewed import TypeView


class Flight:
    pass


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (int, "Int"),
        (str, "String"),
        (typing.Any, "Any"),
        (type(None), "Nothing"),
        (list[int], "[Int]"),
        (int | None, "Int?"),
        (dict[str, list[int]], "Dict[String,[Int]]"),
        (tuple[int, str], "Tuple[Int,String]"),
        (int | str, "Union[Int,String]"),
        (Flight, "Flight"),
    ],
)
def test_names_of_types(annotation, shown):
    """A type is shown under the name that code written for Dagster expects."""
    assert TypeView(annotation).display_name == shown


def test_inputs_and_outputs_of_an_op():
    """Types come from annotations, what was declared beside them wins, and an output has its op's code version."""

    @og.op(
        ins={"b": og.In(str, metadata={"k": 1})},
        out={"x": og.Out(code_version="2"), "y": og.Out(io_manager_key="files")},
        code_version="1",
    )
    def both(a: int, b, c=3) -> tuple[og.Output[int], list]: ...

    assert [(each.name, each.dagster_type.typing_type) for each in both.input_defs] == [
        ("a", int),
        ("b", str),
        ("c", typing.Any),
    ]
    assert both.input_def_named("b").metadata == {"k": 1}
    assert both.input_dict["c"].default_value == 3
    with pytest.raises(og.InvariantViolationError, match="no default"):
        _ = both.input_dict["a"].default_value
    assert [(each.name, each.code_version) for each in both.output_defs] == [("x", "2"), ("y", "1")]
    assert [each.dagster_type.typing_type for each in both.output_defs] == [int, list]
    assert both.output_def_named("y").io_manager_key == "files"


def test_dependencies_without_values_are_inputs():
    """What `deps` name is an input of the asset's op without a value."""

    @og.asset(deps=["raw/orders"])
    def report(flights): ...

    assert list(report.input_names) == ["flights", "raw__orders"]
    assert report.op.ins["raw__orders"].dagster_type.is_nothing


def test_types_of_declarations():
    """Where no type was declared, the one of the annotation is told; it does not tell two records apart."""

    @og.op(out={"a": og.Out(), "b": og.Out(bool)})
    def it(x: "list[int]", y) -> tuple[int, bool]: ...

    assert [it.ins[name].dagster_type.display_name for name in it.ins] == ["[Int]", "Any"]
    assert (it.outs["a"].dagster_type.typing_type, it.outs["b"].dagster_type) == (int, bool)
    assert it.outs["a"] == og.Out()
    assert repr(it.outs["a"]) == "Out()"

    @og.asset
    def nothing() -> None: ...

    kind = nothing.op.outs["result"].dagster_type
    assert (kind.display_name, kind.typing_type, kind.is_nothing) == ("Nothing", type(None), True)
