"""Hashes of code: whether a step would still do what it did when its run began.

A function's hash covers its bytecode, its defaults, what it closes over, and the constants, functions and classes of
the same project that it names, also as `module.name`, to any depth, or imports when it runs; not line numbers, comments
or docstrings: moving code about changes nothing. What it cannot see stands in docs/memoization.md.
"""

import dis
import functools
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, EnumType
from itertools import pairwise
from opcode import EXTENDED_ARG, hasconst, opmap
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, cast

import msgspec

from opgraph.plan.imported import imported_code, names_in
from opgraph.plan.model import Step

_TAKES_CONSTANT = frozenset(hasconst)
_HAS_DOCSTRING = 0x4000000  # a flag of code objects from Python 3.14 on
_PLAIN = (int, float, complex, str, bytes, bool, type(None), type(...))
_PARTIAL = (functools.partial, functools.partialmethod)
_SEEN = (*_PLAIN, *_PARTIAL, tuple, frozenset, type, Enum)  # among a class's attributes
_LIBRARIES = sys.stdlib_module_names - {"__main__"} | {__name__.partition(".")[0]}
_IMPORT = opmap["IMPORT_NAME"]
_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
_OF_ALL_MODULES = frozenset(("__file__", "__cached__", "__path__", "__builtins__", *vars(ModuleType(""))))


