"""Opening a SQLite database: made where there is none, brought up to date where it is older, refused where newer."""

import sqlite3
from pathlib import Path

from opgraph.record.leases import Leases
from opgraph.record.queries import migrations
from opgraph.record.refusals import NewerSchemaError, ReadOnlyRecordError, UnusableRecordError

_WAIT = 60.0  # seconds to wait for another writer's transaction
# Measured: docs/decisions/0001-record-on-disk.md.
_FRESH = ("pragma page_size = 2048", "pragma journal_mode = wal")
_EACH = (
    "pragma synchronous = normal",
    "pragma fullfsync = on",  # macOS: without it a sync does not reach the disk
    "pragma wal_autocheckpoint = 2000",
    "pragma journal_size_limit = 16777216",
)


def connect(path: Path, leases: Leases) -> sqlite3.Connection:
    """A connection to the database, whose schema is this version's. Where nothing can be written, it is for looking.

    Raises:
        NewerSchemaError: a newer opgraph wrote it.
        ReadOnlyRecordError: it cannot be looked at before something is written.
        UnusableRecordError: it is no database, or cannot be opened.
    """
    try:
        # One process at a time: switching a fresh file to WAL does not wait for others, it fails.
        with leases.opening():
            if leases.read_only:
                return _to_look(path)
            if not path.exists():  # opening and closing a file that SQLite has open here would drop its locks
                path.touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            try:
                _bring_up_to_date(connection, path)
                for pragma in _EACH:
                    connection.execute(pragma)
            except BaseException:
                connection.close()
                raise
            return connection
    except (sqlite3.Error, OSError) as cause:
        raise UnusableRecordError(path, cause) from cause


def _to_look(path: Path) -> sqlite3.Connection:
    """A connection to a database in a folder where nothing can be written."""
    wal = path.with_name(path.name + "-wal")
    whole = not wal.exists()  # its last user closed it: the log is in the file
    # SQLite wants the log and its index beside the file, and cannot make them here; `immutable` does without.
    mode = "immutable=1" if whole else "mode=ro"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, check_same_thread=False)
    try:
        found, known = _version(connection), len(migrations("sqlite"))
        if found > known:
            raise NewerSchemaError(path, found, known)
        if found < known:
            raise ReadOnlyRecordError(path, f"and its schema version {found} must be brought up to {known} first")
    except sqlite3.OperationalError as cause:
        connection.close()
        if whole:
            raise
        raise ReadOnlyRecordError(path, "and its last commits are in a log that SQLite must write into it") from cause
    except BaseException:
        connection.close()
        raise
    return connection


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    scripts = migrations("sqlite")
    found = _version(connection)
    if found > len(scripts):
        raise NewerSchemaError(path, found, len(scripts))
    if found == len(scripts):
        return
    if found == 0:
        for pragma in _FRESH:
            connection.execute(pragma)
    # The scripts and the version they lead to are one transaction: a process killed half-way leaves the old schema.
    text = "\n".join(["begin immediate;", *scripts[found:], f"pragma user_version = {len(scripts)};", "commit;"])
    connection.executescript(text)


def _version(connection: sqlite3.Connection) -> int:
    return connection.execute("pragma user_version").fetchone()[0]
