"""Python's collector of cycles, held off where thousands of objects are made and none of them is garbage."""

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def unswept(fn: Callable[P, R]) -> Callable[P, R]:
    """A function during which nothing is collected: the collector would look at all that is made, again and again (half
    of the time that 10,000 assets take), and find nothing. Where it is off already, it stays off."""

    @wraps(fn)
    def made(*args: P.args, **kwargs: P.kwargs) -> R:
        if not gc.isenabled():
            return fn(*args, **kwargs)
        gc.disable()
        try:
            return fn(*args, **kwargs)
        finally:
            gc.enable()

    return made
