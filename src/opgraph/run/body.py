"""The one way to call an op's function: whatever kind it is and however it returns, its outputs come as a stream."""

import typing
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, TypeAlias, cast

from msgspec import Struct

from opgraph.declare.classes import classes_of
from opgraph.declare.dynamic import DynamicOutput
from opgraph.declare.inputs import NO_DEFAULT
from opgraph.declare.materialization import AssetMaterialization, AssetObservation, MaterializeResult
from opgraph.declare.op import OpDefinition
from opgraph.declare.outputs import Output
from opgraph.keys import AssetKey
from opgraph.run import mistakes
from opgraph.run.context import OpExecutionContext
from opgraph.run.loop import EventLoop
from opgraph.run.types import WrongType, input_types, is_result, output_types

_NONE: Mapping[str, Any] = {}  # never changed
# What is more than a value when it is returned.
_SPECIAL: frozenset[type[Any]] = frozenset(
    {Output, DynamicOutput, MaterializeResult, AssetMaterialization, AssetObservation, GeneratorType, CoroutineType}
)


class Came(Struct, frozen=True):
    """One output as it came."""

    output: str
    value: Any
    metadata: Mapping[str, Any] = _NONE
    data_version: str = ""  # as given
    tags: Mapping[str, str] = _NONE
    has_value: bool = True  # False: there is nothing to store
    asked: bool = True  # False: nothing selected needs it
    mapping_key: str | None = None  # of one value of a dynamic output


Item: TypeAlias = Came | AssetMaterialization | AssetObservation  # outputs, and what the op reports between them


