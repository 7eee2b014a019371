"""Facts about a value, for people: numbers, text, links, tables of JSON, each with its kind."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Union

import msgspec
from msgspec import Struct

from opgraph.errors import InvariantViolationError
from opgraph.events import Meta
from opgraph.keys import AssetKey, CoercibleToAssetKey

_LARGEST = 2**63  # whole numbers are kept as such below this


class UnusableMetadata(InvariantViolationError):
    """A value that cannot be kept as metadata."""

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.kind = type(value).__name__
        super().__init__(
            f"metadata `{name}` is a {self.kind}, which cannot be kept",
            fix="give a number, a string, a bool, None, JSON-like data or a `MetadataValue`; `str(…)` makes text",
        )


class MetadataValue(Struct, frozen=True):
    """One fact about a value. Made by its static methods; plain Python values are turned into one by themselves.

    Args:
        kind: what it is: `text`, `int`, `md`, `url`, …
        value: the fact.

    Example:
        >>> MetadataValue.md("**7** rows")
        MetadataValue(kind='md', value='**7** rows')
        >>> MetadataValue.int(7).value
        7
    """

    kind: str
    value: Any

    @staticmethod
    def text(text: str) -> "MetadataValue":
        """Plain text."""
        return MetadataValue("text", text)

    @staticmethod
    def md(data: str) -> "MetadataValue":
        """Markdown."""
        return MetadataValue("md", data)

    @staticmethod
    def url(url: str) -> "MetadataValue":
        """A link."""
        return MetadataValue("url", url)

    @staticmethod
    def path(path: Union[str, "os.PathLike[str]"]) -> "MetadataValue":
        """A path of a file."""
        return MetadataValue("path", os.fspath(path))

    @staticmethod
    def notebook(path: Union[str, "os.PathLike[str]"]) -> "MetadataValue":
        """A path of a notebook."""
        return MetadataValue("notebook", os.fspath(path))

    @staticmethod
    def json(data: Any) -> "MetadataValue":
        """Lists and dicts of plain data."""
        return MetadataValue("json", data)

    @staticmethod
    def asset(asset_key: CoercibleToAssetKey) -> "MetadataValue":
        """An asset."""
        return MetadataValue("asset", AssetKey.from_coercible(asset_key).text)

    @staticmethod
    def timestamp(value: float | datetime) -> "MetadataValue":
        """A time: an aware datetime, or seconds since 1970."""
        return MetadataValue("timestamp", value.timestamp() if isinstance(value, datetime) else float(value))

    @staticmethod
    def null() -> "MetadataValue":
        """Nothing."""
        return MetadataValue("null", None)

    # These three hide the types of the same names in what follows, so they come last.
    @staticmethod
    def bool(value: Any) -> "MetadataValue":
        """True or false."""
        return MetadataValue("bool", bool(value))

    @staticmethod
    def int(value: Any) -> "MetadataValue":
        """A whole number."""
        return MetadataValue("int", value.__index__())

    @staticmethod
    def float(value: Any) -> "MetadataValue":
        """A number."""
        return MetadataValue("float", value.__float__())


def to_wire(metadata: Mapping[str, Any]) -> dict[str, Meta]:
    """Metadata as users write it, in the form that is recorded.

    Raises:
        UnusableMetadata: a value cannot be kept; the message names it.
    """
    return {str(name): _meta(str(name), value) for name, value in metadata.items()}


def from_wire(metadata: Mapping[str, Meta]) -> dict[str, MetadataValue]:
    """Metadata as it was recorded, in the form that users read."""
    return {name: MetadataValue(meta.kind, meta.value) for name, meta in metadata.items()}


def _meta(name: str, value: Any) -> Meta:
    meta = _number_or_text(value) or _other(value)
    if meta is not None:
        return meta
    if isinstance(value, MetadataValue):
        return Meta(value.kind, _plain(name, value.value))
    if isinstance(value, (dict, list, tuple)):
        return Meta("json", _plain(name, value))
    if getattr(value, "shape", None) == ():  # a number of numpy
        return _meta(name, value.item())
    raise UnusableMetadata(name, value)


def _number_or_text(value: Any) -> Meta | None:
    if isinstance(value, bool):
        return Meta("bool", value)
    if isinstance(value, str):
        return Meta("text", str(value))
    if isinstance(value, int):
        return Meta("int", int(value)) if -_LARGEST <= value < _LARGEST else Meta("text", str(value))
    if isinstance(value, float):
        return Meta("float", float(value))
    return None


def _other(value: Any) -> Meta | None:
    if value is None:
        return Meta("null", None)
    if isinstance(value, AssetKey):
        return Meta("asset", value.text)
    if isinstance(value, Path):
        return Meta("path", str(value))
    if isinstance(value, datetime):
        return Meta("timestamp", value.timestamp())
    return None


def _plain(name: str, value: Any) -> Any:
    try:
        return msgspec.to_builtins(value, str_keys=True)
    except (TypeError, ValueError):
        raise UnusableMetadata(name, value) from None
