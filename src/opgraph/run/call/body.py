"""The one way to call an op's function: whatever kind it is and however it returns, its outputs come as a stream."""

import typing
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, TypeAlias, cast

from msgspec import Struct

from opgraph.declare.ops.classes import classes_of
from opgraph.declare.ops.dynamic import DynamicOutput
from opgraph.declare.ops.inputs import NO_DEFAULT
from opgraph.declare.ops.materialization import AssetMaterialization, AssetObservation, MaterializeResult
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.ops.outputs import Output
from opgraph.keys import AssetKey
from opgraph.run import mistakes
from opgraph.run.call.context import OpExecutionContext
from opgraph.run.call.loop import EventLoop
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
        "_fn", "_in_order", "_in_types", "_quick", "after", "assets", "defaults", "direct", "expects", "injects",
        "names", "op", "out_types", "takes_context",
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
        self._fn = _with_named(body.fn, body.all_params[0]) if body.takes_context and body.named else body.fn
        self.names = tuple(op.outs)
        self.assets = assets
        self.after = after
        self.takes_context = body.takes_context
        self.injects = body.config is not None or bool(body.resources)  # parameters that are no inputs
        self._in_order = body.params if body.code.co_posonlyargcount else ()
        self._in_types = input_types(op)
        self.out_types = output_types(op)
        self.expects = _expected(op) if body.kind in ("sync", "async") else None
        plain = body.kind == "sync" and len(self.names) == 1 and not self.expects and not self._in_order
        # The commonest case: a function of one output, which returns a plain value.
        single = op.outs[self.names[0]] if plain else None
        self._quick = self.names[0] if single is not None and not (single.is_nothing or single.is_dynamic) else None

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
        value = self.start(ins, context)
        name = self._quick
        if name is not None and type(value) not in _SPECIAL and (context is None or not context.added_metadata):
            if self.out_types:
                self.check_type(name, value)
            if selected is None or name in selected:
                return (Came(name, value),)
            return (Came(name, value, asked=False),)
        return Coming(self, context, selected).returned(value, loop)

    def start(self, ins: dict[str, Any], context: OpExecutionContext | None) -> Any:
        """Call the function: what it returns, or its coroutine or generator."""
        if self._in_types:
            self._check_inputs(ins)
        if self._in_order:
            rest = dict(ins)
            args = [rest.pop(name) for name in self._in_order if name in rest and name not in self.op.body.keyword_only]
            return self._fn(context, *args, **rest) if self.takes_context else self._fn(*args, **rest)
        return self._fn(context, **ins) if self.takes_context else self._fn(**ins)

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

    def check_type(self, name: str, value: Any) -> None:
        """Whether the value of an output is of the type that is declared for it.

        Raises:
            WrongType: it is not.
        """
        classes = self.out_types.get(name)
        if classes is not None and value.__class__ is not classes[0] and not isinstance(value, classes):
            raise WrongType(self.op.name, "output", name, classes, value, self.op.source)


