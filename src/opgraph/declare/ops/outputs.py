"""What an op or a graph says of its outputs, and the object that an op returns or yields for one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic

from opgraph.declare.accepted import expect
from opgraph.declare.frozen import Compared, replaced
from opgraph.declare.metadata import facts
from opgraph.declare.ops.inputs import NO_DEFAULT, says_nothing

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # with a default: `Output` alone is one of anything

    T_co = TypeVar("T_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    T_co = TypeVar("T_co", covariant=True)


class Out(Compared):
    """An output of an op.

    Args:
        dagster_type: the type of its values; without it, the annotation of what the function returns.
        description: for people.
        is_required: False where the op may end without yielding it; what depends on it is then skipped.
        io_manager_key: the resource that stores it, by default `io_manager`.
        metadata: facts for the I/O manager that stores it.
        code_version: stands for the code that makes it.

    Example:
        >>> @op(out={"rows": Out(), "rejects": Out(is_required=False)})
        ... def parse(text: str): ...
    """

    __slots__ = (
        "code_version", "dagster_type", "description", "io_manager_key", "is_dynamic", "is_required", "metadata",
    )  # fmt: skip

    dagster_type: Any  # NO_DEFAULT: not given
    description: str | None
    is_required: bool
    io_manager_key: str | None
    metadata: Mapping[str, Any]
    code_version: str | None
    is_dynamic: bool

    def __init__(
        self,
        dagster_type: Any = NO_DEFAULT,
        description: str | None = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        code_version: str | None = None,
    ) -> None:
        expect("`Out`", description=description, is_required=is_required, io_manager_key=io_manager_key,
               metadata=metadata, code_version=code_version)  # fmt: skip
        self.settle(
            dagster_type=dagster_type,
            description=description,
            is_required=is_required,
            io_manager_key=io_manager_key,
            metadata=dict(metadata or {}),
            code_version=code_version,
            is_dynamic=False,
        )

    @property
    def is_nothing(self) -> bool:
        """Whether it has no value and only orders steps."""
        return says_nothing(self.dagster_type)


class GraphOut(Compared):
    """An output of a graph.

    Args:
        description: for people.
    """

    __slots__ = ("description",)

    description: str | None

    def __init__(self, description: str | None = None) -> None:
        self.settle(description=description)


class Output(Compared, Generic[T_co]):
    """A value for one output of an op, with facts about it.

    Args:
        value: the value.
        output_name: which output; by default `result`.
        metadata: facts to keep with the value.
        data_version: stands for the value: equal versions mean equal values.
        tags: labels to keep with the materialization.

    Example:
        >>> @op
        ... def count(rows: list) -> Output[int]:
        ...     return Output(len(rows), metadata={"rows": len(rows)})
    """

    __slots__ = ("data_version", "metadata", "output_name", "tags", "value")

    value: T_co
    output_name: str
    metadata: Mapping[str, Any]
    data_version: Any
    tags: Mapping[str, str]

    def __init__(
        self,
        value: T_co,
        output_name: str = "result",
        metadata: Mapping[str, Any] | None = None,
        data_version: Any = None,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.settle(
            value=value,
            output_name=output_name,
            metadata=facts(metadata),
            data_version=data_version,
            tags=dict(tags or {}),
        )

    def with_metadata(self, metadata: Mapping[str, Any] | None) -> "Output[T_co]":
        """A copy with other metadata."""
        return replaced(self, metadata=facts(metadata))
