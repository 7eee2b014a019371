"""I/O managers that write a file a value: Parquet, CSV and JSON. Files are never overwritten."""

import io
import json
from collections.abc import Callable
from csv import reader
from typing import Any, ClassVar, cast

import pyarrow  # noqa: ICN001 - `pa` is the same without types
import pyarrow.csv
import pyarrow.parquet
from pydantic import Field, PrivateAttr

from opgraph.frames.places import Place, found
from opgraph.frames.tables import (
    described,
    fitting,
    from_arrow,
    kind_of,
    named_types,
    rows_to_arrow,
    to_arrow,
    types_of,
    wanted,
)
from opgraph.run.store.io_managers import ConfigurableIOManager
from opgraph.values.codec import checksum
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.problems import UnloadableValueError, UnstorableValueError

# They have no types.
pa: Any = pyarrow
csv: Any = pyarrow.csv
parquet: Any = pyarrow.parquet


class ParquetIOManager(ConfigurableIOManager):
    """Stores tables as Parquet files: of pandas, polars (eager and lazy), pyarrow, and lists of dicts.

    A table is loaded as the kind that the input's annotation names, else as the kind that was stored. Each
    materialization is a file of its own, `base_path/prefix/name/….parquet`; the record knows which one is current. The
    columns and the number of rows are kept as metadata.

    Args:
        base_path: a folder, or a URL such as `s3://bucket/prefix`.
        storage_options: for URLs: what fsspec takes for the scheme, such as credentials.
        compression: of the files.

    Example:
        >>> defs = Definitions(assets=[flights], resources={"io_manager": ParquetIOManager(base_path="data")})
    """

    versioned: ClassVar[bool] = True

    base_path: str
    storage_options: dict[str, Any] = Field(default_factory=dict)
    compression: str = "zstd"
    _place: Place | None = PrivateAttr(default=None)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Write the table to a new file."""
        table, kind = to_arrow(obj, "ParquetIOManager", context)

        def write(file: Any) -> None:
            parquet.write_table(table, file, compression=self.compression)

        _store(self._at(), context, ".parquet", kind, _bytes_of(write), table)

    def load_input(self, context: InputContext) -> Any:
        """Read the file that the record names, and verify it."""
        kind, data = _read(self._at(), context, ".parquet")
        return from_arrow(parquet.read_table(pa.BufferReader(data)), wanted(context, kind))

    def _at(self) -> Place:
        if self._place is None:
            self._place = Place(self.base_path, self.storage_options)
        return self._place


class CSVIOManager(ConfigurableIOManager):
    """Stores tables as CSV files; otherwise like ParquetIOManager.

    The types of columns are recorded beside the value, so `007` stays a text; categories come back as texts. Of a file
    that somebody else wrote they are guessed.

    Args:
        base_path: a folder, or a URL such as `s3://bucket/prefix`.
        storage_options: for URLs: what fsspec takes for the scheme, such as credentials.
        delimiter: between the columns.

    Example:
        >>> defs = Definitions(assets=[flights], resources={"io_manager": CSVIOManager(base_path="data")})
    """

    versioned: ClassVar[bool] = True

    base_path: str
    storage_options: dict[str, Any] = Field(default_factory=dict)
    delimiter: str = ","
    _place: Place | None = PrivateAttr(default=None)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Write the table to a new file."""
        table, kind = to_arrow(obj, "CSVIOManager", context)

        def write(file: Any) -> None:
            csv.write_csv(table, file, csv.WriteOptions(delimiter=self.delimiter))

        with fitting("CSVIOManager", context):
            data = _bytes_of(write)
        _store(self._at(), context, ".csv", f"{kind}({types_of(table)})", data, table)

    def load_input(self, context: InputContext) -> Any:
        """Read the file that the record names, and verify it."""
        told, data = _read(self._at(), context, ".csv")
        kind, _, types = told.removesuffix(")").partition("(")
        if not data.strip():
            return from_arrow(pa.table({}), wanted(context, kind))
        # In a file of ours an empty line is a null, where there is one column.
        parsing = csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True, ignore_empty_lines=not kind)
        converting: Any = None
        if kind:  # a null is nothing at all, and an empty text is quoted; others have many words for null
            names = next(reader(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""), delimiter=self.delimiter))
            nulls: Any = {"null_values": [""], "strings_can_be_null": True, "quoted_strings_can_be_null": False}
            converting = csv.ConvertOptions(**nulls, column_types=named_types(names, types))
        return from_arrow(csv.read_csv(pa.BufferReader(data), None, parsing, converting), wanted(context, kind))

    def _at(self) -> Place:
        if self._place is None:
            self._place = Place(self.base_path, self.storage_options)
        return self._place


