"""What can be wrong with a project: where it is, what its settings say, what its file does when it is imported."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from opgraph.errors import Error, InvalidDefinitionError, Mistake, Source
from opgraph.events import Frame
from opgraph.keys import near_misses


class ProjectNotFoundError(Mistake, Error):
    """No project here, and none was named."""

    start: Path
    says = "no project here: neither {start} nor a folder above it has a pyproject.toml with [tool.opgraph]"
    mend = "name the definitions with `-f FILE` or `-m MODULE`, or make a new project with `opgraph init`"


class BrokenSettingsError(Mistake, Error):
    """pyproject.toml is no TOML, or [tool.opgraph] is no table."""

    path: Path
    reason: str
    says = "{path} cannot be read: {reason}"
    mend = "repair the file"


class UnknownSettingError(Error):
    """[tool.opgraph] has a key that means nothing."""

    def __init__(self, path: Path, name: str, known: Sequence[str]) -> None:
        self.path = path
        self.name = name
        near = near_misses(name, known)
        meant = f". Did you mean `{near[0]}`?" if near else ""
        super().__init__(
            f"[tool.opgraph] in {path} has `{name}`, which is no setting{meant}", fix=f"there are: {_listed(known)}"
        )


class BadSettingError(Error):
    """A setting with a value that it can't have."""

    def __init__(self, path: Path, name: str, value: object, allowed: str) -> None:
        self.path = path
        self.name = name
        self.value = value
        super().__init__(f"[tool.opgraph] in {path} has {name} = {value!r}", fix=f"write {allowed}")


class DefinitionsFileMissingError(Error):
    """The file that was named is not there. `said` tells who named it."""

    def __init__(self, path: Path, said: str) -> None:
        self.path = path
        self.said = said
        folder = path.parent
        there = sorted(p.name for p in folder.glob("*.py")) if os.path.isdir(folder) else []  # noqa: PTH112 - no error
        near = near_misses(path.name, there)
        what = "is a folder, not a file" if os.path.isdir(path) else "does not exist"  # noqa: PTH112 - the same
        fix = f"did you mean {folder / near[0]}?" if near else "check the path"
        name = str(path)
        name = name if len(name) <= 200 else f"{name[:197]}..."
        super().__init__(f"{name}, named by {said}, {what}", fix=fix)


class DefinitionsModuleMissingError(Mistake, Error):
    """The module that was named cannot be found."""

    module: str
    said: str
    folder: Path
    says = "there is no module `{module}`, as {said} says"
    mend = "modules are looked for in {folder} and among what is installed; for a file, use `-f FILE`"


class DefinitionsSyntaxError(InvalidDefinitionError):
    """The user's file is no Python."""

    def __init__(self, problem: SyntaxError) -> None:
        self.problem = problem
        self.text = (problem.text or "").rstrip()
        place = Source(problem.filename or "?", problem.lineno or 0)
        shown = f": `{self.text.strip()}`" if self.text.strip() else ""
        super().__init__(
            f"{type(problem).__name__}: {problem.msg}{shown}", where=place, fix="correct the line; nothing was loaded"
        )


class DefinitionsFailedError(InvalidDefinitionError):
    """The user's file raised an exception while it was imported. `frames` has the lines of the traceback, outermost
    first, without opgraph's and the import system's."""

    def __init__(self, problem: BaseException, frames: Sequence[Frame]) -> None:
        self.problem = problem
        self.frames = tuple(frames)
        self._own = [frame for frame in frames if frame.own] or self.frames
        last = self._own[-1] if self._own else None
        super().__init__(
            f"{type(problem).__name__}: {problem}",
            where=Source(last.file, last.line) if last else None,
            fix="the file must be importable; correct the line; nothing was loaded",
        )

    def __str__(self) -> str:
        lines = [self.what]
        for frame in reversed(self._own):
            lines.append(f"  at {frame.file}:{frame.line} in {frame.function}")
            lines += [f"       {line}" for line in frame.text.splitlines()]
            inner = self.frames[-1]
            if frame is self._own[-1] is not inner:
                lines.append(f"       raised in {inner.function}, {inner.file}:{inner.line}")
        return "\n".join([*lines, f"  fix: {self.fix}"])


class NothingDefinedError(Error):
    """The user's module has neither a `Definitions` nor anything that could be put into one."""

    def __init__(self, origin: str, names: Iterable[str]) -> None:
        self.origin = origin
        self.names = tuple(names)
        found = f"it defines {_listed(self.names)}" if self.names else "it defines nothing"
        super().__init__(
            f"{origin} has no `Definitions` and no assets ({found})",
            fix="decorate a function with `@asset`, or write `defs = Definitions(assets=[…])` at module level",
        )


class SeveralDefinitionsError(Error):
    """More than one `Definitions` at module level."""

    def __init__(self, origin: str, names: Sequence[str]) -> None:
        self.origin = origin
        self.names = tuple(names)
        super().__init__(
            f"{origin} has {len(names)} `Definitions`: {_listed(names)}",
            fix=f'name one, with `-a {names[0]}` or `attribute = "{names[0]}"` in [tool.opgraph], '
            "or join them with `Definitions.merge(…)`",
        )


class NoSuchAttributeError(Error):
    """The attribute that was named is not there, or is no `Definitions`."""

    def __init__(self, origin: str, name: str, found: str, candidates: Sequence[str]) -> None:
        self.origin = origin
        self.name = name
        what = f"is a {found}, not a `Definitions`" if found else "does not exist"
        fix = f"there is {_listed(candidates)}" if candidates else "name a `Definitions` at module level"
        super().__init__(f"`{name}` of {origin} {what}", fix=fix)


class UnusableHomeError(Error):
    """The folder for state cannot be made or written."""

    def __init__(self, home: Path, problem: OSError) -> None:
        self.home = home
        self.problem = problem
        super().__init__(
            f"state cannot be kept in {home}: {problem.strerror or problem}",
            fix="make the folder writable, or name another one with OPGRAPH_HOME",
        )


def _listed(names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more
