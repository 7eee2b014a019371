"""Definitions gathered from modules and from folders of them, so that no list of them has to be kept."""

import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.graphs.graph_definition import JobDefinition
from opgraph.declare.mistakes import report
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.job import AssetJob
from opgraph.declare.project.load import calling_module, modules_below
from opgraph.errors import InvalidDefinitionError, Mistake, Source


class NoDefsFolder(Mistake, InvalidDefinitionError):
    """A project without a folder of definitions."""

    path: Path
    says = "there is no folder `defs` at or below {path}"
    mend = (
        "make one in the project's package, or name it in pyproject.toml: `[tool.opgraph] defs_module = "
        '"my_project.defs"`'
    )
    at_caller = True


class NotDefinitions(Mistake, InvalidDefinitionError):
    """A function under `@definitions` that returns something else."""

    name: str
    got: object
    says = "`{name}` is decorated with `@definitions` and returned {got:typed}"
    mend = "return `Definitions(...)`"


class LeftOut(Mistake, InvalidDefinitionError):
    """An asset beside a function under `@definitions` that does not return it."""

    asset: str
    function: str
    says = (
        "the asset `{asset}` stands in the module of `{function}`, which is decorated with `@definitions` and does not "
        "return it: it would be left out"
    )
    mend = "let `{function}` return it; what is meant to be left out stands in another module, or in no variable"


class LazyDefinitions:
    """A function that returns Definitions, called when they are needed. Made by `@definitions`."""

    def __init__(self, fn: Callable[[], Definitions]) -> None:
        self.fn = fn
        self.__name__ = fn.__name__
        self.__doc__ = fn.__doc__

    def __call__(self) -> Definitions:
        """The definitions.

        Raises:
            InvalidDefinitionError: the function returned something else.
        """
        made = cast("object", self.fn())
        if not isinstance(made, Definitions):
            raise NotDefinitions(self.__name__, made, where=Source.of_code(self.fn.__code__))
        beside = vars(sys.modules[self.fn.__module__]) if self.fn.__module__ in sys.modules else {}
        if beside.get(self.__name__) is self:
            kept = {_written(each) for each in made.assets}
            for name, each in beside.items():
                written = _written(each)
                if written is not None and written not in kept and written.co_filename == self.fn.__code__.co_filename:
                    report(LeftOut(name, self.__name__, where=Source.of_code(written)))
        return made


def _written(asset: object) -> CodeType | None:
    """The function that an asset was made of, also where it was changed since; None: of none."""
    node = asset.node_def if isinstance(asset, AssetsDefinition) else None
    return node.body.code if node is not None and node.body is not None else None


def definitions(fn: Callable[[], Definitions]) -> LazyDefinitions:
    """Say that a function makes the definitions of its module.

    Example:
        >>> @definitions
        ... def defs():
        ...     return Definitions(assets=[flights])
    """
    return LazyDefinitions(fn)


