"""A process that works on a record, told what to do by lines on its standard input; it answers each with a line."""

import os
import sys
import time

from opgraph.events import LogLine, Place, RunEnded, RunStarted, RunStatus, StepStarted, StepSucceeded, Stored
from opgraph.record.rows import RunRow
from opgraph.record.sqlite import SqliteRecord


def open_fresh(path: str, name: str) -> str:
    record = SqliteRecord(path)
    write(record, name, 1)
    record.close()
    return "opened"


def hold(path: str, run_id: str) -> str:
    """Claims the run for as long as this process lives; a forked child lives on and says whether the lease does."""
    record = SqliteRecord(path)
    record.create(RunRow(run_id=run_id, created=1.0))
    kept.append(record.claim(run_id, pid=os.getpid(), host="here", now=1.0))
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        while os.getppid() == parent:
            time.sleep(0.005)
        print("held" if record.leases.taken(1) else "free", flush=True)
        time.sleep(60)
        os._exit(0)
    return str(child)


def write_run(path: str, run_id: str, steps: str) -> str:
    record = SqliteRecord(path)
    write(record, run_id, int(steps))
    record.close()
    return "written"


def write_runs(path: str, name: str, runs: str) -> str:
    """Many short runs, one after the other."""
    record = SqliteRecord(path)
    for number in range(int(runs)):
        write(record, f"{name}.{number}", 3)
    record.close()
    return "written"


def write(record: SqliteRecord, run_id: str, steps: int) -> None:
    record.create(RunRow(run_id=run_id, created=1.0))
    writer = record.claim(run_id, pid=os.getpid(), host="here", now=1.0)
    writer.append([RunStarted(1.0, 1), StepStarted(0, 1, 1.0)])
    for step in range(steps):
        asset = "shared" if step % 10 == 0 else None
        facts = [
            StepSucceeded(step, 1, 1.0, outputs=(Stored("result", Place.INLINE, asset=asset),)),
            StepStarted(step + 1, 1, 1.0),
        ]
        logs = [LogLine(step, 1, 1.0, "INFO", "log", "said")] if step % 7 == 0 else []
        writer.append(facts, [f"{run_id} {step}".encode()], logs)
    writer.append([RunEnded(2.0, RunStatus.SUCCESS)])
    writer.release()


kept: list[object] = []
for line in sys.stdin:
    verb, *words = line.split()
    print({"open": open_fresh, "hold": hold, "write": write_run, "runs": write_runs}[verb](*words), flush=True)
