"""What a function returns or reports about an asset that it made."""

from collections.abc import Mapping
from typing import Any, Generic, cast

from opgraph.declare.frozen import Compared, replaced
from opgraph.declare.metadata import MetadataValue, facts
from opgraph.declare.ops.inputs import NO_DEFAULT
from opgraph.declare.ops.signatures import R_co
from opgraph.declare.unsupported import refuse
from opgraph.keys import AssetKey, CoercibleToAssetKey


class MaterializeResult(Compared, Generic[R_co]):
    """What an asset's function returns when it stored the asset itself, or wants to say something of it.

    Args:
        asset_key: which asset; needed where the function makes several.
        metadata: facts to keep with the materialization.
        data_version: stands for the value: equal versions mean equal values.
        tags: labels to keep with it.
        value: the value, for the I/O manager to store; without it nothing is stored.

    Raises:
        InvalidMetadataError: metadata of no known kind.

    Example:
        >>> @asset
        ... def table() -> MaterializeResult:
        ...     return MaterializeResult(metadata={"rows": 3})
    """

    __slots__ = ("asset_key", "data_version", "metadata", "tags", "value")

    asset_key: AssetKey | None
    metadata: Mapping[str, Any]
    data_version: Any
    tags: Mapping[str, str]
    value: R_co

    def __init__(
        self,
        asset_key: CoercibleToAssetKey | None = None,
        metadata: Mapping[str, Any] | None = None,
        check_results: Any = None,
        data_version: Any = None,
        tags: Mapping[str, str] | None = None,
        value: R_co = cast("Any", NO_DEFAULT),  # noqa: B008 - a constant; the cast is for the type checker
    ) -> None:
        refuse("MaterializeResult", {"check_results": check_results or None})
        facts(metadata)  # a mistake in them is said here, where the line is known that makes it
        self.settle(
            asset_key=None if asset_key is None else AssetKey.from_coercible(asset_key),
            metadata=dict(metadata or {}),
            data_version=data_version,
            tags=dict(tags or {}),
            value=value,
        )

    @property
    def has_value(self) -> bool:
        """Whether there is a value to store."""
        return self.value is not NO_DEFAULT


class AssetObservation(Compared):
    """A report of something about an asset that was not made, by `context.log_event` or yielded by an op.

    Args:
        asset_key: which asset.
        description: for people.
        metadata: facts to keep with it.
        tags: labels to keep with it.

    Example:
        >>> AssetObservation("raw/orders", metadata={"rows": 3}).label
        'raw/orders'
    """

    __slots__ = ("asset_key", "description", "metadata", "partition", "tags")

    asset_key: AssetKey
    description: str | None
    metadata: Mapping[str, Any]
    partition: str | None
    tags: Mapping[str, str]

    def __init__(
        self,
        asset_key: CoercibleToAssetKey,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        refuse("AssetObservation", {"partition": partition})
        self.settle(
            asset_key=AssetKey.from_coercible(asset_key),
            description=description,
            metadata=facts(metadata),
            partition=partition,
            tags=dict(tags or {}),
        )

    @property
    def label(self) -> str:
        """The asset's key as text."""
        return self.asset_key.to_user_string()


class DataVersion(Compared):
    """Stands for a value: equal versions mean equal values.

    Example:
        >>> Output(rows, data_version=DataVersion("2024-07-01"))
    """

    __slots__ = ("value",)

    value: str

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a number would not be found again
            raise TypeError(f"a data version is text, not {value!r}")
        self.settle(value=value)

    def __hash__(self) -> int:
        return hash(self.value)


class AssetMaterialization(Compared):
    """A report that an asset was made, by `context.log_event` or yielded by an op.

    Args:
        asset_key: which asset.
        description: for people.
        metadata: facts to keep with it.
        tags: labels to keep with it.
    """

    __slots__ = ("asset_key", "description", "metadata", "partition", "tags")

    asset_key: AssetKey
    description: str | None
    metadata: Mapping[str, Any]
    partition: str | None
    tags: Mapping[str, str]

    def __init__(
        self,
        asset_key: CoercibleToAssetKey,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        refuse("AssetMaterialization", {"partition": partition})
        self.settle(
            asset_key=AssetKey.from_coercible(asset_key),
            description=description,
            metadata=facts(metadata),
            partition=partition,
            tags=dict(tags or {}),
        )

    @property
    def label(self) -> str:
        """The asset's key as text."""
        return self.asset_key.to_user_string()

    def with_metadata(self, metadata: Mapping[str, Any] | None) -> "AssetMaterialization":
        """A copy with other metadata."""
        return replaced(self, metadata=facts(metadata))

    @staticmethod
    def file(
        path: str, description: str | None = None, asset_key: CoercibleToAssetKey | None = None
    ) -> "AssetMaterialization":
        """A report that a file was written; without a key, its path is the asset's."""
        key = AssetKey([part for part in path.split("/") if part]) if asset_key is None else asset_key
        return AssetMaterialization(key, description, {"path": MetadataValue.path(path)})
