"""What opgraph's speed is measured against: a loop that a careful person would write by hand.

`file`: a function is called n times; each value is pickled to a file of its own, with one SQLite commit a call.
`inline`: the value inside the commit, no file. `sync`: `file` with file and folder fsynced and FULL commits.
`graph_floor` is the same for declaring: functions in a dict, their parameters as edges, sorted by the standard library.
"""

import gc
import inspect
import os
import pickle
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from graphlib import TopologicalSorter

MODES = ("file", "inline", "sync")
_INSERT = "insert into log (run, step, what, body, value) values (?, ?, ?, ?, ?)"


def floor(n: int, mode: str) -> tuple[float, float]:
    """Seconds of CPU and of wall time per call."""
    with tempfile.TemporaryDirectory() as folder:
        log = sqlite3.connect(f"{folder}/log.db", isolation_level=None)
        log.execute("pragma journal_mode = wal")
        log.execute(f"pragma synchronous = {'full' if mode == 'sync' else 'normal'}")
        log.execute("create table log (id integer primary key, run text, step text, what text, body text, value blob)")
        directory = os.open(folder, os.O_RDONLY)
        cpu, wall = time.process_time(), time.perf_counter()
        total = 0
        for i in range(n):
            total = total + 1
            data: bytes | None = pickle.dumps(total)
            if mode != "inline":
                with open(f"{folder}/{i}", "wb") as file:
                    file.write(data)
                    if mode == "sync":
                        file.flush()
                        os.fsync(file.fileno())
                        os.fsync(directory)
                data = None
            log.execute(_INSERT, ("run", f"step_{i}", "succeeded", "{}", data))
        spent = (time.process_time() - cpu) / n, (time.perf_counter() - wall) / n
        os.close(directory)
        log.close()
    return spent


def ratio(ours: Callable[[], None], n: int, mode: str, pairs: int = 11) -> tuple[float, float, float]:
    """The medians over pairs, taken in turn: our CPU time by the floor's, the same of wall time, our µs a step."""
    floor(n, mode)
    ours()
    cpus: list[float] = []
    walls: list[float] = []
    spent: list[float] = []
    for _ in range(pairs):
        floor_cpu, floor_wall = floor(n, mode)
        cpu, wall = time.process_time(), time.perf_counter()
        ours()
        mine = (time.process_time() - cpu) / n
        cpus.append(mine / floor_cpu)
        walls.append((time.perf_counter() - wall) / n / floor_wall)
        spent.append(mine * 1e6)
    return statistics.median(cpus), statistics.median(walls), statistics.median(spent)


def graph_floor(n: int) -> None:
    """Declare a chain of n functions and put them in order."""
    functions: dict[str, Callable[..., int]] = {}
    edges: dict[str, list[str]] = {}
    for i in range(n):
        name, above = f"a{i}", f"a{i - 1}"
        functions[name] = lambda x=0: x + 1
        edges[name] = [above for _ in inspect.signature(functions[name]).parameters if i]
    assert len(list(TopologicalSorter(edges).static_order())) == n


def log_floor(n: int) -> Callable[[], object]:
    """What a hand-written loop reads to go on: the log of n calls, from memory where the disk does not count."""
    log = sqlite3.connect(":memory:", isolation_level=None)
    log.execute("create table log (id integer primary key, run text, step text, what text, body text, value blob)")
    value = pickle.dumps(1)
    log.executemany(_INSERT, (("run", f"step_{i}", "succeeded", "{}", value) for i in range(n)))
    return lambda: {step: pickle.loads(value) for step, value in log.execute("select step, value from log")}


def cpu(action: Callable[[], object], times: int = 5) -> float:
    """Seconds of CPU of an action: the median of several."""
    spent: list[float] = []
    for _ in range(times):
        gc.collect()  # what the one before left is not this one's
        began = time.process_time()
        action()
        spent.append(time.process_time() - began)
    return statistics.median(spent)


HEAD = f"| {'what':56} | {'ours':>9} | {'floor':>9} | {'ratio':>6} | {'goal':16} |\n|---|---:|---:|---:|---|"


def row(what: str, ours: str, floor: str = "", times: float | None = None, goal: str = "") -> None:
    """One line of the table in docs/performance.md."""
    print(
        f"| {what:56} | {ours:>9} | {floor:>9} | {'' if times is None else f'{times:.2f}':>6} | {goal:16} |", flush=True
    )


def beside(what: str, ours: Callable[[], object], floor: Callable[[], object], goal: str, times: int = 5) -> None:
    """A line of the table: CPU of an action beside its floor's, taken in turn."""
    pairs = [(cpu(floor, 1), cpu(ours, 1)) for _ in range(times)]
    low, mine = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    row(what, f"{mine * 1e3:.1f} ms", f"{low * 1e3:.1f} ms", mine / low, goal)
