"""Outputs of which there are as many as the op finds out: what it says of them, and what it yields for one."""

import re
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from opgraph.declare.accepted import expect
from opgraph.declare.frozen import Compared, replaced
from opgraph.declare.metadata import facts
from opgraph.declare.ops.inputs import NO_DEFAULT
from opgraph.declare.ops.outputs import Out
from opgraph.errors import InvalidDefinitionError, Source

T_co = TypeVar("T_co", covariant=True)
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


class BadMappingKey(InvalidDefinitionError):
    """A mapping key that names nothing."""

    def __init__(self, given: object, *, where: Source | None) -> None:
        self.given = given
        super().__init__(
            f"{given!r} is no mapping key: it is a text of letters, digits, `_` and `-`, and not empty",
            where=where,
            fix="make one of it, such as `re.sub(r'[^A-Za-z0-9_-]', '_', name)`, or number the values",
        )


class DynamicOut(Out):
    """An output of an op of which it yields any number of values, each under a mapping key.

    In a graph's body, `.map(op)` makes a step for each of the values and `.collect()` gives all of them as a list. The
    steps start while the op is still yielding.

    Args:
        dagster_type: the type of its values.
        description: for people.
        is_required: False where what collects it is skipped when no value came; otherwise it gets an empty list.
        io_manager_key: the resource that stores the values, by default `io_manager`.
        metadata: facts for the I/O manager that stores them.
        code_version: stands for the code that makes them.
        stream: False where the mapped steps are to wait until the op has ended.

    Example:
        >>> @op(out=DynamicOut())
        ... def files(folder: str):
        ...     for path in Path(folder).iterdir():
        ...         yield DynamicOutput(path, mapping_key=path.stem)
    """

    __slots__ = ("stream",)

    stream: bool

    def __init__(
        self,
        dagster_type: Any = NO_DEFAULT,
        description: str | None = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        code_version: str | None = None,
        *,
        stream: bool = True,
    ) -> None:
        expect("`DynamicOut`", stream=stream)
        super().__init__(dagster_type, description, is_required, io_manager_key, metadata, code_version)
        self.settle(is_dynamic=True, stream=stream)


class DynamicOutput(Compared, Generic[T_co]):
    """One value of a dynamic output.

    Args:
        value: the value.
        mapping_key: names it among the values of the output: letters, digits, `_` and `-`.
        output_name: which output; by default `result`.
        metadata: facts to keep with the value.
        data_version: stands for the value: equal versions mean equal values.
        tags: labels to keep with the value.

    Raises:
        InvalidDefinitionError: the mapping key is empty or has other characters.

    Example:
        >>> yield DynamicOutput(rows, mapping_key="2024-05")
    """

    __slots__ = ("data_version", "mapping_key", "metadata", "output_name", "tags", "value")

    value: T_co
    mapping_key: str
    output_name: str
    metadata: Mapping[str, Any]
    data_version: Any
    tags: Mapping[str, str]

    def __init__(
        self,
        value: T_co,
        mapping_key: str,
        output_name: str = "result",
        metadata: Mapping[str, Any] | None = None,
        *,
        data_version: Any = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(mapping_key, str) or not _KEY.fullmatch(mapping_key):  # pyright: ignore[reportUnnecessaryIsInstance] - users' data
            raise BadMappingKey(mapping_key, where=Source.of_caller())
        self.settle(
            value=value,
            mapping_key=mapping_key,
            output_name=output_name,
            metadata=facts(metadata),
            data_version=data_version,
            tags=dict(tags or {}),
        )

    def with_metadata(self, metadata: Mapping[str, Any] | None) -> "DynamicOutput[T_co]":
        """A copy with other metadata."""
        return replaced(self, metadata=facts(metadata))
