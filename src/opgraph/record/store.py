"""The contract of a record. What holds for one implementation holds for all: `tests/contracts/test_record.py`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, Self

from opgraph.events import AnyFact, AssetReported, LogLine, RunStatus
from opgraph.record.rows import Materialized, Memoized, RunRow

_PORTION = 1_000  # appends read at once


class Writer(Protocol):
    """The one hand that writes a run's facts: it holds the run's lease, under an epoch of its own."""

    @property
    def run_id(self) -> str:
        """The run that it writes."""
        ...

    @property
    def epoch(self) -> int:
        """How many processes have claimed the run, this one included."""
        ...

    @property
    def next_seq(self) -> int:
        """The number that the next fact will get. A run's facts are numbered from 1."""
        ...

    def append(
        self,
        facts: Sequence[AnyFact],
        values: Sequence[bytes | None] = (),
        logs: Sequence[LogLine] = (),
        *,
        durable: bool = False,
    ) -> int:
        """Records facts, their values and lines of log: all of them, or nothing.

        The run's status and the catalog of assets change with them. A final status never changes.

        Args:
            facts: in the order in which they happened.
            values: the inline bytes that belong to each fact; may be shorter than `facts`.
            logs: lines that were said meanwhile.
            durable: whether it must survive a power cut, not only the death of this process.

        Returns:
            The number of the first fact.

        Raises:
            SupersededError: another process has claimed the run since; nothing was written.
            UnusableRecordError: the disk is full or refuses; nothing was written.
        """
        ...

    def release(self) -> None:
        """Ends the lease. The writer can't be used afterwards."""
        ...


