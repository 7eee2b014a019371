"""What a stored value looks like, for people: made where the value is, when it is stored, and kept beside its fact.

Screens show it without loading the value, which only workers may. It lies in the blob beside the fact, behind the
value's own bytes, or at `Stored.offset` where those are elsewhere: a zero byte, with which no pickle begins, four bytes
of length, and msgpack. So old records have none, and it is cleaned up with its value.

An asset gets a rich one: the head of a table, a picture, a text. What goes from op to op gets a line, and nothing of
the user's code is called for it.
"""

import io
import math
import struct
import sys
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from opgraph.declare.settings.secrets import is_any_known, is_secret
from opgraph.events import Place, Stored
from opgraph.record.store import Record
from opgraph.run.words import Words, class_of, family, shortened

_LIMIT = 16 * 1024  # bytes of a preview, pictures aside
_PICTURE = 64 * 1024  # bytes of a PNG that is made here
_WHOLE = 512 * 1024  # of one that is there already, and cannot be made smaller
_ROWS, _COLUMNS, _CELL = 10, 50, 100  # of a table; characters of a cell
_TEXT = 4_000  # characters of a text
_LINE = 160  # characters of a line, for what goes from op to op
_INLINE = Place.INLINE  # in a name of its own: to ask an enum for a member takes time
_HEAD = 5  # bytes before the msgpack
_PNG = b"\x89PNG\r\n\x1a\n"
_MARKDOWN = {"markdown", "md"}
_NUMBERS = frozenset({int, float, bool, type(None)})
_SMALL = 300  # bytes of a pickle, whose value is then short
_SHAPED = {"numpy", "pandas", "polars", "pyarrow", "scipy", "torch", "tensorflow", "jax", "jaxlib", "xarray"}


class Preview(Struct, frozen=True, array_like=True, gc=False):
    """What a value looks like.

    Attributes:
        kind: `text`, `markdown`, `table` or `image`.
        text: of a text or Markdown; one that was cut ends in `…`.
        shape: rows and columns of a table, the dimensions of an array, the length of a collection, the width and
            height of a picture.
        columns: names, of a table.
        types: of its columns.
        rows: its first.
        image: a PNG.
    """

    kind: Literal["text", "markdown", "table", "image"]
    text: str = ""
    shape: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    image: bytes = b""


_CONSTANTS = {b"N.": "None", b"\x88.": "True", b"\x89.": "False"}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Preview).decode
_briefly = Words(4, 3, 40, _LINE, own=False)
_inside = Words(4, 2, 40, _CELL, own=True)
_fully = Words(20, 4, 300, _TEXT, own=True)


def glance(value: object, pickled: bytes | None = None) -> bytes:
    """The bytes to keep for a value that goes from op to op: one line, made of what costs next to nothing.

    Args:
        value: anything. No code of its class is called.
        pickled: its bytes, where they are at hand. A number is read from these, and needs none beside them.
    """
    try:
        kind = type(value)
        if pickled is not None and len(pickled) <= _SMALL and not is_any_known():
            if kind in _NUMBERS:
                return b""
            if b"\x93" not in pickled and kind is not str:  # no class is named in it: `repr` calls no code of others
                return _framed(_encode(Preview("text", shortened(repr(value), _LINE), _shape(value))))
        if type(value) is str:
            return _framed(_encode(_text(value, "text", _LINE)))
        if _maker_of(value) is _table:
            return _framed(_bounded(_table(value, 0)))
        return _framed(_encode(Preview("text", shortened(_briefly.of(value), _LINE), _shape(value))))
    except (Exception, SystemExit):  # noqa: BLE001 - a step never fails for want of a preview
        return _framed(b"")


def look(value: Any, kinds: AbstractSet[str] = frozenset()) -> bytes:
    """The bytes to keep for the value of an asset, whether or not something could be made of it.

    Args:
        value: anything. What its class says of itself (`__repr__`) may be called, and may fail.
        kinds: of the asset: `markdown` or `md` says what its text is.
    """
    try:
        return _framed(_bounded(_seen(value, kinds)))
    except (Exception, SystemExit):  # noqa: BLE001 - the same
        return _framed(b"")


