"""`opgraph draw`."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from opgraph.show.cli.commands import cli

DEFINITIONS = """\
import os
from opgraph import Definitions, asset, define_asset_job, graph_asset, job, op


@asset(key_prefix="lake")
def orders():
    return [1]


@op
def parse(rows):
    if os.environ.get("FAIL"):
        raise ValueError("bad")
    return rows


@op
def one():
    return 1


@graph_asset
def revenue():
    return parse(one())


@job
def nightly():
    one()


defs = Definitions(assets=[orders, revenue], jobs=[nightly, define_asset_job("weekly", "revenue")])
"""
OUTSIDE = "defs = Definitions(assets=[orders, AssetSpec('bucket', group_name='outside')])\n"


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Types `opgraph draw ...` in a project's folder; gives the exit code, what it printed, and its names."""
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPGRAPH_HOME", raising=False)

    def run(*words):
        typed = CliRunner().invoke(cli, [*words, "-f", "definitions.py"])
        path = Path("opgraph.svg")
        return typed.exit_code, typed.output, _names(path.read_text()) if path.exists() else None

    return run


def _names(text):
    return [each.text for each in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]


def test_draws_to_a_file(draw):
    """By default all assets are drawn, into `opgraph.svg`, and that is said."""
    code, printed, names = draw("draw")
    assert (code, names) == (0, ["lake/orders", "2 ops", "revenue"])
    assert "opgraph.svg" in printed


def test_draws_to_standard_output(draw):
    """`--svg -` prints the picture and nothing else."""
    code, printed, _ = draw("draw", "--svg", "-")
    assert (code, _names(printed)) == (0, ["lake/orders", "2 ops", "revenue"])


def test_a_selection_with_its_ops(draw):
    """A selection is drawn alone; `--open` shows ops in place."""
    assert draw("draw", "revenue", "--open", "revenue")[2] == ["2 ops", "revenue", "one", "parse"]
    assert draw("draw", "lake/orders", "--open", "*")[2] == ["lake/orders"]


def test_a_group_of_what_others_make(draw):
    """A selection draws what is not made here as well, also where there is nothing else."""
    path = Path("definitions.py")
    path.write_text(path.read_text() + "from opgraph import AssetSpec\n" + OUTSIDE)
    assert draw("draw", "group:outside")[2] == ["bucket", "external"]


def test_jobs(draw):
    """A job of ops is drawn as ops, a job of assets as assets."""
    assert draw("draw", "--job", "nightly")[2] == ["one"]
    assert draw("draw", "--job", "weekly")[2] == ["2 ops", "revenue"]


def test_a_run(draw, monkeypatch):
    """A run is drawn with how its ops ended."""
    monkeypatch.setenv("FAIL", "1")
    assert draw("materialize", "-s", "revenue")[0] == 1
    runs = CliRunner().invoke(cli, ["runs", "-f", "definitions.py", "--json"]).output
    code, _, names = draw("draw", "--run", runs.split('"run_id":"')[1][:8])
    assert code == 0
    assert {"revenue", "one", "parse"} <= set(names)
    assert any(name.startswith("failed ·") for name in names)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing_like_it",), "nothing_like_it"),
        (("--job", "nightli"), "Did you mean `nightly`?"),
        (("--run", "ffff"), "ffff"),
        (("--open", "revenu"), "revenue"),
        (("group:no",), "group:no"),
        (("revenue", "--job", "nightly"), "give a selection"),
        (("--svg", "no/such/folder.svg"), "cannot be written"),
    ],
)
def test_mistakes(draw, words, told):
    """What cannot be drawn is said in one message, and no file is written."""
    code, printed, names = draw("draw", *words)
    assert (code, names) == (2, None)
    assert told in printed
    assert "Traceback" not in printed
