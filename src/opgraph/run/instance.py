"""The instance: where runs are recorded and values are kept."""

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from opgraph.declare.labels import POOL, checked_tags
from opgraph.declare.ops.materialization import AssetMaterialization, AssetObservation
from opgraph.errors import InvalidInvocationError, Mistake, UnknownRun
from opgraph.events import RunStatus
from opgraph.keys import AssetKey, CoercibleToAssetKey
from opgraph.plan.model import Plan, decode_plan, encode_plan
from opgraph.record.memory import MemoryRecord
from opgraph.record.rows import RUNLESS, Materialized, RunRow
from opgraph.record.sqlite import SqliteRecord
from opgraph.run.logs import NONE, LogSettings, log_settings
from opgraph.run.report.event import EventType
from opgraph.run.report.event_view import events_of, materialization_event
from opgraph.run.report.reported import reported
from opgraph.run.report.retention import DEFAULTS, Retention
from opgraph.run.report.stats import RunStats, StepStats, stats_of, stats_of_steps
from opgraph.run.report.views import (
    AssetEntry,
    AssetRecord,
    AssetRecordsFilter,
    EventRecord,
    EventRecords,
    EventRecordsFilter,
    LogEntry,
    Run,
    RunRecord,
    RunsFilter,
    lines_of,
)
from opgraph.values.files import FileStore
from opgraph.values.store import OwnValues

HOME_VARIABLE: Final = "OPGRAPH_HOME"
DATABASE: Final = "record.db"
MOST_SLOTS: Final = 10_000  # of a pool
VALUES: Final = "values"
CANCELED: Final = "cancel"  # the folder of requests to cancel: a file each, named as the run


_of_parents: list[Any] = []


class NoHome(Mistake):
    """Nothing says where runs are recorded."""

    says = f"no place to record runs in: {HOME_VARIABLE} is not set and no `.opgraph` folder here or above"
    mend = f"set {HOME_VARIABLE} to a folder, run inside a project, or use Instance.ephemeral()"


class BadHome(Mistake):
    """The folder in which runs are to be recorded cannot be made, or is none."""

    home: Path
    cause: OSError
    says = "runs cannot be recorded in {home}: {cause.strerror}"
    mend = f"name a folder that can be written, in code or by {HOME_VARIABLE}"


class BadPoolLimit(InvalidInvocationError):
    """A pool's limit that is no limit, or of a pool that cannot be."""

    def __init__(self, pool: str, slots: int | None) -> None:
        self.pool, self.slots = pool, slots
        named = bool(POOL.fullmatch(pool))
        super().__init__(
            f"pool {pool!r} cannot have {slots} slots" if named else f"{pool!r} is no name of a pool",
            fix=f"give a whole number from 1 to {MOST_SLOTS:,}"
            if named
            else "use letters, digits and `_-./:|,`, at most 100 of them",
        )


class NotOfAnAsset(Mistake, InvalidInvocationError):
    """Something was to be recorded of an asset that is no event of one."""

    given: str
    says = "`report_runless_asset_event` takes what was made or seen of an asset, not a {given}"
    mend = "give an AssetMaterialization or an AssetObservation"


T = TypeVar("T")


def _wanted(given: CoercibleToAssetKey | AssetRecordsFilter) -> AssetRecordsFilter:
    return given if isinstance(given, AssetRecordsFilter) else AssetRecordsFilter(AssetKey.from_coercible(given))


def _page(
    found: Iterator[T], known: int, fits: Callable[[T], bool], limit: int, cursor: str | None, ascending: bool
) -> tuple[list[T], bool, str]:
    """As many as wanted of those found, whether there are more, and the cursor: how many are known that are older than
    the next one of an ascending page, or no newer than that of a descending one, so that what comes moves no page."""
    older = int(cursor) if cursor else 0 if ascending else known
    page: list[T] = []
    for each in islice(found, older if ascending else max(known - older, 0), None):
        if fits(each):
            if len(page) == limit:
                return page, True, str(older)
            page.append(each)
        older += 1 if ascending else -1
    return page, False, str(older)