@functools.lru_cache(maxsize=10_000)
def function_hash(fn: Callable[..., Any]) -> str:
    """32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    layers = _layers(fn)
    # Of what a library's decorator made only what it decorates counts; a library's own function is taken as it is.
    todo = [each for each in layers if each is layers[-1] or not _is_library(each)]
    seen = set[object]()
    importing: dict[str, list[FunctionType]] = {}
    if not todo:
        _add(digest, fn, function_hash.__wrapped__, todo, closed=True)  # of no project
    while todo:
        each = todo.pop()
        if (known := _known(each)) in seen:
            continue
        seen.add(known)
        if isinstance(each, FunctionType):
            _add_function(digest, each, todo)
            if _takes(each.__code__, _IMPORT):
                importing.setdefault(_root(each.__module__ or "", each.__code__.co_filename), []).append(each)
        else:
            _add_class(digest, each, todo)
    for root, functions in importing.items():
        roots = [root, *[each for each in sys.path if each and root.startswith(f"{each}/")]] if root else []
        for text in imported_code(functions, roots):
            digest.update(text.encode())
    return digest.hexdigest()


def _known(code: FunctionType | type) -> object:
    """By what it is known that a function or class was met before. On another host a function may be there twice, as
    its step's and as its module's: it is known by its code, and by that of the functions it closes over."""
    if not isinstance(code, FunctionType):
        return id(code)
    inside = [_inside(cell) for cell in code.__closure__ or ()]
    return code.__code__, *[each.__code__ if isinstance(each, FunctionType) else id(each) for each in inside]


def _inside(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet: the function is defined before the name
        return None


def hash_of(steps: Sequence[Step]) -> str:
    """The hash of all that a run does: its steps, how they are wired, and the code of each."""
    return hashlib.blake2b(msgspec.msgpack.encode(steps), digest_size=16).hexdigest()


def _same_project(own: FunctionType | type, module: str, file: str | None) -> bool:
    """Whether a module belongs to the project of a function or class: the same package, or another file or package
    beside it or around it, unless that is where libraries are installed."""
    name = own.__module__ or ""
    if name.partition(".")[0] == module.partition(".")[0]:
        return True
    root, other = _root(name, _file_of(own) or ""), _root(module, file or "")
    return other != "" and "site-packages" not in root and f"{root}/".startswith(f"{other}/")


def _layers(found: Any) -> list[FunctionType | type]:
    """A function or class, or what a decorator made of it, and all that it wraps."""
    layers: list[FunctionType | type] = []
    inside = found if isinstance(found, (FunctionType, type)) else getattr(found, "__wrapped__", None)
    while isinstance(inside, (FunctionType, type)) and inside not in layers:
        layers.append(inside)
        inside = getattr(inside, "__wrapped__", None)
    return layers


def _is_library(code: FunctionType | type) -> bool:
    """Whether a function or class is Python's own, opgraph's, or installed."""
    file = _file_of(code) or ""
    package = (code.__module__ or "").partition(".")[0]
    return package in _LIBRARIES or "site-packages" in file or "dist-packages" in file


@functools.lru_cache(maxsize=10_000)
def _root(module: str, file: str) -> str:
    """The folder from which a module is imported; empty where it is not known."""
    if not file.endswith(".py"):
        return ""
    path = file.removesuffix("/__init__.py")
    return path.rsplit("/", module.count(".") + 1)[0] if path.count("/") > module.count(".") else ""


def _file_of(code: FunctionType | type) -> str | None:
    if isinstance(code, FunctionType):
        return code.__code__.co_filename
    return getattr(sys.modules.get(code.__module__), "__file__", None)


def _add(
    digest: Any, found: Any, home: FunctionType | type, todo: list[FunctionType | type], *, closed: bool = False
) -> None:
    """What a function or class, its home, has under a name, or closes over."""
    if isinstance(found, _PLAIN):
        _add_value(digest, found)
        return
    if layers := _layers(found):
        for each in layers:
            # A library's decorator closes over what it decorates, and that may be of an installed project.
            open_to = closed and (not _is_library(each) or (isinstance(each, FunctionType) and _is_library(home)))
            if open_to or _same_project(home, each.__module__ or "", _file_of(each)):
                todo.append(each)
            elif closed:
                digest.update(f"{each.__module__}.{each.__qualname__}".encode())
    elif isinstance(found, _PARTIAL):
        given = cast("Any", found)
        for each in (given.func, *given.args, *[part for item in given.keywords.items() for part in item]):
            _add(digest, each, home, todo, closed=closed)
    elif isinstance(found, tuple):
        for each in cast("tuple[object, ...]", found):
            _add(digest, each, home, todo, closed=closed)
    else:
        _add_value(digest, found)
        return
    digest.update(b"|")


def _add_function(digest: Any, fn: FunctionType, todo: list[FunctionType | type]) -> None:
    _add_code(digest, fn.__code__)
    _add(digest, fn.__defaults__, fn, todo)
    if fn.__kwdefaults__:
        _add(digest, tuple(fn.__kwdefaults__.items()), fn, todo)
    names = names_in(fn.__code__)
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        inside = _inside(cell)
        if isinstance(inside, ModuleType):
            _add_module(digest, name, inside, fn, names, todo)
        else:
            _add(digest, inside, fn, todo, closed=True)
    for name in names:
        other = fn.__globals__.get(name)
        if isinstance(other, ModuleType):
            _add_module(digest, name, other, fn, names, todo)
        else:
            _add(digest, other, fn, todo)


def _add_module(
    digest: Any, known_as: str, module: ModuleType, fn: FunctionType, names: list[str], todo: list[FunctionType | type]
) -> None:
    """What a function may take of a module of its project: it has the name, if as that of something else."""
    if not _same_project(fn, module.__name__, getattr(module, "__file__", None)):
        return
    inside = vars(module)
    for name in names:
        if name not in inside or name in _OF_ALL_MODULES:
            continue
        found = inside[name]
        if isinstance(found, ModuleType):
            # A package has a module of its own once anyone imported that: it counts if it is asked for.
            if _is_taken(fn.__code__, known_as, name):
                _add_module(digest, name, found, fn, names, todo)
            continue
        digest.update(name.encode())
        _add(digest, found, fn, todo)


def _is_taken(code: CodeType, module: str, name: str) -> bool:
    """Whether `module.name` stands in a function."""
    steps = [each for each in dis.get_instructions(code) if each.opname != "EXTENDED_ARG"]
    if any(a.argval == module and b.argval == name and b.opname in _ATTRIBUTE for a, b in pairwise(steps)):
        return True
    return any(_is_taken(each, module, name) for each in code.co_consts if isinstance(each, CodeType))


def _takes(code: CodeType, operation: int) -> bool:
    return operation in code.co_code[::2] or any(
        _takes(each, operation) for each in code.co_consts if isinstance(each, CodeType)
    )


def _add_class(digest: Any, cls: type, todo: list[FunctionType | type]) -> None:
    """A class's methods, plain attributes and inner classes, its members if it is an enum, and the classes of its
    project that it extends."""
    for name, value in vars(cls).items():
        inside = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        inside = inside.func if isinstance(inside, functools.cached_property) else inside
        layers = [each for each in _layers(inside) if isinstance(each, FunctionType)]
        if layers:  # not what dataclasses and their like generate
            todo += [each for each in layers if each.__code__.co_filename.endswith(".py")]
        elif not name.startswith("__") and isinstance(value, _SEEN):
            digest.update(name.encode())
            _add(digest, cast("object", value), cls, todo)
    if isinstance(cls, EnumType):
        for member in cast("Mapping[str, Any]", cls.__members__).values():
            _add(digest, (member.name, member.value), cls, todo)
    for base in cls.__bases__:
        _add(digest, base, cls, todo)


def _add_code(digest: Any, code: CodeType) -> None:
    """Constants stand where they are used, not where they are kept: a docstring is kept among them and moves them."""
    raw, argument = bytearray(code.co_code), 0
    for at in range(0, len(raw), 2):
        argument = argument << 8 | raw[at + 1]
        if raw[at] == EXTENDED_ARG:
            continue
        if raw[at] in _TAKES_CONSTANT:
            constant = code.co_consts[argument]
            raw[at + 1] = 0
            if isinstance(constant, CodeType):
                _add_code(digest, constant)
            else:
                _add_value(digest, constant)
        argument = 0
    digest.update(raw)
    flags = code.co_flags & ~_HAS_DOCSTRING
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars, flags)).encode())


def _add_value(digest: Any, value: object) -> None:
    """Constants by their text. Of everything else only that it is there: a list may be filled while the run goes, and
    an object's text may hold its address."""
    if isinstance(value, Enum):
        digest.update(f"{type(value).__qualname__}.{value.name}".encode())
        _add_value(digest, value.value)
    elif isinstance(value, _PLAIN):
        digest.update(repr(value).encode())
    elif isinstance(value, tuple):
        for item in cast("tuple[object, ...]", value):
            _add_value(digest, item)
    elif isinstance(value, frozenset):
        digest.update(repr(sorted(map(repr, cast("frozenset[object]", value)))).encode())
    digest.update(b"|")
