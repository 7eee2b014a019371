"""Hashes of code: whether a step would still do what it did when its run began.

A function's hash covers its bytecode, its defaults, what it closes over, and the constants, functions and classes of
the same project that it names, also as `module.name`, to any depth, or imports when it runs; not line numbers, comments
or docstrings: moving code about changes nothing. What it cannot see stands in docs/memoization.md.
"""

import functools
import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, EnumType
from types import CellType, CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any, TypeAlias, cast

import msgspec

from opgraph.plan.bytecode import IMPORT, PLAIN, SETS, add_code, changed, is_taken, takes, text
from opgraph.plan.imported import imported_code, names_in
from opgraph.plan.model import Step

_Code: TypeAlias = FunctionType | type
_CONTAINERS = (list, dict, set)
_PARTIAL = (functools.partial, functools.partialmethod)
_LIBRARIES = sys.stdlib_module_names - {"__main__"} | {__name__.partition(".")[0]}
_OF_ALL_MODULES = frozenset(("__file__", "__cached__", "__path__", "__builtins__", *vars(ModuleType(""))))
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_ABSENT = object()
_DEEP = 20  # what holds itself ends there
_MOST_KEPT = 20_000


def function_hash(fn: Callable[..., Any], *, values: bool = True) -> str:
    """32 hexadecimal digits.

    Args:
        fn: the function, or a class, or what a decorator or `functools.partial` made of one.
        values: whether the values count that its names have, such as those of constants: they are the process's, and
            one may set them to the time or a folder of its own. Without them it is the code alone.
    """
    kept = _kept.get(fn) if values else None
    if kept is not None and kept.holds():
        return kept.hash
    walk = _Walk(values=values)
    found = walk.of(fn)
    if values and not walk.volatile:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[fn] = _Kept(found, tuple(walk.looked_up), tuple(walk.cells), tuple(walk.codes))
    return found


def imported_hash(fn: Callable[..., Any]) -> str:
    """The hash of what a function and those it leads to import of their project when they run, as its files are now;
    "": nothing."""
    if fn in _kept:  # then nothing
        return ""
    walk = _Walk(values=True)
    walk.of(fn)
    return hashlib.blake2b("\n".join(walk.imported).encode(), digest_size=16).hexdigest() if walk.imported else ""


def hash_of(steps: Sequence[Step]) -> str:
    """The hash of all that a run does: its steps, how they are wired, and the code of each."""
    return hashlib.blake2b(msgspec.msgpack.encode(steps), digest_size=16).hexdigest()


class Hashes(dict[Callable[..., Any], str]):
    """The hashes of functions, each made once: as they are while one plan is made."""

    def __missing__(self, fn: Callable[..., Any]) -> str:
        found = self[fn] = function_hash(fn)
        return found

    def hold(self) -> bool:
        """Whether the functions are today what they were."""
        return all(function_hash(fn) == found for fn, found in self.items())


class _Kept:
    """A hash, and what was looked up for it: in a notebook a name may mean something else by now."""

    __slots__ = ("_cells", "_codes", "_looked_up", "hash")

    def __init__(
        self,
        found: str,
        looked_up: tuple[tuple[Mapping[str, Any], str, Any], ...],
        cells: tuple[tuple[CellType, Any], ...],
        codes: tuple[tuple[FunctionType, CodeType], ...],
    ) -> None:
        self.hash = found
        self._looked_up, self._cells, self._codes = looked_up, cells, codes

    def holds(self) -> bool:
        for fn, code in self._codes:
            if fn.__code__ is not code:
                return False
        for names, name, value in self._looked_up:
            if names.get(name, _ABSENT) is not value:
                return False
        return all(_inside(cell) is value for cell, value in self._cells)


_kept: dict[Callable[..., Any], _Kept] = {}


