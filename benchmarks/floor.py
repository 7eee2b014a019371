"""What opgraph's speed is measured against: a loop that a careful person would write by hand.

`file`: a function is called n times; each value is pickled to a file of its own, with one SQLite commit a call.
`inline`: the value inside the commit, no file. `sync`: `file` with file and folder fsynced and FULL commits.
"""

import os
import pickle
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable

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
