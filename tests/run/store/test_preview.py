"""What stored values look like: previews, made by the worker and read without loading the value."""

import collections
import enum
import io
import pickle
import sys
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from matplotlib.figure import Figure
from PIL import Image

from opgraph import (
    AssetOut,
    Definitions,
    DynamicOut,
    DynamicOutput,
    Instance,
    Out,
    Output,
    asset,
    graph_asset,
    mem_io_manager,
    multi_asset,
    op,
)
from opgraph.declare.settings.secrets import MASK, remember
from opgraph.events import OutputStored, Place, StepSucceeded, Stored
from opgraph.operate import execute, inspect
from opgraph.run.store.preview import glance, look, preview_in, preview_of

ELSEWHERE = Stored("result", Place.FILE, 10, asset="a")


def seen(value, *kinds):
    """The preview of an asset's value."""
    return preview_in(ELSEWHERE, look(value, set(kinds)))


def glanced(value):
    """The preview of an intermediate."""
    return preview_in(ELSEWHERE, glance(value))


@dataclass
class Model:
    """A dataclass with a field that it does not show."""

    name: str
    weights: list[int]
    key: str = field(default="hush", repr=False)


class Rude:
    """Something whose repr fails."""

    def __init__(self, error):
        self.error = error

    def __repr__(self):
        raise self.error


class Settings(pydantic.BaseModel):
    """A model with a secret."""

    retries: int = 3
    token: pydantic.SecretStr = pydantic.SecretStr("do-not-tell")


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024 - the old kind is meant
Colour = enum.Enum("Colour", "RED BLUE")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (True, "True"),
        (None, "None"),
        (1.5, "1.5"),
        (10**40, "<an int of 133 bits>"),
        ("two\nlines", "two\nlines"),
        ([], "[]"),
        ((1,), "(1,)"),
        (set(), "set()"),
        (frozenset([1]), "frozenset([1])"),
        ([1, "a"], "[1, 'a']"),
        ({"a": {"b": [1]}}, "{'a': {'b': [1]}}"),
        (collections.Counter("aa"), "Counter({'a': 2})"),
        (Point(1, 2), "Point(x=1, y=2)"),
        (Colour.RED, "Colour.RED"),
        (Model("m", [1]), "Model(name='m', weights=[1])"),
        (Settings(), f"Settings(retries=3, token={MASK!r})"),
        (np.float64(3), "3.0"),
        (Path("a/b"), "PosixPath('a/b')"),
        (b"abc", "b'abc'"),
        (object, "<class 'object'>"),
    ],
)
def test_small_values_are_shown_as_they_are(value, text):
    """A small value is shown whole, the same for an asset and between ops."""
    assert (seen(value).kind, seen(value).text) == ("text", text)
    if value is not object:
        assert glanced(value).text == text


@pytest.mark.parametrize(
    "value",
    [*(0, 1, -1, 255, 256, 70_000, -70_000, 2**31, -(2**63), 10**25, 10**300)]
    + [0.0, -1.5, 1e300, float("inf"), float("-inf"), True, False, None]
    + ["", "a", "it's", [1], (), {"a": None}, {1, 2}, [[1.5, "x"]], b"b"],
    ids=repr,
)
def test_what_is_small_costs_little(value):
    """Beside a small value that names no class there is little or nothing; its preview is what `repr` says."""
    data = pickle.dumps(value, 5)
    beside = glance(value, data)
    assert (beside == b"") == isinstance(value, (int, float, type(None)))
    stored = Stored("result", Place.INLINE, len(data), offset=3)
    for after in (b"", data):
        found = preview_in(stored, b"abc" + data + beside + after)
        expected = value if isinstance(value, str) else repr(value)
        assert found.text == (expected if len(expected) <= 160 else expected[:159] + "…")


@pytest.mark.parametrize("value", [Colour.RED, Point(1, 2), Model("m", []), Rude(OSError()), "text", bytearray(b"a")])
def test_other_values_are_not_taken_for_numbers(value):
    """Only the bytes of a number are read as one."""
    data = pickle.dumps(value, 5)
    assert preview_in(Stored("result", Place.INLINE, len(data)), data) is None
    assert b"__repr__" not in glance(value, data)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 1_000_000,
        ["y" * 10_000] * 10_000,
        {str(i): [[["z" * 1000] * 50] * 50] * 50 for i in range(500)},
        Model("m" * 10**6, list(range(10**6))),
        b"b" * 10**6,
        10**100_000,
        np.arange(10**6).astype(str),
        pd.DataFrame({f"column {i}" * 30: ["wide" * 500] * 100 for i in range(300)}),
        pl.DataFrame({f"{i}": ["日本" * 500] * 100 for i in range(300)}),
        [{f"{i}": "w" * 500 for i in range(1000)}] * 100,
        np.zeros((2,) * 20),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_preview_is_small(value):
    """However large a value is, its preview is at most 16 KB, and between ops a line or the names of the columns."""
    assert 5 < len(look(value)) <= 16 * 1024 + 5
    assert 5 < len(glance(value)) <= 16 * 1024 + 5
    if not isinstance(value, (pd.DataFrame, pl.DataFrame)):
        assert len(glance(value)) < 1000


