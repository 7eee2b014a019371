"""A definition of one or more assets: the op or graph that makes them, and which input and output is which asset."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Generic, Unpack, cast

from msgspec import structs

from opgraph.declare import ports
from opgraph.declare.assets import layout
from opgraph.declare.assets.asset_mistakes import MadeByGraph, NoAssets, NoPart, SeveralAssets, SeveralOutputs
from opgraph.declare.assets.attributes import CanSubset, OfNode, check
from opgraph.declare.assets.mapped import mapped
from opgraph.declare.assets.parameters import list_parameters
from opgraph.declare.assets.spec import AssetOut, AssetSpec, SourceAsset
from opgraph.declare.frozen import Frozen, document, fields_of, made, replaced
from opgraph.declare.graphs import compose
from opgraph.declare.graphs.config_mapping import checked_config
from opgraph.declare.graphs.graph_definition import GraphDefinition
from opgraph.declare.mistakes import report
from opgraph.declare.ops.hooks import HookDefinition, checked_hooks
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.ops.signatures import P, R_co
from opgraph.declare.retry import RetryPolicy
from opgraph.declare.unsupported import refuse
from opgraph.errors import InvalidDefinitionError, Mistake, Source
from opgraph.keys import AssetKey, CoercibleToAssetKey


class NothingDefined(Mistake, InvalidDefinitionError):
    """An AssetsDefinition of nothing."""

    says = "an AssetsDefinition was given nothing that makes an asset, and no asset that is made elsewhere"
    mend = "If specs are not provided, a node_def must be provided"


class AssetsDefinition(Frozen, Generic[P, R_co]):
    """One or more assets and what makes them. Made by `@asset`, `@multi_asset`, `@graph_asset`, `@graph_multi_asset`,
    `AssetsDefinition.from_graph` and `.from_op`; as a function it can be called in tests."""

    __slots__ = (
        "__weakref__",  # what is worked out from a definition is kept as long as it is
        "argument_keys", "can_subset", "explicit_deps", "hooks", "io_manager_keys", "is_executable",
        "keys_by_output_name", "node_def", "node_name", "op_tags", "ordering_keys", "pool", "resource_defs",
        "retry_policy", "source", "specs_by_key",
    )  # fmt: skip

    node_def: OpDefinition | GraphDefinition
    node_name: str  # the key of its step, or what stands before the keys of its steps
    argument_keys: Mapping[str, AssetKey]  # the inputs that have a value
    ordering_keys: Mapping[str, AssetKey]  # those that have none
    keys_by_output_name: Mapping[str, AssetKey]
    specs_by_key: Mapping[AssetKey, AssetSpec]  # in the order of the outputs; deps: everything declared upstream
    explicit_deps: Mapping[AssetKey, AbstractSet[AssetKey]] | None  # what each depends on, where it was said
    io_manager_keys: Mapping[str, str]  # by output name, where given
    can_subset: CanSubset
    resource_defs: Mapping[str, Any]
    retry_policy: RetryPolicy | None
    hooks: frozenset[HookDefinition]
    op_tags: Mapping[str, str]
    pool: str | None
    is_executable: bool
    source: Source

    # What no assets have yet; code that asks is told so.
    backfill_policy: ClassVar[None] = None
    check_keys: ClassVar[AbstractSet[Any]] = frozenset()
    check_specs: ClassVar[Sequence[Any]] = ()
    is_observable: ClassVar[bool] = False
    partitions_def: ClassVar[None] = None

    def __init__(
        self,
        *,
        keys_by_input_name: Mapping[str, CoercibleToAssetKey] | None = None,
        keys_by_output_name: Mapping[str, CoercibleToAssetKey] | None = None,
        node_def: OpDefinition | GraphDefinition | None = None,
        partitions_def: Any = None,
        partition_mappings: Any = None,
        asset_deps: Mapping[AssetKey, AbstractSet[AssetKey]] | None = None,
        can_subset: CanSubset = False,
        resource_defs: Mapping[str, Any] | None = None,
        group_names_by_key: Mapping[AssetKey, str] | None = None,
        metadata_by_key: Mapping[AssetKey, Mapping[str, Any]] | None = None,
        tags_by_key: Mapping[AssetKey, Mapping[str, str]] | None = None,
        descriptions_by_key: Mapping[AssetKey, str] | None = None,
        backfill_policy: Any = None,
        specs: Sequence[AssetSpec] | None = None,
        hook_defs: AbstractSet[HookDefinition] | None = None,
    ) -> None:
        refuse(
            "AssetsDefinition",
            {
                "backfill_policy": backfill_policy,
                "partition_mappings": partition_mappings or None,
                "partitions_def": partitions_def,
            },
        )
        if node_def is None:
            self._settle_external(list(specs or ()))
            return
        outputs = {
            name: AssetKey.from_coercible((keys_by_output_name or {}).get(name) or _own_key(node_def, name))
            for name in node_def.outs
        }
        inputs = {name: (keys_by_input_name or {}).get(name, [name]) for name in node_def.ins}
        given: OfNode = {
            "keys_by_input_name": inputs,
            "can_subset": can_subset,
            "resource_defs": resource_defs,
            "hook_defs": hook_defs,
        }
        by_key = {spec.key: spec for spec in specs or ()}
        outs = {name: AssetOut.from_spec(by_key[key]) for name, key in outputs.items() if key in by_key}
        for by, told in (
            ("group_names_by_output_name", group_names_by_key),
            ("metadata_by_output_name", metadata_by_key),
            ("tags_by_output_name", tags_by_key),
            ("descriptions_by_output_name", descriptions_by_key),
        ):
            if told:
                given[by] = {name: told[key] for name, key in outputs.items() if key in told}
        if asset_deps:
            given["internal_asset_deps"] = {
                name: set(asset_deps[key]) for name, key in outputs.items() if key in asset_deps
            }
            named = {key for deps in asset_deps.values() for key in deps}
            loose = named - set(outputs.values()) - {AssetKey.from_coercible(key) for key in inputs.values()}
            given["deps"] = sorted(loose)
        given["keys_by_output_name"] = outputs
        given["outs"] = outs
        whole = _of_node(node_def, given, "definition of")
        self.settle(**dict(fields_of(whole)))

    def _settle_external(self, specs: Sequence[AssetSpec]) -> None:
        """The definition of assets that are made elsewhere."""
        where = Source.of_caller()
        if not specs:
            report(NothingDefined(where=where))
        name = specs[0].key.to_python_identifier() if specs else "external"
        graph = GraphDefinition(name)
        whole = AssetsDefinition.of(graph, layout.Layout(name, layout.Upstream({}, ()), {}, list(specs), {}))
        self.settle(**{**dict(fields_of(whole)), "is_executable": False})

    @staticmethod
    def of(node_def: OpDefinition | GraphDefinition, of: layout.Layout) -> "AssetsDefinition":
        """The definition of a node and what was said of its assets."""
        return made(
            AssetsDefinition,
            node_def=node_def,
            node_name=of.node_name,
            argument_keys=of.upstream.argument_keys,
            ordering_keys=of.upstream.ordering_keys,
            keys_by_output_name=of.keys_by_output_name,
            specs_by_key={spec.key: spec for spec in of.specs},
            explicit_deps=of.explicit_deps,
            io_manager_keys=of.io_manager_keys,
            can_subset=of.can_subset,
            resource_defs=of.resource_defs,
            op_tags=of.op_tags,
            retry_policy=of.retry_policy,
            hooks=of.hooks,
            pool=of.pool,
            is_executable=True,
            source=node_def.source,
        )

    @staticmethod
    def from_graph(graph_def: GraphDefinition, **attributes: Unpack[OfNode]) -> "AssetsDefinition":
        """Assets of a graph's outputs. `key_prefix` stands before every output's key, one given in
        `keys_by_output_name` too.

        Args:
            graph_def: the graph.
            **attributes: see `attributes.OfNode`: what `graph_asset` and `graph_multi_asset` take, and more.

        Raises:
            InvalidDefinitionError: it cannot work; the message names the place and the fix.

        Example:
            >>> AssetsDefinition.from_graph(cleaned, keys_by_input_name={"text": "raw/text"})
        """
        check("AssetsDefinition.from_graph", attributes, OfNode)
        return _of_node(graph_def, attributes, "graph")

    @staticmethod
    def from_op(op_def: OpDefinition, **attributes: Unpack[OfNode]) -> "AssetsDefinition":
        """Assets of an op's outputs. It takes what `from_graph` takes.

        Args:
            op_def: the op.
            **attributes: see `attributes.OfNode`.

        Raises:
            InvalidDefinitionError: it cannot work; the message names the place and the fix.

        Example:
            >>> AssetsDefinition.from_op(count, group_name="reports")
        """
        check("AssetsDefinition.from_op", attributes, OfNode)
        return _of_node(op_def, attributes, "op")

    def with_attributes(
        self,
        *,
        asset_key_replacements: Mapping[AssetKey, AssetKey] | None = None,
        group_names_by_key: Mapping[AssetKey, str] | None = None,
        tags_by_key: Mapping[AssetKey, Mapping[str, str]] | None = None,
        metadata_by_key: Mapping[AssetKey, Mapping[str, Any]] | None = None,
        automation_condition: Any = None,
        backfill_policy: Any = None,
        hook_defs: AbstractSet[HookDefinition] | None = None,
    ) -> "AssetsDefinition":
        """A copy with other keys, upstream ones too, or other labels.

        Args:
            asset_key_replacements: new keys by old ones.
            group_names_by_key: groups by old key.
            tags_by_key: tags, instead of those there were, by old key.
            metadata_by_key: metadata, instead of that there was, by old key.
            automation_condition: not supported yet.
            backfill_policy: not supported yet.
            hook_defs: hooks, beside those there were.
        """
        refuse(
            "AssetsDefinition.with_attributes",
            {
                "automation_condition": automation_condition,
                "backfill_policy": backfill_policy,
            },
        )
        renamed = asset_key_replacements or {}
        groups, tags, metadata = group_names_by_key or {}, tags_by_key or {}, metadata_by_key or {}

        def new(key: AssetKey) -> AssetKey:
            return renamed.get(key, key)

        specs = [
            replaced(
                spec,
                key=new(key),
                deps=[replaced(dep, asset_key=new(dep.asset_key)) for dep in spec.deps],
                group_name=groups.get(key, spec.group_name),
                tags=dict(tags.get(key, spec.tags)),
                metadata=dict(metadata.get(key, spec.metadata)),
            )
            for key, spec in self.specs_by_key.items()
        ]
        explicit = self.explicit_deps
        name = new(AssetKey(self.node_name)).to_python_identifier()
        only = next(iter(self.specs_by_key)) if len(self.specs_by_key) == 1 else None
        if only is not None and self.node_name == only.to_python_identifier():
            name = new(only).to_python_identifier()
        return replaced(
            self,
            node_name=name,
            specs_by_key={spec.key: spec for spec in specs},
            argument_keys={name: new(key) for name, key in self.argument_keys.items()},
            ordering_keys={name: new(key) for name, key in self.ordering_keys.items()},
            keys_by_output_name={name: new(key) for name, key in self.keys_by_output_name.items()},
            explicit_deps=None if explicit is None else {new(k): {new(d) for d in ds} for k, ds in explicit.items()},
            hooks=self.hooks | checked_hooks(f"`{self.node_name}`", "hook_defs", hook_defs, self.source),
        )

    def subset_for(
        self, selected_asset_keys: AbstractSet[CoercibleToAssetKey], selected_asset_check_keys: object = None
    ) -> "AssetsDefinition":
        """A copy that makes only some of its assets. What its ops make of the others, where they must, is intermediate:
        not stored as an asset, and not recorded as one.

        Args:
            selected_asset_keys: the assets to keep; keys of others are passed over.
            selected_asset_check_keys: checks are not supported yet, so there is none to keep.

        Raises:
            InvalidSubsetError: none of its assets is kept, or not all are and it has no `can_subset`.

        Example:
            >>> sorted_out.subset_for({"good"})
        """
        refuse("AssetsDefinition.subset_for", {"selected_asset_check_keys": selected_asset_check_keys or None})
        wanted = {AssetKey.from_coercible(key) for key in selected_asset_keys}
        kept = {key: spec for key, spec in self.specs_by_key.items() if key in wanted}
        if len(kept) == len(self.specs_by_key):
            return self
        if not kept or not self.can_subset:
            report(NoPart(self.node_name, sorted(wanted), list(self.specs_by_key), kept, where=Source.of_caller()))
            return self
        explicit = self.explicit_deps
        return replaced(
            self,
            specs_by_key=kept,
            keys_by_output_name={name: key for name, key in self.keys_by_output_name.items() if key in kept},
            explicit_deps=None if explicit is None else {key: deps for key, deps in explicit.items() if key in kept},
        )

    def with_hooks(self, hook_defs: AbstractSet[HookDefinition]) -> "AssetsDefinition":
        """A copy with functions that are called when its steps have ended."""
        return self.with_attributes(hook_defs=hook_defs)

    # -- what it is ---------------------------------------------------------------

    @property
    def key(self) -> AssetKey:
        """The key of its one asset.

        Raises:
            InvariantViolationError: it has several.
        """
        if len(self.specs_by_key) != 1:
            raise SeveralAssets(self.node_name, list(self.specs_by_key), where=self.source)
        return next(iter(self.specs_by_key))

    @property
    def keys(self) -> AbstractSet[AssetKey]:
        """The keys of its assets."""
        return self.specs_by_key.keys()

    @property
    def specs(self) -> Sequence[AssetSpec]:
        """What is said of its assets, in the order of the outputs."""
        return list(self.specs_by_key.values())

    def to_source_assets(self) -> Sequence[SourceAsset]:
        """Its assets as external ones, for definitions that load them and do not make them."""
        managers = {self.keys_by_output_name[name]: key for name, key in self.io_manager_keys.items()}
        return [
            SourceAsset(
                key,
                spec.metadata,
                managers.get(key),
                description=spec.description,
                group_name=spec.group_name,
                resource_defs=self.resource_defs,
                tags=spec.tags,
            )
            for key, spec in self.specs_by_key.items()
        ]

    def to_source_asset(self, key: CoercibleToAssetKey | None = None) -> SourceAsset:
        """One of its assets as an external one.

        Raises:
            InvariantViolationError: it has several, and none is named.
        """
        wanted = AssetKey.from_coercible(key) if key is not None else self.key
        return next(each for each in self.to_source_assets() if each.key == wanted)

    @property
    def keys_by_input_name(self) -> Mapping[str, AssetKey]:
        """The asset that each input is, those without a value too."""
        ordering = {name: key for name, key in self.ordering_keys.items() if name in self.node_def.ins}
        return {**self.argument_keys, **ordering}

    @property
    def required_resource_keys(self) -> AbstractSet[str]:
        """The resources that its ops, their I/O managers and its hooks use."""
        node = self.node_def
        ops = list(node.iterate_op_defs()) if isinstance(node, GraphDefinition) else [node]
        outs = [out for op in ops for out in op.outs.values()]
        hooks = self.hooks.union(*_hooks_in(node))
        return {
            *(self.io_manager_keys.get(name, "io_manager") for name in self.keys_by_output_name),
            *(out.io_manager_key or "io_manager" for out in outs),
            *(key for user in (*ops, *hooks) for key in user.required_resource_keys),
        }

    @property
    def op(self) -> OpDefinition:
        """The op that makes them.

        Raises:
            InvariantViolationError: a graph makes them.
        """
        if not isinstance(self.node_def, OpDefinition):
            raise MadeByGraph(self.node_name, where=self.source)
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

    @property
    def input_names(self) -> Sequence[str]:
        """The inputs of what makes them: assets, by value, and those that `deps` name."""
        return list(self.node_def.ins)

    @property
    def is_external(self) -> bool:
        """Whether its assets are made elsewhere."""
        return not self.is_executable

    @property
    def is_materializable(self) -> bool:
        """Whether its assets can be made here."""
        return self.is_executable

    @property
    def output_names(self) -> Sequence[str]:
        """The outputs that are assets."""
        return list(self.keys_by_output_name)

    def get_output_name_for_asset_key(self, key: AssetKey) -> str:
        """The output that an asset is."""
        return self.output_names_by_key[key]

    def get_io_manager_key_for_asset_key(self, key: AssetKey) -> str:
        """The resource that stores an asset."""
        return self.io_manager_keys.get(self.output_names_by_key[key], "io_manager")

    @property
    def hook_defs(self) -> AbstractSet[HookDefinition]:
        """The functions that are called when its steps have ended."""
        return self.hooks

    def map_asset_specs(self, fn: Callable[[AssetSpec], AssetSpec]) -> "AssetsDefinition":
        """A copy in which a function has changed what is said of the assets.

        Raises:
            InvalidDefinitionError: it changed a key, or took away a dependency that an argument is.
        """
        return mapped(self, fn)

    def get_asset_spec(self, key: AssetKey | None = None) -> AssetSpec:
        """What is said of an asset; of its one asset without a key."""
        return self.specs_by_key[key or self.key]

    def __repr__(self) -> str:
        keys = [repr(key.text) for key in self.specs_by_key]
        listed = keys if len(keys) <= 5 else [*keys[:5], f"{len(keys) - 5} more"]
        ops = sum(1 for _ in self.node_def.ops()) if isinstance(self.node_def, GraphDefinition) else 1
        told = f"{ops} op{'s' if ops != 1 else ''}" if self.is_executable else "external"
        return f"AssetsDefinition({', '.join([*listed, told])})"

    def _repr_html_(self) -> str:
        """What notebooks show: a drawing."""
        return ports.painter().html(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """What the function returns; in a graph's body, a node of it."""
        if compose.composing():
            called = compose.call_asset(
                self.node_name, [key.to_python_identifier() for key in self.keys], self.node_def, args, kwargs
            )
            return cast("R_co", called)
        return ports.runner().invoke(self, args, kwargs)

    @property
    def __name__(self) -> str:
        return self.node_def.name


