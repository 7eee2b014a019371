"""Hashes of code: whether a step would still do what it did when its run began.

A function's hash covers its bytecode, constants and names, its defaults, what it closes over, and the functions and
classes of the same project that it names, also as `module.name`, to any depth; not line numbers, comments or
docstrings: moving code about changes nothing. What it cannot see: data, libraries, methods of objects whose class it
does not name.
"""

import functools
import hashlib
import sys
from collections.abc import Callable, Sequence
from opcode import EXTENDED_ARG, hasconst
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast

import msgspec

from opgraph.plan.model import Step

_TAKES_CONSTANT = frozenset(hasconst)
_HAS_DOCSTRING = 0x4000000  # a flag of code objects from Python 3.14 on
_PLAIN = (int, float, complex, str, bytes, bool, type(None), type(...))


@functools.lru_cache(maxsize=10_000)
def function_hash(fn: Callable[..., Any]) -> str:
    """32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    todo: list[Any] = [getattr(fn, "__wrapped__", fn)]
    seen = set[int | CodeType]()
    while todo:
        each = todo.pop()
        bound: Any = each
        if isinstance(bound, functools.partial):
            todo.append(bound.func)
            _add_value(digest, bound.args)
            _add_value(digest, tuple(bound.keywords.items()))
        # On another host a function may be there twice, as its step's and as its module's: by its code it is known.
        known = each.__code__ if isinstance(each, FunctionType) and not each.__closure__ else id(each)
        if known in seen:
            continue
        seen.add(known)
        if isinstance(each, type):
            _add_class(digest, each, todo)
        if not isinstance(each, FunctionType):
            continue
        _add_code(digest, each.__code__)
        _add_value(digest, each.__defaults__)
        _add_value(digest, tuple((each.__kwdefaults__ or {}).items()))
        for cell in each.__closure__ or ():
            try:
                inside = cell.cell_contents
            except ValueError:  # not filled yet: the function is defined before the name
                continue
            todo += _to_follow(getattr(inside, "__wrapped__", inside))
            _add_value(digest, inside)
        names = _names(each.__code__)
        for name in names:
            other = each.__globals__.get(name)
            if isinstance(other, ModuleType):
                if _same_project(each, other.__name__, getattr(other, "__file__", None)):
                    todo += [found for found in map(vars(other).get, names) if _is_code(found)]
                    digest.update(b"|")
                continue
            other = getattr(other, "__wrapped__", other)
            if isinstance(other, (FunctionType, type)):
                if _same_project(each, other.__module__ or "", _file_of(other)):
                    todo.append(other)
                elif not isinstance(other, FunctionType):
                    digest.update(b"|")
            else:
                _add_value(digest, other)
    return digest.hexdigest()


def hash_of(steps: Sequence[Step]) -> str:
    """The hash of all that a run does: its steps, how they are wired, and the code of each."""
    return hashlib.blake2b(msgspec.msgpack.encode(steps), digest_size=16).hexdigest()


def _same_project(fn: FunctionType, module: str, file: str | None) -> bool:
    """Whether a module belongs to the project of a function: the same package, or another file or package beside it,
    unless that is where libraries are installed."""
    own = fn.__module__ or ""
    if own.partition(".")[0] == module.partition(".")[0]:
        return True
    root = _root(own, fn.__code__.co_filename)
    return root != "" and "site-packages" not in root and root == _root(module, file or "")


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


def _is_code(found: object) -> bool:
    return isinstance(getattr(found, "__wrapped__", found), (FunctionType, type))


def _to_follow(inside: Any) -> list[Any]:
    """What a function closes over, unless it is of opgraph: a library, as among the names of its module."""
    return [] if _is_code(inside) and (inside.__module__ or "").startswith("opgraph.") else [inside]


def _add_class(digest: Any, cls: type, todo: list[Any]) -> None:
    """A class's methods and plain attributes, and the classes of its project that it extends."""
    for name, value in vars(cls).items():
        inside = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        inside = getattr(inside, "__wrapped__", inside)
        if isinstance(inside, FunctionType):
            if inside.__code__.co_filename.endswith(".py"):  # not what dataclasses and their like generate
                todo.append(inside)
        elif not name.startswith("__") and isinstance(value, (*_PLAIN, tuple, frozenset)):
            digest.update(name.encode())
            _add_value(digest, cast("object", value))
    package = cls.__module__.partition(".")[0]
    todo += [base for base in cls.__bases__ if base.__module__.partition(".")[0] == package]


def _names(code: CodeType) -> list[str]:
    found = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += _names(constant)
    return found


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
    if isinstance(value, _PLAIN):
        digest.update(repr(value).encode())
    elif isinstance(value, tuple):
        for item in cast("tuple[object, ...]", value):
            _add_value(digest, item)
    elif isinstance(value, frozenset):
        digest.update(repr(sorted(map(repr, cast("frozenset[object]", value)))).encode())
    digest.update(b"|")
