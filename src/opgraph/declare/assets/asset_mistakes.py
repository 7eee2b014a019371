"""Mistakes in definitions of assets and in what holds them: one class each."""

from collections.abc import Sequence

from opgraph.errors import (
    InvalidDefinitionError,
    InvalidSubsetError,
    InvariantViolationError,
    Mistake,
    Source,
    given_as,
    listed,
)
from opgraph.keys import AssetKey, Meant, did_you_mean, near_misses


class ManagerTwice(Mistake, InvalidDefinitionError):
    """An I/O manager given both as an object and by its key."""

    owner: str
    says = "{owner} was given `io_manager_def` together with `io_manager_key`"
    mend = "keep one: `io_manager_key` names a resource, `io_manager_def` is the object itself"


class NoSuchName(Mistake, InvalidDefinitionError):
    """A mapping by input or output name that names none of them."""

    owner: str
    by: str
    kind: str
    name: str
    known: Sequence[str]
    meant = Meant("name", "known")
    says = "{owner} has no {kind} `{name}`, which `{by}` names; its {kind}s are {known}"
    mend = "{meant}name one of its {kind}s, or take the entry out"


class OneKeyTwice(Mistake, InvalidDefinitionError):
    """Two outputs of one definition that are the same asset."""

    owner: str
    key: AssetKey
    outputs: Sequence[str]
    says = "the outputs {outputs} of {owner} are all the asset `{key.text}`"
    mend = "give each output a key of its own: Each asset key should correspond to a single output."


class NoAssets(Mistake, InvalidDefinitionError):
    """A definition of several assets that names none."""

    owner: str
    says = "{owner} makes no asset: neither `outs` nor `specs` names one"
    mend = 'say what it makes: `outs={{"a": AssetOut()}}` or `specs=[AssetSpec("a")]`'


class OutsAndSpecs(Mistake, InvalidDefinitionError):
    """Assets given both as `outs` and as `specs`."""

    owner: str
    says = "{owner} was given both `outs` and `specs`"
    mend = "keep one: `outs` where an I/O manager stores the values, `specs` where the function does"


class UnknownInternalDep(Mistake, InvalidDefinitionError):
    """`internal_asset_deps` that names an asset which is neither made nor read here."""

    owner: str
    output: str
    keys: Sequence[str]
    says = (
        "`internal_asset_deps` of {owner} says that `{output}` depends on {keys}, which {owner} neither makes nor reads"
    )
    mend = "name assets that are its outputs, its inputs or in its `deps`"


class UnknownParameter(InvalidDefinitionError, TypeError):
    """An argument under a name that what is called does not have."""

    def __init__(self, owner: str, name: str, known: Sequence[str], *, where: Source | None) -> None:
        self.owner, self.name, self.known = owner, name, tuple(known)
        near = near_misses(name, known, most=1) or [each for each in known if _abbreviates(name, each)][:1]
        hint = f". Did you mean '{near[0]}'?" if near else ""
        tags = next((each for each in ("op_tags", "tags") if each in known), "")
        instead = f'write `{tags}={{"opgraph/timeout": 60}}`' if name == "timeout" and tags else "leave it out"
        super().__init__(
            f"{owner}() got an unexpected keyword argument '{name}'{hint}",
            where=where,
            fix=f"{f'write `{near[0]}`' if near else instead}; `help({owner})` lists the parameters",
        )


def _abbreviates(name: str, word: str) -> bool:
    """Whether a name is a word with letters left out: `grp` for `group_name`."""
    letters = iter(word)
    return word[:1] == name[:1] and len(word) < 4 * len(name) and all(letter in letters for letter in name)


class SeveralOutputs(InvalidDefinitionError):
    """A decorator for one asset on something that has several outputs, or none."""

    def __init__(self, owner: str, count: int, *, where: Source) -> None:
        self.owner = owner
        self.count = count
        super().__init__(
            f"{owner} is one asset, and its function returns {count or 'no'} output{'s' if count != 1 else ''}",
            where=where,
            fix="return one output" if not count else "use `@graph_multi_asset(outs=...)` for several",
        )


class NoPart(InvalidSubsetError):
    """A definition was asked for a copy with some of its assets that it does not have, or cannot have alone."""

    def __init__(
        self, node: str, wanted: Sequence[AssetKey], keys: Sequence[AssetKey], kept: object, *, where: Source | None
    ) -> None:
        self.node, self.wanted, self.keys = node, tuple(wanted), tuple(keys)
        why = "cannot be made in parts" if kept else f"makes none of them, only {listed(key.text for key in keys)}"
        super().__init__(
            f"`subset_for` was asked for {listed(key.text for key in wanted)} of `{node}`, which {why}",
            where=where,
            fix="declare it with `can_subset=True`, or ask for all its assets"
            if kept
            else "ask for some of its assets",
        )


class NotAnAsset(InvalidDefinitionError):
    """Something among the assets that is none."""

    def __init__(self, argument: str, given: object, *, where: Source | None) -> None:
        self.argument = argument
        self.given = given
        node = {"OpDefinition": "op", "GraphDefinition": "graph"}.get(type(given).__name__, "")
        what = f"the {node} `{getattr(given, 'name', '')}`" if node else given_as(given)
        fix = "did you forget the decorator?" if callable(given) else f"take it out of `{argument}`"
        if node and argument == "assets":
            fix = f"make an asset of it: `AssetsDefinition.from_{node}(...)`"
        elif type(given).__name__ in ("JobDefinition", "AssetJob") and argument == "assets":
            fix = "give it to `jobs`; `execute_in_process()` of a job runs it"
        super().__init__(
            f"`Definitions({argument}=...)` was given {what}",
            where=where,
            fix=fix,
        )


class SeveralAssets(Mistake, InvariantViolationError):
    """The key of a definition was read that has several."""

    node: str
    keys: Sequence[AssetKey]
    says = "`{node}` makes {keys:count} assets, not one: {keys}"
    mend = "use `keys`"


class MadeByGraph(Mistake, InvariantViolationError):
    """The op of a definition was read that a graph makes."""

    node: str
    says = "`{node}` is made by a graph, not by one op"
    mend = "use `node_def`"


class NamesNoAsset(Mistake, InvariantViolationError):
    """Something in a selection of assets that stands for none."""

    given: object
    says = "{given} names no asset"
    mend = "give keys, definitions or a selection"
    at_caller = True


class NoSuchJob(InvariantViolationError):
    """A job was asked for that the definitions do not have."""

    def __init__(self, name: str, known: Sequence[str], *, where: Source | None) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(
            f"there is no job `{name}`; the jobs are {listed(known)}",
            where=where,
            fix=did_you_mean(name, known).strip() or "add it to `Definitions(jobs=...)`",
        )


class NothingMakes(InvariantViolationError):
    """The definition of an asset was asked for that the definitions do not have."""

    def __init__(self, key: AssetKey, known: Sequence[AssetKey], *, where: Source | None) -> None:
        self.key, self.known = key, tuple(known)
        super().__init__(
            f"nothing here makes the asset `{key.text}`",
            where=where,
            fix=did_you_mean(key.text, [each.text for each in known]).strip()
            or "add its definition to `Definitions(assets=...)`",
        )
