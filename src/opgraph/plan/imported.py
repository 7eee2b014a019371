"""The code that a function imports when it runs, read from its source: nothing is imported for it, and it is the same
code whether or not this process has imported it by now."""

import ast
import dis
import functools
import importlib.util
import sys
from collections.abc import Iterator, Mapping
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


def imported_code(fn: FunctionType, roots: list[str], names: _Names) -> list[str]:
    """The statements of the project's modules that the import statements in a function lead to, sorted: what binds the
    names that the function has, and, to any depth, what binds the names in those.

    Args:
        fn: the function.
        roots: the folders from which its project's modules are imported.
        names: all names in it, attributes too.
    """
    package = fn.__globals__.get("__package__") or ""
    todo = [(each, names) for each in _modules(package, _imports(fn.__code__))]
    seen = set[tuple[str, _Names]]()
    found = set[str]()
    sources: dict[str, tuple[str, Mapping[str, list[ast.stmt]]] | None] = {}
    while todo:
        module, names = each = todo.pop()
        if each in seen:
            continue
        seen.add(each)
        if module not in sources:
            sources[module] = _source(module, roots, (fn.__module__ or "").partition(".")[0])
        if (source := sources[module]) is None:
            continue
        package, bound = source
        for statement in [statement for name in (*names, "*") for statement in bound.get(name, ())]:
            read = _read(statement)
            found.add(f"{module} {read.text}")
            wanted = read.names if isinstance(statement, _DEFINITIONS) else read.names | names
            if not isinstance(statement, (ast.Import, ast.ImportFrom)):
                todo.append((module, read.names))
            todo += [(each, wanted) for each in _modules(package, read.imports)]
    return sorted(found)


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


def _source(module: str, roots: list[str], own: str) -> tuple[str, Mapping[str, list[ast.stmt]]] | None:
    """A module's package and statements, if it is of the project."""
    for root in roots:
        if "site-packages" in root and module.partition(".")[0] != own:
            continue  # the project is installed beside the libraries
        spec = _spec(module, root, tuple(sys.meta_path))
        read = getattr(spec and spec.loader, "get_source", None)
        if spec is not None and read is not None and (spec.origin or "").startswith(f"{root}/"):
            try:
                return spec.parent or "", _bound(read(module) or "")
            except (ImportError, OSError, SyntaxError):  # it cannot be read, also not by who imports it
                return None
    return None


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
