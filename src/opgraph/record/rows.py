"""What a record gives back: a run, and a materialization of an asset."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from opgraph.events import RunStatus, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as the record knows it. Times are seconds since 1970.

    `plan` is the serialized plan; `Runs.run` brings it, the list of `Runs.runs` leaves it empty.
    `started` and `ended` follow from the run's facts; `epoch` counts the processes that have claimed it.
    """

    run_id: str
    created: float
    job: str = ""
    status: RunStatus = RunStatus.NOT_STARTED
    parent: str | None = None  # the run that this one re-executes
    root: str | None = None  # the first of that line
    plan: bytes = b""
    code: str = ""  # hash of the code it was planned from
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    started: float | None = None
    ended: float | None = None
    epoch: int = 0
    who: str = ""
    why: str = ""
    executor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialized:
    """One materialization: the run, the number of the fact that announced it, and what that fact said.

    A materialization that user code reported itself has a `stored` of `Place.NONE`.
    """

    asset: str
    run_id: str
    seq: int
    step: int
    time: float
    stored: Stored