class OpCall:
    """How one op is called. Made once, used for every step and attempt that runs the op.

    Args:
        op: the op.
        assets: the outputs that are assets, by key.
        after: for an output, the outputs that its asset depends on: those must come before it.
        direct: whether this is for direct calls, where no run is.
    """

    __slots__ = (
        "_after", "_assets", "_expects", "_fn", "_in_order", "_in_types", "_names", "_out_types", "_outs", "_quick",
        "defaults", "direct", "injects", "op", "takes_context",
    )  # fmt: skip

    def __init__(
        self,
        op: OpDefinition,
        *,
        assets: Mapping[AssetKey, str] = _NONE,  # type: ignore[assignment]
        after: Mapping[str, AbstractSet[str]] = _NONE,
        direct: bool = False,
    ) -> None:
        body = op.body
        self.op = op
        self.direct = direct
        self.defaults = {
            name: each.default_value for name, each in op.ins.items() if each.default_value is not NO_DEFAULT
        }
        self._fn = body.fn
        self._outs = op.outs
        self._names = tuple(op.outs)
        self._assets = assets
        self._after = after
        self.takes_context = body.takes_context
        self.injects = body.config is not None or bool(body.resources)  # parameters that are no inputs
        self._in_order = body.params if body.code.co_posonlyargcount else ()
        self._in_types = input_types(op)
        self._out_types = output_types(op)
        self._expects = _expected(op) if body.kind in ("sync", "async") else None
        plain = body.kind == "sync" and len(self._names) == 1 and not self._expects and not self._in_order
        # The commonest case: a function of one output, which returns a plain value.
        single = op.outs[self._names[0]] if plain else None
        self._quick = self._names[0] if single is not None and not (single.is_nothing or single.is_dynamic) else None

    def outputs(
        self,
        ins: dict[str, Any],
        context: OpExecutionContext | None,
        selected: AbstractSet[str] | None,
        loop: EventLoop,
    ) -> Iterable[Item]:
        """Call the function and give its outputs, in order. A generator goes on when the next one is asked for.

        Args:
            ins: a value for each input that has one; those that only order have none.
            context: for the function, where it takes one.
            selected: the outputs that the selection needs; None: all.
            loop: runs async functions.

        Raises:
            InvariantViolationError: the function broke a rule of outputs; each rule has its class in `run.mistakes`.
            StepOutputNotFoundError: it ended without a required output that is selected.
            Exception: whatever the function raises.
        """
        if self._in_types:
            self._check_inputs(ins)
        if self._quick is not None:
            value = self._fn(context, **ins) if self.takes_context else self._fn(**ins)
            if type(value) not in _SPECIAL and (context is None or not context.added_metadata):
                name = self._quick
                if self._out_types:
                    self._check_type(name, value)
                if selected is None or name in selected:
                    return (Came(name, value),)
                return (Came(name, value, asked=False),)
            return self.returned(value, context, selected, loop)
        return self.returned(self._start(ins, context), context, selected, loop)

    def start(self, ins: dict[str, Any], context: OpExecutionContext | None) -> Any:
        """Call the function: what it returns, or its coroutine or generator."""
        if self._in_types:
            self._check_inputs(ins)
        return self._start(ins, context)

    def _check_inputs(self, ins: Mapping[str, Any]) -> None:
        for name, classes in self._in_types.items():
            value = ins.get(name)
            if value is None:
                if name not in ins or self.defaults.get(name, ins) is None:
                    continue  # `x: int = None` is how many write an input that may be missing
            elif value.__class__ is classes[0]:
                continue
            if not isinstance(value, classes):
                raise WrongType(self.op.name, "input", name, classes, value, self.op.source)

    def _check_type(self, name: str, value: Any) -> None:
        classes = self._out_types.get(name)
        if classes is not None and value.__class__ is not classes[0] and not isinstance(value, classes):
            raise WrongType(self.op.name, "output", name, classes, value, self.op.source)

    def _start(self, ins: dict[str, Any], context: OpExecutionContext | None) -> Any:
        if self._in_order:
            rest = dict(ins)
            args = [rest.pop(name) for name in self._in_order if name in rest and name not in self.op.body.keyword_only]
            return self._fn(context, *args, **rest) if self.takes_context else self._fn(*args, **rest)
        return self._fn(context, **ins) if self.takes_context else self._fn(**ins)

    def returned(
        self, value: Any, context: OpExecutionContext | None, selected: AbstractSet[str] | None, loop: EventLoop
    ) -> Iterable[Item]:
        """The outputs in what `start` gave."""
        kind = _class_of(value)
        if kind is CoroutineType:
            value = loop.run(value)
            kind = _class_of(value)
        if kind is GeneratorType:
            return self.stream(value, context, selected)
        if kind is AsyncGeneratorType:
            return self.stream(loop.iterate(value), context, selected)
        return self.split(value, context, selected)

    def stream(
        self, items: Iterable[Any], context: OpExecutionContext | None, selected: AbstractSet[str] | None
    ) -> Iterator[Item]:
        """The outputs that a generator yields, checked one by one, and at the end those that are missing."""
        seen: set[str] = set()
        if context is not None:
            context.came = seen
        for item in items:
            yield self.check(item, seen, context, selected)
        yield from self.rest(seen, context, selected)

    async def stream_async(
        self, items: AsyncGenerator[Any, Any], context: OpExecutionContext | None, selected: AbstractSet[str] | None
    ) -> AsyncIterator[Item]:
        """The same for an async generator, on the event loop that it is on."""
        seen: set[str] = set()
        if context is not None:
            context.came = seen
        async for item in items:
            yield self.check(item, seen, context, selected)
        for missing in self.rest(seen, context, selected):
            yield missing

    def check(
        self, item: Any, seen: set[str], context: OpExecutionContext | None, selected: AbstractSet[str] | None
    ) -> Item:
        """What was yielded, as an output."""
        kind = _class_of(item)
        if kind is AssetMaterialization or kind is AssetObservation:
            return item
        if kind is Output or kind is DynamicOutput:
            name = item.output_name
        elif kind is MaterializeResult:
            name = self._output_of(item)
        else:
            raise mistakes.BareYield(self.op.name, kind.__qualname__, self._names, where=self.op.source)
        return self._come(name, item, seen, context, selected)

    def rest(
        self, seen: set[str], context: OpExecutionContext | None, selected: AbstractSet[str] | None
    ) -> Iterator[Came]:
        """After the last output: those without a value come by themselves, and none that is required is missing."""
        for name, out in self._outs.items():
            if name in seen or not out.is_required or not (selected is None or name in selected):
                continue
            if out.is_dynamic:
                continue  # no value is as good as several
            if out.is_nothing:
                yield self._come(name, None, seen, context, selected)
                continue
            missing = mistakes.OutputMissingInCall if self.direct else mistakes.OutputMissing
            raise missing(self.op.name, name, sorted(seen), where=self.op.source)

    def split(self, value: Any, context: OpExecutionContext | None, selected: AbstractSet[str] | None) -> list[Item]:
        """The outputs in what a function returned, all checked."""
        if type(value) is AssetMaterialization or type(value) is AssetObservation:
            raise mistakes.ReportReturned(self.op.name, where=self.op.source)
        seen: set[str] = set()
        came: list[Item] = [
            self._come(name, each, seen, context, selected)
            for name, item in self._pairs(value, selected)
            for each in (self._listed(name, item) if name in self._outs and self._outs[name].is_dynamic else (item,))
        ]
        came += self.rest(seen, context, selected)
        return came

    def _pairs(self, value: Any, selected: AbstractSet[str] | None) -> list[tuple[str, Any]]:
        names, op, where = self._names, self.op.name, self.op.source
        if not names:
            if value is not None:
                raise mistakes.NoOutputs(op, type(value).__qualname__, where=where)
            return []
        if len(names) == 1:
            return [(self._placed(value, 0), value)]
        if value is None:
            nothing = all(out.is_nothing for out in self._outs.values())
            if nothing and (self._assets or all(out.is_required for out in self._outs.values())):
                return [(name, None) for name in names]
            raise mistakes.NoneForSeveral(op, names, where=where)
        if isinstance(value, tuple):
            items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType] - whatever the user returned
            if len(items) != len(names):
                raise mistakes.WrongLength(op, names, len(items), where=where)
            return [(self._placed(item, position), item) for position, item in enumerate(items)]
        if type(value) is dict:
            pairs: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType] - the same
            return [(str(name), item) for name, item in pairs.items()]
        kind = _class_of(value)
        if kind in (Output, MaterializeResult):
            name = value.output_name if kind is Output else self._output_of(value)
            others = (
                out for other, out in self._outs.items() if other != name and (selected is None or other in selected)
            )
            if not any(out.is_required and not out.is_nothing for out in others):
                return [(name, value)]
        raise mistakes.OneForSeveral(op, names, type(value).__qualname__, where=where)

    def _listed(self, name: str, value: Any) -> list[Any]:
        """The values of a dynamic output that was returned."""
        items = cast("list[Any]", value)
        if _class_of(value) is not list or not all(type(item) is DynamicOutput for item in items):
            raise mistakes.NotDynamicOutputs(self.op.name, name, _class_of(value).__qualname__, where=self.op.source)
        for item in items:
            if item.output_name not in ("result", name):
                self._placed(item, self._names.index(name))  # refuses
        return items

    def _placed(self, item: Any, position: int) -> str:
        """The name of the output at this place; what was returned must agree with it and with the annotation."""
        name = self._names[position]
        kind = _class_of(item)
        expected = self._expects[position] if self._expects else None
        if expected is not None and kind is not expected:
            raise mistakes.WrongKind(self.op.name, name, expected.__name__, kind.__qualname__, where=self.op.source)
        if kind is MaterializeResult:
            return self._output_of(item)
        if kind is Output and self.op.body.returns_annotation not in (..., None):
            plain = _plain(self.op, position)
            if plain:
                raise mistakes.OutputForPlain(self.op.name, name, plain, where=self.op.source)
        if (kind is Output or kind is DynamicOutput) and item.output_name not in ("result", name):
            if item.output_name not in self._outs:
                raise mistakes.UnknownOutput(self.op.name, item.output_name, self._names, where=self.op.source)
            raise mistakes.WrongPosition(self.op.name, position, name, item.output_name, where=self.op.source)
        return name

    def _output_of(self, result: MaterializeResult) -> str:
        if not self._assets:
            raise mistakes.ResultWithoutAsset(self.op.name, where=self.op.source)
        if result.asset_key is None:
            if len(self._assets) > 1:
                raise mistakes.WhichAsset(
                    self.op.name,
                    "a `MaterializeResult` does not say for which asset it is",
                    self._assets,
                    where=self.op.source,
                    fix="name it: `MaterializeResult(asset_key=...)`",
                )
            return next(iter(self._assets.values()))
        if result.asset_key not in self._assets:
            raise mistakes.WhichAsset(
                self.op.name,
                f"Asset key {result.asset_key.text} not found in AssetsDefinition `{self.op.name}`, of which a "
                "`MaterializeResult` came",
                self._assets,
                where=self.op.source,
                fix="give one of these keys",
            )
        return self._assets[result.asset_key]

    def _come(
        self,
        name: str,
        item: Any,
        seen: set[str],
        context: OpExecutionContext | None,
        selected: AbstractSet[str] | None,
    ) -> Came:
        out = self._outs.get(name)
        if out is None:
            raise mistakes.UnknownOutput(self.op.name, name, self._names, where=self.op.source)
        if out.is_dynamic or type(item) is DynamicOutput:
            return self._come_dynamic(name, item, seen, context, selected)
        if name in seen:
            raise mistakes.OutputTwice(self.op.name, name, where=self.op.source)
        if self._after:
            for earlier in seen:
                if name in self._after.get(earlier, ()):
                    raise mistakes.WrongOrder(self.op.name, earlier, name, where=self.op.source)
        seen.add(name)
        value, metadata, version, tags, has_value = item, _NONE, "", _NONE, True
        kind = _class_of(item)
        if kind is Output or kind is MaterializeResult:
            value, metadata, tags = item.value, item.metadata, item.tags
            version = "" if item.data_version is None else str(getattr(item.data_version, "value", item.data_version))
            if value is NO_DEFAULT:
                value, has_value = None, False
        if out.is_nothing:
            if value is not None:
                raise mistakes.ValueForNothing(self.op.name, name, type(value).__qualname__, where=self.op.source)
            has_value = False
        elif has_value and self._out_types:
            self._check_type(name, value)
        if context is not None and name in context.added_metadata:
            metadata = {**metadata, **context.added_metadata[name]}
        return Came(name, value, metadata, version, tags, has_value, selected is None or name in selected)

    def _come_dynamic(
        self,
        name: str,
        item: Any,
        seen: set[str],
        context: OpExecutionContext | None,
        selected: AbstractSet[str] | None,
    ) -> Came:
        """One value of a dynamic output."""
        if not self._outs[name].is_dynamic:
            raise mistakes.NotDynamic(self.op.name, name, where=self.op.source)
        if type(item) is not DynamicOutput:
            raise mistakes.NotDynamicOutput(self.op.name, name, type(item).__qualname__, where=self.op.source)
        given = cast("DynamicOutput[Any]", item)
        key = given.mapping_key
        place = f"{name}[{key}]"
        if place in seen:
            raise mistakes.MappingKeyTwice(self.op.name, name, key, where=self.op.source)
        seen.add(place)
        metadata = given.metadata
        if self._out_types:
            self._check_type(name, given.value)
        if context is not None and place in context.added_metadata:
            metadata = {**metadata, **context.added_metadata[place]}
        version = "" if given.data_version is None else str(getattr(given.data_version, "value", given.data_version))
        asked = selected is None or name in selected
        return Came(name, given.value, metadata, version, given.tags, asked=asked, mapping_key=key)


