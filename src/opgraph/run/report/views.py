"""What the instance knows of runs, as users read it."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from msgspec import Struct

from opgraph.declare.ops.materialization import AssetMaterialization, AssetObservation
from opgraph.events import AnyFact, LogLine, RunStatus
from opgraph.keys import AssetKey
from opgraph.plan.model import Plan, decode_plan
from opgraph.record.rows import RunRow
from opgraph.run.report.event import (
    AssetObservationData,
    Event,
    EventType,
    StepMaterializationData,
)
from opgraph.run.report.event_view import events_of, materialization_event
from opgraph.run.report.made import Made

__all__ = [
    "EventRecord",
    "EventRecords",
    "EventRecordsFilter",
    "LogEntry",
    "Run",
    "RunRecord",
    "RunsFilter",
    "events_of",
    "materialization_event",
]

_RESUMABLE = frozenset({RunStatus.FAILURE, RunStatus.CANCELED})


class Run:
    """A run, as it was when it was read from the instance. Equal to another that has the same id.

    Args:
        row: what the record has of it.

    Example:
        >>> run = instance.get_runs(limit=1)[0]
        >>> run.is_failure, run.tags
        (False, {'team': 'data'})
    """

    __slots__ = ("_plan", "row")

    def __init__(self, row: RunRow) -> None:
        self.row = row
        self._plan: Plan | None = None

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.row.run_id

    @property
    def job_name(self) -> str:
        """The job that it runs."""
        return self.row.job

    @property
    def status(self) -> RunStatus:
        """Where it stands."""
        return self.row.status

    @property
    def tags(self) -> Mapping[str, str]:
        """Its labels."""
        return dict(self.row.tags)

    @property
    def run_config(self) -> Mapping[str, Any]:
        """The configuration that it was given."""
        return self.plan.config

    @property
    def parent_run_id(self) -> str | None:
        """The run that this one re-executes."""
        return self.row.parent

    @property
    def root_run_id(self) -> str | None:
        """The first of the runs that re-execute one another; None where this one re-executes none."""
        return self.row.root

    previous_run_id = parent_run_id

    def get_parent_run_id(self) -> str | None:
        """The same as `parent_run_id`."""
        return self.row.parent

    def get_root_run_id(self) -> str | None:
        """The same as `root_run_id`."""
        return self.row.root

    @property
    def plan(self) -> Plan:
        """What it was to do, and why. Empty where the run was read without its plan."""
        if self._plan is None:
            self._plan = decode_plan(self.row.plan) if self.row.plan else Plan(job=self.row.job, steps=())
        return self._plan

    @property
    def asset_selection(self) -> frozenset[AssetKey] | None:
        """The assets that were asked for; None for a job over ops."""
        keys = self.plan.selection
        return frozenset(AssetKey(key) for key in keys) if keys else None

    @property
    def created(self) -> float:
        """When it was made, in seconds since 1970."""
        return self.row.created

    @property
    def start_time(self) -> float | None:
        """When it first started, in seconds since 1970."""
        return self.row.started

    @property
    def end_time(self) -> float | None:
        """When it ended, in seconds since 1970."""
        return self.row.ended

    @property
    def is_finished(self) -> bool:
        """Whether its status is final."""
        return self.row.status.is_final

    @property
    def is_success(self) -> bool:
        """Whether it succeeded."""
        return self.row.status is RunStatus.SUCCESS

    @property
    def is_failure(self) -> bool:
        """Whether it failed."""
        return self.row.status is RunStatus.FAILURE

    @property
    def is_failure_or_canceled(self) -> bool:
        """Whether it failed or was cancelled."""
        return self.row.status in _RESUMABLE

    is_resumable = is_failure_or_canceled  # a run whose process died does not say so

    @property
    def is_cancelable(self) -> bool:
        """Whether there is anything left to cancel."""
        return not self.row.status.is_final and self.row.status is not RunStatus.CANCELING

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.row.run_id == other.row.run_id

    def __hash__(self) -> int:
        return hash(self.row.run_id)

    def __repr__(self) -> str:
        return f"Run({self.run_id!r}, job_name={self.job_name!r}, status={self.status.name})"


@dataclass(frozen=True)
class RunsFilter:
    """Which runs are wanted: all conditions hold. A tag may be given several values, one of which must hold.

    Times are aware, or in local time.

    Example:
        >>> instance.get_runs(RunsFilter(statuses=[RunStatus.FAILURE], tags={"team": "data"}))
        []
    """

    run_ids: Sequence[str] | None = None
    job_name: str | None = None
    statuses: Sequence[RunStatus] | None = None
    tags: Mapping[str, str | Sequence[str]] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def fits(self, row: RunRow) -> bool:
        """Whether a run is wanted."""
        return (
            (self.run_ids is None or row.run_id in self.run_ids)
            and (self.job_name is None or row.job == self.job_name)
            and (not self.statuses or row.status in self.statuses)
            and all(_one_of(row.tags.get(key), value) for key, value in (self.tags or {}).items())
            and (self.created_after is None or row.created > self.created_after.timestamp())
            and (self.created_before is None or row.created < self.created_before.timestamp())
        )


def _one_of(value: str | None, wanted: str | Sequence[str]) -> bool:
    return value == wanted if isinstance(wanted, str) else value in wanted


class EventRecord(Struct, frozen=True, eq=False):
    """An event as the instance gives it back: with its run and its time (seconds since 1970)."""

    event: Event
    run_id: str
    timestamp: float

    is_dagster_event: ClassVar[bool] = True  # a line of log is a `LogEntry`

    @property
    def dagster_event(self) -> Event:
        """The event."""
        return self.event

    def get_dagster_event(self) -> Event:
        """The event."""
        return self.event

    @property
    def event_log_entry(self) -> "EventRecord":
        """This record: Dagster has two classes for it."""
        return self

    @property
    def event_type(self) -> EventType:
        """The event's kind."""
        return self.event.event_type

    dagster_event_type = event_type

    @property
    def message(self) -> str:
        """The event, for people."""
        return self.event.message

    user_message = message

    @property
    def job_name(self) -> str:
        """The job that the run ran."""
        return self.event.job_name

    @property
    def step_key(self) -> str | None:
        """The step."""
        return self.event.step_key

    @property
    def asset_key(self) -> AssetKey | None:
        """The asset it is about, if it is about one."""
        return self.event.asset_key

    @property
    def partition_key(self) -> str | None:
        """The asset's partition; runs have none yet."""
        return self.event.partition

    @property
    def asset_materialization(self) -> AssetMaterialization | None:
        """What was materialized, if it is a materialization."""
        details = self.event.event_specific_data
        return details.materialization if isinstance(details, StepMaterializationData) else None

    @property
    def asset_observation(self) -> AssetObservation | None:
        """What was observed, if it is an observation."""
        details = self.event.event_specific_data
        return details.asset_observation if isinstance(details, AssetObservationData) else None


