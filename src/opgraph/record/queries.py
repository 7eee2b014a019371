"""The statements of a dialect, read from its .sql files."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(dialect: str) -> dict[str, str]:
    """Each statement of `queries.sql` by its name."""
    parts = _NAME.split(_folder(dialect).joinpath("queries.sql").read_text("utf-8"))
    return {name: _bare(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def migrations(dialect: str) -> list[str]:
    """The steps from an empty database to today's, in order: the first makes schema version 1."""
    scripts = sorted(entry.name for entry in _folder(dialect).iterdir() if re.match(r"\d{3}_", entry.name))
    return [_folder(dialect).joinpath(name).read_text("utf-8") for name in scripts]


def _folder(dialect: str):  # noqa: ANN202
    return files("opgraph.record").joinpath("sql", dialect)


def _bare(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
