"""What is said of one asset: its key, what it is made from, its labels."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import EllipsisType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, Union

from opgraph.declare.accepted import expect
from opgraph.declare.frozen import Compared, made, replaced
from opgraph.declare.labels import checked_labels
from opgraph.declare.mistakes import KeyTwice, RepeatedDependency, report
from opgraph.declare.ops.inputs import NO_DEFAULT, says_nothing
from opgraph.declare.unsupported import refuse
from opgraph.errors import InvariantViolationError, Mistake, Source
from opgraph.keys import AssetKey, CoercibleToAssetKey

if TYPE_CHECKING:
    from opgraph.declare.assets.assets_definition import AssetsDefinition

CoercibleToAssetDep: TypeAlias = Union[CoercibleToAssetKey, "AssetDep", "AssetSpec", "AssetsDefinition"]
CoercibleToAssetKeyPrefix: TypeAlias = str | Sequence[str]

_MANAGER = "dagster/io_manager_key"  # the metadata that names the I/O manager of an external asset
KIND_TAG = "dagster/kind/"  # the tag that stands for a kind, as in code written for Dagster


class AssetDep(Compared):
    """An asset that another one is made from.

    Args:
        asset: its key, spec or definition.
        metadata: facts about the dependency.
    """

    __slots__ = ("asset_key", "metadata")

    asset_key: AssetKey
    metadata: Mapping[str, Any]

    def __init__(
        self,
        asset: Union[CoercibleToAssetKey, "AssetSpec", "AssetsDefinition"],
        *,
        partition_mapping: Any = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        refuse("AssetDep", {"partition_mapping": partition_mapping})
        expect("`AssetDep`", metadata=metadata)
        key: Any = asset if isinstance(asset, (AssetKey, str)) else getattr(asset, "key", asset)
        self.settle(asset_key=AssetKey.from_coercible(key), metadata=dict(metadata or {}))

    @property
    def asset(self) -> AssetKey:
        """The key of the asset."""
        return self.asset_key

    @staticmethod
    def from_coercible(arg: CoercibleToAssetDep) -> "AssetDep":
        """A dependency from whatever names an asset."""
        return arg if isinstance(arg, AssetDep) else AssetDep(arg)


def deps_of(deps: Iterable[CoercibleToAssetDep] | None, owner: str, source: Source | None) -> tuple[AssetDep, ...]:
    """Dependencies as declared; one named twice is a mistake."""
    if deps is None:
        return ()
    if isinstance(deps, (str, AssetKey)):
        deps = [deps]
    by_key: dict[AssetKey, AssetDep] = {}
    for each in deps:
        for dep in _each_key(each):
            if dep.asset_key in by_key:
                report(RepeatedDependency(owner, dep.asset_key, where=source))
            by_key[dep.asset_key] = dep
    return tuple(by_key.values())


def _each_key(dep: CoercibleToAssetDep) -> Iterable[AssetDep]:
    # A definition of several assets stands for all of them.
    keys = getattr(dep, "specs_by_key", None)
    return [AssetDep(key) for key in keys] if keys is not None else [AssetDep.from_coercible(dep)]


class AssetSpec(Compared):
    """What is said of one asset. Alone in `Definitions` it is an external asset: made elsewhere, loaded here.

    Args:
        key: the asset's name.
        deps: the assets that it is made from.
        description: for people, Markdown.
        metadata: facts for people and for the I/O manager.
        skippable: whether its function may end without making it.
        group_name: the group it is shown in.
        code_version: stands for the code that makes it.
        owners: e-mail addresses, or `team:name`.
        tags: labels.
        kinds: what it is (`table`, `duckdb`): at most three are shown.

    Example:
        >>> AssetSpec("raw/flights", group_name="raw", kinds={"csv"}).key
        AssetKey(['raw', 'flights'])
    """

    __slots__ = (
        "code_version", "deps", "description", "group_name", "key", "kinds", "metadata", "owners", "skippable",
        "source", "tags",
    )  # fmt: skip

    key: AssetKey
    deps: Sequence[AssetDep]
    description: str | None
    metadata: Mapping[str, Any]
    skippable: bool
    group_name: str | None
    code_version: str | None
    owners: Sequence[str]
    tags: Mapping[str, str]
    kinds: frozenset[str]
    source: Source | None

    # What no asset has yet; code that asks is told so.
    automation_condition: ClassVar[None] = None
    freshness_policy: ClassVar[None] = None
    partitions_def: ClassVar[None] = None

    def __init__(
        self,
        key: CoercibleToAssetKey,
        *,
        deps: Iterable[CoercibleToAssetDep] | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        skippable: bool = False,
        group_name: str | None = None,
        code_version: str | None = None,
        automation_condition: Any = None,
        owners: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        kinds: AbstractSet[str] | None = None,
        partitions_def: Any = None,
        freshness_policy: Any = None,
        is_virtual: bool = False,
        source: Source | None = None,
    ) -> None:
        refuse(
            "AssetSpec",
            {
                "automation_condition": automation_condition,
                "partitions_def": partitions_def,
                "freshness_policy": freshness_policy,
                "is_virtual": is_virtual,
            },
        )
        asset_key = AssetKey.from_coercible(key)
        where = source or Source.of_caller()
        expect(f"`AssetSpec({asset_key.text!r})`", where, deps=deps, description=description, metadata=metadata,
               skippable=skippable, code_version=code_version, owners=owners, tags=tags, kinds=kinds)  # fmt: skip
        labels = checked_labels(f"asset `{asset_key.text}`", where, group_name, owners, tags, kinds)
        self.settle(
            key=asset_key,
            deps=list(deps_of(deps, f"asset `{asset_key.text}`", where)),
            description=description,
            metadata=dict(metadata or {}),
            skippable=skippable,
            group_name=labels.group_name,
            code_version=code_version,
            owners=list(labels.owners),
            tags=labels.tags,
            kinds=labels.kinds,
            source=where,
        )

    def with_io_manager_key(self, io_manager_key: str) -> "AssetSpec":
        """A copy whose value is loaded and stored by this resource."""
        return replaced(self, metadata={**self.metadata, _MANAGER: io_manager_key})

    def replace_attributes(
        self,
        *,
        key: CoercibleToAssetKey | EllipsisType = ...,
        deps: Iterable[CoercibleToAssetDep] | EllipsisType | None = ...,
        description: str | EllipsisType | None = ...,
        metadata: Mapping[str, Any] | EllipsisType | None = ...,
        skippable: bool | EllipsisType = ...,
        group_name: str | EllipsisType | None = ...,
        code_version: str | EllipsisType | None = ...,
        owners: Sequence[str] | EllipsisType | None = ...,
        tags: Mapping[str, str] | EllipsisType | None = ...,
        kinds: AbstractSet[str] | EllipsisType | None = ...,
    ) -> "AssetSpec":
        """A copy with other values for what is given."""
        return AssetSpec(
            self.key if isinstance(key, EllipsisType) else key,
            deps=self.deps if isinstance(deps, EllipsisType) else deps,
            description=self.description if isinstance(description, EllipsisType) else description,
            metadata=self.metadata if isinstance(metadata, EllipsisType) else metadata,
            skippable=self.skippable if isinstance(skippable, EllipsisType) else skippable,
            group_name=self.group_name if isinstance(group_name, EllipsisType) else group_name,
            code_version=self.code_version if isinstance(code_version, EllipsisType) else code_version,
            owners=self.owners if isinstance(owners, EllipsisType) else owners,
            tags=self.tags if isinstance(tags, EllipsisType) else tags,
            kinds=self.kinds if isinstance(kinds, EllipsisType) else kinds,
            source=self.source,
        )

    def merge_attributes(
        self,
        *,
        deps: Iterable[CoercibleToAssetDep] = (),
        metadata: Mapping[str, Any] | None = None,
        owners: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        kinds: AbstractSet[str] = frozenset(),
    ) -> "AssetSpec":
        """A copy with these added to what it has.

        Raises:
            InvariantViolationError: it depends on one of these assets already, and other things are said of that.
        """
        known = {dep.asset_key: dep for dep in self.deps}
        for dep in (AssetDep.from_coercible(each) for each in deps):
            if known.setdefault(dep.asset_key, dep) != dep:
                raise OtherDependency(self.key, dep.asset_key, where=Source.of_caller())
        return self.replace_attributes(
            deps=list(known.values()),
            metadata={**self.metadata, **(metadata or {})},
            owners=[*self.owners, *owners],
            tags={**self.tags, **(tags or {})},
            kinds={*self.kinds, *kinds},
        )


class OtherDependency(Mistake, InvariantViolationError):
    """A dependency that is there already, with something else said of it."""

    key: AssetKey
    dep: AssetKey
    says = "asset `{key.text}` depends on `{dep.text}` already, and something else is said of that dependency"
    mend = "give all dependencies with `replace_attributes(deps=...)`"


class SourceAsset(AssetSpec):
    """An asset that is made elsewhere. An `AssetSpec` in `Definitions` says the same; this is its older name.

    Args:
        key: the asset's name.
        metadata: facts for people and for the I/O manager.
        io_manager_key: the resource that loads it, by default `io_manager`.
        io_manager_def: the I/O manager itself, instead of its key.
        description: for people, Markdown.
        group_name: the group it is shown in.
        resource_defs: objects by resource key that it brings with it.
        tags: labels.
    """

    __slots__ = ("resource_defs",)

    resource_defs: Mapping[str, Any]

    is_executable: ClassVar[bool] = False
    is_materializable: ClassVar[bool] = False
    is_observable: ClassVar[bool] = False

    def __init__(
        self,
        key: CoercibleToAssetKey,
        metadata: Mapping[str, Any] | None = None,
        io_manager_key: str | None = None,
        io_manager_def: object = None,
        description: str | None = None,
        partitions_def: Any = None,
        observe_fn: Any = None,
        *,
        group_name: str | None = None,
        resource_defs: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        freshness_policy: Any = None,
        automation_condition: Any = None,
    ) -> None:
        refuse("SourceAsset", {"observe_fn": observe_fn})
        asset_key = AssetKey.from_coercible(key)
        resources = dict(resource_defs or {})
        manager = io_manager_key
        if io_manager_def is not None:
            manager = manager or asset_key.to_python_identifier("io_manager")
            resources[manager] = io_manager_def
        super().__init__(
            asset_key,
            description=description,
            metadata=dict(metadata or {}) if manager is None else {**(metadata or {}), _MANAGER: manager},
            group_name=group_name,
            tags=tags,
            partitions_def=partitions_def,
            freshness_policy=freshness_policy,
            automation_condition=automation_condition,
        )
        self.settle(resource_defs=resources)

    @property
    def io_manager_key(self) -> str | None:
        """The resource that loads it; None: `io_manager`."""
        return self.metadata.get(_MANAGER)

    @property
    def io_manager_def(self) -> Any:
        """The I/O manager that it brings; None: it brings none."""
        return self.resource_defs.get(self.get_io_manager_key())

    def get_io_manager_key(self) -> str:
        """The resource that loads it."""
        return self.io_manager_key or "io_manager"

    def to_spec(self) -> AssetSpec:
        """The same as an AssetSpec."""
        return made(AssetSpec, **{name: getattr(self, name) for name in AssetSpec.__slots__})


class AssetIn(Compared):
    """Which asset an argument is, where its name does not say.

    Args:
        key: the asset's key.
        key_prefix: what stands before the argument's name in the key; not together with `key`.
        metadata: facts for the I/O manager that loads it.
        input_manager_key: the resource that loads it, instead of the I/O manager that stored it.
        dagster_type: the type of its values. `Nothing`: a dependency without an argument.

    Example:
        >>> @asset(ins={"rows": AssetIn(key_prefix="raw")})
        ... def counted(rows: list) -> int:
        ...     return len(rows)
    """

    __slots__ = ("dagster_type", "input_manager_key", "key", "key_prefix", "metadata")

    key: AssetKey | None
    key_prefix: tuple[str, ...] | None
    metadata: Mapping[str, Any]
    input_manager_key: str | None
    dagster_type: Any

    def __init__(
        self,
        key: CoercibleToAssetKey | None = None,
        metadata: Mapping[str, Any] | None = None,
        key_prefix: CoercibleToAssetKeyPrefix | None = None,
        input_manager_key: str | None = None,
        partition_mapping: Any = None,
        dagster_type: Any = NO_DEFAULT,
    ) -> None:
        refuse("AssetIn", {"partition_mapping": partition_mapping})
        expect("`AssetIn`", metadata=metadata, key_prefix=key_prefix, input_manager_key=input_manager_key)
        if key is not None and key_prefix is not None:
            report(KeyTwice("`AssetIn`", "key", ["key_prefix"], where=Source.of_caller()))
        self.settle(
            key=None if key is None else AssetKey.from_coercible(key),
            key_prefix=None if key_prefix is None or key is not None else AssetKey(key_prefix).parts,
            metadata=dict(metadata or {}),
            input_manager_key=input_manager_key,
            dagster_type=dagster_type,
        )

    @property
    def is_nothing(self) -> bool:
        """Whether it is a dependency without a value."""
        return says_nothing(self.dagster_type)

    def key_for(self, name: str) -> AssetKey:
        """The asset's key for an argument of this name."""
        return self.key or AssetKey([*(self.key_prefix or ()), name])


