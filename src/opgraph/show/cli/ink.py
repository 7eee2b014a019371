"""Text for the terminal: lines of styled spans, aligned columns, and how times and sizes are written.

The colours are the terminal's own red, green, cyan and magenta, which every theme makes readable, light or dark; never
yellow, white or black. `NO_COLOR`, a dumb terminal and a pipe turn them off.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TextIO, TypeAlias

from opgraph.errors import Error

Span: TypeAlias = tuple[str, str]  # text, style
Line: TypeAlias = list[Span]

PLAIN, STRONG, FAINT, GOOD, BAD, BUSY, NOTE = "", "bold", "dim", "green", "red", "cyan", "magenta"
_CODES = {STRONG: "1", FAINT: "2", GOOD: "32", BAD: "31", BUSY: "36", NOTE: "35"}
_CONTROLS = {**dict.fromkeys([*range(32), *range(127, 160)], "\ufffd"), 9: "    ", 10: " ", 13: " "}
_SHOWN = 2000  # characters of a value or message that fit a screen


class CannotPrintError(Error):
    """What a command prints cannot be written."""

    def __init__(self, problem: OSError) -> None:
        self.problem = problem
        why = problem.strerror or type(problem).__name__
        super().__init__(f"the output cannot be written: {why}", fix="make room, or send it elsewhere")


def colours(stream: TextIO | None = None) -> bool:
    """Whether a stream gets colours."""
    out: TextIO = sys.stdout if stream is None else stream
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width(most: int = 120) -> int:
    """How many characters a line may have; lines that nobody sees on a terminal are never cut."""
    return min(shutil.get_terminal_size().columns, most) if sys.stdout.isatty() else 10_000


def clean(text: str) -> str:
    """A text without the characters that move the cursor or change colours: messages of users' code may have them."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def paint(line: Line, *, colour: bool) -> str:
    """A line as text."""
    line = [(clean(text), style) for text, style in line]
    if not colour:
        return "".join(text for text, _ in line).rstrip()
    parts: list[str] = []
    for text, style in line:
        codes = ";".join(_CODES[word] for word in style.split() if word in _CODES)
        parts.append(f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text)
    return "".join(parts)


def put(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Print lines."""
    out: TextIO = sys.stdout if stream is None else stream
    colour = colours(out)
    write("".join(f"{paint(line, colour=colour)}\n" for line in lines), out)


def write(text: str, out: TextIO) -> None:
    """Write a text, at once.

    Raises:
        CannotPrintError: the disk is full, or the like.
        BrokenPipeError: whoever read it has gone.
    """
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise CannotPrintError(problem) from None


def length(line: Line) -> int:
    """How many characters a line has."""
    return sum(len(text) for text, _ in line)


def cut(line: Line, most: int) -> Line:
    """A line that is no longer than this."""
    if length(line) <= most:
        return line
    kept: Line = []
    left = most - 1
    for text, style in line:
        kept.append((text[:left], style))
        left -= len(text)
        if left <= 0:
            break
    return [*kept, ("…", FAINT)]


def columns(rows: Sequence[Sequence[Line]], *, right: frozenset[int] = frozenset(), gap: int = 2) -> list[Line]:
    """Rows of cells as lines in which the cells stand below one another.

    Args:
        rows: each a sequence of cells.
        right: the columns whose text ends at the same place.
        gap: spaces between columns.
    """
    widths: list[int] = []
    for row in rows:
        for i, cell in enumerate(row):
            if i == len(widths):
                widths.append(0)
            widths[i] = max(widths[i], length(cell))
    lines: list[Line] = []
    for row in rows:
        line: Line = []
        for i, cell in enumerate(row):
            pad = (" " * (widths[i] - length(cell)), PLAIN)
            last = i == len(row) - 1
            space = (" " * gap, PLAIN)
            line += [pad, *cell] if i in right else [*cell, pad]
            line += [] if last else [space]
        lines.append(line)
    return lines


def seconds(value: float) -> str:
    """A duration: `85 µs`, `3 ms`, `1.24 s`, `2 m 03 s`, `1 h 02 m`."""
    value = max(value, 0.0)
    if value < 0.0009995:
        return f"{value * 1e6:.0f} µs"
    if value < 0.0995:
        return f"{value * 1000:.1f} ms" if value < 0.00995 else f"{value * 1000:.0f} ms"
    if value < 0.995:
        return f"{value * 1000:.0f} ms"
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    whole = int(value)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} m"


def micros(value: int) -> str:
    """A duration given in microseconds."""
    return seconds(value / 1e6)


def ago(when: float, now: float | None = None) -> str:
    """How long ago something was: `just now`, `5 min ago`, `3 h ago`, then the date."""
    passed = (time.time() if now is None else now) - when
    if passed < 10:
        return "just now"
    if passed < 60:
        return f"{passed:.0f} s ago"
    if passed < 3600:
        return f"{passed // 60:.0f} min ago"
    if passed < 86400:
        return f"{passed // 3600:.0f} h ago"
    return moment(when)[:16]


def moment(when: float) -> str:
    """A time of day in the local zone."""
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: int) -> str:
    """A number of bytes: `12 B`, `3.4 kB`, `56 MB`."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def shortened(text: str, most: int = _SHOWN) -> str:
    """A text that fits a screen."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def bar(done: int, total: int, cells: int, style: str) -> Line:
    """A bar of so many cells."""
    full = 2 * cells * done // total if total else 0
    half = "╸" if full % 2 else ""
    rest = cells - full // 2 - len(half)
    return [("━" * (full // 2) + half, style), ("─" * rest, FAINT)]
