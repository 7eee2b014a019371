"""Inputs and outputs as lists, as code written for Dagster reads them: `op.input_defs[0].dagster_type`."""

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from opgraph.declare.ops.body import Body
from opgraph.declare.ops.inputs import NO_DEFAULT, GraphIn, In, NoDefault, says_nothing
from opgraph.declare.ops.outputs import GraphOut, Out, Output
from opgraph.errors import InvariantViolationError, Mistake
from opgraph.keys import AssetKey

_SCALARS: Mapping[Any, str] = {
    Any: "Any",
    str: "String",
    int: "Int",
    float: "Float",
    bool: "Bool",
    list: "List",
    dict: "dict",
    type(None): "Nothing",
}


class TypeView(Struct, frozen=True):
    """The type of an input or output: its annotation, under the names that Dagster has for it."""

    typing_type: Any

    @property
    def display_name(self) -> str:
        """The type, for people: `String`, `[Int]`, `Foo?`."""
        return _shown(self.typing_type)

    @property
    def unique_name(self) -> str:
        """The same as `display_name`."""
        return self.display_name

    key = unique_name

    @property
    def is_nothing(self) -> bool:
        """Whether there is no value."""
        return self.typing_type is type(None)


def _shown(given: Any) -> str:
    if given in _SCALARS:
        return _SCALARS[given]
    origin, args = typing.get_origin(given), typing.get_args(given)
    if origin in (typing.Union, types.UnionType):
        some = [each for each in args if each is not type(None)]
        return f"{_shown(some[0])}?" if len(some) == 1 else f"Union[{','.join(map(_shown, args))}]"
    if origin is list and args:
        return f"[{_shown(args[0])}]"
    if origin is None:
        return str(getattr(given, "__name__", given))
    return f"{origin.__name__.capitalize()}[{','.join(map(_shown, args))}]"


def type_view(declared: Any, annotation: Any) -> TypeView:
    """The type of an input or output, from what was declared of it and from its annotation; `...`: it has none."""
    chosen = annotation if isinstance(declared, NoDefault) else declared
    if says_nothing(chosen):
        return TypeView(type(None))
    return TypeView(Any if chosen is ... else chosen)


class NoDefaultValue(Mistake, InvariantViolationError):
    """The default value of an input was read that has none."""

    name: str
    says = "the input `{name}` has no default value"
    mend = "ask `has_default_value` first"
    at_caller = True


class Inferred(NoDefault):
    """The type of an input or output of which nothing was declared: what its annotation says, read when it is asked
    for."""

    __slots__ = ("_body", "_name", "_names")

    def __init__(self, body: Body, name: str, names: Sequence[str] = ()) -> None:
        self._body, self._name, self._names = body, name, names  # no names: an input

    def __reduce__(self) -> tuple[Any, ...]:
        return Inferred, (self._body, self._name, self._names)

    @property
    def typing_type(self) -> Any:
        """The annotation."""
        annotations = self._body.annotations
        if not self._names:
            return type_view(NO_DEFAULT, annotations.get(self._name, ...)).typing_type
        told = output_annotations(annotations.get("return", ...), self._names)
        return type_view(NO_DEFAULT, told[self._names.index(self._name)]).typing_type

    @property
    def display_name(self) -> str:
        """The type, for people."""
        return TypeView(self.typing_type).display_name

    unique_name = key = display_name

    @property
    def is_nothing(self) -> bool:
        """Whether there is no value."""
        return TypeView(self.typing_type).is_nothing


def type_of_input(declared: Any, body: Body, name: str) -> Any:
    """What was declared of an input's type, else that its annotation says it."""
    return Inferred(body, name) if declared is NO_DEFAULT and name in body.raw_annotations else declared


def type_of_output(declared: Any, body: Body, name: str, names: Sequence[str]) -> Any:
    """The same for one of the outputs `names`."""
    return Inferred(body, name, names) if declared is NO_DEFAULT and "return" in body.raw_annotations else declared


class InputView(Struct, frozen=True):
    """An input, with its name."""

    name: str
    dagster_type: TypeView
    declared: In | GraphIn

    @property
    def description(self) -> str | None:
        """For people."""
        return self.declared.description

    @property
    def has_default_value(self) -> bool:
        """Whether nothing needs to be wired to it."""
        return self.declared.default_value is not NO_DEFAULT

    @property
    def default_value(self) -> Any:
        """What it is when nothing is wired to it.

        Raises:
            InvariantViolationError: it has no default.
        """
        if not self.has_default_value:
            raise NoDefaultValue(self.name)
        return self.declared.default_value

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Facts for the I/O manager that loads it."""
        return self.declared.metadata if isinstance(self.declared, In) else {}

    @property
    def input_manager_key(self) -> str | None:
        """The resource that loads it."""
        return self.declared.input_manager_key if isinstance(self.declared, In) else None

    @property
    def hardcoded_asset_key(self) -> AssetKey | None:
        """The asset whose value it is."""
        return self.declared.asset_key if isinstance(self.declared, In) else None


class OutputView(Struct, frozen=True):
    """An output, with its name."""

    name: str
    dagster_type: TypeView
    declared: Out | GraphOut
    code_version: str | None = None

    @property
    def description(self) -> str | None:
        """For people."""
        return self.declared.description

    @property
    def is_required(self) -> bool:
        """Whether it always comes."""
        return not isinstance(self.declared, Out) or self.declared.is_required

    @property
    def is_dynamic(self) -> bool:
        """Whether it is a fan-out."""
        return isinstance(self.declared, Out) and self.declared.is_dynamic

    @property
    def io_manager_key(self) -> str:
        """The resource that stores it."""
        return (self.declared.io_manager_key if isinstance(self.declared, Out) else None) or "io_manager"

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Facts for the I/O manager that stores it."""
        return self.declared.metadata if isinstance(self.declared, Out) else {}


def output_annotations(returns: Any, names: Sequence[str]) -> list[Any]:
    """The annotation of each output, from that of what is returned; `...` where it says nothing of it."""
    if len(names) == 1:
        return [_unwrapped(returns)]
    parts = typing.get_args(returns)
    if typing.get_origin(returns) is tuple and len(parts) == len(names):
        return [_unwrapped(part) for part in parts]
    return [...] * len(names)


def _unwrapped(annotation: Any) -> Any:
    origin = typing.get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, Output):
        return next(iter(typing.get_args(annotation)), ...)
    return annotation
