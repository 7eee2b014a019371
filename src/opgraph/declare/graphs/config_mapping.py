"""Functions that make the configuration of a graph's ops of something simpler."""

from collections.abc import Callable
from typing import Any, overload

from opgraph.declare.frozen import Frozen
from opgraph.declare.mistakes import WrongType, report
from opgraph.declare.ops.body import Body
from opgraph.declare.settings.run_config import RunConfig, is_config_type, is_tree
from opgraph.errors import InvalidDefinitionError, Mistake, Source


class ConfigMapping(Frozen):
    """Makes the configuration of a job's or graph's ops of a simpler one.

    Args:
        config_fn: takes the simpler configuration; returns that of the ops: of a job `{"ops": {...}}` or a RunConfig,
            of a graph its ops by name.
        config_schema: what the simpler one looks like: a Config class or a dict of Python types. Not needed where the
            parameter of `config_fn` is annotated.
        receive_processed_config_values: taken and not needed: values are always checked first.

    Example:
        >>> ConfigMapping(lambda given: {"clean": {"config": {"threshold": given["strict"] * 0.9}}})
    """

    __slots__ = ("config_fn", "config_schema", "source", "takes")

    config_fn: Callable[[Any], Any]
    config_schema: Any
    takes: Any  # the type of what it takes; None: anything
    source: Source

    def __init__(
        self,
        config_fn: Callable[[Any], Any],
        config_schema: Any = None,
        receive_processed_config_values: bool | None = None,  # noqa: ARG002
    ) -> None:
        body = Body(config_fn)
        params = body.all_params
        source = body.source
        annotated: Any = body.annotations.get(params[0]) if params else None
        if len(params) != 1:
            raise MappingTakesOne(getattr(config_fn, "__name__", "the function"), len(params), where=source)
        if config_schema is not None and is_config_type(annotated):
            raise MappingSaysTwice(getattr(config_fn, "__name__", "the function"), where=source)
        takes = config_schema if config_schema is not None else annotated if is_config_type(annotated) else None
        self.settle(config_fn=config_fn, config_schema=config_schema, takes=takes, source=source)


class MappingTakesOne(Mistake, InvalidDefinitionError):
    """A function of a config mapping takes none or several arguments."""

    name: str
    count: int
    says = "the config mapping `{name}` takes {count} arguments instead of one"
    mend = "let it take the simpler configuration and return that of the ops"


class MappingSaysTwice(Mistake, InvalidDefinitionError):
    """A config mapping says in two ways what it takes."""

    name: str
    says = "the config mapping `{name}` says what it takes by `config_schema` and by the annotation of its parameter"
    mend = "leave `config_schema` out"


def checked_config(owner: str, config: Any, where: Source | None, *, of_run: bool = False) -> Any:
    """What a job or graph was given as `config=`: a dict of defaults, a ConfigMapping, of a job also a RunConfig. What
    is none of these is reported; None where nothing was given."""
    if (
        is_tree(config)
        or isinstance(config, ConfigMapping)
        or config is None
        or (of_run and isinstance(config, RunConfig))
    ):
        return config
    report(WrongType(owner, "config", config, "a dict, a RunConfig or a config mapping", where=where))
    return None


@overload
def config_mapping(config_fn: Callable[[Any], Any]) -> ConfigMapping: ...


@overload
def config_mapping(
    *, config_schema: Any = ..., receive_processed_config_values: bool | None = ...
) -> Callable[[Callable[[Any], Any]], ConfigMapping]: ...


def config_mapping(
    config_fn: Callable[[Any], Any] | None = None,
    *,
    config_schema: Any = None,
    receive_processed_config_values: bool | None = None,
) -> ConfigMapping | Callable[[Callable[[Any], Any]], ConfigMapping]:
    """Make a ConfigMapping of a function. It is given to a job or graph as `config=`.

    Args: see ConfigMapping.

    Raises:
        InvalidDefinitionError: the function does not take one argument, or what it takes is said twice.

    Example:
        >>> @config_mapping
        ... def simple(given: Strictness) -> RunConfig:
        ...     return RunConfig(ops={"clean": Cleaning(threshold=given.level / 10)})
    """

    def decorate(fn: Callable[[Any], Any]) -> ConfigMapping:
        return ConfigMapping(fn, config_schema, receive_processed_config_values)

    return decorate(config_fn) if config_fn is not None else decorate
