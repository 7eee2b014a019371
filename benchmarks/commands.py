"""The command line as a whole process, from its start to its exit; and what runs leave on disk.

python -m benchmarks.commands
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.programs import op_chain
from opgraph import Instance
from opgraph.operate import execute

OPGRAPH = str(Path(sys.executable).parent / "opgraph")
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
    spent: list[float] = []
    for _ in range(times + 1):
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent[1:])


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


def everything_reused() -> None:
    """500 memoized ops of which none runs."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "definitions.py").write_text(MEMOIZED)
        spent = wall([OPGRAPH, "materialize", "-f", "definitions.py"], folder)
        print(f"{'opgraph materialize, 500 ops reused':40}{spent * 1e3:8.0f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "definitions.py").write_text(TWO)
        bare = wall([sys.executable, "-c", "pass"], folder)
        print(f"{'python -c pass':40}{bare * 1e3:8.0f} ms")
        for name, command in (
            ("python -c 'import opgraph'", [sys.executable, "-c", "import opgraph"]),
            ("opgraph --version", [OPGRAPH, "--version"]),
            ("opgraph list", [OPGRAPH, "list", "-f", "definitions.py"]),
            ("opgraph materialize, two assets", [OPGRAPH, "materialize", "-f", "definitions.py"]),
        ):
            print(f"{name:40}{wall(command, folder) * 1e3:8.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        defs = op_chain(30)
        with Instance(folder) as instance:
            execute.materialize(defs, instance=instance)
        before = sum(file.stat().st_size for file in Path(folder).glob("record.db*"))
        with Instance(folder) as instance:
            for _ in range(20):
                execute.materialize(defs, instance=instance)
        after = sum(file.stat().st_size for file in Path(folder).glob("record.db*"))
        print(f"{'database growth of a run of 30 ops':40}{(after - before) / 20 / 1024:8.1f} KB")

    everything_reused()


if __name__ == "__main__":
    main()