def is_shown(stored: Stored) -> bool:
    """Whether a stored value has room for a preview; one that goes from op to op in memory has none."""
    place = stored.place
    return place is _INLINE or (place is not Place.NONE and (stored.asset is not None or place is not Place.MEMORY))


def preview_in(stored: Stored, blob: bytes | None) -> Preview | None:
    """The preview of a stored value, out of the blob beside its fact; None: it has none."""
    if blob is None or not is_shown(stored):
        return None
    at = stored.offset + (stored.size if stored.place is _INLINE else 0)
    if at + _HEAD > len(blob) or blob[at]:
        return _number(blob[stored.offset : at])
    size = int.from_bytes(blob[at + 1 : at + _HEAD], "little")
    try:
        return _decode(blob[at + _HEAD : at + _HEAD + size])
    except msgspec.MsgspecError:
        return None


def preview_of(record: Record, run_id: str, seq: int, stored: Stored) -> Preview | None:
    """The preview of a stored value, out of the record; None: it has none, or it was cleaned up."""
    return preview_in(stored, record.value(run_id, seq))


def _number(data: bytes) -> Preview | None:
    """The preview of a number, out of its pickle, which is not loaded; None: it is something else."""
    data = data[11:] if data[:3] == b"\x80\x05\x95" else data[2:]
    code, inner = data[:1], data[1:-1]
    text = _CONSTANTS.get(data)
    if code in (b"K", b"M") and len(inner) == (1 if code == b"K" else 2):
        text = str(int.from_bytes(inner, "little"))
    elif code == b"J" and len(inner) == 4:
        text = str(int.from_bytes(inner, "little", signed=True))
    elif code == b"\x8a" and inner[:1] == bytes((len(inner) - 1,)):
        text = shortened(str(int.from_bytes(inner[1:], "little", signed=True)), _LINE)
    elif code == b"G" and len(inner) == 8:
        text = repr(struct.unpack(">d", inner)[0])
    return Preview("text", text) if text is not None else None


def _framed(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "little") + data


