"""Hashes of code: whether a step would still do what it did when its run began.

A function's hash covers its bytecode, constants and names, its defaults, what it closes over, and the functions of the
same package that it names, to any depth; not line numbers, comments or docstrings: moving code about changes nothing.
What it cannot see: data, libraries, methods reached through objects.
"""

import functools
import hashlib
from collections.abc import Callable, Sequence
from opcode import EXTENDED_ARG, hasconst
from types import CodeType, FunctionType
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
    seen = set[int]()
    while todo:
        each = todo.pop()
        bound: Any = each
        if isinstance(bound, functools.partial):
            todo.append(bound.func)
            _add_value(digest, bound.args)
            _add_value(digest, tuple(bound.keywords.items()))
        if id(each) in seen or not isinstance(each, FunctionType):
            continue
        seen.add(id(each))
        _add_code(digest, each.__code__)
        _add_value(digest, each.__defaults__)
        _add_value(digest, tuple((each.__kwdefaults__ or {}).items()))
        for cell in each.__closure__ or ():
            try:
                inside = cell.cell_contents
            except ValueError:  # not filled yet: the function is defined before the name
                continue
            todo.append(getattr(inside, "__wrapped__", inside))
            _add_value(digest, inside)
        package = _package(each)
        for name in _names(each.__code__):
            other = each.__globals__.get(name)
            other = getattr(other, "__wrapped__", other)
            if isinstance(other, FunctionType):
                if _package(other) == package:
                    todo.append(other)
            else:
                _add_value(digest, other)
    return digest.hexdigest()


def hash_of(steps: Sequence[Step]) -> str:
    """The hash of all that a run does: its steps, how they are wired, and the code of each."""
    return hashlib.blake2b(msgspec.msgpack.encode(steps), digest_size=16).hexdigest()


def _package(fn: FunctionType) -> str:
    return (fn.__module__ or "").partition(".")[0]


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
