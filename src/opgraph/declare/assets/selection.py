"""Which assets: a tree of set operations, built in code or read from text. Resolving it is `resolve`'s work."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn, TypeAlias, cast

from msgspec import Struct

from opgraph.declare import ports
from opgraph.declare.assets.asset_mistakes import NamesNoAsset
from opgraph.declare.assets.selection_words import InvalidSelectionError, Word, words
from opgraph.keys import AssetKey, CoercibleToAssetKey, near_misses


class AssetSelection(Struct, frozen=True):
    """A set of assets, described: combine with `|`, `&` and `-`.

    Example:
        >>> (AssetSelection.groups("raw") | AssetSelection.keys("a/b")).downstream(depth=1)
    """

    # -- to begin with --------------------------------------------------------

    @staticmethod
    def all(include_sources: bool = False) -> "AssetSelection":
        """Every asset that can be made; with `include_sources`, the external ones too."""
        return All(include_sources)

    @staticmethod
    def assets(*assets_defs: Any) -> "AssetSelection":
        """The assets of these definitions, or of these keys."""
        return Keys(tuple(key for each in assets_defs for key in keys_of(each)))

    @staticmethod
    def keys(*asset_keys: CoercibleToAssetKey) -> "AssetSelection":
        """The assets of these keys."""
        return Keys(tuple(AssetKey.from_coercible(key) for key in asset_keys))

    @staticmethod
    def key_prefixes(*key_prefixes: str | Sequence[str], include_sources: bool = False) -> "AssetSelection":
        """The assets below these prefixes."""
        return _sourced(KeyPrefixes(tuple(AssetKey(prefix).parts for prefix in key_prefixes)), include_sources)

    @staticmethod
    def key_substring(key_substring: str, include_sources: bool = False) -> "AssetSelection":
        """The assets whose key, as text, contains this."""
        return _sourced(KeySubstring(key_substring), include_sources)

    @staticmethod
    def groups(*group_strs: str, include_sources: bool = False) -> "AssetSelection":
        """The assets of these groups."""
        return _sourced(Groups(group_strs), include_sources)

    @staticmethod
    def tag(key: str, value: str | None, include_sources: bool = False) -> "AssetSelection":
        """The assets with this tag."""
        return _sourced(Tag(key, value), include_sources)

    @staticmethod
    def tag_string(string: str, include_sources: bool = False) -> "AssetSelection":
        """The assets with this tag, written `key=value`, or `key` where its value is empty."""
        key, _, value = string.partition("=")
        return _sourced(Tag(key, value), include_sources)

    @staticmethod
    def kind(kind: str | None, include_sources: bool = False) -> "AssetSelection":
        """The assets of this kind."""
        return _sourced(Kind(kind), include_sources)

    @staticmethod
    def owner(owner: str | None) -> "AssetSelection":
        """The assets of this owner."""
        return _sourced(Owner(owner), include_sources=False)

    @classmethod
    def from_string(cls, string: str, include_sources: bool = False) -> "AssetSelection":
        """A selection from text.

        `*a` or `+a`: with all upstream; `2+a`: two steps upstream; `a+2`: two steps downstream; `key:"raw/*"`,
        `group:x`, `tag:k=v`, `kind:x`, `owner:x`; `and`, `or`, `not`, parentheses; `roots(...)`, `sinks(...)`;
        `+missing`: what was never made, with all upstream of it that was never made either; `*`: everything.

        Raises:
            InvalidSelectionError: the text is no selection; the message shows the place.
        """
        return _sourced(_Reader(string).whole(), include_sources)

    # -- going on from these --------------------------------------------------

    def upstream(self, depth: int | None = None, include_self: bool = True) -> "AssetSelection":
        """What these are made from, that many steps back; without `depth`, all the way."""
        return Upstream(self, depth, include_self)

    def downstream(self, depth: int | None = None, include_self: bool = True) -> "AssetSelection":
        """What is made from these, that many steps on; without `depth`, all the way."""
        return Downstream(self, depth, include_self)

    def roots(self) -> "AssetSelection":
        """Those of these that are made from none of these, by any number of steps."""
        return Roots(self)

    def sinks(self) -> "AssetSelection":
        """Those of these that none of these is made from."""
        return Sinks(self)

    def sources(self) -> "AssetSelection":
        """Those of these, and upstream of them, that are made from nothing."""
        return Sources(self)

    def materializable(self) -> "AssetSelection":
        """Those of these that can be made here."""
        return Materializable(self)

    def upstream_source_assets(self) -> "AssetSelection":
        """The external assets that these are made from, by any number of steps."""
        return UpstreamExternal(self)

    def required_multi_asset_neighbors(self) -> "AssetSelection":
        """These, and what must be made together with them."""
        return Siblings(self)

    def missing(self) -> "AssetSelection":
        """Those of these of which no materialization is recorded."""
        return Missing(self)

    def resolve(self, all_assets: Any) -> AbstractSet[AssetKey]:
        """The keys of what is selected.

        Args:
            all_assets: the assets to choose from: definitions, specs, Definitions, or what `resolve_asset_graph` gave.

        Raises:
            InvalidSubsetError: it names a key that is not among them.
        """
        return ports.runner().asset_graph(all_assets).select(self)

    @classmethod
    def from_coercible(cls, selection: "CoercibleToAssetSelection") -> "AssetSelection":
        """A selection from text, keys, definitions, or a list of these."""
        return selection_of(selection)

    def __or__(self, other: "AssetSelection") -> "AssetSelection":
        return Or((*_operands(self, Or), *_operands(other, Or)))

    def __and__(self, other: "AssetSelection") -> "AssetSelection":
        return And((*_operands(self, And), *_operands(other, And)))

    def __sub__(self, other: "AssetSelection") -> "AssetSelection":
        return Sub(self, other)

    def __str__(self) -> str:
        """The selection as text that `from_string` reads."""
        return _written(self)


class All(AssetSelection, frozen=True):
    """Every asset that can be made; with `external`, the external ones too."""

    external: bool = False


class Keys(AssetSelection, frozen=True):
    """The assets of these keys."""

    keys: tuple[AssetKey, ...]  # pyright: ignore[reportIncompatibleMethodOverride] - the field, where the class has a maker


class KeyWildcard(AssetSelection, frozen=True):
    """The assets whose key, as text, fits a pattern: `*` stands for any characters."""

    pattern: str


class KeyPrefixes(AssetSelection, frozen=True):
    """The assets below these prefixes."""

    prefixes: tuple[tuple[str, ...], ...]


class KeySubstring(AssetSelection, frozen=True):
    """The assets whose key, as text, contains this."""

    text: str


class Groups(AssetSelection, frozen=True):
    """The assets of these groups."""

    names: tuple[str, ...]


class Tag(AssetSelection, frozen=True):
    """The assets with this tag; with any value where `value` is None."""

    key: str
    value: str | None = None


class Kind(AssetSelection, frozen=True):
    """The assets of this kind; None: without any."""

    kind: str | None  # pyright: ignore[reportIncompatibleMethodOverride] - as above


class Owner(AssetSelection, frozen=True):
    """The assets of this owner; None: without any."""

    owner: str | None  # pyright: ignore[reportIncompatibleMethodOverride] - as above


class And(AssetSelection, frozen=True):
    """Those in every operand."""

    operands: tuple[AssetSelection, ...]


class Or(AssetSelection, frozen=True):
    """Those in any operand."""

    operands: tuple[AssetSelection, ...]


class Sub(AssetSelection, frozen=True):
    """Those in `left` and not in `right`. `not x` is every asset without x."""

    left: AssetSelection
    right: AssetSelection


class Upstream(AssetSelection, frozen=True):
    """What these are made from, that many steps back; None: all the way."""

    child: AssetSelection
    depth: int | None = None
    include_self: bool = True


class Downstream(AssetSelection, frozen=True):
    """What is made from these, that many steps on; None: all the way."""

    child: AssetSelection
    depth: int | None = None
    include_self: bool = True


class Roots(AssetSelection, frozen=True):
    """Those of these that are made from none of these."""

    child: AssetSelection


class Sinks(AssetSelection, frozen=True):
    """Those of these that none of these is made from."""

    child: AssetSelection


class Missing(AssetSelection, frozen=True):
    """Those of these of which no materialization is recorded; all assets where `child` is None."""

    child: AssetSelection | None = None


class External(AssetSelection, frozen=True):
    """These, external assets among them too: without it, a group, tag or the like has only what can be made."""

    child: AssetSelection


class Materializable(AssetSelection, frozen=True):
    """Those of these that can be made here."""

    child: AssetSelection


class Sources(AssetSelection, frozen=True):
    """Those upstream of these, or among them, that are made from nothing."""

    child: AssetSelection


class UpstreamExternal(AssetSelection, frozen=True):
    """The external assets that these are made from, by any number of steps."""

    child: AssetSelection


class Siblings(AssetSelection, frozen=True):
    """These, and what must be made together with them."""

    child: AssetSelection


CoercibleToAssetSelection: TypeAlias = str | AssetSelection | Sequence[Any] | Any


def selection_of(given: CoercibleToAssetSelection) -> AssetSelection:
    """A selection from a selection, its text, keys, definitions, or a list of any of these.

    Raises:
        InvalidSelectionError: text that is no selection.
        InvariantViolationError: something that names no asset.
    """
    if isinstance(given, AssetSelection):
        return given
    if isinstance(given, str):
        return AssetSelection.from_string(given)
    if isinstance(given, (list, tuple, set, frozenset)):
        parts = cast("Iterable[Any]", given)
        found = [selection_of(each) if isinstance(each, str) else Keys(tuple(keys_of(each))) for each in parts]
        if all(isinstance(each, Keys) for each in found):
            return Keys(tuple(key for each in found for key in cast("Keys", each).keys))
        return Or(tuple(found))
    return Keys(tuple(keys_of(given)))


def keys_of(given: Any) -> list[AssetKey]:
    """The keys that a key, its text or parts, a spec or a definition stands for."""
    if isinstance(given, AssetKey):
        return [given]
    if isinstance(given, (str, list, tuple)):
        return [AssetKey(cast("str | Sequence[str]", given))]
    if hasattr(given, "specs_by_key"):
        return list(given.specs_by_key)
    key: Any = getattr(given, "key", None)
    if not isinstance(key, AssetKey):
        raise NamesNoAsset(given)
    return [key]


def _operands(selection: AssetSelection, kind: type[And] | type[Or]) -> tuple[AssetSelection, ...]:
    return selection.operands if isinstance(selection, kind) else (selection,)


def _sourced(selection: AssetSelection, include_sources: bool) -> AssetSelection:
    return External(selection) if include_sources else selection


# -- text -----------------------------------------------------------------------

_ATTRIBUTES = ("key", "group", "tag", "kind", "owner")


class _Reader:
    """Reads a selection, one word ahead. The weakest first: `or`, `and`, `not`, then what is around an operand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = list(words(text))
        self._next = 0

    def whole(self) -> AssetSelection:
        selection = self._either()
        if self._peek().kind != "end":
            self._refuse(f"`{self._peek().text}` is not expected here", "join two selections with `or` or `and`")
        return selection

    def _peek(self) -> Word:
        return self._words[self._next]

    def _take(self, text: str) -> bool:
        taken = self._peek().kind in ("sign", "word") and self._peek().text.lower() == text
        self._next += int(taken)
        return taken

    def _refuse(self, problem: str, fix: str) -> NoReturn:
        raise InvalidSelectionError(self._text, self._peek().at, problem, fix)

    def _either(self) -> AssetSelection:
        found = [self._both()]
        while self._take("or") or self._take(","):
            found.append(self._both())
        return found[0] if len(found) == 1 else Or(tuple(found))

    def _both(self) -> AssetSelection:
        selection = self._negated()
        while self._take("and"):
            # `a and not b` is a without b: `not` alone would mean everything without b.
            if self._take("not"):
                selection = Sub(selection, self._negated())
            else:
                selection = And((*_operands(selection, And), self._negated()))
        return selection

    def _negated(self) -> AssetSelection:
        return Sub(All(), self._negated()) if self._take("not") else self._walk()

    def _walk(self) -> AssetSelection:
        """`2+a`, `++a`, `*a`, `a+`, `a+2`, `a*`, `a +missing`."""
        if self._peek().kind == "missing":
            self._next += 1
            return Missing()
        if self._take("*"):
            if not self._begins_operand:
                return All()
            return self._walked_on(Upstream(self._operand()))
        if self._peek().kind == "sign" and self._peek().text.startswith("+"):
            signs = len(self._peek().text)
            self._next += 1
            return self._walked_on(Upstream(self._operand(), None if signs == 1 else signs))
        after = self._words[self._next + 1] if self._peek().kind == "word" and self._peek().text.isdigit() else None
        if after is not None and after.text == "+":
            depth = int(self._peek().text)
            self._next += 2
            return self._walked_on(Upstream(self._operand(), depth))
        return self._walked_on(self._operand())

    def _walked_on(self, selection: AssetSelection) -> AssetSelection:
        """With what stands behind an operand. Before and behind together is both, from the operand."""
        around = selection.child if isinstance(selection, Upstream) else selection
        if self._take("*"):
            return _joined(selection, around, Downstream(around))
        if self._peek().kind == "sign" and self._peek().text.startswith("+"):
            signs = len(self._peek().text)
            self._next += 1
            depth = None if signs == 1 else signs
            if (
                self._peek().kind == "word"
                and self._peek().text.isdigit()
                and self._peek().at == self._words[self._next - 1].at + 1
            ):
                depth = int(self._peek().text)
                self._next += 1
            return _joined(selection, around, Downstream(around, depth))
        if self._peek().kind == "missing":
            self._next += 1
            return Or((selection, Missing(Upstream(around))))
        return selection

    @property
    def _begins_operand(self) -> bool:
        word = self._peek()
        return (
            word.kind in ("attribute", "quoted")
            or word.text == "("
            or (word.kind == "word" and word.text.lower() not in ("and", "or", "not"))
        )

    def _operand(self) -> AssetSelection:
        word = self._peek()
        if not self._begins_operand:
            found = "the end" if word.kind == "end" else f"`{word.text}`"
            self._refuse(
                f"an asset's key or a condition is missing before {found}", 'write `my_asset`, `group:x`, `key:"raw/*"`'
            )
        self._next += 1
        if word.text == "(":
            selection = self._either()
            self._close()
            return selection
        if word.kind == "attribute":
            return self._attribute(word)
        if word.kind == "quoted":
            return _key(word.text.strip('"'))
        if word.text in ("roots", "sinks") and self._take("("):
            selection = self._either()
            self._close()
            return Roots(selection) if word.text == "roots" else Sinks(selection)
        return Missing() if word.text == "missing" else _key(word.text)

    def _close(self) -> None:
        if not self._take(")"):
            self._refuse("a `)` is missing", "close what was opened with `(`")

    def _attribute(self, word: Word) -> AssetSelection:
        name, _, value = word.text.partition(":")
        plain = value.replace('"', "")
        if name not in _ATTRIBUTES:
            self._next -= 1
            close = near_misses(name, _ATTRIBUTES)
            self._refuse(
                f"assets cannot be selected by `{name}`",
                f"did you mean `{close[0]}:`?"
                if close
                else f"use one of {', '.join(f'`{each}:`' for each in _ATTRIBUTES)}",
            )
        if not plain and name in ("key", "tag", "group"):
            self._next -= 1
            self._refuse(f"`{name}:` has no value", f"write it right behind the colon: `{name}:x`")
        match name:
            case "key":
                return _key(plain)
            case "group":
                return Groups((plain,))
            case "kind":
                return Kind(plain or None)
            case "owner":
                return Owner(plain or None)
            case _:
                key, equals, given = plain.partition("=")
                return Tag(key, given if equals else None)


