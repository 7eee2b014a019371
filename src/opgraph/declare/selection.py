"""Which assets: a tree of set operations, built in code or read from text. Resolving it is `resolve`'s work."""

from typing import TypeAlias, Union

from msgspec import Struct

from opgraph.keys import AssetKey


class AssetSelection(Struct, frozen=True):
    """A set of assets, described."""


class All(AssetSelection, frozen=True):
    """Every asset that can be made; with `external`, the external ones too."""

    external: bool = False


class Keys(AssetSelection, frozen=True):
    """The assets of these keys."""

    keys: tuple[AssetKey, ...]


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

    kind: str | None


class Owner(AssetSelection, frozen=True):
    """The assets of this owner; None: without any."""

    owner: str | None


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


class Materializable(AssetSelection, frozen=True):
    """Those of these that can be made here."""

    child: AssetSelection


class Sources(AssetSelection, frozen=True):
    """Those upstream of these, or among them, that are made from nothing."""

    child: AssetSelection


class UpstreamExternal(AssetSelection, frozen=True):
    """The external assets that these are directly made from."""

    child: AssetSelection


class Siblings(AssetSelection, frozen=True):
    """These, and what must be made together with them."""

    child: AssetSelection
