"""What stands in the bytecode of functions."""

import dis
from itertools import pairwise
from opcode import EXTENDED_ARG, hasconst, opmap
from types import CodeType
from typing import Any, cast

PLAIN = (int, float, complex, str, bytes, bool, type(None), type(...))
IMPORT = opmap["IMPORT_NAME"]
_SETS = ("STORE_GLOBAL", "STORE_DEREF", "DELETE_GLOBAL")
SETS = tuple(opmap[name] for name in _SETS)
_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
_CHANGES = frozenset(
    ("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove",
     "reverse", "setdefault", "sort", "update")
)  # fmt: skip
_TAKES_CONSTANT = frozenset(hasconst)
_HAS_DOCSTRING = 0x4000000  # a flag of code objects from Python 3.14 on
_TEXTUAL = frozenset(
    {"datetime", "decimal", "fractions", "pathlib", "re", "uuid", "zoneinfo"}
)  # their text is all of them


def takes(code: CodeType, *operations: int) -> bool:
    """Whether one of these operations stands in a function, or in one within it."""
    own = code.co_code[::2]
    return any(each in own for each in operations) or any(
        takes(each, *operations) for each in code.co_consts if isinstance(each, CodeType)
    )


def is_taken(code: CodeType, module: str, name: str) -> bool:
    """Whether `module.name` stands in a function."""
    steps = [each for each in dis.get_instructions(code) if each.opname != "EXTENDED_ARG"]
    if any(a.argval == module and b.argval == name and b.opname in _ATTRIBUTE for a, b in pairwise(steps)):
        return True
    return any(is_taken(each, module, name) for each in code.co_consts if isinstance(each, CodeType))


def changed(code: CodeType) -> set[str]:
    """The names of which a function changes what they hold: those it sets itself, and those of lists and the like that
    it adds to. What they hold when the hash is made is no part of the code."""
    found = set[str]()
    steps = [each for each in dis.get_instructions(code) if each.opname != "EXTENDED_ARG"]
    line, before = list[str](), ""
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        if step.starts_line:
            line.clear()
        if step.opname in _SETS:
            found.add(step.argval)
        elif step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR"):  # of `a[b] = c`, by what stands before it
            found.update(line[-1:] if before == "LOAD_CONST" else line[-2:-1] if before.startswith("LOAD_") else line)
        elif step.opname.startswith(("LOAD_DEREF", "LOAD_FAST", "LOAD_GLOBAL")):
            names: Any = step.argval
            line += names if isinstance(names, tuple) else [names]
            if after is not None and after.opname in _ATTRIBUTE and after.argval in _CHANGES:
                found.add(line[-1])
        before = step.opname
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= changed(constant)
    return found


def add_code(digest: Any, code: CodeType) -> None:
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
                add_code(digest, constant)
            else:
                digest.update(_constant(constant))
        argument = 0
    digest.update(raw)
    flags = code.co_flags & ~_HAS_DOCSTRING
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars, flags)).encode())


def _constant(value: object) -> bytes:
    """A constant of bytecode."""
    if isinstance(value, tuple):
        return b"".join(map(_constant, cast("tuple[object, ...]", value))) + b"|"
    return text(value) + b"|"


def text(value: object) -> bytes:
    """What is counted of a value that is no function, class or container."""
    if isinstance(value, PLAIN):
        return repr(value).encode()
    if isinstance(value, frozenset):
        return repr(sorted(map(repr, cast("frozenset[object]", value)))).encode()
    return repr(value).encode() if type(value).__module__ in _TEXTUAL else b""
