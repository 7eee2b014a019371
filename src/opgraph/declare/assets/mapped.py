"""Changing what is said of assets that are declared already."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.frozen import replaced
from opgraph.errors import InvalidDefinitionError, InvariantViolationError, Mistake, Source
from opgraph.keys import AssetKey

if TYPE_CHECKING:
    from opgraph.declare.assets.assets_definition import AssetsDefinition


class NotASpec(Mistake, InvalidDefinitionError, TypeError):
    """A function that changes specs made something else of one."""

    key: AssetKey
    got: object
    says = "the function given to `map_asset_specs` returned {got:typed} for `{key.text}`"
    mend = "return a spec: `spec.replace_attributes(...)` is one with changes"


class ArgumentNotADep(Mistake, InvariantViolationError):
    """A dependency was taken away that an argument is."""

    key: AssetKey
    dep: AssetKey
    argument: str
    says = (
        "the changed spec of asset `{key.text}` no longer depends on `{dep.text}`, which is the function's argument "
        "`{argument}`"
    )
    mend = "keep the spec's `deps` and add to them: `spec.merge_attributes(deps=...)`"


def map_asset_specs(fn: Callable[[AssetSpec], AssetSpec], iterable: Iterable[Any]) -> Sequence[Any]:
    """The same definitions and specs, with what is said of each asset changed by a function.

    Args:
        fn: from a spec to the changed one: other metadata, owners, deps, also another key.
        iterable: definitions of assets, and specs of external ones.

    Raises:
        InvariantViolationError: a dependency was taken away that an argument is.

    Example:
        >>> map_asset_specs(lambda spec: spec.replace_attributes(owners=["team:data"]), [flights])
    """
    return [fn(each) if isinstance(each, AssetSpec) else mapped(each, fn) for each in iterable]


def mapped(definition: "AssetsDefinition", fn: Callable[[AssetSpec], AssetSpec]) -> "AssetsDefinition":
    """A definition with what is said of its assets changed by a function."""
    changed = {key: fn(spec) for key, spec in definition.specs_by_key.items()}
    for key, made in changed.items():
        if not isinstance(made, AssetSpec):  # pyright: ignore[reportUnnecessaryIsInstance] - users' data
            raise NotASpec(key, made, where=Source.of_caller())
    arguments = {key: name for name, key in definition.argument_keys.items()}
    for key, spec in changed.items():
        before = {dep.asset_key for dep in definition.specs_by_key[key].deps}
        for lost in sorted(before - {dep.asset_key for dep in spec.deps}):
            if lost in arguments:
                raise ArgumentNotADep(key, lost, arguments[lost], where=Source.of_caller())
    renamed = {key: spec.key for key, spec in changed.items() if spec.key != key}
    moved = definition.with_attributes(asset_key_replacements=renamed) if renamed else definition
    explicit = moved.explicit_deps
    if explicit is not None:
        explicit = {**explicit, **{spec.key: {dep.asset_key for dep in spec.deps} for spec in changed.values()}}
    named = {dep.asset_key for spec in changed.values() for dep in spec.deps}
    return replaced(
        moved,
        specs_by_key={spec.key: spec for spec in changed.values()},
        explicit_deps=explicit,
        ordering_keys={name: key for name, key in moved.ordering_keys.items() if key in named},
    )
