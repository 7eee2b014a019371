"""A user's function as the rooms above see it: what kind it is, what it takes, where it stands.

Worked out from the code object alone: `inspect` is slow to import, and annotations are evaluated only when asked for.
"""

import sys
import typing
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType, FrameType
from typing import Any

from opgraph.declare.frozen import Frozen, set_of
from opgraph.declare.mistakes import NotAFunction
from opgraph.declare.settings.resource_param import is_resource_annotation
from opgraph.errors import Source

_VAR_POSITIONAL, _VAR_KEYWORDS = 0x04, 0x08
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
_CONTEXT_NAMES = frozenset({"context", "_context", "context_", "_"})


class Body(Frozen):
    """What there is to know of a decorated function."""

    __slots__ = (
        "all_params", "code", "config", "context_kind", "defaults", "fn", "inner", "keyword_only", "kind", "named",
        "params", "raw_annotations", "resources", "source", "takes_context", "var_keywords", "var_positional",
    )  # fmt: skip

    fn: Callable[..., Any]  # what is called
    inner: Callable[..., Any]  # the function, where `fn` is a partial of it or a decorator's; else the same
    code: CodeType
    all_params: tuple[str, ...]  # every named parameter, the context and `config` too
    kind: str  # sync | async | generator | async_generator
    takes_context: bool
    named: bool  # whether a decorator lets even the first parameter be given by name alone
    context_kind: str  # "op" | "asset" where its annotation says so, else ""
    params: tuple[str, ...]  # the parameters that are values, in order
    keyword_only: frozenset[str]
    var_keywords: bool
    var_positional: bool
    config: tuple[str, Any] | None
    resources: dict[str, Any]
    defaults: dict[str, Any]
    raw_annotations: Mapping[str, Any]  # as written: perhaps text
    source: Source

    def __init__(self, fn: Callable[..., Any]) -> None:
        inner, args, keywords = _unwrapped(fn)
        outer = getattr(inner, "__code__", None)
        layers = _layers(inner)
        inner = layers[-1]
        code = getattr(inner, "__code__", None)
        if not isinstance(code, CodeType):
            raise NotAFunction(fn, where=Source.of_caller())
        flags = code.co_flags
        positional, keyword_only, defaults = _signature(layers)
        if args or keywords:  # what is bound by name is a default, and nothing after it can be given by place
            defaults.update(keywords)
            positional = positional[len(args) :]
            first = next((place for place, name in enumerate(positional) if name in keywords), len(positional))
            positional, keyword_only = positional[:first], (*positional[first:], *keyword_only)
            defaults = {name: value for name, value in defaults.items() if name in positional or name in keyword_only}
        annotations: dict[str, Any] = inner.__annotations__
        takes_context = bool(positional) and positional[0] in _CONTEXT_NAMES
        values = (*positional[1 if takes_context else 0 :], *keyword_only)
        resources = _resources(inner, values, annotations)
        self.settle(
            fn=fn,
            inner=inner,
            code=code,
            all_params=(*positional, *keyword_only),
            kind=_kind((outer or code).co_flags),
            takes_context=takes_context,
            named=_is_named(layers),
            context_kind=_context_kind(annotations.get(positional[0])) if takes_context else "",
            params=tuple(name for name in values if name != "config" and name not in resources),
            keyword_only=set_of(keyword_only),
            var_keywords=bool(flags & _VAR_KEYWORDS),
            var_positional=bool(flags & _VAR_POSITIONAL),
            config=("config", evaluated(annotations.get("config"), inner)) if "config" in values else None,
            resources=resources,
            defaults=defaults,
            raw_annotations=annotations,
            source=Source(code.co_filename, code.co_firstlineno),
        )

    @property
    def annotations(self) -> dict[str, Any]:
        """The annotations, evaluated; as written where a name in them cannot be found."""
        try:
            return typing.get_type_hints(self.inner, include_extras=True)
        except Exception:  # noqa: BLE001
            return dict(self.raw_annotations)

    @property
    def returns(self) -> Any:
        """The evaluated annotation of what is returned; None also where there is none."""
        return self.annotations.get("return")

    @property
    def returns_annotation(self) -> Any:
        """The annotation of what is returned, as written; `...` where there is none."""
        return self.raw_annotations.get("return", ...)

    @property
    def name(self) -> str:
        """The function's name."""
        return self.inner.__name__

    @property
    def doc(self) -> str | None:
        """The docstring, without its indentation."""
        return clean_doc(self.inner.__doc__)