def _bounded(seen: Preview) -> bytes:
    data = _encode(seen)
    while len(data) > _LIMIT and not seen.image:
        if len(seen.rows) > 1:
            seen = msgspec.structs.replace(seen, rows=seen.rows[: len(seen.rows) // 2])
        elif len(seen.columns) > 1:
            n = len(seen.columns) // 2
            rows = tuple(row[:n] for row in seen.rows)
            seen = msgspec.structs.replace(seen, columns=seen.columns[:n], types=seen.types[:n], rows=rows)
        else:
            seen = msgspec.structs.replace(seen, text=seen.text[: len(seen.text) // 2] + "…", rows=())
        data = _encode(seen)
    return data


# -- what kind of thing it is -----------------------------------------------------


def _seen(value: Any, kinds: AbstractSet[str]) -> Preview:
    if isinstance(value, str):
        return _text(value, "markdown" if _MARKDOWN & kinds else "text", 2 * _TEXT)
    make = _maker_of(value)
    if make is not None:
        return make(value)
    told = value._repr_markdown_() if callable(getattr(class_of(value), "_repr_markdown_", None)) else None
    if isinstance(told, str):
        return _text(told, "markdown", 2 * _TEXT)
    return Preview("text", shortened(_fully.of(value), _TEXT), _shape(value))


def _maker_of(value: Any) -> "Callable[[Any], Preview] | None":
    if type(value) is bytes:
        return _picture if value[:8] == _PNG and value[12:16] == b"IHDR" and value[-8:-4] == b"IEND" else None
    if type(value) is list:
        return _records if value and all(type(row) is dict for row in value[:_ROWS]) else None  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of anything
    for each in class_of(value).__mro__:
        make = _MAKERS.get((family(each), each.__name__))
        if make is not None:
            return make
    return None


def _text(whole: str, kind: Literal["text", "markdown"], most: int) -> Preview:
    return Preview(kind, shortened(whole, most))


def _shape(value: Any) -> tuple[int, ...]:
    if type(value) in _NUMBERS or isinstance(value, (str, bytes)):
        return ()
    shape = getattr(value, "shape", None) if family(class_of(value)) in _SHAPED else None
    if isinstance(shape, tuple) and all(type(n) is int for n in cast("tuple[Any, ...]", shape)):
        return cast("tuple[int, ...]", shape)[:32]
    return (len(value),) if isinstance(value, (list, tuple, dict, set, frozenset)) else ()  # pyright: ignore[reportUnknownArgumentType] - of anything


# -- tables -----------------------------------------------------------------------


def _series(column: Any) -> Preview:
    return _table(column.to_frame())


def _table(frame: Any, most: int = _ROWS) -> Preview:
    rows: list[tuple[Any, ...]] = []
    if hasattr(frame, "to_pylist"):  # arrow
        names, types = frame.schema.names, frame.schema.types
        if most:
            head = frame.slice(0, most).select(list(range(min(len(names), _COLUMNS))))
            rows = list(zip(*(column.to_pylist() for column in head.columns), strict=True))
    elif hasattr(frame, "iloc"):  # pandas
        names, types = list(frame.columns), list(frame.dtypes)
        if most:
            rows = list(frame.iloc[:most, :_COLUMNS].itertuples(index=False, name=None))
        if type(frame.index).__name__ != "RangeIndex":
            names = [frame.index.name or "", *names]
            types = [getattr(frame.index, "dtype", ""), *types]
            rows = [(label, *row) for label, row in zip(frame.index[:most], rows, strict=True)]
    else:  # polars
        names, types = frame.columns, frame.dtypes
        if most:
            rows = frame[:most, :_COLUMNS].rows()
    return Preview(
        "table",
        shape=tuple(int(n) for n in frame.shape),
        columns=_cells(names),
        types=_cells(types),
        rows=tuple(_cells(row) for row in rows),
    )


def _records(rows: list[dict[Any, Any]]) -> Preview:
    head = rows[:_ROWS]
    names = list(dict.fromkeys(name for row in head for name in row))
    shown = tuple(_cells(row.get(name, "") for name in names) for row in head)
    return Preview("table", shape=(len(rows), len(names)), columns=_cells(names), rows=shown)


def _cells(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(_cell(value) for value in islice(values, _COLUMNS))


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    plain = issubclass(class_of(value), (list, tuple, dict, set, frozenset)) or is_secret(value)
    text = _inside.of(value) if plain else str(value)
    return shortened(text, _CELL)


def _array(value: Any) -> Preview:
    whole = value.ndim > 3 or value.dtype.hasobject  # numpy shows the edges of each dimension
    shown = "" if whole else f"\n{value!r}"
    return Preview("text", shortened(f"{value.dtype}{shown}", _TEXT), _shape(value))


# -- pictures ---------------------------------------------------------------------


def _picture(png: bytes) -> Preview:
    shape = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    pillow = sys.modules.get("PIL.Image")
    if len(png) <= (_WHOLE if pillow is None else _PICTURE):
        return Preview("image", shape=shape, image=png)
    if pillow is None:
        return Preview("text", f"a PNG of {shape[0]:,} by {shape[1]:,} pixels, {len(png):,} bytes", shape)
    return _photo(pillow.open(io.BytesIO(png)))


def _figure(figure: Any) -> Preview:
    for dpi in (100, 60, 30):
        into = io.BytesIO()
        figure.savefig(into, format="png", dpi=dpi)
        if into.tell() <= _PICTURE:
            break
    return _picture(into.getvalue())


def _photo(photo: Any) -> Preview:
    for pixels in (800, 400, 200, 100):
        small = photo.copy()
        small.thumbnail((pixels, pixels))
        if small.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            small = small.convert("RGB")
        into = io.BytesIO()
        small.save(into, format="png")
        if into.tell() <= _PICTURE:
            return Preview("image", shape=photo.size, image=into.getvalue())
    return Preview("text", f"a picture of {photo.size[0]:,} by {photo.size[1]:,} pixels", photo.size)


_MAKERS: dict[tuple[str, str], Callable[[Any], Preview]] = {
    ("pandas", "DataFrame"): _table,
    ("polars", "DataFrame"): _table,
    ("pyarrow", "Table"): _table,
    ("pyarrow", "RecordBatch"): _table,
    ("pandas", "Series"): _series,
    ("polars", "Series"): _series,
    ("numpy", "ndarray"): _array,
    ("matplotlib", "Figure"): _figure,
    ("PIL", "Image"): _photo,
}
