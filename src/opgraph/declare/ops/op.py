"""Ops: functions with named inputs and outputs, the steps of graphs."""

import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, Generic, TypeGuard, cast

from opgraph.declare import ports
from opgraph.declare.accepted import expect, only
from opgraph.declare.frozen import Frozen, document, replaced, set_of
from opgraph.declare.graphs import compose
from opgraph.declare.labels import checked_name, checked_pool, checked_tags, memoized_tags
from opgraph.declare.mistakes import (
    InputTwice,
    NoSuchParameter,
    PositionalRest,
    WrongContext,
    WrongType,
    gathering,
    owner_of,
    report,
)
from opgraph.declare.ops.body import Body
from opgraph.declare.ops.classes import Classes, classes_of
from opgraph.declare.ops.dynamic import DynamicOut, DynamicOutput
from opgraph.declare.ops.hooks import HookDefinition
from opgraph.declare.ops.inputs import NO_DEFAULT, In, Nothing, says_nothing
from opgraph.declare.ops.outputs import Out
from opgraph.declare.ops.signatures import P, R_co, op_decorator
from opgraph.declare.ops.viewed import (
    InputView,
    OutputView,
    output_annotations,
    type_of_input,
    type_of_output,
    type_view,
)
from opgraph.declare.retry import RetryPolicy
from opgraph.declare.settings.run_config import is_config_type
from opgraph.errors import InvalidDefinitionError, InvariantViolationError, Mistake, Source


class ContextNotFirst(Mistake, InvalidDefinitionError):
    """A parameter `context` after others: it would be an input of that name."""

    owner: str
    says = '{owner} has a parameter `context` that is not its first: "context" is not a valid name of an input'
    mend = "put it before the others"


class OneDynamicOutput(Mistake, InvalidDefinitionError, InvariantViolationError):
    """A function whose annotation says that it returns a single value of a fan-out."""

    owner: str
    says = "{owner} is annotated with return type DynamicOutput, and DynamicOutputs can only be returned in a list"
    mend = "annotate it as `list[DynamicOutput[...]]`; for a single value use `Output`, or the value alone"


class BareResource(Mistake, InvalidDefinitionError):
    """A parameter annotated with a class of resource definitions: it does not say what the function is given."""

    owner: str
    name: str
    annotation: type[Any]
    says = (
        "the parameter `{name}` of {owner} is annotated as `{annotation.__name__}`, a class of resource definitions; "
        "the function is given what such a definition makes"
    )
    mend = "annotate it with that: `{name}: ResourceParam[Any]`, or a type instead of `Any`"


class ConfigOfOtherClass(Mistake, InvalidDefinitionError):
    """A parameter `config` annotated with a class whose objects no configuration makes."""

    owner: str
    annotation: type[Any]
    says = (
        "the parameter `config` of {owner} is annotated as `{annotation.__name__}`, which is no `Config`: it would be "
        "given a dict"
    )
    mend = (
        "write `class {annotation.__name__}(Config):`, with its fields as they are; a parameter that is an input has "
        "another name"
    )


class DefaultOfOtherType(InvalidDefinitionError):
    """An `In` with a default value that is not of its type."""

    def __init__(self, owner: str, name: str, expected: Classes, value: object, *, where: Source) -> None:
        self.owner, self.name, self.expected, self.value = owner, name, expected, value
        super().__init__(
            f"Type check failed for the default_value of the input `{name}` of {owner}: it is of type "
            f"{type(value).__name__}, and the input is declared as {expected[0].__name__}",
            where=where,
            fix="give another default, or another type",
        )


class AnnotationNotOutputs(InvalidDefinitionError, InvariantViolationError):
    """A function of several outputs whose annotation says that it returns something else."""

    def __init__(self, owner: str, outputs: Sequence[str], annotation: object, *, where: Source) -> None:
        self.owner, self.outputs, self.annotation = owner, tuple(outputs), annotation
        told = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else ()
        says = (
            f" and is annotated to return a tuple of {len(told)}"
            if told
            else ": Expected Tuple annotation for multiple outputs, but received non-tuple annotation "
            f"`{getattr(annotation, '__name__', annotation)}`"
        )
        super().__init__(
            f"{owner} has {len(self.outputs)} outputs{says}",
            where=where,
            fix=f"annotate it with a tuple of {len(self.outputs)}: {', '.join(f'`{o}`' for o in self.outputs)}",
        )


