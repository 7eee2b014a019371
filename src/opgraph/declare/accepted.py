"""Which kind of thing each parameter takes: checked where users hand it over, so that the rooms above trust it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from opgraph.declare.mistakes import WrongType, report
from opgraph.errors import Source


class Kind(NamedTuple):
    """What a parameter takes: a test, and words for it."""

    fits: Callable[[Any], bool]
    words: str


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)  # pyright: ignore[reportUnknownVariableType]


def _is_by_key(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_names(value: object) -> bool:
    return isinstance(value, (AbstractSet, Sequence)) and not isinstance(value, str) and all(map(_is_text, value))  # pyright: ignore[reportUnknownArgumentType]


def _is_listed(value: object) -> bool:
    return isinstance(value, Iterable)


_TEXT: Final = Kind(_is_text, "a text")
_MAPPING: Final = Kind(_is_mapping, "a mapping whose keys are texts")
_BY_KEY: Final = Kind(_is_by_key, "a mapping")
_NAMES: Final = Kind(_is_names, "a set of names")
_LISTED: Final = Kind(_is_listed, "a list")
_FLAG: Final = Kind(lambda value: isinstance(value, bool), "True or False")
_SUBSET: Final = Kind(lambda value: isinstance(value, bool) or value == "auto", 'True, False or "auto"')
_PREFIX: Final = Kind(lambda value: isinstance(value, str) or _is_names(value), "a text or a list of texts")

KINDS: Final[dict[str, Kind]] = {
    "asset_key_replacements": _BY_KEY,
    "assets": _LISTED,
    "can_subset": _SUBSET,
    "code_version": _TEXT,
    "code_versions_by_output_name": _MAPPING,
    "deps": _LISTED,
    "description": _TEXT,
    "descriptions_by_output_name": _MAPPING,
    "group_names_by_key": _BY_KEY,
    "group_names_by_output_name": _MAPPING,
    "input_manager_key": _TEXT,
    "input_values": _MAPPING,
    "ins": _MAPPING,
    "internal_asset_deps": Kind(
        lambda value: _is_mapping(value) and all(isinstance(keys, (AbstractSet, Sequence)) for keys in value.values()),
        "a mapping from output names to sets of asset keys",
    ),
    "io_manager_key": _TEXT,
    "is_required": _FLAG,
    "jobs": _LISTED,
    "key_prefix": _PREFIX,
    "keys_by_input_name": _MAPPING,
    "keys_by_output_name": _MAPPING,
    "kinds": _LISTED,
    "memoize": _FLAG,
    "memoize": _FLAG,
    "metadata": _MAPPING,
    "metadata_by_key": _BY_KEY,
    "metadata_by_output_name": _MAPPING,
    "op_tags": _BY_KEY,
    "output_name": _TEXT,
    "output_required": _FLAG,
    "outs": _MAPPING,
    "owners": _LISTED,
    "owners_by_output_name": _MAPPING,
    "required_resource_keys": _NAMES,
    "resource_defs": _MAPPING,
    "resources": _MAPPING,
    "run_tags": _BY_KEY,
    "skippable": _FLAG,
    "specs": _LISTED,
    "tags": _BY_KEY,
    "tags_by_key": _BY_KEY,
    "tags_by_output_name": _MAPPING,
}  # names, keys, groups and selections have checks and messages of their own


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
    wrong = [name for name, value in given.items() if value is not None and name in KINDS and not KINDS[name].fits(value)]
    for name in wrong:
        report(WrongType(owner, name, given.pop(name), KINDS[name].words, where=Source.of_caller()))


def only(
    owner: str, name: str, given: Mapping[str, Any], kind: type, words: str, where: Source | None = None
) -> dict[str, Any]:
    """The entries of a mapping that are of a class; the others are reported and left out."""
    for key, value in given.items():
        if not isinstance(value, kind):
            report(WrongType(owner, f'{name}["{key}"]', value, words, where=where or Source.of_caller()))
    return {key: value for key, value in given.items() if isinstance(value, kind)}
