"""One value of configuration against its type: checked strictly, as data files and command lines give it.

Types are annotations: Config classes, Python's own types and those of `typing`, enums; or, as `config_schema` has them,
dicts and lists of these. What pydantic declares is read from its classes, so that it is imported only by who uses it.
"""

import json
import os
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from enum import Enum
from typing import Any, cast

from opgraph.declare.settings.env import EnvVar, EnvVarNotSet, IntEnvVar, has_reference, reference_to
from opgraph.declare.settings.recipe import is_recipe
from opgraph.declare.settings.run_config import (
    fields_of,
    is_class,
    is_config_type,
    is_dict,
    is_list,
    is_model,
    is_tree,
    loosened,
    rule,
)
from opgraph.declare.settings.secrets import MASK, hide, remember, revealed
from opgraph.errors import InvalidConfigError, Source
from opgraph.keys import near_misses
from opgraph.resolve.config_mistakes import (
    BadChoice,
    BadValue,
    MissingKey,
    SecretNotRecorded,
    UnknownKey,
    VariableMisfits,
    WrongType,
)

_WORDS: dict[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_SEVERAL = {
    "text": "texts",
    "a whole number": "whole numbers",
    "a number": "numbers",
    "true or false": "true or false",
    "a dict": "dicts",
    "a list": "lists",
}
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
UNION = (typing.Union, types.UnionType)
_LISTS = (list, tuple, set, frozenset, Sequence, AbstractSet)
_DICTS = (dict, Mapping)


class Fitting:
    """Fits values to types, and keeps every mistake with its path.

    Args:
        where: what the values belong to, in the user's code.
        reading: whether environment variables are read; otherwise references stay references.
    """

    def __init__(self, where: Source | None = None, *, reading: bool = False) -> None:
        self.where, self.reading = where, reading
        self.problems: list[InvalidConfigError] = []
        self.references: list[str] = []  # paths

    def fit(self, value: Any, kind: Any, path: str) -> Any:
        """The value as its type has it: enums as members, secrets as SecretStr, models as dicts."""
        kind, notes = bare(kind)
        if isinstance(value, (EnvVar, IntEnvVar)) or (_is_reference(value) and not _takes_dicts(kind)):
            return self._reference(value, kind, path)
        if kind is None or kind is Any:
            return self._untyped(value, path)
        if is_dict(kind):
            return self._shape(value, kind, path)
        if is_list(kind):
            return self._items(value, kind[0] if kind else None, path)
        origin = typing.get_origin(kind)
        if origin in UNION:
            tags = [tag for each in notes if isinstance(tag := getattr(each, "discriminator", None), str)]
            return self._tagged(value, kind, tags[0], path) if tags else self._union(value, kind, path)
        if origin is typing.Literal:
            return self._choice(value, typing.get_args(kind), path)
        if any(each is (origin or kind) for each in _DICTS):  # a user's class may refuse to be compared
            return self._dict(value, typing.get_args(kind), path)
        if any(each is (origin or kind) for each in _LISTS):
            return self._list(value, origin or kind, typing.get_args(kind), path)
        if is_config_type(kind):
            return self._model(value, kind, path)
        return self._scalar(value, kind, path)

    # -- scalars ----------------------------------------------------------------------

    def _scalar(self, value: Any, kind: Any, path: str) -> Any:
        if not is_class(kind):
            return value
        if issubclass(kind, Enum):
            return self._member(value, kind, path)
        if hasattr(kind, "get_secret_value"):
            return self._secret(value, kind, path)
        fits = {
            str: isinstance(value, str),
            bool: isinstance(value, bool),
            int: isinstance(value, int) and not isinstance(value, bool),
            float: isinstance(value, (int, float)) and not isinstance(value, bool),
        }.get(kind, True)
        if not fits:
            self.problems.append(WrongType(path, named(kind), value, self.where))
        return value

    def _secret(self, value: Any, kind: Any, path: str) -> Any:
        if hasattr(value, "get_secret_value"):
            revealed(value)
            return value
        if value == MASK:
            self.problems.append(SecretNotRecorded(path, where=self.where))
        elif isinstance(value, str):
            remember(value)
            return kind(value.encode() if "Bytes" in kind.__name__ else value)
        else:
            self.problems.append(WrongType(path, "text", value, self.where, secret=True))
        return value

    def _member(self, value: Any, kind: type[Enum], path: str) -> Any:
        if isinstance(value, kind):
            return value
        if isinstance(value, str) and value in kind.__members__:
            return kind[value]
        try:
            return kind(value)
        except ValueError:
            self.problems.append(BadChoice(path, value, list(kind.__members__), self.where))
            return value

    def _choice(self, value: Any, choices: tuple[Any, ...], path: str) -> Any:
        if not any(value == each and type(value) is type(each) for each in choices):
            self.problems.append(BadChoice(path, value, [str(each) for each in choices], self.where))
        return value

    def _reference(self, value: Any, kind: Any, path: str) -> Any:
        reference = value if isinstance(value, (EnvVar, IntEnvVar)) else reference_to(value["env"])
        self.references.append(path)
        if not self.reading:
            return reference
        text = os.environ.get(reference.env_var_name)
        if text is None:
            self.problems.append(EnvVarNotSet(reference.env_var_name, path, where=reference.source))
            return reference
        remember(text)
        wanted = int if isinstance(reference, IntEnvVar) else kind
        trial = Fitting(self.where)
        try:
            made = trial.fit(parsed(text, wanted), wanted, path)
        except ValueError:
            made = reference
        if made is reference or trial.problems:  # theirs might show what the variable holds
            self.problems.append(VariableMisfits(path, reference.env_var_name, named(wanted), where=self.where))
        return made

    def _untyped(self, value: Any, path: str) -> Any:
        value = loosened(value)
        if is_tree(value):
            given = value
            return {key: self.fit(inner, None, f"{path}.{key}") for key, inner in given.items()}
        if is_list(value):
            return [self.fit(inner, None, f"{path}[{i}]") for i, inner in enumerate(value)]
        return value

    # -- unions -----------------------------------------------------------------------

    def _union(self, value: Any, kind: Any, path: str) -> Any:
        choices = typing.get_args(kind)
        if value is None and type(None) in choices:
            return None
        choices = tuple(each for each in choices if each is not type(None))
        if len(choices) == 1:
            return self.fit(value, choices[0], path)
        best: Fitting | None = None
        for each in choices:
            trial = Fitting(self.where, reading=self.reading)
            made = trial.fit(value, each, path)
            if not trial.problems:
                self.references += trial.references
                return made
            if best is None or len(trial.problems) < len(best.problems):
                best = trial
        if is_tree(value) and best is not None:
            self.problems += best.problems
        else:
            self.problems.append(WrongType(path, named(kind), value, self.where))
        return value

    def _tagged(self, value: Any, kind: Any, tag: str, path: str) -> Any:
        """A union whose members say by a field which of them it is. The tag may also be the one key around the rest."""
        kind, _ = bare(kind)
        members = {name: each for each in typing.get_args(kind) if each is not type(None) for name in _tags(each, tag)}
        if is_model(value):
            return self._model({**fields_of(value), tag: getattr(value, tag)}, type(value), path)
        if value is None and type(None) in typing.get_args(kind):
            return None
        if not is_tree(value):
            self.problems.append(WrongType(path, f"a dict with `{tag}`", value, self.where))
            return value
        given: dict[str, Any] = dict(value)
        if tag not in given and len(given) == 1 and is_tree(next(iter(given.values()))):
            name = next(iter(given))
            given = {tag: name, **(given[name] if name in members else {})}
        if tag not in given:
            self.problems.append(
                MissingKey(f"{path}.{tag}", f"one of {', '.join(members)}", f"{tag} = …", where=self.where)
            )
            return given
        if given[tag] not in members:
            self.problems.append(BadChoice(f"{path}.{tag}", given[tag], [str(name) for name in members], self.where))
            return given
        return self._model(given, members[given[tag]], path)

    # -- containers -------------------------------------------------------------------

    def _items(self, value: Any, kind: Any, path: str) -> Any:
        if not is_list(value):
            self.problems.append(WrongType(path, _list_of(kind), value, self.where))
            return value
        return [self.fit(each, kind, f"{path}[{i}]") for i, each in enumerate(value)]

    def _list(self, value: Any, origin: Any, args: tuple[Any, ...], path: str) -> Any:
        if origin is tuple and args and args[-1] is not Ellipsis:
            if not is_list(value) or len(value) != len(args):
                self.problems.append(WrongType(path, f"a list of {len(args)}", value, self.where))
                return value
            pairs = enumerate(zip(value, args, strict=True))
            return [self.fit(each, kind, f"{path}[{i}]") for i, (each, kind) in pairs]
        return self._items(value, args[0] if args else None, path)

    def _dict(self, value: Any, args: tuple[Any, ...], path: str) -> Any:
        value = loosened(value)
        if not is_tree(value):
            self.problems.append(WrongType(path, "a dict", value, self.where))
            return value
        key_kind, value_kind = args or (None, None)
        made: dict[Any, Any] = {}
        for key, inner in value.items():
            made[self._key(key, key_kind, path)] = self.fit(inner, value_kind, f"{path}.{key}")
        return made

    def _key(self, key: Any, kind: Any, path: str) -> Any:
        if isinstance(key, str) and kind not in (None, Any, str):
            with suppress(ValueError):
                key = parsed(key, kind)  # files have only text for keys
        return self.fit(key, kind, f"{path}.{key}")

    def _shape(self, value: Any, fields: Mapping[Any, Any], path: str) -> Any:
        """A dict of types, as `config_schema` has it; `{str: int}` stands for any keys."""
        if len(fields) == 1 and isinstance(next(iter(fields)), type):
            return self._dict(value, next(iter(fields.items())), path)
        if not is_tree(value):
            self.problems.append(WrongType(path, "a dict", value, self.where))
            return value
        given = value
        for key in given:
            if key not in fields:
                self.problems.append(UnknownKey(f"{path}.{key}", str(key), list(fields), self.where))
        for key, kind in fields.items():
            if key not in given and not may_be_left_out(kind):
                self._missing(f"{path}.{key}", kind)
        return {key: self.fit(inner, fields[key], f"{path}.{key}") for key, inner in given.items() if key in fields}

    def _model(self, value: Any, kind: Any, path: str) -> Any:
        if is_model(value):
            value = fields_of(value)
        if not is_tree(value):
            where = source_of(kind) or self.where
            self.problems.append(WrongType(path, f"a dict of {kind.__name__}'s settings", value, where))
            return value
        outer, self.where = self.where, source_of(kind) or self.where
        made = self._fields(value, kind, path)
        self.where = outer
        return made

    def _fields(self, given: Mapping[str, Any], kind: Any, path: str) -> dict[str, Any]:
        fields: dict[str, Any] = {field.alias or name: field for name, field in kind.model_fields.items()}
        by_name = {name: field.alias or name for name, field in kind.model_fields.items()}
        loose = kind.model_config.get("extra") == "allow"
        made: dict[str, Any] = {}
        for key, value in given.items():
            known = key if key in fields else by_name.get(key)
            if known is not None:
                made[known] = self._field(value, fields[known], f"{path}.{key}")
            elif loose:
                made[key] = self.fit(value, None, f"{path}.{key}")
            else:
                self.problems.append(UnknownKey(f"{path}.{key}", str(key), list(fields), self.where))
        unknown = [key for key in given if key not in fields and key not in by_name and not loose]
        meant = {name for key in unknown for name in near_misses(str(key), fields, most=1)}
        for name, field in fields.items():
            if name in made or name in meant:  # the one was said with the other
                continue
            if field.is_required() and not may_be_left_out(field.annotation):
                self._missing(f"{path}.{name}", field.annotation)
            elif self.reading and has_reference(loosened(field.default)):
                made[name] = self._field(loosened(field.default), field, f"{path}.{name}")
        return made

    def _field(self, value: Any, field: Any, path: str) -> Any:
        tag = field.discriminator
        if isinstance(tag, str):
            return self._tagged(value, field.annotation, tag, path)
        return self.fit(value, field.annotation, path)

    def _missing(self, path: str, kind: Any) -> None:
        given_as = f"{path.rpartition('.')[2]} = …"
        self.problems.append(MissingKey(path, named(kind), given_as, where=self.where))

    # -- whole ------------------------------------------------------------------------

    def made(self, value: Any, kind: Any, path: str) -> Any:
        """What a fitted value makes: of a Config class an object of it, which checks the rest of its rules."""
        kind, _ = bare(kind)
        if self.problems or not is_config_type(kind):
            return value
        try:
            return kind.model_validate(value)
        except Exception as error:  # noqa: BLE001 - a user's validator may raise anything
            self._refused(error, kind, path)
            return value

    def _refused(self, error: Exception, kind: Any, path: str) -> None:
        where = source_of(kind) or self.where
        errors: Any = getattr(error, "errors", None)
        if not callable(errors):
            if not self.references:
                self.problems.append(BadValue(path, hide(f"{type(error).__name__}: {error}"), where=where))
            return
        for each in cast("list[dict[str, Any]]", errors(include_url=False, include_input=False, include_context=False)):
            at = path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in each["loc"])
            if not any(reference.startswith(at) for reference in self.references) or self.reading:
                self.problems.append(BadValue(at, hide(rule(each["msg"])), where=where))


