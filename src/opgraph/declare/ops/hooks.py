"""Hooks: functions that are called when a step has ended, to tell someone. They never change what the run does."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar, cast, overload

from msgspec import Struct

from opgraph.declare.frozen import Frozen, made
from opgraph.declare.mistakes import WrongType, report
from opgraph.declare.ops.body import Body
from opgraph.errors import InvalidDefinitionError, InvalidInvocationError, Mistake, Source
from opgraph.keys import AssetKey

T = TypeVar("T")


class HookParameters(Mistake, InvalidDefinitionError):
    """A hook's function that cannot be called with a context alone."""

    name: str
    problem: str
    says = "the hook `{name}` {problem}"
    mend = "write it as `def {name}(context): ...`"


class HookCalledWrongly(Mistake, InvalidInvocationError):
    """A hook was called directly, and not with one context."""

    name: str
    problem: str
    says = "the hook `{name}` was called directly: {problem}"
    mend = "write `{name}(build_hook_context(...))`"
    at_caller = True


class HookNeedsResource(Mistake, InvalidDefinitionError):
    """A hook was called directly without a resource that it requires."""

    name: str
    key: str
    says = "hook `{name}` requires resource `{key}`, which its context does not have"
    mend = 'write `build_hook_context(resources={{"{key}": ...}})`'
    at_caller = True


class HookExecutionResult(Struct, frozen=True):
    """What a hook may return: with `is_skipped`, that there was nothing to do.

    Example:
        >>> @success_hook
        ... def tell(context):
        ...     if context.job_name != "nightly":
        ...         return HookExecutionResult("tell", is_skipped=True)
    """

    hook_name: str
    is_skipped: bool | None = None


class HookDefinition(Frozen):
    """A function that is called when a step has ended. Made by `success_hook` and `failure_hook`.

    It is put on ops and graphs (`.with_hooks`), assets and jobs (`hooks=`); as a decorator it does the same:
    `@tell` above `@job`. Called with a context, it runs its function, as tests do.
    """

    __slots__ = ("after", "decorated_fn", "name", "parameter", "required_resource_keys", "source")

    name: str
    after: str  # success | failure
    decorated_fn: Callable[[Any], Any]
    parameter: str  # of the function: its name
    required_resource_keys: frozenset[str]
    source: Source

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result; given a job, graph or asset, a copy of it with this hook."""
        if len(args) == 1 and not kwargs and hasattr(args[0], "with_hooks"):
            return args[0].with_hooks({self})
        if len(args) + len(kwargs) != 1:
            many = len(args) + len(kwargs)
            told = f"it takes one argument, its context `{self.parameter}`, and was called with {many}"
            raise HookCalledWrongly(self.name, told)
        if kwargs and self.parameter not in kwargs:
            raise HookCalledWrongly(
                self.name,
                f"it takes its context as the argument `{self.parameter}`, and was called with `{next(iter(kwargs))}`",
            )
        context = args[0] if args else kwargs[self.parameter]
        given: Any = getattr(context, "resources", None)
        for key in sorted(self.required_resource_keys):
            if not hasattr(given, key):
                raise HookNeedsResource(self.name, key)
        return self.decorated_fn(context)


@overload
def success_hook(hook_fn: Callable[[Any], Any], /) -> HookDefinition: ...


@overload
def success_hook(
    *, name: str | None = None, required_resource_keys: AbstractSet[str] | None = None
) -> Callable[[Callable[[Any], Any]], HookDefinition]: ...


def success_hook(
    hook_fn: Callable[[Any], Any] | None = None,
    /,
    *,
    name: str | None = None,
    required_resource_keys: AbstractSet[str] | None = None,
) -> HookDefinition | Callable[[Callable[[Any], Any]], HookDefinition]:
    """Make a hook that is called when a step has succeeded.

    Args:
        hook_fn: the function; it takes a HookContext.
        name: the hook's name, by default the function's.
        required_resource_keys: the resources that it uses, as `context.resources.<key>`.

    Raises:
        InvalidDefinitionError: the function cannot be called with a context.

    Example:
        >>> @success_hook(required_resource_keys={"chat"})
        ... def tell(context):
        ...     context.resources.chat.post(f"{context.step_key} is done")
    """
    return _made("success", hook_fn, name, required_resource_keys)


@overload
def failure_hook(hook_fn: Callable[[Any], Any], /) -> HookDefinition: ...


@overload
def failure_hook(
    *, name: str | None = None, required_resource_keys: AbstractSet[str] | None = None
) -> Callable[[Callable[[Any], Any]], HookDefinition]: ...


def failure_hook(
    hook_fn: Callable[[Any], Any] | None = None,
    /,
    *,
    name: str | None = None,
    required_resource_keys: AbstractSet[str] | None = None,
) -> HookDefinition | Callable[[Callable[[Any], Any]], HookDefinition]:
    """Make a hook that is called when a step has failed for good: after its last attempt.

    Args:
        hook_fn: the function; it takes a HookContext, whose `op_exception` is what was raised.
        name: the hook's name, by default the function's.
        required_resource_keys: the resources that it uses, as `context.resources.<key>`.

    Raises:
        InvalidDefinitionError: the function cannot be called with a context.

    Example:
        >>> @failure_hook
        ... def warn(context):
        ...     context.log.error("%s failed: %r", context.step_key, context.op_exception)
    """
    return _made("failure", hook_fn, name, required_resource_keys)


def _made(after: str, fn: Any, name: str | None, keys: AbstractSet[str] | None) -> Any:
    def decorate(hook_fn: Callable[[Any], Any]) -> HookDefinition:
        body = Body(hook_fn)
        where, many = body.source, len(body.all_params)
        own = name if name is not None else body.name
        if many != 1 or body.keyword_only:
            report(HookParameters(own, f"takes {many} parameters, not the context alone", where=where))
        elif body.named:
            report(HookParameters(own, "has a decorator whose function takes no context, and no `*args`", where=where))
        elif body.kind != "sync":
            what = {"async": "is `async`"}.get(body.kind, "yields")
            report(HookParameters(own, f"{what}, and nothing would wait for it", where=where))
        return made(
            HookDefinition,
            name=own,
            after=after,
            decorated_fn=hook_fn,
            parameter=next(iter(body.all_params), "context"),
            required_resource_keys=frozenset(keys or ()),
            source=where,
        )

    return decorate(fn) if fn is not None else decorate


def checked_hooks(owner: str, parameter: str, given: Any, where: Source | None) -> frozenset[HookDefinition]:
    """The hooks that were given; what is no hook is reported and left out."""
    if given is None:
        return frozenset()
    listed: list[object] = [given]
    if isinstance(given, Iterable) and not isinstance(given, (str, Mapping, AssetKey)):
        listed = list(cast("Iterable[object]", given))
    if isinstance(given, HookDefinition) or not all(isinstance(each, HookDefinition) for each in listed):
        words = "a set of hooks, made by `success_hook` or `failure_hook`: `{hook}`"
        report(WrongType(owner, parameter, cast("object", given), words, where=where or Source.of_caller()))
    return frozenset(each for each in listed if isinstance(each, HookDefinition))
