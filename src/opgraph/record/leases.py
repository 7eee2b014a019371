"""Leases: who drives a run on this machine, and who has a slot of a pool.

A lease is a lock of the operating system on one byte of one file, the byte at the run's number, so the kernel drops it
the moment its process dies, however it dies.

POSIX record locks, because a forked worker must not keep its dead parent's lease alive. They have two traps, and this
file is built around them: closing any descriptor of the file drops all its locks, so a process opens it once; and a
process can't see its own locks, so it remembers them.
"""

import errno
import fcntl
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Self

_CLEANING = 1 << 40  # the byte that plans share and clean-up has alone
_POOLS = 1 << 41  # from here on: the slots of pools, so many bytes for each, the first for those who wait
_SLOTS = 1 << 16
_OPENING = 0  # the byte that whoever opens or migrates the database holds; runs are numbered from 1
_TRIES = 20  # another process that looks whether a lease is held takes it for some microseconds


class Leases:
    """The leases of the runs in one database; one object for each file and process, shared by all who open it.

    Attributes:
        read_only: whether the file cannot be written. Then nothing can be leased, and it can still be seen who has one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read_only = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as refused:
            if refused.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not path.exists():
                raise
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.read_only = True
        self._held: set[int] = set()
        self._lock = RLock()
        self.users = 0
        self._queues: dict[int, int] = {}  # how many in this process wait for a pool
        self._plans = 0  # being made in this process
        self._cleaning = False

    @contextmanager
    def opening(self) -> Generator[None]:
        """While the database is opened: one process, and in it one thread, at a time."""
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_SH if self.read_only else fcntl.LOCK_EX, 1, _OPENING)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _OPENING)

    def take(self, number: int, tries: int = _TRIES) -> bool:
        """Takes a run's lease, or a slot of a pool; False if a living process, this one included, has it."""
        with self._lock:
            if number in self._held:
                return False
            for left in reversed(range(tries)):
                if self._locked(number, fcntl.LOCK_EX):
                    self._held.add(number)
                    return True
                if left:
                    time.sleep(0.001)
            return False

    def taken(self, number: int) -> bool:
        """Whether a living process has the lease."""
        with self._lock:
            if number in self._held:
                return True
            if not self._locked(number, fcntl.LOCK_SH):
                return True
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
            return False

    def drop(self, number: int) -> None:
        """Ends a lease of this process."""
        with self._lock:
            self._held.discard(number)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)

    def take_slots(self, pools: Sequence[tuple[int, int]]) -> tuple[int, ...] | None:
        """One slot of each pool (its number, how many it has), or of none."""
        got: list[int] = []
        for pool, slots in pools:
            first = _POOLS + pool * _SLOTS + 1
            slot = next((byte for byte in range(first, first + slots) if self.take(byte, tries=1)), None)
            if slot is None:
                for each in got:
                    self.drop(each)
                return None
            got.append(slot)
        return tuple(got)

    def slots_taken(self, pool: int, slots: int) -> int:
        """How many of a pool's slots are held."""
        first = _POOLS + pool * _SLOTS + 1
        return sum(self.taken(byte) for byte in range(first, first + slots))

    def queue_for(self, pool: int, *, queues: bool) -> None:
        """One more in this process, or one less, waits for a pool."""
        byte = _POOLS + pool * _SLOTS
        with self._lock:
            waiting = self._queues[pool] = max(self._queues.get(pool, 0) + (1 if queues else -1), 0)
            if waiting == (1 if queues else 0):
                fcntl.lockf(self._file, fcntl.LOCK_SH if queues else fcntl.LOCK_UN, 1, byte)

    def is_wanted(self, pool: int, *, queues: bool) -> bool:
        """Whether others than the caller wait for a pool."""
        byte = _POOLS + pool * _SLOTS
        with self._lock:
            here = self._queues.get(pool, 0)
            if here > queues or not self._locked(byte, fcntl.LOCK_EX):
                return True
            fcntl.lockf(self._file, fcntl.LOCK_SH if here else fcntl.LOCK_UN, 1, byte)
            return False

    def planning(self) -> "Shared":
        """While a plan is made: clean-up waits. Waits for a clean-up in turn."""
        while True:
            with self._lock:
                if not self._cleaning:
                    if not self._plans:
                        fcntl.lockf(self._file, fcntl.LOCK_SH, 1, _CLEANING)
                    self._plans += 1
                    return Shared(self)
            time.sleep(0.01)

    def planned(self) -> None:
        """A plan's run has begun."""
        with self._lock:
            self._plans -= 1
            if not self._plans:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _CLEANING)

    def begin_cleaning(self) -> bool:
        """Keeps plans away; False if one is being made, or somebody cleans up already."""
        with self._lock:
            if self._plans or self._cleaning or not self._locked(_CLEANING, fcntl.LOCK_EX):
                return False
            self._cleaning = True
            return True

    def end_cleaning(self) -> None:
        """Plans may be made again."""
        with self._lock:
            self._cleaning = False
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _CLEANING)

    def forget(self) -> None:
        """In a forked child: the leases stayed with the parent."""
        self._held.clear()
        self._queues.clear()
        self._plans, self._cleaning = 0, False
        self._lock = RLock()

    def close(self) -> None:
        """Ends all leases of this process."""
        os.close(self._file)

    def _locked(self, number: int, how: int) -> bool:
        try:
            fcntl.lockf(self._file, how | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):  # POSIX allows either for "someone else has it"
            return False
        return True


class Shared:
    """One plan being made; see `Gate`."""

    __slots__ = ("_leases",)

    def __init__(self, leases: Leases) -> None:
        self._leases: Leases | None = leases

    def done(self) -> None:
        """Its run has begun, or there will be none."""
        if self._leases is not None:
            self._leases.planned()
            self._leases = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.done()


_open: dict[Path, Leases] = {}
_guard = RLock()


def share(path: Path) -> Leases:
    """The leases kept in this file. Give them back with `give_back`."""
    with _guard:
        path = path.resolve()
        leases = _open.get(path)
        if leases is None:
            leases = _open[path] = Leases(path)
        leases.users += 1
        return leases


def give_back(leases: Leases) -> None:
    """Closes the file once nobody in this process uses it: with it go all leases of this process."""
    with _guard:
        leases.users -= 1
        if leases.users == 0:
            for path in [path for path, other in _open.items() if other is leases]:
                del _open[path]
            leases.close()


def _forget_in_child() -> None:
    global _guard  # noqa: PLW0603 - another thread of the parent may have held it
    _guard = RLock()
    for leases in _open.values():
        leases.forget()


os.register_at_fork(after_in_child=_forget_in_child)
