"""What can be wrong with a project as a whole: one class each, with its facts as fields."""

from collections.abc import Sequence

from opgraph.declare.mistakes import otherwise_meant
from opgraph.errors import InvalidDefinitionError, InvalidInvocationError, InvalidSubsetError, Mistake, Source
from opgraph.keys import AssetKey


def listed(names: Sequence[object], most: int = 8) -> str:
    """Names for a sentence, the first few of many."""
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _texts(keys: Sequence[AssetKey]) -> list[str]:
    return [key.text for key in keys]


class DuplicateAssetKey(InvalidDefinitionError):
    """Two definitions make one asset."""

    def __init__(self, key: AssetKey, places: Sequence[Source | None]) -> None:
        self.key, self.places = key, tuple(places)
        others = " and ".join(str(place) for place in places if place is not None)
        super().__init__(
            f"asset key `{key.text}` is defined more than once ({others})",
            where=places[-1],
            fix="rename one of them, give one a `key_prefix`, or list it once",
        )


class UnknownUpstream(InvalidDefinitionError):
    """An asset takes another one that does not exist."""

    def __init__(
        self, key: AssetKey, upstream: AssetKey, parameter: str, where: Source | None, near: Sequence[str]
    ) -> None:
        self.key, self.upstream, self.parameter, self.near = key, upstream, parameter, tuple(near)
        how = f"through its parameter `{parameter}`" if parameter else "in `deps`"
        meant = f". Did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
        make = f'AssetSpec("{upstream.text}")'
        super().__init__(
            f"asset `{key.text}` depends on `{upstream.text}` ({how}), which no definition makes and which is not "
            f"among the sources{meant}",
            where=where,
            fix=(f"write `{near[0]}`" if near else "add the asset that makes it to the definitions")
            + f"; if it is made elsewhere, add `{make}` to the assets"
            + (otherwise_meant(parameter) if not near else ""),
        )


class AssetCycle(InvalidDefinitionError):
    """Assets depend on one another in a circle."""

    def __init__(self, keys: Sequence[AssetKey], where: Source | None) -> None:
        self.keys = tuple(keys)
        shown = _texts(keys) if len(keys) <= 12 else [*_texts(keys[:10]), "…", keys[-1].text]
        path = " → ".join([*shown, keys[0].text])
        if len(keys) == 1:
            what, fix = f"asset `{keys[0].text}` depends on itself", "remove the dependency on itself"
        else:
            what, fix = f"assets depend on one another in a circle: {path}", "remove one of these dependencies"
        super().__init__(what, where=where, fix=fix)


class GraphCycle(InvalidDefinitionError):
    """The ops of one graph depend on one another in a circle."""

    def __init__(self, graph: str, nodes: Sequence[str], where: Source | None) -> None:
        self.graph, self.nodes = graph, tuple(nodes)
        super().__init__(
            f"in graph `{graph}`, these nodes depend on one another in a circle: {listed(nodes)}",
            where=where,
            fix="remove one of the dependencies among them",
        )


class InputNotProvided(InvalidDefinitionError):
    """An op's input has no source."""

    def __init__(self, step: str, op: str, name: str, where: Source | None) -> None:
        self.step, self.op, self.input = step, op, name
        super().__init__(
            f"nobody provides input `{name}` of op `{op}` (step `{step}`)",
            where=where,
            fix=f"pass a value for `{name}` where the op is called, give the parameter a default, or make it an input "
            "of the graph",
        )


class UnusedOp(Mistake, InvalidDefinitionError):
    """A leaf op of an asset's graph, whose value no asset needs."""

    step: str
    unit: str
    says = "op `{step}` is part of asset `{unit}`, but no asset needs its value"
    mend = (
        "return its output from the graph, pass it to an op that is needed, or remove the call; if it is only to run, "
        'take it as a `Nothing` input: `ins={{"after": In(Nothing)}}`'
    )


class OutputNotMapped(Mistake, InvalidDefinitionError):
    """An output of an asset's graph that no op makes."""

    unit: str
    output: str
    says = (
        "output `{output}` of graph `{unit}` is an asset, but the graph hands an input through instead of an op's "
        "output"
    )
    mend = "return the output of an op from the graph"


class FanOutAsAsset(Mistake, InvalidDefinitionError):
    """An asset's graph that returns a fan-out instead of one value."""

    unit: str
    output: str
    says = (
        "output `{output}` of graph `{unit}` is an asset, but the graph returns a fan-out, which is many values. "
        "Dynamic output must be unpacked by invoking map or collect"
    )
    mend = "return it collected: `return items.map(...).collect()`, or give it to an op that makes one value"


