"""Resources made by functions: a connection, a client, an I/O manager, made once a run and cleaned up at its end."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ContextDecorator, contextmanager
from types import GeneratorType
from typing import Any, ClassVar, Self, TypeVar, cast, overload

from opgraph.declare.settings.recipe import InitResourceContext
from opgraph.errors import (
    InvalidDefinitionError,
    InvalidInvocationError,
    InvariantViolationError,
    NotYetSupportedError,
    Source,
)

D = TypeVar("D", bound="ResourceDefinition")


class TooManyParameters(InvalidDefinitionError):
    """A function that makes a resource asks for more than a context."""

    def __init__(self, name: str, extra: list[str], where: Source | None) -> None:
        self.name, self.extra = name, tuple(extra)
        super().__init__(
            f"the resource function `{name}` is given one argument, its context, and also asks for "
            f"{', '.join(f'`{each}`' for each in extra)}",
            where=where,
            fix="take other resources from `context.resources`, and list them in `required_resource_keys`",
        )


class WrongResourceCall(InvalidInvocationError):
    """A function that makes a resource was called directly with other arguments than its context."""

    def __init__(self, name: str, parameter: str, given: int, where: Source | None) -> None:
        self.name, self.parameter, self.given = name, parameter, given
        super().__init__(
            f"the resource function `{name}` takes its context as the argument `{parameter}`, and "
            f"{'no other' if given else 'it was called without'}",
            where=where,
            fix=f"call it as `{name}(build_init_resource_context())`, or `{name}(None)` where it does not read it",
        )


class NoString(InvariantViolationError):
    """A string resource was configured with something else, or not at all."""

    def __init__(self, given: object) -> None:
        self.given = given
        super().__init__(
            "a string resource was given "
            + ("nothing" if given is None else f"a value of type {type(given).__name__}"),
            fix="`.configured(...)` it, or give it in the run configuration",
        )


class OtherValues(InvariantViolationError):
    """A resource of values was configured with others than it takes."""

    def __init__(self, wrong: Sequence[str], kinds: Mapping[str, Any]) -> None:
        self.wrong, self.kinds = tuple(wrong), dict(kinds)
        expected = ", ".join(f"{name}: {getattr(kind, '__name__', kind)}" for name, kind in kinds.items())
        super().__init__(
            f"the values {', '.join(f'`{name}`' for name in wrong)} are missing, of another type, or not taken",
            fix=f"give {{{expected}}} in the run configuration of the resource",
        )


class NeedsAContext(InvalidInvocationError):
    """A function that makes a resource of others, or of settings, was called directly with None for its context."""

    def __init__(self, name: str, needs: str, where: Source | None) -> None:
        self.name, self.needs = name, needs
        argument = "resources" if needs == "resources" else "config"
        super().__init__(
            f"Resource has required {needs}, but no context was provided: `{name}` was called with None",
            where=where,
            fix=f"call it as `{name}(build_init_resource_context({argument}={{...}}))`",
        )


class ResourceDefinition:
    """A resource made by a function. Made by `@resource`.

    Args:
        resource_fn: returns the resource, or yields it and cleans up afterwards. It takes an `InitResourceContext` or
            nothing.
        config_schema: what `context.resource_config` must look like: Python types such as `str` or `{"path": str}`;
            None: anything. A `ConfigurableResource` has typed fields instead.
        description: for people.
        required_resource_keys: the resources it uses, as `context.resources.<key>`.
        version: stands for the code.

    Raises:
        InvalidDefinitionError: the function asks for more than a context.

    Example:
        >>> ResourceDefinition(lambda context: 3)(None)
        3
    """

    opgraph_makes_resource: ClassVar[bool] = True  # an annotation of this class is a mistake

    def __init__(
        self,
        resource_fn: Callable[..., Any],
        config_schema: Any = None,
        description: str | None = None,
        required_resource_keys: AbstractSet[str] | None = None,
        version: str | None = None,
    ) -> None:
        self.resource_fn = resource_fn
        self.config_schema = config_schema
        self.description = description if description is not None else getattr(resource_fn, "__doc__", None)
        self.required_resource_keys = frozenset(required_resource_keys or ())
        self.version = version
        self._config: Any = None
        self._parameter = _only_parameter(resource_fn)

    # -- of other things ----------------------------------------------------------

    @classmethod
    def hardcoded_resource(cls, value: Any, description: str | None = None) -> Self:
        """A resource that is this value."""
        return cls(_Constant(value), description=description)

    @classmethod
    def none_resource(cls, description: str | None = None) -> Self:
        """A resource that is None."""
        return cls.hardcoded_resource(None, description)

    @classmethod
    def string_resource(cls, description: str | None = None) -> Self:
        """A resource that is its configuration, a string."""
        return cls(_string, description=description)

    @classmethod
    def mock_resource(cls, description: str | None = None) -> Self:
        """A resource that takes every call, for tests."""
        return cls(_mock, description=description)

    def configured(self, config: Any, name: str | None = None) -> Self:
        """This resource with its configuration given here."""
        del name
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._config = config
        return copy

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.resource_fn, "__name__", "resource")

    @property
    def config(self) -> Any:
        """Its configuration, where `configured` gave it one."""
        return self._config

    @property
    def source(self) -> Source | None:
        """Where the function stands."""
        return _place(self.resource_fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns, as tests call it.

        Raises:
            InvalidInvocationError: it takes a context and was not given one.
        """
        if self._parameter is None:
            return self.resource_fn()
        given = [*args, *kwargs.values()]
        if len(given) != 1 or (kwargs and self._parameter not in kwargs):
            raise WrongResourceCall(self.name, self._parameter, len(given), _place(self.resource_fn))
        context = given[0]
        if context is None and (self.required_resource_keys or (self.config_schema is not None and not self._config)):
            needs = "resources" if self.required_resource_keys else "config schema"
            raise NeedsAContext(self.name, needs, _place(self.resource_fn))
        if self._config is not None and isinstance(context, InitResourceContext):
            context = context.replace_config(self._config)
        return self.resource_fn(context)

    # -- making it --------------------------------------------------------------------

    def opgraph_requires(self) -> frozenset[str]:
        """See `Recipe`."""
        return self.required_resource_keys

    def opgraph_lasts(self) -> bool:
        """See `Recipe`."""
        fn = getattr(self.resource_fn, "__wrapped__", self.resource_fn)
        return bool(getattr(getattr(fn, "__code__", None), "co_flags", 0) & 0x20)

    @contextmanager
    def opgraph_open(self, context: InitResourceContext) -> Generator[Any]:
        """See `Recipe`."""
        if self._config is not None and context.resource_config is None:
            context = context.replace_config(self._config)
        made = self.resource_fn(context) if self._parameter is not None else self.resource_fn()
        if isinstance(made, GeneratorType):
            made = contextmanager(_again)(cast("Iterator[Any]", made))
        # An object that is a context manager of its own, as connections are, is the resource and not entered.
        if isinstance(made, ContextDecorator):
            with cast("Any", made) as value:
                yield self._finished(value)
        else:
            yield self._finished(made)

    def _finished(self, made: Any) -> Any:
        return made


