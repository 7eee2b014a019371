"""A stored value as a person can read it."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from pprint import pformat
from typing import Any

from msgspec import Struct, convert

from opgraph.run.store.preview import Preview
from opgraph.show.cli import ink
from opgraph.show.cli.ink import FAINT, PLAIN, STRONG, Line

_ROWS = 20  # of a table
_ITEMS = 100  # of a list, set or dict
_TEXT = 10_000  # characters
_LINES = 12  # of a preview
_WIDE = 300  # characters of a line
_CELL = 30  # characters of a preview's cell


def previewed(seen: Preview) -> list[Line]:
    """What was kept of how a value looks."""
    if seen.kind == "image":
        return [[("  a picture: `opgraph dev` shows it", FAINT)]]
    if seen.kind == "table":
        return _head(seen)
    lines = seen.text.splitlines()
    # Without how much is left out: the text itself may be the beginning of one.
    shown: list[Line] = [[(f"  {line[:_WIDE]}{'…' * (len(line) > _WIDE)}", PLAIN)] for line in lines[:_LINES]]
    return [*shown, [("  …", FAINT)]] if len(lines) > _LINES else shown


class _Column(Struct):
    name: str
    type: str


class _Schema(Struct):
    columns: list[_Column]


_Lineage = dict[str, list[tuple[str, str]]]


class _Table(Struct):
    records: list[dict[str, Any]]
    schema: _Schema


def tabled(kind: str, value: Any) -> Preview | None:
    """A fact that is a table, as `MetadataValue.table`, `table_schema` and `column_lineage` are recorded; None: its
    kind is another one."""
    match kind:
        case "table":
            table = convert(value, _Table)
            names = tuple(column.name for column in table.schema.columns)
            rows = [tuple(str(record.get(name, "")) for name in names) for record in table.records[:_LINES]]
            types = tuple(column.type for column in table.schema.columns)
            shape = len(table.records), len(names)
            return Preview("table", shape=shape, columns=names, types=types, rows=tuple(rows))
        case "table_schema":
            rows = [(column.name, column.type) for column in convert(value, _Schema).columns]
            return Preview("table", shape=(len(rows), 2), columns=("column", "type"), rows=tuple(rows))
        case "column_lineage":
            rows = [
                (column, ", ".join(f"{asset}: {of}" for asset, of in sources))
                for column, sources in convert(value, _Lineage).items()
            ]
            return Preview("table", shape=(len(rows), 2), columns=("column", "made from"), rows=tuple(rows))
        case _:
            return None


def _head(seen: Preview) -> list[Line]:
    def row(cells: Sequence[str], style: str) -> list[Line]:
        return [[], *([(ink.shortened(cell.replace("\n", " "), _CELL), style)] for cell in cells)]

    rows = [row(seen.columns, STRONG), *([row(seen.types, FAINT)] if seen.types else [])]
    rows += [row(cells, PLAIN) for cells in seen.rows]
    lines = [ink.cut(line, ink.width(200)) for line in ink.columns(rows)]
    more = seen.shape[0] - len(seen.rows)
    return [*lines, [(f"  … and {ink.count(more, 'row')} more", FAINT)]] if more > 0 else lines


def readable(value: Any) -> str:
    """The head of a table, the text of a text, else its `repr`, laid out and not too long.

    Args:
        value: anything. A table is what has `head` and `shape` (polars, pandas), or `slice` and `num_rows` (arrow).
    """
    try:
        return ink.shortened(_text(value), _TEXT)
    except Exception as problem:  # noqa: BLE001 - a user's repr may do anything
        return f"<{type(value).__name__}: its repr failed with {type(problem).__name__}: {problem}>"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)  # pyright: ignore[reportUnknownArgumentType] - a memoryview of anything
        return f"{data[:200]!r}" + (f"… ({ink.size(len(data))})" if len(data) > 200 else "")
    if isinstance(value, Path):
        return f"{value} ({ink.size(value.stat().st_size)})" if value.is_file() else str(value)
    if _is_table(value):
        return _table(value)
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return _items(value)  # pyright: ignore[reportUnknownArgumentType] - of anything
    return repr(value)


def _is_table(value: Any) -> bool:
    return not isinstance(value, type) and (
        (hasattr(value, "head") and hasattr(value, "shape")) or (hasattr(value, "slice") and hasattr(value, "num_rows"))
    )


def _table(value: Any) -> str:
    if not hasattr(value, "head"):
        return f"{value.slice(0, _ROWS)}\n{value.num_rows:,} rows"
    shape: list[int] = list(value.shape)
    head = value.head(_ROWS)
    if hasattr(head, "to_string"):  # pandas; a series has no columns
        text = head.to_string(max_cols=20) if hasattr(head, "columns") else head.to_string()
    else:
        text = _all_rows(head)
    shown = f" (the first {_ROWS})" if shape[0] > _ROWS else ""
    columns = f" by {shape[1]:,} columns" if len(shape) > 1 else ""
    return f"{text}\n{shape[0]:,} rows{shown}{columns}"


def _all_rows(head: Any) -> str:
    """A polars frame without the dots in the middle and without its own line of the shape."""
    module = sys.modules.get(type(head).__module__.split(".")[0])
    config = getattr(module, "Config", None)
    if config is None:
        return str(head)
    width = shutil.get_terminal_size((120, 24)).columns
    with config(
        tbl_rows=_ROWS,
        tbl_cols=max(width // 14, 4),
        tbl_width_chars=width,
        fmt_str_lengths=32,
        tbl_hide_dataframe_shape=True,
    ):
        return str(head)


def _items(value: Sequence[Any] | Mapping[Any, Any] | set[Any] | frozenset[Any]) -> str:
    extra = len(value) - _ITEMS
    if extra > 0:
        shown: Any = dict(islice(value.items(), _ITEMS)) if isinstance(value, Mapping) else list(islice(value, _ITEMS))
        return f"{pformat(shown, width=100, sort_dicts=False)}\n… and {extra:,} more"
    return pformat(value, width=100, sort_dicts=False)
