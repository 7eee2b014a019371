"""Values of mapped steps, packed: a run may have a hundred thousand of them, and each says much the same.

What many values have in common is one object; what is a value's own stands in arrays, by slot.
"""

from array import array

from msgspec import Struct

from opgraph.events import Kept, Metadata, Place, Stored

_SIZE = 16  # bytes of a checksum
_AT_ONCE = 256  # slots for which room is made
_NOTHING = bytes(_SIZE)
_NO_METADATA: Metadata = {}
_NO_TAGS: dict[str, str] = {}


class Shape(Struct, frozen=True, gc=False):
    """What values have in common. `checked`: each has a checksum, which is its data version too."""

    stored: Stored
    checked: bool


class Packed:
    """What is their own of values that share a shape.

    Args:
        first: the first slot that it may have; those before it are of the plan's own steps.
    """

    __slots__ = ("_checksums", "_first", "_last", "_offsets", "_room", "_shapes", "_sizes", "_slot")

    def __init__(self, first: int) -> None:
        self._first = first
        self._shapes: dict[object, Shape] = {}
        self._checksums = bytearray()
        self._sizes, self._offsets = array("I"), array("I")
        self._room = 0
        self._slot, self._last = -1, Stored("", Place.NONE)  # the value packed last: it is asked for next

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Packed) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # pyright: ignore[reportAssignmentType] - it changes

    def pack(self, slot: int, value: Stored | Kept) -> Stored | Kept | Shape:
        """What to keep at a slot: a shape, or the value itself where it is not of the common kind."""
        if type(value) is not Stored or value.location or value.metadata or value.tags:
            return value
        checked = bool(value.checksum)
        if value.data_version != value.checksum or (checked and value.place is not Place.INLINE):
            return value  # which might have any text as its checksum
        if checked or value.size:
            at = slot - self._first
            if at >= self._room:
                self._make_room(at)
            self._sizes[at], self._offsets[at] = value.size, value.offset
            self._checksums[at * _SIZE : (at + 1) * _SIZE] = bytes.fromhex(value.checksum) if checked else _NOTHING
        own = checked, value.size > 0
        kind = (value.output, value.place, value.asset, value.asked, value.io_manager, value.type_name, own)
        shape = self._shapes.get(kind)
        if shape is None:
            shape = self._shapes[kind] = Shape(value, checked)
        self._slot, self._last = slot, value
        return shape

    def _make_room(self, at: int) -> None:
        more = at + _AT_ONCE - self._room
        self._room += more
        self._sizes.frombytes(bytes(4 * more))
        self._offsets.frombytes(bytes(4 * more))
        self._checksums.extend(bytes(_SIZE * more))

    def last(self, slot: int) -> Stored | None:
        """The value at a slot, if it was packed last."""
        return self._last if slot == self._slot else None

    def version(self, slot: int, shape: Shape) -> str:
        """The data version of a value; empty: as good as unique."""
        at = (slot - self._first) * _SIZE
        return self._checksums[at : at + _SIZE].hex() if shape.checked else ""

    def unpack(self, slot: int, shape: Shape, mapping_key: str | None) -> Stored:
        """The value as it was."""
        like, version, at = shape.stored, self.version(slot, shape), slot - self._first
        return Stored(
            like.output,
            like.place,
            self._sizes[at] if like.size else 0,
            version,
            version,
            "",
            self._offsets[at] if like.size else 0,
            mapping_key,
            like.asset,
            like.asked,
            like.io_manager,
            _NO_METADATA,
            like.type_name,
            _NO_TAGS,
        )