def _class_of(value: object) -> type[Any]:
    return type(value)


def drained(items: Iterable[Item]) -> Generator[Came]:
    """The outputs alone."""
    return (item for item in items if isinstance(item, Came))


def _plain(op: OpDefinition, position: int) -> str:
    """What the annotation says an output is, where it names a class of plain values; else empty."""
    raw = op.body.returns_annotation
    if "Output" in str(raw):
        return ""
    annotation = op.body.returns
    if len(op.outs) > 1:
        parts = typing.get_args(annotation)
        annotation = parts[position] if len(parts) == len(op.outs) else ...
    classes = classes_of(annotation)
    plain = bool(classes) and not is_result(classes)
    return str(getattr(annotation, "__name__", annotation)) if plain else ""


def _expected(op: OpDefinition) -> tuple[type | None, ...] | None:
    """For each output, the class of result that the annotation asks for, if it asks for one at all."""
    raw = op.body.returns_annotation
    if raw in (..., None) or not ("Output" in str(raw) or "MaterializeResult" in str(raw)):
        return None
    annotation = op.body.returns
    if len(op.outs) == 1:
        parts: tuple[Any, ...] = (annotation,)
    else:
        parts = typing.get_args(annotation)
        if typing.get_origin(annotation) is not tuple or len(parts) != len(op.outs):
            return None
    classes = tuple(typing.get_origin(part) or part for part in parts)
    expected = tuple(each if each in (Output, MaterializeResult) else None for each in classes)
    return expected if any(expected) else None
