"""Whether a child may be forked from this process: of all its threads only the one that forks lives on in the child."""

import os
import sys
import threading
import warnings
from pathlib import Path

_OWN = ("opgraph watch", "opgraph-live")  # our threads that hold no lock which a worker wants
_BEARS_IT = "jemalloc_bg_thd"  # of an allocator (Arrow's, Polars'), which looks after itself when a process is forked


def may_fork() -> bool:
    """Whether a child that is forked now will have all that it needs: no thread runs here that it would miss.

    Libraries that end their threads before a fork (OpenBLAS, under NumPy) are given the occasion first.
    """
    if sys.platform != "linux":  # macOS' own frameworks do not bear it, with or without threads
        return False
    return _count() == 0 or (_others_end() and _count() == 0)


def fork() -> int:
    """`os.fork`, without the warning of Python 3.12 about threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _count() -> int:
    """Threads that run here and that a child might wait for: libraries', event loops', a notebook's."""
    me, ours = threading.get_native_id(), {t.native_id for t in threading.enumerate() if t.name in _OWN}
    found = 0
    for each in os.listdir("/proc/self/task"):  # noqa: PTH208 - names are all there is to it
        if int(each) != me and int(each) not in ours:
            try:
                found += Path(f"/proc/self/task/{each}/comm").read_text().strip() != _BEARS_IT
            except OSError:  # it has just ended
                continue
    return found


def _others_end() -> bool:
    """Fork a child that is over at once: before it is made, libraries that know of forks end their threads."""
    pid = fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True
