"""What a run is configured with, and functions that make it of something simpler. Nothing here needs pydantic."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias, TypeGuard, cast, overload

from opgraph.declare.accepted import expect
from opgraph.declare.frozen import Compared, Frozen
from opgraph.declare.mistakes import WrongType, report
from opgraph.declare.ops.body import Body
from opgraph.declare.settings.env import EnvVar, IntEnvVar
from opgraph.declare.settings.secrets import MASK, is_secret
from opgraph.errors import InvalidDefinitionError, Mistake, Source

Tree: TypeAlias = Mapping[str, Any]


class RunConfig(Compared):
    """The configuration of a run, with `Config` objects where a dict would have `{"config": {...}}`.

    Args:
        ops: by op; of a graph or graph asset `{"ops": {...}}` with its ops inside.
        resources: by resource key: a resource's settings.
        loggers: kept with the run.
        execution: kept with the run.
        inputs: values for the inputs of a job's graph.

    Raises:
        InvalidDefinitionError: one of them is no dict.

    Example:
        >>> RunConfig(ops={"revenue": {"ops": {"clean": {"config": {"threshold": 0.3}}}}}).to_config_dict()["ops"]
        {'revenue': {'ops': {'clean': {'config': {'threshold': 0.3}}}}}
    """

    __slots__ = ("execution", "inputs", "loggers", "ops", "resources")

    ops: Tree
    resources: Tree
    loggers: Tree
    execution: Tree
    inputs: Tree

    def __init__(
        self,
        ops: Tree | None = None,
        resources: Tree | None = None,
        loggers: Tree | None = None,
        execution: Tree | None = None,
        inputs: Tree | None = None,
    ) -> None:
        expect("`RunConfig`", ops=ops, resources=resources, loggers=loggers, execution=execution, inputs=inputs)
        self.settle(
            ops=dict(ops or {}),
            resources=dict(resources or {}),
            loggers=dict(loggers or {}),
            execution=dict(execution or {}),
            inputs=dict(inputs or {}),
        )

    def to_config_dict(self) -> dict[str, Any]:
        """The same as plain data: environment variables as `{"env": NAME}`, enums by name."""
        return {name: plain(part) for name, part in self.parts().items() if part}

    def parts(self) -> dict[str, Any]:
        """Its sections as dicts, with `Config` objects as `{"config": {...}}`."""
        sections = {"ops": self.ops, "resources": self.resources}
        made: dict[str, Any] = {
            name: {key: wrapped(value) for key, value in section.items()} for name, section in sections.items()
        }
        rest = {"loggers": self.loggers, "execution": self.execution, "inputs": self.inputs}
        return {**made, **{name: section for name, section in rest.items() if section}}


def rule(message: str) -> str:
    """What pydantic says of a value, or what a validator of the user's raised, without pydantic's word for that."""
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def is_tree(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether a value is a mapping."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a list, or a tuple or set, which stand for one."""
    return isinstance(value, (list, tuple, set, frozenset))


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether a value is a dict."""
    return isinstance(value, dict)


def is_class(value: object) -> TypeGuard[type[Any]]:
    """Whether a value is a class."""
    return isinstance(value, type)


def is_model(value: object) -> bool:
    """Whether a value is an object of a pydantic model. Asked without importing pydantic."""
    return hasattr(type(value), "model_fields")


def is_config_type(kind: object) -> bool:
    """Whether an annotation is a `Config` class. Asked without importing pydantic."""
    return isinstance(kind, type) and hasattr(kind, "model_fields")


def wrapped(value: Any) -> Any:
    """A part of a run configuration as a dict: `Config` objects, at any depth of graphs, become `{"config": {...}}`."""
    if is_model(value):
        return {"config": fields_of(value)}
    if not is_tree(value):
        return value
    made = dict(value)
    if is_tree(value.get("ops")):
        made["ops"] = {name: wrapped(inner) for name, inner in value["ops"].items()}
    if "config" in value:
        made["config"] = loosened(value["config"])
    return made


def fields_of(model: Any) -> dict[str, Any]:
    """The fields of a `Config` object by the names that configuration has for them. Left out is what is None anyway."""
    found: dict[str, Any] = {}
    kind = cast("Any", type(model))
    for name, field in kind.model_fields.items():
        value = getattr(model, name)
        if value is None and (field.is_required() or field.default is None):
            continue
        found[field.alias or name] = loosened(value)
    found.update({name: loosened(value) for name, value in _extra(model).items()})
    return found


def _extra(model: Any) -> dict[str, Any]:
    return getattr(model, "model_extra", None) or {}


def loosened(value: Any) -> Any:
    """A value with dicts instead of the models in it; references and secrets stay what they are."""
    if is_model(value):
        return fields_of(value)
    if is_tree(value):
        return {key: loosened(inner) for key, inner in value.items()}
    if is_list(value):
        return [loosened(inner) for inner in value]
    return value


def plain(value: Any) -> Any:
    """A value as data that JSON could have: references by name, enums by name, secrets masked."""
    if isinstance(value, (EnvVar, IntEnvVar)):
        return {"env": value.env_var_name}
    if isinstance(value, Enum):
        return value.name
    if is_secret(value):
        return MASK
    if is_model(value):
        return plain(fields_of(value))
    if is_tree(value):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if is_list(value):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


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
