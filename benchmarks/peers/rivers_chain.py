"""rivers: one graph asset of n tasks, each value a pickle file, the record in its embedded store."""

import sys
import tempfile

import rivers as rs
from obstore.store import LocalStore

from benchmarks.peers.clocked import clocked

n = int(sys.argv[1])


@rs.Task
def first() -> int:
    return 1


def add_one(x: int) -> int:
    return x + 1


tasks = [rs.Task(name=f"add_{i}")(add_one) for i in range(n - 1)]  # it takes one task once in a graph


def body():
    value = first()
    for task in tasks:
        value = task(value)
    return value


with tempfile.TemporaryDirectory() as folder:
    values = rs.PickleIOHandler(store=LocalStore(folder))
    chain = rs.Asset.from_graph(name="chain", io_handler=values, node_io_handler=values)(body)
    repository = rs.CodeRepository(assets=[chain], tasks=[first, *tasks])
    clocked(repository.materialize, n, 1)
