"""Memory that nothing is in any more goes back to the system: a server is idle most of its time."""

import ctypes
import sys
from typing import Any

_ARENAS, _MAPPED = -8, -3  # `M_ARENA_MAX` and `M_MMAP_THRESHOLD` of <malloc.h>
_C: Any = ctypes.CDLL(None) if sys.platform == "linux" else None


def share_memory() -> None:
    """Let all threads take memory from the same two heaps. By default there are eight for each core, and what one
    thread gave back to its own no other can use. What is large (a plan, a reply) is taken from the system and given
    back by itself: else it leaves holes. To be called before there are threads."""
    if hasattr(_C, "mallopt"):
        _C.mallopt(_ARENAS, 2)
        _C.mallopt(_MAPPED, 65_536)


def give_back() -> None:
    """Give the system what is free. Takes a few milliseconds."""
    if hasattr(_C, "malloc_trim"):
        _C.malloc_trim(0)
