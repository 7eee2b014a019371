"""What a run is configured with. Nothing here needs pydantic."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeAlias, TypeGuard, cast

from opgraph.declare.accepted import expect
from opgraph.declare.frozen import Compared
from opgraph.declare.settings.env import EnvVar, IntEnvVar
from opgraph.declare.settings.secrets import MASK, is_secret

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