def _hooks_in(node: OpDefinition | GraphDefinition) -> Iterator[AbstractSet[HookDefinition]]:
    """The hooks of the nodes of a graph, nested ones too."""
    for each in node.nodes.values() if isinstance(node, GraphDefinition) else ():
        yield each.hooks
        yield from _hooks_in(each.definition)


def _own_key(node: OpDefinition | GraphDefinition, output: str) -> AssetKey:
    """The key of an output that nothing is said of."""
    return AssetKey([node.name if list(node.outs) == ["result"] else output])


def _of_node(node: OpDefinition | GraphDefinition, given: OfNode, kind: str) -> AssetsDefinition:
    owner, source = f"{kind} `{node.name}`", node.source
    config = checked_config(owner, given.get("config"), source)
    if config is not None and isinstance(node, GraphDefinition):
        node = replaced(node, config=config)
    outputs = list(node.outs)
    if not outputs:
        report(NoAssets(owner, where=source))
    keys = _keys_by_output(node, given, owner)
    for by, value in given.items():
        if by.endswith("_by_output_name"):
            layout.check_names(cast("Mapping[str, Any]", value or {}), by, "output", outputs, owner, source)
    inputs = given.get("keys_by_input_name") or {}
    layout.check_names(inputs, "keys_by_input_name", "input", list(node.ins), owner, source)
    given_inputs = {name: AssetKey.from_coercible(key) for name, key in inputs.items() if name in node.ins}
    upstream = layout.upstream_of(given, list(node.ins), owner, source, keys=given_inputs)
    outs = {name: _out_of(name, keys[name], node, given) for name in outputs}
    whole = layout.many(given, outs, (), upstream, owner, source, _node_name(node, given))
    manager, resources = layout.manager_of(given, AssetKey([node.name]), owner, source)
    managers = {**dict.fromkeys(outputs, manager), **whole.io_manager_keys} if manager else whole.io_manager_keys
    return AssetsDefinition.of(node, structs.replace(whole, resource_defs=resources, io_manager_keys=managers))


