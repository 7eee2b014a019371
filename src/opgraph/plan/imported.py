"""The code that a function imports when it runs, read from its source: nothing is imported for it, and it is the same
code whether or not this process has imported it by now."""

import ast
import dis
import functools
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from types import CodeType, FunctionType
from typing import Any, NamedTuple

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_Names = frozenset[str]


class _Read(NamedTuple):
    """A statement: its text without docstrings, the names in it, and what it imports as `(level, module, names)`."""

    text: str
    names: _Names
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]


def imported_code(functions: Iterable[FunctionType], roots: list[str]) -> list[str]:
    """The statements of the project's modules that the import statements in functions lead to, sorted: what binds, in
    the modules that are reached, the names that the functions have, attributes too, and, to any depth, what binds the
    names in those. Each statement is read once.

    Args:
        functions: the functions, all of one project.
        roots: the folders from which its modules are imported.
    """
    names, modules, own = ["*"], list[str](), ""
    for fn in functions:
        own = (fn.__module__ or "").partition(".")[0]
        names += names_in(fn.__code__)
        modules += _modules(fn.__globals__.get("__package__") or "", _imports(fn.__code__))
    wanted, reached, found = set[str](), set[str](), set[str]()
    binding: dict[str, list[tuple[str, str, ast.stmt]]] = {}  # by name, in all modules that are reached
    while names or modules:
        statements: list[tuple[str, str, ast.stmt]] = []
        if names:
            if (name := names.pop()) not in wanted:
                wanted.add(name)
                statements = binding.get(name, [])
        elif (module := modules.pop()) not in reached:
            reached.add(module)
            package, bound = _source(module, roots, own)
            for name, those in bound.items():
                here = [(module, package, each) for each in those]
                binding.setdefault(name, []).extend(here)
                statements += here if name in wanted else ()
        for module, package, statement in statements:
            read = _read(statement)
            if (text := f"{module} {read.text}") not in found:
                found.add(text)
                names += read.names
                modules += _modules(package, read.imports)
    return sorted(found)


def names_in(code: CodeType) -> list[str]:
    """The names of globals, attributes and imports in a function and the functions within it."""
    found = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += names_in(constant)
    return list(dict.fromkeys(found))


def _imports(code: CodeType) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """What a function's code imports."""
    steps = [each for each in dis.get_instructions(code) if each.opname != "EXTENDED_ARG"]
    for level, names, each in zip(steps, steps[1:], steps[2:], strict=False):
        if each.opname == "IMPORT_NAME":
            yield level.argval, each.argval, names.argval or ()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imports(constant)


def _modules(package: str, imports: Any) -> Iterator[str]:
    """The modules that import statements may name: of `from a.b import c` those are `a.b` and `a.b.c`."""
    for level, name, names in imports:
        try:
            module = importlib.util.resolve_name("." * level + name, package)
        except ImportError:  # outside of a package nothing is relative: the statement fails when it runs
            continue
        yield module
        for each in names:
            yield f"{module}.{each}"
        while not names and "." in module:  # `import a.b` binds `a`
            module = module.rpartition(".")[0]
            yield module


def _source(module: str, roots: list[str], own: str) -> tuple[str, Mapping[str, list[ast.stmt]]]:
    """A module's package and statements by the names that they bind; none, unless it is of the project. opgraph is a
    library wherever it lies."""
    for root in roots if module.partition(".")[0] != __name__.partition(".")[0] else ():
        if "site-packages" in root and module.partition(".")[0] != own:
            continue  # the project is installed beside the libraries
        spec = _spec(module, root, tuple(sys.meta_path))
        read = getattr(spec and spec.loader, "get_source", None)
        if spec is not None and read is not None and (spec.origin or "").startswith(f"{root}/"):
            try:
                return spec.parent or "", _bound(read(module) or "")
            except (ImportError, OSError, SyntaxError):  # it cannot be read, also not by who imports it
                break
    return "", {}


@functools.lru_cache(maxsize=10_000)
def _spec(module: str, root: str, finders: tuple[Any, ...]) -> ModuleSpec | None:
    folder = "/".join([root, *module.split(".")[:-1]])
    return next((found for each in finders if (found := each.find_spec(module, [folder])) is not None), None)


@functools.lru_cache(maxsize=1000)
def _bound(text: str) -> Mapping[str, list[ast.stmt]]:
    """The statements of a module by the names that they bind."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # who imports it is told
        return {}
    found: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        nodes = [statement] if isinstance(statement, _DEFINITIONS) else ast.walk(statement)
        for name in {name for node in nodes for name in _bound_by(node)}:
            found.setdefault(name, []).append(statement)
    return found


def _bound_by(node: ast.AST) -> list[str]:
    if isinstance(node, _DEFINITIONS):
        return [node.name]
    if isinstance(node, ast.alias):
        return [node.asname or node.name.partition(".")[0]]
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []


@functools.lru_cache(maxsize=10_000)
def _read(statement: ast.stmt) -> _Read:
    names, imports = set[str](), list[tuple[int, str, tuple[str, ...]]]()
    for node in ast.walk(statement):
        if isinstance(node, _DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Import):
            imports += [(0, each.name, ()) for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.level, node.module or "", tuple(each.name for each in node.names)))
    names.update(name for _, _, found in imports for name in found)
    return _Read(ast.dump(statement), frozenset(names), tuple(imports))
