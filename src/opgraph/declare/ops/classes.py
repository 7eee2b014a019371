"""The classes that a declared type stands for: plain classes and unions of them; of `list[int]`, the list."""

import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, TypeAlias

from opgraph.declare.ops.inputs import NoDefault

Classes: TypeAlias = tuple[type, ...]

# What is taken for one of these: an int where a float is declared, the numbers of array libraries.
_WIDER: Mapping[object, Classes] = {int: (int, Integral), float: (float, Real)}


def classes_of(declared: Any) -> Classes:
    """The classes of which a value of a declared type is one; empty where that cannot be told, or nothing is said."""
    if declared in (Any, object, ..., None) or isinstance(declared, NoDefault):
        return ()
    origin = typing.get_origin(declared)
    if origin in (typing.Union, types.UnionType):
        parts = [(type(None),) if each is type(None) else classes_of(each) for each in typing.get_args(declared)]
        return tuple(one for part in parts for one in part) if all(parts) else ()
    if origin is typing.Annotated:
        return classes_of(typing.get_args(declared)[0])
    plain = origin if origin is not None else declared
    if plain in _WIDER:
        return _WIDER[plain]
    if not isinstance(plain, type) or getattr(plain, "_is_protocol", False) or typing.is_typeddict(plain):
        return ()
    return (plain,)
