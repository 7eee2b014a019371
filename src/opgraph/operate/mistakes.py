"""Mistakes in calls that run something, or load what a run made."""

from collections.abc import Sequence

from opgraph.errors import InvalidInvocationError, InvariantViolationError, RunNotFoundError, Source
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


class RunIdTaken(InvalidInvocationError):
    """A run was to be made under an id that another one has."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"there is a run `{run_id}` already", where=Source.of_caller(), fix="give another id, or none")


class NotMadeByRun(RunNotFoundError):
    """The value of an asset was asked for as a run made it that made none."""

    def __init__(self, run_id: str, key: AssetKey) -> None:
        self.run_id, self.key = run_id, key
        super().__init__(
            f"run `{run_id}` made no `{key.text}`",
            where=Source.of_caller(),
            fix=f"`opgraph show {key.text}` lists the runs that did",
        )
