"""Configuration as it is typed: `revenue.clean.threshold=0.3`, `@file.toml`, `@file.json`.

A flat key leads through assets and graphs to an op, and from there into its settings; the words `ops` and `config` of
the nested form are not typed, and may be. What a text means depends on the setting's type.
"""

import json
import tomllib
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from opgraph.declare.graphs.config_mapping import ConfigMapping
from opgraph.declare.graphs.graph_definition import GraphDefinition
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.settings.run_config import is_dict, is_tree
from opgraph.errors import InvalidConfigError
from opgraph.keys import near_misses
from opgraph.resolve.config_mistakes import BadConfigText, refuse_config, shown
from opgraph.resolve.config_unions import chosen, fields_in, members_of
from opgraph.resolve.config_values import bare, parsed

Node: TypeAlias = OpDefinition | GraphDefinition
SECTIONS = ("ops", "resources", "loggers", "execution", "inputs")
_FORM = "write it as `asset.op.setting=value`, or `@file.toml`"


class _Text(str):
    """A value that was typed: what it means depends on what it is for."""

    __slots__ = ()


def flat(
    texts: Sequence[str],
    roots: Mapping[str, Node],
    *,
    takes: Any = None,
    problems: list[InvalidConfigError] | None = None,
) -> dict[str, Any]:
    """Typed configuration as a nested run configuration. Later texts hold over earlier ones.

    Args:
        texts: `key=value`, or `@file` with a file's name.
        roots: what may be configured, by name.
        takes: the type of what the job's config mapping takes, where it has one: then the keys are its settings.
        problems: takes the mistakes, to be raised with others.

    Raises:
        InvalidConfigError: a text or a file that cannot be read, a key that leads nowhere, a value of another type.

    Example:
        >>> flat(["clean.threshold=0.3"], {"clean": clean})
        {'ops': {'clean': {'config': {'threshold': 0.3}}}}
    """
    made: dict[str, Any] = {}
    found: list[InvalidConfigError] = []
    for text in texts:
        try:
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users' data
                raise BadConfigText(
                    shown(text), "it is no text", "write it as `asset.op.setting=value`, or `@file.toml`"
                )
            for words, value in _pieces(text):
                if takes is not None:
                    _settle(made, words, value, takes, text)
                else:
                    _place(made, words, value, roots, text)
        except InvalidConfigError as problem:
            found.append(problem)
    if problems is None:
        refuse_config(found)
    else:
        problems += found
    return made


def _pieces(text: str) -> Iterable[tuple[list[str], Any]]:
    if text.startswith("@"):
        tree = _file(text)
        return [([key], value) for key, value in tree.items()]
    key, found, value = text.partition("=")
    words = key.strip().replace("/", "__").split(".")
    if not found or not all(words):
        raise BadConfigText(text, "it is no `key=value`", _FORM)
    return [(words, _Text(value))]


def _file(text: str) -> dict[str, Any]:
    path = Path(text[1:])
    try:
        data = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "it cannot be read") if isinstance(error, OSError) else "it is no text"
        raise BadConfigText(text, f"{why[:1].lower()}{why[1:]}", "name a file that is there") from None
    try:
        tree = json.loads(data) if path.suffix == ".json" else tomllib.loads(data)
    except ValueError as error:
        raise BadConfigText(text, str(error), "let it be valid TOML, or JSON where its name ends in .json") from None
    if not is_dict(tree):
        raise BadConfigText(text, "it holds no table of settings", "let it hold settings by name")
    return tree


# -- where it belongs -------------------------------------------------------------


def _place(made: dict[str, Any], words: list[str], value: Any, roots: Mapping[str, Node], text: str) -> None:
    first, rest = words[0], words[1:]
    if first not in roots and first in SECTIONS:
        section: dict[str, Any] = made.setdefault(first, {})
        if first == "ops":
            _into(section, rest, value, roots, text)
        else:
            _besides(section, rest, value, first)
        return
    _into(made.setdefault("ops", {}), words, value, roots, text)


def _besides(section: dict[str, Any], words: list[str], value: Any, name: str) -> None:
    """A part that is not of ops: of resources the settings stand under `config`."""
    if not words:
        for key, inner in value.items() if is_tree(value) else ():
            _besides(section, [key], inner, name)
        return
    if name == "resources":
        head, *rest = words
        wraps = (rest and rest[0] != "config") or (not rest and not (is_tree(value) and "config" in value))
        words = [head, "config", *rest] if wraps else words
    _put(section, words, parsed(value, None) if isinstance(value, _Text) else value)


