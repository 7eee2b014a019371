"""Where an input of a node of a graph gets its value."""

from typing import Any, TypeAlias

from msgspec import Struct


class FromNode(Struct, frozen=True):
    """An output of another node of the same graph. `mapping` is `map` or `collect` where a fan-out is between."""

    node: str
    output: str = "result"
    mapping: str = ""


class FromInput(Struct, frozen=True):
    """An input of the graph itself."""

    name: str


class FanIn(Struct, frozen=True):
    """Several outputs as one list."""

    items: "tuple[FromNode | FromInput, ...]"


class Value(Struct, frozen=True, eq=False):
    """A value written in the graph's body."""

    value: Any


Wire: TypeAlias = FromNode | FromInput | FanIn | Value
