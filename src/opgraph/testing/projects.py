"""What a test hands in: the definitions of a project, or some of its assets."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.project.definitions import Definitions
from opgraph.errors import InvalidDefinitionError, Source, listed
from opgraph.keys import AssetKey, CoercibleToAssetKey, near_misses
from opgraph.resolve.project import resolve

Tested: TypeAlias = Definitions | AssetsDefinition | Iterable[Any]
Given: TypeAlias = Mapping[str, Any] | Mapping[AssetKey, Any] | Mapping[CoercibleToAssetKey, Any]


class GivenToNobody(InvalidDefinitionError):
    """A value is given that nothing which is tested takes: its key is mistyped, or there is nothing to run."""

    def __init__(self, keys: Iterable[AssetKey], near: Iterable[str]) -> None:
        self.keys, self.near = tuple(keys), tuple(near)
        words = ("values", "are", "them") if len(self.keys) > 1 else ("a value", "is", "it")
        meant = f". Did you mean {' or '.join(f'`{name}`' for name in self.near)}?" if self.near else ""
        super().__init__(
            "{} of {named} {} given, and nothing that is to run takes {}".format(
                *words, named=listed(key.text for key in self.keys)
            )
            + meant,
            where=Source.of_caller(),
            fix="give values of assets that others take, and test those others",
        )


def definitions_of(
    tested: Tested, resources: Mapping[str, Any] | None = None, given: Iterable[AssetKey] = ()
) -> Definitions:
    """Definitions of what is tested. Assets of which only a value is given become external ones.

    Args:
        tested: definitions, one asset, or several.
        resources: beside those of the definitions, or instead of them.
        given: the assets of which a value is given.

    Raises:
        GivenToNobody: one of them is none of these, and none of these takes it.
    """
    if isinstance(tested, Definitions):
        whole = tested
    else:
        whole = Definitions(assets=[tested] if isinstance(tested, AssetsDefinition) else list(tested))
    known = {key for each in whole.assets for key in ([each.key] if isinstance(each, AssetSpec) else each.keys)}
    missing = [AssetSpec(key) for key in given if key not in known]
    if not missing and not resources:
        return whole
    widened = Definitions(
        assets=[*whole.assets, *missing],
        jobs=whole.jobs,
        resources={**whole.resources, **(resources or {})},
        executor=whole.executor,
        metadata=whole.metadata,
    )
    if missing and (mistyped := _leaves(widened, [each.key for each in missing])):
        raise GivenToNobody(
            mistyped, [near for key in mistyped for near in near_misses(key.text, [k.text for k in known])]
        )
    return widened


def _leaves(definitions: Definitions, keys: Iterable[AssetKey]) -> list[AssetKey]:
    children = resolve(definitions).graph.children
    return [key for key in keys if not children.get(key)]


def still_needed(definitions: Definitions, given: Iterable[AssetKey]) -> list[AssetKey]:
    """The assets that are to be made where the values of some are given: what is made of those, and what else it takes.

    Raises:
        InvalidDefinitionError: the definitions cannot work, or everything is given (GivenToNobody).
    """
    graph = resolve(definitions).graph
    stop = set(given)
    wanted = [key for key in graph.materializable if key not in stop and not graph.children.get(key)]
    needed: dict[AssetKey, None] = {}
    while wanted:
        key = wanted.pop()
        if key in needed or key in stop or key not in graph.materializable:
            continue
        needed[key] = None
        wanted.extend(graph.nodes[key].parents)
    if not needed and graph.materializable:
        raise GivenToNobody(given, ())
    return [key for key in graph.nodes if key in needed]
