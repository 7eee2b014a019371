"""Labels of assets and ops, checked with one message each: groups, owners, tags, kinds, names."""

import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from opgraph.declare.frozen import set_of
from opgraph.declare.mistakes import BadGroup, BadKind, BadName, BadOwner, BadTag, TooManyKinds, report
from opgraph.errors import InvalidDefinitionError, Mistake, Source, shown
from opgraph.keys import NAME, Meant

_WORD: Final = re.compile(r"[A-Za-z0-9_]+")
_ASSET: Final = re.compile(r"[A-Za-z0-9_.-]+")
_GROUP: Final = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TEAM: Final = re.compile(r"team:[\w.-]+")
_TAG_KEY: Final = re.compile(r"([A-Za-z0-9_.-]{1,63}/){0,2}[A-Za-z0-9_.-]{1,63}")
_TAG_VALUE: Final = re.compile(r"[A-Za-z0-9_.-]{0,63}")
_NAMES: Final = {"asset": _ASSET, "input": NAME}  # an input is a name in Python, too
POOL: Final = re.compile(r"[A-Za-z0-9_./:|,-]{1,100}")
_KIND: Final = re.compile(r"[A-Za-z0-9_.-]{1,63}")


MEMOIZE: Final = "opgraph/memoize"  # the tag that says whether values are reused by fingerprint
TIMEOUT: Final = "opgraph/timeout"  # the seconds that a step or run may take
EXECUTOR: Final = "opgraph/executor"  # where a step must run
_OWN: Final = (EXECUTOR, MEMOIZE, TIMEOUT)


def memoized_tags(tags: dict[str, str], memoize: bool | None) -> dict[str, str]:
    """Tags with what the parameter `memoize` says, which is nothing but the tag in other words."""
    return tags if memoize is None else {**tags, MEMOIZE: "true" if memoize else "false"}


class UnknownOwnTag(Mistake, InvalidDefinitionError):
    """A tag with opgraph's own prefix that does nothing."""

    owner: str
    key: str
    known: Sequence[str]
    says = "{owner} has the tag `{key}`, which opgraph does not know; its own tags are {known}"
    meant = Meant("key", "known")
    mend = "{meant}tags of your own have another prefix, or none"


class BadTagValue(Mistake, InvalidDefinitionError):
    """A tag of an op, graph or job whose value is neither text nor JSON."""

    owner: str
    key: str
    value: object
    says = "Invalid value for tag `{key}` of {owner}: a {value:type}"
    mend = "give text, a number, or lists and dicts of these"


class BadPool(Mistake, InvalidDefinitionError):
    """The name of a pool has characters that it must not have."""

    owner: str
    name: str
    says = "{owner} names the pool {name!r}, which is no valid name"
    mend = "use letters, digits and `_-./:|,`, at most 100 of them"


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
    """The labels of an asset; those that are not valid are reported and left out."""
    return Labels(
        checked_group(owner, group_name, where) if group_name is not None else None,
        _checked_owners(owner, owners, where) if owners else (),
        _checked_asset_tags(owner, tags, where) if tags else {},
        _checked_kinds(owner, kinds, where) if kinds else set_of(()),
    )


def checked_name(kind: str, name: str, where: Source | None) -> str:
    """The name of an asset, op, graph, job, input or output; one that is not valid is reported."""
    if not _is_text(name, _NAMES.get(kind, _WORD)):
        report(BadName(kind, name, where=where))
        return re.sub(r"\W", "_", name if isinstance(name, str) else shown(name)) or "_"  # pyright: ignore[reportUnnecessaryIsInstance]
    return name


def checked_pool(owner: str, pool: str | None, where: Source | None) -> str | None:
    """The name of a pool; None, and a report, where it is not valid."""
    if pool is not None and not POOL.fullmatch(pool):
        report(BadPool(owner, pool, where=where))
        return None
    return pool


def checked_group(owner: str, group: str, where: Source | None) -> str | None:
    """A group's name; None, and a report, where it is not valid."""
    if not isinstance(group, str) or not _GROUP.fullmatch(group):  # pyright: ignore[reportUnnecessaryIsInstance]
        report(BadGroup(owner, group, where=where))
        return None
    return group


def checked_tags(owner: str, tags: Mapping[str, Any] | None, where: Source | None) -> dict[str, str]:
    """Tags of an op, graph or job: keys as an asset's, any value, kept as text."""
    kept: dict[str, str] = {}
    for key, value in (tags or {}).items():
        if _is_text(key, _TAG_KEY):
            _check_own(owner, key, where)
            try:
                kept[key] = value if isinstance(value, str) else json.dumps(value)
            except TypeError:
                report(BadTagValue(owner, key, value, where=where))
        else:
            report(BadTag(owner, key, value, where=where))
    return kept


def _check_own(owner: str, key: str, where: Source | None) -> None:
    if key.startswith("opgraph/") and key not in _OWN:
        report(UnknownOwnTag(owner, key, _OWN, where=where))


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _checked_asset_tags(owner: str, tags: Mapping[str, Any], where: Source | None) -> dict[str, str]:
    kept: dict[str, str] = {}
    for key, value in tags.items():
        if _is_text(key, _TAG_KEY) and _is_text(value, _TAG_VALUE):
            _check_own(owner, key, where)
            kept[key] = value
        else:
            report(BadTag(owner, key, value, where=where))
    return kept


def _checked_owners(owner: str, owners: Sequence[str], where: Source | None) -> tuple[str, ...]:
    kept: list[str] = []
    for each in [owners] if isinstance(owners, str) else owners:
        if _is_text(each, _TEAM) or _is_text(each, _EMAIL):
            kept.append(each)
        else:
            report(BadOwner(owner, each, where=where))
    return tuple(kept)


def _checked_kinds(owner: str, kinds: AbstractSet[str], where: Source | None) -> frozenset[str]:
    kept: set[str] = set()
    for each in [kinds] if isinstance(kinds, str) else kinds:
        if _is_text(each, _KIND):
            kept.add(each)
        else:
            report(BadKind(owner, each, where=where))
    if len(kept) > 3:
        report(TooManyKinds(owner, sorted(kept), where=where))
    return frozenset(kept)
