"""From what was said of assets to which input, output, key and label is whose."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct

from opgraph.declare.assets.asset_mistakes import ManagerTwice, NoSuchName, OneKeyTwice, UnknownInternalDep
from opgraph.declare.assets.attributes import CanSubset, ManyAssets, OneAsset, Shared
from opgraph.declare.assets.layout_mistakes import DepsBesideSpecs, InputsOfNoOutput, InputsOfNoSpec
from opgraph.declare.assets.spec import AssetDep, AssetIn, AssetOut, AssetSpec, deps_of
from opgraph.declare.frozen import set_of
from opgraph.declare.labels import checked_name, checked_pool, checked_tags, memoized_tags
from opgraph.declare.mistakes import KeyTwice, NoSuchParameter, RepeatedDependency, report
from opgraph.declare.ops.hooks import HookDefinition, checked_hooks
from opgraph.declare.retry import RetryPolicy
from opgraph.errors import Source
from opgraph.keys import NAME, AssetKey


class Upstream(Struct, frozen=True):
    """What a definition reads: arguments by name, and everything else it comes after."""

    argument_keys: dict[str, AssetKey]
    deps: tuple[AssetDep, ...]  # all: those of arguments first
    ordering_keys: dict[str, AssetKey] = {}  # what only orders, by the name of an input without a value

    @property
    def keys(self) -> set[AssetKey]:
        """The keys of all of them."""
        return {dep.asset_key for dep in self.deps}


class Layout(Struct, frozen=True):
    """Everything about a definition of assets but its node."""

    node_name: str
    upstream: Upstream
    keys_by_output_name: dict[str, AssetKey]
    specs: list[AssetSpec]
    io_manager_keys: dict[str, str]
    explicit_deps: dict[AssetKey, AbstractSet[AssetKey]] | None = None
    can_subset: CanSubset = False
    resource_defs: dict[str, Any] = {}
    required_resource_keys: frozenset[str] = frozenset()
    op_tags: dict[str, str] = {}
    retry_policy: RetryPolicy | None = None
    pool: str | None = None
    hooks: frozenset[HookDefinition] = frozenset()


def key_of(given: OneAsset, name: str, owner: str, source: Source) -> AssetKey:
    """The key of the one asset of a function."""
    key, prefix = given.get("key"), given.get("key_prefix")
    if key is not None:
        also = [each for each in ("name", "key_prefix") if given.get(each) is not None]
        if also:
            report(KeyTwice(owner, "key", also, where=source))
        return AssetKey.from_coercible(key)
    checked_name("asset", name, source)
    return AssetKey([*AssetKey(prefix).parts, name]) if prefix else AssetKey(name)


def upstream_of(
    given: Shared,
    params: Sequence[str],
    owner: str,
    source: Source,
    *,
    keys: Mapping[str, AssetKey] | None = None,
    takes_any: bool = False,
) -> Upstream:
    """Which asset each parameter is, and what else is upstream. An entry of `ins` that is `Nothing` and no parameter
    is a dependency without an argument."""
    ins = given.get("ins") or {}
    by_name = {name: ins[name].key_for(name) if name in ins else AssetKey(name) for name in params}
    by_name.update(keys or {})
    loose: list[AssetDep] = []
    for name, declared in ins.items():
        if name in by_name:
            continue
        if declared.is_nothing:
            loose.append(AssetDep(declared.key_for(name), metadata=declared.metadata))
        elif takes_any:
            by_name[name] = declared.key_for(name)
        else:
            report(NoSuchParameter(owner, "ins", name, params, where=source))
    deps = {key: AssetDep(key) for key in by_name.values()}
    said = set[AssetKey]()
    for dep in (*loose, *deps_of(given.get("deps"), owner, source)):
        if dep.asset_key in said:
            report(RepeatedDependency(owner, dep.asset_key, where=source))
        said.add(dep.asset_key)
        deps[dep.asset_key] = dep  # of an argument, too: it may say more of it
    ordering = {name: declared.key_for(name) for name, declared in ins.items() if name not in by_name}
    taken = {*by_name.values(), *ordering.values()}
    for key in deps:
        name = key.to_python_identifier()
        if key not in taken and name not in by_name and NAME.fullmatch(name):
            ordering.setdefault(name, key)
    return Upstream(by_name, tuple(deps.values()), ordering)


def one(
    given: OneAsset, key: AssetKey, upstream: Upstream, output: str, owner: str, source: Source, doc: str | None
) -> Layout:
    """The layout of one asset."""
    description = given.get("description")
    spec = AssetSpec(
        key,
        deps=upstream.deps,
        description=description if description is not None else doc,
        metadata=given.get("metadata"),
        skippable=not given.get("output_required", True),
        group_name=given.get("group_name"),
        code_version=given.get("code_version"),
        owners=given.get("owners"),
        tags=given.get("tags"),
        kinds=kinds_of(given, given.get("kinds")),
        source=source,
    )
    manager, resources = manager_of(given, key, owner, source)
    return Layout(
        node_name=key.to_python_identifier(),
        upstream=upstream,
        keys_by_output_name={output: key},
        specs=[spec],
        io_manager_keys={output: manager} if manager else {},
        resource_defs=resources,
        required_resource_keys=set_of(given.get("required_resource_keys")),
        op_tags=memoized_tags(checked_tags(owner, given.get("op_tags"), source), given.get("memoize")),
        retry_policy=given.get("retry_policy"),
        pool=checked_pool(owner, given.get("pool"), source),
        hooks=hooks_of(given, owner, source),
    )


def hooks_of(given: Any, owner: str, source: Source) -> frozenset[HookDefinition]:
    """The hooks, under both names that the parameter has."""
    names = ("hooks", "hook_defs")
    return set_of([hook for name in names for hook in checked_hooks(owner, name, given.get(name), source)])


def kinds_of(given: Shared, kinds: AbstractSet[str] | None) -> AbstractSet[str] | None:
    """The kinds of an asset: those that were said, else the one of the function."""
    kind = given.get("compute_kind")
    return kinds or ({kind} if kind else None)


def manager_of(given: OneAsset, key: AssetKey, owner: str, source: Source) -> tuple[str | None, dict[str, Any]]:
    """The key of the I/O manager, and the resources; a manager given as an object gets a key of its own."""
    manager, definition = given.get("io_manager_key"), given.get("io_manager_def")
    resources = dict(given.get("resource_defs") or {})
    if definition is None:
        return manager, resources
    if manager is not None:
        report(ManagerTwice(owner, where=source))
    manager = key.to_python_identifier("io_manager")
    return manager, {**resources, manager: definition}


def many(
    given: Any,
    outs: Mapping[str, AssetOut],
    specs: Sequence[AssetSpec],
    upstream: Upstream,
    owner: str,
    source: Source,
    node_name: str,
    doc: str | None = None,
) -> Layout:
    """The layout of several assets: each output one. `specs` may say of an asset itself what it depends on. An asset
    that is not described has the description of all, or `doc`."""
    told = {spec.key: spec for spec in specs}
    keys = {name: out.key_for(name) for name, out in outs.items()}
    check_keys(keys, owner, source)
    explicit: dict[AssetKey, AbstractSet[AssetKey]] | None = explicit_deps(
        given.get("internal_asset_deps"), keys, upstream, owner, source
    )
    if any(spec.deps for spec in specs):
        # An input that no spec claims is everyone's.
        claimed = {dep.asset_key for spec in specs for dep in spec.deps}
        explicit = {k: {d.asset_key for d in told[k].deps} | (upstream.keys - claimed) for k in keys.values()}
    code_version = given.get("code_version")
    of_all = given.get("description") if given.get("description") is not None else doc
    return Layout(
        node_name=node_name,
        upstream=upstream,
        keys_by_output_name=keys,
        specs=[
            AssetSpec(
                keys[name],
                deps=_deps(keys[name], upstream, explicit, told.get(keys[name])),
                description=out.description if out.description is not None else of_all,
                metadata=out.metadata,
                skippable=not out.is_required,
                group_name=out.group_name if out.group_name is not None else given.get("group_name"),
                code_version=out.code_version if out.code_version is not None else code_version,
                owners=out.owners,
                tags=out.tags,
                kinds=kinds_of(given, out.kinds),
                source=source,
            )
            for name, out in outs.items()
        ],
        io_manager_keys={name: out.io_manager_key for name, out in outs.items() if out.io_manager_key},
        explicit_deps=explicit,
        can_subset=given.get("can_subset", False),
        resource_defs=dict(given.get("resource_defs") or {}),
        required_resource_keys=set_of(given.get("required_resource_keys")),
        op_tags=memoized_tags(checked_tags(owner, given.get("op_tags"), source), given.get("memoize")),
        retry_policy=given.get("retry_policy"),
        pool=checked_pool(owner, given.get("pool"), source),
        hooks=hooks_of(given, owner, source),
    )


def _deps(
    key: AssetKey,
    upstream: Upstream,
    explicit: Mapping[AssetKey, AbstractSet[AssetKey]] | None,
    told: AssetSpec | None,
) -> Iterable[AssetDep]:
    if explicit is None or key not in explicit:
        return upstream.deps
    known = {dep.asset_key: dep for dep in (*upstream.deps, *(told.deps if told else ()))}
    return [known.get(each) or AssetDep(each) for each in sorted(explicit[key])]


def check_keys(keys: Mapping[str, AssetKey], owner: str, source: Source) -> None:
    """Report outputs that are the same asset."""
    outputs: dict[AssetKey, list[str]] = {}
    for name, key in keys.items():
        outputs.setdefault(key, []).append(name)
    for key, names in outputs.items():
        if len(names) > 1:
            report(OneKeyTwice(owner, key, names, where=source))


def explicit_deps(
    internal: Mapping[str, AbstractSet[AssetKey]] | None,
    keys: Mapping[str, AssetKey],
    upstream: Upstream,
    owner: str,
    source: Source,
) -> dict[AssetKey, AbstractSet[AssetKey]] | None:
    """What `internal_asset_deps` says each asset depends on; those it does not name depend on every input."""
    if not internal:
        return None
    known = {*keys.values(), *upstream.keys}
    explicit: dict[AssetKey, AbstractSet[AssetKey]] = {key: set(upstream.keys) for key in keys.values()}
    check_names(internal, "internal_asset_deps", "output", list(keys), owner, source)
    for name, given in internal.items():
        deps = {AssetKey.from_coercible(key) for key in given}
        if not deps <= known:
            unknown = sorted(key.text for key in deps - known)
            report(UnknownInternalDep(owner, name, unknown, where=source))
        if name in keys:
            explicit[keys[name]] = deps & known
    claimed = set[AssetKey]().union(*explicit.values())
    loose = {name: key for name, key in upstream.argument_keys.items() if key not in claimed}
    if loose:
        report(InputsOfNoOutput(owner, loose, where=source))
    return explicit


def check_specs(given: ManyAssets, specs: Sequence[AssetSpec], upstream: Upstream, owner: str, source: Source) -> None:
    """Report what is said of the dependencies of specs elsewhere than in them."""
    if not specs:
        return
    for name in ("deps", "internal_asset_deps"):
        if given.get(name):
            report(DepsBesideSpecs(owner, name, where=source))
    told = {dep.asset_key for spec in specs for dep in spec.deps}
    loose = {name: key for name, key in upstream.argument_keys.items() if key not in told}
    if loose:
        report(InputsOfNoSpec(owner, loose, where=source))


def check_names(given: Iterable[str], by: str, kind: str, known: Sequence[str], owner: str, source: Source) -> None:
    """Report what names no input or output."""
    for name in given:
        if name not in known:
            report(NoSuchName(owner, by, kind, name, known, where=source))


def op_ins(ins: Mapping[str, AssetIn] | None, names: Iterable[str]) -> dict[str, AssetIn]:
    """What `ins` says of these inputs."""
    return {name: ins[name] for name in names if ins and name in ins}
