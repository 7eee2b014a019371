"""Times a run several times and prints what `__main__.py` reads. The peers' scripts import it."""

import json
import time
from collections.abc import Callable


def clocked(run: Callable[[], object], steps: int, times: int) -> None:
    """Run it once unmeasured, then so many times, and print seconds of CPU and of wall time per step."""
    run()
    found: list[tuple[float, float]] = []
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        found.append(((time.process_time() - cpu) / steps, (time.perf_counter() - wall) / steps))
    print(json.dumps(found))