def _again(generator: Iterator[Any]) -> Generator[Any]:
    yield from generator


class _Constant:
    """Gives a value."""

    __name__ = "hardcoded"

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        return self.value


def _string(context: InitResourceContext) -> str:
    if not isinstance(context.resource_config, str):
        raise NoString(context.resource_config)
    return context.resource_config


def _mock() -> Any:
    from unittest.mock import MagicMock  # for tests only, and 30 ms

    return MagicMock()


def _only_parameter(fn: Callable[..., Any]) -> str | None:
    """The name of the parameter that takes the context; None: it takes none."""
    wrapped = getattr(fn, "__wrapped__", fn)
    code = getattr(wrapped, "__code__", None)
    if code is None:
        return None if isinstance(fn, _Constant) else "context"
    names = list(code.co_varnames[: code.co_argcount])
    if names and names[0] in ("self", "cls") and hasattr(wrapped, "__self__"):
        names = names[1:]
    needed = names[: len(names) - len(getattr(wrapped, "__defaults__", None) or ())]
    if len(needed) > 1:
        raise TooManyParameters(getattr(fn, "__name__", "resource"), needed[1:], _place(fn))
    return names[0] if names else None


def _place(fn: Callable[..., Any]) -> Source | None:
    code = getattr(getattr(fn, "__wrapped__", fn), "__code__", None)
    return Source.of_code(code) if code is not None else None


