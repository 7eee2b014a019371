"""A chain of ops in one graph asset, in this process: durable beside the floors, and with nothing stored.

python -m benchmarks.chain
"""

import statistics
import tempfile
import time

from benchmarks.floor import ratio
from benchmarks.programs import asset_chain, op_chain
from opgraph import Definitions, Instance, mem_io_manager
from opgraph.operate import execute


def run(defs: Definitions, instance: Instance) -> None:
    outcome = execute.materialize(defs, instance=instance)
    assert outcome.success, outcome.error


def durable(n: int, mode: str, pairs: int) -> None:
    defs = op_chain(n)
    with tempfile.TemporaryDirectory() as folder, Instance(folder) as instance:
        cpu, wall, spent = ratio(lambda: run(defs, instance), n, mode, pairs)
    print(f"{n:6} ops durable, beside `{mode}`{'':12}{cpu:6.2f} × CPU {wall:6.2f} × wall {spent:8.1f} µs an op")


def nothing_stored(n: int) -> None:
    chain = op_chain(n)
    defs = Definitions(assets=chain.assets, resources={"io_manager": mem_io_manager})
    spent: list[float] = []
    for _ in range(5):
        instance = Instance.ephemeral()
        began = time.process_time()
        run(defs, instance)
        spent.append((time.process_time() - began) / n * 1e6)
    print(f"{n:6} ops, nothing stored{'':44}{statistics.median(spent):8.1f} µs an op")


def assets(n: int) -> None:
    defs = asset_chain(n)
    with tempfile.TemporaryDirectory() as folder, Instance(folder) as instance:
        cpu, wall, spent = ratio(lambda: run(defs, instance), n, "sync", 3)
    print(f"{n:6} assets, power-safe, beside `sync`{'':3}{cpu:9.2f} × CPU {wall:6.2f} × wall {spent:8.1f} µs an asset")


def main() -> None:
    durable(500, "file", 11)
    durable(500, "inline", 11)
    durable(10_000, "file", 3)
    nothing_stored(500)
    nothing_stored(10_000)
    assets(500)


if __name__ == "__main__":
    main()