# -- types ------------------------------------------------------------------------


def bare(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without `Annotated`, and what was annotated."""
    if typing.get_origin(kind) is typing.Annotated:
        first, *rest = typing.get_args(kind)
        return first, tuple(rest)
    return kind, ()


def may_be_left_out(kind: Any) -> bool:
    """Whether a setting without a default may be left out: None may stand for it, or anything."""
    kind, _ = bare(kind)
    return kind is None or kind is Any or (typing.get_origin(kind) in UNION and type(None) in typing.get_args(kind))


def misfits(cls: Any, seen: set[Any]) -> Iterator[tuple[Any, str, Any]]:
    """The settings of a class, and of those that it holds, whose defaults do not fit: the class, the name, the field.
    `seen` are the classes that were looked at; it grows."""
    if not is_config_type(cls) or cls in seen:
        return
    seen.add(cls)
    for name, field in cls.model_fields.items():
        if not _is_checked(field, cls) and not (field.default is None or is_model(field.default)):
            fitting = Fitting()
            fitting.fit(loosened(field.default), field.annotation, name)
            if fitting.problems:
                yield cls, name, field
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            yield from misfits(bare(kind)[0], seen)


def _is_checked(field: Any, cls: Any) -> bool:
    """Whether there is no default, or pydantic looks at it, or it becomes another thing when a run begins."""
    checked = cls.model_config.get("validate_default") if field.validate_default is None else field.validate_default
    return field.is_required() or field.default_factory is not None or checked or is_recipe(field.default)


def source_of(kind: Any) -> Source | None:
    """Where a Config class was written."""
    return getattr(kind, "__opgraph_source__", None)


def named(kind: Any) -> str:  # noqa: PLR0911 - one line for each kind of type
    """A type for a person."""
    kind, _ = bare(kind)
    if kind is None or kind is Any:
        return "any value"
    if kind in (list, tuple):
        return "a list"
    if is_dict(kind) or is_list(kind):
        return "a dict" if is_dict(kind) else "a list"
    if kind in _WORDS:
        return _WORDS[kind]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in UNION:
        words = [named(each) for each in args if each is not type(None)]
        return " or ".join([*words, "None"] if type(None) in args else words)
    if origin is typing.Literal:
        return f"one of {', '.join(str(each) for each in args)}"
    if any(each is (origin or kind) for each in _DICTS):  # a user's class may refuse to be compared
        return "a dict"
    if any(each is (origin or kind) for each in _LISTS):
        return _list_of(args[0] if args else None)
    if hasattr(kind, "get_secret_value"):
        return "text"
    if is_class(kind) and issubclass(kind, Enum):
        return f"one of {', '.join(kind.__members__)}"
    return f"a dict of {kind.__name__}'s settings" if is_config_type(kind) else getattr(kind, "__name__", str(kind))


def _list_of(kind: Any) -> str:
    if (word := named(kind)) == "any value":
        return "a list"
    return f"a list of {_SEVERAL[word]}" if word in _SEVERAL else f"a list, each item {word}"


def _is_reference(value: Any) -> bool:
    if not is_tree(value):
        return False
    given = value
    return len(given) == 1 and isinstance(given.get("env"), str)


def _takes_dicts(kind: Any) -> bool:
    """Whether `{"env": …}` may be a value of its own there."""
    if is_dict(kind) or is_config_type(kind):
        return True
    if typing.get_origin(kind) in UNION:
        return any(_takes_dicts(bare(each)[0]) for each in typing.get_args(kind))
    return (typing.get_origin(kind) or kind) in _DICTS


def _tags(member: Any, tag: str) -> tuple[Any, ...]:
    field = member.model_fields[tag]
    return tuple(each.value if isinstance(each, Enum) else each for each in typing.get_args(field.annotation))


# -- text -------------------------------------------------------------------------


def parsed(text: str, kind: Any) -> Any:
    """What a text on the command line or in an environment variable means as a value of a type.

    Raises:
        ValueError: nothing.
    """
    kind, _ = bare(kind)
    if kind is str or (is_class(kind) and (issubclass(kind, Enum) or hasattr(kind, "get_secret_value"))):
        return _as_json(text) if _is_reference(_as_json(text)) else text
    if kind is bool:
        return _truth(text)
    if kind is int or kind is float:
        return kind(text)
    if typing.get_origin(kind) in UNION:
        return _one_of(text, typing.get_args(kind))
    if typing.get_origin(kind) is typing.Literal:
        return next((each for each in typing.get_args(kind) if str(each) == text), text)
    if kind is None or kind is Any:
        return _as_json(text)
    if (
        isinstance(kind, (dict, list))
        or is_config_type(kind)
        or (typing.get_origin(kind) or kind) in (*_DICTS, *_LISTS)
    ):
        return json.loads(text)
    return text


def _truth(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)


def _one_of(text: str, kinds: tuple[Any, ...]) -> Any:
    if type(None) in kinds and text.lower() in ("null", "none"):
        return None
    for kind in sorted((each for each in kinds if each is not type(None)), key=lambda each: each is str):
        try:
            return parsed(text, kind)
        except ValueError:
            continue
    raise ValueError(text)


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
