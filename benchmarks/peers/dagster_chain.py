"""dagster: one graph asset of n ops, durable: an instance on disk, the default I/O manager."""

import os
import sys
import tempfile

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"

import dagster as dg

from benchmarks.peers.clocked import clocked

n = int(sys.argv[1])


@dg.op
def first():
    return 1


@dg.op
def add_one(x):
    return x + 1


@dg.graph_asset
def chain():
    value = first()
    for i in range(n - 1):
        value = add_one.alias(f"add_{i}")(value)
    return value


with tempfile.TemporaryDirectory() as home:
    instance = dg.DagsterInstance.local_temp(home)
    clocked(lambda: dg.materialize([chain], instance=instance), n, 1)