def _keys_by_output(node: OpDefinition | GraphDefinition, given: OfNode, owner: str) -> dict[str, AssetKey]:
    """The keys: those given, else the outs', else the output's name, or the node's where `result` is the only one."""
    outputs, told = list(node.outs), given.get("keys_by_output_name") or {}
    outs = given.get("outs") or {}
    layout.check_names(outs, "outs", "output", outputs, owner, node.source)
    if given.get("key") is not None:
        if len(outputs) > 1:
            report(SeveralOutputs(owner, len(outputs), where=node.source))
        key = layout.key_of(given, node.name, owner, node.source)
        return {name: key if at == 0 else AssetKey([name]) for at, name in enumerate(outputs)}
    own = given.get("name") or node.name
    prefix = given.get("key_prefix") or ()
    keys: dict[str, AssetKey] = {}
    for name in outputs:
        if name in told:
            key = AssetKey.from_coercible(told[name])
        elif name in outs:
            key = outs[name].key_for(name)
        else:
            key = AssetKey([own if outputs == ["result"] else name])
        keys[name] = key.with_prefix(prefix)
    return keys


def _node_name(node: OpDefinition | GraphDefinition, given: OfNode) -> str:
    # A prefix names the assets; the graph keeps its own name. Where it is used twice, `resolve` tells the two apart.
    return given.get("name") or node.name


