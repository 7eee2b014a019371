"""Where the values of steps are kept: small ones in the record, the others in files."""

from sys import intern
from typing import Any

from msgspec import Struct

from opgraph.events import Metadata, Place, Stored
from opgraph.values.codec import INLINE_LIMIT, checksum, decode, encode
from opgraph.values.files import FileStore
from opgraph.values.problems import ValueLostError

_NONE: Metadata = {}  # never changed
_NO_TAGS: dict[str, str] = {}
_INLINE = Place.INLINE  # in a name of its own: to ask an enum for a member takes time


class Origin(Struct, frozen=True, gc=False):
    """The attempt that made a value."""

    run_id: str
    step_key: str
    attempt: int


def cut(stored: Stored, inline: bytes | None) -> bytes:
    """The bytes of one output out of the blob beside its fact.

    Raises:
        ValueLostError: the blob is not there or too short.
    """
    if inline is None:
        raise ValueLostError("missing", "")
    size = stored.size
    if len(inline) == size:
        return inline
    data = inline[stored.offset : stored.offset + size]
    if len(data) != size:
        raise ValueLostError("damaged", "", f"the record has {len(data)} bytes of it, not {size}")
    return data


class OwnValues:
    """Our own store: small values go beside the fact that announces them, the others into files. What is put is never
    overwritten.

    Args:
        files: for the larger ones.
        limit: bytes up to which a value is kept inline; 0: never; None: always.
    """

    __slots__ = ("_files", "_limit")

    def __init__(self, files: FileStore, limit: int | None = INLINE_LIMIT) -> None:
        self._files = files
        self._limit = float("inf") if limit is None else limit

    def put(
        self,
        value: Any,
        output: str,
        origin: Origin,
        *,
        offset: int = 0,
        data_version: str = "",
        mapping_key: str | None = None,
        asset: str | None = None,
        asked: bool = True,
        io_manager: str = "",
        metadata: Metadata = _NONE,
        durable: bool = False,
    ) -> tuple[Stored, bytes | None]:
        """Keep a value.

        Args:
            value: the value.
            output: the output's name.
            origin: the attempt that made it.
            offset: where its bytes will begin in the blob beside the fact, if they go there.
            data_version: the one given; without it, the checksum of the bytes.
            mapping_key: for the fact; see `Stored`, as for the next four.
            asset: see `Stored`.
            asked: see `Stored`.
            io_manager: see `Stored`.
            metadata: see `Stored`.
            durable: whether it must survive a power cut.

        Returns:
            What to record, and the bytes to put beside the fact (None: they are somewhere else).

        Raises:
            UnstorableValueError: the value can't be turned into bytes.
            ValueNotWrittenError: the storage refused. Nothing is left behind in either case.
        """
        data = encode(value, output, origin.step_key)
        size = len(data)
        digest = checksum(data)
        if size <= self._limit:
            place, location, inline = _INLINE, "", data
        else:
            parts = [origin.step_key, str(origin.attempt), output]
            if mapping_key is not None:
                parts.append(mapping_key)
            location = self._files.write(data, origin.run_id, *parts, durable=durable)
            place, offset, inline = Place.FILE, 0, None
        stored = Stored(
            output,
            place,
            size,
            digest,
            data_version or digest,
            location,
            offset,
            mapping_key,
            asset,
            asked,
            io_manager,
            metadata,
            intern(type(value).__qualname__),
            _NO_TAGS,
        )
        return stored, inline

    def get(self, stored: Stored, inline: bytes | None = None) -> Any:
        """The value.

        Args:
            stored: what `put` returned.
            inline: the blob beside the fact.

        Raises:
            ValueLostError: it is gone or damaged.
            UnloadableValueError: its bytes are whole and can't be read.
        """
        if stored.place is Place.INLINE:
            if inline is None or len(inline) != stored.size:
                inline = cut(stored, inline)
            if checksum(inline) != stored.checksum:
                raise ValueLostError("damaged", "", "its bytes are not those that were recorded")
            return decode(inline, type_name=stored.type_name)
        location = stored.location
        data = self._files.read(location, stored.checksum, stored.size)
        return decode(data, location=location, type_name=stored.type_name)

    def has(self, stored: Stored, inline: bytes | None = None) -> bool:
        """Whether the value seems to be there, without reading it."""
        if stored.place is Place.INLINE:
            return inline is not None and len(inline) >= stored.offset + stored.size
        return self._files.has(stored.location, stored.size)

    def remove(self, stored: Stored) -> None:
        """Forget the value. One that is gone already is fine; what is inline goes with its fact."""
        if stored.place is Place.FILE:
            self._files.remove(stored.location)
