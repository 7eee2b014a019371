"""Messages as they are compared: with `<file>` for a place in the user's code, and without what changes each time."""

import contextlib
import os
import re
import sys
import sysconfig
from pathlib import Path

import opgraph
from opgraph.errors import Error, show_own_code_only

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
_PACKAGE = str(Path(opgraph.__file__).parent)
_CHANGING = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<run>"),
    (r"0x[0-9a-f]+", "0x…"),
    (rf"{re.escape(str(HERE))}/\w+\.py:\d+", "<file>"),
    (r"\.[0-9a-f]{12}\b", ".<unique>"),
    (rf"process {os.getpid()} on \S+", "process <pid> on <host>"),
    (re.escape(os.path.realpath(sysconfig.get_path("stdlib"))), "<python>"),
]


def plain(text: str, *folders: object) -> str:
    """A message without what changes from machine to machine."""
    for folder in folders:
        text = re.sub(rf"{re.escape(str(folder))}/(\w+\.py):\d+", r"<file>", text)
        text = text.replace(str(folder), "<folder>")
    for pattern, word in _CHANGING:
        text = re.sub(pattern, word, text)
    return text


def name_of(kind: type) -> str:
    """A class as the cases and golden files name it."""
    return f"{kind.__module__.removeprefix('opgraph.')}.{kind.__qualname__}"


def compare(path: Path, text: str) -> None:
    """Compare with the golden file; OPGRAPH_GOLDEN=1 writes it instead."""
    if os.environ.get("OPGRAPH_GOLDEN"):
        path.write_text(text + "\n", encoding="utf-8")
    assert path.is_file(), f"no golden file for:\n{text}"
    assert text + "\n" == path.read_text(encoding="utf-8")


def own_frames(error: BaseException) -> list[str]:
    """The frames of opgraph that a user would see below an exception."""
    show_own_code_only(error)
    found: list[str] = []
    each: BaseException | None = error
    while each is not None:
        trace = each.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename.startswith((_PACKAGE, contextlib.__file__)):
                found.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
            trace = trace.tb_next
        each = each.__cause__
    return found


def every_error() -> list[type[Error]]:
    """All classes of opgraph's errors, once every module is imported."""
    import importlib
    import pkgutil

    for module in pkgutil.walk_packages(opgraph.__path__, "opgraph."):
        if module.name not in sys.modules:
            importlib.import_module(module.name)
    found: dict[type[Error], None] = {}
    todo: list[type[Error]] = [Error]
    while todo:
        for sub in todo.pop().__subclasses__():
            if sub.__module__.startswith("opgraph") and sub not in found:
                found[sub] = None
                todo.append(sub)
    return sorted(found, key=name_of)
