"""An exception as data: the user's own lines first, opgraph's left out."""

import linecache
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from textwrap import dedent
from types import FrameType, TracebackType
from typing import Any

import msgspec

from opgraph.declare.metadata import all_to_wire
from opgraph.declare.settings.secrets import hide
from opgraph.errors import Error, Failure
from opgraph.events import ErrorInfo, Frame
from opgraph.run.stopping import uncollected

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_LIBRARIES = tuple(
    dict.fromkeys(os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "purelib", "platlib"))
)
_ATTEMPT = str(Path(__file__).with_name("step") / "attempt.py")
_CALL = re.compile(r'^  File "(.+)", line (\d+) in (.+)$', re.MULTILINE)
_MOST_FRAMES = 100  # of a deep recursion the first and the last
_LINES = 6  # of a statement of the user's
_MOST_INSIDE = 10  # exceptions of a group
_MOST_TEXT = 16_000  # characters of a message
_MOST_BYTES = 48_000  # of all of it, with the causes
_CUTS = ((4_000, 30, 8), (1_000, 10, 4), (200, 4, 1))  # characters, frames and causes that are left where it is more

_Call = tuple[FrameType, int, int]  # with the line, and where in the code


def error_info(error: BaseException, *, during: str = "compute", about: str = "", depth: int = 0) -> ErrorInfo:
    """What an exception says and where it came from.

    Args:
        error: the exception.
        during: what was being done; see `ErrorInfo`.
        about: the input or output that it concerned.
        depth: of causes.
    """
    info = _whole(error, during, about, depth)
    for cut in _CUTS if depth == 0 else ():
        if len(msgspec.msgpack.encode(info)) <= _MOST_BYTES:
            break
        info = _shorter(info, *cut)
    return info


def bare_info(
    error: Error, *, during: str = "compute", cause: ErrorInfo | None = None, frames: tuple[Frame, ...] = ()
) -> ErrorInfo:
    """An error that was never raised, as data."""
    return msgspec.structs.replace(error_info(error, during=during), cause=cause, frames=frames)


def _shorter(info: ErrorInfo, text: int, frames: int, causes: int) -> ErrorInfo:
    def cut(whole: str) -> str:
        return whole if len(whole) <= text else whole[:text] + " …"

    return msgspec.structs.replace(
        info,
        message=cut(info.message),
        frames=tuple(msgspec.structs.replace(each, text=cut(each.text)) for each in info.frames[-frames:]),
        notes=tuple(cut(note) for note in info.notes[:_MOST_INSIDE]),
        cause=_shorter(info.cause, text, frames, causes - 1) if info.cause is not None and causes else None,
    )


def _whole(error: BaseException, during: str, about: str, depth: int) -> ErrorInfo:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    metadata: Any = error.metadata if isinstance(error, Failure) else None
    return ErrorInfo(
        kind=type(error).__name__,
        message=hide(_message(error)),
        frames=_frames(_raised(error.__traceback__)),
        cause=error_info(cause, during=during, about=about, depth=depth + 1)
        if cause is not None and depth < 8
        else None,
        during=during,
        about=about,
        metadata=all_to_wire(metadata) if metadata else {},
        retry=error.allow_retries if isinstance(error, Failure) else True,
        notes=tuple(writable(hide(str(note))) for note in (*getattr(error, "__notes__", ()), *_inside(error))),
    )


def _inside(error: BaseException) -> list[str]:
    """The exceptions of a group, those of groups in it too: what each says, and the user's line that it came from."""
    leaves = list(_leaves(error)) if isinstance(error, BaseExceptionGroup) else []
    found: list[str] = []
    for each in leaves[:_MOST_INSIDE]:
        frames = _frames(_raised(each.__traceback__))
        at = next((frame for frame in reversed(frames) if frame.own), frames[-1] if frames else None)
        where = f", {at.file}:{at.line} in {at.function}" if at is not None else ""
        found.append(f"inside it {type(each).__name__}: {_message(each)}{where}")
    more = len(leaves) - _MOST_INSIDE
    return [*found, f"inside it {more:,} more"] if more > 0 else found


def _leaves(group: Any) -> Iterator[BaseException]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each


def _message(error: BaseException) -> str:
    if isinstance(error, Failure):
        text = error.description or ""
    else:
        try:
            text = str(error)
        except Exception as broken:  # noqa: BLE001 - a user's __str__ may do anything
            text = f"(its text cannot be had: {type(broken).__name__})"
    if isinstance(error, SystemExit):
        text = f"the op called sys.exit({text})"
    if isinstance(error, Error) and not isinstance(error, Failure):
        text = text or error.what
    text = writable(text)
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + " …"


def writable(text: str) -> str:
    """The text with what UTF-8 does not have (half a surrogate pair) written as an escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _statement(call: _Call, most: int) -> str:
    """The source of what was under way: of a call or statement over several lines so many of them."""
    frame, first, at = call
    code = frame.f_code
    last = next((end for _, end, _, _ in islice(code.co_positions(), at // 2, None)), first) or first
    numbers = range(first, min(last, first + most - 1) + 1)
    lines = (linecache.getline(code.co_filename, number, frame.f_globals) for number in numbers)
    return dedent("".join(lines)).strip()


def crash_of(dump: str) -> tuple[str, tuple[Frame, ...]]:
    """What `faulthandler` wrote of a process that crashed, without what is ours and what called us; and the same as
    frames, outermost first, where it is latest first."""
    calls: list[tuple[str, str, str]] = []
    for file, line, function in _CALL.findall(dump):
        if file == _ATTEMPT:
            break
        if not file.startswith(_PACKAGE):
            calls.append((file, line, function))
    said = [dump.partition("\n")[0], *(f"  {file}:{line} in {function}" for file, line, function in calls)]
    frames = tuple(
        Frame(file, int(line), function, linecache.getline(file, int(line)).strip(), _is_own(file))
        for file, line, function in reversed(calls)
    )
    return "".join(f"{each}\n" for each in said if each), frames


def _is_own(file: str) -> bool:
    return not os.path.realpath(file).startswith(_LIBRARIES) and not file.startswith("<frozen")


def where_is(thread: int) -> tuple[Frame, ...]:
    """Where a thread stands that makes an attempt, seen from another one; nothing, where it makes none."""
    with uncollected():
        frame: FrameType | None = sys._current_frames().get(thread)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it is documented
    calls: list[_Call] = []
    while frame is not None and frame.f_code.co_filename != _ATTEMPT:
        calls.append((frame, frame.f_lineno, frame.f_lasti))
        frame = frame.f_back
    return _frames(reversed(calls)) if frame is not None else ()


def _raised(trace: TracebackType | None) -> Iterator[_Call]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno, trace.tb_lasti
        trace = trace.tb_next


def _frames(calls: Iterable[_Call]) -> tuple[Frame, ...]:
    frames: list[Frame] = []
    for call in calls:
        code = call[0].f_code
        file = code.co_filename
        if not file.startswith(_PACKAGE):
            own = _is_own(file)
            frames.append(Frame(file, call[1], code.co_name, _statement(call, _LINES if own else 1), own))
    if len(frames) > _MOST_FRAMES:
        half = _MOST_FRAMES // 2
        gap = Frame("", 0, f"… {len(frames) - _MOST_FRAMES} more …", "", own=False)
        frames = [*frames[:half], gap, *frames[-half:]]
    return tuple(frames)