class OneOutputTwoKeys(InvalidDefinitionError):
    """One op output that is to be two assets."""

    def __init__(self, step: str, output: str, keys: Sequence[AssetKey], where: Source | None) -> None:
        self.step, self.output, self.keys = step, output, tuple(keys)
        super().__init__(
            f"output `{output}` of op `{step}` is returned as several assets: {listed(_texts(keys))}",
            where=where,
            fix="give each asset an op output of its own",
        )


class MissingResource(InvalidDefinitionError):
    """Something asks for a resource that the definitions do not have."""

    def __init__(self, name: str, who: str, where: Source | None, known: Sequence[str], near: Sequence[str]) -> None:
        self.name, self.who, self.known = name, who, tuple(known)
        meant = f". Did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
        super().__init__(
            f"{who} requires resource `{name}`, which is not among the resources{meant}",
            where=where,
            fix=f'add it: `Definitions(resources={{"{name}": …}})`. There are: {listed(known) if known else "none"}',
        )


class MissingIOManager(InvalidDefinitionError):
    """An output or input names an I/O manager that the definitions do not have."""

    def __init__(self, name: str, who: str, where: Source | None, known: Sequence[str], near: Sequence[str]) -> None:
        self.name, self.who, self.known = name, who, tuple(known)
        meant = f". Did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
        super().__init__(
            f"{who} names I/O manager `{name}`, which is not among the resources{meant}",
            where=where,
            fix=f'add it: `Definitions(resources={{"{name}": …}})`, or leave the default by removing the name'
            + (f". There are: {listed(known)}" if known else ""),
        )


class ClassOfResource(Mistake, InvalidDefinitionError):
    """A class stands among the resources where an object of it is meant."""

    key: str
    cls: type
    says = "the resource `{key}` is the class `{cls.__name__}` itself, not an object of it"
    mend = "make one, `{cls.__name__}(…)`; `{cls.__name__}.configure_at_launch()` leaves its settings to the run"


class OtherResource(Mistake, InvalidDefinitionError):
    """A resource of another class than the parameter that takes it is annotated with."""

    key: str
    who: str
    expected: type
    given: type
    says = "{who} takes the resource `{key}` as `{expected.__name__}`, and it is of the class `{given.__name__}`"
    mend = "give one of the class `{expected.__name__}`, or annotate the parameter with a class that both are kinds of"


class NotAnIOManager(InvalidDefinitionError):
    """A resource under an I/O manager's key that is none."""

    def __init__(self, name: str, who: str, given: object, where: Source | None) -> None:
        self.name, self.who, self.given = name, who, given
        a_class = isinstance(given, type)
        kind = given.__name__ if a_class else type(given).__name__
        super().__init__(
            f"the resource `{name}` is {'the class' if a_class else 'of type'} {kind}, and {who} is stored or loaded "
            "by it",
            where=where,
            fix=f"give an instance of it: `{kind}()`"
            if a_class
            else "give an `IOManager`: an object with `handle_output` and `load_input`, or name another resource",
        )


class CannotLoad(Mistake, InvalidDefinitionError):
    """An I/O manager that stores only, of a value that another op takes."""

    name: str
    given: object
    maker: str
    reader: str
    input: str
    says = (
        "the I/O manager `{name}` stores the output of `{maker}`, which the input `{input}` of `{reader}` takes, and "
        "its class `{given:type}` has no `load_input`"
    )
    mend = "write `load_input`, or let the input name an `input_manager_key`; who needs no value says so with `deps`"


class DefaultMisfits(Mistake, InvalidDefinitionError):
    """A setting whose default is not of its type. pydantic does not look at defaults."""

    name: str
    cls: type
    default: object
    takes: str
    says = "the default of `{name}` in `{cls.__name__}` is {default:typed}, and the field takes {takes}"
    mend = "give another default, or another type"


class ConflictingResource(InvalidDefinitionError):
    """Two assets bring different resources under one key; or, without an `owner`, an asset and the project do."""

    def __init__(self, name: str, owner: str, unit: str, where: Source | None) -> None:
        self.name, self.owner, self.unit = name, owner, unit
        other = f"by {listed([owner, unit])}" if owner else f"by `{unit}` and by the project's resources"
        super().__init__(
            f"resource `{name}` is given with different values {other}",
            where=where,
            fix="use one object for both, or two keys",
        )


