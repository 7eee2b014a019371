"""Definitions: everything a project declares, in one object."""

from collections.abc import Mapping, Sequence
from typing import Any

from opgraph.declare.frozen import Frozen
from opgraph.errors import Source


class Definitions(Frozen):
    """Assets, jobs and resources of a project."""

    __slots__ = ("assets", "executor", "jobs", "metadata", "resources", "source")

    assets: Sequence[Any]  # AssetsDefinition | AssetSpec
    jobs: Sequence[Any]  # JobDefinition | AssetJob
    resources: Mapping[str, Any]
    executor: Any
    metadata: Mapping[str, Any]
    source: Source | None
