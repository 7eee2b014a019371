"""Executors: what worker processes, threads and the event loop cost, beside what the work itself takes.

python -m benchmarks.executors
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable

from opgraph import Definitions, Instance, graph_asset, op
from opgraph.declare.project.executor import (
    ExecutorChoice,
    dask_executor,
    in_process_executor,
    multiprocess_executor,
    threads_executor,
)
from opgraph.operate import execute

TWO = multiprocess_executor.configured({"max_concurrent": 2})
HUNDRED = {"max_concurrent": 100, "max_async": 100}


@op
def nothing():
    return 1


@op
def one_more(x):
    return x + 1


@op
def spin():
    """50 ms of pure Python: the same work each time, however fast the machine."""
    x = 0
    for i in range(ROUNDS):
        x += i
    return x


@op
async def wait():
    await asyncio.sleep(0.05)
    return 1


@op
def total(xs):
    return len(xs)


def rounds_of_50_ms() -> int:
    began = time.perf_counter()
    x = 0
    for i in range(1_000_000):
        x += i
    return int(1_000_000 * 0.05 / (time.perf_counter() - began))


ROUNDS = rounds_of_50_ms()


def wide(each: Callable[[], int], n: int) -> Definitions:
    @graph_asset
    def wide():
        return total([each() for _ in range(n)])

    return Definitions(assets=[wide])


def chain(n: int) -> Definitions:
    @graph_asset
    def chain():
        x = nothing()
        for _ in range(n - 1):
            x = one_more(x)
        return x

    return Definitions(assets=[chain])


def seconds(defs: Definitions, executor: ExecutorChoice, times: int = 5) -> float:
    """The median time of a durable run, planning left out."""
    spent: list[float] = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder, Instance(folder) as instance:
            began = [0.0]
            outcome = execute.materialize(
                defs,
                instance=instance,
                executor=executor,
                on_plan=lambda *_, began=began: began.__setitem__(0, time.perf_counter()),
            )
            spent.append(time.perf_counter() - began[0])
            assert outcome.success, outcome.error
    return statistics.median(spent)


def seconds_of_two_forks(times: int = 5) -> float:
    """The floor of `spin` 16 times on two cores: two forked processes that do nothing else."""
    spent: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        children: list[int] = []
        for _ in range(2):
            child = os.fork()
            if not child:
                for _ in range(8):
                    spin()
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def line(what: str, value: str) -> None:
    print(f"{what:74}{value:>14}")


def main() -> None:
    line("start and end of 2 worker processes", f"{(seconds(wide(nothing, 2), TWO)) * 1e3:8.0f} ms")
    for name, defs in (("side by side", wide(nothing, 1000)), ("in a chain", chain(1000))):
        spent = seconds(defs, TWO)
        line(f"1,000 trivial ops {name}, 2 worker processes", f"{spent:8.2f} ms an op")
    defs = wide(spin, 16)
    one, two = seconds(defs, in_process_executor), seconds(defs, TWO)
    line("16 ops of 50 ms pure Python, 2 worker processes, against one after the other", f"{one / two:8.2f} ×")
    line("the same by two forked processes that do nothing else", f"{one / seconds_of_two_forks():8.2f} ×")
    defs = wide(wait, 1000)
    for executor in (threads_executor, multiprocess_executor):
        spent = seconds(defs, executor.configured(HUNDRED), 3)
        line(f"1,000 async ops that wait 50 ms, 100 at a time, {executor.name}", f"{spent / 0.5:8.2f} × ideal")
    two = dask_executor.configured({"max_concurrent": 2})
    began = seconds(wide(nothing, 2), two)
    line("start and end of a Dask cluster in this process, and of a run on it", f"{began * 1e3:8.0f} ms")
    spent = seconds(chain(300), two, 3) - began
    line("300 trivial ops in a chain on it", f"{spent / 0.3:8.2f} ms an op")
    line(
        "1,000 trivial ops side by side on it, 2 at a time",
        f"{seconds(wide(nothing, 1000), two, 3) - began:8.2f} ms an op",
    )


if __name__ == "__main__":
    main()
