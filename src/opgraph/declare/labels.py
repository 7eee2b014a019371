"""Labels of assets and ops, checked with one message each: groups, owners, tags, kinds, names."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from opgraph.errors import Source


class Labels(NamedTuple):
    """The labels of one asset."""

    group_name: str | None
    owners: tuple[str, ...]
    tags: Mapping[str, str]
    kinds: frozenset[str]


def checked_labels(
    owner: str,
    where: Source | None,
    group_name: str | None,
    owners: Sequence[str] | None,
    tags: Mapping[str, Any] | None,
    kinds: AbstractSet[str] | None,
) -> Labels:
    """The labels, those that are not valid reported and left out."""
    return Labels(group_name, tuple(owners or ()), dict(tags or {}), frozenset(kinds or ()))
