"""How a failed op is shown."""

import pytest

from opgraph.events import CancelRequested, ErrorInfo, Frame, Meta, RunEnded, RunStatus, StepStarted, StepSucceeded
from opgraph.operate.fold import Fold
from opgraph.operate.views import LogView
from opgraph.plan.model import Decision, Do, Plan, Step
from opgraph.show.cli import ink
from opgraph.show.cli.failure import failed, to_go_on
from opgraph.show.cli.watch import remaining

CODE = "def load(path):\n    rows = read(path)\n    return rows\n\ndef read(path):\n    raise OSError('gone')\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ops.py"
    path.write_text(CODE)
    return str(path)


def text(*args, **kwargs):
    return "\n".join(ink.paint(line, colour=False) for line in failed(*args, **kwargs))


def test_the_users_line_comes_first_with_its_neighbours(file):
    """Exception, place and code; then who called it; then op and asset."""
    frames = (Frame(file, 2, "load", "rows = read(path)"), Frame(file, 6, "read", "raise OSError('gone')"))
    shown = text(ErrorInfo("OSError", "gone", frames), step="report.load", assets=("report",), attempts=2)
    assert shown.splitlines() == [
        "✗ OSError: gone",
        "",
        f"  {file}:6 in read",
        "    4 │",
        "    5 │ def read(path):",
        "  ▶ 6 │     raise OSError('gone')",
        f"  called from {file}:2 in load",
        "",
        "  in op report.load of asset report, attempt 2",
    ]


def test_a_library_that_raised_is_named_below_the_users_line(file):
    """The user's own line is shown, and where in the library it ended."""
    frames = (Frame(file, 2, "load", "rows = read(path)"), Frame("/lib/json.py", 9, "decode", "raise", own=False))
    shown = text(ErrorInfo("ValueError", "bad", frames))
    assert f"{file}:2 in load" in shown
    assert "raised in decode, /lib/json.py:9" in shown


def test_code_that_was_edited_since_is_not_shown_around(file):
    """The line as it was when it failed is shown alone where the file has another one now."""
    shown = text(ErrorInfo("ValueError", "bad", (Frame(file, 3, "load", "return rows + 1"),)))
    assert "▶ return rows + 1" in shown
    assert "return rows\n" not in shown


def test_causes_notes_and_metadata(file):
    """What caused it, what was noted, and the facts of a `Failure`."""
    cause = ErrorInfo("KeyError", "'x'", (Frame(file, 2, "load", "rows = read(path)"),))
    error = ErrorInfo("Failure", "empty", cause=cause, metadata={"path": Meta("text", "in.csv")}, notes=("seen twice",))
    shown = text(error, step="a__b", assets=("a/b",))
    for part in ("note: seen twice", "caused by KeyError: 'x'", "path: in.csv", "in asset a/b"):
        assert part in shown


def test_where_an_op_was_stopped(file):
    """Of an op that took too long its line is shown, and not by what means it was stopped."""
    cause = ErrorInfo("KeyboardInterrupt", "", (Frame(file, 2, "load", "rows = read(path)"),))
    shown = text(ErrorInfo("StepTimedOut", "its limit of 1 s was over\n  fix: more time", cause=cause)).splitlines()
    assert shown[:4] == ["✗ StepTimedOut: its limit of 1 s was over", "  fix: more time", "", f"  {file}:2 in load"]


@pytest.mark.parametrize(
    ("during", "says"),
    [("load", "while it loaded its input `rows`"), ("store", "while it stored its output `rows`"), ("compute", "")],
)
def test_what_it_was_doing(during, says):
    """An error of loading or storing says so."""
    shown = text(ErrorInfo("E", "m", during=during, about="rows"), step="x")
    assert shown.endswith(f"  in op x, {says}" if says else "  in op x")


def test_the_last_words_of_the_op():
    """The last five lines that it said."""
    said = [LogView(step="x", attempt=1, time=0.0, level="INFO", logger="", text=f"line {i}") for i in range(9)]
    shown = text(ErrorInfo("E", ""), step="x", said=said)
    assert shown.startswith("✗ E\n")
    assert "line 3" not in shown
    assert shown.endswith("line 8")


def test_a_long_or_hostile_message_stays_on_its_lines():
    """Many lines are cut, and characters that steer the terminal are made visible."""
    shown = text(ErrorInfo("E", "\n".join(f"line {i}" for i in range(100)) + "\x1b[2J"))
    assert "more lines" in shown
    assert "\x1b" not in text(ErrorInfo("E", "\x1b[2J wiped \x07"))


@pytest.mark.parametrize(
    ("ended", "line"),
    [
        (True, "  Every op had finished; nothing is left to run."),
        (False, "  What had finished is kept. To go on from there:"),
    ],
)
def test_nothing_to_go_on_with(ended, line):
    """A run that was cancelled while its last op went on to its end has nothing to resume, and says so; one that died
    then lacks its end, and has."""
    fold = Fold(Plan(job="j", steps=(Step("a", "a", "op", (), (), Decision(Do.RUN, "selected"), unit="a"),)))
    for seq, fact in enumerate((StepStarted(0, 1, 1.0), CancelRequested(1.0), StepSucceeded(0, 1, 2.0)), 1):
        fold.add(seq, fact)
    if ended:
        fold.add(4, RunEnded(2.0, RunStatus.CANCELED))
    assert ink.paint(to_go_on("aaaa1111", "", **remaining(fold))[0], colour=False) == line
