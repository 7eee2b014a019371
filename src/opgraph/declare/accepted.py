"""Which kind of thing each parameter takes: checked where users hand it over, so that the rooms above trust it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple, cast

from opgraph.declare.mistakes import WrongType, report
from opgraph.declare.retry import RetryPolicy
from opgraph.errors import Source
from opgraph.keys import AssetKey


class Kind(NamedTuple):
    """What a parameter takes: a test, and words for it."""

    fits: Callable[[Any], bool]
    words: str


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    if not isinstance(value, (dict, Mapping)):  # most are a dict, and asking an abstract class costs
        return False
    return not value or all(isinstance(key, str) for key in cast("Mapping[Any, Any]", value))


def _is_by_key(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_names(value: Any) -> bool:
    if isinstance(value, str) or not isinstance(value, (frozenset, set, list, tuple, AbstractSet, Sequence)):
        return False
    return all(isinstance(each, str) for each in cast("Iterable[Any]", value))


def _is_listed(value: Any) -> bool:
    return not isinstance(value, (str, AssetKey)) and isinstance(value, (list, tuple, Iterable))  # as above


def _is_deps(value: Any) -> bool:
    return isinstance(value, AssetKey) or _is_listed(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_subset(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value == "auto")


def _is_prefix(value: Any) -> bool:
    return isinstance(value, str) or _is_names(value)


def _is_internal(value: Any) -> bool:
    return _is_mapping(value) and all(isinstance(keys, (AbstractSet, Sequence)) for keys in value.values())


def _is_columns(value: Any) -> bool:
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    return listed and all(hasattr(each, "constraints") for each in cast("Sequence[Any]", value))


def _is_retry(value: Any) -> bool:
    return isinstance(value, RetryPolicy)


_TEXT: Final = Kind(_is_text, "a text")
_MAPPING: Final = Kind(_is_mapping, "a mapping whose keys are texts")
_BY_KEY: Final = Kind(_is_by_key, "a mapping")
_NAMES: Final = Kind(_is_names, "a set of names")
_LISTED: Final = Kind(_is_listed, "a list")
_DEPS: Final = Kind(_is_deps, "a list")
_FLAG: Final = Kind(_is_flag, "True or False")
_SUBSET: Final = Kind(_is_subset, 'True, False or "auto"')
_PREFIX: Final = Kind(_is_prefix, "a text or a list of texts")
_INTERNAL: Final = Kind(_is_internal, "a mapping from output names to sets of asset keys")
_COLUMNS: Final = Kind(_is_columns, "a list of `TableColumn`s")
_RETRY: Final = Kind(_is_retry, "a `RetryPolicy`")

KINDS: Final[dict[str, Kind]] = {
    "asset_key_replacements": _BY_KEY,
    "assets": _LISTED,
    "can_subset": _SUBSET,
    "code_version": _TEXT,
    "column_name": _TEXT,
    "columns": _COLUMNS,
    "code_versions_by_output_name": _MAPPING,
    "compute_kind": _TEXT,
    "deps": _DEPS,
    "description": _TEXT,
    "descriptions_by_output_name": _MAPPING,
    "execution": _MAPPING,
    "group_names_by_key": _BY_KEY,
    "group_names_by_output_name": _MAPPING,
    "input_manager_key": _TEXT,
    "input_values": _MAPPING,
    "inputs": _MAPPING,
    "ins": _MAPPING,
    "internal_asset_deps": _INTERNAL,
    "io_manager_key": _TEXT,
    "is_required": _FLAG,
    "stream": _FLAG,
    "jobs": _LISTED,
    "key_prefix": _PREFIX,
    "keys_by_input_name": _MAPPING,
    "keys_by_output_name": _MAPPING,
    "kinds": _LISTED,
    "loggers": _MAPPING,
    "memoize": _FLAG,
    "metadata": _MAPPING,
    "metadata_by_key": _BY_KEY,
    "metadata_by_output_name": _MAPPING,
    "name": _TEXT,
    "op_retry_policy": _RETRY,
    "op_tags": _BY_KEY,
    "output_name": _TEXT,
    "output_required": _FLAG,
    "ops": _MAPPING,
    "outs": _MAPPING,
    "owners": _LISTED,
    "owners_by_output_name": _MAPPING,
    "required_resource_keys": _NAMES,
    "resource_defs": _MAPPING,
    "resources": _MAPPING,
    "pool": _TEXT,
    "retry_policy": _RETRY,
    "run_tags": _BY_KEY,
    "skippable": _FLAG,
    "specs": _LISTED,
    "tags": _BY_KEY,
    "tags_by_key": _BY_KEY,
    "tags_by_output_name": _MAPPING,
    "type": _TEXT,
}  # keys, groups and selections have checks and messages of their own


def expect(owner: str, where: Source | None = None, /, **given: object) -> None:
    """Raise for the first parameter of `owner` that is of a wrong kind.

    Raises:
        WrongType: naming the parameter and what it takes.
    """
    for name, value in given.items():
        if value is not None and not KINDS[name].fits(value):
            raise WrongType(owner, name, value, KINDS[name].words, where=where or Source.of_caller())


def sort_out(owner: str, given: dict[str, Any]) -> None:
    """Report the parameters of a wrong kind and take them out, so that the declaration goes on without them."""
    for name, value in list(given.items()):
        if value is None or name not in KINDS or KINDS[name].fits(value):
            continue
        report(WrongType(owner, name, given.pop(name), KINDS[name].words, where=Source.of_caller()))


def only(
    owner: str, name: str, given: Mapping[Any, Any], kind: type, words: str, where: Source | None = None
) -> dict[Any, Any]:
    """The entries of a mapping that are of a class; the others are reported and left out."""
    for key, value in given.items():
        if not isinstance(value, kind):
            report(WrongType(owner, f'{name}["{key}"]', value, words, where=where or Source.of_caller()))
    return {key: value for key, value in given.items() if isinstance(value, kind)}
