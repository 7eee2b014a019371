"""Whether what is wired to an input can be what the input's annotation says, and can be loaded at all.

Only where both ends have annotations, and only where no value of the one can be a value of the other: a generic type
counts by its class, a protocol, a type variable or a name that cannot be found fits everything. Values that an I/O
manager of the user's carries are not judged: it may turn one type into another.
"""

import collections.abc
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from numbers import Complex, Integral, Real
from typing import Any, Final, NamedTuple, TypeAlias

from opgraph.declare.ops.inputs import NoDefault
from opgraph.declare.ops.materialization import MaterializeResult
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.ops.viewed import output_annotations
from opgraph.declare.settings.recipe import is_recipe
from opgraph.errors import InvalidDefinitionError, Source
from opgraph.keys import AssetKey
from opgraph.resolve.assets import AssetGraph, Unit
from opgraph.resolve.flatten import FlatStep, Many, OuterInput, StepOut
from opgraph.resolve.mistakes import CannotLoad

Classes: TypeAlias = tuple[type, ...]
Managers: TypeAlias = Mapping[tuple[int, str], str]  # the I/O managers given for assets, by step and output

_OWN_MANAGER: Final = "io_manager"
_UNKNOWN: Any = ...
_YIELDING: Final = frozenset(
    {
        collections.abc.AsyncGenerator,
        collections.abc.AsyncIterable,
        collections.abc.AsyncIterator,
        collections.abc.Generator,
        collections.abc.Iterable,
        collections.abc.Iterator,
    }
)
# What is taken for one of these, as type checkers and array libraries do.
_WIDER: Final[Mapping[object, Classes]] = {
    int: (int, Integral),
    float: (float, Real),
    complex: (complex, Complex),
    bytes: (bytes, bytearray, memoryview),
}


class TypesDisagree(InvalidDefinitionError):
    """What is wired to an input can never be what the input takes."""

    def __init__(
        self,
        reader: str,
        input_name: str,
        wanted: object,
        maker: str,
        output: str,
        given: object,
        *,
        asset: AssetKey | None,
        reader_source: Source,
        maker_source: Source,
        where: Source | None,
    ) -> None:
        self.reader, self.input, self.wanted, self.asset = reader, input_name, wanted, asset
        self.maker, self.output, self.given = maker, output, given
        came = f"the asset `{asset.text}`" if asset is not None else f"the output `{output}` of `{maker}`"
        super().__init__(
            f"the input `{input_name}` of `{reader}` takes {_shown(wanted)}, and {came} is {_shown(given)}",
            where=where,
            fix=f"wire another value to it, or correct one of the annotations: at {reader_source}, at {maker_source}",
        )


class _Made(NamedTuple):
    """An output that some input reads."""

    step: FlatStep
    output: str
    asset: AssetKey | None = None


def disagreements(
    steps: Iterable[FlatStep], resources: Mapping[str, object], managers: Managers | None = None
) -> Iterator[InvalidDefinitionError]:
    """The wires between ops whose two ends have types that have no value in common.

    Args:
        steps: of one flattened graph, all of them.
        resources: by key.
        managers: the I/O managers that were given for assets.
    """
    flat = list(steps)
    judge = _Judge(resources)
    fine: set[tuple[int, str, int, str]] = set()  # what each op takes from each, where it is right
    for step in flat:
        for name, origin in step.inputs.items():
            for source, one_of_many in _sources(origin):
                if isinstance(source, StepOut) and not source.mapping:
                    maker = flat[source.step]
                    wire = (id(step.op), name, id(maker.op), source.output)
                    if wire in fine and not one_of_many:
                        continue
                    key = (managers or {}).get((source.step, source.output))
                    if not judge.carries(maker.op, source.output, key):
                        yield from judge.loading(step, name, _Made(maker, source.output), key, resources)
                        continue
                    wrong = list(judge.wire(step, name, _Made(maker, source.output), one_of_many=one_of_many))
                    yield from wrong
                    if not wrong and not one_of_many:
                        fine.add(wire)


def asset_disagreements(graph: AssetGraph, resources: Mapping[str, object]) -> Iterator[InvalidDefinitionError]:
    """The same for assets: within each one, and between an asset and those that it takes."""
    judge = _Judge(resources)
    for unit in graph.units:
        if len(unit.flat.steps) > 1:
            yield from disagreements(unit.flat.steps, _there(unit, resources), unit.manager_at)
        if unit.key_of_input:
            for step in unit.flat.steps:
                yield from _between(judge, graph, unit, step)