class DuplicateJob(Mistake, InvalidDefinitionError):
    """Two jobs have one name."""

    name: str
    says = "there are two jobs named `{name}`"
    mend = "rename one of them"


class DuplicateNode(Mistake, InvalidDefinitionError):
    """Two different asset definitions want the same step name."""

    name: str
    says = "two different asset definitions are computed by something named `{name}`"
    mend = "rename one of the functions, or give it `name=…`"


class UnknownSelected(InvalidSubsetError):
    """A selection names an asset that does not exist."""

    def __init__(self, text: str, near: Sequence[str], known: int) -> None:
        self.text, self.near, self.known = text, tuple(near), known
        meant = f". Did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
        super().__init__(
            f"no asset is named `{text}`, as the selection asks{meant}",
            fix=f"write `{near[0]}`" if near else f"`opgraph list` shows {self._count()}",
        )

    def _count(self) -> str:
        return "the one asset there is" if self.known == 1 else f"the {self.known} assets there are"


class NothingSelected(InvalidSubsetError):
    """A selection that selects nothing that could be run."""

    def __init__(self, text: str, externals: Sequence[AssetKey] = ()) -> None:
        self.text, self.externals = text, tuple(externals)
        why = f": {listed(_texts(externals))} can only be loaded, not computed" if externals else ""
        super().__init__(
            f"the selection `{text}` selects no asset that can be materialized{why}",
            fix="`opgraph list --select '…'` shows what a selection selects",
        )


class CannotSubset(InvalidSubsetError):
    """A part of what one definition makes was selected, and the definition does not allow that."""

    def __init__(
        self,
        unit: str,
        selected: Sequence[AssetKey],
        missing: Sequence[AssetKey],
        every: Sequence[AssetKey],
        in_the_way: Sequence[str],
        where: Source | None,
        auto: bool,
    ) -> None:
        self.unit, self.selected, self.missing = unit, tuple(selected), tuple(missing)
        self.in_the_way, self.safe = tuple(in_the_way), not in_the_way
        allow = "`can_subset=True` would be safe here" if self.safe else self._unsafe()
        says = 'can_subset="auto" finds that unsafe' if auto else "does not say `can_subset=True`"
        super().__init__(
            f"`{unit}` makes {listed(_texts(every))} together and {says}, but the selection leaves out "
            f"{listed(_texts(missing))}",
            where=where,
            fix=f"select {listed(_texts(missing))} too, or allow subsets: {allow}",
        )

    def _unsafe(self) -> str:
        ops = "; ".join(self.in_the_way)
        return (
            f"`can_subset=True` would not be safe as it is, because {ops}. Make the output optional "
            "(`Out(is_required=False)`) and yield it only when it is in `context.selected_output_names`"
        )


class CannotSplit(InvalidSubsetError):
    """A definition would have to run in several parts, because what lies between its assets depends on it."""

    def __init__(
        self,
        unit: str,
        parts: Sequence[Sequence[AssetKey]],
        between: Sequence[AssetKey],
        where: Source | None,
        *,
        of_graph: bool = False,
    ) -> None:
        self.unit, self.parts, self.between, self.of_graph = unit, tuple(map(tuple, parts)), tuple(between), of_graph
        many = "two parts" if len(parts) == 2 else f"{len(parts)} parts"
        why = (
            f"an op of a graph cannot run in {many}"
            if of_graph
            else f"the definition does not say `can_subset=True`, so it cannot run in {many}"
        )
        allow = "make one op for each part, or " if of_graph else "allow subsets with `can_subset=True`, or "
        super().__init__(
            f"`{unit}` makes {' and then '.join(listed(_texts(p)) for p in parts)}, but {listed(_texts(between))} "
            f"{'lies' if len(between) == 1 else 'lie'} between them, and {why}",
            where=where,
            fix=f"{allow}make the assets by two definitions",
        )


class TakesItsOwn(Mistake, InvalidSubsetError):
    """A definition takes an asset that is made from what it makes itself, and no asset that is selected of it is made
    from that one."""

    unit: str
    taken: AssetKey
    says = (
        "`{unit}` takes `{taken.text}`, which is made from what `{unit}` makes itself, and none of its assets that are "
        "selected depends on it"
    )
    mend = "leave `{taken.text}` for a later run, or make the assets by two definitions"


class TakesNoSettings(Mistake, InvalidInvocationError):
    """`with_resources` was given settings for a resource that takes none."""

    key: str
    says = "`resource_config_by_key` has settings for `{key}`, which takes none"
    mend = "leave them out, or name another key"
    at_caller = True
