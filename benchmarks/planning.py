"""Loading, resolving and planning: many assets, one output of a large graph, resuming a long run.

python -m benchmarks.planning
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable

from benchmarks.programs import asset_chain, failing_chain, fan, op_chain
from opgraph import Instance
from opgraph.operate import execute, planning
from opgraph.resolve.project import resolve


def timed(what: str, action: Callable[[], object], times: int = 3) -> None:
    spent: list[float] = []
    for _ in range(times):
        began = time.process_time()
        action()
        spent.append(time.process_time() - began)
    print(f"{what:58}{statistics.median(spent) * 1e3:9.1f} ms CPU")


def main() -> None:
    for n in (1_000, 10_000):
        timed(f"{n} assets in a chain: declare and resolve", lambda n=n: resolve(asset_chain(n)))
    print(
        f"{'peak memory of this process so far':58}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:9.1f} MB"
    )
    memory = Instance.ephemeral()
    defs = fan(50, 500)
    resolve(defs)
    timed("plan one of 50 outputs of a graph of 500 ops", lambda: planning.plan(defs, "o7", instance=memory))
    with tempfile.TemporaryDirectory() as folder, Instance(folder) as instance:
        failed = execute.materialize(failing_chain(10_000, 9_000), instance=instance)
        mended = op_chain(10_000)
        timed("plan the resumption of 10,000 ops that failed at 9,000",
              lambda: planning.plan_resume(mended, failed.run_id, instance=instance))  # fmt: skip


if __name__ == "__main__":
    main()
