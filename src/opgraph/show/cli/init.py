"""`opgraph init`: a new project in an empty directory, which runs at once."""

import os
import re
from pathlib import Path

import click

from opgraph.errors import Error
from opgraph.show.cli import ink
from opgraph.show.cli.ink import FAINT, GOOD, PLAIN, STRONG

_FILES = {
    "pyproject.toml": """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["opgraph"]

[tool.opgraph]
file = "definitions.py"
""",
    "definitions.py": '''\
"""What this project makes. `opgraph list` shows it, `opgraph materialize` makes it."""

from opgraph import Definitions, asset, graph_asset, op


@asset
def orders() -> list[dict]:
    """Where the data comes from: replace this with a file, a table or a request."""
    return [
        {"customer": "ada", "amount": 30},
        {"customer": "ben", "amount": None},
        {"customer": "ada", "amount": 12},
        {"customer": "cyd", "amount": 25},
    ]


@op
def drop_incomplete(orders: list[dict]) -> list[dict]:
    """Keep the orders that have an amount."""
    return [order for order in orders if order["amount"] is not None]


@op
def add_up(orders: list[dict]) -> dict[str, int]:
    """What each customer spent."""
    totals: dict[str, int] = {}
    for order in orders:
        totals[order["customer"]] = totals.get(order["customer"], 0) + order["amount"]
    return totals


@op
def rank(totals: dict[str, int]) -> list[tuple[str, int]]:
    """The customers, those who spent most first."""
    return sorted(totals.items(), key=lambda pair: -pair[1])


@graph_asset
def best_customers(orders):
    """Three ops make one asset. Each is stored when it ends, so a failed run goes on where it stopped."""
    return rank(add_up(drop_incomplete(orders)))


defs = Definitions(assets=[orders, best_customers])
''',
    "test_definitions.py": '''\
"""Ops and assets are plain functions in a test."""

from definitions import add_up, best_customers, drop_incomplete, orders

from opgraph import materialize


def test_incomplete_orders_are_dropped():
    assert drop_incomplete([{"customer": "ada", "amount": None}]) == []


def test_amounts_are_added_up():
    assert add_up([{"customer": "ada", "amount": 1}, {"customer": "ada", "amount": 2}]) == {"ada": 3}


def test_everything_together():
    result = materialize([orders, best_customers])
    assert result.success
    assert result.output_for_node("best_customers") == [("ada", 42), ("cyd", 25)]
''',
    ".gitignore": """\
.opgraph/
.venv/
__pycache__/
.pytest_cache/
""",
}


class DirectoryNotEmptyError(Error):
    """A new project would mix with what is there."""

    def __init__(self, folder: Path, found: list[str]) -> None:
        self.folder = folder
        self.found = tuple(found)
        shown = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
        super().__init__(f"{folder} is not empty: {shown}", fix="name an empty or a new directory: `opgraph init NAME`")


class CannotWriteError(Error):
    """The directory can't be made or written."""

    def __init__(self, folder: Path, problem: OSError) -> None:
        self.folder = folder
        self.problem = problem
        super().__init__(
            f"a project cannot be made in {folder}: {problem.strerror or problem}", fix="name another directory"
        )


@click.command("init")
@click.argument("directory", default=".", metavar="[DIR]")
def command(directory: str) -> None:
    """Make a new project in DIR, by default here: it must be empty or new."""
    folder = Path(directory).expanduser()
    try:
        found = (
            sorted(each.name for each in folder.iterdir())
            if folder.is_dir()
            else [folder.name]
            if folder.exists()
            else []
        )
        found = [name for name in found if name != ".git"]
        if found:
            raise DirectoryNotEmptyError(folder, found)
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "project"
        for file, text in _FILES.items():
            (folder / file).write_text(text.replace("{name}", name), encoding="utf-8")
    except (OSError, ValueError) as problem:
        reason = problem if isinstance(problem, OSError) else OSError(0, str(problem))
        raise CannotWriteError(folder, reason) from None
    go = "" if folder.resolve() == Path.cwd() else f"cd {os.fspath(folder)}  "
    ink.put(
        [
            [("✓ ", GOOD), ("a new project", STRONG), (f" in {folder.resolve()}", PLAIN)],
            *([(f"  {file}", FAINT)] for file in _FILES),
            [],
            *([[(f"  {go}", STRONG)]] if go else []),
            [("  opgraph materialize", STRONG), ("                   make everything", FAINT)],
            [("  opgraph show best_customers --value", STRONG), ("   see what came out", FAINT)],
        ]
    )
