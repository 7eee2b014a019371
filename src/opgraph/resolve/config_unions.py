"""Settings whose type is one of several Config classes: which of them the settings of two places, together, are of."""

import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from opgraph.declare.settings.run_config import is_config_type, is_dict, is_tree
from opgraph.resolve.config_values import UNION, bare


class Chosen(NamedTuple):
    """What the settings of two places are together."""

    member: Any  # the Config class; None: they do not go together, and the later ones stand alone
    below: dict[str, Any]  # those of the earlier place that hold
    above: dict[str, Any]


def fields_in(kind: Any) -> Mapping[str, Any]:
    """The types of the settings of a Config class, or of a dict of types, by the names that configuration has."""
    if is_config_type(kind):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    return kind if is_dict(kind) else {}


def members_of(kind: Any) -> Sequence[Any]:
    """The Config classes of a union; empty: it is something else."""
    kind, _ = bare(kind)
    members = [bare(each)[0] for each in typing.get_args(kind)] if typing.get_origin(kind) in UNION else []
    return [each for each in members if is_config_type(each)]


def tag_of(members: Sequence[Any]) -> str | None:
    """The setting by which the members say which of them it is: in each, one of a few given values."""
    first = fields_in(members[0])
    return next((name for name in first if all(_choices(fields_in(each).get(name)) for each in members)), None)


def chosen(below: Mapping[str, Any], above: Mapping[str, Any], members: Sequence[Any]) -> Chosen:
    """Which member some settings are of, laid over those of an earlier place. The later ones decide: of the earlier,
    those hold that the member has, too. Only a tag that is given again turns one tagged member into another."""
    tag = tag_of(members)
    below, above = _tagged(below, tag, members), _tagged(above, tag, members)
    fitting = [each for each in members if _overlap(above, each) == len(above)]
    if not fitting:
        return Chosen(None, below, above)
    member = max(fitting, key=lambda each: _overlap(below, each))
    anywhere = {name for each in members for name in fields_in(each)}
    held = {name: value for name, value in below.items() if name in fields_in(member) or name not in anywhere}
    if tag in held and tag not in above and not _agrees(fields_in(member)[tag], held[tag]):
        return Chosen(None, below, above)
    return Chosen(member, held, above)


def _tagged(given: Mapping[str, Any], tag: str | None, members: Sequence[Any]) -> dict[str, Any]:
    """`{"s3": {...}}` as `{"kind": "s3", ...}`: the tag may be the one key around the rest."""
    name, inner = next(iter(given.items())) if len(given) == 1 else ("", None)
    if tag is None or name in fields_in(members[0]) or not is_tree(inner):
        return dict(given)
    is_member = any(_agrees(fields_in(each)[tag], name) for each in members)
    return {tag: name, **inner} if is_member else dict(given)


def _overlap(given: Mapping[str, Any], member: Any) -> int:
    fields = fields_in(member)
    return sum(name in fields and _agrees(fields[name], value) for name, value in given.items())


def _agrees(kind: Any, value: Any) -> bool:
    """Whether a value may be of a type, as far as it is one of given values."""
    choices = _choices(kind)
    return not choices or str(value) in choices


def _choices(kind: Any) -> set[str]:
    kind, _ = bare(kind)
    values = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
    return {str(each.value if isinstance(each, Enum) else each) for each in values}
