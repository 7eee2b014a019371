"""A user's project: where its definitions and its state are, and loading them.

`locate` runs no user code, so commands that only look at past runs are quick and work while the definitions are broken.
"""

import importlib
import importlib.util
import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.mistakes import collecting
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.folders import LazyDefinitions
from opgraph.declare.project.job import AssetJob, JobDefinition
from opgraph.declare.settings.told import told_by
from opgraph.declare.sweep import unswept
from opgraph.errors import Error, InvalidDefinitionError, together
from opgraph.operate.project_mistakes import (
    BadSettingError,
    BrokenSettingsError,
    DefinitionsFailedError,
    DefinitionsFileMissingError,
    DefinitionsModuleMissingError,
    DefinitionsSyntaxError,
    NoSuchAttributeError,
    NothingDefinedError,
    ProjectNotFoundError,
    SeveralDefinitionsError,
    UnknownSettingError,
    UnusableHomeError,
)
from opgraph.resolve.mistakes import UnusedOp
from opgraph.resolve.project import Project, refuse
from opgraph.run.executors.names import NAMES
from opgraph.run.failure import error_info
from opgraph.run.report.retention import DEFAULTS, Retention

T = TypeVar("T")
_SETTINGS = (
    "file",
    "module",
    "attribute",
    "on_unselected",
    "durability",
    "executor",
    "memoize",
    "python_logs",
    "retention",
)
_CHOICES = {
    "on_unselected": ("materialize", "discard", "error"),
    "durability": ("power", "process"),
    "executor": NAMES,
}
_HOME = ".opgraph"
_NAMES = re.compile(r"`[^`]+`")  # what an error's sentence is about
_IMPORTING = ("<frozen importlib", importlib.__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a project is, and what its settings say.

    Attributes:
        root: the folder that is put on the import path.
        home: the folder of its state; may not exist yet.
        file: the definitions file; None where a module or nothing was named.
        module: the definitions module.
        attribute: the name of the `Definitions` in it; empty: the only one.
        said: who named the file or the module, for error messages.
        on_unselected: the policy for assets that come though nobody asked for them; None: the default.
        durability: how lasting the values of assets are; None: the default.
        memoize: whether ops are memoized where nobody says it nearer to them.
        retention: what clean-up keeps, and for how long; None: nothing is ever cleaned up by itself.
        executor: who runs the ops where neither the run nor the definitions say; None: the default.
        python_logs: what else is done with what runs log; see `log_settings`.
        typed: the options that a person must repeat to mean the same project.
    """

    root: Path
    home: Path
    file: Path | None = None
    module: str | None = None
    attribute: str = ""
    said: str = ""
    on_unselected: str | None = None
    durability: str | None = None
    memoize: bool = False
    retention: Retention | None = DEFAULTS
    executor: str | None = None
    python_logs: Mapping[str, Any] | None = None
    typed: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """What holds the definitions, as a person would name it."""
        return str(self.file) if self.file is not None else f"module {self.module}"


def locate(
    file: str | None = None,
    module: str | None = None,
    attribute: str | None = None,
    *,
    start: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Location:
    """Find the project without running any of its code.

    Args:
        file: the definitions file, relative to `start`.
        module: the definitions module, instead of a file.
        attribute: the name of the `Definitions` in it.
        start: the folder to look from; the current one by default.
        environment: where OPGRAPH_HOME is looked up; the process's own by default.

    Raises:
        ProjectNotFoundError: nothing was named, and no pyproject.toml upwards has [tool.opgraph].
        DefinitionsFileMissingError: the file does not exist.
        BrokenSettingsError, UnknownSettingError, BadSettingError: pyproject.toml is at fault.

    Example:
        >>> locate("pipelines/definitions.py").root  # doctest: +SKIP
        PosixPath('/srv/pipelines')
    """
    start = (start or Path.cwd()).resolve()
    if file and "\0" in file:
        raise DefinitionsFileMissingError(start / file.replace("\0", "?"), "`-f`")
    environment = os.environ if environment is None else environment
    path = (start / Path(file).expanduser()).resolve() if file else None
    settings_file, settings = _settings(path.parent if path else start)
    typed = (("-f", file) if file else ()) + (("-m", module) if module else ())
    typed += ("-a", attribute) if attribute else ()
    said = "`-f`" if file else "`-m`"
    root = path.parent if path else start
    if not file and not module:
        if settings_file is None:
            return _without_definitions(start, environment)
        said, root = f"[tool.opgraph] in {settings_file}", settings_file.parent
        module = settings.get("module")
        name = settings.get("file")
        if name and module:
            raise BadSettingError(settings_file, "module", module, "either `file` or `module`, not both")
        path = (root / name).resolve() if name else None
        root = path.parent if path else root
    if path is not None and not os.path.isfile(path):  # noqa: PTH113 - a name too long for the system is no file either
        raise DefinitionsFileMissingError(path, said)
    beside = settings_file.parent if settings_file is not None else root
    return Location(
        root=root,
        home=_home(beside, environment),
        file=path,
        module=module,
        attribute=attribute or ("" if typed else settings.get("attribute", "")),
        said=said,
        on_unselected=settings.get("on_unselected"),
        durability=settings.get("durability"),
        memoize=settings.get("memoize", False),
        retention=settings.get("retention", Retention()),
        executor=settings.get("executor"),
        python_logs=settings.get("python_logs"),
        typed=typed,
    )


def _without_definitions(start: Path, environment: Mapping[str, str]) -> Location:
    """Where only state is to be looked at: its folder is enough."""
    if environment.get("OPGRAPH_HOME"):
        return Location(root=start, home=_home(start, environment))
    for folder in (start, *start.parents):
        if (folder / _HOME).is_dir():
            return Location(root=folder, home=folder / _HOME)
    raise ProjectNotFoundError(start)


def _home(beside: Path, environment: Mapping[str, str]) -> Path:
    given = environment.get("OPGRAPH_HOME")
    return Path(given).expanduser().resolve() if given else beside / _HOME


def _settings(start: Path) -> tuple[Path | None, dict[str, Any]]:
    """The nearest pyproject.toml upwards that has [tool.opgraph], and what it says."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if not os.path.isfile(path):  # noqa: PTH113 - the same
            continue
        try:
            text = path.read_text(encoding="utf-8")
            if "opgraph" not in text:
                continue
            tools: dict[str, Any] = tomllib.loads(text).get("tool", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
            raise BrokenSettingsError(path, str(problem)) from None
        if "opgraph" in tools:
            return path, _checked(path, tools["opgraph"])
    return None, {}


def _checked(path: Path, table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise BrokenSettingsError(path, "`opgraph` below [tool] is not a table")
    settings: dict[str, Any] = {}
    for name, value in table.items():  # pyright: ignore[reportUnknownVariableType] - any TOML
        if name not in _SETTINGS:
            raise UnknownSettingError(path, str(name), _SETTINGS)  # pyright: ignore[reportUnknownArgumentType]
        if name == "memoize":
            if not isinstance(value, bool):
                raise BadSettingError(path, name, value, "true or false")  # pyright: ignore[reportUnknownArgumentType]
            settings[name] = value
            continue
        if name == "retention":
            settings[name] = _retention(path, value)  # pyright: ignore[reportUnknownArgumentType]
            continue
        if name == "python_logs":
            if not isinstance(value, dict):
                raise BadSettingError(path, name, value, "a table")  # pyright: ignore[reportUnknownArgumentType]
            settings[name] = value
            continue
        choices = _CHOICES.get(name)
        if not isinstance(value, str) or not value or (choices and value not in choices):
            allowed = " or ".join(f'"{choice}"' for choice in choices) if choices else "a text"
            raise BadSettingError(path, name, value, allowed)  # pyright: ignore[reportUnknownArgumentType]
        settings[name] = value
    return settings


def _retention(path: Path, given: object) -> Retention | None:
    """What clean-up keeps: a table, or false where nothing is to be cleaned up by itself."""
    if given is False:
        return None
    if not isinstance(given, dict):
        raise BadSettingError(path, "retention", given, "a table, or false")
    known = Retention()
    values: dict[str, Any] = {}
    for name, value in given.items():  # pyright: ignore[reportUnknownVariableType] - any TOML
        if name not in known.__dataclass_fields__:
            raise UnknownSettingError(path, f"retention.{name}", tuple(known.__dataclass_fields__))
        whole = isinstance(getattr(known, name), int)  # pyright: ignore[reportUnknownArgumentType]
        fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool) and value >= 0
        if not fits:
            allowed = "a whole number" if whole else "a number of days"
            raise BadSettingError(path, f"retention.{name}", value, allowed)  # pyright: ignore[reportUnknownArgumentType]
        values[str(name)] = value if whole else float(value)  # pyright: ignore[reportUnknownArgumentType]
    return Retention(**values)


def make_home(project: Location) -> Path:
    """The folder of the project's state, made if need be, for its owner's eyes only.

    Raises:
        UnusableHomeError: it cannot be made.
    """
    try:
        project.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise UnusableHomeError(project.home, problem) from None
    return project.home


@unswept
def load(project: Location) -> Definitions:
    """Import the user's module and find its definitions.

    The project's folder stays on the import path afterwards: ops may import the project's other files when they run.

    Raises:
        ProjectNotFoundError: only a state folder was found, no definitions.
        DefinitionsSyntaxError, DefinitionsFailedError: the user's file could not be imported.
        NothingDefinedError, SeveralDefinitionsError, NoSuchAttributeError: not exactly one `Definitions`.
        InvalidDefinitionsError: mistakes in what it declares, all of them.
    """
    if project.file is None and project.module is None:
        raise ProjectNotFoundError(project.root)
    if str(project.root) not in sys.path:
        sys.path.insert(0, str(project.root))
    with collecting() as problems:
        try:
            module = _import(project)
            found = _pick(module, project)
            definitions = _run(found) if isinstance(found, LazyDefinitions) else found
        except InvalidDefinitionError as last:  # what was found before it is said too
            if problems:
                raise together([*problems, *last.problems]) from last.__cause__
            raise
        if problems:  # those of the whole belong into the same message; without any, whoever resolves it finds them
            refuse([*problems, *(p for p in Project(definitions).problems if not _said(p, problems))])
    return definitions


def _said(problem: InvalidDefinitionError, before: Sequence[InvalidDefinitionError]) -> bool:
    """Whether a mistake was already found at its declaration, or follows from one: in the same place, about the same
    names."""
    if isinstance(problem, UnusedOp):  # of a graph whose outputs are wrong: that was said
        return any(f"`{problem.unit}`" in str(getattr(other, "owner", "")) for other in before)
    names = set(_NAMES.findall(problem.what))
    return any(problem.where == other.where and names.issuperset(_NAMES.findall(other.what)) for other in before)


def _import(project: Location) -> ModuleType:
    file = project.file
    return _run(lambda: _import_file(file) if file is not None else _import_module(project))


def _run(users: Callable[[], T]) -> T:
    """What the user's code gives; what it raises is an error that shows the user's lines."""
    try:
        return users()
    except Error:
        raise
    except SyntaxError as problem:
        raise DefinitionsSyntaxError(problem) from None
    except (Exception, SystemExit) as problem:
        if isinstance(said := told_by(problem), Error):
            raise said from None
        frames = [each for each in error_info(problem).frames if not each.file.startswith(_IMPORTING)]
        raise DefinitionsFailedError(problem, frames) from problem


def _import_file(path: Path) -> ModuleType:
    """The file as the module that another file of the project would import, unless that name is taken."""
    name = re.sub(r"\W", "_", path.stem)
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) == str(path):
            return known
        name = f"{name}_definitions"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DefinitionsFileMissingError(path, "its name, which does not end in .py,")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_module(project: Location) -> ModuleType:
    name = project.module or ""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        if problem.name and (name == problem.name or name.startswith(f"{problem.name}.")):
            raise DefinitionsModuleMissingError(name, project.said, project.root) from None
        raise
    except (TypeError, ValueError):
        if all(part.isidentifier() for part in name.split(".")):
            raise
        raise DefinitionsModuleMissingError(name, project.said, project.root) from None


def _pick(module: ModuleType, project: Location) -> Definitions | LazyDefinitions:
    """The one `Definitions` of a module, or the function that makes it; loose assets and jobs where it has none."""
    values = {name: value for name, value in vars(module).items() if not name.startswith("__")}
    whole = (Definitions, LazyDefinitions)
    found = {id(value): name for name, value in reversed(values.items()) if isinstance(value, whole)}
    names = sorted(found.values())
    if project.attribute:
        value = values.get(project.attribute)
        if not isinstance(value, whole):
            kind = type(value).__name__ if project.attribute in values else ""
            raise NoSuchAttributeError(project.origin, project.attribute, kind, names)
        return value
    if len(names) == 1:
        return values[names[0]]
    if names:
        raise SeveralDefinitionsError(project.origin, names)
    loose = list({id(v): v for v in values.values()}.values())
    assets: list[Any] = [v for v in loose if isinstance(v, (AssetsDefinition, AssetSpec))]
    jobs = [v for v in loose if isinstance(v, (JobDefinition, AssetJob))]
    if not assets and not jobs:
        own = [n for n, v in values.items() if getattr(v, "__module__", None) == module.__name__]
        raise NothingDefinedError(project.origin, own)
    return Definitions(assets=assets, jobs=jobs)
