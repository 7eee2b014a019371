"""`Config`: what the configuration of an op looks like, as a pydantic model. Imported by who uses it, like pydantic."""

import sys
import types
import typing
from collections.abc import Mapping
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pydantic
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    SecretBytes,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core.core_schema import no_info_wrap_validator_function

from opgraph.declare.settings.env import has_reference
from opgraph.declare.settings.run_config import rule
from opgraph.errors import InvalidDefinitionError, Source, listed
from opgraph.keys import near_misses

_NOT_USERS = (str(Path(__file__).parents[2]), str(Path(pydantic.__file__).parent))


def may_be_none(annotation: Any) -> bool:
    """Whether an annotation is a union with None."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType) and type(None) in typing.get_args(
        annotation
    )


def _made_of_text(kind: Any) -> bool:
    """Whether a text or dict may stand for an object of a class, as in data files."""
    return isinstance(kind, type) and issubclass(kind, (Enum, BaseModel, PurePath, SecretStr, SecretBytes))


def _meant(default: Any, kind: Any) -> Any:
    """A member of an enum may be given by its name; pydantic itself makes the others of what stands for them."""
    return kind.__members__.get(default, default) if issubclass(kind, Enum) and isinstance(default, str) else default


def _keys(name: str, field: FieldInfo) -> list[str]:
    """What a field may be given under; first what a value of its own can be given under."""
    said = field.validation_alias
    aliases = said.choices if isinstance(said, AliasChoices) else [] if said is None else [said]
    plain = [each for each in aliases if isinstance(each, str)]
    return [*plain, name, *(str(each.path[0]) for each in aliases if isinstance(each, AliasPath))]


def _written_at() -> Source | None:
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as in errors.py
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_USERS):
        frame = frame.f_back
    return Source(frame.f_code.co_filename, frame.f_lineno) if frame is not None else None


def _let_references_pass(holder: dict[str, Any]) -> None:
    schema = holder["schema"]
    if schema["type"] in ("default", "nullable"):
        _let_references_pass(schema)
    elif schema["type"] != "literal":  # by such a field the members of a union are told apart: it is never a reference
        holder["schema"] = no_info_wrap_validator_function(_unless_reference, schema)


def _unless_reference(value: Any, handler: Any) -> Any:
    return value if has_reference(value) else handler(value)


class BadFields(InvalidDefinitionError):
    """An object of a `Config` or a resource's class was made with fields that do not fit.

    It is the cause of pydantic's ValidationError, which is what user code catches, and comes in its stead where
    definitions are loaded.
    """

    def __init__(self, cls: type[BaseModel], problem: ValidationError, where: Source | None) -> None:
        self.cls = cls
        known = [field.alias or name for name, field in cls.model_fields.items()]
        self.fields: dict[str, str] = {}
        meant: set[str] = set()
        missing: list[str] = []
        for each in problem.errors(include_url=False, include_context=False, include_input=False):
            field = ".".join(str(part) for part in each["loc"])
            if each["type"] == "extra_forbidden":
                near = near_misses(field, known)
                meant.update(near[:1])
                hint = f"; did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
                self.fields[field] = f"it has no such field{hint}"
            elif each["type"] == "missing":
                missing.append(field)
            else:
                said = rule(each["msg"])
                self.fields[field] = said[:1].lower() + said[1:]
        self.fields |= {field: "it is not given and has no default" for field in missing if field not in meant}
        said = [f"`{field}`: {why}" if field else why for field, why in self.fields.items()]
        problems = f" {said[0]}" if len(said) == 1 else "".join(f"\n  - {each}" for each in said)
        super().__init__(
            f"`{cls.__name__}` cannot be made of what it is given:{problems}",
            where=where,
            fix=f"its fields are {listed(known)}" if known else "it has no fields",
        )


class Config(BaseModel):
    """What the configuration of an op, an asset or a config mapping looks like: subclass it, with a field for each
    setting, and annotate the function's parameter `config` with the subclass.

    Fields are those of pydantic: nested `Config`s, unions, enums, `X | None`, defaults, constraints. A field that may
    be None and has no default may be left out. Objects are read only, and unknown keys are mistakes. A field may be
    given an `EnvVar`, which is read when the run begins.

    Raises:
        pydantic.ValidationError: by making one, a value that does not fit.

    Example:
        >>> class Cleaning(Config):
        ...     threshold: float = 0.5
        >>> @op
        ... def clean(config: Cleaning, rows: list[float]) -> list[float]:
        ...     return [row for row in rows if row > config.threshold]
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    __opgraph_source__: ClassVar[Source | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Notes where the class was written, for messages."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.__opgraph_source__ = _written_at()

    if not TYPE_CHECKING:  # type checkers know the parameters of each subclass by its fields

        def __init__(self, /, **fields: Any) -> None:
            """See pydantic; what is wrong is told in our words too, with the line that made the object."""
            try:
                super().__init__(**fields)
            except ValidationError as problem:
                raise problem.with_traceback(None) from BadFields(type(self), problem, _written_at())

        __init__.__pydantic_base_init__ = True  # so that `model_validate` need not call it

    @model_validator(mode="before")
    @classmethod
    def _none_where_left_out(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = cast("Mapping[str, Any]", data)
        left_out: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            keys = _keys(name, field)
            if any(key in given for key in keys):
                continue
            if field.is_required() and may_be_none(field.annotation):
                left_out[keys[0]] = None
            elif _made_of_text(field.annotation) and isinstance(default := cast("object", field.default), (str, dict)):
                left_out[keys[0]] = _meant(cast("object", default), field.annotation)
        return {**given, **left_out} if left_out else given

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Lets every field take a reference to an environment variable too."""
        schema: Any = handler(source)
        inner = schema
        while inner.get("type") != "model-fields" and "schema" in inner:
            inner = inner["schema"]
        for field in inner.get("fields", {}).values():
            _let_references_pass(field)
        return schema


class PermissiveConfig(Config):
    """A `Config` that takes any other keys too; they are attributes like the others.

    Example:
        >>> PermissiveConfig(anything=1).anything
        1
    """

    model_config = ConfigDict(extra="allow")
