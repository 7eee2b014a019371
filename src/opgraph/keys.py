"""Names of assets and of steps, as everyone speaks of them."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, Union

from opgraph.errors import InvalidDefinitionError, Source, shown

NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class BadAssetKey(InvalidDefinitionError, ValueError):
    """An asset key that names nothing."""

    def __init__(self, given: object) -> None:
        self.given = given
        super().__init__(
            f"{shown(given, 60)} is no asset key: a key has one part or more, and each is a text that is not empty",
            where=Source.of_caller(),
            fix='write it as "a/b" or ["a", "b"]',
        )


class KeyInPieces(InvalidDefinitionError, TypeError):
    """An asset key whose parts are given one by one, or by a name that no parameter has."""

    def __init__(self, given: Sequence[object], named: Iterable[str]) -> None:
        self.given = tuple(given)
        said = [shown(part, 60) for part in given] + [f"{name}=…" for name in named]
        super().__init__(
            f"AssetKey({', '.join(said)}) is no asset key: a key is made of one argument, its whole path",
            where=Source.of_caller(),
            fix='write AssetKey("a/b") or AssetKey(["a", "b"])',
        )


class OneKeyForSeveral(InvalidDefinitionError, TypeError):
    """An asset key where several things are expected."""

    def __init__(self, key: "AssetKey") -> None:
        self.key = key
        super().__init__(
            f"Iteration is not allowed over {key!r}, which is one key",
            where=Source.of_caller(),
            fix="where several assets are expected, give a list; the parts of a key are in its `path`",
        )


class AssetKey:
    """The name of an asset: a path of one or more parts.

    `AssetKey("a/b")` and `AssetKey(["a", "b"])` are the same key.

    Args:
        path: the parts, or one string in which `/` separates them.

    Raises:
        BadAssetKey: the path is empty, or a part is empty or not a string.
        KeyInPieces: there is more than one argument.

    Example:
        >>> AssetKey(["raw", "flights"]).to_user_string()
        'raw/flights'
    """

    __slots__ = ("_hash", "parts", "text")

    parts: tuple[str, ...]
    text: str

    if TYPE_CHECKING:

        def __init__(self, path: str | Sequence[str] | "AssetKey") -> None: ...

    else:

        def __init__(self, path: Any = (), *more: object, **named: object) -> None:
            if more or named:
                raise KeyInPieces(more if path == () else (path, *more), named)
            if isinstance(path, AssetKey):
                parts = path.parts
            elif isinstance(path, str):
                parts = tuple(path.split("/")) if "/" in path else (path,)
            elif isinstance(path, Sequence) and all(isinstance(part, str) for part in path):
                parts = tuple(piece for part in path for piece in part.split("/"))
            else:
                raise BadAssetKey(path)
            if not parts or not all(parts):
                raise BadAssetKey(path)
            self.parts = parts
            self.text = "/".join(parts)
            self._hash = hash(self.text)

    @property
    def path(self) -> Sequence[str]:
        """The parts, as a list."""
        return list(self.parts)

    def to_user_string(self) -> str:
        """The parts joined by `/`."""
        return self.text

    def to_python_identifier(self, suffix: str | None = None) -> str:
        """The parts joined by `__`, with characters that no Python name has turned into `_`."""
        name = "__".join(self.parts if suffix is None else (*self.parts, suffix))
        return name if name.isascii() and name.isidentifier() else re.sub(r"\W", "_", name)

    def to_string(self) -> str:
        """The parts as a JSON list."""
        return "[" + ", ".join(f'"{part}"' for part in self.parts) + "]"

    @staticmethod
    def from_user_string(text: str) -> "AssetKey":
        """The key that `to_user_string` wrote."""
        return AssetKey(text)

    @staticmethod
    def from_coercible(value: "CoercibleToAssetKey") -> "AssetKey":
        """A key from a key, a string or a sequence of parts."""
        return value if isinstance(value, AssetKey) else AssetKey(value)

    def with_prefix(self, prefix: Union[str, Sequence[str], "AssetKey"]) -> "AssetKey":
        """This key below a prefix."""
        return AssetKey([*AssetKey(prefix).parts, *self.parts]) if prefix else self

    def has_prefix(self, prefix: Sequence[str]) -> bool:
        """Whether the first parts are these."""
        return self.parts[: len(prefix)] == tuple(prefix)

    if not TYPE_CHECKING:  # for a type checker a key is not iterable; who has none is told why

        def __iter__(self) -> NoReturn:
            raise OneKeyForSeveral(self)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, AssetKey) and self.text == other.text)

    def __lt__(self, other: "AssetKey") -> bool:
        return self.parts < other.parts

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"AssetKey({list(self.parts)!r})"

    def __reduce__(self) -> tuple[type["AssetKey"], tuple[list[str]]]:
        return AssetKey, (list(self.parts),)


CoercibleToAssetKey = AssetKey | str | Sequence[str]


def near_misses(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """The known names that a person may have meant by this one: the same letters in another case or place, a part
    too many or too few, or a small typing error. Best first."""
    import difflib

    options = list(known)
    last = name.rsplit("/", 1)[-1]
    same_end = [other for other in options if other.rsplit("/", 1)[-1] == last or other.replace("/", "__") == name]
    close = difflib.get_close_matches(name, options, n=most, cutoff=0.7)
    return list(dict.fromkeys([*same_end, *close]))[:most]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question with the names that may have been meant; empty: there are none."""
    close = near_misses(name, known)
    return f"did you mean {' or '.join(f'`{each}`' for each in close)}? " if close else ""


class Meant:
    """For mistakes: `did_you_mean`, of the fields with the name that was given and with those there are."""

    def __init__(self, name: str, known: str) -> None:
        self._name, self._known = name, known

    def __get__(self, mistake: object, kind: type | None = None) -> str:
        return did_you_mean(getattr(mistake, self._name), getattr(mistake, self._known))
