"""hamilton: a chain of n functions, nothing stored."""

import sys

from hamilton import ad_hoc_utils, driver

from benchmarks.peers.clocked import clocked

n = int(sys.argv[1])
source = "def f0() -> int:\n    return 1\n" + "".join(
    f"def f{i}(f{i - 1}: int) -> int:\n    return f{i - 1} + 1\n" for i in range(1, n)
)
space: dict[str, object] = {}
exec(source, space)
module = ad_hoc_utils.create_temporary_module(*(space[f"f{i}"] for i in range(n)), module_name="chain")
sys.setrecursionlimit(20_000)
chain = driver.Builder().with_modules(module).build()
clocked(lambda: chain.execute([f"f{n - 1}"]), n, 5)