def _into(ops: dict[str, Any], words: list[str], value: Any, nodes: Mapping[str, Node], text: str) -> None:
    if not words:
        if not is_tree(value):
            raise BadConfigText(
                _without_value(text), "the key ends at a graph", f"go on to one of its ops: {', '.join(nodes)}"
            )
        for name, inner in value.items():
            _into(ops, [name], inner, nodes, text)
        return
    name, rest = words[0], words[1:]
    if name not in nodes:
        near = near_misses(name, nodes)
        meant = f". Did you mean `{near[0]}`?" if near else ""
        there = ", ".join(list(nodes)[:12]) or "none"
        raise BadConfigText(_without_value(text), f"`{name}` is not there{meant}", f"there are: {there}")
    node, entry = nodes[name], ops.setdefault(name, {})
    if isinstance(node, OpDefinition):
        _config(entry, rest, value, node.config_type, text)
        return
    inner = {key: each.definition for key, each in node.nodes.items()}
    if rest and rest[0] == "ops" and "ops" not in inner:
        rest = rest[1:]
    elif not rest and is_tree(value) and "ops" in value and "ops" not in inner:
        value = {**{k: v for k, v in value.items() if k != "ops"}, **value["ops"]}
    mapped = isinstance(node.config, ConfigMapping) and not (rest and rest[0] in inner)
    if mapped and isinstance(node.config, ConfigMapping):
        _config(entry, rest, value, node.config.takes, text)
    else:
        _into(entry.setdefault("ops", {}), rest, value, inner, text)


def _without_value(text: str) -> str:
    """A text that leads nowhere, for a message: its value may be a secret."""
    key, found, _ = text.partition("=")
    return f"{key}=…" if found else text


def _config(entry: dict[str, Any], words: list[str], value: Any, kind: Any, text: str) -> None:
    if words and words[0] == "config" and "config" not in fields_in(kind):
        words = words[1:]
    elif not words and is_tree(value) and set(value) == {"config"}:
        value = value["config"] if "config" not in fields_in(kind) else value
    if not words and not is_tree(value):
        entry["config"] = _typed(value, kind)
    elif words:
        _settle(entry.setdefault("config", {}), words, value, kind, text)
    else:
        for key, inner in value.items():
            _settle(entry.setdefault("config", {}), [key], inner, kind, text)


def _settle(settings: Any, words: list[str], value: Any, kind: Any, text: str) -> None:
    """Put one setting, at any depth, into a dict of settings."""
    if not is_dict(settings):
        why = "another text gives all of these settings as one value"
        raise BadConfigText(_without_value(text), why, "give them in one way")
    (word, *rest), (kind, _) = words, bare(kind)
    members = members_of(kind)
    if len(members) > 1:
        if not rest and not any(word in fields_in(each) for each in members):
            value = _typed(value, None)  # a tag around the rest, which is JSON
        given = value
        for each in reversed(rest):
            given = {each: given}
        member, below, above = chosen(settings, {word: given}, members)
        kind = member if member is not None else kind
        settings.clear()
        settings.update(below)
        if word not in above:  # a tag around the rest
            settings.update(above if is_tree(given) and not rest else {k: v for k, v in above.items() if k != rest[0]})
            if rest:
                _settle(settings, rest, value, kind, text)
            return
    kind = _inner(kind, word)
    if rest:
        inner = settings.get(word)
        settings[word] = dict(inner) if is_tree(inner) else {}
        _settle(settings[word], rest, value, kind, text)
    else:
        settings[word] = _typed(value, kind)


def _put(tree: dict[str, Any], words: list[str], value: Any) -> None:
    for word in words[:-1]:
        inner = tree.get(word)
        tree[word] = dict(inner) if is_tree(inner) else {}
        tree = tree[word]
    tree[words[-1]] = value


# -- what it means ----------------------------------------------------------------


def _typed(value: Any, kind: Any) -> Any:
    if not isinstance(value, _Text):
        return value
    try:
        return parsed(str(value), kind)
    except ValueError:
        return str(value)  # the check of the whole says what it must be, and where that is declared


def _inner(kind: Any, word: str) -> Any:
    """The type of a setting inside a type; None where it is not known: the check of the whole says what is wrong."""
    kind, _ = bare(kind)
    fields = fields_in(kind)
    if fields:
        return fields.get(word)
    args = typing.get_args(kind)
    if typing.get_origin(kind) in (dict, Mapping) and len(args) == 2:
        return args[1]
    for each in args:  # a union: the first member that has such a setting
        if word in fields_in(bare(each)[0]):
            return fields_in(bare(each)[0])[word]
    return None
