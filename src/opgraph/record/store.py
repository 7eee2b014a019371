"""The contract of a record. What holds for one implementation holds for all: `tests/contracts/test_record.py`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from opgraph.events import AnyFact, LogLine, RunStatus
from opgraph.record.rows import Materialized, RunRow


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

    def facts(self, run_id: str, after: int = 0) -> list[tuple[int, AnyFact]]:
        """The facts numbered above `after`, in order."""
        ...

    def value(self, run_id: str, seq: int) -> bytes | None:
        """The inline bytes of a fact; None if it has none, or they were cleaned away."""
        ...

    def logs(self, run_id: str, step: int | None = None, after: int = 0) -> list[tuple[int, LogLine]]:
        """The lines numbered above `after`, of one step or of all. The numbers rise, with gaps."""
        ...


class Catalog(Protocol):
    """What is known of assets, over all runs."""

    def latest(self, assets: Sequence[str]) -> Mapping[str, Materialized]:
        """The last materialization of each asset that has one."""
        ...

    def history(self, asset: str, limit: int | None = None) -> list[Materialized]:
        """The asset's materializations, newest first."""
        ...

    def assets(self) -> list[str]:
        """The assets that have a materialization, sorted."""
        ...


class Record(Runs, Log, Catalog, Protocol):
    """All of it."""
