"""What a public name says when it is called with arguments that it does not take: an error of ours, with the line and
what may have been meant, where Python would raise a TypeError."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from opgraph.declare.assets.asset_mistakes import UnknownParameter
from opgraph.declare.mistakes import report
from opgraph.declare.unsupported import NOT_YET
from opgraph.errors import InvalidDefinitionError, Mistake, Source

# Made by the thousand, and with one argument; or made by runs, not by users.
_LEFT_ALONE = frozenset({"AssetExecutionContext", "AssetKey", "OpExecutionContext"})


class WrongArguments(Mistake, InvalidDefinitionError, TypeError):
    """Too many arguments by position, or one missing that there must be."""

    owner: str
    problem: str
    says = "{owner}() {problem}"
    mend = "give each argument by its name, in parentheses: `{owner}(...)`; `help({owner})` lists them"


def answering(value: Any) -> Any:
    """A public function that answers so; of a class, what makes its objects. Everything else stays as it is."""
    if isinstance(value, type):
        making = value.__dict__.get("__init__")
        if hasattr(making, "__code__") and value.__name__ not in _LEFT_ALONE:
            value.__init__ = _answering(making, lambda args: type(args[0]).__name__, 1)
        return value
    if hasattr(value, "__code__") and value.__module__.startswith("opgraph."):
        return _answering(value, lambda _: value.__name__, 0)
    return value


def _answering(fn: Any, owner: Callable[[Any], str], bound: int) -> Callable[..., Any]:
    # `owner` tells by the arguments what is called, `bound` how many of them no user gives.
    @wraps(fn)
    def answered(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # from who looks at the error of a test
        try:
            return fn(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # of something that it did
            said = str(error)
        code = fn.__code__
        known = code.co_varnames[bound : code.co_argcount + code.co_kwonlyargcount]
        unknown = [name for name in kwargs if name not in known]
        if not unknown:
            raise WrongArguments(owner(args), said.partition("() ")[2], where=Source.of_caller())
        built = [name for name in known if name not in NOT_YET.get(owner(args), ())]
        for name in unknown:
            report(UnknownParameter(owner(args), name, built, where=Source.of_caller()))
        return answered(*args, **{name: given for name, given in kwargs.items() if name in known})

    return answered
