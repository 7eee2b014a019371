"""Facts about values, of known kinds: numbers, text, links, tables. A raw Python value stands for its kind."""

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from typing import Any

from opgraph.declare.frozen import Compared, made
from opgraph.declare.settings.secrets import hidden
from opgraph.declare.tables import (
    TableColumnLineage,
    TableRecord,
    TableSchema,
    inferred,
    lineage_from_json,
    lineage_to_json,
    schema_from_json,
    schema_to_json,
)
from opgraph.errors import InvalidDefinitionError, Mistake
from opgraph.events import Meta, Metadata
from opgraph.keys import AssetKey, CoercibleToAssetKey


class InvalidMetadataError(Mistake, InvalidDefinitionError):
    """A metadata value of no known kind."""

    value: object
    says = "metadata cannot be of type {value:type}"
    mend = (
        "give text, a number, a bool, a path, a date and time, an AssetKey, JSON-like lists and dicts, or a "
        "MetadataValue"
    )
    at_caller = True


class MetadataValue(Compared):
    """A fact of a known kind, which says how it is shown.

    Example:
        >>> MetadataValue.md("**42** rows").value
        '**42** rows'
    """

    __slots__ = ("kind", "value")

    kind: str  # a key of `_CLASSES`
    value: Any

    def __repr__(self) -> str:
        made: Any = type(self).__init__
        code = getattr(made, "__wrapped__", made).__code__  # of a public class it is wrapped
        told = (f"{name}={getattr(self, name)!r}" for name in code.co_varnames[1 : code.co_argcount])
        return f"{type(self).__name__}({', '.join(told)})"

    @staticmethod
    def text(text: str) -> "TextMetadataValue":
        """Plain text."""
        return TextMetadataValue(text)

    @staticmethod
    def url(url: str) -> "UrlMetadataValue":
        """An address, shown as a link."""
        return UrlMetadataValue(url)

    @staticmethod
    def path(path: "str | os.PathLike[str]") -> "PathMetadataValue":
        """A path of a file."""
        return PathMetadataValue(path)

    @staticmethod
    def notebook(path: "str | os.PathLike[str]") -> "NotebookMetadataValue":
        """The path of a notebook."""
        return NotebookMetadataValue(path)

    @staticmethod
    def json(data: Any) -> "JsonMetadataValue":
        """Lists and dicts of plain values.

        Raises:
            InvalidMetadataError: something in it is not JSON-like.
        """
        return JsonMetadataValue(data)

    @staticmethod
    def md(data: str) -> "MarkdownMetadataValue":
        """Markdown."""
        return MarkdownMetadataValue(data)

    @staticmethod
    def float(value: float) -> "FloatMetadataValue":
        """A number."""
        return FloatMetadataValue(value)

    @staticmethod
    def int(value: int) -> "IntMetadataValue":
        """A whole number."""
        return IntMetadataValue(value)

    @staticmethod
    def bool(value: bool) -> "BoolMetadataValue":
        """True or False."""
        return BoolMetadataValue(value)

    @staticmethod
    def timestamp(value: "float | dt.datetime") -> "TimestampMetadataValue":
        """A moment: a date and time with a time zone, or seconds since 1970 (UTC).

        Raises:
            ValueError: a date and time without a time zone.
        """
        return TimestampMetadataValue(value)

    @staticmethod
    def dagster_run(run_id: str) -> "DagsterRunMetadataValue":
        """A run."""
        return DagsterRunMetadataValue(run_id)

    @staticmethod
    def asset(asset_key: AssetKey) -> "DagsterAssetMetadataValue":
        """An asset."""
        return DagsterAssetMetadataValue(asset_key)

    @staticmethod
    def job(job_name: str, location_name: str | None = None) -> "DagsterJobMetadataValue":  # noqa: ARG004 - one place
        """A job. Where it is defined is not kept: a project is one place."""
        return DagsterJobMetadataValue(job_name)

    @staticmethod
    def null() -> "NullMetadataValue":
        """Nothing."""
        return NullMetadataValue()

    @staticmethod
    def table(records: Sequence[TableRecord], schema: TableSchema | None = None) -> "TableMetadataValue":
        """Some rows of a table; without a schema, what the first row shows."""
        return TableMetadataValue(records, schema)

    @staticmethod
    def table_schema(schema: TableSchema) -> "TableSchemaMetadataValue":
        """The columns of a table."""
        return TableSchemaMetadataValue(schema)

    @staticmethod
    def column_lineage(lineage: TableColumnLineage) -> "TableColumnLineageMetadataValue":
        """For each column those that it is made from."""
        return TableColumnLineageMetadataValue(lineage)

    @staticmethod
    def of(value: Any) -> "MetadataValue":
        """The fact that a raw Python value stands for.

        Raises:
            InvalidMetadataError: it stands for none.
        """
        return _of(value)


