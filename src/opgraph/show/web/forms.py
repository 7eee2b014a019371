"""The settings of ops as a form: one field for each flat key, from the types that the functions declare."""

import enum
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from opgraph.declare.graphs.config_mapping import ConfigMapping
from opgraph.declare.settings.run_config import is_class, is_dict, plain
from opgraph.errors import Error
from opgraph.operate.target import AssetTarget, Target
from opgraph.resolve.config_values import bare, may_be_left_out, named
from opgraph.resolve.flatten import FlatStep
from opgraph.show.web import messages as m

_DEEP = 6  # models in models that are opened into fields
_TYPES = {int: "int", float: "float", bool: "bool", str: "str"}


def of_target(target: Target) -> list[m.FormField]:
    """The fields of all ops that would run, in the order of their steps. Where a graph or a job makes the configuration
    of its ops from a simpler one, that is asked for instead."""
    found: list[m.FormField] = []
    if isinstance(target, AssetTarget):
        for unit in target.project.graph.units:
            if not unit.definition.specs_by_key.keys().isdisjoint(target.keys):
                _of_steps(unit.flat.steps, unit.definition.node_def, unit.name, target, found)
        return found
    own = target.definition.config
    if isinstance(own, ConfigMapping):
        _of_type(own.takes, "", target.job, None, found, 0)
        return found
    _of_steps(target.flat.steps, None, "", target, found)
    return found


def _of_steps(steps: Iterable[FlatStep], whole: Any, name: str, target: Target, found: list[m.FormField]) -> None:
    seen: set[str] = set()
    for step in steps:
        path = [name] if name else []
        graphs = [whole, *(node.definition for node in step.parents)] if whole is not None else []
        if whole is None:
            graphs = [node.definition for node in step.parents]
        names = step.key.split(".")
        for depth, graph in enumerate(graphs):
            mapping = getattr(graph, "config", None)
            if isinstance(mapping, ConfigMapping):
                path = names[: depth + 1]
                at = ".".join(path)
                if at not in seen:
                    seen.add(at)
                    _of_type(mapping.takes, at, at, None, found, 0)
                break
        else:
            if step.op.takes_config and step.op.config_type is not None:
                _of_type(step.op.config_type, step.key, step.key, _known(target, step), found, 0)


def _known(target: Target, step: FlatStep) -> Any:
    """What holds where nothing is given: the defaults of the asset, the job and the Config class."""
    try:
        return target.settings.shown(step)
    except Error:
        return None


def _of_type(kind: Any, path: str, op: str, given: Any, found: list[m.FormField], depth: int) -> None:
    kind, _ = bare(kind)
    members: dict[str, Any] = {}
    if is_class(kind) and hasattr(kind, "model_fields"):
        members = {each.alias or name: each for name, each in kind.model_fields.items()}
    elif is_dict(kind) and all(isinstance(name, str) for name in kind):
        members = dict(kind)
    if kind is None:
        return
    if not members or depth >= _DEEP:
        found.append(_field(kind, path, op, required=given is None, default=given, description=""))
        return
    settings: Mapping[str, Any] = given if is_dict(given) else {}
    for name, member in members.items():
        at = f"{path}.{name}" if path else str(name)
        annotation = getattr(member, "annotation", member)
        if _is_model(annotation):
            _of_type(annotation, at, op, settings.get(name, _default(member)), found, depth + 1)
            continue
        required = name not in settings and (member.is_required() if hasattr(member, "is_required") else True)
        found.append(
            _field(
                annotation,
                at,
                op,
                required=required and not may_be_left_out(annotation),
                default=settings.get(name, _default(member)),
                description=getattr(member, "description", None) or "",
            )
        )


def _is_model(kind: Any) -> bool:
    kind, _ = bare(kind)
    return is_class(kind) and hasattr(kind, "model_fields")


def _default(member: Any) -> Any:
    if not hasattr(member, "get_default") or member.is_required():
        return None
    try:
        return plain(member.get_default(call_default_factory=member.default_factory is None))
    except Exception:  # noqa: BLE001 - a factory is the user's code, and it is only asked for a hint
        return None


def _field(kind: Any, path: str, op: str, *, required: bool, default: Any, description: str) -> m.FormField:
    one = _without_none(kind)
    choices: list[Any] = []
    shape = _TYPES.get(one, "json")
    if typing.get_origin(one) is typing.Literal:
        shape, choices = "enum", [plain(each) for each in typing.get_args(one)]
    elif is_class(one) and issubclass(one, enum.Enum):
        shape, choices = "enum", [each.name for each in one]
    secret = getattr(one, "__name__", "").startswith("Secret")
    return m.FormField(
        path=path,
        op=op,
        name=path.removeprefix(f"{op}.") if op else path.rsplit(".", 1)[-1],
        type="str" if secret else shape,
        required=required,
        default=None if secret else plain(default),
        description=description,
        choices=choices,
        secret=secret,
        type_text=named(kind),
    )


def _without_none(kind: Any) -> Any:
    kind, _ = bare(kind)
    if typing.get_origin(kind) is typing.Literal:
        return kind
    members = [each for each in typing.get_args(kind) if each is not type(None)]
    return members[0] if len(members) == 1 and may_be_left_out(kind) else kind
