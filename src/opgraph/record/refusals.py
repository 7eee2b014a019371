"""Why a record refuses."""

from pathlib import Path

from opgraph.errors import Mistake, RecordError


class RunHeldError(RecordError):
    """A living process drives the run. `pid` and `host` say which, where it has told."""

    def __init__(self, run_id: str, pid: int, host: str) -> None:
        self.run_id = run_id
        self.pid = pid
        self.host = host
        who = f"process {pid} on {host}" if pid else "another process"
        super().__init__(f"run {run_id} is being driven by {who}", fix="wait for it to end, or stop it first")


class SupersededError(Mistake, RecordError):
    """Another process has claimed the run since this one did: what this one writes is refused."""

    run_id: str
    epoch: int
    current: int
    says = "run {run_id} was taken over: this process holds epoch {epoch}, the run is at {current}"
    mend = "nothing was written; let the process that took over go on"


class NewerSchemaError(Mistake, RecordError):
    """The database was written by a newer opgraph."""

    path: Path
    found: int
    known: int
    says = "{path} has schema version {found}; this opgraph knows versions up to {known}"
    mend = "install the newer opgraph; the file was not touched"


class ClosedRecordError(Mistake, RecordError):
    """The record was closed before."""

    path: Path
    says = "the record {path} is closed"
    mend = "ask before the instance is closed, or open it anew: `Instance(...)`"


class ReadOnlyRecordError(Mistake, RecordError):
    """The database is where nothing can be written, and what was asked for needs that."""

    path: Path
    why: str = "and this would write to it"
    says = "the record {path} is read-only, {why}"
    mend = "do it where the folder can be written: copy the folder there, or set OPGRAPH_HOME to another one"


class UnusableRecordError(Mistake, RecordError):
    """The database can't be opened, read or written. `cause` is what the system said."""

    path: Path
    cause: Exception
    says = "the record {path} cannot be used: {cause}"
    mend = "check the disk, its free space and the file's rights"