def test_what_is_long_says_so():
    """Text that is cut ends in an ellipsis; a collection says how much more there is; the shape says how long it is."""
    assert seen("x" * 9000).text.endswith("x…")
    assert seen(list(range(100))).text.endswith("19, … and 80 more]")
    assert seen(list(range(100))).shape == (100,)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_table_shows_its_head(kind):
    """A table shows columns, types, its first ten rows, and how large it is; between ops only the columns."""
    table = kind({"city": [f"c{i}" for i in range(30)], "t": [1.5, None, *range(28)]})
    found = seen(table)
    assert (found.kind, found.shape, found.columns) == ("table", (30, 2), ("city", "t"))
    assert found.types[1].lower().startswith(("float", "double"))
    assert len(found.rows) == 10
    assert found.rows[:2] == (("c0", "1.5"), ("c1", ""))
    assert (glanced(table).columns, glanced(table).rows) == (("city", "t"), ())


def test_an_index_that_says_something_is_a_column():
    """A pandas index other than the row numbers is shown as the first column."""
    found = seen(pd.DataFrame({"n": [1]}, index=pd.Index(["Oslo"], name="city")))
    assert (found.columns, found.rows) == (("city", "n"), (("Oslo", "1"),))


def test_series_records_and_arrays():
    """A series and a list of records are tables; an array is its type and its edges."""
    assert seen(pl.Series("n", [1, 2])).rows == (("1",), ("2",))
    assert seen(pd.Series([1], name="n")).columns == ("n",)
    records = seen([{"a": 1}, {"a": None, "b": [1]}])
    assert (records.columns, records.rows, records.shape) == (("a", "b"), (("1", ""), ("", "[1]")), (2, 2))
    array = seen(np.zeros((500, 2)))
    assert array.text.startswith("float64\narray([[0., 0.],")
    assert array.shape == (500, 2)


def test_pictures():
    """A figure, an image and the bytes of a PNG are pictures, made smaller where they are too large."""
    figure = Figure()
    figure.subplots().plot([1, 2])
    noise = Image.effect_noise((1500, 1000), 90)
    bytes_of = io.BytesIO()
    noise.save(bytes_of, "png")
    for value, shape in [(figure, (640, 480)), (noise, (1500, 1000)), (bytes_of.getvalue(), (1500, 1000))]:
        found = seen(value)
        assert (found.kind, found.shape) == ("image", shape)
        assert len(found.image) <= 64 * 1024
        assert Image.open(io.BytesIO(found.image)).format == "PNG"
    assert seen(b"\x89PNG\r\n\x1a\n and then nothing").kind == "text"
    assert seen(noise.convert("CMYK")).kind == "image"


def test_a_large_png_without_pillow(monkeypatch):
    """Where nothing is loaded that could make a PNG smaller, it is shown as it is, up to a bound."""
    found = io.BytesIO()
    Image.effect_noise((600, 400), 90).save(found, "png")
    monkeypatch.delitem(sys.modules, "PIL.Image")
    png = found.getvalue()
    assert len(png) > 64 * 1024
    assert seen(png).image == png
    large = png[:-12] + bytes(512 * 1024) + png[-12:]
    assert seen(large).text == f"a PNG of 600 by 400 pixels, {len(large):,} bytes"


def test_markdown():
    """Text is Markdown where the asset says so by its kinds, or the class of a value does."""
    assert seen("# Title").kind == "text"
    assert seen("# Title", "markdown").kind == "markdown"

    class Report:
        def _repr_markdown_(self):
            return "# Report"

    assert (seen(Report()).kind, seen(Report()).text) == ("markdown", "# Report")
    assert glanced(Report()).text == "<Report>"


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), RecursionError(), MemoryError()])
def test_a_repr_that_fails(error):
    """What a class says of itself may fail: the preview says so, and between ops it is not asked."""
    assert seen(Rude(error)).text == f"<Rude: its repr failed with {type(error).__name__}>"
    assert seen([Rude(error)]).text == f"[<Rude: its repr failed with {type(error).__name__}>]"
    assert glanced(Rude(error)).text == "<Rude>"


