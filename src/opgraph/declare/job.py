"""Jobs: a graph of ops, or a selection of assets, under a name."""

from collections.abc import Mapping, Sequence
from typing import Any

from opgraph.declare.frozen import Frozen
from opgraph.declare.graph import GraphDefinition
from opgraph.declare.selection import AssetSelection
from opgraph.errors import Source


class JobDefinition(Frozen):
    """A graph that is run as a whole. Made by `@job` and `GraphDefinition.to_job`."""

    __slots__ = (
        "config", "description", "executor_def", "graph", "input_values", "metadata", "name", "resource_defs",
        "retry_policy", "source", "tags",
    )  # fmt: skip

    name: str
    graph: GraphDefinition
    resource_defs: Mapping[str, Any]
    config: Mapping[str, Any]
    description: str | None
    tags: Mapping[str, str]
    metadata: Mapping[str, Any]
    input_values: Mapping[str, Any]
    executor_def: Any
    retry_policy: Any
    source: Source


class AssetJob(Frozen):
    """A selection of assets that is run under a name. Made by `define_asset_job`."""

    __slots__ = ("config", "description", "executor_def", "metadata", "name", "selection", "source", "tags")

    name: str
    selection: AssetSelection
    config: Mapping[str, Any]
    description: str | None
    tags: Mapping[str, str]
    metadata: Mapping[str, Any]
    executor_def: Any
    source: Source | None
