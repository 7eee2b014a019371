"""Facts about values, of known kinds: numbers, text, links, tables. A raw Python value stands for its kind."""

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from opgraph.declare.frozen import Compared
from opgraph.errors import InvalidDefinitionError, NotYetSupportedError
from opgraph.events import Meta, Metadata
from opgraph.keys import AssetKey


class InvalidMetadataError(InvalidDefinitionError):
    """A metadata value of no known kind."""

    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(
            f"metadata cannot be a {type(value).__name__}",
            fix="give text, a number, a bool, a path, a date and time, an AssetKey, JSON-like lists and dicts, "
            "or a MetadataValue",
        )


class MetadataValue(Compared):
    """A fact of a known kind, which says how it is shown.

    Example:
        >>> MetadataValue.md("**42** rows").value
        '**42** rows'
    """

    __slots__ = ("kind", "value")

    kind: str  # text | url | path | notebook | json | md | float | int | bool | timestamp | run | asset | job | null
    value: Any  # JSON-like

    def __init__(self, kind: str, value: Any) -> None:
        self.settle(kind=kind, value=value)

    @staticmethod
    def text(text: str) -> "MetadataValue":
        """Plain text."""
        return MetadataValue("text", str(text))

    @staticmethod
    def url(url: str) -> "MetadataValue":
        """An address, shown as a link."""
        return MetadataValue("url", str(url))

    @staticmethod
    def path(path: "str | os.PathLike[str]") -> "MetadataValue":
        """A path of a file."""
        return MetadataValue("path", os.fspath(path))

    @staticmethod
    def notebook(path: "str | os.PathLike[str]") -> "MetadataValue":
        """The path of a notebook."""
        return MetadataValue("notebook", os.fspath(path))

    @staticmethod
    def json(data: Any) -> "MetadataValue":
        """Lists and dicts of plain values.

        Raises:
            InvalidMetadataError: something in it is not JSON-like.
        """
        return MetadataValue("json", _plain(data))

    @staticmethod
    def md(data: str) -> "MetadataValue":
        """Markdown."""
        return MetadataValue("md", str(data))

    @staticmethod
    def float(value: float) -> "MetadataValue":
        """A number."""
        return MetadataValue("float", _to_float(value))

    @staticmethod
    def int(value: int) -> "MetadataValue":
        """A whole number."""
        return MetadataValue("int", _to_int(value))

    @staticmethod
    def bool(value: bool) -> "MetadataValue":
        """True or False."""
        return MetadataValue("bool", _to_bool(value))

    @staticmethod
    def timestamp(value: "float | dt.datetime") -> "MetadataValue":
        """A moment: a date and time with a time zone, or seconds since 1970 (UTC).

        Raises:
            ValueError: a date and time without a time zone.
        """
        if isinstance(value, dt.datetime):
            if value.tzinfo is None:
                raise ValueError("a date and time in metadata needs a time zone: datetime.now(timezone.utc)")
            return MetadataValue("timestamp", value.timestamp())
        return MetadataValue("timestamp", _to_float(value))

    @staticmethod
    def dagster_run(run_id: str) -> "MetadataValue":
        """A run."""
        return MetadataValue("run", run_id)

    @staticmethod
    def asset(asset_key: AssetKey) -> "MetadataValue":
        """An asset."""
        return MetadataValue("asset", AssetKey.from_coercible(asset_key).text)

    @staticmethod
    def job(job_name: str) -> "MetadataValue":
        """A job."""
        return MetadataValue("job", job_name)

    @staticmethod
    def null() -> "MetadataValue":
        """Nothing."""
        return MetadataValue("null", None)

    @staticmethod
    def table(records: Sequence[Any], schema: Any = None) -> NoReturn:  # noqa: ARG004
        """Not supported yet."""
        raise NotYetSupportedError("MetadataValue.table")

    @staticmethod
    def table_schema(schema: Any) -> NoReturn:  # noqa: ARG004
        """Not supported yet."""
        raise NotYetSupportedError("MetadataValue.table_schema")

    @staticmethod
    def column_lineage(lineage: Any) -> NoReturn:  # noqa: ARG004
        """Not supported yet."""
        raise NotYetSupportedError("MetadataValue.column_lineage")

    @staticmethod
    def of(value: Any) -> "MetadataValue":
        """The fact that a raw Python value stands for.

        Raises:
            InvalidMetadataError: it stands for none.
        """
        return _of(value)


def _to_float(value: Any) -> float:
    return float(value)


def _to_bool(value: Any) -> bool:
    return bool(value)


def _to_int(value: Any) -> int:
    return int(value)


def _of(value: Any) -> MetadataValue:  # noqa: PLR0911 - one line a kind
    match value:
        case MetadataValue():
            return value
        case None:
            return MetadataValue.null()
        case bool():
            return MetadataValue("bool", value)
        case str():
            return MetadataValue("text", str(value))
        case int():
            return MetadataValue("int", int(value))
        case float():
            return MetadataValue("float", float(value))
        case dt.datetime():
            return MetadataValue.timestamp(value)
        case AssetKey():
            return MetadataValue.asset(value)
        case os.PathLike():
            return MetadataValue("path", str(os.fspath(value)))  # pyright: ignore[reportUnknownArgumentType]
        case dict() | list() | tuple():
            return MetadataValue("json", _plain(value))
        case _:
            return _number(value)


def _number(value: Any) -> MetadataValue:
    """The numbers of array libraries are no int and no float, and say what they are by `item()`."""
    item = getattr(value, "item", None)
    plain = item() if callable(item) and getattr(value, "ndim", 0) == 0 else value
    if isinstance(plain, (bool, int, float, str)):
        return _of(plain)
    raise InvalidMetadataError(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return _number(value).value


def to_wire(value: Any) -> Meta:
    """A metadata value, raw or not, as facts keep it.

    Raises:
        InvalidMetadataError: it is of no known kind.
    """
    fact = _of(value)
    return Meta(fact.kind, fact.value)


def from_wire(meta: Meta) -> MetadataValue:
    """The metadata value that `to_wire` wrote."""
    return MetadataValue(meta.kind, meta.value)


def all_to_wire(metadata: Mapping[str, Any] | None) -> Metadata:
    """Metadata as facts keep it.

    Raises:
        InvalidMetadataError: a value of no known kind; a note says under which key.
    """
    wired: Metadata = {}
    for key, value in (metadata or {}).items():
        try:
            wired[str(key)] = to_wire(value)
        except InvalidMetadataError as error:
            error.add_note(f"under the key {key!r}")
            raise
    return wired