class LogEntry(Struct, frozen=True, eq=False):
    """A line that a step logged, among the events of its run. It is no event, and says so."""

    run_id: str
    job_name: str
    step_key: str | None  # None: the run itself, or a resource of it
    timestamp: float  # seconds since 1970
    level: int  # as in `logging`
    message: str
    logger: str

    @property
    def user_message(self) -> str:
        """The line."""
        return self.message

    @property
    def event(self) -> None:
        """Nothing: it is no event."""

    dagster_event = event_type = asset_key = event
    is_dagster_event: ClassVar[bool] = False


def lines_of(row: RunRow, facts: Iterable[tuple[int, AnyFact]], lines: Iterable[tuple[int, LogLine]]) -> list[LogEntry]:
    """What the steps of a run logged, in order; not what they printed."""
    logged = [line for _, line in lines if line.level not in ("STDOUT", "STDERR")]
    if not logged:
        return []
    made = Made(decode_plan(row.plan), facts)
    levels = logging.getLevelNamesMapping()
    return [
        LogEntry(
            row.run_id,
            row.job,
            made.keys[line.step] if line.step >= 0 else None,
            line.time,
            levels.get(line.level, logging.INFO),
            line.text,
            line.logger,
        )
        for line in logged
    ]


class RunRecord(Struct, frozen=True, eq=False):
    """A run as the instance gives it back. Times are in seconds since 1970."""

    dagster_run: Run

    @property
    def start_time(self) -> float | None:
        """When it started."""
        return self.dagster_run.start_time

    @property
    def end_time(self) -> float | None:
        """When it ended."""
        return self.dagster_run.end_time

    @property
    def create_timestamp(self) -> datetime:
        """When it was made."""
        return datetime.fromtimestamp(self.dagster_run.created, UTC)


@dataclass(frozen=True)
class EventRecordsFilter:
    """Which events are wanted: all conditions hold. Times are in seconds since 1970.

    Example:
        >>> instance.get_event_records(EventRecordsFilter(EventType.ASSET_MATERIALIZATION, AssetKey("flights")))
        []
    """

    event_type: EventType
    asset_key: AssetKey | None = None
    after_timestamp: float | None = None
    before_timestamp: float | None = None

    def fits(self, record: EventRecord) -> bool:
        """Whether an event is wanted."""
        return (
            record.event_type is self.event_type
            and (self.asset_key is None or record.asset_key == self.asset_key)
            and (self.after_timestamp is None or record.timestamp > self.after_timestamp)
            and (self.before_timestamp is None or record.timestamp < self.before_timestamp)
        )


@dataclass(frozen=True)
class AssetRecordsFilter:
    """Which events of an asset are wanted: all conditions hold. Times are in seconds since 1970.

    Example:
        >>> instance.fetch_materializations(AssetRecordsFilter(AssetKey("flights"), after_timestamp=1.7e9), limit=3)
        EventRecords(records=[], has_more=False, cursor='0')
    """

    asset_key: AssetKey
    after_timestamp: float | None = None
    before_timestamp: float | None = None

    def fits(self, at: float) -> bool:
        """Whether something of this time is wanted."""
        after, before = self.after_timestamp, self.before_timestamp
        return (after is None or at > after) and (before is None or at < before)


class AssetEntry(Struct, frozen=True, eq=False):
    """What is known of an asset that was materialized."""

    asset_key: AssetKey
    last_materialization_record: EventRecord

    @property
    def last_materialization(self) -> EventRecord:
        """Its last materialization: Dagster has two classes for it."""
        return self.last_materialization_record

    @property
    def last_run_id(self) -> str:
        """The run that made it last; empty: none, it was reported."""
        return self.last_materialization_record.run_id


class AssetRecord(Struct, frozen=True, eq=False):
    """An asset as the instance gives it back."""

    asset_entry: AssetEntry


class EventRecords(Struct, frozen=True):
    """Some of many records. `has_more` says whether there are others after them; `cursor` asks for those."""

    records: Sequence[EventRecord]
    has_more: bool = False
    cursor: str = ""

    def __iter__(self) -> Iterator[EventRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> EventRecord:
        return self.records[index]
