"""Cases of mistakes: a function each, that makes the mistake, filed under the class of error that it must raise."""

from collections.abc import Callable

Cases = dict[str, Callable[..., object]]


def filed(cases: Cases, error: str):
    """File a function as the case of an error, named by its module below `opgraph` and its class."""

    def file(fn):
        assert error not in cases, f"two cases of {error}"
        cases[error] = fn
        return fn

    return file