def test_secrets_are_masked():
    """A secret that the process knows is nowhere in a preview, not even in part where a text is cut."""
    secret = "s3cr3t-0123456789-abcdefghij"
    remember(secret)
    frame = {"a": [secret]}
    for value in [
        secret,
        "." * 7990 + secret,
        "." * 150 + secret,
        {secret: [secret, ("x" * 290) + secret]},
        [secret.encode(), b"." * 280 + secret.encode()],
        Model(secret, []),
        Path(secret),
        pd.DataFrame(frame),
        pl.DataFrame(frame),
        pa.table(frame),
        [{"a": {"b": secret}}],
        pd.DataFrame({secret: [1]}),
        np.array([secret]),
    ]:
        for made in (look(value), glance(value), glance(value, pickle.dumps(value))):
            assert b"s3cr3t" not in made


# -- where they are kept ----------------------------------------------------------


def shown(instance, key):
    """The preview of the latest version of an asset, as `opgraph show` has it."""
    return inspect.asset_view(instance, key).latest.stored.preview


def test_every_output_has_its_own(tmp_path):
    """Several outputs of one step, small and large, stored, in memory and not stored, each have their own preview."""

    @multi_asset(
        outs={
            "large": AssetOut(),
            "small": AssetOut(),
            "held": AssetOut(io_manager_key="memory"),
            "rude": AssetOut(),
            "nothing": AssetOut(is_required=False),
        }
    )
    def several():
        yield Output(list(range(50_000)), "large")
        yield Output("s", "small")
        yield Output(7, "held")
        yield Output(Rude(OSError()), "rude")

    @op(out={"a": Out(), "b": Out(), "c": Out()})
    def three():
        return "first", list(range(50_000)), "third"

    @op
    def join(a, b, c):
        return len(a) + len(b) + len(c)

    @graph_asset
    def joined():
        a, b, c = three()
        return join(a, b, c)

    defs = Definitions(assets=[several, joined], resources={"memory": mem_io_manager})
    with Instance(tmp_path) as instance:
        result = execute.materialize(defs, instance=instance)
        assert result.success
        assert shown(instance, "large").shape == (50_000,)
        assert shown(instance, "small").text == "s"
        assert shown(instance, "held").text == "7"
        assert "OSError" in shown(instance, "rude").text
        assert shown(instance, "joined").text == "50010"
        texts = {}
        for seq, fact in instance.record.facts(result.run_id):
            if isinstance(fact, StepSucceeded):
                for stored in fact.outputs:
                    found = preview_of(instance.record, result.run_id, seq, stored)
                    texts[stored.output] = found.text[:9] if found is not None else None
        assert texts["a"] == "first"
        assert texts["b"] == "[0, 1, 2,"
        assert texts["c"] == "third"
        assert defs.load_asset_value("small", instance=instance) == "s"
        assert len(defs.load_asset_value("large", instance=instance)) == 50_000


def test_values_of_a_fan_out(tmp_path):
    """Each value that a fan-out yields has its preview beside its own fact."""

    @op(out=DynamicOut())
    def each():
        for i in range(3):
            yield DynamicOutput(i, str(i))

    @op
    def double(i):
        return 2 * i

    @graph_asset
    def doubled():
        return each().map(double).collect()

    with Instance(tmp_path) as instance:
        result = execute.materialize(Definitions(assets=[doubled]), instance=instance)
        yielded = [
            preview_of(instance.record, result.run_id, seq, fact.stored).text
            for seq, fact in instance.record.facts(result.run_id)
            if isinstance(fact, OutputStored)
        ]
        assert yielded == ["0", "1", "2"]


def test_records_from_before():
    """A value that was stored before there were previews has none, and is loaded as ever."""
    value = pickle.dumps([1, 2], 5)
    stored = Stored("result", Place.INLINE, len(value))
    assert preview_in(stored, value) is None
    assert preview_in(stored, value + pickle.dumps(3)) is None
    assert preview_in(ELSEWHERE, None) is None
    assert preview_in(ELSEWHERE, value) is None
    assert preview_in(ELSEWHERE, b"\0\xff\0\0\0not msgpack") is None
    assert preview_in(msgspec.structs.replace(ELSEWHERE, place=Place.NONE), look(1)) is None


def test_an_asset_says_that_it_is_markdown(tmp_path):
    """`kinds={"markdown"}` and `metadata={"format": "markdown"}` say that an asset's text is Markdown."""

    @asset(kinds={"markdown"})
    def report():
        return "# One"

    @asset(metadata={"format": "markdown"})
    def letter():
        return "# Two"

    with Instance(tmp_path) as instance:
        assert execute.materialize(Definitions(assets=[report, letter]), instance=instance).success
        assert shown(instance, "report").kind == "markdown"
        assert shown(instance, "letter").kind == "markdown"