def _between(judge: "_Judge", graph: AssetGraph, unit: Unit, step: FlatStep) -> Iterator[InvalidDefinitionError]:
    for name, origin in step.inputs.items():
        for source, one_of_many in _sources(origin):
            key = unit.key_of_input.get(source.name) if isinstance(source, OuterInput) else None
            node = graph.nodes.get(key) if key is not None else None
            if key is None or node is None or node.unit is None or key not in node.unit.at:
                continue
            number, output = node.unit.at[key]
            maker = node.unit.flat.steps[number]
            made, manager = _Made(maker, output, key), node.unit.manager_at.get((number, output))
            if judge.carries(maker.op, output, manager):
                yield from judge.wire(step, name, made, one_of_many=one_of_many)
            else:
                yield from judge.loading(step, name, made, manager, _there(node.unit, judge.resources))


def _there(unit: Unit, resources: Mapping[str, object]) -> Mapping[str, object]:
    """The resources with those that the unit brings."""
    own = unit.definition.resource_defs
    return {**resources, **own} if own else resources


def _place(step: FlatStep) -> Source:
    return step.node.source if step.node is not None and step.node.source is not None else step.op.source


def _sources(origin: object) -> Iterator[tuple[object, bool]]:
    if isinstance(origin, Many):
        for item in origin.items:
            yield item, True
    else:
        yield origin, False


class _Judge:
    """Compares annotations; each is read once."""

    def __init__(self, resources: Mapping[str, object]) -> None:
        self.resources = resources
        own = resources.get(_OWN_MANAGER)
        # Managers of ours give back what they were given.
        self._plain = own is None or type(own).__module__ == "opgraph.values.manager"
        self._wanted: dict[tuple[int, str], Any] = {}
        self._made: dict[tuple[int, str], Any] = {}
        self._read: dict[tuple[int, str], Any] = {}  # by module and text

    def carries(self, op: OpDefinition, output: str, manager: str | None) -> bool:
        """Whether an output comes back as it was."""
        return self._plain and (manager or op.outs[output].io_manager_key or _OWN_MANAGER) == _OWN_MANAGER

    @staticmethod
    def loading(
        step: FlatStep, name: str, made: _Made, manager: str | None, resources: Mapping[str, object]
    ) -> Iterator[InvalidDefinitionError]:
        """The mistake, if the I/O manager of what was made is known to have no way to load it."""
        declared = step.op.ins[name]
        key = manager or made.step.op.outs[made.output].io_manager_key or _OWN_MANAGER
        given = resources.get(key)
        if declared.is_nothing or declared.input_manager_key is not None or isinstance(given, type) or is_recipe(given):
            return
        if hasattr(given, "handle_output") and not hasattr(given, "load_input"):
            yield CannotLoad(key, given, made.step.key, step.key, name, where=_place(step))

    def wire(self, step: FlatStep, name: str, made: _Made, *, one_of_many: bool) -> Iterator[InvalidDefinitionError]:
        """The mistake, if what was made can never be what the input takes."""
        wanted = self._input(step.op, name)
        given = self._output(made.step.op, made.output) if wanted is not _UNKNOWN else _UNKNOWN
        if given is _UNKNOWN:
            return
        fits = wanted
        if one_of_many and apart(list, wanted):
            given = list[given]
        elif one_of_many:
            fits = _element(wanted)
        if not apart(given, fits):
            return
        yield TypesDisagree(
            step.key,
            name,
            wanted,
            made.step.key,
            made.output,
            given,
            asset=made.asset,
            reader_source=step.op.source,
            maker_source=made.step.op.source,
            where=_place(step),
        )

    def _input(self, op: OpDefinition, name: str) -> Any:
        known = self._wanted.get((id(op), name))
        if known is None:
            declared = op.ins[name]
            if declared.is_nothing or declared.input_manager_key is not None:
                known = _UNKNOWN
            elif not isinstance(declared.dagster_type, NoDefault):
                known = declared.dagster_type
            else:
                known = self._evaluated(op.body.raw_annotations.get(name, _UNKNOWN), op)
            self._wanted[id(op), name] = known
        return known

    def _output(self, op: OpDefinition, name: str) -> Any:
        known = self._made.get((id(op), name))
        if known is None:
            returned = self._evaluated(op.body.returns_annotation, op)
            known = self._made[id(op), name] = _produced(op, name, returned)
        return known

    def _evaluated(self, annotation: Any, op: OpDefinition) -> Any:
        """An annotation that was written as text, evaluated; unknown where a name in it is not one of the module."""
        if not isinstance(annotation, str):
            return annotation
        names: dict[str, Any] = getattr(op.body.inner, "__globals__", {})
        known = self._read.get((id(names), annotation))
        if known is None:
            try:
                known = eval(annotation, names)  # noqa: S307 - the user's own annotation
            except Exception:  # noqa: BLE001 - whatever a name's lookup does
                known = _UNKNOWN
            self._read[id(names), annotation] = known
        return known


