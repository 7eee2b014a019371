"""The command line as a whole process, from its start to its exit; and what runs leave on disk.

python -m benchmarks.commands
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.floor import row
from benchmarks.programs import op_chain
from opgraph import Instance
from opgraph.operate import execute

OPGRAPH = str(Path(sys.executable).parent / "opgraph")
MATERIALIZE = [OPGRAPH, "materialize", "-f"]
COMPILED = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # as where it is installed: modules are compiled once
TWO = """from opgraph import Definitions, asset


@asset
def one() -> int:
    return 1


@asset
def two(one: int) -> int:
    return one + 1


defs = Definitions(assets=[one, two])
"""


def wall(command: list[str], folder: str, times: int = 9) -> float:
    """Seconds from start to exit: the least of several, since what else runs on the machine only adds."""
    spent: list[float] = []
    for _ in range(times + 1):
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=COMPILED, check=True, capture_output=True)
        spent.append(time.perf_counter() - began)
    return min(spent[1:])


MEMOIZED = """from opgraph import Definitions, graph_asset, op


@op
def start() -> int:
    return 0


@op
def add(x: int) -> int:
    return x + 1


@graph_asset(memoize=True)
def total():
    value = start()
    for _ in range(499):
        value = add(value)
    return value


defs = Definitions(assets=[total])
"""


CHAIN = """from opgraph import AssetIn, Definitions, asset


def made(i):
    if not i:
        return asset(name="a0")(lambda: 1)

    @asset(name=f"a{i}", ins={"x": AssetIn(f"a{i - 1}")})
    def one(x: int) -> int:
        return x + 1

    return one


defs = Definitions(assets=[made(i) for i in range(500)])
"""


def growth(folder: str) -> float:
    """KB of database that a run of 30 ops adds."""
    path, defs, sizes = Path(folder, "record.db"), op_chain(30), list[int]()
    for times in (1, 20):
        with Instance(folder) as instance:
            for _ in range(times):
                execute.materialize(defs, instance=instance)
        with closing(sqlite3.connect(path)) as database:
            database.execute("pragma wal_checkpoint(truncate)")
        sizes.append(path.stat().st_size)
    return (sizes[1] - sizes[0]) / 20 / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, memoized, chain = (str(Path(place, name)) for name in ("two", "memoized", "chain"))
        for where, text in ((folder, TWO), (memoized, MEMOIZED), (chain, CHAIN)):
            Path(where).mkdir()
            Path(where, "definitions.py").write_text(text)
        Path(chain, "pyproject.toml").write_text('[tool.opgraph]\ndurability = "process"\n')
        bare = wall([sys.executable, "-c", "pass"], folder)
        for what, command, where, goal in (
            ("`import opgraph`", [sys.executable, "-c", "import opgraph"], folder, "≤ 60 ms"),
            ("`opgraph --version`", [OPGRAPH, "--version"], folder, "≤ 100 ms"),
            ("`opgraph list`", [OPGRAPH, "list", "-f", "definitions.py"], folder, "≤ 250 ms"),
            ("`opgraph materialize`, two assets", [*MATERIALIZE, "definitions.py"], folder, "≤ 400 ms"),
            ("the same, 500 memoized ops, all reused", [*MATERIALIZE, "definitions.py"], memoized, "≤ 200 ms"),
            ("the same, 500 assets, durable to `process`", [*MATERIALIZE, "definitions.py"], chain, "≤ 500 ms"),
        ):
            spent = wall(command, where)
            row(what, f"{spent * 1e3:.0f} ms", f"{bare * 1e3:.0f} ms", spent / bare, goal)
    with tempfile.TemporaryDirectory() as folder:
        row("database growth, a run of 30 ops", f"{growth(folder):.0f} KB", goal="≤ 60 KB")


if __name__ == "__main__":
    main()
