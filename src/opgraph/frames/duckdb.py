"""An I/O manager that keeps each asset in a table of a DuckDB database."""

from typing import Any

import duckdb

from opgraph.frames.tables import described, from_arrow, to_arrow, wanted
from opgraph.run.store.io_managers import ConfigurableIOManager
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.problems import ValueLostError

_INTERMEDIATES = "opgraph_runs"


class DuckDBIOManager(ConfigurableIOManager):
    """Keeps each asset in a table of a DuckDB database: `raw/flights` is the table `flights` of the schema `raw`.

    It takes and gives the same kinds of tables as ParquetIOManager. A materialization replaces the table in one
    transaction, so a value is always whole; the one before is gone, and later runs do not reuse it.

    Args:
        database: the path of the database file.
        default_schema: of assets without a prefix.

    Example:
        >>> defs = Definitions(assets=[flights], resources={"io_manager": DuckDBIOManager(database="lake.duckdb")})
    """

    database: str
    default_schema: str = "main"

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Replace the table."""
        table, kind = to_arrow(obj, "DuckDBIOManager", context)
        schema, name = self._names(context)
        with duckdb.connect(self.database) as connection:
            connection.register("opgraph_incoming", _plain(table))
            connection.begin()
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
            connection.execute(
                f"CREATE OR REPLACE TABLE {_quoted(schema)}.{_quoted(name)} AS SELECT * FROM opgraph_incoming"  # noqa: S608 - names are quoted
            )
            connection.commit()
        context.location = f"{kind}:{schema}.{name}"
        context.add_output_metadata({"table": f"{schema}.{name}", **described(table)})

    def load_input(self, context: InputContext) -> Any:
        """Read the table.

        Raises:
            ValueLostError: it is not there.
        """
        made = context.upstream_output
        kind = made.location.partition(":")[0] if made is not None else ""
        schema, name = self._names(context if context.key is not None or made is None else made)
        with duckdb.connect(self.database) as connection:
            try:
                found: Any = connection.sql(f"SELECT * FROM {_quoted(schema)}.{_quoted(name)}")  # noqa: S608 - names are quoted
            except duckdb.CatalogException as error:
                raise ValueLostError("missing", f"{schema}.{name} in {self.database}") from error
            return from_arrow(found.to_arrow_table(), wanted(context, kind))

    def _names(self, context: OutputContext | InputContext) -> tuple[str, str]:
        if context.key is None:
            return _INTERMEDIATES, ".".join(context.get_identifier())
        *prefix, name = context.key.parts
        return "__".join(prefix) or self.default_schema, name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(table: Any) -> Any:
    """The table without notes of the library that made it, which DuckDB does not keep."""
    return table.replace_schema_metadata(None)
