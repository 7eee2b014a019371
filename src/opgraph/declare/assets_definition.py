"""A definition of one or more assets: the op or graph that makes them, and which input and output is which asset."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal, TypeAlias

from opgraph.declare import compose, ports
from opgraph.declare.frozen import Frozen, replaced
from opgraph.declare.graph import GraphDefinition
from opgraph.declare.op import OpDefinition
from opgraph.declare.spec import AssetSpec
from opgraph.errors import InvariantViolationError, Source
from opgraph.keys import AssetKey, CoercibleToAssetKey

CanSubset: TypeAlias = bool | Literal["auto"]


class AssetsDefinition(Frozen):
    """One or more assets and what makes them. Made by `@asset`, `@multi_asset`, `@graph_asset`, `@graph_multi_asset`,
    `AssetsDefinition.from_graph` and `.from_op`; as a function it can be called in tests."""

    __slots__ = (
        "can_subset", "explicit_deps", "hooks", "io_manager_keys", "is_executable", "keys_by_input_name",
        "keys_by_output_name", "node_def", "node_name", "op_tags", "pool", "resource_defs", "retry_policy", "source",
        "specs_by_key",
    )  # fmt: skip

    node_def: OpDefinition | GraphDefinition
    node_name: str  # the key of its step, or what stands before the keys of its steps
    keys_by_input_name: Mapping[str, AssetKey]
    keys_by_output_name: Mapping[str, AssetKey]
    specs_by_key: Mapping[AssetKey, AssetSpec]  # in the order of the outputs; deps: everything declared upstream
    explicit_deps: Mapping[AssetKey, AbstractSet[AssetKey]] | None  # what each depends on, where it was said
    io_manager_keys: Mapping[str, str]  # by output name, where given
    can_subset: CanSubset
    resource_defs: Mapping[str, Any]
    retry_policy: Any
    hooks: frozenset[Any]
    op_tags: Mapping[str, str]
    pool: str | None
    is_executable: bool
    source: Source

    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(
        self,
        *,
        node_def: OpDefinition | GraphDefinition,
        keys_by_input_name: Mapping[str, AssetKey],
        keys_by_output_name: Mapping[str, AssetKey],
        specs: Sequence[AssetSpec],
        node_name: str = "",
        explicit_deps: Mapping[AssetKey, AbstractSet[AssetKey]] | None = None,
        io_manager_keys: Mapping[str, str] | None = None,
        can_subset: CanSubset = False,
        resource_defs: Mapping[str, Any] | None = None,
        op_tags: Mapping[str, str] | None = None,
    ) -> None:
        self.settle(
            node_def=node_def,
            node_name=node_name or node_def.name,
            keys_by_input_name=dict(keys_by_input_name),
            keys_by_output_name=dict(keys_by_output_name),
            specs_by_key={spec.key: spec for spec in specs},
            explicit_deps=explicit_deps,
            io_manager_keys=dict(io_manager_keys or {}),
            can_subset=can_subset,
            resource_defs=dict(resource_defs or {}),
            retry_policy=None,
            hooks=frozenset(),
            op_tags=dict(op_tags or {}),
            pool=None,
            is_executable=True,
            source=node_def.source,
        )

    # -- what it is ---------------------------------------------------------------

    @property
    def key(self) -> AssetKey:
        """The key of its one asset.

        Raises:
            InvariantViolationError: it has several.
        """
        if len(self.specs_by_key) != 1:
            raise InvariantViolationError(
                f"`{self.node_name}` makes {len(self.specs_by_key)} assets: {', '.join(k.text for k in self.specs_by_key)}",
                where=self.source,
                fix="use `keys`",
            )
        return next(iter(self.specs_by_key))

    @property
    def keys(self) -> AbstractSet[AssetKey]:
        """The keys of its assets."""
        return self.specs_by_key.keys()

    @property
    def specs(self) -> Sequence[AssetSpec]:
        """What is said of its assets, in the order of the outputs."""
        return list(self.specs_by_key.values())

    @property
    def op(self) -> OpDefinition:
        """The op that makes them.

        Raises:
            InvariantViolationError: a graph makes them.
        """
        if not isinstance(self.node_def, OpDefinition):
            raise InvariantViolationError(
                f"`{self.node_name}` is made by a graph, not by one op", where=self.source, fix="use `node_def`"
            )
        return self.node_def

    @property
    def is_graph(self) -> bool:
        """Whether a graph makes them."""
        return isinstance(self.node_def, GraphDefinition)

    @property
    def asset_deps(self) -> Mapping[AssetKey, AbstractSet[AssetKey]]:
        """What each asset is made from."""
        return {key: {dep.asset_key for dep in spec.deps} for key, spec in self.specs_by_key.items()}

    @property
    def dependency_keys(self) -> AbstractSet[AssetKey]:
        """Everything that any of its assets is made from."""
        return {dep.asset_key for spec in self.specs_by_key.values() for dep in spec.deps}

    @property
    def group_names_by_key(self) -> Mapping[AssetKey, str]:
        """The group of each asset; `default` where none was given."""
        return {key: spec.group_name or "default" for key, spec in self.specs_by_key.items()}

    @property
    def descriptions_by_key(self) -> Mapping[AssetKey, str]:
        """The description of each asset that has one."""
        return {key: spec.description for key, spec in self.specs_by_key.items() if spec.description}

    @property
    def metadata_by_key(self) -> Mapping[AssetKey, Mapping[str, Any]]:
        """The metadata of each asset."""
        return {key: spec.metadata for key, spec in self.specs_by_key.items()}

    @property
    def tags_by_key(self) -> Mapping[AssetKey, Mapping[str, str]]:
        """The tags of each asset."""
        return {key: spec.tags for key, spec in self.specs_by_key.items()}

    @property
    def owners_by_key(self) -> Mapping[AssetKey, Sequence[str]]:
        """The owners of each asset."""
        return {key: spec.owners for key, spec in self.specs_by_key.items()}

    @property
    def code_versions_by_key(self) -> Mapping[AssetKey, str | None]:
        """The code version of each asset."""
        return {key: spec.code_version for key, spec in self.specs_by_key.items()}

    @property
    def output_names_by_key(self) -> Mapping[AssetKey, str]:
        """The output that each asset is."""
        return {key: name for name, key in self.keys_by_output_name.items()}

    def get_asset_spec(self, key: AssetKey | None = None) -> AssetSpec:
        """What is said of an asset; of its one asset without a key."""
        return self.specs_by_key[key or self.key]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns; in a graph's body, a node of it."""
        if compose.composing():
            return compose.call(self.node_def, args, kwargs)
        return ports.runner().invoke(self, args, kwargs)

    @property
    def __name__(self) -> str:
        return self.node_def.name
