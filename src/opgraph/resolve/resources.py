"""Resources bound to assets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import SourceAsset
from opgraph.declare.frozen import replaced
from opgraph.declare.graphs.graph_definition import GraphDefinition
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.settings.recipe import has_fields, is_recipe
from opgraph.errors import InvalidInvocationError, Source, together
from opgraph.resolve.flatten import flatten
from opgraph.resolve.hooks import hooks_of, without_resources
from opgraph.resolve.mistakes import TakesNoSettings
from opgraph.resolve.verify import missing_resources


class AlreadyBound(InvalidInvocationError):
    """Resources are bound to an asset that has others of its own under the same keys."""

    def __init__(self, asset: str, keys: Sequence[str], where: Source | None) -> None:
        self.asset, self.keys = asset, tuple(keys)
        super().__init__(
            f"`{asset}` has resources of its own under the keys {', '.join(f'`{key}`' for key in keys)}, "
            "and `with_resources` gives others",
            where=where,
            fix="give them in one place, or under other keys",
        )


def with_resources(
    definitions: Iterable[Any],
    resource_defs: Mapping[str, object],
    resource_config_by_key: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Assets that bring the resources which they need with them.

    Args:
        definitions: definitions of assets; specs of external ones stay as they are.
        resource_defs: objects, and what they are made of, by key.
        resource_config_by_key: settings of some of them, each as `{"config": {...}}`.

    Raises:
        InvalidDefinitionError: a resource that one of them needs is not there.
        InvalidInvocationError: one of them has another resource under the same key.

    Example:
        >>> materialize(with_resources([flights], {"warehouse": Warehouse(url="db")}))
    """
    given = {**resource_defs}
    for key, settings in (resource_config_by_key or {}).items():
        given[key] = _configured(key, given.get(key), settings)
    return [_bound(each, given) for each in definitions]


def _configured(key: str, recipe: Any, settings: Any) -> Any:
    given = cast("Mapping[str, Any]", settings)
    config: Any = given.get("config", given) if isinstance(settings, Mapping) else given
    if has_fields(recipe):
        cls, fields = recipe.opgraph_fields()
        return cls(**{**fields, **config})
    if not hasattr(recipe, "configured"):
        raise TakesNoSettings(key)
    return recipe.configured(config)


def _bound(assets: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(assets, SourceAsset):
        both = _joined(assets.key.text, assets.resource_defs, given, assets.source)
        needed = _with_required({assets.get_io_manager_key(), *assets.resource_defs}, both)
        return replaced(assets, resource_defs={key: both[key] for key in both if key in needed})
    return _with_all(cast("AssetsDefinition", assets), given) if isinstance(assets, AssetsDefinition) else assets


def _joined(asset: str, own: Mapping[str, Any], given: Mapping[str, Any], source: Source | None) -> Mapping[str, Any]:
    clash = sorted(key for key in own if key in given)
    if clash:
        raise AlreadyBound(asset, clash, source)
    return {**given, **own}


def _with_all(assets: AssetsDefinition, given: Mapping[str, Any]) -> AssetsDefinition:
    both = _joined(assets.node_name, assets.resource_defs, given, assets.source)
    steps = flatten(assets.node_def).steps
    managers = {(0, name): key for name, key in assets.io_manager_keys.items()}
    problems = [*missing_resources(steps, both, managers if isinstance(assets.node_def, OpDefinition) else {}, set())]
    problems += without_resources(steps, [assets.hooks], both, set())
    keys = _needed(assets, both)
    if problems:
        raise together(problems)
    return replaced(assets, resource_defs={key: both[key] for key in both if key in keys})


def _needed(assets: AssetsDefinition, given: Mapping[str, Any]) -> set[str]:
    node = assets.node_def
    hooks = {hook for step in flatten(node).steps for hook in hooks_of(step, [assets.hooks])}
    ops: list[Any] = [op for _, op in node.ops()] if isinstance(node, GraphDefinition) else [node]
    todo = {"io_manager", *assets.io_manager_keys.values(), *assets.resource_defs}
    todo = todo.union(*(hook.required_resource_keys for hook in hooks))
    for op in ops:
        todo |= {*op.required_resource_keys, *(out.io_manager_key for out in op.outs.values() if out.io_manager_key)}
        todo |= {each.input_manager_key for each in op.ins.values() if each.input_manager_key}
    return _with_required(todo, given)


def _with_required(keys: set[str], given: Mapping[str, Any]) -> set[str]:
    """Those of some keys that are given, and what their resources need."""
    todo, found = set(keys), set[str]()
    while todo:
        key = todo.pop()
        if key in given and key not in found:
            found.add(key)
            if is_recipe(given[key]):
                todo |= given[key].opgraph_requires()
    return found
