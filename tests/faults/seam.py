"""The seam between opgraph and the operating system, at which a child process dies or its disk refuses.

Interposed are the writing functions of `os`, the statements that SQLite announces, and the limit on file sizes,
at which a write of SQLite's own stops half-way. Nothing of opgraph is replaced.
"""

import os
import resource
import signal
import sqlite3
import threading
import traceback
import warnings

UNLIMITED = resource.RLIM_INFINITY


class Seam:
    """Numbers the write points of this process, and dies at one of them.

    Args:
        home: whose database is watched.
        at: the number of the point to die at; -1: none.
        how: `before`, `after`, or how much of a write gets through: a fraction of `os.write`'s bytes, or a number of
            bytes of what SQLite appends. Where threads write, the point may be of another kind than it was in the run
            that was numbered: then the process dies after what it does there, or before, where SQLite does it.
    """

    def __init__(self, home, at=-1, how="before"):
        self.database = home / "record.db"
        self.at, self.how = at, how
        self.points: list[str] = []
        self.numbering = threading.Lock()

    def install(self):
        self.pid = os.getpid()
        for name in ("open", "write", "fsync", "rename", "mkdir", "unlink", "rmdir"):
            setattr(os, name, self.watched(name, getattr(os, name)))
        connect = sqlite3.connect

        def connected(*args, **options):
            connection = connect(*args, **options)
            connection.set_trace_callback(self.statement)
            return connection

        sqlite3.connect = connected

    def watched(self, name, call):
        def function(*args, **options):
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR):
                return call(*args, **options)
            here = self.arrive(f"os.{name}")
            if here and name == "write" and isinstance(self.how, float):
                call(args[0], args[1][: int(len(args[1]) * self.how) or 1])
                die()
            result = call(*args, **options)
            if here:
                die()
            return result

        return function

    def statement(self, text):
        verb = text.split(None, 1)[0].lower()
        if verb == "select":
            return
        resource.setrlimit(resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        if self.arrive(f"sql {verb}"):
            if not isinstance(self.how, int):
                die()
            self.limit(self.database.with_name("record.db-wal"), self.how)

    def closing(self):
        if self.arrive("close"):
            self.limit(self.database, self.how - self.database.stat().st_size)

    def arrive(self, point):
        """Whether this is the point at which to die later, if not at once."""
        if os.getpid() != self.pid:  # a worker of the process that is to die
            return False
        with self.numbering:
            number = len(self.points)
            self.points.append(point)
        if number == self.at and self.how == "before":
            die()
        return number == self.at

    def limit(self, path, more):
        size = path.stat().st_size if path.exists() else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + more, UNLIMITED))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(folder, work):
    """Run a function in a forked child; the status of its end. A child that raises fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of threads, of which the child uses none
        pid = os.fork()
    if not pid:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            work()
        except BaseException:
            (folder / "trouble").write_text(traceback.format_exc())
            os._exit(3)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert not (folder / "trouble").exists(), (folder / "trouble").read_text()
    return status
