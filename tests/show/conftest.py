"""A project to type commands in."""

import sys

import pytest
from click.testing import CliRunner

DEFINITIONS = '''\
import os
from opgraph import AssetIn, AssetOut, Definitions, Out, asset, define_asset_job
from opgraph import graph, graph_asset, graph_multi_asset, op


@asset(group_name="raw", key_prefix="lake")
def orders():
    """All orders."""
    return [3, 1, 2]


@op
def parse(context, rows):
    context.log.info("parsing %d rows", len(rows))
    print("printed by parse")
    return rows


@op
def check(rows):
    """Refuses when the test says so."""
    if os.environ.get("FAIL"):
        raise ValueError("a row is bad\\nin two lines")
    return rows


@graph
def clean(rows):
    return check(parse(rows))


@op
def total(rows):
    return sum(rows)


@graph_asset(ins={"rows": AssetIn(key="lake/orders")}, group_name="reports")
def revenue(rows):
    """What came in."""
    return total(clean(rows))


@op(out={"low": Out(), "high": Out()})
def split(amount):
    return amount - 1, amount + 1


@graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()}, can_subset=True, group_name="reports")
def bounds(revenue):
    low, high = split(revenue)
    return {"low": low, "high": high}


defs = Definitions(assets=[orders, revenue, bounds], jobs=[define_asset_job("nightly", "*revenue")])
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The folder of a project, which is the current one."""
    (tmp_path / "pyproject.toml").write_text('[tool.opgraph]\nfile = "definitions.py"\n')
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPGRAPH_HOME", raising=False)
    monkeypatch.delenv("FAIL", raising=False)
    modules, path = set(sys.modules), list(sys.path)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if not name.startswith("opgraph"):
            del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def opgraph():
    """Types an opgraph command; gives the result, and fails on an error of opgraph itself."""
    from opgraph.show.cli.commands import BUG, cli

    def run(*words, code=0, **environment):
        for name in [n for n in sys.modules if n in ("definitions", "other")]:
            del sys.modules[name]
        result = CliRunner().invoke(cli, [str(word) for word in words], env=environment)
        assert result.exit_code != BUG, result.stderr
        assert result.exit_code == code, f"{words}: {result.exit_code}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stdout + result.stderr
        return result

    return run