def _out_of(name: str, key: AssetKey, node: OpDefinition | GraphDefinition, given: OfNode) -> AssetOut:
    """What is said of one output's asset: by output name first, then in `outs`, then of all."""
    out = (given.get("outs") or {}).get(name, AssetOut())
    described = node.outs[name].description or node.description

    def said(by: str, of_out: Any, of_all: Any) -> Any:
        by_name = cast("Mapping[str, Any]", given.get(by) or {}).get(name)
        return by_name if by_name is not None else of_out if of_out not in (None, {}) else of_all

    declared = node.outs[name]
    return AssetOut(
        key=key,
        description=said("descriptions_by_output_name", out.description, given.get("description") or described),
        is_required=out.is_required and given.get("output_required", True) and getattr(declared, "is_required", True),
        io_manager_key=out.io_manager_key,
        metadata=said("metadata_by_output_name", out.metadata, given.get("metadata")),
        group_name=said("group_names_by_output_name", out.group_name, given.get("group_name")),
        code_version=said("code_versions_by_output_name", out.code_version, given.get("code_version")),
        owners=said("owners_by_output_name", out.owners, given.get("owners")),
        tags=said("tags_by_output_name", out.tags, given.get("tags")),
        kinds=out.kinds or given.get("kinds"),
    )


list_parameters("AssetsDefinition.from_graph", AssetsDefinition.from_graph, OfNode)
list_parameters("AssetsDefinition.from_op", AssetsDefinition.from_op, OfNode)
document(AssetsDefinition, lambda assets: assets.node_def.__doc__)
