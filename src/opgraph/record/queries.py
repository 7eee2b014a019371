"""The statements of a dialect, read from its .sql files."""

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"  # `importlib.resources` would find it too, and costs 8 ms to import
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(dialect: str) -> dict[str, str]:
    """Each statement of `queries.sql` by its name."""
    parts = _NAME.split((_FOLDER / dialect / "queries.sql").read_text("utf-8"))
    return {name: _bare(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def migrations(dialect: str) -> list[str]:
    """The steps from an empty database to today's, in order: the first makes schema version 1."""
    scripts = sorted((_FOLDER / dialect).glob("[0-9][0-9][0-9]_*.sql"))
    return [script.read_text("utf-8") for script in scripts]


def _bare(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
