"""opgraph: one graph asset of n ops, durable."""

import sys

from benchmarks.peers.clocked import clocked
from benchmarks.programs import op_chain
from opgraph import Instance, materialize

n = int(sys.argv[1])
assets = op_chain(n).assets
with Instance("home") as instance:
    clocked(lambda: materialize(assets, instance=instance), n, 11)