def load_definitions_from_modules(
    modules: Iterable[ModuleType],
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    """Everything that is declared in these modules: assets, jobs, and whole Definitions.

    Args:
        modules: where to look.
        resources: objects by resource key.
        loggers: not supported yet.
        executor: the executor of every job that names none.

    Raises:
        InvalidDefinitionError: two of the modules say different things under one key.

    Example:
        >>> defs = load_definitions_from_modules([my_assets, my_jobs])
    """
    found = [each for module in modules for each in _in_module(module)]
    own = Definitions(resources=resources, loggers=loggers, executor=executor)
    return Definitions.merge(*found, own)


def load_definitions_from_module(
    module: ModuleType,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    """Everything that is declared in a module; see `load_definitions_from_modules`."""
    return load_definitions_from_modules([module], resources, loggers, executor)


def load_definitions_from_current_module(
    resources: Mapping[str, Any] | None = None, loggers: Mapping[str, Any] | None = None, executor: Any = None
) -> Definitions:
    """Everything that the module that calls this declares above the call; see `load_definitions_from_modules`."""
    return load_definitions_from_modules([calling_module()], resources, loggers, executor)


def load_definitions_from_package_module(
    package_module: ModuleType,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    """Everything that a package and every module below it declare; see `load_definitions_from_modules`."""
    return load_definitions_from_modules(modules_below(package_module), resources, loggers, executor)


def load_definitions_from_package_name(
    package_name: str,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    """Everything that a package declares, given by its name; see `load_definitions_from_package_module`."""
    return load_definitions_from_package_module(import_module(package_name), resources, loggers, executor)


def load_from_defs_folder(*, path_within_project: Path | str) -> Definitions:
    """Everything that is declared in a project's folder of definitions: each module of it, in any subfolder.

    The folder is the module that pyproject.toml names (`defs_module` in `[tool.opgraph]`, or in `[tool.dg.project]`;
    there also `root_module`, whose `defs` it is), else the nearest folder called `defs`.

    Args:
        path_within_project: any path in the project, as `Path(__file__).parent`.

    Raises:
        InvalidDefinitionError: there is no such folder, or two modules say different things under one key.

    Example:
        >>> @definitions
        ... def defs():
        ...     return load_from_defs_folder(path_within_project=Path(__file__).parent)
    """
    start = Path(path_within_project).absolute()
    folder, module = _defs_folder(start)
    top = folder.parents[module.count(".")]
    if str(top) not in sys.path:
        sys.path.insert(0, str(top))
    names = (
        ".".join((module, *file.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
        for file in sorted(folder.rglob("*.py"))
    )
    return load_definitions_from_modules([import_module(name) for name in names])


def _defs_folder(start: Path) -> tuple[Path, str]:
    """The folder of definitions, and the module that it is."""
    root = next((each for each in (start, *start.parents) if (each / "pyproject.toml").is_file()), None)
    named = _named_module((root / "pyproject.toml").read_text(encoding="utf-8")) if root is not None else ""
    if root is not None and named:
        for base in (root / "src", root):
            if (base / named.replace(".", "/")).is_dir():
                return base / named.replace(".", "/"), named
    near = (start if start.name == "defs" else start / "defs", *(each for each in sorted(start.glob("**/defs"))))
    for folder in near:
        if folder.is_dir():
            parts = [folder.name]
            above = folder.parent
            while (above / "__init__.py").is_file():
                parts.insert(0, above.name)
                above = above.parent
            return folder, ".".join(parts)
    raise NoDefsFolder(root or start)


def _named_module(text: str) -> str:
    tool = cast("dict[str, dict[str, Any]]", tomllib.loads(text).get("tool", {}))
    project = tool.get("dg", {}).get("project", {})
    root = project.get("root_module")
    return tool.get("opgraph", {}).get("defs_module") or project.get("defs_module") or (f"{root}.defs" if root else "")


def _in_module(module: ModuleType) -> Iterator[Definitions]:
    """Whole Definitions, where the module has any; else the loose assets and jobs in it."""
    values = list(vars(module).values())
    # What was imported from elsewhere is counted there.
    lazy = [each for each in values if isinstance(each, LazyDefinitions) and each.fn.__module__ == module.__name__]
    whole = [each for each in values if isinstance(each, Definitions)]
    if lazy or whole:
        yield from whole
        yield from (each() for each in lazy)
        return
    loose = [one for each in values for one in (cast("list[Any]", each) if isinstance(each, list) else [each])]
    yield Definitions(
        assets=[each for each in loose if isinstance(each, (AssetsDefinition, AssetSpec))],
        jobs=[each for each in loose if isinstance(each, (JobDefinition, AssetJob))],
    )


def file_relative_path(dunderfile: str, relative_path: str) -> str:
    """A path that is relative to a source file.

    Args:
        dunderfile: `__file__` of that source file.
        relative_path: from its folder.

    Example:
        >>> file_relative_path(__file__, "queries/orders.sql")
    """
    return str(Path(dunderfile).absolute().parent / relative_path)
