"""Where an input of a node of a graph gets its value."""

from typing import Any, TypeAlias

from msgspec import Struct


class FromNode(Struct, frozen=True):
    """An output of another node of the same graph.

    `mapping` says how a fan-out is taken: "" as it is, `map` one value of it, `collect` all of them; with `_dict` and
    `_failed` behind it where asked, and several joined by `+` for several levels, the innermost first.
    """

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


def depth_of(mapping: str) -> int:
    """How many levels of a fan-out a mapping collects."""
    return mapping.count("collect") if mapping else 0


def joined(inner: str, outer: str) -> str:
    """The mapping of what already has one, taken by another."""
    if not depth_of(inner):
        return outer or inner
    return f"{inner}+{outer}" if depth_of(outer) else inner
