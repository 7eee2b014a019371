"""How times, sizes, lines and values are written."""

import io

import pytest

from opgraph.show.cli import ink
from opgraph.show.cli.value import readable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 µs"), (0.000085, "85 µs"), (0.0012, "1.2 ms"), (0.05, "50 ms"), (0.4, "400 ms"),
     (1.239, "1.24 s"), (12.34, "12.3 s"),
     (0.9996, "1.00 s"), (123, "2 m 03 s"), (3725, "1 h 02 m"), (-1, "0 µs")],
)  # fmt: skip
def test_durations(seconds, text):
    """A duration has three digits at most and its unit."""
    assert ink.seconds(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (56_000_000, "56 MB"), (3e15, "3000 TB")]
)
def test_sizes(count, text):
    """A size is rounded to what a person reads."""
    assert ink.size(int(count)) == text


@pytest.mark.parametrize(("passed", "text"), [(1, "just now"), (30, "30 s ago"), (300, "5 min ago"), (7200, "2 h ago")])
def test_ages(passed, text):
    """How long ago, until it was more than a day."""
    assert ink.ago(1000.0, 1000.0 + passed) == text


def test_columns_are_aligned():
    """Cells stand below one another, numbers end at the same place."""
    rows = [[[("a", "")], [("10", "")], [("x", "")]], [[("long", "")], [("5", "")], [("y", "")]]]
    assert [ink.paint(line, colour=False) for line in ink.columns(rows, right=frozenset({1}))] == [
        "a     10  x",
        "long   5  y",
    ]


def test_a_line_is_cut_with_its_styles():
    """A line that is too long ends in a dot of its own."""
    assert ink.paint(ink.cut([("hello ", "bold"), ("world", "")], 8), colour=False) == "hello w…"
    assert ink.cut([("hi", "")], 2) == [("hi", "")]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_only_where_they_are_wanted(monkeypatch, environment, coloured):
    """A terminal gets colours unless NO_COLOR or TERM says no; a pipe never."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    ink.put([[("x", ink.BAD)]], stream)
    assert ("\x1b[31m" in stream.getvalue()) is coloured
    ink.put([[("x", ink.BAD)]], pipe := io.StringIO())
    assert pipe.getvalue() == "x\n"


class ArrowLike:
    """A table that is cut by `slice` and has no `head`, as Arrow's."""

    def __init__(self, frame):
        self.frame = frame
        self.num_rows = frame.height

    def slice(self, start, count):
        return self.frame[start : start + count]


class Broken:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (7, "7"),
        ([1, 2], "[1, 2]"),
        ({"b": 1, "a": 2}, "{'b': 1, 'a': 2}"),
        (None, "None"),
        (b"ab", "b'ab'"),
    ],
)
def test_plain_values(value, text):
    """A text is itself, anything else its repr."""
    assert readable(value) == text


def test_long_values_are_shortened():
    """A long list, text or bytes ends with what was left out."""
    assert readable(list(range(1000))).endswith("… and 900 more")
    assert "more characters" in readable("x" * 100_000)
    assert readable(b"x" * 1000).endswith("… (1.0 kB)")
    assert "its repr failed with RuntimeError" in readable(Broken())


def test_tables_show_their_head():
    """A frame shows its first rows, all columns and its shape."""
    polars = pytest.importorskip("polars")
    text = readable(polars.DataFrame({"n": range(1000), "name": ["x"] * 1000}))
    assert text.endswith("1,000 rows (the first 20) by 2 columns")
    assert "│ 19" in text
    assert "│ 20" not in text


@pytest.mark.parametrize(
    ("library", "make"),
    [
        ("pandas", lambda pandas: pandas.DataFrame({"n": range(1000)})),
        ("pandas", lambda pandas: pandas.Series(range(1000))),
        ("polars", lambda polars: polars.Series(range(1000))),
        ("polars", lambda polars: ArrowLike(polars.DataFrame({"n": range(1000)}))),
    ],
)
def test_tables_of_other_kinds(library, make):
    """Frames and columns of each library end with how many rows there are."""
    assert "1,000 rows" in readable(make(pytest.importorskip(library)))