class Runs(Protocol):
    """The runs and who drives them."""

    def create(self, row: RunRow) -> None:
        """Records a run that nobody drives yet; the row's epoch is not read."""
        ...

    def claim(self, run_id: str, *, pid: int, host: str, now: float) -> Writer:
        """Takes the run's lease and begins its next epoch.

        Raises:
            RunHeldError: a living process drives the run.
            RunNotFoundError: no run has this id.
        """
        ...

    def run(self, run_id: str) -> RunRow | None:
        """The run, with its plan."""
        ...

    def runs(
        self,
        *,
        status: Sequence[RunStatus] = (),
        job: str | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> list[RunRow]:
        """The runs, newest first and without their plans; `before` names the run that ended the last page."""
        ...

    def alive(self, run_id: str) -> bool:
        """Whether a living process holds the run's lease."""
        ...

    def close(self) -> None:
        """Gives back files. Leases end with the last record that this process has open on the same file."""
        ...


class Log(Protocol):
    """What happened in a run. A run that nobody knows has no facts, values or lines."""

    def facts(self, run_id: str, after: int = 0, limit: int | None = None) -> list[tuple[int, AnyFact]]:
        """The facts numbered above `after`, in order: all, or those of about `limit` appends, at least one if there is
        any."""
        ...

    def value(self, run_id: str, seq: int) -> bytes | None:
        """The inline bytes of a fact; None if it has none, or they were cleaned away."""
        ...

    def logs(
        self, run_id: str, step: int | None = None, after: int = 0, limit: int | None = None
    ) -> list[tuple[int, LogLine]]:
        """The lines numbered above `after`, of one step or of all, the first so many. The numbers rise, with gaps."""
        ...


def each_fact(log: Log, run_id: str) -> Iterator[tuple[int, AnyFact]]:
    """The facts of a run, some at a time: those of a large run are not all in memory at once."""
    after = 0
    while some := log.facts(run_id, after, _PORTION):
        yield from some
        after = some[-1][0]


class Catalog(Protocol):
    """What is known of assets, over all runs."""

    def latest(self, assets: Sequence[str]) -> Mapping[str, Materialized]:
        """The last materialization of each asset that has one."""
        ...

    def history(self, asset: str, limit: int | None = None) -> list[Materialized]:
        """The asset's materializations, newest first."""
        ...

    def observed(self, asset: str) -> list[tuple[str, int]]:
        """The run and the number of each fact that is an observation of the asset, newest first."""
        ...

    def assets(self) -> list[str]:
        """The assets that have a materialization, sorted."""
        ...


class Notes(Protocol):
    """What people say and change outside runs."""

    def report(self, row: RunRow, fact: AssetReported) -> None:
        """Records what was reported of an asset outside any run, as the next fact of `RUNLESS`; `row` is that of
        the first report. It survives a power cut."""
        ...

    def forget_assets(self, assets: Sequence[str]) -> None:
        """Removes the assets from the catalog, and what is remembered of their values. Runs and values stay."""
        ...

    def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Adds tags to a run, in place of those of the same key.

        Raises:
            RunNotFoundError: no run has this id.
        """
        ...


class Memos(Protocol):
    """What stored values depended on, so that they can be reused."""

    def memos(self, steps: Sequence[str] | None = None) -> Mapping[str, list[Memoized]]:
        """Of each of these steps, or of all, what is remembered: the last used first."""
        ...

    def remember(self, rows: Sequence[Memoized], used: Sequence[tuple[str, str]] = ()) -> None:
        """Adds rows, or joins them with those of the same fingerprint.

        Args:
            rows: the new ones.
            used: step and fingerprint of those that were used again.
        """
        ...

    def forget_memos(self, rows: Sequence[tuple[str, str]]) -> None:
        """Removes rows, by step and fingerprint. Their values stay."""
        ...


class Gate(Protocol):
    """Keeps planning and clean-up apart. `done` may be called early, and twice."""

    def done(self) -> None:
        """Opens it for others."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Upkeep(Protocol):
    """What clean-up asks and does."""

    def planning(self) -> Gate:
        """While a plan is made and its run begins: what it refers to stays."""
        ...

    def cleaning(self, wait: float = 0.0) -> AbstractContextManager[bool]:
        """While values are removed: nobody plans. False: somebody did, for so many seconds."""
        ...

    def forget_values(self, run_id: str, keep: Collection[int], time: float) -> int:
        """Removes a finished run's inline values, but for those of these facts, and notes that it is cleaned up.
        Returns the bytes."""
        ...

    def inline_sizes(self, run_id: str) -> Mapping[int, int]:
        """The bytes of the inline values of a run, by the number of the fact."""
        ...

    def forget_output(self, run_id: str, *, dry: bool = False) -> int:
        """Removes what the steps of a run said. Returns the bytes."""
        ...

    def forget_run(self, run_id: str, *, dry: bool = False) -> int:
        """Removes a run with its facts, inline values and materializations. Returns the bytes."""
        ...


class Pools(Protocol):
    """How many steps may run at once that name the same pool, over all runs. A slot ends with its process."""

    def limit_pool(self, pool: str, slots: int | None) -> None:
        """Gives a pool so many slots; None: no limit. What is taken stays taken."""
        ...

    def pools(self) -> Mapping[str, tuple[int, int]]:
        """The pools that have a limit, sorted: their slots, and how many of these are taken."""
        ...

    def take_slots(self, pools: Sequence[str]) -> tuple[int, ...] | None:
        """One slot of each of these pools, as far as they have a limit; None, and nothing is taken: one is full."""
        ...

    def free_slots(self, slots: Sequence[int]) -> None:
        """Gives back what `take_slots` gave."""
        ...

    def queue_for(self, pool: str, *, queues: bool) -> None:
        """Lets others know that somebody waits for a slot, or no longer does. Ends with the process too."""
        ...

    def is_wanted(self, pool: str, *, queues: bool) -> bool:
        """Whether somebody else waits for a slot; `queues`: the caller does, too."""
        ...


class Record(Runs, Log, Catalog, Notes, Memos, Upkeep, Pools, Protocol):
    """All of it."""
