"""`make demo`: the flights example, moment by moment, on the command line. Each command can be typed by hand, too."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

PROJECT = Path(__file__).parent
OPGRAPH = Path(sys.executable).parent / "opgraph"


def say(title: str, text: str) -> None:
    """Announce a moment."""
    print(f"\n\n── {title} " + "─" * max(0, 96 - len(title)))
    print(textwrap.fill(text, 100) + "\n", flush=True)


def run(*words: str, fails: bool = False, **environment: str) -> None:
    """Run an opgraph command in the example's folder, shown as it would be typed."""
    shown = [f"{name}={value}" for name, value in environment.items()]
    shown += ["opgraph", *(f'"{word}"' if " " in word or "*" in word else word for word in words)]
    print("$ " + " ".join(shown), flush=True)
    done = subprocess.run([OPGRAPH, *words], cwd=PROJECT, env={**os.environ, **environment}, check=False)
    print(flush=True)
    if (done.returncode != 0) is not fails:
        sys.exit(f"demo: `opgraph {' '.join(words)}` ended with exit code {done.returncode}")


def latest_run() -> str:
    """The id of the run that was started last."""
    listed = subprocess.run([OPGRAPH, "runs", "--json"], cwd=PROJECT, check=True, capture_output=True, text=True)
    return json.loads(listed.stdout)[0]["run_id"]


say(
    "What there is",
    "336,776 flights that left New York in 2013, with the weather, the planes, the airlines and the airports. "
    "Five raw tables are plain assets. `journeys` is a graph asset: a graph of ops cleans and joins them. "
    "`delay_tables` is a graph of ops that makes three assets. The last asset is a chart.",
)
run("list")

say("Everything", "Each op is a step of its own: timed, logged, and stored when it ends.")
run("materialize")

say(
    "A subset",
    "Only one of the three delay tables. The plan says which ops that takes, and why: the joined table is loaded, "
    "not made again, and the op that groups by wind is not needed.",
)
run("plan", "--select", "delay_by_hour")
run("materialize", "--select", "delay_by_hour")

say(
    "A failure in the middle",
    "Suppose someone sets a limit that is too strict for this data: at most 5 % of the flights may have a plane that "
    "is not on the register. An op in the middle of the graph refuses to go on. What had finished is kept.",
)
run("materialize", "--select", "journeys+", fails=True, FLIGHTS_UNKNOWN_PLANES="0.05")

say("Resume", "With the limit as it was, the run goes on: the ops that had finished are not run again.")
run("resume", latest_run())

say("A value", "Any asset's value can be read back, here and in Python with `defs.load_asset_value`.")
run("show", "delay_by_airline", "--value")
print(f"The chart: {PROJECT / 'charts' / 'delay_chart.png'}\nTo look around: cd {PROJECT}")