class OpDefinition(Frozen, Generic[P, R_co]):
    """A function with named inputs and outputs. Made by `@op`; called in a graph's body it becomes a node of it,
    called elsewhere it runs.

    Args:
        compute_fn: the function.
        name: the op's name.
        ins: what to say of its inputs.
        outs: its outputs.
        description: for people.
        required_resource_keys: the resources it uses, as `context.resources.<key>`.
        tags: labels.
        retry_policy: how often a failed step is tried again, and after how long.
        code_version: stands for the code.
        pool: the pool of whose slots each of its steps takes one.
        memoize: whether stored values are reused while code, configuration and inputs are the same.
    """

    __slots__ = (
        "body", "code_version", "config_schema", "description", "ins", "metadata", "name", "outs", "pool",
        "required_resource_keys", "retry_policy", "source", "tags",
    )  # fmt: skip

    name: str
    body: Body
    ins: Mapping[str, In]
    outs: Mapping[str, Out]
    description: str | None
    required_resource_keys: frozenset[str]
    tags: Mapping[str, str]
    code_version: str | None
    config_schema: Any  # as given: a Config class, or Python types
    retry_policy: RetryPolicy | None
    pool: str | None
    metadata: Mapping[str, Any]
    source: Source

    def __init__(
        self,
        compute_fn: Callable[..., Any] | Body,
        name: str,
        ins: Mapping[str, In] | None = None,
        outs: Mapping[str, Out] | None = None,
        description: str | None = None,
        config_schema: Any = None,
        required_resource_keys: AbstractSet[str] | None = None,
        tags: Mapping[str, Any] | None = None,
        version: str | None = None,
        retry_policy: RetryPolicy | None = None,
        code_version: str | None = None,
        pool: str | None = None,
        *,
        memoize: bool | None = None,
        kind: str = "op",
    ) -> None:
        expect(owner_of(kind, name), getattr(compute_fn, "source", None), ins=ins, outs=outs, description=description,
               required_resource_keys=required_resource_keys, tags=tags, code_version=code_version,
               memoize=memoize, retry_policy=retry_policy, pool=pool)  # fmt: skip
        body = compute_fn if isinstance(compute_fn, Body) else Body(compute_fn)
        owner = owner_of(kind, name)
        if body.var_positional:
            report(PositionalRest(owner, where=body.source))
        if kind == "op" and body.context_kind == "asset":
            report(WrongContext(owner, where=body.source))
        if "context" in body.params:
            report(ContextNotFirst(owner, where=body.source))
        for key in body.params:
            annotation = body.raw_annotations.get(key)
            if isinstance(annotation, type) and getattr(annotation, "opgraph_makes_resource", False):
                report(BareResource(owner, key, annotation, where=body.source))
        if body.config is not None and _has_fields(body.config[1]):
            report(ConfigOfOtherClass(owner, body.config[1], where=body.source))
        for key, given in (ins or {}).items():
            _check_default(owner, key, given, body.source)
        if outs is not None and len(outs) > 1 and body.kind in ("sync", "async"):
            _check_returns(owner, body, list(outs))
        self.settle(
            name=checked_name(kind, name, body.source) if kind == "op" else name,
            body=body,
            ins=_ins(body, ins or {}, owner),
            outs=_outs(body, {"result": _ONE} if outs is None else outs),
            description=description if description is not None else body.doc,
            required_resource_keys=set_of((*(required_resource_keys or ()), *body.resources)),
            tags=memoized_tags(checked_tags(owner, tags, body.source), memoize),
            code_version=code_version if code_version is not None else version,
            config_schema=config_schema,
            retry_policy=retry_policy,
            pool=checked_pool(owner, pool, body.source),
            metadata={},
            source=body.source,
        )
        for out in self.outs:
            checked_name("output", out, body.source)

    def __repr__(self) -> str:
        return f"OpDefinition({self.name!r}, ins={list(self.ins)}, outs={list(self.outs)})"

    @property
    def compute_fn(self) -> Callable[..., Any]:
        """The decorated function."""
        return self.body.fn

    @property
    def takes_config(self) -> bool:
        """Whether its configuration is checked: the function has a parameter `config`, or `config_schema` was given."""
        return self.body.config is not None or self.config_schema is not None

    @property
    def config_type(self) -> Any:
        """What its configuration must look like: an annotation, or what `config_schema` says; None: anything."""
        annotation = self.body.config[1] if self.body.config is not None else None
        if isinstance(annotation, str):  # the class that it names was declared after the op
            annotation = self.body.annotations.get("config")
        return annotation if annotation is not None else self.config_schema

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.body.fn

    @property
    def __name__(self) -> str:
        return self.body.name

    @property
    def version(self) -> str | None:
        """The old name of `code_version`."""
        return self.code_version

    @property
    def input_defs(self) -> list[InputView]:
        """The inputs, as a list."""
        annotations = self.body.annotations
        return [
            InputView(name, type_view(each.dagster_type, annotations.get(name, ...)), each)
            for name, each in self.ins.items()
        ]

    @property
    def output_defs(self) -> list[OutputView]:
        """The outputs, as a list."""
        annotations = output_annotations(self.body.annotations.get("return", ...), list(self.outs))
        return [
            OutputView(name, type_view(each.dagster_type, annotation), each, each.code_version or self.code_version)
            for (name, each), annotation in zip(self.outs.items(), annotations, strict=True)
        ]

    @property
    def input_dict(self) -> dict[str, InputView]:
        """The inputs by name."""
        return {each.name: each for each in self.input_defs}

    @property
    def output_dict(self) -> dict[str, OutputView]:
        """The outputs by name."""
        return {each.name: each for each in self.output_defs}

    def input_def_named(self, name: str) -> InputView:
        """An input."""
        return self.input_dict[name]

    def output_def_named(self, name: str) -> OutputView:
        """An output."""
        return self.output_dict[name]

    def has_input(self, name: str) -> bool:
        """Whether it has this input."""
        return name in self.ins

    def has_output(self, name: str) -> bool:
        """Whether it has this output."""
        return name in self.outs

    def needs(self, name: str) -> bool:
        """Whether something must be wired to an input: it has a value, and nobody else to give it."""
        given = self.ins[name]
        provided = given.has_default_value or given.asset_key is not None or given.input_manager_key is not None
        return not (provided or given.is_nothing)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """A node of the graph whose body is being run; elsewhere, the function's own result."""
        if compose.composing():
            return cast("R_co", compose.call(self, args, kwargs))
        return ports.runner().invoke(self, args, kwargs)

    def alias(self, name: str) -> "compose.Invocation[P, R_co]":
        """This op under another name in a graph's body."""
        return compose.Invocation(self).alias(name)

    def tag(self, tags: Mapping[str, str] | None) -> "compose.Invocation[P, R_co]":
        """This op with more tags in a graph's body."""
        return compose.Invocation(self).tag(tags)

    def with_hooks(self, hook_defs: AbstractSet[HookDefinition]) -> "compose.Invocation[P, R_co]":
        """This op in a graph's body, with functions that are called when its step has ended."""
        return compose.Invocation(self).with_hooks(hook_defs)

    def with_retry_policy(self, retry_policy: RetryPolicy) -> "compose.Invocation[P, R_co]":
        """This op in a graph's body, with a retry policy that comes before its own."""
        return compose.Invocation(self).with_retry_policy(retry_policy)

    def with_replaced_properties(
        self,
        name: str,
        ins: Mapping[str, In] | None = None,
        outs: Mapping[str, Out] | None = None,
        description: str | None = None,
    ) -> "OpDefinition":
        """A copy under another name, perhaps with other inputs and outputs."""
        return replaced(
            self,
            name=checked_name("op", name, self.source),
            ins=self.ins if ins is None else dict(ins),
            outs=self.outs if outs is None else dict(outs),
            description=self.description if description is None else description,
        )