class TextMetadataValue(MetadataValue):
    """Plain text."""

    __slots__ = ()

    def __init__(self, text: str | None) -> None:
        self.settle(kind="text", value=str(text or ""))

    @property
    def text(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - the value, where the class has a maker
        """The text."""
        return self.value


class UrlMetadataValue(MetadataValue):
    """An address, shown as a link."""

    __slots__ = ()

    def __init__(self, url: str | None) -> None:
        self.settle(kind="url", value=str(url or ""))

    @property
    def url(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - the value, where the class has a maker
        """The address."""
        return self.value


class PathMetadataValue(MetadataValue):
    """A path of a file."""

    __slots__ = ()

    def __init__(self, fspath: str | os.PathLike[str] | None) -> None:
        self.settle(kind="path", value=os.fspath(fspath or ""))

    @property
    def fspath(self) -> str:
        """The path."""
        return self.value

    @property
    def path(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - the value, where the class has a maker
        """The path."""
        return self.value


class NotebookMetadataValue(MetadataValue):
    """The path of a notebook."""

    __slots__ = ()

    def __init__(self, fspath: str | os.PathLike[str] | None) -> None:
        self.settle(kind="notebook", value=os.fspath(fspath or ""))

    @property
    def fspath(self) -> str:
        """The path."""
        return self.value


class JsonMetadataValue(MetadataValue):
    """Lists and dicts of plain values."""

    __slots__ = ()

    def __init__(self, data: Any) -> None:
        self.settle(kind="json", value=_plain(data))

    @property
    def data(self) -> Any:
        """The lists and dicts."""
        return self.value


class MarkdownMetadataValue(MetadataValue):
    """Markdown."""

    __slots__ = ()

    def __init__(self, md_str: str | None) -> None:
        self.settle(kind="md", value=str(md_str or ""))

    @property
    def md_str(self) -> str:
        """The text."""
        return self.value


class FloatMetadataValue(MetadataValue):
    """A number."""

    __slots__ = ()

    def __init__(self, value: float | None) -> None:
        self.settle(kind="float", value=None if value is None else float(value))


class IntMetadataValue(MetadataValue):
    """A whole number."""

    __slots__ = ()

    def __init__(self, value: int | None) -> None:
        self.settle(kind="int", value=None if value is None else int(value))


class BoolMetadataValue(MetadataValue):
    """True or False."""

    __slots__ = ()

    def __init__(self, value: bool | None) -> None:
        self.settle(kind="bool", value=None if value is None else bool(value))


class TimestampMetadataValue(MetadataValue):
    """A moment, in seconds since 1970 (UTC)."""

    __slots__ = ()

    def __init__(self, value: "float | dt.datetime") -> None:
        if isinstance(value, dt.datetime):
            if value.tzinfo is None:
                raise ValueError("a date and time in metadata needs a time zone: datetime.now(timezone.utc)")
            value = value.timestamp()
        self.settle(kind="timestamp", value=float(value))


class DagsterRunMetadataValue(MetadataValue):
    """A run."""

    __slots__ = ()

    def __init__(self, run_id: str) -> None:
        self.settle(kind="run", value=run_id)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.value


class DagsterAssetMetadataValue(MetadataValue):
    """An asset."""

    __slots__ = ()

    def __init__(self, asset_key: CoercibleToAssetKey) -> None:
        self.settle(kind="asset", value=AssetKey.from_coercible(asset_key))

    @property
    def asset_key(self) -> AssetKey:
        """The asset's key."""
        return self.value


class DagsterJobMetadataValue(MetadataValue):
    """A job."""

    __slots__ = ()

    def __init__(self, job_name: str) -> None:
        self.settle(kind="job", value=job_name)

    @property
    def job_name(self) -> str:
        """The job's name."""
        return self.value


class NullMetadataValue(MetadataValue):
    """Nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        self.settle(kind="null", value=None)


class TableMetadataValue(MetadataValue):
    """Some rows of a table, and its columns."""

    __slots__ = ()

    def __init__(self, records: Sequence[TableRecord], schema: TableSchema | None = None) -> None:
        self.settle(kind="table", value=(list(records), schema or inferred(records)))

    @property
    def records(self) -> Sequence[TableRecord]:
        """The rows."""
        return self.value[0]

    @property
    def schema(self) -> TableSchema:
        """The columns."""
        return self.value[1]


class TableSchemaMetadataValue(MetadataValue):
    """The columns of a table."""

    __slots__ = ()

    def __init__(self, schema: TableSchema) -> None:
        self.settle(kind="table_schema", value=schema)

    @property
    def schema(self) -> TableSchema:
        """The columns."""
        return self.value


class TableColumnLineageMetadataValue(MetadataValue):
    """For each column of a table those that it is made from."""

    __slots__ = ()

    def __init__(self, column_lineage: TableColumnLineage) -> None:
        self.settle(kind="column_lineage", value=column_lineage)

    @property
    def column_lineage(self) -> TableColumnLineage:  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        """The columns by column."""
        return self.value


_CLASSES: Mapping[str, type[MetadataValue]] = {
    "text": TextMetadataValue,
    "url": UrlMetadataValue,
    "path": PathMetadataValue,
    "notebook": NotebookMetadataValue,
    "json": JsonMetadataValue,
    "md": MarkdownMetadataValue,
    "float": FloatMetadataValue,
    "int": IntMetadataValue,
    "bool": BoolMetadataValue,
    "timestamp": TimestampMetadataValue,
    "run": DagsterRunMetadataValue,
    "asset": DagsterAssetMetadataValue,
    "job": DagsterJobMetadataValue,
    "null": NullMetadataValue,
    "table": TableMetadataValue,
    "table_schema": TableSchemaMetadataValue,
    "column_lineage": TableColumnLineageMetadataValue,
}


def _of(value: Any) -> MetadataValue:  # noqa: PLR0911 - one line a kind
    match value:
        case MetadataValue():
            return value
        case None:
            return MetadataValue.null()
        case bool():
            return BoolMetadataValue(value)
        case str():
            return TextMetadataValue(value)
        case int():
            return IntMetadataValue(value)
        case float():
            return FloatMetadataValue(value)
        case dt.datetime():
            return MetadataValue.timestamp(value)
        case AssetKey():
            return MetadataValue.asset(value)
        case TableSchema():
            return TableSchemaMetadataValue(value)
        case TableColumnLineage():
            return TableColumnLineageMetadataValue(value)
        case os.PathLike():
            return PathMetadataValue(str(os.fspath(value)))  # pyright: ignore[reportUnknownArgumentType]
        case dict() | list() | tuple():
            return JsonMetadataValue(value)
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


_MOST = 32_000  # bytes of the metadata of one value
_CUT = 1_000  # characters that are left of a text that makes it more


def facts(metadata: Mapping[str, Any] | None) -> dict[str, MetadataValue]:
    """Metadata whose raw values became the facts that they stand for.

    Raises:
        InvalidMetadataError: a value of no known kind; a note says under which key.
    """
    told: dict[str, MetadataValue] = {}
    for key, value in dict(metadata or {}).items():
        try:
            told[str(key)] = _of(value)
        except InvalidMetadataError as error:
            error.add_note(f"under the key {key!r}")
            raise
    return told


def to_wire(value: Any) -> Meta:
    """A metadata value, raw or not, as facts keep it.

    Raises:
        InvalidMetadataError: it is of no known kind.
    """
    fact = _of(value)
    match fact:
        case TableMetadataValue():
            rows = [dict(record.data) for record in fact.records]
            return Meta(fact.kind, {"records": rows, "schema": schema_to_json(fact.schema)})
        case TableSchemaMetadataValue():
            return Meta(fact.kind, schema_to_json(fact.schema))
        case TableColumnLineageMetadataValue():
            return Meta(fact.kind, lineage_to_json(fact.value))
        case DagsterAssetMetadataValue():
            return Meta(fact.kind, fact.value.text)
        case _:
            return Meta(fact.kind, fact.value)


def from_wire(meta: Meta) -> MetadataValue:
    """The metadata value that `to_wire` wrote."""
    value: Any = meta.value
    if meta.kind == "table":
        value = ([TableRecord(row) for row in value["records"]], schema_from_json(value["schema"]))
    elif meta.kind == "table_schema":
        value = schema_from_json(value)
    elif meta.kind == "column_lineage":
        value = lineage_from_json(value)
    elif meta.kind == "asset":
        value = AssetKey(value)
    return made(_CLASSES[meta.kind], kind=meta.kind, value=value)


def all_from_wire(metadata: Metadata) -> dict[str, MetadataValue]:
    """The metadata values that `all_to_wire` wrote, by name."""
    return {name: from_wire(meta) for name, meta in metadata.items()}


def all_to_wire(metadata: Mapping[str, Any] | None) -> Metadata:
    """Metadata as facts keep it.

    Raises:
        InvalidMetadataError: a value of no known kind; a note says under which key.
    """
    wired: Metadata = {}
    for key, fact in facts(metadata).items():
        meta = to_wire(fact)
        wired[key] = Meta(meta.kind, hidden(meta.value))
    return _bounded(wired)


def _bounded(wired: Metadata) -> Metadata:
    """The same, cut where it is too much for an event: the largest values first."""
    sizes = {key: _size(meta) for key, meta in wired.items()}
    for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if sum(sizes.values()) <= _MOST:
            break
        meta, told = wired[key], f"… ({sizes[key]:,} bytes; metadata has at most {_MOST:,})"
        text = meta.value[:_CUT] if isinstance(meta.value, str) else ""
        wired[key] = Meta(meta.kind if text else "text", text + told)
        sizes[key] = _size(wired[key])
    return wired


def _size(meta: Meta) -> int:
    return len(repr(meta.value).encode(errors="replace"))
