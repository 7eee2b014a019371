"""Graphs' bodies: while one is run, each call of an op or a graph in it becomes a node.

What a call gives back stands for its outputs. The values do not exist yet, so a body can pass them on and return them,
and nothing else.
"""

import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Union, cast
from warnings import warn

from opgraph.declare.accepted import expect
from opgraph.declare.graphs.fan_mistakes import CollectedAlready, NothingToUnpack, NotUnpacked, OutOfItsMap
from opgraph.declare.graphs.levels import Level, Levels
from opgraph.declare.graphs.node import Node
from opgraph.declare.graphs.wires import FanIn, FromInput, FromNode, Value, Wire, joined
from opgraph.declare.graphs.wiring_mistakes import AssetCalled, UnpackedOtherwise
from opgraph.declare.labels import checked_name, checked_tags
from opgraph.declare.mistakes import (
    AliasTwice,
    FanInOfOther,
    InputMissing,
    NoSuchOutput,
    NotAnOutput,
    TooManyArguments,
    TwoDefinitions,
    Uncalled,
    UnknownInput,
    UsedAsValue,
    WiredTwice,
    WrongType,
    report,
)
from opgraph.declare.ops.hooks import HookDefinition, checked_hooks
from opgraph.declare.ops.signatures import P, R_co
from opgraph.declare.retry import RetryPolicy
from opgraph.errors import InvalidDefinitionError, Source
from opgraph.keys import near_misses

if TYPE_CHECKING:
    from opgraph.declare.graphs.graph_definition import GraphDefinition
    from opgraph.declare.ops.op import OpDefinition

Composable = Union["OpDefinition", "GraphDefinition"]
Said = tuple[Mapping[str, str], RetryPolicy | None, frozenset[HookDefinition]]  # of one call, beside its name

_stack: ContextVar["Composition | None"] = ContextVar("opgraph_composition", default=None)


def composing() -> bool:
    """Whether a graph's body is being run."""
    return _stack.get() is not None


class Placeholder:
    """Stands for an output of a node, or for an input of the graph, in the graph's body."""

    __slots__ = ("described", "wire")

    def __init__(self, wire: FromNode | FromInput, described: str) -> None:
        self.wire = wire
        self.described = described

    def _refuse(self, doing: str) -> NoReturn:
        raise UsedAsValue(self.described, doing, where=Source.of_caller())

    def __getattr__(self, name: str) -> Any:
        # Names with an underscore before them are asked for by Python and by tools, to see whether they are there.
        if name.startswith("_"):
            raise AttributeError(name)
        self._refuse(f"asked for its attribute `{name}`")

    def map(self, fn: Callable[["Placeholder"], Any] | None = None) -> Any:
        """A step for each value of a fan-out.

        Args:
            fn: takes what stands for one value, and calls ops or graphs with it: an op, a graph, or a function.

        Returns:
            What `fn` returned: outputs to be mapped further, or collected.

        Raises:
            InvalidDefinitionError: this is no fan-out, or it is collected.

        Example:
            >>> @graph
            ... def report(folder):
            ...     return merge(files(folder).map(lambda file: count(parse(file))).collect())
        """
        composition = _stack.get()
        level = composition.levels.of(self.wire) if composition is not None else ()
        if composition is None or not level or not isinstance(self.wire, FromNode):
            raise self._no_fan_out("map")
        if not callable(fn):
            raise WrongType("`map`", "fn", fn, "an op, a graph or a function of one value", where=Source.of_caller())
        element = Placeholder(
            FromNode(self.wire.node, self.wire.output, joined(self.wire.mapping, "map")), f"a value of {self.described}"
        )
        composition.bodies.append(level)
        try:
            return fn(element)
        finally:
            composition.bodies.pop()

    def collect(self, *, as_dict: bool = False, allow_failed: bool = False) -> "Placeholder":
        """All values of a fan-out, in the order in which they were yielded.

        Args:
            as_dict: as a dict by mapping key, instead of a list.
            allow_failed: without those whose steps failed; otherwise what takes the list does not run when one failed.

        Raises:
            InvalidDefinitionError: this is no fan-out, or it is collected.
        """
        composition = _stack.get()
        if composition is None or not composition.levels.of(self.wire) or not isinstance(self.wire, FromNode):
            raise self._no_fan_out("collect")
        how = "collect" + ("_dict" if as_dict else "") + ("_failed" if allow_failed else "")
        wire = FromNode(self.wire.node, self.wire.output, joined(self.wire.mapping, how))
        return Placeholder(wire, f"all values of {self.described}")

    def _no_fan_out(self, method: str) -> InvalidDefinitionError:
        collected = isinstance(self.wire, FromNode) and "collect" in self.wire.mapping
        mistake = CollectedAlready if collected else NothingToUnpack
        return mistake(self.described, method, where=Source.of_caller())

    def __repr__(self) -> str:
        return f"<{self.described}>"


