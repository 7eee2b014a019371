"""Values in words: as `repr` would say them, without secrets, and never longer than is asked for."""

from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import islice
from typing import Any

from opgraph.declare.settings.secrets import MASK, hide, is_secret

_WIDTH = 90  # characters, beyond which items stand on lines of their own
_SECRET = 16 * 1024  # characters: texts are cut after what is secret in them was masked, and that may be as long
_BIG = 10**30
_PLAIN = {
    "builtins",
    "datetime",
    "decimal",
    "fractions",
    "pathlib",
    "uuid",
    "re",
    "zoneinfo",
}  # their words cost little
_LAZY = {"duckdb", "_duckdb"}  # their words are the answer to a query
_BRACKETS: dict[type[Any], str] = {list: "[]", tuple: "()", set: "{}"}


def shortened(text: str, most: int) -> str:
    """A text without its secrets and not too long; one that is cut ends in `…`."""
    shown = hide(text[: most + _SECRET])
    return shown[: most - 1] + "…" if len(shown) > most else shown


def class_of(value: object) -> Any:
    """The class of a value, whatever it says."""
    return type(value)


def family(kind: type[Any]) -> str:
    """The package in which a class is made."""
    return kind.__module__.partition(".")[0]


class Words:
    """Says values in words.

    Args:
        items: how many of each collection.
        depth: how deep collections are opened.
        string: characters of each text inside another value.
        most: characters of what a class says of itself.
        own: whether it is asked for that, and things are laid out over several lines.
    """

    __slots__ = ("_depth", "_items", "_most", "_own", "_string")

    def __init__(self, items: int, depth: int, string: int, most: int, *, own: bool) -> None:
        self._items, self._depth, self._string, self._most, self._own = items, depth, string, most, own

    def of(self, value: Any, level: int = 0) -> str:
        """A value, that many collections deep."""
        kind = class_of(value)
        if kind is str:
            return repr(shortened(value, self._string))
        if kind is int and not -_BIG < value < _BIG:
            return f"<an int of {value.bit_length():,} bits>"
        if issubclass(kind, (bytes, bytearray)):
            return self._bytes(value)
        if is_secret(value):
            return repr(MASK)
        if issubclass(kind, (dict, list, tuple, set, frozenset)) or (self._own and isinstance(value, Mapping)):
            return self._collection(value, kind, level)
        fields = _fields_of(kind)
        if fields is not None:
            held = [field for field in fields if hasattr(value, field)]
            told = [f"{field}={self.of(getattr(value, field), level + 1)}" for field in self._first(held, level)]
            return self._all(kind.__name__ + "(", ")", told, len(held), level)
        if issubclass(kind, Enum):
            return f"{kind.__name__}.{value.name}"
        if family(kind) == "numpy" and getattr(value, "shape", None) == () and type(value.item()) is not kind:
            return self.of(value.item(), level)
        own = self._own and kind.__repr__ is not object.__repr__ and family(kind) not in _LAZY
        if family(kind) in _PLAIN or own:  # a class may live in a module inside, as `pathlib._local`
            return shortened(_itself(value), self._string if level else self._most)
        return f"<{kind.__name__}>"

    def _bytes(self, value: Any) -> str:
        whole = repr(bytes(value[: self._string + _SECRET]))
        text = shortened(whole, self._string)
        return f"{text} ({len(value):,} bytes)" if len(whole) > self._string else text

    def _collection(self, value: Any, kind: Any, level: int) -> str:
        inner, count = level + 1, len(value)
        fields: tuple[str, ...] = getattr(kind, "_fields", ())  # of a named tuple
        if issubclass(kind, Mapping):
            first, last = "{", "}"
            told = [f"{self.of(key, inner)}: {self.of(value[key], inner)}" for key in self._first(value, level)]
        else:
            first, last = _BRACKETS.get(kind, "()" if fields else "[]")
            told = [self.of(each, inner) for each in self._first(value, level)]
            told = [f"{field}={text}" for field, text in zip(fields, told, strict=False)] if fields else told
        if kind is tuple and count == 1 and told:
            told[0] += ","
        if kind is set and not count:
            first, last = "set(", ")"
        elif kind not in _BRACKETS and kind is not dict:
            first, last = (kind.__name__ + first, last) if first == "(" else (f"{kind.__name__}({first}", f"{last})")
        return self._all(first, last, told, count, level)

    def _first(self, things: Iterable[Any], level: int) -> Iterable[Any]:
        return islice(things, self._items) if level < self._depth else ()

    def _all(self, first: str, last: str, told: list[str], count: int, level: int) -> str:
        if len(told) < count:
            told.append("…" if level >= self._depth else f"… and {count - len(told):,} more")
        text = first + ", ".join(told) + last
        if not self._own or len(text) + 2 * level <= _WIDTH:
            return text
        lines = ",\n".join(told).replace("\n", "\n  ")
        return f"{first}\n  {lines}\n{last}"


def _itself(value: Any) -> str:
    try:
        return repr(value)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's repr may do anything
        return f"<{type(value).__name__}: its repr failed with {type(error).__name__}>"


def _fields_of(kind: type[Any]) -> list[str] | None:
    """The fields that objects of a class show; None: it lists none, or has words of its own."""
    fields: Mapping[str, Any] | None = getattr(kind, "__dataclass_fields__", None)
    if fields is not None and not hasattr(kind.__repr__, "__wrapped__"):  # not the one that was generated
        return None
    if fields is None and str(getattr(kind.__repr__, "__module__", "")).startswith("pydantic."):
        fields = getattr(kind, "__pydantic_fields__", None)
    return [name for name, field in fields.items() if field.repr] if fields is not None else None