def _unwrapped(fn: Callable[..., Any]) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """A function, and the arguments that a partial has bound to it."""
    if isinstance(fn, partial):
        return fn.func, fn.args, fn.keywords
    return fn, (), {}


def _layers(fn: Callable[..., Any]) -> list[Callable[..., Any]]:
    """A function and those beneath it that say what it takes: a decorator's, made with `functools.wraps`, that hands on
    `**kwargs` takes what its `__wrapped__` takes. All values are given by name."""
    layers = [fn]
    while (code := getattr(fn, "__code__", None)) is not None and code.co_flags & _VAR_KEYWORDS:
        fn = getattr(fn, "__wrapped__", None)  # pyright: ignore[reportAssignmentType] - the loop is over then
        if fn is None:
            break
        layers.append(fn)
    return layers


def _signature(layers: list[Callable[..., Any]]) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]:
    """The parameters that can be given by place, those that cannot, and defaults: the innermost function's, and what
    the others must be given themselves."""
    positional: tuple[str, ...] = ()
    keyword_only: tuple[str, ...] = ()
    defaults: dict[str, Any] = {}
    for fn in reversed(layers):
        code: CodeType = fn.__code__
        given: tuple[Any, ...] = getattr(fn, "__defaults__", None) or ()
        own = code.co_varnames[: code.co_argcount]
        rest = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        has = dict(zip(own[len(own) - len(given) :], given, strict=True))
        has.update(getattr(fn, "__kwdefaults__", None) or {})
        if fn is layers[-1]:
            positional, keyword_only, defaults = own, rest, has
            continue
        if own and own[0] in _CONTEXT_NAMES:
            positional = (own[0], *positional[bool(positional) and positional[0] in _CONTEXT_NAMES :])
        known = {*positional, *keyword_only}
        keyword_only += tuple(name for name in (*own, *rest) if name not in known and name not in has)
        defaults |= {name: value for name, value in has.items() if name in known}
    return positional, keyword_only, defaults


def _is_named(layers: list[Callable[..., Any]]) -> bool:
    for fn in layers[:-1]:
        code = fn.__code__
        if code.co_argcount:
            return code.co_varnames[0] not in _CONTEXT_NAMES
        if not code.co_flags & _VAR_POSITIONAL:
            return True
    return False


def _kind(flags: int) -> str:
    if flags & _COROUTINE:
        return "async"
    if flags & _ASYNC_GENERATOR:
        return "async_generator"
    return "generator" if flags & _GENERATOR else "sync"


def _resources(fn: Callable[..., Any], values: tuple[str, ...], annotations: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters whose annotations say that they are resources."""
    found: dict[str, Any] = {}
    for name in values:
        annotation = annotations.get(name)
        if isinstance(annotation, str):
            annotation = None if annotation in _PLAIN else evaluated(annotation, fn)
        if annotation is None or (type(annotation) is type and annotation in _NO_RESOURCES):
            continue
        if is_resource_annotation(annotation):
            found[name] = annotation
    return found


_NO_RESOURCES = frozenset({int, str, float, bool, bytes, list, dict})  # the commonest
_PLAIN = frozenset({"int", "str", "float", "bool", "bytes", "list", "dict", "tuple", "set", "Any", "object", "None"})


def _context_kind(annotation: object) -> str:
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    name = name.rsplit(".", 1)[-1].strip("'\"")
    return {"AssetExecutionContext": "asset", "OpExecutionContext": "op"}.get(name, "")


def evaluated(annotation: Any, fn: Callable[..., Any]) -> Any:
    """An annotation that was written as text, evaluated where the function is being declared: what it names may be
    local to another function. As written where a name in it cannot be found."""
    if not isinstance(annotation, str):
        return annotation
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as in errors
    while frame is not None:
        try:
            return eval(annotation, fn.__globals__, frame.f_locals)  # noqa: S307 - the user's own annotation
        except Exception:  # noqa: BLE001
            frame = frame.f_back
    return annotation


def clean_doc(doc: str | None) -> str | None:
    """A docstring without the indentation of its later lines."""
    if not doc:
        return None
    first, *rest = doc.strip().expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first, *(line[margin:].rstrip() for line in rest)])
