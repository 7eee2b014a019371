"""Mistakes in what was declared: one class each, and how they are reported together.

Each is raised where it is seen; while a loader collects, it is kept instead and the declaration goes on with what
makes sense, so that one load shows every mistake.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from opgraph.errors import InvalidDefinitionError, Source
from opgraph.keys import AssetKey, near_misses

_collected: ContextVar[list[InvalidDefinitionError] | None] = ContextVar("opgraph_mistakes", default=None)


@contextmanager
def collecting() -> Generator[list[InvalidDefinitionError]]:
    """Keep mistakes in a list instead of raising the first."""
    problems: list[InvalidDefinitionError] = []
    token = _collected.set(problems)
    try:
        yield problems
    finally:
        _collected.reset(token)


def report(problem: InvalidDefinitionError) -> None:
    """Raise a mistake, or keep it where someone collects."""
    problems = _collected.get()
    if problems is None:
        raise problem
    problems.append(problem)


def _names(names: Iterable[object]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = near_misses(name, known)
    return f"did you mean {' or '.join(f'`{each}`' for each in close)}? " if close else ""


class BadName(InvalidDefinitionError):
    """A name that could be no Python name."""

    def __init__(self, kind: str, name: object, *, where: Source | None) -> None:
        self.kind = kind
        self.name = name
        super().__init__(
            f"the {kind} name {name!r} is not valid: a name has letters, digits and underscores and begins with no digit",
            where=where,
            fix=f"give it a name such as `{_sane(name)}`",
        )


def _sane(name: object) -> str:
    text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in str(name)).strip("_")
    return f"_{text}" if not text or text[0].isdigit() else text


class KeyTwice(InvalidDefinitionError):
    """A key given both whole and in parts."""

    def __init__(self, owner: str, whole: str, parts: Sequence[str], *, where: Source | None) -> None:
        self.owner = owner
        self.whole = whole
        self.parts = tuple(parts)
        super().__init__(
            f"{owner} was given `{whole}` together with {_names(parts)}, which say the same in two ways",
            where=where,
            fix=f"keep `{whole}` and put the whole path into it, or leave it out",
        )


class RepeatedDependency(InvalidDefinitionError):
    """One asset twice in `deps`, or in `deps` and as an argument."""

    def __init__(self, owner: str, key: AssetKey, *, where: Source | None, argument: str = "") -> None:
        self.owner = owner
        self.key = key
        self.argument = argument
        super().__init__(
            f"{owner} depends on `{key.text}` twice" + (f": by `deps` and by its argument `{argument}`" if argument else ""),
            where=where,
            fix=f"name `{key.text}` once" + ("; the argument is enough" if argument else ""),
        )
