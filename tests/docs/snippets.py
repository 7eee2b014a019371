"""Runs what a page shows, as a reader would type it.

A page is played from top to bottom in one empty directory:

- a ```python or ```toml block that begins with `# name.py` is written to that file; any other ```python block is run as
  a program, and any other ```toml block need only be TOML;
- a ```text block right after a program is what it prints;
- a ```console block holds commands, `$ ` before each, and what they print. One that fails ends in `# exit code N`.

A line `...` in what is printed stands for any lines. Times, sizes, ids, dates and the spaces of a layout differ from
run to run and are not compared; an id that a page shows can be typed in its later commands.

`python tests/docs/snippets.py docs/page.md` writes what is printed now into the page, where `RUN` in a command becomes
the id that was shown last. Read the difference before you keep it.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.(?:py|toml))\n")
_EXIT = re.compile(r"# exit code (\d+)$")
_RUN = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_VARIES = (
    (_RUN, "ID"),
    (re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{8,}\b"), "HEX"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"), "WHEN"),
    (re.compile(r"just now|\d+ \w+ ago"), "AGO"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:µs|ms|s|min)\b"), "TIME"),
    (re.compile(r"\b\d+(?:\.\d+)? [kKM]?B\b"), "SIZE"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(slots=True)
class Difference(Exception):  # noqa: N818 - what it is
    """A page shows something else than what happens."""

    page: str
    line: int
    what: str
    shown: str
    printed: str

    def __str__(self) -> str:
        return (
            f"{self.page}:{self.line}: {self.what}\n--- the page shows\n{self.shown}\n--- what happens\n{self.printed}"
        )


@dataclass(slots=True)
class Command:
    """One command of a console block and what the page shows below it."""

    typed: str
    shown: str
    line: int

    @property
    def code(self) -> int:
        """The exit code that the page announces."""
        found = _EXIT.search(self.typed)
        return int(found[1]) if found else 0


@dataclass(slots=True)
class Reader:
    """Someone who types what a page shows into an empty directory."""

    page: str
    folder: Path
    write: bool = False
    ids: dict[str, str] = field(default_factory=dict)  # as the page shows them -> as they are

    def play(self, text: str) -> str:
        """Do all that the page shows; the page, with what was printed if `write`.

        Raises:
            Difference: something else happened than what the page shows.
        """
        parts: list[str] = []
        done, fence, program = 0, 0, None
        for found in _FENCE.finditer(text):
            language, body = found[1], found[2]
            line = text.count("\n", 0, found.start()) + 1
            follows = not text[fence : found.start()].strip()
            parts.append(text[done : found.start(2)])
            done, fence, new = found.end(2), found.end(), body
            if language in ("python", "toml"):
                program = self.code(body, line, language)
            elif language == "text" and follows and program is not None:
                new = self.compare(body, program, line, "the program prints something else")
            elif language == "console":
                new = "".join(self.command(each) for each in commands(body, line))
            if language not in ("python", "toml"):
                program = None
            parts.append(new)
        return "".join(parts) + text[done:]

    def code(self, body: str, line: int, language: str) -> str | None:
        """Write the file or run the program; what the program printed."""
        name = _FILE.match(body)
        if name:
            path = self.folder / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
            return None
        if language == "toml":
            tomllib.loads(body)
            return None
        program = self.folder / "program.py"
        program.write_text(body, encoding="utf-8")
        printed, code = self.run([sys.executable, program.name])
        program.unlink()
        if code:
            raise Difference(self.page, line, f"the program ends with exit code {code}", body, printed)
        return printed

    def command(self, command: Command) -> str:
        """Type a command; the lines of the page for it."""
        if self.write and self.ids:
            command.typed = re.sub(r"\bRUN\b", list(self.ids)[-1][:8], command.typed)
        typed = command.typed
        for shown, real in self.ids.items():
            typed = typed.replace(shown, real).replace(shown[:8], real[:8])
        printed, code = self.run(["bash", "-c", typed])
        if code != command.code and self.write:
            command.typed = f"{_EXIT.sub('', command.typed).rstrip()}{f'  # exit code {code}' if code else ''}"
        elif code != command.code:
            what = f"`{command.typed}` ends with exit code {code}"
            raise Difference(self.page, command.line, what, command.shown, printed)
        new = self.compare(command.shown, printed, command.line, f"`{command.typed}` prints something else")
        return f"$ {command.typed}\n{new}"

    def compare(self, shown: str, printed: str, line: int, what: str) -> str:
        """What the page is to show.

        Raises:
            Difference: it is something else, and the page is not to be written.
        """
        same = matches(shown, printed)
        if not same and (not self.write or "Traceback (most recent" in printed):  # never the text of a page
            raise Difference(self.page, line, what, shown, printed)
        for old, new in zip(_RUN.findall(shown), _RUN.findall(printed), strict=False):
            self.ids.setdefault(old, new)
        if same:
            return shown
        for old in _RUN.findall(printed):
            if old not in self.ids.values():
                self.ids[old] = old
        for old, new in self.ids.items():
            printed = printed.replace(new, old).replace(new[:8], old[:8])
        return printed

    def run(self, command: list[str]) -> tuple[str, int]:
        """What a command prints in the page's directory, and its exit code."""
        # Python files change within a second here: bytecode would be taken for current.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "OPGRAPH", "COLUMNS", "FORCE"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**kept, "PATH": path, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=60,
        )  # fmt: skip
        printed = done.stdout.replace(f"{self.folder}/", "").replace(str(self.folder), ".")
        printed = re.sub(r"^bash: line \d+: +\d+ (Killed).*", r"\1", printed, flags=re.MULTILINE)  # as at a prompt
        return "".join(f"{row.rstrip()}\n" for row in printed.splitlines()), done.returncode


def commands(body: str, line: int) -> Iterator[Command]:
    """The commands of a console block. A line that ends in a backslash goes on in the next."""
    rows = body.splitlines(keepends=True)
    at = 0
    while at < len(rows):
        start, typed = at, rows[at].removeprefix("$ ")
        at += 1
        while typed.endswith("\\\n"):
            typed += rows[at]
            at += 1
        shown = at
        while at < len(rows) and not rows[at].startswith("$ "):
            at += 1
        yield Command(typed.rstrip("\n"), "".join(rows[shown:at]), line + 1 + start)


def matches(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed, but for what differs from run to run."""
    pattern = r"(?:.*\n)*".join(
        "".join(f"{re.escape(_steady(row))}\n" for row in part) for part in _split(shown.strip("\n").splitlines())
    )
    return re.fullmatch(pattern, "".join(f"{_steady(row)}\n" for row in printed.strip("\n").splitlines())) is not None


def _split(rows: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for row in rows:
        if row.strip() == "...":
            parts.append([])
        else:
            parts[-1].append(row)
    return parts


def _steady(row: str) -> str:
    for varies, word in _VARIES:
        row = varies.sub(word, row)
    return row.strip()


def main(pages: list[str]) -> None:
    """Write what is printed into pages."""
    for name in pages:
        page = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            old = page.read_text(encoding="utf-8")
            new = Reader(name, Path(folder).resolve(), write=True).play(old)
            if new != old:
                page.write_text(new, encoding="utf-8")
                print(f"{name}: written")


if __name__ == "__main__":
    main(sys.argv[1:])
