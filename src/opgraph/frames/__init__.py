"""I/O managers for tables: Parquet, CSV and JSON files in a folder or at a URL, and DuckDB tables.

They need `pip install 'opgraph[frames]'`; URLs such as `s3://bucket/prefix` need `opgraph[cloud]` too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opgraph.frames.duckdb import DuckDBIOManager
    from opgraph.frames.files import CSVIOManager, JSONIOManager, ParquetIOManager

__all__ = ["CSVIOManager", "DuckDBIOManager", "JSONIOManager", "ParquetIOManager"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'opgraph.frames' has no attribute {name!r}")
    return getattr(
        import_module("opgraph.frames.duckdb" if name == "DuckDBIOManager" else "opgraph.frames.files"), name
    )