class JSONIOManager(ConfigurableIOManager):
    """Stores plain values as JSON files: dicts, lists, text, numbers; and tables as lists of rows. Otherwise like
    ParquetIOManager.

    Args:
        base_path: a folder, or a URL such as `s3://bucket/prefix`.
        storage_options: for URLs: what fsspec takes for the scheme, such as credentials.
        indent: spaces a level; None: all in one line.

    Example:
        >>> defs = Definitions(assets=[report], resources={"io_manager": JSONIOManager(base_path="data")})
    """

    versioned: ClassVar[bool] = True

    base_path: str
    storage_options: dict[str, Any] = Field(default_factory=dict)
    indent: int | None = None
    _place: Place | None = PrivateAttr(default=None)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Write the value to a new file."""
        kind, table, value = "json", cast("Any", None), obj
        if kind_of(type(obj)):
            table, kind = to_arrow(obj, "JSONIOManager", context)
            value = table.to_pylist()
        elif _are_rows(obj):
            table = _table_of(obj)
        try:
            plain = _plain if table is not None else None
            written = json.dumps(value, indent=self.indent, ensure_ascii=False, default=plain).encode()
        except (TypeError, ValueError) as error:
            raise UnstorableValueError(
                type(obj).__qualname__, output=context.name, step_key=context.step_key, reason=str(error), writer="JSON"
            ) from error
        _store(self._at(), context, ".json", kind, written, table)

    def load_input(self, context: InputContext) -> Any:
        """Read the file that the record names, and verify it."""
        kind, data = _read(self._at(), context, ".json")
        try:
            value = json.loads(data)
        except ValueError as error:
            raise UnloadableValueError("value", context.name if context.has_input_name else "", str(error)) from error
        kind = kind_of(getattr(context.dagster_type, "typing_type", None), kind) or kind
        return value if kind in ("", "json") else from_arrow(rows_to_arrow(value), kind)

    def _at(self) -> Place:
        if self._place is None:
            self._place = Place(self.base_path, self.storage_options)
        return self._place


def _are_rows(value: Any) -> bool:
    rows = cast("list[Any]", value) if isinstance(value, list) else []
    return bool(rows) and all(isinstance(row, dict) for row in rows)


def _table_of(rows: Any) -> Any:
    """Rows as a table, for its columns; None where the rows have values of different types in one column."""
    try:
        return rows_to_arrow(rows)
    except (pa.ArrowException, TypeError, ValueError):
        return None


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _bytes_of(write: Callable[[Any], None]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _store(place: Place, context: OutputContext, extension: str, kind: str, data: bytes, table: Any) -> None:
    location = place.location_for(context, extension)
    place.write(location, data)
    context.location = f"{kind}:{location}"
    context.size, context.checksum = len(data), checksum(data)
    context.add_output_metadata({"path": place.url(location), **(described(table) if table is not None else {})})


def _read(place: Place, context: InputContext, extension: str) -> tuple[str, bytes]:
    kind, location, digest, size = found(context, extension)
    return kind, place.read(location, digest, size)
