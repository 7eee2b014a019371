"""Whether values are of the types that were declared: plain classes and unions of them; of `list[int]`, the list."""

import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from opgraph.declare.metadata import facts
from opgraph.declare.ops.classes import Classes, classes_of
from opgraph.declare.ops.dynamic import DynamicOutput
from opgraph.declare.ops.inputs import NoDefault
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.ops.viewed import output_annotations
from opgraph.errors import Error, Source


class TypeCheckDidNotPass(Error):
    """A value is not of the type that was declared.

    Args:
        description: what is wrong with the value.
        metadata: facts about it.
        dagster_type: the type; code written for Dagster gives it.
    """

    def __init__(
        self,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        dagster_type: Any = None,
        *,
        where: Source | None = None,
        fix: str = "",
    ) -> None:
        self.description = description
        self.metadata = facts(metadata)
        self.dagster_type = dagster_type
        super().__init__(description or "a value is not of the type that was declared", where=where, fix=fix)


class WrongType(TypeCheckDidNotPass):
    """A value of an input or output of another type than its annotation says."""

    def __init__(self, op: str, kind: str, name: str, expected: Classes, value: object, where: Source | None) -> None:
        self.op, self.kind, self.name, self.expected, self.got = op, kind, name, expected, type(value).__name__
        names = " or ".join(dict.fromkeys(each.__name__ for each in expected if each not in (Integral, Real)))
        super().__init__(
            f"the {kind} `{name}` of `{op}` is declared as {names}, and its value is of type {self.got}",
            where=where,
            fix="make the value and the annotation agree",
        )
        if kind == "input":
            self.__opgraph_input__ = name  # the step's failure is about it


def input_types(op: OpDefinition) -> dict[str, Classes]:
    """The classes of the inputs of which they are known."""
    if not op.body.raw_annotations and all(isinstance(each.dagster_type, NoDefault) for each in op.ins.values()):
        return {}
    annotations = op.body.annotations
    found = {
        name: classes_of(annotations.get(name, ...) if isinstance(each.dagster_type, NoDefault) else each.dagster_type)
        for name, each in op.ins.items()
        if not each.is_nothing
    }
    return {name: classes for name, classes in found.items() if classes}


def output_types(op: OpDefinition) -> dict[str, Classes]:
    """The classes of the outputs of which they are known. What a generator yields is not in its annotation."""
    told = {name: each.dagster_type for name, each in op.outs.items()}
    if op.body.kind in ("sync", "async") and "return" in op.body.raw_annotations:
        annotated = output_annotations(op.body.annotations.get("return", ...), list(op.outs))
        for name, annotation in zip(op.outs, annotated, strict=True):
            if isinstance(told[name], NoDefault):
                told[name] = _each_of(annotation) if op.outs[name].is_dynamic else annotation
    found = {name: () if op.outs[name].is_nothing else classes_of(each) for name, each in told.items()}
    return {name: classes for name, classes in found.items() if classes and not is_result(classes)}


def _each_of(annotation: Any) -> Any:
    """What one value of a returned fan-out is: `int` of `list[DynamicOutput[int]]`; `...`: it does not say."""
    for inner in typing.get_args(annotation) if typing.get_origin(annotation) is list else ():
        if typing.get_origin(inner) is DynamicOutput:
            return typing.get_args(inner)[0]
    return ...


def is_result(classes: Classes) -> bool:
    """Whether the annotation names what is returned instead of a value: an iterator of outputs, a MaterializeResult."""
    return any(
        each.__module__.startswith(("collections.abc", "opgraph.", "typing")) or each is types.GeneratorType
        for each in classes
    )
