"""barca: n assets in a chain, run by its command in a new folder: from the start of the process to its exit."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.peers.clocked import clocked

n = int(sys.argv[1])
lines = ["from barca import asset", "", "@asset()", "def a0() -> int:", "    return 1"]
for i in range(1, n):
    lines += ["", f"@asset(inputs={{'x': a{i - 1}}})", f"def a{i}(x: int) -> int:", "    return x + 1"]


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pipeline.py").write_text("\n".join(lines) + "\n")
        command = [str(Path(sys.executable).parent / "barca"), "get", f"a{n - 1}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


clocked(run, n, 3)
