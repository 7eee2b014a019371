"""Records that never change after they were made: what users declare is read by every room above."""

from collections.abc import Callable, Collection, Iterator
from functools import cache
from itertools import repeat
from typing import Any, NoReturn, TypeVar

from opgraph.errors import shown
from opgraph.keys import AssetKey

T = TypeVar("T", bound="Frozen")
V = TypeVar("V")
_set = object.__setattr__


class Frozen:
    """A slotted record: `settle` sets its fields once, afterwards they are read only. Equal to itself only.

    Classes of their own `__init__` need this where a field is of another type than its parameter (`"a/b"` becomes an
    `AssetKey`); the others are msgspec Structs.
    """

    __slots__ = ()

    def settle(self, **fields: Any) -> None:
        """Set the fields, from `__init__` only."""
        any(map(_set, repeat(self), fields, fields.values()))  # a loop, three times as fast: `_set` returns None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is read only: `{name}` cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is read only: `{name}` cannot be deleted")

    def __repr__(self) -> str:
        told = [(name, value) for name, value in fields_of(self) if name != "source" and not _is_unsaid(name, value)]
        told.sort(key=lambda field: field[0] not in ("key", "name"))  # who it is comes first
        return f"{type(self).__name__}({', '.join(f'{name}={_short(value)}' for name, value in told)})"

    def __getstate__(self) -> dict[str, Any]:
        return dict(fields_of(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.settle(**state)


def _is_unsaid(name: str, value: object) -> bool:
    """Whether a field is as if nothing had been said of it. No `==`: what users give may refuse to be compared."""
    if value is None or getattr(type(value), "unsaid", False):
        return True
    if name in ("is_required", "is_executable"):
        return value is True
    return value is False or (isinstance(value, (str, tuple, list, dict, set, frozenset)) and not value)


def _short(value: Any) -> str:
    if isinstance(value, AssetKey):
        return repr(value.text)
    return value.__qualname__ if isinstance(value, type) else shown(value, 60)


class Compared(Frozen):
    """A record that is equal to another one of equal fields, wherever the two were written. Most have dicts inside, so
    there is no hash."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return False
        return all(value == getattr(other, name) for name, value in fields_of(self) if name != "source")

    __hash__ = None  # pyright: ignore[reportAssignmentType] - Python's way to say it


def fields_of(record: Frozen) -> Iterator[tuple[str, Any]]:
    """The names and values of a record's fields."""
    return ((name, getattr(record, name)) for name in _names_of(type(record)))


@cache
def _names_of(cls: type[Any]) -> tuple[str, ...]:
    slots = (name for each in cls.__mro__ for name in each.__dict__.get("__slots__", ()))
    return tuple(name for name in slots if name != "__weakref__")


def made(cls: type[T], **fields: Any) -> T:
    """A record from its fields, past its `__init__`."""
    record: T = object.__new__(cls)
    record.settle(**fields)
    return record


class _Doc:
    """The `__doc__` of a class, and of each of its records."""

    def __init__(self, of_class: str | None, of_record: Callable[[Any], str | None]) -> None:
        self.of_class, self.of_record = of_class, of_record

    def __get__(self, record: Any, _cls: type | None = None) -> str | None:
        return self.of_class if record is None else self.of_record(record)


def document(cls: type[T], of_record: Callable[[T], str | None]) -> None:
    """Make the records of a class answer `help` and `__doc__` with what the user wrote; the class keeps its own."""
    cls.__doc__ = _Doc(cls.__doc__, of_record)  # pyright: ignore[reportAttributeAccessIssue] - Python asks descriptors


_NONE: frozenset[Any] = frozenset()


def set_of(values: Collection[V] | None) -> frozenset[V]:
    """The values as a frozen set. The empty one is always the same: each of thousands would be an object of its own,
    which Python's collector of cycles looks at again and again."""
    return frozenset(values) if values else _NONE


def replaced(record: T, **changes: Any) -> T:
    """A copy with other values in some fields."""
    copy: T = object.__new__(type(record))
    kept = [name for name in _names_of(type(record)) if name not in changes]
    any(map(_set, repeat(copy), kept, map(getattr, repeat(record), kept)))  # as in `settle`
    copy.settle(**changes)
    return copy