class IOManagerDefinition(ResourceDefinition):
    """An I/O manager made by a function. Made by `@io_manager`.

    Args:
        resource_fn: returns the I/O manager, or yields it and cleans up afterwards.
        config_schema: see `ResourceDefinition`.
        description: for people.
        required_resource_keys: the resources it uses.
        version: stands for the code.
        input_config_schema: not supported.
        output_config_schema: not supported.

    Example:
        >>> IOManagerDefinition.hardcoded_io_manager(InMemoryIOManager())
    """

    def __init__(
        self,
        resource_fn: Callable[..., Any],
        config_schema: Any = None,
        description: str | None = None,
        required_resource_keys: AbstractSet[str] | None = None,
        version: str | None = None,
        input_config_schema: Any = None,
        output_config_schema: Any = None,
    ) -> None:
        if input_config_schema is not None or output_config_schema is not None:
            raise NotYetSupportedError(
                "input_config_schema" if input_config_schema is not None else "output_config_schema",
                "configuration of inputs and outputs is not supported: use `In(metadata=...)`, `Out(metadata=...)`",
            )
        super().__init__(resource_fn, config_schema, description, required_resource_keys, version)

    @classmethod
    def hardcoded_io_manager(cls, value: Any, description: str | None = None) -> Self:
        """An I/O manager that is this object."""
        return cls.hardcoded_resource(value, description)


class InputManagerDefinition(ResourceDefinition):
    """A function that loads inputs. Made by `@input_manager`.

    The function returns the value of an input, or an `InputManager` that loads it.
    """

    def opgraph_lasts(self) -> bool:
        """See `Recipe`."""
        return False

    @contextmanager
    def opgraph_open(self, context: InitResourceContext) -> Generator[Any]:
        """See `Recipe`."""
        yield _Loader(self, context.resource_config if context.resource_config is not None else self._config)

    def loaded(self, context: Any, config: Any) -> Any:
        """The value for an input."""
        if context.resource_config is None:
            context.resource_config = config
        found = self.resource_fn(context) if self._parameter is not None else self.resource_fn()
        return found.load_input(context) if hasattr(found, "load_input") else found


class _Loader:
    """What `@input_manager` makes of its function."""

    def __init__(self, definition: InputManagerDefinition, config: Any) -> None:
        self._definition, self._config = definition, config

    def load_input(self, context: Any) -> Any:
        """The value for an input."""
        return self._definition.loaded(context, self._config)


def _decorated(cls: type[D], fn: Callable[..., Any] | None, **options: Any) -> Any:
    if fn is not None:
        return cls(fn, **options)

    def decorate(found: Callable[..., Any]) -> ResourceDefinition:
        return cls(found, **options)

    return decorate


@overload
def resource(config_schema: Callable[..., Any]) -> ResourceDefinition: ...


@overload
def resource(
    config_schema: Any = ...,
    description: str | None = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
    version: str | None = ...,
) -> Callable[[Callable[..., Any]], ResourceDefinition]: ...


def resource(
    config_schema: Any = None,
    description: str | None = None,
    required_resource_keys: AbstractSet[str] | None = None,
    version: str | None = None,
) -> Any:
    """Make a resource of a function: it returns the resource, or yields it and cleans up afterwards.

    Args:
        config_schema: what `context.resource_config` must look like, as Python types: `{"path": str}`; the function,
            where the decorator is used without parentheses.
        description: for people, by default the docstring.
        required_resource_keys: the resources it uses, as `context.resources.<key>`.
        version: stands for the code.

    Raises:
        InvalidDefinitionError: the function asks for more than a context.

    Example:
        >>> @resource
        ... def connection(context):
        ...     with connect() as made:
        ...         yield made
    """
    fn, schema = _function_or_schema(config_schema)
    return _decorated(
        ResourceDefinition,
        fn,
        config_schema=schema,
        description=description,
        required_resource_keys=required_resource_keys,
        version=version,
    )