def _produced(op: OpDefinition, name: str, returned: Any) -> Any:
    """The type of the values of an output, as far as it is said."""
    out = op.outs[name]
    if out.is_nothing or out.is_dynamic:
        return _UNKNOWN
    if not isinstance(out.dagster_type, NoDefault):
        return out.dagster_type
    if returned is _UNKNOWN:
        return _UNKNOWN
    outputs = list(op.outs)
    if op.body.kind in ("generator", "async_generator"):
        items = typing.get_args(returned)
        if len(outputs) > 1 or typing.get_origin(returned) not in _YIELDING or not _is_ours(items[0]):
            return _UNKNOWN
        returned = items[0]
    if len(outputs) == 1 and type(returned) is type and not _is_ours(returned):
        return returned  # the commonest
    made = output_annotations(returned, outputs)[outputs.index(name)]
    if typing.get_origin(made) is MaterializeResult:
        made = typing.get_args(made)[0]
    parts = typing.get_args(made) if _is_union(made) else (made,)
    return _UNKNOWN if made is None or any(_is_ours(part) for part in parts) else made


def _is_ours(annotation: Any) -> bool:
    """Whether it is a class of this package: a result that stands for a value, such as `Output`."""
    origin = typing.get_origin(annotation) or annotation
    return isinstance(origin, type) and origin.__module__.startswith("opgraph.")


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _element(wanted: Any) -> Any:
    """What each value of a list must be."""
    args = typing.get_args(wanted)
    return args[0] if len(args) == 1 and not _is_union(wanted) else Any


# -- types ---------------------------------------------------------------------------


def apart(given: Any, wanted: Any) -> bool:
    """Whether no value of one type can be a value of the other; False where that is not certain."""
    if given is wanted:
        return False
    these = _classes(given)
    those = _classes(wanted) if these else ()
    return bool(these and those) and all(_strangers(one, other) for one in these for other in those)


def _classes(annotation: Any) -> Classes:
    """Classes of which every value of a type is an instance of one; empty: that is not known."""
    if annotation is None:
        return (types.NoneType,)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        parts = [_classes(part) for part in typing.get_args(annotation)]
        return tuple(cls for part in parts for cls in part) if all(parts) else ()
    if origin is typing.Annotated:
        return _classes(typing.get_args(annotation)[0])
    if origin is typing.Literal:
        values: tuple[object, ...] = typing.get_args(annotation)
        return tuple(type(value) for value in values)
    if hasattr(annotation, "__supertype__"):
        return _classes(annotation.__supertype__)
    plain = origin if origin is not None else annotation
    if not isinstance(plain, type) or plain in (Any, object) or getattr(plain, "_is_protocol", False):
        return ()
    return (dict,) if typing.is_typeddict(plain) else _WIDER.get(plain, (plain,))


def _strangers(one: type, other: type) -> bool:
    """Whether neither is a kind of the other, and no class that exists is a kind of both."""
    try:
        return not (
            issubclass(one, other)
            or issubclass(other, one)
            or any(issubclass(each, other) for each in _below(one))
            or any(issubclass(each, one) for each in _below(other))
        )
    except TypeError:  # a metaclass that refuses to be asked
        return False


def _below(cls: type) -> Iterator[type]:
    waiting, seen = [cls], {cls}
    while waiting:
        for each in type.__subclasses__(waiting.pop()):
            if each not in seen:
                seen.add(each)
                waiting.append(each)
                yield each


def _shown(annotation: Any) -> str:
    """A type, for people."""
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return f"`{annotation.__qualname__.rpartition('<locals>.')[2]}`"
    return f"`{str(annotation).replace('typing.', '')}`"