def _has_fields(annotation: Any) -> TypeGuard[type[Any]]:
    """Whether it is a class that declares fields, and is no pydantic model and no dict, which a TypedDict is."""
    if not isinstance(annotation, type) or is_config_type(annotation) or issubclass(annotation, (dict, Enum)):
        return False
    return bool(getattr(cast("Any", annotation), "__annotations__", None))


def _check_default(owner: str, name: str, given: In, source: Source) -> None:
    if not isinstance(given.dagster_type, type) or given.default_value is NO_DEFAULT or given.default_value is None:
        return  # of a union or a generic, the value is checked when it is used
    value, expected = given.default_value, classes_of(given.dagster_type)
    if expected and not isinstance(value, expected):
        report(DefaultOfOtherType(owner, name, expected, value, where=source))


def _check_returns(owner: str, body: Body, outs: Sequence[str]) -> None:
    annotation = body.returns_annotation
    if isinstance(annotation, str):
        annotation = body.returns
    if typing.get_origin(annotation) is tuple:
        parts = typing.get_args(annotation)
        wrong = ... not in parts and len(parts) != len(outs)
    else:
        wrong = (typing.get_origin(annotation) or annotation) in _NEVER_SEVERAL
    if wrong:
        report(AnnotationNotOutputs(owner, outs, annotation, where=body.source))


_NEVER_SEVERAL: tuple[Any, ...] = (bool, bytes, float, int, list, set, str)