class _Walk:
    """Goes through all code that a function leads to.

    Attributes:
        volatile: whether the hash may be another one when it is asked for again.
        imported: the statements of the project that functions import when they run.
    """

    __slots__ = (
        "_digest",
        "_met",
        "_todo",
        "cells",
        "codes",
        "imported",
        "looked_up",
        "values",
        "volatile",
    )

    def __init__(self, *, values: bool) -> None:
        self._digest: Any = hashlib.blake2b(digest_size=16)
        self._todo: list[_Code] = []
        self._met: dict[object, int] = {}
        self.values, self.volatile = values, False
        self.imported: list[str] = []
        self.looked_up: list[tuple[Mapping[str, Any], str, Any]] = []
        self.cells: list[tuple[CellType, Any]] = []
        self.codes: list[tuple[FunctionType, CodeType]] = []

    def of(self, fn: Callable[..., Any]) -> str:
        layers = _layers(fn)
        # Of what a library's decorator made only what it decorates counts; a library's own function is taken as it is.
        for each in layers:
            if each is layers[-1] or not _is_library(each):
                self._meet(each)
        if not layers:
            self._add(fn, function_hash, closed=True)  # of no project
        importing: dict[tuple[str, str], list[FunctionType]] = {}  # by folder and package
        while self._todo:
            each = self._todo.pop()
            if isinstance(each, FunctionType):
                self._add_function(each)
                if takes(each.__code__, IMPORT):
                    module = each.__module__ or ""
                    home = _root(module, each.__code__.co_filename), module.partition(".")[0]
                    importing.setdefault(home, []).append(each)
            else:
                self._add_class(each)
        for (root, _), functions in importing.items():
            self.volatile = True  # files change
            roots = [root, *[each for each in sys.path if each and root.startswith(f"{each}/")]] if root else []
            self.imported += imported_code(functions, roots)
        for each in self.imported:
            self._digest.update(each.encode())
        return self._digest.hexdigest()

    def _meet(self, code: _Code) -> None:
        """A function or class is referred to: it is read once, and known by its number from then on."""
        known = _known(code)
        number = self._met.get(known)
        if number is None:
            number = self._met[known] = len(self._met)
            self._todo.append(code)
        self._digest.update(b"#%d" % number)

    # -- what is found under a name ---------------------------------------------------

    def _add(self, found: Any, home: _Code, *, closed: bool = False, depth: int = 0) -> None:
        """What a function or class, its home, has under a name, or closes over."""
        if isinstance(found, PLAIN):
            self._add_value(found)
            return
        if layers := _layers(found):
            self._add_layers(found, layers, home, closed=closed, depth=depth)
        elif depth > _DEEP:
            return
        elif isinstance(found, _PARTIAL):
            given = cast("Any", found)
            for each in (given.func, given.args, given.keywords):
                self._add(each, home, closed=True, depth=depth + 1)
        elif isinstance(found, tuple):
            for each in cast("tuple[object, ...]", found):
                self._add(each, home, closed=closed, depth=depth + 1)
        elif closed and isinstance(found, _CONTAINERS):
            self._add_container(found, home, depth)
        else:
            self._add_value(found)
            kind = type(cast("object", found))
            if not isinstance(found, ModuleType) and _same_project(home, kind.__module__, _file_of(kind)):
                self._meet(kind)
            return
        self._digest.update(b"|")

    def _add_layers(self, found: Any, layers: list[_Code], home: _Code, *, closed: bool, depth: int) -> None:
        for each in layers:
            # A library's decorator closes over what it decorates, and that may be of an installed project.
            open_to = closed and (not _is_library(each) or (isinstance(each, FunctionType) and _is_library(home)))
            if open_to or _same_project(home, each.__module__ or "", _file_of(each)):
                self._meet(each)
            elif closed:
                self._digest.update(f"{each.__module__}.{each.__qualname__}".encode())
        others: Any = getattr(found, "registry", None)  # of `functools.singledispatch`
        if isinstance(others, MappingProxyType):
            self.volatile = True
            for kind, other in cast("Mapping[type, Any]", others).items():
                self._digest.update(kind.__qualname__.encode())
                self._add(other, home, closed=closed, depth=depth + 1)

    def _add_container(self, found: Any, home: _Code, depth: int) -> None:
        self.volatile = True
        if not self.values:
            return
        if isinstance(found, dict):
            items: list[Any] = [*cast("dict[Any, Any]", found).items()]
        else:
            items = [*cast("Iterable[Any]", found)]
        if isinstance(found, set):
            items.sort(key=repr)
        self._digest.update(f"{type(cast('object', found)).__name__} {len(items)}".encode())
        for each in items:
            self._add(each, home, closed=True, depth=depth + 1)

    def _add_value(self, value: object) -> None:
        """Constants by their text. Of everything else only that it is there: a list may be filled while the run goes,
        and an object's text may hold its address."""
        digest = self._digest
        if self.values:
            if isinstance(value, Enum):
                digest.update(f"{type(value).__qualname__}.{value.name}".encode())
                self._add_value(value.value)
            else:
                digest.update(text(value))
        digest.update(b"|")

    # -- functions ----------------------------------------------------------------------

    def _add_function(self, fn: FunctionType) -> None:
        code = fn.__code__
        self.codes.append((fn, code))
        add_code(self._digest, code)
        own = changed(code) if self._may_change(fn) else ()
        self._add_defaults(fn, own)
        for name, cell in zip(code.co_freevars, fn.__closure__ or (), strict=True):
            inside = _inside(cell)
            self.cells.append((cell, inside))
            if isinstance(inside, ModuleType):
                self._add_module(name, inside, fn)
            else:
                self._add(_ABSENT if name in own else inside, fn, closed=True)
        for name in names_in(code):
            other = fn.__globals__.get(name, _ABSENT)
            if name in own:
                other = _ABSENT
            else:
                self.looked_up.append((fn.__globals__, name, other))
            if isinstance(other, ModuleType):
                self._add_module(name, other, fn)
            else:
                self._add(None if other is _ABSENT else other, fn)

    def _may_change(self, fn: FunctionType) -> bool:
        """Whether it is worth to look which of its names a function changes itself."""
        if takes(fn.__code__, *SETS):
            return True
        given = [*(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values()]
        return any(isinstance(each, _CONTAINERS) for each in (*given, *map(_inside, fn.__closure__ or ())))

    def _add_defaults(self, fn: FunctionType, own: Iterable[str]) -> None:
        code, given = fn.__code__, fn.__defaults__ or ()
        names = code.co_varnames[code.co_argcount - len(given) : code.co_argcount]
        for name, each in (*zip(names, given, strict=True), ("*", None), *(fn.__kwdefaults__ or {}).items()):
            self._digest.update(name.encode())
            self._add(_ABSENT if name in own else each, fn, closed=True)

    def _add_module(self, known_as: str, module: ModuleType, fn: FunctionType) -> None:
        """What a function may take of a module of its project: it has the name, if as that of something else."""
        if not _same_project(fn, module.__name__, getattr(module, "__file__", None)):
            return
        inside = vars(module)
        for name in names_in(fn.__code__):
            if name not in inside or name in _OF_ALL_MODULES:
                continue
            found = inside[name]
            self.looked_up.append((inside, name, found))
            if isinstance(found, ModuleType):
                # A package has a module of its own once anyone imported that: it counts if it is asked for.
                if is_taken(fn.__code__, known_as, name):
                    self._add_module(name, found, fn)
                continue
            self._digest.update(name.encode())
            self._add(found, fn)

    # -- classes ------------------------------------------------------------------------

    def _add_class(self, cls: type) -> None:
        """A class's methods, attributes and inner classes, its fields with their defaults, its members if it is an
        enum, and the classes of its project that it extends or is made by."""
        for name, value in sorted(vars(cls).items()):
            inside = [each for part in _parts(value) for each in _layers(part) if isinstance(each, FunctionType)]
            if inside:
                self._digest.update(name.encode())
                for each in inside:
                    if each.__code__.co_filename.endswith(".py"):  # not what dataclasses and their like generate
                        self._meet(each)
            elif name in _FIELDS and isinstance(value, dict):
                self._add_fields(cls, cast("dict[str, Any]", value))
            elif not name.startswith("__"):
                self._digest.update(name.encode())
                self._add(value, cls)
        if isinstance(cls, EnumType):
            for member in cast("Mapping[str, Any]", cls.__members__).values():
                self._add((member.name, member.value), cls)
        for each in (*cls.__bases__, type(cls)):
            self._add(each, cls)

    def _add_fields(self, cls: type, fields: Mapping[str, Any]) -> None:
        """The fields of a dataclass or a pydantic model, or the defaults of a named tuple."""
        for name, field in fields.items():
            self._digest.update(name.encode())
            if not hasattr(field, "default"):
                self._add(field, cls, closed=True)
                continue
            told = getattr(field, "annotation", getattr(field, "type", None))
            self._digest.update(_ADDRESS.sub("", repr(told)).encode())
            for each in (field.default, getattr(field, "default_factory", None)):
                self._add(each, cls, closed=True)


_FIELDS = frozenset({"__dataclass_fields__", "__pydantic_fields__", "_field_defaults", "model_fields"})


def _parts(value: Any) -> list[Any]:
    """The functions of a class's attribute: of a property up to three."""
    if isinstance(value, property):
        return [each for each in (value.fget, value.fset, value.fdel) if each is not None]
    if isinstance(value, functools.cached_property):
        return [cast("Any", value).func]
    if isinstance(value, functools.singledispatchmethod):
        return [cast("Any", value).dispatcher]
    return [getattr(value, "__func__", value)]


def _known(code: _Code, depth: int = 0) -> object:
    """By what it is known that a function or class was met before. On another host one may be there twice, as its
    step's and as its module's: it is known by what it is."""
    if not isinstance(code, FunctionType):
        return id(code) if "<locals>" in code.__qualname__ else (code.__module__, code.__qualname__)
    given = (code.__defaults__, code.__kwdefaults__, tuple(map(_inside, code.__closure__ or ())))
    return code.__module__, code.__qualname__, code.__code__, *[_mark(each, depth) for each in given if each]


def _mark(value: Any, depth: int) -> object:
    if isinstance(value, PLAIN):
        return type(value), repr(value)
    if depth > _DEEP:
        return None
    if isinstance(value, FunctionType):
        return _known(value, depth + 1)
    if isinstance(value, dict):
        value = tuple(cast("dict[Any, Any]", value).items())
    if isinstance(value, (tuple, list)):
        return tuple(_mark(each, depth + 1) for each in cast("Iterable[Any]", value))
    return id(value) if isinstance(value, type) else type(value).__qualname__


def _inside(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet: the function is defined before the name
        return None


def _same_project(own: _Code, module: str, file: str | None) -> bool:
    """Whether a module belongs to the project of a function or class: the same package, or another file or package
    beside it or around it, unless that is where libraries are installed."""
    name = own.__module__ or ""
    if name.partition(".")[0] == module.partition(".")[0]:
        return True
    root, other = _root(name, _file_of(own) or ""), _root(module, file or "")
    return other != "" and "site-packages" not in root and f"{root}/".startswith(f"{other}/")


def _layers(found: Any) -> list[_Code]:
    """A function or class, or what a decorator made of it, and all that it wraps."""
    layers: list[_Code] = []
    inside = found if isinstance(found, (FunctionType, type)) else getattr(found, "__wrapped__", None)
    while isinstance(inside, (FunctionType, type)) and inside not in layers:
        layers.append(inside)
        inside = getattr(inside, "__wrapped__", None)
    return layers


def _is_library(code: _Code) -> bool:
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


def _file_of(code: _Code) -> str | None:
    if isinstance(code, FunctionType):
        return code.__code__.co_filename
    return getattr(sys.modules.get(code.__module__), "__file__", None)
