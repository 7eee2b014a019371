"""Opening a SQLite database: made where there is none, brought up to date where it is older, refused where newer."""

import sqlite3
from pathlib import Path

from opgraph.record.leases import Leases
from opgraph.record.queries import migrations
from opgraph.record.refusals import NewerSchemaError, UnusableRecordError

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
    """A connection to the database, whose schema is this version's.

    Raises:
        NewerSchemaError: a newer opgraph wrote it.
        UnusableRecordError: it is no database, or cannot be opened.
    """
    try:
        # One process at a time: switching a fresh file to WAL does not wait for others, it fails.
        with leases.opening():
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
