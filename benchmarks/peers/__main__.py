"""The same work by other tools, each installed into an environment of its own under `.peers/`, beside the floor.

python -m benchmarks.peers [NAME ...]     all of: opgraph, dagster, rivers, barca, hamilton
PEER_PYTHON names another interpreter for the peers: barca wants Python 3.12 or newer.

Every script of this folder runs a chain of `STEPS` steps `RUNS` times in one process and prints seconds of CPU and of
wall time per step; barca is a command, so it is timed as a whole process. The floor is measured between any two.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.floor import floor

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".peers"
STEPS = 500
PEERS = {  # name -> the package, and what it runs
    "opgraph": ("", "one graph asset of ops, durable"),
    "dagster": ("dagster==1.13.27", "one graph asset of ops, durable"),
    "rivers": ("rivers==0.6.2", "one graph asset of tasks, durable"),
    "barca": ("barca>=0.30", "assets, durable, whole process"),
    "hamilton": ("apache-hamilton==1.90.0", "functions, nothing stored"),
}


def python_of(name: str) -> str:
    """The interpreter that has the peer, made where it is missing.

    Raises:
        subprocess.CalledProcessError: it cannot be installed here, for one because it wants another Python.
    """
    package = PEERS[name][0]
    if not package:
        return sys.executable
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        wanted = os.environ.get("PEER_PYTHON", sys.executable)
        subprocess.run([wanted, "-m", "venv", "--clear", folder], check=True, capture_output=True, text=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", package], check=True, capture_output=True, text=True)
        (folder / "installed").touch()
    return str(python)


def measured(name: str) -> tuple[float, float]:
    """Seconds of CPU and of wall time per step: the medians of what the peer's script printed."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python_of(name), HERE / f"{name}_chain.py", str(STEPS)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "HOME": folder},
            check=True,
            capture_output=True,
            text=True,
            timeout=900,
        )
    runs = json.loads(done.stdout.splitlines()[-1])
    return statistics.median(cpu for cpu, _ in runs), statistics.median(wall for _, wall in runs)


def main(names: list[str]) -> None:
    print(f"| a step of a chain of {STEPS} | ms CPU | ms wall | × floor | what it runs |\n|---|---:|---:|---:|---|")
    floors: list[tuple[float, float]] = []
    for name in names or PEERS:
        near = [floor(STEPS, "file") for _ in range(2)]
        try:
            cpu, wall = measured(name)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1][:90]
            print(f"| {name:8} | | | | not measured: {reason} |", flush=True)
            continue
        near += [floor(STEPS, "file") for _ in range(3)]
        floors += near
        base = statistics.median(each for _, each in near)
        said = f"{cpu * 1e3:.3f}" if name != "barca" else ""  # what a command's process took is not asked
        times = f"{wall / base:.{0 if wall > 10 * base else 2}f}"
        print(f"| {name:8} | {said:>7} | {wall * 1e3:7.3f} | {times:>7} | {PEERS[name][1]} |", flush=True)
    if floors:
        cpu, wall = (statistics.median(each) * 1e3 for each in zip(*floors, strict=True))
        print(f"| floor    | {cpu:7.3f} | {wall:7.3f} |     1.0 | a pickle file and a commit a step |")


if __name__ == "__main__":
    main(sys.argv[1:])
