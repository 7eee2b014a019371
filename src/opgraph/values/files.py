"""Files that are written once: never overwritten, never seen half-written."""

# This is a hot path, and making a Path costs as much as the call that it is for.
# ruff: noqa: PTH100, PTH102, PTH104, PTH106, PTH108, PTH112, PTH116, PTH120, PTH123

import os
import re
from pathlib import Path

from opgraph.values.codec import checksum as checksum_of
from opgraph.values.problems import ValueLostError, ValueNotWrittenError

_NAME_LIMIT = 120  # characters of a name's readable part, well below the 255 bytes that file systems allow
_UNSAFE = re.compile(r"[^A-Za-z0-9_\-\[\]=,+@.]")
_PART = ".part"  # the ending of a file that is being written
_TRIES = 50  # at a folder that others go on removing
_REMEMBERED = 1000  # folders of which it is known that they are there


def safe_name(text: str) -> str:
    """A file name to recognize this text by: short, of harmless characters, and not unique."""
    name = _UNSAFE.sub("_", text)[:_NAME_LIMIT]
    return "_" + name[1:] if name.startswith(".") or not name else name


class FileStore:
    """Bytes in files below one folder. Safe for many threads and processes at once.

    Args:
        root: the folder; made with the first write, readable by its owner only.
    """

    __slots__ = ("_folders", "_names", "_synced", "root")

    def __init__(self, root: str | Path) -> None:
        self.root = os.path.abspath(root)  # an op may change the working folder
        self._folders: set[str] = set()  # known to be there
        self._synced: set[str] = set()  # known to be there after a power cut
        self._names: dict[str, str] = {}

    def write(self, data: bytes, folder: str, *parts: str, durable: bool = False) -> str:
        """Write a new file.

        Args:
            data: the bytes.
            folder: what the file belongs to, such as the run's id.
            parts: what the file is called after; any strings.
            durable: whether it must survive a power cut once this returns.

        Returns:
            The file's location, relative to the root: a new one with every call.

        Raises:
            ValueNotWrittenError: the operating system refused; nothing is left behind.
        """
        folder_name = self._names.get(folder)
        if folder_name is None:
            if len(self._names) > _REMEMBERED:  # a program may start run after run for months
                self._names.clear()
            folder_name = self._names[folder] = safe_name(folder)
        name = safe_name(".".join(parts))
        location = f"{folder_name}/{name}.{os.urandom(6).hex()}"
        directory = f"{self.root}/{folder_name}"
        path = f"{self.root}/{location}"
        made: list[str] = []
        try:
            descriptor = self._open(path + _PART, directory, made)
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(descriptor, left) :]
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(path + _PART, path)
            if durable:
                self._sync(directory)
        except BaseException as error:
            self._undo(path, made)
            if isinstance(error, OSError):
                raise ValueNotWrittenError(self.root, len(data), error.strerror or str(error)) from error
            raise
        return location

    def read(self, location: str, checksum: str, size: int) -> bytes:
        """The bytes of a file, verified.

        Raises:
            ValueLostError: the file is missing or is not as it was written.
        """
        try:
            with open(self.path(location), "rb", buffering=0) as file:
                data = file.readall()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ValueLostError("missing", location) from error
        except IsADirectoryError as error:
            raise ValueLostError("damaged", location, "it is a folder") from error
        if len(data) != size:
            raise ValueLostError("damaged", location, f"it has {len(data)} bytes and had {size}")
        if checksum_of(data) != checksum:
            raise ValueLostError("damaged", location, f"its {size} bytes are not those that were written")
        return data

    def has(self, location: str, size: int) -> bool:
        """Whether a file of this size is there. Says nothing about its bytes."""
        try:
            return os.stat(self.path(location)).st_size == size
        except (OSError, ValueLostError):
            return False

    def remove(self, location: str) -> None:
        """Remove a file, and its folder when that was the last one. One that is gone already is fine."""
        path = Path(self.path(location))
        path.unlink(missing_ok=True)
        self._folders.discard(str(path.parent))
        _remove_if_empty(str(path.parent))

    def path(self, location: str) -> str:
        """The file's full path.

        Raises:
            ValueLostError: the location is not one that this store gave.
        """
        parts = location.split("/")
        if len(parts) != 2 or not all(parts) or ".." in parts or "." in parts or "\0" in location:
            raise ValueLostError("damaged", location, "no location of this store")
        return f"{self.root}/{location}"

    def _open(self, path: str, directory: str, made: list[str]) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        if directory in self._folders:
            try:
                return os.open(path, flags, 0o600)
            except FileNotFoundError:  # cleaned up since
                self._folders.discard(directory)
        self._synced.discard(directory)
        tries = 0
        while True:
            made += _make_folders(directory)
            try:
                descriptor = os.open(path, flags, 0o600)
            except FileNotFoundError:  # a clean-up has taken the empty folder away between the two calls
                tries += 1
                if tries == _TRIES:
                    raise
            else:
                if len(self._folders) > _REMEMBERED:
                    self._folders.clear()
                    self._synced.clear()
                self._folders.add(directory)
                return descriptor

    def _sync(self, directory: str) -> None:
        _sync_folder(directory)
        if directory not in self._synced:  # its own entry in the root, and once the root's in the folder above
            _sync_folder(self.root)
            self._synced.add(directory)
            if self.root not in self._synced:
                _sync_folder(os.path.dirname(self.root))
                self._synced.add(self.root)

    def _undo(self, path: str, made: list[str]) -> None:
        for leftover in (path + _PART, path):
            try:
                os.unlink(leftover)
            except OSError:
                continue
        for folder in reversed(made):
            self._folders.discard(folder)
            _remove_if_empty(folder)


def _make_folders(directory: str) -> list[str]:
    """Make a folder and those above it, for their owner only; returns the new ones, outermost first."""
    missing: list[str] = []
    while not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    made: list[str] = []
    for folder in reversed(missing):
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            continue  # another process was faster
        made.append(folder)
    return made


def _remove_if_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        return  # someone else's files are in it


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