def _key(text: str) -> AssetSelection:
    return KeyWildcard(text) if "*" in text else Keys((AssetKey(text),))


def _joined(before: AssetSelection, around: AssetSelection, behind: AssetSelection) -> AssetSelection:
    return behind if before is around else Or((before, behind))


def _written(selection: AssetSelection) -> str:  # noqa: C901, PLR0911, PLR0912 - one line a kind
    match selection:
        case All():
            return "*"
        case Keys(keys):
            return " or ".join(f'key:"{key.text}"' for key in keys)
        case KeyWildcard(pattern):
            return f'key:"{pattern}"'
        case KeyPrefixes(prefixes):
            return " or ".join(f'key:"{"/".join(prefix)}/*"' for prefix in prefixes)
        case KeySubstring(text):
            return f'key:"*{text}*"'
        case Groups(names):
            return " or ".join(f'group:"{name}"' for name in names)
        case Tag(key, value):
            return f'tag:"{key}"' + ("" if value is None else f'="{value}"')
        case Kind(kind):
            return f'kind:"{kind or ""}"'
        case Owner(owner):
            return f'owner:"{owner or ""}"'
        case And(operands):
            return " and ".join(map(_grouped, operands))
        case Or(operands):
            return " or ".join(map(_grouped, operands))
        case Sub(All(), right):
            return f"not {_grouped(right)}"
        case Sub(left, right):
            return f"{_grouped(left)} and not {_grouped(right)}"
        case Upstream(child, depth, include_self):
            walked = f"{'' if depth is None else depth}+{_grouped(child)}"
            return walked if include_self else f"{walked} and not {_grouped(child)}"
        case Downstream(child, depth, include_self):
            walked = f"{_grouped(child)}+{'' if depth is None else depth}"
            return walked if include_self else f"{walked} and not {_grouped(child)}"
        case Roots(child):
            return f"roots({_written(child)})"
        case Sinks(child):
            return f"sinks({_written(child)})"
        case Missing(child):
            return "+missing" if child is None else f"{_grouped(child)} and +missing"
        case _:
            # The others have no text of their own: they say what they are.
            return f"{type(selection).__name__.lower()}({_written(getattr(selection, 'child', All()))})"


def _grouped(selection: AssetSelection) -> str:
    text = _written(selection)
    return f"({text})" if " " in text else text
