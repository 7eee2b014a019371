"""The words of a selection's text, each with its place."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from opgraph.errors import InvalidDefinitionError

# What follows `key:` and the like may hold wildcards; a bare word may not, because `a*` is a with all downstream.
# A `+` at its end belongs to the expression: `key:a+` is a with all downstream. In quotes it belongs to the key.
_WORD: Final = re.compile(
    r"""\s*(?:
        (?P<attribute>[A-Za-z_]+:(?:"[^"]*"(?:="[^"]*")?|[^\s()"]*?(?=\++(?:\d*|missing)(?:[\s()"]|$)|[\s()"]|$)))
      | (?P<quoted>"[^"]*")
      | (?P<missing>\+\s*missing\b)
      | (?P<word>[\w./@-]+/\*|[\w./@-]+)
      | (?P<sign>\++|\*|\(|\)|,)
    )""",
    re.VERBOSE,
)


class Word(NamedTuple):
    """One word: `kind` is attribute, quoted, missing, word, sign or end."""

    kind: str
    text: str
    at: int


class InvalidSelectionError(InvalidDefinitionError):
    """A selection's text that cannot be read. `position` counts characters from 0."""

    def __init__(self, text: str, position: int, problem: str, fix: str) -> None:
        self.text = text
        self.position = position
        self.problem = problem
        super().__init__(
            f"the selection cannot be read at position {position}: {problem}\n  {text}\n  {' ' * position}^", fix=fix
        )


def words(text: str) -> Iterator[Word]:
    """The words in order, then one of the kind `end`."""
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _WORD.match(text, at)
        if found is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise InvalidSelectionError(
                text, at, f"{text[at]!r} means nothing here", 'put keys with such characters into quotes: `key:"a b"`'
            )
        kind = str(found.lastgroup)
        yield Word(kind, found[kind], found.start(kind))
        at = found.end()
    yield Word("end", "", end)
