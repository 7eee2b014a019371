"""Tables of the libraries that people use, to and from Arrow; and what is kept with them as metadata."""

import re
import types
import typing
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, cast

import pyarrow  # noqa: ICN001 - `pa` is the same without types

from opgraph.declare.metadata import MetadataValue
from opgraph.declare.tables import TableColumn, TableColumnConstraints, TableSchema
from opgraph.errors import Error, ValueNotFoundError
from opgraph.values.context import InputContext, OutputContext

pa: Any = pyarrow  # it has no types

# The kinds of tables, by the library and class of the object or annotation.
_KINDS = {
    ("pandas", "DataFrame"): "pandas",
    ("polars", "DataFrame"): "polars",
    ("polars", "LazyFrame"): "lazy",
    ("pyarrow", "Table"): "arrow",
    ("pyarrow", "RecordBatch"): "arrow",
}


class NoTable(Error):
    """A value is no table, and its I/O manager stores tables."""

    def __init__(self, manager: str, value: object, context: OutputContext) -> None:
        self.manager, self.type_name = manager, type(value).__qualname__
        super().__init__(
            f"{manager} stores tables, and {_place(context)} is of type {self.type_name}",
            fix="return a pandas or polars DataFrame, a LazyFrame, a pyarrow Table or a list of dicts, "
            "or give it another I/O manager",
        )


class UnfitTable(Error):
    """A table is one that its I/O manager cannot keep as it is. `__cause__` is what the library said, if it said it."""

    def __init__(self, manager: str, context: OutputContext, reason: str) -> None:
        self.manager, self.reason = manager, reason
        super().__init__(
            f"{manager} cannot store the table of {_place(context)}: {reason}",
            fix="change the columns before it is returned, or give it another I/O manager",
        )


class NothingThere(ValueNotFoundError):
    """No run stored a value, and nobody else put one where the I/O manager looks for it."""

    def __init__(self, location: str) -> None:
        self.location = location
        super().__init__(
            f"there is no {location}, and no run that made this value is recorded",
            fix="put it there, or write the key that it has: the prefix is the folder or schema, the name is the rest",
        )


def _place(context: OutputContext) -> str:
    return f"asset `{context.key.to_user_string()}`" if context.key is not None else f"output `{context.name}`"


def kind_of(cls: Any, stored: str = "") -> str:
    """The kind of table that a class or an annotation is, "rows" for a list of dicts; "" where it is none. Of several
    the one that was stored, else the first."""
    origin = typing.get_origin(cls)
    if origin is typing.Annotated:
        return kind_of(typing.get_args(cls)[0], stored)
    if origin in (typing.Union, types.UnionType):
        kinds = [kind for each in typing.get_args(cls) if (kind := kind_of(each))]
        return stored if stored in kinds else next(iter(kinds), "")
    if origin is list and any(_is_row(each) for each in typing.get_args(cls)):
        return "rows"
    library = getattr(cls, "__module__", "").partition(".")[0]
    return _KINDS.get((library, getattr(cls, "__name__", "")), "")


def _is_row(cls: Any) -> bool:
    kind = typing.get_origin(cls) or cls
    return (isinstance(kind, type) and issubclass(dict, kind) and kind is not object) or typing.is_typeddict(kind)


def wanted(context: InputContext, stored: str) -> str:
    """The kind of table to load: as the input is annotated, else as it was stored, else Arrow."""
    return kind_of(getattr(context.dagster_type, "typing_type", None), stored) or stored or "arrow"


def to_arrow(value: Any, manager: str, context: OutputContext) -> tuple[Any, str]:
    """A value as an Arrow table, and which kind it was.

    Raises:
        NoTable: it is none.
        UnfitTable: Arrow has no type for a column of it, or two columns have one name.
    """
    kind = kind_of(type(value))
    if kind == "lazy":
        value = value.collect()  # what its query raises is the user's
    with fitting(manager, context):
        match kind:
            case "pandas":
                table = pa.Table.from_pandas(value)
            case "polars" | "lazy":
                table = value.to_arrow()
            case "arrow":
                table = value if isinstance(value, pa.Table) else pa.Table.from_batches([value])
            case _:
                if not isinstance(value, list) or not all(isinstance(row, dict) for row in cast("list[Any]", value)):
                    raise NoTable(manager, cast("object", value), context)
                table, kind = rows_to_arrow(cast("list[dict[str, Any]]", value)), "rows"
    names: list[str] = table.column_names
    if (twice := next((name for i, name in enumerate(names) if name in names[:i]), None)) is not None:
        raise UnfitTable(manager, context, f"two columns are `{twice}`")
    return table, kind


def rows_to_arrow(rows: list[dict[str, Any]]) -> Any:
    """Rows as a table with the columns of all of them; where a row has no such key, the value is null."""
    return pa.table(
        {name: [row.get(name) for row in rows] for name in dict.fromkeys(key for row in rows for key in row)}
    )


@contextmanager
def fitting(manager: str, context: OutputContext) -> Generator[None]:
    """What Arrow refuses is the mistake of a table that does not fit.

    Raises:
        UnfitTable: Arrow refused.
    """
    try:
        yield
    except (pa.ArrowException, TypeError, ValueError) as error:
        # Of two sentences of Arrow the second one says where.
        told = str(error) if isinstance(error, UnicodeError) else ": ".join(map(str, reversed(error.args)))
        raise UnfitTable(manager, context, told) from error


def from_arrow(table: Any, kind: str) -> Any:
    """An Arrow table as another kind."""
    match kind:
        case "pandas":
            return table.to_pandas()
        case "polars" | "lazy":
            polars: Any = import_module("polars")  # only who works with it has it
            frame = polars.from_arrow(table)
            return frame.lazy() if kind == "lazy" else frame
        case "rows":
            return table.to_pylist()
        case _:
            return table


def described(table: Any) -> dict[str, Any]:
    """What is kept with a table: its columns and how many rows it has."""
    columns = [
        TableColumn(field.name, str(field.type), constraints=TableColumnConstraints(nullable=field.nullable))
        for field in table.schema
    ]
    return {
        "dagster/column_schema": MetadataValue.table_schema(TableSchema(columns)),
        "dagster/row_count": MetadataValue.int(table.num_rows),
    }


def types_of(table: Any) -> str:
    """The types of a table's columns, as a text."""
    return ";".join(str(field.type) for field in table.schema)


def named_types(names: Sequence[str], types: str) -> dict[str, Any]:
    """The types that `types_of` wrote, by column; of categories that of their values. Without those that text cannot
    be turned into."""
    found = {name: _type_of(each) for name, each in zip(names, types.split(";"), strict=False)}
    return {name: kind for name, kind in found.items() if kind is not None}


_WITH_PARAMETERS = re.compile(
    r"(timestamp)\[(\w+), tz=(.+)\]|(decimal\d+)\((\d+), (-?\d+)\)|dictionary<values=(\w+),.*"
)


def _type_of(text: str) -> Any:
    told = _WITH_PARAMETERS.fullmatch(text)
    if told is None:
        with suppress(ValueError):
            return pa.type_for_alias(text)
        return None
    zoned, unit, zone, decimal, precision, scale, values = told.groups()
    if zoned:
        return pa.timestamp(unit, zone)
    return getattr(pa, decimal)(int(precision), int(scale)) if decimal else _type_of(values)
