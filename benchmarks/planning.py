"""Loading, resolving and planning: many assets, one output of a large graph, resuming a long run; and memory.

python -m benchmarks.planning
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.floor import beside, graph_floor, log_floor, row
from benchmarks.programs import failing_chain, fan, op_chain
from opgraph import Definitions, Instance
from opgraph.operate import execute, planning
from opgraph.operate.project import load, locate
from opgraph.resolve.project import resolve

PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
IMPORTED = "import opgraph.operate.execute, benchmarks.programs"
LOADED = """from benchmarks.programs import asset_chain
from opgraph.resolve.project import resolve
kept = resolve(asset_chain(10_000))"""
RUN = """import tempfile
from benchmarks.programs import op_chain
from opgraph import Instance
from opgraph.operate import execute
with tempfile.TemporaryDirectory() as folder, Instance(folder) as instance:
    assert execute.materialize(op_chain(10_000), instance=instance).success"""


def peak(code: str) -> float:
    """The most memory, in MB, of a process of its own. Linux only."""
    done = subprocess.run([sys.executable, "-c", f"{code}\n{PEAK}"], check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def loaded(n: int) -> Definitions:
    """What a file declares that is imported anew."""
    sys.modules.pop("project", None)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "project.py")
        file.write_text(f"from benchmarks.programs import asset_chain\n\ndefs = asset_chain({n})\n")
        return load(locate(str(file)))


def main() -> None:
    for n, goal in ((1_000, "≤ 0.1 s"), (10_000, "≤ 1 s")):
        beside(f"a file of {n:,} assets in a chain: load, resolve", lambda n=n: resolve(loaded(n)),
               lambda n=n: graph_floor(n), goal)  # fmt: skip
    memory = Instance.ephemeral()
    fans = [fan(50, 500) for _ in range(5)]  # each time others: the steps of a plan are kept for the next of the same
    for each in fans:
        resolve(each)
    beside("plan one of 50 outputs of a graph of 500 ops", lambda: planning.plan(fans.pop(), "o7", instance=memory),
           lambda: graph_floor(500), "≤ 10 ms")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, Instance(folder) as instance:
        failed = execute.materialize(failing_chain(10_000, 9_000), instance=instance)
        mended = [op_chain(10_000) for _ in range(5)]
        for each in mended:
            resolve(each)
        beside(
            "plan to resume 10,000 ops that failed at 9,000",
            lambda: planning.plan_resume(mended.pop(), failed.run_id, instance=instance),
            log_floor(9_000),
            "≤ 200 ms",
        )
    bare = peak(IMPORTED)
    for what, code, goal in (("10,000 assets loaded", LOADED, "≤ 100 MB"), ("a run of 10,000 ops", RUN, "≤ 150 MB")):
        most = peak(code)
        row(f"memory: {what}", f"{most:.0f} MB", f"{bare:.0f} MB", most / bare, goal)


if __name__ == "__main__":
    main()
