"""Files in a local folder or at a URL, written once and verified when they are read."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from opgraph.frames.tables import NothingThere
from opgraph.values.codec import checksum
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.files import safe_name
from opgraph.values.problems import ValueLostError, ValueNotWrittenError
from opgraph.values.upath import BUCKETS, NoLibraryForURL


class Place:
    """A folder or a URL prefix.

    Args:
        base: a path, or a URL with a scheme that fsspec knows.
        options: for fsspec: credentials, endpoints.
    """

    def __init__(self, base: str, options: Mapping[str, Any]) -> None:
        self._base = base.rstrip("/") or base
        self._fs: Any = None
        if "://" in base:
            self._fs, self._root = _filesystem(base, options)
        else:
            self._root = os.path.expanduser(self._base)  # noqa: PTH111 - as text, like URLs

    def location_for(self, context: OutputContext, extension: str) -> str:
        """A new location for a value, below this place."""
        unique = f"{safe_name(context.run_id or 'no run')}.{context.attempt}.{os.urandom(4).hex()}{extension}"
        if context.key is not None:
            return "/".join([*(safe_name(part) for part in context.key.parts), unique])
        parts = (safe_name(part) for part in context.get_identifier())
        return "/".join(["runs", *parts]) + f".{context.attempt}.{os.urandom(4).hex()}{extension}"

    def url(self, location: str) -> str:
        """The whole path or URL of a location."""
        return f"{self._base}/{location}"

    def write(self, location: str, data: bytes) -> None:
        """Write a new file: whole or not at all.

        Raises:
            ValueNotWrittenError: the storage refused.
        """
        path = f"{self._root}/{location}"
        try:
            if self._fs is None:
                _write_local(Path(path), data)
            else:
                if not BUCKETS.intersection(
                    [self._fs.protocol] if isinstance(self._fs.protocol, str) else self._fs.protocol
                ):
                    self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(path, data)
        except OSError as error:
            raise ValueNotWrittenError(self._base, len(data), error.strerror or str(error)) from error

    def read(self, location: str, digest: str = "", size: int = 0) -> bytes:
        """The bytes of a file, verified where a digest is given.

        Raises:
            ValueLostError: the file is missing, or is not as it was written.
            NothingThere: no run is known to have written it, and nobody else did.
        """
        path = f"{self._root}/{location}"
        try:
            data = Path(path).read_bytes() if self._fs is None else bytes(self._fs.cat_file(path))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise (
                ValueLostError("missing", self.url(location)) if digest else NothingThere(self.url(location))
            ) from error
        if digest and (len(data) != size or checksum(data) != digest):
            raise ValueLostError(
                "damaged", self.url(location), f"its {len(data)} bytes are not those that were written"
            )
        return data


def found(context: InputContext, extension: str) -> tuple[str, str, str, int]:
    """Where a value is: its kind, location, checksum and size. Where nothing is recorded of an asset, its key is the
    path: `raw/flights` is in `raw/flights.csv`."""
    made = context.upstream_output
    if made is not None and made.location:
        kind, _, location = made.location.rpartition(":")  # the kind may have the types of columns
        return kind, location, made.checksum, made.size
    return "", "/".join(context.get_identifier()) + extension, "", 0


def _filesystem(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    try:
        core: Any = import_module("fsspec.core")  # an extra
        return core.url_to_fs(url.rstrip("/"), **options)
    except (ImportError, ValueError) as error:
        raise NoLibraryForURL(url, str(error)) from error


def _write_local(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
