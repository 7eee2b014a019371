"""Which resources need which."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opgraph.declare.settings.recipe import is_recipe
from opgraph.errors import InvalidDefinitionError, InvariantViolationError, Mistake, Source


class ResourceCircle(InvalidDefinitionError, InvariantViolationError):
    """Resources need one another in a circle."""

    def __init__(self, keys: Sequence[str], where: Source | None = None) -> None:
        self.keys = tuple(keys)
        super().__init__(
            f"resource `{keys[-1]}` needs itself: {' needs '.join(f'`{key}`' for key in keys)}",
            where=where,
            fix="take one of them out of the other's `required_resource_keys`",
        )


class NeededNotGiven(Mistake, InvalidDefinitionError, InvariantViolationError):
    """A resource needs another one that is not there."""

    key: str
    by: str
    says = "resource `{by}` requires resource `{key}`, which is not among the resources"
    mend = 'add it: `resources={{"{key}": …}}`'


def _place_of(recipe: Any) -> Source | None:
    """Where the function or class of a resource stands, where that can be known."""
    code = getattr(getattr(recipe, "resource_fn", None), "__code__", None)
    return Source.of_code(code) if code is not None else None


def inner_mistakes(
    resources: Mapping[str, object], keys: Iterable[str], done: set[str]
) -> Iterable[InvalidDefinitionError]:
    """What is wrong with the resources that resources need, from those of some keys on. `done` grows."""
    path: list[str] = []
    found: list[InvalidDefinitionError] = []

    def walk(key: str) -> None:
        if key in path:
            found.append(ResourceCircle([*path[path.index(key) :], key], _place_of(resources[key])))
            return
        if key in done or key not in resources:
            return
        path.append(key)
        recipe: Any = resources[key]
        for each in sorted(recipe.opgraph_requires()) if is_recipe(recipe) else ():
            if each not in resources:
                found.append(NeededNotGiven(each, key, where=_place_of(recipe)))
            walk(each)
        path.pop()
        done.add(key)

    for key in keys:
        walk(key)
    return found
