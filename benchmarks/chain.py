"""A chain of ops in one graph asset, in this process: durable beside the floors, and with nothing stored.

python -m benchmarks.chain
"""

import tempfile

from benchmarks.engine import chain as steps
from benchmarks.engine import measured
from benchmarks.floor import cpu, ratio, row
from benchmarks.programs import asset_chain, fan_out, op_chain
from opgraph import Definitions, Instance, mem_io_manager
from opgraph.operate import execute


def run(defs: Definitions, instance: Instance) -> None:
    outcome = execute.materialize(defs, instance=instance)
    assert outcome.success, outcome.error


def durable(what: str, defs: Definitions, n: int, mode: str, pairs: int, goal: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Instance(folder) as instance:
        times, _, spent = ratio(lambda: run(defs, instance), n, mode, pairs)
    row(f"{what}, beside `{mode}`", f"{spent:.0f} µs", f"{spent / times:.0f} µs", times, goal)


def first_run(n: int, pairs: int) -> None:
    """What a process pays that runs its definitions once: they are verified and laid out, too."""
    fresh = [op_chain(n) for _ in range(pairs + 1)]
    with tempfile.TemporaryDirectory() as folder, Instance(folder) as instance:
        times, _, spent = ratio(lambda: run(fresh.pop(), instance), n, "file", pairs)
    row(
        f"a chain of {n} ops, the first run of it: an op, beside `file`",
        f"{spent:.0f} µs",
        f"{spent / times:.0f} µs",
        times,
        "≤ 1 ×",
    )


def nothing_stored(n: int) -> None:
    defs = Definitions(assets=op_chain(n).assets, resources={"io_manager": mem_io_manager})
    spent = cpu(lambda: run(defs, Instance.ephemeral())) / n
    row(f"a chain of {n:,} ops, nothing stored: an op", f"{spent * 1e6:.0f} µs", "0.1 µs", spent * 1e7, "≤ 30 µs")


def main() -> None:
    durable("a chain of 500 ops: an op", op_chain(500), 500, "file", 11, "≤ 1 ×")
    durable("a chain of 500 ops: an op", op_chain(500), 500, "inline", 11, "≤ 4 ×")
    first_run(500, 11)
    durable("a chain of 10,000 ops: an op", op_chain(10_000), 10_000, "file", 3, "≤ 1 ×")
    durable("a fan-out of 5,000 ops: an op", fan_out(5_000), 5_000, "file", 3, "≤ 1.2 ×")
    nothing_stored(500)
    nothing_stored(10_000)
    transition = measured(steps())[0]
    row("the engine alone: a transition", f"{transition * 1e6:.1f} µs", goal="≤ 5 µs")
    durable("a chain of 500 assets: an asset", asset_chain(500), 500, "sync", 3, "≤ 2 ×")


if __name__ == "__main__":
    main()