def _ins(body: Body, declared: Mapping[str, In], owner: str) -> dict[str, In]:
    """The parameters in order, then the inputs without one: those that only order, or that `**kwargs` takes."""
    ins: dict[str, In] = {}
    for name in body.params:
        given = declared.get(name, _PLAIN)
        if name in body.defaults and not given.has_default_value:
            given = replaced(given, default_value=body.defaults[name])
        kind = type_of_input(given.dagster_type, body, name)
        ins[name] = given if kind is given.dagster_type else replaced(given, dagster_type=kind)
    for name, given in declared.items():
        if name in ins:
            if given.is_nothing:
                report(InputTwice(owner, name, where=body.source))
        elif given.is_nothing or body.var_keywords:
            ins[checked_name("input", name, body.source)] = given
        else:
            report(NoSuchParameter(owner, "ins", name, body.params, where=body.source))
    return ins


_PLAIN = In()


def _outs(body: Body, declared: Mapping[str, Out]) -> dict[str, Out]:
    """The outputs, with what the annotation says where no type was declared."""
    outs, names = dict(declared), tuple(declared)
    for name, out in declared.items():
        kind = type_of_output(out.dagster_type, body, name, names)
        if kind is not out.dagster_type:
            outs[name] = replaced(out, dagster_type=kind)
    return outs


document(OpDefinition, lambda op: op.body.inner.__doc__)


def outs_of(body: Body, out: Out | Mapping[str, Out] | None) -> dict[str, Out]:
    """The outputs by name. `-> None` makes the one output of an op that names none a `Nothing`."""
    if isinstance(out, Mapping):
        return dict(out)
    if out is None and "DynamicOutput" in str(body.returns_annotation):
        if (typing.get_origin(body.returns) or body.returns) is DynamicOutput:
            report(OneDynamicOutput(f"op `{body.inner.__name__}`", where=body.source))
        return {"result": DynamicOut()}
    single = out if out is not None else _ONE
    return {"result": _typed(single, body)}


_ONE = Out()
_NOTHING = Out(dagster_type=Nothing)


def _typed(out: Out, body: Body) -> Out:
    if out.dagster_type is _ONE.dagster_type and says_nothing(body.returns_annotation):
        return _NOTHING if out is _ONE else replaced(out, dagster_type=Nothing)
    return out


@op_decorator
def op(
    compute_fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, In] | None = None,
    out: Out | Mapping[str, Out] | None = None,
    config_schema: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
    tags: Mapping[str, Any] | None = None,
    version: str | None = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    pool: str | None = None,
    memoize: bool | None = None,
) -> OpDefinition | Callable[[Callable[..., Any]], OpDefinition]:
    """Make an op of a function.

    Its inputs are the function's parameters, without a first one named `context`. What it returns is its output;
    with several outputs it returns a tuple or a dict of them, or yields an `Output` for each.

    Args:
        compute_fn: the function: sync or async, returning or yielding.
        name: the op's name, by default the function's.
        description: for people, by default the docstring.
        ins: what to say of its inputs, by name.
        out: what to say of its output, or its outputs by name.
        config_schema: what `context.op_config` must look like: a Config class, or Python types such as `int` or
            `{"limit": int}`. A parameter `config`, annotated, is the better way.
        required_resource_keys: the resources it uses, as `context.resources.<key>`.
        tags: labels.
        version: the old name of `code_version`.
        retry_policy: how often a failed step is tried again, and after how long.
        code_version: stands for the code.
        pool: the pool of whose slots each of its steps takes one; `opgraph pools` sets how many there are.
        memoize: whether its stored values are reused while code, configuration and inputs are the same; None: as the
            asset, job, run or project says.

    Raises:
        InvalidDefinitionError: it cannot work; the message names the place and the fix.

    Example:
        >>> @op(out={"whole": Out(), "rest": Out()})
        ... def split(n: int):
        ...     return divmod(n, 10)
    """

    @gathering
    def decorate(fn: Callable[..., Any]) -> OpDefinition:
        body = Body(fn)
        owner = owner_of("op", name if name is not None else body.name)
        given_ins = only(owner, "ins", ins, In, "an `In`", body.source) if isinstance(ins, Mapping) else ins
        given_out = only(owner, "out", out, Out, "an `Out`", body.source) if isinstance(out, Mapping) else out
        if out is not None and not isinstance(out, (Out, Mapping)):  # pyright: ignore[reportUnnecessaryIsInstance] - users' data
            report(WrongType(owner, "out", out, "an `Out` or a mapping of them by name", where=body.source))
            given_out = None
        return OpDefinition(
            body,
            name if name is not None else body.name,
            given_ins,
            outs_of(body, given_out),
            description,
            config_schema,
            required_resource_keys,
            tags,
            version,
            retry_policy,
            code_version,
            pool,
            memoize=memoize,
        )

    return decorate(compute_fn) if compute_fn is not None else decorate
