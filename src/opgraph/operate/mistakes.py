"""Mistakes in calls that run something, or load what a run made."""

from collections.abc import Sequence

from opgraph.errors import InvalidInvocationError, InvariantViolationError, Mistake, RunNotFoundError, Source
from opgraph.keys import AssetKey


class ManagersInMemory(InvariantViolationError):
    """`materialize_to_memory` was given a resource under the key of an I/O manager, which it would not use."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        named = ", ".join(f"`{key}`" for key in keys)
        super().__init__(
            f"materialize_to_memory stores nothing, but {named} is given as a resource and is an I/O manager's key",
            where=Source.of_caller(),
            fix="leave it out, or use `materialize`",
        )


class RunIdTaken(Mistake, InvalidInvocationError):
    """A run was to be made under an id that another one has."""

    run_id: str
    says = "there is a run `{run_id}` already"
    mend = "give another id, or none"
    at_caller = True


class NotMadeByRun(Mistake, RunNotFoundError):
    """The value of an asset was asked for as a run made it that made none."""

    run_id: str
    key: AssetKey
    says = "run `{run_id}` made no `{key.text}`"
    mend = "`opgraph show {key.text}` lists the runs that did"
    at_caller = True