@overload
def io_manager(config_schema: Callable[..., Any]) -> IOManagerDefinition: ...


@overload
def io_manager(
    config_schema: Any = ...,
    description: str | None = ...,
    output_config_schema: Any = ...,
    input_config_schema: Any = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
    version: str | None = ...,
) -> Callable[[Callable[..., Any]], IOManagerDefinition]: ...


def io_manager(
    config_schema: Any = None,
    description: str | None = None,
    output_config_schema: Any = None,
    input_config_schema: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
    version: str | None = None,
) -> Any:
    """Make an I/O manager of a function that returns one.

    Args:
        config_schema: see `resource`, as for the others.
        description: see `resource`.
        output_config_schema: not supported.
        input_config_schema: not supported.
        required_resource_keys: see `resource`.
        version: see `resource`.

    Example:
        >>> @io_manager(required_resource_keys={"bucket"})
        ... def store(context):
        ...     return BucketManager(context.resources.bucket)
    """
    fn, schema = _function_or_schema(config_schema)
    return _decorated(
        IOManagerDefinition,
        fn,
        config_schema=schema,
        description=description,
        required_resource_keys=required_resource_keys,
        version=version,
        input_config_schema=input_config_schema,
        output_config_schema=output_config_schema,
    )


@overload
def input_manager(config_schema: Callable[..., Any]) -> InputManagerDefinition: ...


@overload
def input_manager(
    config_schema: Any = ...,
    description: str | None = ...,
    input_config_schema: Any = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
    version: str | None = ...,
) -> Callable[[Callable[..., Any]], InputManagerDefinition]: ...


def input_manager(
    config_schema: Any = None,
    description: str | None = None,
    input_config_schema: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
    version: str | None = None,
) -> Any:
    """Make an input manager of a function: it takes an `InputContext` and returns the value of the input.

    Args:
        config_schema: see `resource`, as for the others.
        description: see `resource`.
        input_config_schema: not supported.
        required_resource_keys: see `resource`.
        version: see `resource`.

    Example:
        >>> @input_manager
        ... def from_csv(context):
        ...     return read_csv(context.metadata["path"])
    """
    if input_config_schema is not None:
        raise NotYetSupportedError(
            "input_config_schema", "`input_config_schema` is not supported: use `In(metadata=...)`"
        )
    fn, schema = _function_or_schema(config_schema)
    return _decorated(
        InputManagerDefinition,
        fn,
        config_schema=schema,
        description=description,
        required_resource_keys=required_resource_keys,
        version=version,
    )


def _function_or_schema(given: Any) -> tuple[Callable[..., Any] | None, Any]:
    return (given, None) if callable(given) and not isinstance(given, type) else (None, given)


def make_values_resource(**kwargs: Any) -> ResourceDefinition:
    """A resource of plain values, which the run configuration gives: `make_values_resource(limit=int)`.

    Args:
        kwargs: the type of each value, by name. Without any, whatever is configured.

    Example:
        >>> @job(resource_defs={"values": make_values_resource(limit=int)})
        ... def counting(): ...
    """

    def values(context: InitResourceContext) -> Any:
        given: Any = context.resource_config or {}
        wrong = {name for name, kind in kwargs.items() if name not in given or not _fits(given[name], kind)} | (
            given.keys() - kwargs.keys() if kwargs else set[str]()
        )
        if wrong:
            raise OtherValues(sorted(wrong), kwargs)
        return _Values(given)

    return ResourceDefinition(values)


def _fits(value: object, kind: object) -> bool:
    return not isinstance(kind, type) or (isinstance(value, kind) and not (kind is int and isinstance(value, bool)))


class _Values(dict[str, Any]):
    """Values by name, as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None
