"""`Config`: what the configuration of an op looks like, as a pydantic model. Imported by who uses it, like pydantic."""

import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import pydantic
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, model_validator
from pydantic_core.core_schema import no_info_wrap_validator_function

from opgraph.declare.env import has_reference
from opgraph.errors import Source

_NOT_USERS = (str(Path(__file__).parents[1]), str(Path(pydantic.__file__).parent))


def may_be_none(annotation: Any) -> bool:
    """Whether an annotation is a union with None."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType) and type(None) in typing.get_args(
        annotation
    )


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

    @model_validator(mode="before")
    @classmethod
    def _none_where_left_out(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = cast("Mapping[str, Any]", data)
        left_out = {
            field.alias or name: None
            for name, field in cls.model_fields.items()
            if field.is_required() and name not in given and field.alias not in given and may_be_none(field.annotation)
        }
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
