"""Count the code lines of each room: no blanks, comments or docstrings.

Prints what is over its budget; exits 1 only for a file that is too long. docs/decisions/0011-code-budget.md says why.
"""

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src" / "opgraph"
CORE_BUDGET = 12_000  # declare ... operate and the command line
WHOLE_BUDGET = 20_000
FILE_LIMIT = 600  # lines of any kind
OUTSIDE_CORE = {"show/web", "show/draw", "testing", "trigger"}
NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def docstring_lines(tree: ast.Module) -> set[int]:
    """The numbers of the lines that hold docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def code_lines(source: str) -> int:
    """How many lines of a Python file hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(source)))


def room_of(path: Path) -> str:
    """The room that a file belongs to: its folder, one level deep, two within show/."""
    folders = path.relative_to(PACKAGE).parts[:-1]
    return "/".join(folders[:2] if folders[:1] == ("show",) else folders[:1]) or "(top)"


def main() -> int:
    """Print the table; say what is over its budget."""
    rooms: Counter[str] = Counter()
    files: Counter[str] = Counter()
    over: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        rooms[room_of(path)] += code_lines(source)
        files[room_of(path)] += 1
        length = source.count("\n")
        if length > FILE_LIMIT:
            over.append(f"{path.relative_to(PACKAGE)} has {length} lines; a file has at most {FILE_LIMIT}")
    for room in sorted(rooms):
        print(f"{room:12} {rooms[room]:6} code lines in {files[room]:3} files")
    core = sum(count for room, count in rooms.items() if room not in OUTSIDE_CORE)
    whole = rooms.total()
    print(f"{'core':12} {core:6} of {CORE_BUDGET}")
    print(f"{'whole':12} {whole:6} of {WHOLE_BUDGET}")
    for name, count, budget in (("core", core, CORE_BUDGET), ("package", whole, WHOLE_BUDGET)):
        if count > budget:
            print(f"the {name} is {count - budget} code lines over its budget")
    for line in over:
        print(line, file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
