"""What a record gives back: a run, and a materialization of an asset."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from opgraph.events import Kept, RunStatus, Stored

RUNLESS: Final = ""  # the id under which is kept what people report of assets outside any run; no list of runs has it


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
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])  # how it was to be driven, if anybody said
    cleaned: float | None = None  # when its intermediates were cleaned up


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Memoized:
    """What a step stored once, and all that it depended on.

    `parts` are hashes and data versions by name; `fingerprint` is made of them. `absent` are outputs that were asked
    for and did not come: one that is in neither was not asked for.
    """

    step: str  # unit and key
    fingerprint: str
    parts: Mapping[str, str]
    kept: tuple[Kept, ...]
    absent: tuple[str, ...] = ()
    time: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return sum(each.stored.size for each in self.kept)

    def is_of(self, assets: Collection[str]) -> bool:
        """Whether one of its values is one of these assets."""
        return any(each.stored.asset in assets for each in self.kept if each.stored.asset is not None)

    def joined(self, older: "Memoized") -> "Memoized":
        """With the outputs of an older one of the same fingerprint that this one was not asked for."""
        known = {each.stored.output for each in self.kept}.union(self.absent)
        kept = tuple(each for each in older.kept if each.stored.output not in known)
        absent = tuple(name for name in older.absent if name not in known)
        return replace(self, kept=(*self.kept, *kept), absent=(*self.absent, *absent))