class AssetOut(Compared):
    """One of several assets that a function or a graph makes.

    Args:
        key_prefix: what stands before the output's name in the key; not together with `key`.
        key: the asset's key, by default the output's name.
        dagster_type: the type of its values; without it, the annotation of what is returned.
        description: for people.
        is_required: False where the function may end without making it.
        io_manager_key: the resource that stores it, by default `io_manager`.
        metadata: facts for people and for the I/O manager.
        group_name: the group it is shown in.
        code_version: stands for the code that makes it.
        owners: e-mail addresses, or `team:name`.
        tags: labels.
        kinds: what it is (`table`, `duckdb`).
    """

    __slots__ = (
        "code_version", "dagster_type", "description", "group_name", "io_manager_key", "is_required", "key",
        "key_prefix", "kinds", "metadata", "owners", "source", "tags",
    )  # fmt: skip

    key: AssetKey | None
    key_prefix: tuple[str, ...] | None
    dagster_type: Any
    description: str | None
    is_required: bool
    io_manager_key: str | None
    metadata: Mapping[str, Any]
    group_name: str | None
    code_version: str | None
    owners: Sequence[str] | None
    tags: Mapping[str, str] | None
    kinds: AbstractSet[str] | None
    source: Source | None

    def __init__(
        self,
        key_prefix: CoercibleToAssetKeyPrefix | None = None,
        key: CoercibleToAssetKey | None = None,
        dagster_type: Any = NO_DEFAULT,
        description: str | None = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        group_name: str | None = None,
        code_version: str | None = None,
        automation_condition: Any = None,
        freshness_policy: Any = None,
        backfill_policy: Any = None,
        owners: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        kinds: AbstractSet[str] | None = None,
    ) -> None:
        refuse(
            "AssetOut",
            {
                "automation_condition": automation_condition,
                "freshness_policy": freshness_policy,
                "backfill_policy": backfill_policy,
            },
        )
        expect("`AssetOut`", key_prefix=key_prefix, description=description, is_required=is_required,
               io_manager_key=io_manager_key, metadata=metadata, code_version=code_version, owners=owners, tags=tags,
               kinds=kinds)  # fmt: skip
        source = Source.of_caller()
        if key is not None and key_prefix is not None:
            report(KeyTwice("`AssetOut`", "key", ["key_prefix"], where=source))
        self.settle(
            key=None if key is None else AssetKey.from_coercible(key),
            key_prefix=None if key_prefix is None or key is not None else AssetKey(key_prefix).parts,
            dagster_type=dagster_type,
            description=description,
            is_required=is_required,
            io_manager_key=io_manager_key,
            metadata=dict(metadata or {}),
            group_name=group_name,
            code_version=code_version,
            owners=owners,
            tags=tags,
            kinds=kinds,
            source=source,
        )

    def key_for(self, name: str) -> AssetKey:
        """The asset's key for an output of this name."""
        return self.key or AssetKey([*(self.key_prefix or ()), name])

    @staticmethod
    def from_spec(
        spec: AssetSpec, dagster_type: Any = NO_DEFAULT, is_required: bool = True, io_manager_key: str | None = None
    ) -> "AssetOut":
        """An output that says of its asset what a spec says."""
        return AssetOut(
            key=spec.key,
            dagster_type=dagster_type,
            description=spec.description,
            is_required=is_required and not spec.skippable,
            io_manager_key=io_manager_key,
            metadata=spec.metadata,
            group_name=spec.group_name,
            code_version=spec.code_version,
            owners=spec.owners,
            tags=spec.tags,
            kinds=spec.kinds,
        )
