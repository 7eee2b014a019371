"""Why a record refuses."""

from pathlib import Path

from opgraph.errors import RecordError


class RunHeldError(RecordError):
    """A living process drives the run. `pid` and `host` say which, where it has told."""

    def __init__(self, run_id: str, pid: int, host: str) -> None:
        self.run_id = run_id
        self.pid = pid
        self.host = host
        who = f"process {pid} on {host}" if pid else "another process"
        super().__init__(f"run {run_id} is being driven by {who}", fix="wait for it to end, or stop it first")


class SupersededError(RecordError):
    """Another process has claimed the run since this one did: what this one writes is refused."""

    def __init__(self, run_id: str, epoch: int, current: int) -> None:
        self.run_id = run_id
        self.epoch = epoch
        self.current = current
        super().__init__(
            f"run {run_id} was taken over: this process holds epoch {epoch}, the run is at {current}",
            fix="nothing was written; let the process that took over go on",
        )


class NewerSchemaError(RecordError):
    """The database was written by a newer opgraph."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        self.path = path
        self.found = found
        self.known = known
        super().__init__(
            f"{path} has schema version {found}; this opgraph knows versions up to {known}",
            fix="install the newer opgraph; the file was not touched",
        )


class ClosedRecordError(RecordError):
    """The record was closed before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"the record {path} is closed", fix="ask before the instance is closed, or open it anew: `Instance(...)`"
        )


class ReadOnlyRecordError(RecordError):
    """The database is where nothing can be written, and what was asked for needs that."""

    def __init__(self, path: Path, why: str = "and this would write to it") -> None:
        self.path = path
        self.why = why
        super().__init__(
            f"the record {path} is read-only, {why}",
            fix="do it where the folder can be written: copy the folder there, or set OPGRAPH_HOME to another one",
        )


class UnusableRecordError(RecordError):
    """The database can't be opened, read or written. `cause` is what the system said."""

    def __init__(self, path: Path, cause: Exception) -> None:
        self.path = path
        self.cause = cause
        super().__init__(
            f"the record {path} cannot be used: {cause}", fix="check the disk, its free space and the file's rights"
        )