class Coming:
    """What one call of an op gives, checked as it comes.

    Args:
        call: how the op is called.
        context: what the function was given; None: it takes none.
        selected: the outputs that the selection needs; None: all.
        raw: whether a generator's items are handed on as they are, once they were checked.
    """

    __slots__ = ("_call", "_context", "_name", "_raw", "_seen", "_selected", "_where")

    def __init__(
        self,
        call: OpCall,
        context: OpExecutionContext | None,
        selected: AbstractSet[str] | None,
        *,
        raw: bool = False,
    ) -> None:
        self._call, self._context, self._selected, self._raw = call, context, selected, raw
        self._name, self._where = call.op.name, call.op.source
        self._seen: set[str] = set()

    def _is_asked(self, name: str) -> bool:
        return self._selected is None or name in self._selected

    def returned(self, value: Any, loop: EventLoop) -> Iterable[Item]:
        """The outputs in what `OpCall.start` gave."""
        kind = _class_of(value)
        if kind is CoroutineType:
            value = loop.run(value)
            kind = _class_of(value)
        if kind is GeneratorType:
            return self.stream(value)
        if kind is AsyncGeneratorType:
            return self.stream(loop.iterate(value))
        return self.split(value)

    def stream(self, items: Iterable[Any]) -> Generator[Any]:
        """The outputs that a generator yields, checked one by one, and at the end those that are missing."""
        self._tell_context()
        for item in items:
            came = self._check(item)
            yield item if self._raw else came
        yield from self._rest()

    async def stream_async(self, items: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, None]:
        """The same for an async generator, on the event loop that it is on."""
        self._tell_context()
        async for item in items:
            came = self._check(item)
            yield item if self._raw else came
        for missing in self._rest():
            yield missing

    def _tell_context(self) -> None:
        """For metadata that comes too late."""
        if self._context is not None:
            self._context.came = self._seen

    def _check(self, item: Any) -> Item:
        """What was yielded, as an output."""
        kind = _class_of(item)
        if kind is AssetMaterialization or kind is AssetObservation:
            return item
        if kind is Output or kind is DynamicOutput:
            return self._come(item.output_name, item)
        if kind is MaterializeResult:
            return self._come(self._output_of(item), item)
        raise mistakes.BareYield(self._name, kind.__qualname__, self._call.names, where=self._where)

    def _rest(self) -> list[Came]:
        """After the last output: those without a value come by themselves, and none that is required is missing."""
        found: list[Came] = []
        for name, out in self._call.op.outs.items():
            if name in self._seen or not out.is_required or not self._is_asked(name):
                continue
            if out.is_dynamic:
                continue  # no value is as good as several
            if not out.is_nothing:
                missing = mistakes.OutputMissingInCall if self._call.direct else mistakes.OutputMissing
                raise missing(self._name, name, sorted(self._seen), where=self._where)
            found.append(self._come(name, None))
        return [] if self._raw else found

    def split(self, value: Any) -> list[Item]:
        """The outputs in what a function returned, all checked."""
        if type(value) is AssetMaterialization or type(value) is AssetObservation:
            raise mistakes.ReportReturned(self._name, where=self._where)
        outs = self._call.op.outs
        came: list[Item] = [
            self._come(name, each)
            for name, item in self._pairs(value)
            for each in (self._listed(name, item) if name in outs and outs[name].is_dynamic else (item,))
        ]
        return came + self._rest()

    def _pairs(self, value: Any) -> list[tuple[str, Any]]:
        names, outs = self._call.names, self._call.op.outs
        if not names:
            if value is not None:
                raise mistakes.NoOutputs(self._name, type(value).__qualname__, where=self._where)
            return []
        if len(names) == 1:
            return [(self._placed(value, 0), value)]
        if value is None:
            nothing = all(out.is_nothing for out in outs.values())
            if nothing and (self._call.assets or all(out.is_required for out in outs.values())):
                return [(name, None) for name in names]
            raise mistakes.NoneForSeveral(self._name, names, where=self._where)
        if isinstance(value, tuple):
            items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType] - whatever the user returned
            if len(items) != len(names):
                raise mistakes.WrongLength(self._name, names, len(items), where=self._where)
            return [(self._placed(item, position), item) for position, item in enumerate(items)]
        if type(value) is dict:
            pairs: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType] - the same
            return [(str(name), item) for name, item in pairs.items()]
        kind = _class_of(value)
        if kind in (Output, MaterializeResult):
            name = value.output_name if kind is Output else self._output_of(value)
            others = (out for other, out in outs.items() if other != name and self._is_asked(other))
            if not any(out.is_required and not out.is_nothing for out in others):
                return [(name, value)]
        raise mistakes.OneForSeveral(self._name, names, type(value).__qualname__, where=self._where)

    def _listed(self, name: str, value: Any) -> list[Any]:
        """The values of a dynamic output that was returned."""
        items = cast("list[Any]", value)
        if _class_of(value) is not list or not all(type(item) is DynamicOutput for item in items):
            got = _class_of(value).__qualname__
            if _class_of(value) is list:
                kinds = dict.fromkeys(_class_of(item).__qualname__ for item in items)
                got = f"a list of {' and '.join(list(kinds)[:3])}"
            raise mistakes.NotDynamicOutputs(self._name, name, got, where=self._where)
        for item in items:
            if item.output_name not in ("result", name):
                self._placed(item, self._call.names.index(name))  # refuses
        return items

    def _placed(self, item: Any, position: int) -> str:
        """The name of the output at this place; what was returned must agree with it and with the annotation."""
        op, names, expects = self._call.op, self._call.names, self._call.expects
        name = names[position]
        kind = _class_of(item)
        expected = expects[position] if expects else None
        if expected is not None and kind is not expected:
            raise mistakes.WrongKind(self._name, name, expected.__name__, kind.__qualname__, where=self._where)
        if kind is MaterializeResult:
            return self._output_of(item)
        if kind is Output and op.body.returns_annotation not in (..., None):
            plain = _plain(op, position)
            if plain:
                raise mistakes.OutputForPlain(self._name, name, plain, where=self._where)
        if (kind is Output or kind is DynamicOutput) and item.output_name not in ("result", name):
            if item.output_name not in op.outs:
                raise mistakes.UnknownOutput(self._name, item.output_name, names, where=self._where)
            raise mistakes.WrongPosition(self._name, position, name, item.output_name, where=self._where)
        return name

    def _output_of(self, result: MaterializeResult) -> str:
        assets, key = self._call.assets, result.asset_key
        if not assets:
            raise mistakes.ResultWithoutAsset(self._name, where=self._where)
        if key is not None:
            if key in assets:
                return assets[key]
            came = "of which a `MaterializeResult` came"
            what = f"Asset key {key.text} not found in AssetsDefinition `{self._name}`, {came}"
            fix = "give one of these keys"
        elif len(assets) == 1:
            return next(iter(assets.values()))
        else:
            what = "a `MaterializeResult` does not say for which asset it is"
            fix = "name it: `MaterializeResult(asset_key=...)`"
        raise mistakes.WhichAsset(self._name, what, assets, where=self._where, fix=fix)

    def _come(self, name: str, item: Any) -> Came:
        call, seen = self._call, self._seen
        out = call.op.outs.get(name)
        if out is None:
            raise mistakes.UnknownOutput(self._name, name, call.names, where=self._where)
        kind = _class_of(item)
        mapping_key = self._key_of(item, name, dynamic=out.is_dynamic)
        place = name if mapping_key is None else f"{name}[{mapping_key}]"
        if place in seen:
            if mapping_key is not None:
                raise mistakes.MappingKeyTwice(self._name, name, mapping_key, where=self._where)
            raise mistakes.OutputTwice(self._name, name, where=self._where)
        if call.after:
            for earlier in seen:
                if name in call.after.get(earlier, ()):
                    raise mistakes.WrongOrder(self._name, earlier, name, where=self._where)
        seen.add(place)
        value, metadata, version, tags, has_value = item, _NONE, "", _NONE, True
        if kind is Output or kind is MaterializeResult or kind is DynamicOutput:
            value, metadata, tags = item.value, item.metadata, item.tags
            version = "" if item.data_version is None else str(getattr(item.data_version, "value", item.data_version))
            if value is NO_DEFAULT:
                value, has_value = None, False
        if out.is_nothing:
            if value is not None:
                raise mistakes.ValueForNothing(self._name, name, type(value).__qualname__, where=self._where)
            has_value = False
        elif has_value and call.out_types:
            call.check_type(name, value)
        if self._context is not None and place in self._context.added_metadata:
            metadata = {**metadata, **self._context.added_metadata[place]}
        return Came(name, value, metadata, version, tags, has_value, self._is_asked(name), mapping_key)

    def _key_of(self, item: Any, name: str, *, dynamic: bool) -> str | None:
        """The mapping key of one value of a dynamic output; None: it is a value of an ordinary one."""
        kind = _class_of(item)
        if dynamic and kind is not DynamicOutput:
            raise mistakes.NotDynamicOutput(self._name, name, kind.__qualname__, where=self._where)
        if kind is not DynamicOutput:
            return None
        if not dynamic:
            raise mistakes.NotDynamic(self._name, name, where=self._where)
        return item.mapping_key


def _with_named(fn: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A function that takes its context by name alone, called as all others are."""

    def named(context: object, **ins: Any) -> Any:
        return fn(**{name: context}, **ins)

    return named


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
