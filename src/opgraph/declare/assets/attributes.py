"""Everything that can be said of assets where they are declared: one set of parameters, from which `asset`,
`multi_asset`, `graph_asset`, `graph_multi_asset`, `AssetsDefinition.from_graph` and `.from_op` all take theirs."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal, TypeAlias, TypedDict, cast

from opgraph.declare.accepted import only, sort_out
from opgraph.declare.assets.asset_mistakes import UnknownParameter
from opgraph.declare.assets.spec import AssetIn, AssetOut, AssetSpec, CoercibleToAssetDep, CoercibleToAssetKeyPrefix
from opgraph.declare.mistakes import report
from opgraph.declare.ops.hooks import HookDefinition
from opgraph.declare.retry import RetryPolicy
from opgraph.declare.unsupported import refuse
from opgraph.errors import Source
from opgraph.keys import AssetKey, CoercibleToAssetKey

CanSubset: TypeAlias = bool | Literal["auto"]


class Shared(TypedDict, total=False):
    """What is said of the whole definition."""

    name: str | None  # by default the function's
    ins: Mapping[str, AssetIn] | None  # which asset an argument is, where its name does not say
    deps: Iterable[CoercibleToAssetDep] | None  # upstream assets that are no arguments
    description: str | None
    config_schema: Any
    required_resource_keys: AbstractSet[str] | None
    resource_defs: Mapping[str, object] | None
    hooks: AbstractSet[HookDefinition] | None
    partitions_def: Any
    op_tags: Mapping[str, Any] | None
    group_name: str | None
    backfill_policy: Any
    retry_policy: RetryPolicy | None
    code_version: str | None
    check_specs: Sequence[Any] | None
    compute_kind: str | None  # the old name of a single entry of `kinds`
    pool: str | None
    memoize: bool | None  # whether stored values are reused while code, configuration and inputs are the same


class OneAsset(Shared, total=False):
    """What is said of one asset."""

    key: CoercibleToAssetKey | None
    key_prefix: CoercibleToAssetKeyPrefix | None
    metadata: Mapping[str, Any] | None
    tags: Mapping[str, str] | None
    owners: Sequence[str] | None
    kinds: AbstractSet[str] | None
    io_manager_def: object | None
    io_manager_key: str | None
    dagster_type: Any
    output_required: bool
    automation_condition: Any
    freshness_policy: Any
    is_virtual: bool


class ManyAssets(Shared, total=False):
    """What is said of several assets."""

    outs: Mapping[str, AssetOut] | None
    specs: Sequence[AssetSpec] | None
    internal_asset_deps: Mapping[str, AbstractSet[AssetKey]] | None
    can_subset: CanSubset


class OneGraphAsset(OneAsset, total=False):
    """What is said of an asset that a graph makes."""

    config: Any


class ManyGraphAssets(ManyAssets, total=False):
    """What is said of several assets that a graph makes."""

    config: Any


class OfNode(OneGraphAsset, ManyAssets, total=False):
    """What is said of the assets that an op or graph makes which was declared before."""

    keys_by_input_name: Mapping[str, CoercibleToAssetKey] | None
    keys_by_output_name: Mapping[str, CoercibleToAssetKey] | None
    group_names_by_output_name: Mapping[str, str | None] | None
    descriptions_by_output_name: Mapping[str, str] | None
    metadata_by_output_name: Mapping[str, Mapping[str, Any] | None] | None
    tags_by_output_name: Mapping[str, Mapping[str, str] | None] | None
    owners_by_output_name: Mapping[str, Sequence[str]] | None
    code_versions_by_output_name: Mapping[str, str | None] | None
    automation_conditions_by_output_name: Mapping[str, Any] | None
    partition_mappings: Mapping[str, Any] | None
    hook_defs: AbstractSet[HookDefinition] | None


def check(owner: str, given: Any, known: type) -> None:
    """Refuse parameters that are not built yet; report those that do not exist and what is of a wrong kind, and take it
    out. An entry of `ins` that names an asset becomes an `AssetIn`.

    Raises:
        UnknownParameter: a parameter that `owner` does not have.
        NotYetSupportedError: one that does nothing yet.
    """
    names: frozenset[str] = getattr(known, "__optional_keys__")  # noqa: B009 - no type checker knows it of a TypedDict
    for name in [each for each in given if each not in names]:
        del given[name]
        report(UnknownParameter(owner, name, sorted(names), where=Source.of_caller()))
    refuse(owner, given)
    shown = f"`{owner}`"
    sort_out(shown, given)
    if given.get("ins"):
        ins = {name: AssetIn(each) if _names_asset(each) else each for name, each in given["ins"].items()}
        given["ins"] = only(shown, "ins", ins, AssetIn, "an `AssetIn` or the key of an asset")
    if given.get("outs"):
        given["outs"] = only(shown, "outs", given["outs"], AssetOut, "an `AssetOut`")
    if given.get("specs"):
        specs = only(
            shown, "specs", dict(enumerate(cast("Iterable[Any]", given["specs"]))), AssetSpec, "an `AssetSpec`"
        )
        given["specs"] = list(specs.values())


def _names_asset(given: object) -> bool:
    return isinstance(given, (str, AssetKey, list, tuple))