def _refusal(doing: str) -> Any:
    def method(self: Any, *_args: Any, **_kwargs: Any) -> None:
        self._refuse(doing)

    return method


# What Python would do silently with any object (compare, make text) is refused as what it could not do.
_NUMBERS = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
_REFUSED = {
    "iterated over": "iter aiter next reversed",
    "indexed": "getitem setitem delitem",
    "tested for truth": "bool",
    "measured with `len`": "len",
    "searched with `in`": "contains",
    "compared": "eq ne lt le gt ge",
    "calculated with": f"{_NUMBERS} {' '.join(f'r{name}' for name in _NUMBERS.split())} neg pos abs invert round",
    "made a number": "int float complex index",
    "made a text": "str format bytes",
    "called": "call",
    "entered with `with`": "enter exit",
    "awaited": "await",
}
for _doing, _methods in _REFUSED.items():
    for _method in _methods.split():
        setattr(Placeholder, f"__{_method}__", _refusal(_doing))


class Outputs(tuple[Placeholder, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """The outputs of a node that has several: unpack them in order, or take one by name."""

    names: tuple[str, ...]
    node: str

    @staticmethod
    def of(node: str, names: Sequence[str]) -> "Outputs":
        """Placeholders for these outputs of a node."""
        outputs = Outputs(_output(node, name) for name in names)
        outputs.names = tuple(names)
        outputs.node = node
        return outputs

    def __iter__(self) -> Iterator[Placeholder]:
        composition = _stack.get()
        if composition is not None:
            composition.unpacked = (self, Source.of_caller())
        return super().__iter__()

    def __getattr__(self, name: str) -> Placeholder:
        # Names with an underscore before them are asked for while the object is made, or copied.
        if not name.startswith("_") and name in self.names:
            return self[self.names.index(name)]
        if name.startswith("_"):
            raise AttributeError(name)
        raise NoSuchOutput(self.node, name, self.names, where=Source.of_caller())

    def _refuse(self, doing: str) -> NoReturn:
        raise UsedAsValue(f"what `{self.node}` returns", doing, where=Source.of_caller())


for _doing, _methods in _REFUSED.items():
    if _doing in {"compared", "calculated with", "made a text", "called"}:
        for _method in _methods.split():
            setattr(Outputs, f"__{_method}__", _refusal(_doing))


def _output(node: str, name: str) -> Placeholder:
    return Placeholder(FromNode(node, name), f"the output `{name}` of `{node}`")


class Invocation(Generic[P, R_co]):
    """An op or a graph with an alias or tags of this one use: call it in a graph's body."""

    __slots__ = ("_alias", "_hooks", "_retry", "_tags", "definition")

    def __init__(
        self,
        definition: "OpDefinition[P, R_co] | GraphDefinition[P, R_co]",
        alias: str = "",
        tags: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        hooks: frozenset[HookDefinition] = frozenset(),
    ) -> None:
        self.definition = definition
        self._alias = alias
        self._tags = dict(tags or {})
        self._retry, self._hooks = retry, hooks

    @property
    def name(self) -> str:
        """The alias, else the definition's name."""
        return self._alias or self.definition.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """A node of the graph whose body is being run."""
        composition = _stack.get()
        if composition is not None:
            composition.called(self)
            return cast("R_co", self._call(args, kwargs))
        return self.definition(*args, **kwargs)

    def _call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        said = (self._tags, self._retry, self._hooks)
        return call(self.definition, args, kwargs, alias=self._alias, said=said)

    def alias(self, name: str) -> "Invocation[P, R_co]":
        """The same under another name."""
        return self._next(_alias=checked_name("alias", name, Source.of_caller()))

    def tag(self, tags: Mapping[str, str] | None) -> "Invocation[P, R_co]":
        """The same with more tags."""
        more = checked_tags(f"`{self.name}`", tags, Source.of_caller())
        return self._next(_tags={**self._tags, **more})

    def _next(self, **changes: Any) -> "Invocation[P, R_co]":
        made = Invocation(self.definition, self._alias, self._tags, self._retry, self._hooks)
        for name, value in changes.items():
            setattr(made, name, value)
        composition = _stack.get()
        if composition is not None:
            composition.called(self)
            composition.expect(made)
        return made

    def with_hooks(self, hook_defs: AbstractSet[HookDefinition]) -> "Invocation[P, R_co]":
        """The same with functions that are called when its steps have ended."""
        more = checked_hooks(f"`{self.name}`", "hook_defs", hook_defs, Source.of_caller())
        return self._next(_hooks=self._hooks | more)

    def with_retry_policy(self, retry_policy: RetryPolicy) -> "Invocation[P, R_co]":
        """The same with a retry policy that comes before the op's own; of a graph, for its ops that have none."""
        expect(f"`{self.name}`", Source.of_caller(), retry_policy=retry_policy)
        return self._next(_retry=retry_policy)

    def to_job(self, **attributes: Any) -> Any:
        """A job that runs the graph, under the alias; see `GraphDefinition.to_job`."""
        hooks = self._hooks | checked_hooks(f"`{self.name}`", "hooks", attributes.pop("hooks", None), None)
        said: dict[str, Any] = {"name": self.name, "op_retry_policy": self._retry, **attributes, "hooks": hooks}
        return cast("GraphDefinition", self.definition).to_job(**said)

    def execute_in_process(self, **options: Any) -> Any:
        """Run it in this process, as a job of its own."""
        return self.to_job().execute_in_process(**options)


class Composition:
    """What a graph's body has called so far."""

    def __init__(self, owner: str, *, makes_assets: bool = False) -> None:
        self.owner = owner
        self.makes_assets = makes_assets
        self.unpacked: tuple[Outputs, Source | None] | None = None  # what was last, and where
        self.nodes: dict[str, Node] = {}
        self.wires: dict[str, dict[str, Wire]] = {}
        self.used: set[str] = set()  # inputs of the graph
        self.levels = Levels()
        self.bodies: list[Level] = []  # of the functions given to `map` that are being run
        self._definitions: dict[str, Composable] = {}
        self._uses: dict[str, int] = {}
        self._expected: dict[int, Invocation[Any, Any]] = {}  # by identity: those that were not called yet

    def expect(self, invocation: Invocation[Any, Any]) -> None:
        """Take note of one that is to be called."""
        self._expected[id(invocation)] = invocation

    def called(self, invocation: Invocation[Any, Any]) -> None:
        """One was called, or another was made of it."""
        self._expected.pop(id(invocation), None)

    def run(self, fn: Any, ins: Sequence[str]) -> Any:
        """Run the body; returns what it returned.

        Raises:
            UnpackedOtherwise: several outputs were unpacked into another number of names.
        """
        token = _stack.set(self)
        try:
            returned = fn(**{name: Placeholder(FromInput(name), f"the input `{name}`") for name in ins})
        except ValueError as problem:
            counted = re.match(r"(?:too many|not enough) values to unpack \(expected (at least )?(\d+)", str(problem))
            if counted is None or self.unpacked is None or self.unpacked[1] != _raised_at(problem):
                raise
            outputs, where = self.unpacked
            least, count = counted.groups()
            raise UnpackedOtherwise(outputs.node, outputs.names, int(count), bool(least), where=where) from None
        finally:
            _stack.reset(token)
        for each in self._expected.values():
            warn(f"{self.owner} received an uninvoked op: nothing calls `{each.name}`; it will not run", stacklevel=2)
        return returned

    def add(self, definition: Composable, alias: str, said: "Said", where: Source | None) -> str:
        """A new node; returns its name."""
        known = self._definitions.setdefault(definition.name, definition)
        if known is not definition:
            report(TwoDefinitions(self.owner, definition.name, known.source, definition.source, where=where))
        if alias in self.nodes:
            report(AliasTwice(self.owner, alias, where=where))
        name = alias if alias and alias not in self.nodes else self._next_name(alias or definition.name)
        tags, retry, hooks = said
        self.nodes[name] = Node(name, definition, {**definition.tags, **tags}, retry, hooks, where)
        return name

    def _next_name(self, name: str) -> str:
        while True:
            count = self._uses[name] = self._uses.get(name, 0) + 1
            numbered = name if count == 1 else f"{name}_{count}"
            if numbered not in self.nodes:
                return numbered

    def wire(self, value: Any, user: str, where: Source | None) -> Wire | None:
        """Where an argument's value comes from; None where it can be nothing."""
        if isinstance(value, Placeholder):
            return self._mark(value, user, where)
        if isinstance(value, Outputs):
            report(NotAnOutput(user, f"all outputs of `{value.node}`", value.names, where=where))
            return None
        if isinstance(value, (list, tuple)):
            return self._fan_in(cast("Sequence[Any]", value), user, where)
        definition = uncalled(value)
        if definition is not None:
            report(Uncalled(user, definition, where=where))
            return None
        return Value(value)

    def _fan_in(self, values: Sequence[Any], user: str, where: Source | None) -> FanIn:
        items: list[FromNode | FromInput] = []
        for place, value in enumerate(values):
            if isinstance(value, Placeholder):
                items.append(self._mark(value, user, where))
            else:
                report(FanInOfOther(user, place, value, where=where))
        return FanIn(tuple(items))

    def _mark(self, value: Placeholder, user: str, where: Source | None) -> FromNode | FromInput:
        wire = value.wire
        if isinstance(wire, FromInput):
            self.used.add(wire.name)
        elif self.levels.any:
            level = self.levels.of(wire)
            if self.levels.is_raw(wire):
                report(NotUnpacked(user, value.described, where=where))
            elif level and not any(body[: len(level)] == level for body in self.bodies):
                if wire.mapping == "map":
                    report(OutOfItsMap(user, level[-1], where=where))
                else:
                    report(NotUnpacked(user, value.described, where=where))
        return wire


def _raised_at(problem: BaseException) -> Source | None:
    frame = traceback.extract_tb(problem.__traceback__)[-1]
    return Source(frame.filename, frame.lineno or 0)


def uncalled(value: Any) -> str | None:
    """The name of an op, graph or asset that was given itself, not called; None for anything else."""
    definition = getattr(value, "node_def", value)
    if isinstance(value, Invocation) or (hasattr(definition, "ins") and hasattr(definition, "outs")):
        return str(definition.name)
    return None


def call_asset(
    name: str, params: Sequence[str], definition: Composable, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """A call of an asset in a graph's body: its op. Where the graph makes assets itself, that would compute the asset
    once more, which is a mistake."""
    composition = _stack.get()
    assert composition is not None
    if composition.makes_assets:
        report(AssetCalled(composition.owner, name, params, where=Source.of_caller()))
    return call(definition, args, kwargs)


def call(
    definition: Composable,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    alias: str = "",
    said: Said = ({}, None, frozenset()),
) -> Placeholder | Outputs | None:
    """A call in a graph's body: adds a node; returns what stands for its outputs."""
    composition = _stack.get()
    assert composition is not None
    where = Source.of_caller()
    name = composition.add(definition, alias, said, where)
    ins = list(definition.ins)
    body = getattr(definition, "body", None)
    is_unclear = body is not None and body.var_positional  # which was said where it is declared
    if len(args) > len(ins) and not is_unclear:
        report(TooManyArguments(name, len(args), ins, where=where))
    wires: dict[str, Wire] = {}
    given = dict(zip(ins, args, strict=False))
    for key, value in kwargs.items():
        if key not in definition.ins:
            if is_unclear:
                continue
            report(UnknownInput(name, key, ins, where=where))
            meant = near_misses(key, [each for each in ins if each not in given and each not in kwargs])
            if meant:  # go on as if it were written rightly, so that one slip is one mistake
                given[meant[0]] = value
        elif key in given:
            report(WiredTwice(name, key, where=where))
        else:
            given[key] = value
    for key, value in given.items():
        # What can be no value was said; the input goes on as one that is wired, so that one slip is one mistake.
        wires[key] = composition.wire(value, f"the input `{key}` of `{name}`", where) or Value(None)
    for key, declared in definition.ins.items():
        if key not in given and definition.needs(key):
            report(InputMissing(name, key, getattr(declared, "description", None), where=where))
    composition.wires[name] = wires
    composition.levels.place(name, definition, wires, where)
    outs = list(definition.outs)
    if not outs:
        return None
    return _output(name, outs[0]) if len(outs) == 1 else Outputs.of(name, outs)
