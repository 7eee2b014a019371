"""The parameters that are known and do nothing yet: given a value, each raises NotYetSupportedError."""

from collections.abc import Mapping
from typing import Final

from opgraph.errors import NotYetSupportedError

_CONTAINER: Final = (
    "partitions_def",
    "logger_defs",
    "automation_condition",
    "owners",
)
_SHARED: Final = (
    "backfill_policy",
    "check_specs",
    "partitions_def",
)
_ONE: Final = (*_SHARED, "automation_condition", "dagster_type", "freshness_policy", "is_virtual")
_OF_GRAPH: Final = ("config_schema",)  # its ops have it
_OF_NODE: Final = (*_ONE, *_OF_GRAPH, "automation_conditions_by_output_name", "partition_mappings")

# Which parameters each name refuses for now. A test lists them; when one is built, delete it here.
NOT_YET: Final[dict[str, tuple[str, ...]]] = {
    "In": ("asset_partitions",),
    "graph": ("input_defs", "output_defs"),
    "job": _CONTAINER,
    "define_asset_job": _CONTAINER,
    "asset": (*_SHARED, "automation_condition", "freshness_policy", "is_virtual"),
    "multi_asset": _SHARED,
    "graph_asset": (*_SHARED, "automation_condition", "freshness_policy", "is_virtual", *_OF_GRAPH),
    "graph_multi_asset": (*_SHARED, *_OF_GRAPH),
    "AssetsDefinition": ("backfill_policy", "partition_mappings", "partitions_def"),
    "AssetsDefinition.from_graph": _OF_NODE,
    "AssetsDefinition.from_op": (*_OF_NODE, "config"),
    "AssetsDefinition.subset_for": ("selected_asset_check_keys",),
    "AssetsDefinition.with_attributes": ("automation_condition", "backfill_policy"),
    "AssetSpec": ("automation_condition", "freshness_policy", "is_virtual", "partitions_def"),
    "SourceAsset": ("observe_fn",),
    "AssetOut": ("automation_condition", "backfill_policy", "freshness_policy"),
    "AssetIn": ("partition_mapping",),
    "AssetDep": ("partition_mapping",),
    "MaterializeResult": ("check_results",),
    "AssetMaterialization": ("partition",),
    "AssetObservation": ("partition",),
    "Definitions": ("asset_checks", "component_tree", "loggers", "schedules", "sensors"),
    "materialize": ("partition_key",),
    "materialize_to_memory": ("partition_key",),
    "execute_in_process": ("partition_key",),
    "load_asset_value": ("metadata", "partition_key", "python_type"),
    "load_assets": ("automation_condition", "backfill_policy", "source_key_prefix"),
}


def refuse(owner: str, given: Mapping[str, object]) -> None:
    """Raise for the first parameter of `owner` that is given and not built yet.

    Raises:
        NotYetSupportedError: naming the parameter.
    """
    for name in NOT_YET[owner]:
        value = given.get(name)
        if value is not None and value is not False:
            raise NotYetSupportedError(name, f"the parameter `{name}` of `{owner}` is not supported yet")
