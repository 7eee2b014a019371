"""The assets of a project as code written for Dagster reads them: `Definitions.resolve_asset_graph()`."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any, cast

from opgraph.declare.assets.selection import AssetSelection
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.project.definitions import Definitions
from opgraph.keys import AssetKey
from opgraph.resolve.assets import AssetNode
from opgraph.resolve.project import Project, resolve
from opgraph.resolve.select import select


class AssetGraphView:
    """Every asset of some definitions, with what it is made from and what is made from it.

    Example:
        >>> defs.resolve_asset_graph().get(AssetKey("delays")).parent_keys
        {AssetKey(['flights'])}
    """

    def __init__(self, project: Project) -> None:
        self.definitions = project.definitions
        self._graph = project.graph

    @staticmethod
    def of(given: Any) -> "AssetGraphView":
        """The assets of Definitions, or of a list of definitions and specs.

        Raises:
            InvalidDefinitionError: they cannot work.
        """
        if isinstance(given, AssetGraphView):
            return given
        if isinstance(given, Definitions):
            return AssetGraphView(resolve(given))
        return AssetGraphView(resolve(Definitions(assets=list(cast("Iterable[Any]", given)))))

    def select(self, selection: AssetSelection) -> AbstractSet[AssetKey]:
        """The keys that a selection means."""
        return select(self._graph, selection)

    def get(self, asset_key: AssetKey) -> "AssetView":
        """One asset."""
        return AssetView(self._graph.nodes[asset_key], self._graph.children[asset_key])

    def has(self, asset_key: AssetKey) -> bool:
        """Whether there is an asset of this key."""
        return asset_key in self._graph

    def get_all_asset_keys(self) -> AbstractSet[AssetKey]:
        """The keys of all assets, external ones too."""
        return set(self._graph.nodes)

    all_asset_keys = property(get_all_asset_keys)

    @property
    def materializable_asset_keys(self) -> AbstractSet[AssetKey]:
        """The keys of the assets that can be made here."""
        return self._graph.materializable

    @property
    def external_asset_keys(self) -> AbstractSet[AssetKey]:
        """The keys of the assets that are made elsewhere."""
        return self.get_all_asset_keys() - self._graph.materializable

    @property
    def toposorted_asset_keys(self) -> Sequence[AssetKey]:
        """All keys, parents first."""
        return self._graph.in_order()

    @property
    def asset_nodes(self) -> Iterable["AssetView"]:
        """All assets."""
        return [self.get(key) for key in self._graph.nodes]

    @cached_property
    def asset_dep_graph(self) -> Mapping[str, Mapping[AssetKey, AbstractSet[AssetKey]]]:
        """For each asset its parents, under `upstream`, and its children, under `downstream`."""
        return {
            "upstream": {key: set(node.parents) for key, node in self._graph.nodes.items()},
            "downstream": {key: set(children) for key, children in self._graph.children.items()},
        }


class AssetView:
    """One asset of the graph."""

    def __init__(self, node: AssetNode, children: Sequence[AssetKey]) -> None:
        self._node = node
        self.child_keys = set(children)

    @property
    def key(self) -> AssetKey:
        """Its key."""
        return self._node.key

    @property
    def spec(self) -> AssetSpec:
        """What is said of it."""
        return self._node.spec

    @property
    def parent_keys(self) -> AbstractSet[AssetKey]:
        """What it is made from."""
        return set(self._node.parents)

    @property
    def group_name(self) -> str:
        """The group it is shown in."""
        return self._node.group

    @property
    def is_materializable(self) -> bool:
        """Whether it can be made here."""
        return self._node.unit is not None

    @property
    def is_external(self) -> bool:
        """Whether it is made elsewhere."""
        return self._node.unit is None

    def __getattr__(self, name: str) -> Any:
        if name in ("description", "metadata", "tags", "owners", "kinds", "code_version"):
            return getattr(self._node.spec, name)
        raise AttributeError(f"an asset of the graph has no '{name}'", name=name)
