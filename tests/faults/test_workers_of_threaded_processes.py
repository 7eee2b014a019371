"""A process that runs threads of libraries has workers that do not hang."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("polars")
pytest.importorskip("duckdb")

TIMES = 20 if os.environ.get("OPGRAPH_SOAK") else 4
FRAMES = """
import duckdb, polars
from opgraph import graph_asset, op

def heavy():
    key = (polars.col("a") % 10).alias("key")
    frame = polars.DataFrame({"a": range(200_000)}).lazy().group_by(key).agg(polars.col("a").sum())
    return frame.collect().height + duckdb.connect().execute("select count(*) from range(1000000)").fetchone()[0]

@op
def part():
    print("at work")
    return heavy()

@op
def total(parts):
    return sum(parts)

@graph_asset
def made():
    return total([part(), part(), part()])
"""
POOL = """
from concurrent.futures import ThreadPoolExecutor
from opgraph import asset

pool = ThreadPoolExecutor(1)
pool.submit(print).result()

@asset
def made():
    return pool.submit(len, "abc").result(timeout=20)
"""
RUNS = """
import sys
from project import made
from opgraph import Definitions
from opgraph.operate import execute
from opgraph.run.instance import Instance

for _ in range(int(sys.argv[1])):
    with Instance.local_temp() as instance:
        {before}
        outcome = execute.materialize(Definitions(assets=[made]), instance=instance, executor="processes")
        said = [line.text for _, line in instance.record.logs(outcome.run_id)]
        print(outcome.status.value, said.count("at work"), outcome.error)
"""
THREAD = "import threading, time; threading.Thread(target=time.sleep, args=[60], daemon=True).start()\n"
NOTEBOOK = f"""{THREAD}
from opgraph import materialize, op, graph_asset

class Point:
    def __init__(self, x):
        self.x = x

FACTOR = 3

@op
def here():
    return Point(2 * FACTOR)

@op
def there(point):
    return point.x

@graph_asset
def made():
    return there(here())

print(materialize([made], executor="processes").asset_value("made"))
"""
LOCKED = f"""{THREAD}
from opgraph import asset, materialize

lock = threading.Lock()

@asset
def made():
    with lock:
        return 1

print(materialize([made], executor="processes").asset_value("made"))
"""
ONCE = f"""{THREAD}
import os
if os.environ.get("LOADED"):
    raise RuntimeError("loaded twice")
os.environ["LOADED"] = "yes"
from opgraph import asset

@asset
def made():
    return 1
"""


def run(folder, program, *arguments, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "program.py").write_text(program)
    command = [sys.executable, "program.py", *arguments]
    env = {name: value for name, value in os.environ.items() if name != "OPGRAPH_START_METHOD"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=20 * TIMES, check=False)
    return done.stdout, done.stderr


@pytest.mark.timeout(25 * TIMES)
def test_workers_do_not_hang_where_polars_and_duckdb_were_used_before(tmp_path):
    """Ops that use Polars and DuckDB end, though the process that drives the run has used both, with their threads."""
    program = "from project import heavy\n" + RUNS.format(before="heavy()")
    out, err = run(tmp_path, program, str(TIMES), project=FRAMES)
    assert out.splitlines() == ["SUCCESS 3 None"] * TIMES, err


def test_a_pool_of_threads_that_definitions_made_works_in_workers(tmp_path):
    """A worker that was forked from a process with a pool of threads would wait for threads that it does not have."""
    out, err = run(tmp_path, RUNS.format(before="pass"), "1", project=POOL)
    assert out.split() == ["SUCCESS", "0", "None"], err


def test_what_a_script_defines_goes_to_workers_that_are_not_forked(tmp_path):
    """Functions, classes and the names that they use are sent, when they are in no module; nothing warns."""
    assert run(tmp_path, NOTEBOOK) == ("6\n", "")


@pytest.mark.parametrize(
    ("program", "files", "why"),
    [
        (LOCKED, {}, "cannot pickle '_thread.lock' object"),
        (RUNS.format(before="pass"), {"project": ONCE}, "RuntimeError: loaded twice"),
    ],
    ids=["cannot-be-sent", "cannot-be-loaded-again"],
)
def test_workers_are_forked_where_no_other_way_works(tmp_path, program, files, why):
    """The run goes on, and a warning at the user's line says what may happen and why."""
    out, err = run(tmp_path, program, "1", **files)
    assert out.startswith(("1", "SUCCESS"))
    assert err.startswith(f"{tmp_path / 'program.py'}:")
    assert "RuntimeWarning: worker processes are forked from a process that has threads, because" in err
    assert why in err