class Instance:
    """A record of runs and a store of values.

    Args:
        home: the folder of both, made if it is missing; None: everything stays in memory.
        durability: `power` (default): an asset's value and event survive a power cut; `process`: they survive a killed
            process, as intermediates do.
        retention: what clean-up keeps, and for how long; None: nothing is cleaned up after runs.
        python_logs: what else is done with what its runs log; see `log_settings`.

    Example:
        >>> with Instance.ephemeral() as instance:
        ...     instance.get_runs()
        []
    """

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        durability: str = "power",
        retention: Retention | None = DEFAULTS,
        python_logs: Mapping[str, Any] | None = None,
    ) -> None:
        self.retention = retention
        self.logs: LogSettings = log_settings(python_logs or {})
        self.home: Path | None = Path(home).absolute() if home is not None else None
        self.durable = durability == "power" and self.home is not None
        self._folder = ""  # a temporary one, where one was made
        self._canceled: dict[str, str] = {}  # in memory: who asked, by run
        if self.home is None:
            self.record: SqliteRecord | MemoryRecord = MemoryRecord()
            self._files: FileStore | None = None
            self.intermediates = self.assets = OwnValues(FileStore(""), limit=None)
        else:
            try:
                self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as cause:
                raise BadHome(self.home, cause) from cause
            self.record = SqliteRecord(self.home / DATABASE)
            self._files = FileStore(self.home / VALUES)
            self.intermediates = OwnValues(self._files)
            self.assets = OwnValues(self._files, limit=-1)  # a file each: an asset's value is there to be found

    @staticmethod
    def ephemeral(tempdir: str | None = None, **_: Any) -> "Instance":
        """An instance in memory, gone with the object. `tempdir` is not read; code written for Dagster gives it."""
        del tempdir
        return Instance()

    @staticmethod
    def get() -> "Instance":
        """The instance of `OPGRAPH_HOME`, else of the nearest `.opgraph` folder, here or above.

        Raises:
            NoHome: there is neither.
        """
        home = os.environ.get(HOME_VARIABLE)
        if home:
            return Instance(home)
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / ".opgraph").is_dir():
                return Instance(folder / ".opgraph")
        raise NoHome

    @staticmethod
    def local_temp(tempdir: str | Path | None = None, overrides: Mapping[str, Any] | None = None) -> "Instance":
        """An instance on disk, in a folder given or in a temporary one that goes when the instance is closed.

        Of `overrides`, which code written for Dagster gives, `python_logs` is read.
        """
        logs = (overrides or {}).get("python_logs")
        if tempdir is not None:
            return Instance(tempdir, python_logs=logs)
        folder = tempfile.mkdtemp(prefix="opgraph-")
        instance = Instance(folder, python_logs=logs)
        instance._keep_until_the_end(folder)
        return instance

    @property
    def storage(self) -> str:
        """The folder of values; for an instance in memory a temporary one, made when it is asked for."""
        if self.home is not None:
            return str(self.home / VALUES)
        if not self._folder:
            self._keep_until_the_end(tempfile.mkdtemp(prefix="opgraph-"))
        return self._folder

    def _keep_until_the_end(self, folder: str) -> None:
        self._folder = folder
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def storage_directory(self) -> str:
        """The folder of values."""
        return self.storage

    @property
    def is_ephemeral(self) -> bool:
        """Whether it is gone with this process."""
        return self.home is None

    # -- what it knows --------------------------------------------------------------

    def get_run_by_id(self, run_id: str) -> Run | None:
        """A run, if there is one of this id."""
        row = self.record.run(run_id)
        return Run(row) if row is not None else None

    def get_runs(
        self, filters: RunsFilter | None = None, cursor: str | None = None, limit: int | None = None
    ) -> Sequence[Run]:
        """Runs, the newest first."""
        wanted = filters or RunsFilter()
        rows = self.record.runs(
            status=[RunStatus(status) for status in wanted.statuses or ()],
            job=wanted.job_name,
            limit=None,
            before=cursor,
        )
        found = islice((row for row in rows if wanted.fits(row)), limit)
        return [Run(self.record.run(row.run_id) or row) for row in found]

    def get_run_ids(
        self, filters: RunsFilter | None = None, cursor: str | None = None, limit: int | None = None
    ) -> Sequence[str]:
        """The ids of runs, the newest first."""
        return [run.run_id for run in self.get_runs(filters, cursor, limit)]

    def get_run_records(self, filters: RunsFilter | None = None, limit: int | None = None) -> Sequence[RunRecord]:
        """Runs with their times, the newest first."""
        return [RunRecord(run) for run in self.get_runs(filters, limit=limit)]

    def get_run_record_by_id(self, run_id: str) -> RunRecord | None:
        """A run with its times, if there is one of this id."""
        run = self.get_run_by_id(run_id)
        return RunRecord(run) if run is not None else None

    def get_runs_count(self, filters: RunsFilter | None = None) -> int:
        """How many runs there are."""
        return len(self.get_runs(filters))

    def has_run(self, run_id: str) -> bool:
        """Whether there is a run of this id."""
        return self.record.run(run_id) is not None

    def all_logs(
        self, run_id: str, of_type: EventType | AbstractSet[EventType] | None = None
    ) -> Sequence[EventRecord | LogEntry]:
        """Everything that happened in a run and, unless kinds of events are named, what its steps logged, in order.

        Raises:
            RunNotFoundError: there is no such run.
        """
        row, events = self._events(run_id, of_type)
        if of_type is not None:
            return events
        lines = lines_of(row, self.record.facts(run_id), self.record.logs(run_id))
        return list(merge(events, lines, key=lambda each: each.timestamp)) if lines else events

    def _events(
        self, run_id: str, of_type: EventType | AbstractSet[EventType] | None
    ) -> tuple[RunRow, list[EventRecord]]:
        row = self.record.run(run_id)
        if row is None:
            raise UnknownRun(run_id)
        kinds = {of_type} if isinstance(of_type, EventType) else of_type
        found = events_of(row, self.record.facts(run_id))
        return row, [EventRecord(e, run_id, e.timestamp) for e in found if kinds is None or e.event_type in kinds]

    def get_records_for_run(
        self,
        run_id: str,
        of_type: EventType | AbstractSet[EventType] | None = None,
        limit: int | None = None,
        ascending: bool = True,
    ) -> EventRecords:
        """The events of a run, the oldest first or the newest first, as many as wanted.

        Raises:
            RunNotFoundError: there is no such run.
        """
        _, found = self._events(run_id, of_type)
        ordered = found if ascending else found[::-1]
        return EventRecords(ordered[:limit], limit is not None and len(ordered) > limit)

    def get_event_records(
        self, event_records_filter: EventRecordsFilter, limit: int | None = None, ascending: bool = False
    ) -> Sequence[EventRecord]:
        """Events of all runs, the newest first, or the oldest first.

        Materializations or observations of one asset are found at once; for others, every run is read until there are
        enough.
        """
        wanted = event_records_filter
        about = {
            EventType.ASSET_MATERIALIZATION: self._materializations,
            EventType.ASSET_OBSERVATION: self._observations,
        }
        if wanted.asset_key is not None and wanted.event_type in about:
            known = about[wanted.event_type](wanted.asset_key, ascending)
            return list(islice((each for each in known if wanted.fits(each)), limit))
        ids = [row.run_id for row in self.record.runs()]
        found = (
            each
            for run_id in (reversed(ids) if ascending else ids)
            for each in self.get_records_for_run(run_id, event_records_filter.event_type, ascending=ascending)
            if event_records_filter.fits(each)
        )
        runless = self._events(RUNLESS, event_records_filter.event_type)[1] if self.has_run(RUNLESS) else []
        if not runless:
            return list(islice(found, limit))
        said = [each for each in (runless if ascending else runless[::-1]) if event_records_filter.fits(each)]
        return list(islice(merge(found, said, key=lambda each: each.timestamp, reverse=not ascending), limit))

    def get_latest_materialization_event(self, asset_key: CoercibleToAssetKey) -> EventRecord | None:
        """The last materialization of an asset, if there is one."""
        key = AssetKey.from_coercible(asset_key).text
        found = self.record.latest([key]).get(key)
        return self._materialized(found) if found is not None else None

    def fetch_materializations(
        self,
        records_filter: CoercibleToAssetKey | AssetRecordsFilter,
        limit: int = 100,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> EventRecords:
        """The materializations of an asset, the newest first or the oldest first.

        Args:
            records_filter: the asset, with times if wanted.
            limit: how many at most.
            cursor: of the page before.
            ascending: whether the oldest comes first.
        """
        wanted = _wanted(records_filter)
        known = self.record.history(wanted.asset_key.text)
        found = reversed(known) if ascending else iter(known)
        page, more, behind = _page(found, len(known), lambda each: wanted.fits(each.time), limit, cursor, ascending)
        return EventRecords([self._materialized(each) for each in page], more, behind)

    def fetch_observations(
        self,
        records_filter: CoercibleToAssetKey | AssetRecordsFilter,
        limit: int = 100,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> EventRecords:
        """The observations of an asset, the newest first or the oldest first.

        Args: see `fetch_materializations`.
        """
        wanted = _wanted(records_filter)
        known = len(self.record.observed(wanted.asset_key.text))
        found = self._observations(wanted.asset_key, ascending)
        return EventRecords(*_page(found, known, lambda each: wanted.fits(each.timestamp), limit, cursor, ascending))

    def get_asset_records(self, asset_keys: Sequence[AssetKey] | None = None) -> Sequence[AssetRecord]:
        """What is known of these assets, or of all: of each that has a materialization, the last one."""
        keys = self.record.assets() if asset_keys is None else [key.text for key in asset_keys]
        return [
            AssetRecord(AssetEntry(AssetKey(key), self._materialized(found)))
            for key, found in self.record.latest(keys).items()
        ]

    def get_latest_materialization_code_versions(
        self, asset_keys: Iterable[CoercibleToAssetKey]
    ) -> Mapping[AssetKey, str | None]:
        """The `code_version` that each asset had when it was last materialized; None: it had none, or never was."""
        keys = [AssetKey.from_coercible(key) for key in asset_keys]
        found = self.record.latest([key.text for key in keys])
        return {key: self._code_version(found[key.text]) if key.text in found else None for key in keys}

    def _code_version(self, found: Materialized) -> str | None:
        row = self.record.run(found.run_id)
        steps = decode_plan(row.plan).steps if row is not None and row.plan else ()
        outputs = steps[found.step].outputs if 0 <= found.step < len(steps) else ()
        return next((out.version for out in outputs if out.asset == found.asset and out.version), None)

    def _materializations(self, asset_key: AssetKey, ascending: bool) -> Iterator[EventRecord]:
        known = self.record.history(asset_key.text)
        return map(self._materialized, reversed(known) if ascending else known)

    def _observations(self, asset_key: AssetKey, ascending: bool) -> Iterator[EventRecord]:
        known = self.record.observed(asset_key.text)
        told: dict[str, dict[int, EventRecord]] = {}  # by run and number; a run is read whole, which names its steps
        for run_id, seq in reversed(known) if ascending else known:
            if run_id not in told:
                numbers = [number for each, number in known if each == run_id]
                seen = [e for e in self._events(run_id, EventType.ASSET_OBSERVATION)[1] if e.asset_key == asset_key]
                told[run_id] = dict(zip(numbers, reversed(seen), strict=False))
            yield told[run_id][seq]

    def _materialized(self, found: Materialized) -> EventRecord:
        row = self.record.run(found.run_id)
        assert row is not None
        if found.run_id == RUNLESS:
            event = events_of(row, self.record.facts(RUNLESS, found.seq - 1)[:1])[0]
        else:
            event = materialization_event(row, found)
        return EventRecord(event, found.run_id, found.time)

    # -- what people say of assets and runs -------------------------------------------

    def report_runless_asset_event(self, asset_event: AssetMaterialization | AssetObservation) -> None:
        """Record that an asset was made, or what was seen of it, by something that is no run.

        Raises:
            NotOfAnAsset: it is neither a materialization nor an observation.

        Example:
            >>> with Instance.ephemeral() as instance:
            ...     instance.report_runless_asset_event(AssetMaterialization("orders", metadata={"rows": 3}))
            ...     instance.has_asset_key("orders")
            True
        """
        if not isinstance(asset_event, (AssetMaterialization, AssetObservation)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise NotOfAnAsset(type(asset_event).__name__)
        now = time.time()
        row = RunRow(run_id=RUNLESS, created=now, status=RunStatus.SUCCESS, plan=encode_plan(Plan(job="", steps=())))
        self.record.report(row, reported(asset_event, 0, 0, now))

    def wipe_assets(self, asset_keys: Sequence[AssetKey]) -> None:
        """Forget that these assets were ever materialized. The runs stay; clean-up removes the values."""
        self.record.forget_assets([AssetKey.from_coercible(key).text for key in asset_keys])

    def add_run_tags(self, run_id: str, new_tags: Mapping[str, str]) -> None:
        """Add tags to a run, in place of those of the same key.

        Raises:
            RunNotFoundError: there is no such run.
            InvalidDefinitionError: a key or value is no valid tag.
        """
        self.record.tag_run(run_id, checked_tags(f"run {run_id}", new_tags, None))

    def get_run_stats(self, run_id: str) -> RunStats:
        """How many steps of a run succeeded and failed, and what it materialized.

        Raises:
            RunNotFoundError: there is no such run.
        """
        row, events = self._events(run_id, None)
        return stats_of(row, events)

    def get_run_step_stats(self, run_id: str, step_keys: Sequence[str] | None = None) -> Sequence[StepStats]:
        """How each step of a run that has begun stands, or each of those named.

        Raises:
            RunNotFoundError: there is no such run.
        """
        _, events = self._events(run_id, None)
        return [each for each in stats_of_steps(events) if step_keys is None or each.step_key in step_keys]

    # -- assets -------------------------------------------------------------------------

    def get_asset_keys(self) -> Sequence[AssetKey]:
        """The assets of which a materialization is recorded."""
        return [AssetKey(text) for text in self.record.assets()]

    all_asset_keys = get_asset_keys

    def has_asset_key(self, asset_key: CoercibleToAssetKey) -> bool:
        """Whether a materialization of this asset is recorded."""
        key = AssetKey.from_coercible(asset_key).text
        return key in self.record.latest([key])

    # -- pools ----------------------------------------------------------------------------

    def set_pool_limit(self, pool: str, slots: int | None) -> None:
        """Let only so many steps that name this pool run at once, in all runs recorded here; None: any number.

        Raises:
            BadPoolLimit: there can be no such pool, or not so many slots.

        Example:
            >>> with Instance.ephemeral() as instance:
            ...     instance.set_pool_limit("warehouse", 2)
            ...     instance.get_pool_limits()
            {'warehouse': 2}
        """
        if not POOL.fullmatch(pool) or not (slots is None or 1 <= slots <= MOST_SLOTS):
            raise BadPoolLimit(pool, slots)
        self.record.limit_pool(pool, slots)

    def get_pool_limits(self) -> Mapping[str, int]:
        """The pools that have a limit."""
        return {pool: slots for pool, (slots, _) in self.record.pools().items()}

    # -- cancelling -----------------------------------------------------------------------

    def request_cancel(self, run_id: str, by: str) -> None:
        """Ask whoever drives a run to cancel it; the driver looks ten times a second."""
        if self.home is None:
            self._canceled[run_id] = by
            return
        folder = self.home / CANCELED
        folder.mkdir(mode=0o700, exist_ok=True)
        written = folder / f".{run_id}.{os.getpid()}"  # renamed when it is whole: the driver may look at any moment
        written.touch(mode=0o600)
        written.write_text(by)
        written.replace(folder / run_id)

    def cancel_requested(self, run_id: str) -> str:
        """Who asked for a run to be cancelled; empty: nobody."""
        if self.home is None:
            return self._canceled.get(run_id, "")
        try:
            return (self.home / CANCELED / run_id).read_text()
        except OSError:
            return ""

    def forget_cancel(self, run_id: str) -> None:
        """A request that was carried out, or that came too late."""
        if self.home is None:
            self._canceled.pop(run_id, None)
        else:
            (self.home / CANCELED / run_id).unlink(missing_ok=True)

    # -- other processes ----------------------------------------------------------------

    def share(self) -> None:
        """Before processes are forked that use it too: a temporary folder is made now, so that all have the same."""
        _ = self.storage

    def after_fork(self) -> None:
        """In a forked child: a connection to the database is its parent's, so the child opens its own when it needs it.

        An instance in memory stays as it was at that time.
        """
        if self.home is not None and "record" in self.__dict__:
            _of_parents.append(self.__dict__.pop("record"))  # never closed here: that would end the parent's locks

    def __getstate__(self) -> dict[str, Any]:
        """As it goes to another host: the folders are shared, the database is opened when somebody needs it there."""
        state = {name: value for name, value in vars(self).items() if name not in ("record", "_remove")}
        return state | {"logs": NONE, "_canceled": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.home is None:
            self.record = MemoryRecord()

    def __getattr__(self, name: str) -> Any:
        if name == "record" and self.__dict__.get("home") is not None:
            self.record = SqliteRecord(self.__dict__["home"] / DATABASE)
            return self.record
        raise AttributeError(f"{type(self).__name__} has no '{name}'", name=name, obj=self)

    # -- its end ----------------------------------------------------------------------

    def close(self) -> None:
        """Close the database. Values of an instance in memory are gone."""
        self.record.close()
        if self._folder:
            self._remove()
            self._folder = ""

    dispose = close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
