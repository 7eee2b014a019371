"""Finding the assets of modules and packages."""

import pkgutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetSpec, CoercibleToAssetKeyPrefix, SourceAsset
from opgraph.declare.frozen import replaced
from opgraph.declare.labels import checked_group
from opgraph.declare.mistakes import report
from opgraph.declare.unsupported import refuse
from opgraph.errors import InvalidDefinitionError, Mistake, Source
from opgraph.keys import AssetKey

Loaded = AssetsDefinition | AssetSpec


class GroupTwice(Mistake, InvalidDefinitionError):
    """Assets were loaded into a group, and one of them has another."""

    group: str
    key: AssetKey
    own: str
    says = (
        "assets are loaded with `group_name={group!r}`, and the group name `{own}` already exists on asset `{key.text}`"
    )
    mend = "take one of the two away, or load that asset by another call"


def load_assets_from_modules(
    modules: Iterable[ModuleType],
    group_name: str | None = None,
    key_prefix: CoercibleToAssetKeyPrefix | None = None,
    *,
    automation_condition: Any = None,
    backfill_policy: Any = None,
    source_key_prefix: CoercibleToAssetKeyPrefix | None = None,
    include_specs: bool = False,
) -> Sequence[Loaded]:
    """The assets that are variables of these modules, or in lists that are; each once.

    Args:
        modules: where to look.
        group_name: the group of all of them.
        key_prefix: what stands before every key, those of `SourceAsset`s aside; dependencies among the assets found
            follow.
        automation_condition: not supported yet.
        backfill_policy: not supported yet.
        source_key_prefix: what stands before the key of every `SourceAsset`.
        include_specs: whether to take every spec of an external asset too, and not `SourceAsset`s only.

    Raises:
        InvalidDefinitionError: `group_name` is given, and one of the assets is in another group.

    Example:
        >>> load_assets_from_modules([my_assets], group_name="raw")
    """
    refuse("load_assets", {"automation_condition": automation_condition, "backfill_policy": backfill_policy})
    found: dict[int, Loaded] = {}
    for module in modules:
        for value in list(vars(module).values()):
            for each in _assets_in(value):
                if include_specs or isinstance(each, (AssetsDefinition, SourceAsset)):
                    found[id(each)] = each
    group = None if group_name is None else checked_group("the loaded assets", group_name, Source.of_caller())
    for spec in (spec for each in found.values() for spec in ([each] if isinstance(each, AssetSpec) else each.specs)):
        if group is not None and spec.group_name not in (None, group):
            report(GroupTwice(group, spec.key, str(spec.group_name), where=spec.source))
    return _labelled(list(found.values()), group, key_prefix, source_key_prefix)


def load_assets_from_current_module(
    group_name: str | None = None,
    key_prefix: CoercibleToAssetKeyPrefix | None = None,
    *,
    automation_condition: Any = None,
    backfill_policy: Any = None,
    source_key_prefix: CoercibleToAssetKeyPrefix | None = None,
    include_specs: bool = False,
) -> Sequence[Loaded]:
    """The assets of the module that calls this, defined above the call; see `load_assets_from_modules`."""
    return load_assets_from_modules(
        [calling_module()],
        group_name,
        key_prefix,
        automation_condition=automation_condition,
        backfill_policy=backfill_policy,
        source_key_prefix=source_key_prefix,
        include_specs=include_specs,
    )


def load_assets_from_package_module(
    package_module: ModuleType,
    group_name: str | None = None,
    key_prefix: CoercibleToAssetKeyPrefix | None = None,
    *,
    automation_condition: Any = None,
    backfill_policy: Any = None,
    source_key_prefix: CoercibleToAssetKeyPrefix | None = None,
    include_specs: bool = False,
) -> Sequence[Loaded]:
    """The assets of a package and of every module below it, all imported; see `load_assets_from_modules`."""
    return load_assets_from_modules(
        modules_below(package_module),
        group_name,
        key_prefix,
        automation_condition=automation_condition,
        backfill_policy=backfill_policy,
        source_key_prefix=source_key_prefix,
        include_specs=include_specs,
    )


def load_assets_from_package_name(
    package_name: str,
    group_name: str | None = None,
    key_prefix: CoercibleToAssetKeyPrefix | None = None,
    *,
    automation_condition: Any = None,
    backfill_policy: Any = None,
    source_key_prefix: CoercibleToAssetKeyPrefix | None = None,
    include_specs: bool = False,
) -> Sequence[Loaded]:
    """The assets of a package, given by its name; see `load_assets_from_package_module`."""
    return load_assets_from_package_module(
        import_module(package_name),
        group_name,
        key_prefix,
        automation_condition=automation_condition,
        backfill_policy=backfill_policy,
        source_key_prefix=source_key_prefix,
        include_specs=include_specs,
    )


def calling_module() -> ModuleType:
    """The nearest module on the stack that is not opgraph's own."""
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("opgraph."):
        frame = frame.f_back
    return sys.modules[frame.f_globals["__name__"]]


def modules_below(package: ModuleType) -> Iterator[ModuleType]:
    """A package and every module below it, imported."""
    yield package
    for info in pkgutil.walk_packages(getattr(package, "__path__", ()), package.__name__ + "."):
        yield import_module(info.name)


def _assets_in(value: object) -> Iterator[Loaded]:
    if isinstance(value, (AssetsDefinition, AssetSpec)):
        yield value
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            if isinstance(each, (AssetsDefinition, AssetSpec)):
                yield each


def _labelled(
    found: list[Loaded],
    group_name: str | None,
    key_prefix: CoercibleToAssetKeyPrefix | None,
    source_key_prefix: CoercibleToAssetKeyPrefix | None,
) -> Sequence[Loaded]:
    if group_name is None and not key_prefix and not source_key_prefix:
        return found
    new: dict[AssetKey, AssetKey] = {}
    for each in found:
        prefix = source_key_prefix if isinstance(each, SourceAsset) else key_prefix
        keys = [each.key] if isinstance(each, AssetSpec) else each.keys
        new.update((key, key.with_prefix(prefix) if prefix else key) for key in keys)
    return [_relabelled(each, group_name, new) for each in found]


def _relabelled(each: Loaded, group_name: str | None, new: dict[AssetKey, AssetKey]) -> Loaded:
    if isinstance(each, AssetSpec):
        deps = [replaced(dep, asset_key=new.get(dep.asset_key, dep.asset_key)) for dep in each.deps]
        return replaced(each, key=new[each.key], deps=deps, group_name=each.group_name or group_name)
    groups = {key: group_name for key, spec in each.specs_by_key.items() if group_name and not spec.group_name}
    return each.with_attributes(asset_key_replacements=new, group_names_by_key=groups)
