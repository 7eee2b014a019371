"""Runs and their steps in numbers, counted from their events."""

import enum
from collections.abc import Iterable, Sequence

from msgspec import Struct

from opgraph.record.rows import RunRow
from opgraph.run.report.event import EventType
from opgraph.run.report.views import EventRecord


class RunStats(Struct, frozen=True, kw_only=True):
    """A run in numbers. Times are in seconds since 1970."""

    run_id: str
    steps_succeeded: int
    steps_failed: int
    materializations: int
    expectations: int = 0  # there are none
    enqueued_time: float | None = None
    launch_time: float | None = None
    start_time: float | None
    end_time: float | None


class StepStatus(enum.Enum):
    """How a step stands."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    SKIPPED = "SKIPPED"


class StepStats(Struct, kw_only=True):
    """A step of a run in numbers. Times are in seconds since 1970."""

    run_id: str
    step_key: str
    status: StepStatus = StepStatus.IN_PROGRESS
    start_time: float | None = None
    end_time: float | None = None
    attempts: int = 0
    materialization_events: list[EventRecord] = []


_ENDS = {
    EventType.STEP_SUCCESS: StepStatus.SUCCESS,
    EventType.STEP_FAILURE: StepStatus.FAILURE,
    EventType.STEP_SKIPPED: StepStatus.SKIPPED,
}


def stats_of(row: RunRow, events: Iterable[EventRecord]) -> RunStats:
    """A run in numbers, of its events."""
    kinds = [each.event_type for each in events]
    return RunStats(
        run_id=row.run_id,
        steps_succeeded=kinds.count(EventType.STEP_SUCCESS),
        steps_failed=kinds.count(EventType.STEP_FAILURE),
        materializations=kinds.count(EventType.ASSET_MATERIALIZATION),
        enqueued_time=None,
        start_time=row.started,
        end_time=row.ended,
    )


def stats_of_steps(events: Iterable[EventRecord]) -> Sequence[StepStats]:
    """The steps that have begun, or were skipped, in the order in which they did."""
    found: dict[str, StepStats] = {}
    for each in events:
        kind, key = each.event_type, each.step_key
        if key is None:
            continue
        if kind in (EventType.STEP_START, EventType.STEP_RESTARTED, EventType.STEP_SKIPPED):
            step = found.setdefault(key, StepStats(run_id=each.run_id, step_key=key, start_time=each.timestamp))
            step.attempts += kind is not EventType.STEP_SKIPPED
        if key in found and kind in _ENDS:
            found[key].status, found[key].end_time = _ENDS[kind], each.timestamp
        elif key in found and kind is EventType.ASSET_MATERIALIZATION:
            found[key].materialization_events.append(each)
    return list(found.values())
