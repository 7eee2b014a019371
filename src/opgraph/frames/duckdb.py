"""An I/O manager that keeps each asset in a table of a DuckDB database."""

import os
import random
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow  # noqa: ICN001 - `pa` is the same without types

from opgraph.frames.tables import (
    NothingThere,
    UnfitTable,
    described,
    from_arrow,
    named_types,
    to_arrow,
    types_of,
    wanted,
)
from opgraph.run.store.io_managers import ConfigurableIOManager
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.problems import ValueLostError

pa: Any = pyarrow  # it has no types

_INTERMEDIATES = "opgraph_runs"
_one_at_a_time = threading.Lock()  # DuckDB does not bear that threads open and close one database at once
os.register_at_fork(after_in_child=lambda: globals().update(_one_at_a_time=threading.Lock()))


class DuckDBIOManager(ConfigurableIOManager):
    """Keeps each asset in a table of a DuckDB database: `raw/flights` is the table `flights` of the schema `raw`.

    It takes and gives the same kinds of tables as ParquetIOManager. A materialization replaces the table in one
    transaction, so a value is always whole; the one before is gone, and later runs do not reuse it. DuckDB lets one
    process at a time open a database: the others wait.

    Args:
        database: the path of the database file.
        default_schema: of assets without a prefix.
        wait: seconds to wait for the database while another process has it open.

    Example:
        >>> defs = Definitions(assets=[flights], resources={"io_manager": DuckDBIOManager(database="lake.duckdb")})
    """

    database: str
    default_schema: str = "main"
    wait: float = 60.0

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Replace the table."""
        table, kind = to_arrow(obj, "DuckDBIOManager", context)
        schema, name = self._names(context)
        if reason := _unfit(table.column_names):
            raise UnfitTable("DuckDBIOManager", context, reason)
        with self._opened() as connection:
            connection.register("opgraph_incoming", _plain(table))
            connection.begin()
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
            connection.execute(
                f"CREATE OR REPLACE TABLE {_quoted(schema)}.{_quoted(name)} AS SELECT * FROM opgraph_incoming"  # noqa: S608 - names are quoted
            )
            connection.commit()
        context.location = f"{kind}({types_of(table)}):{schema}.{name}"
        context.add_output_metadata({"table": f"{schema}.{name}", **described(table)})

    def load_input(self, context: InputContext) -> Any:
        """Read the table.

        Raises:
            ValueLostError: it is not there any more.
            NothingThere: no run is known to have made it, and nobody else did.
        """
        made = context.upstream_output
        kind, _, types = (made.location.partition("):")[0] if made is not None else "").partition("(")
        schema, name = self._names(context if context.key is not None or made is None else made)
        table = self._table(schema, name)
        if table is None:
            place = f"{schema}.{name} in {self.database}"
            raise ValueLostError("missing", place) if kind else NothingThere(place)
        return from_arrow(_zoned(table, named_types(table.column_names, types)), wanted(context, kind))

    def _table(self, schema: str, name: str) -> Any:
        # None, and no error, where there is none: one would keep the connection, which DuckDB complains of at the end.
        with self._opened() as connection:
            tables = connection.execute("SELECT lower(table_schema), lower(table_name) FROM information_schema.tables")
            if (schema.lower(), name.lower()) not in tables.fetchall():
                return None
            return _with_durations(connection.sql(f"SELECT * FROM {_quoted(schema)}.{_quoted(name)}"))  # noqa: S608 - names are quoted

    @contextmanager
    def _opened(self) -> Generator[Any]:
        with _one_at_a_time:
            end = time.monotonic() + self.wait  # for another process; threads of this one take their turns
            while True:
                try:
                    connection = duckdb.connect(self.database)
                    break
                except duckdb.IOException as error:
                    if "Could not set lock" not in str(error) or time.monotonic() > end:
                        raise
                    time.sleep(random.uniform(0.002, 0.03))  # noqa: S311 - no secret
            with connection:
                yield connection

    def _names(self, context: OutputContext | InputContext) -> tuple[str, str]:
        if context.key is None:
            return _INTERMEDIATES, ".".join(context.get_identifier())
        *prefix, name = context.key.parts
        return "__".join(prefix) or self.default_schema, name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unfit(names: list[str]) -> str:
    """Why DuckDB would rename columns, or have none."""
    if not all(names):
        return "a column has no name"
    if clash := next((name for i, name in enumerate(names) if name.lower() in map(str.lower, names[:i])), ""):
        return f"DuckDB reads names of columns in any case, and two are `{clash.lower()}`"
    return "" if names else "it has no columns"


def _with_durations(found: Any) -> Any:
    """What was found, as an Arrow table: intervals are durations, which every library can read."""
    names = [name for name, type_ in zip(found.columns, found.types, strict=True) if str(type_) == "INTERVAL"]
    if not names:
        return found.to_arrow_table()
    replaced = ", ".join(f"epoch_us({_quoted(name)}) AS {_quoted(name)}" for name in names)
    table = found.project(f"* REPLACE ({replaced})").to_arrow_table()
    for name in names:
        at = table.column_names.index(name)
        table = table.set_column(at, name, table.column(at).cast(pa.duration("us")))
    return table


def _zoned(table: Any, types: dict[str, Any]) -> Any:
    """The table with its moments in the time zones that were stored, of which DuckDB knows nothing."""
    for at, field in enumerate(table.schema):
        zone = getattr(types.get(field.name), "tz", None)
        if zone and getattr(field.type, "tz", None):
            table = table.set_column(at, field.name, table.column(at).cast(pa.timestamp(field.type.unit, zone)))
    return table


def _plain(table: Any) -> Any:
    """The table without notes of the library that made it, which DuckDB does not keep."""
    return table.replace_schema_metadata(None)
