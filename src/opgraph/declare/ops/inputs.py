"""What an op or a graph says of its inputs."""

from collections.abc import Mapping
from typing import Any, Final, final

from opgraph.declare.accepted import expect
from opgraph.declare.frozen import Compared
from opgraph.declare.unsupported import refuse
from opgraph.keys import AssetKey, CoercibleToAssetKey


@final
class Nothing:
    """The type of an input or output without a value: it orders steps, and nothing is stored or loaded.

    Example:
        >>> @op(ins={"after": In(Nothing)})
        ... def report(): ...
    """

    is_nothing: Final = True  # code written for Dagster asks a type whether it is this one
    display_name: Final = "Nothing"
    typing_type: Final = type(None)


class NoDefault:
    """What was not given: the class of `NO_DEFAULT`."""

    unsaid = True  # a record does not show it
    is_nothing, display_name, typing_type = False, "Any", Any  # as a type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoDefault)  # what an annotation says in its place does not tell records apart

    def __hash__(self) -> int:
        return hash(NoDefault)

    def __repr__(self) -> str:
        return "NO_DEFAULT"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return "NO_DEFAULT"


NO_DEFAULT: Final = NoDefault()


def says_nothing(annotation: object) -> bool:
    """Whether an annotation, evaluated or as text, means that there is no value."""
    if isinstance(annotation, str):
        return annotation in ("None", "Nothing", "opgraph.Nothing")
    return annotation is None or annotation is Nothing


class In(Compared):
    """An input of an op.

    Args:
        dagster_type: the type of its values; without it, the parameter's annotation. `Nothing`: ordering only.
        description: for people.
        default_value: what the input is when nothing is wired to it; without it, the parameter's default.
        metadata: facts for the I/O manager that loads it.
        asset_key: the asset whose stored value it is, where nothing is wired to it.
        input_manager_key: the resource that loads it, instead of the I/O manager that stored the value.

    Example:
        >>> @op(ins={"rows": In(description="one dict a row")})
        ... def count(rows: list) -> int:
        ...     return len(rows)
    """

    __slots__ = ("asset_key", "dagster_type", "default_value", "description", "input_manager_key", "metadata")

    dagster_type: Any  # NO_DEFAULT: not given
    description: str | None
    default_value: Any
    metadata: Mapping[str, Any]
    asset_key: AssetKey | None
    input_manager_key: str | None

    def __init__(
        self,
        dagster_type: Any = NO_DEFAULT,
        description: str | None = None,
        default_value: Any = NO_DEFAULT,
        metadata: Mapping[str, Any] | None = None,
        asset_key: CoercibleToAssetKey | None = None,
        asset_partitions: Any = None,
        input_manager_key: str | None = None,
    ) -> None:
        refuse("In", {"asset_partitions": asset_partitions})
        expect("`In`", description=description, metadata=metadata, input_manager_key=input_manager_key)
        self.settle(
            dagster_type=dagster_type,
            description=description,
            default_value=default_value,
            metadata=dict(metadata or {}),
            asset_key=None if asset_key is None else AssetKey.from_coercible(asset_key),
            input_manager_key=input_manager_key,
        )

    @property
    def is_nothing(self) -> bool:
        """Whether it only orders steps."""
        return says_nothing(self.dagster_type)

    @property
    def has_default_value(self) -> bool:
        """Whether nothing needs to be wired to it."""
        return self.default_value is not NO_DEFAULT


class GraphIn(Compared):
    """An input of a graph.

    Args:
        description: for people.

    Its default value is the parameter's.
    """

    __slots__ = ("default_value", "description")

    description: str | None
    default_value: Any

    def __init__(self, description: str | None = None, default_value: Any = NO_DEFAULT) -> None:
        self.settle(description=description, default_value=default_value)
