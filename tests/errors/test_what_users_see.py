"""What users see of a mistake, on the command line and in Python."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import opgraph as package
from opgraph import (
    AssetOut,
    AssetSpec,
    Definitions,
    Instance,
    Out,
    asset,
    graph,
    graph_asset,
    graph_multi_asset,
    materialize,
    op,
)
from opgraph.declare.mistakes import NoSuchOutput, UsedAsValue
from opgraph.errors import InvalidDefinitionsError, StepFailedError
from opgraph.operate import execute
from opgraph.show.cli.commands import cli


@op
def one():
    return 1


@op
def inc(x):
    return x + 1


@op(out={"a": Out(), "b": Out()})
def two():
    return 1, 2


USES = {
    "compared": lambda: inc(one() == 1),
    "compared with another": lambda: inc(one() != one()),
    "ordered": lambda: inc(one() < 1),
    "in a text": lambda: inc(f"{one()}"),
    "as a text": lambda: inc(str(one())),
    "added to": lambda: inc(one() + 1),
    "added": lambda: inc(1 + one()),
    "negative": lambda: inc(-one()),
    "an attribute": lambda: inc(one().foo),
    "called": lambda: inc(one()()),
    "iterated": lambda: [inc(x) for x in one()],
    "indexed": lambda: inc(one()[0]),
    "tested": lambda: inc(not one()),
    "searched": lambda: inc(1 in one()),
    "a number": lambda: inc(int(one())),
    "several compared": lambda: inc(two() == 1),
    "several called": lambda: inc(two()()),
}


@pytest.mark.parametrize("use", USES)
def test_a_value_that_is_not_there_yet_is_never_used_in_silence(use):
    """Whatever a graph's body does with an op's output, but pass it on, is a mistake at the user's line."""
    with pytest.raises(UsedAsValue, match="has no value yet") as caught:
        graph(name="it")(USES[use])
    assert caught.value.where.file == __file__
    assert "Placeholder" not in str(caught.value)


def test_outputs_are_asked_for_by_name():
    """An output that an op does not have is a mistake; `hasattr` still works."""
    seen = []

    @graph
    def it():
        made = two()
        seen.append((hasattr(made, "a"), hasattr(made, "c")))
        return made.a

    assert seen == [(True, False)]
    with pytest.raises(NoSuchOutput, match="its outputs are `a`, `b`"):
        graph(name="it")(lambda: two().c)


@pytest.mark.parametrize("given", ["raw/x", ["raw", "x"], package.AssetKey("raw/x"), package.AssetIn("raw/x")])
@pytest.mark.parametrize("kind", ["asset", "graph_asset"])
def test_ins_take_keys(given, kind):
    """An entry of `ins` may be the asset's key as it is."""
    decorate = {"asset": asset, "graph_asset": graph_asset}[kind]

    @decorate(ins={"x": given})
    def it(x):
        return inc(x) if kind == "graph_asset" else x

    assert it.keys_by_input_name == {"x": package.AssetKey("raw/x")}


def test_all_mistakes_of_a_declaration_are_one_error():
    """A declaration with several mistakes raises them together, also outside of a loader."""
    with pytest.raises(InvalidDefinitionsError) as caught:

        @asset(group_name="a b", owners=["me"], tags={"a b": "c"})
        def it(): ...

    assert len(caught.value.problems) == 3


def test_a_graph_that_cannot_be_composed_does_not_hide_other_mistakes(tmp_path, run):
    """A value used in a graph's body is listed with the mistakes of the whole project, and once."""
    (tmp_path / "definitions.py").write_text(
        "from opgraph import asset, graph_asset, op\n\n\n@op\ndef one():\n    return 1\n\n\n"
        "@graph_asset\ndef first():\n    return one() + 1\n\n\n@asset(owners=['me'])\ndef second(third): ...\n"
    )
    said = run("list", code=2)
    assert "3 mistakes" in said
    assert said.count("calculated with") == 1


def test_everything_can_be_imported():
    """`from opgraph import *` brings every public name, also under the prefix that code written for Dagster knows."""
    names: dict[str, object] = {}
    exec("from opgraph import *", names)
    assert {"asset", "graph_asset", "materialize", "Definitions", "DagsterInstance"} <= names.keys()
    assert sorted(package.__all__) == package.__all__


def test_a_part_in_the_order_of_the_declaration():
    """What a definition makes is listed as it was declared, not what was selected first."""

    @graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def safe():
        return {"a": one(), "b": inc(one())}

    with pytest.raises(package.InvalidSubsetError, match="makes `a`, `b` together"):
        materialize([safe], selection="b")


def test_one_asset_is_one_asset():
    """A count of one reads as one."""
    with pytest.raises(package.InvalidSubsetError, match="the one asset there is"):
        materialize([AssetSpec("only")], selection="zzzzz")


def test_a_name_is_suggested_that_is_valid():
    """A name that is a word of Python gets an underscore."""
    with pytest.raises(package.InvalidDefinitionError, match="such as `lambda_`"):
        asset(lambda: 1)


def test_a_name_that_is_not_built_says_once_what_to_do():
    """The fix says what to do meanwhile, and nothing else."""
    with pytest.raises(package.NotYetSupportedError) as caught:
        package.FreshnessPolicy(max_age=1)
    assert str(caught.value).count("leave it out") == 1


def test_a_step_cannot_end_the_caller():
    """What would end Python is the cause of a StepFailedError that names the step."""

    @asset
    def it():
        raise SystemExit(3)

    with pytest.raises(StepFailedError, match="step `it`") as caught:
        materialize([it])
    assert isinstance(caught.value.__cause__, SystemExit)
    assert caught.value.step_key == "it"


def test_the_user_s_exception_has_the_user_s_lines():
    """What `materialize` raises is the user's exception, with the user's frames and a note that names the step."""

    def deeper():
        raise LookupError("no such row")

    @asset
    def it():
        deeper()

    with pytest.raises(LookupError) as caught:
        materialize([it])
    files = [
        entry.path.parts for entry in caught.traceback if "opgraph" in entry.path.parts and "src" in entry.path.parts
    ]
    inner = [entry.name for entry in caught.traceback][-2:]
    assert inner == ["it", "deeper"]
    assert len(files) <= 3  # of `materialize` itself, which Python adds on the way out
    assert caught.value.__notes__[0].startswith("in step `it` of run ")


PROGRAMS = {
    "a step": "from opgraph import asset, materialize\n@asset\ndef it():\n    return 1 / 0\nmaterialize([it])\n",
    "an exit": "from opgraph import asset, materialize\n@asset\ndef it():\n    exit(3)\nmaterialize([it])\n",
    "a body": "from opgraph import op, graph_asset\n@op\ndef one(): ...\n@graph_asset\ndef it(): return one() + 1\n",
    "a whole": "from opgraph import asset, materialize\n@asset\ndef it(that): ...\nmaterialize([it])\n",
    "a store": "from opgraph import asset, materialize\n@asset\ndef it():\n    return lambda: 1\n"
    "from opgraph import Instance\nmaterialize([it], instance=Instance.local_temp())\n",
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_ends_without_a_line_of_opgraph(what, tmp_path):
    """What Python prints of an uncaught error has the user's lines, and none of opgraph's."""
    (tmp_path / "program.py").write_text(PROGRAMS[what])
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "program.py" in done.stderr
    assert str(Path(package.__file__).parent) not in done.stderr


def test_wrong_fields_are_told_once(tmp_path):
    """A program that ends by a `Config` of wrong fields says so in our words alone, with the user's line."""
    (tmp_path / "program.py").write_text(
        "from opgraph import Config\n\n\nclass Limit(Config):\n    most: int\n\n\nLimit(mist=3)\n"
    )
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "did you mean `most`?" in done.stderr
    assert "program.py:8" in done.stderr
    assert done.stderr.count("Traceback") == 1
    assert "pydantic" not in done.stderr


def test_a_mistake_of_opgraph_keeps_its_traceback(tmp_path):
    """What opgraph did not mean to raise is shown whole: it is to be reported."""
    (tmp_path / "program.py").write_text("import opgraph\nopgraph.Output(1).with_metadata(5)\n")
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "TypeError" in done.stderr
    assert str(Path(package.__file__).parent) in done.stderr


# -- the command line -----------------------------------------------------------------

OPTIONAL = """\
from opgraph import AssetOut, Definitions, Out, Output, graph_multi_asset, op


@op(out={"low": Out(), "high": Out()})
def split():
    return 1, 2


@graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()}, can_subset=True)
def bounds():
    low, high = split()
    return {"low": low, "high": high}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.opgraph]\nfile = "definitions.py"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPGRAPH_HOME", raising=False)

    def typed(*words, code=0):
        sys.modules.pop("definitions", None)
        result = CliRunner().invoke(cli, list(words))
        assert result.exit_code == code, result.output
        return result.output

    yield typed
    sys.modules.pop("definitions", None)


def test_what_was_discarded_is_said(tmp_path, run):
    """A run that discards an asset says so; a resumed run keeps the policy, or takes another."""
    (tmp_path / "definitions.py").write_text(OPTIONAL)
    said = run("materialize", "-s", "low", "--on-unselected", "discard")
    assert "high came and was discarded, as nobody asked for it" in said
    run_id = said.split("run ")[1].split()[0]
    assert "was discarded" in run("resume", run_id, "--from", "bounds.split")
    assert "was also materialized" in run("resume", run_id, "--from", "bounds.split", "--on-unselected", "materialize")


def test_only_ops_without_an_asset(tmp_path, run):
    """A resumed run of ops that make no asset says what it did."""
    (tmp_path / "definitions.py").write_text(
        "from opgraph import graph_asset, op\n\n@op\ndef one(): return 1\n\n@op\ndef inc(x): return x + 1\n\n"
        "@graph_asset\ndef made(): return inc(one())\n"
    )
    run_id = run("materialize").split("run ")[1].split()[0]
    said = run("resume", run_id, "--only", "made.one")
    assert "1 op done, no asset materialized" in said
    assert "0 assets" not in said


def test_a_selection_is_read_before_anything_is_loaded(tmp_path, run):
    """A selection that cannot be read is said also where the definitions are broken."""
    (tmp_path / "definitions.py").write_text("import nothing_of_this_name\n")
    assert "the selection cannot be read" in run("materialize", "-s", "a and (", code=2)


def test_a_run_that_was_taken_up_counts_what_was_left(tmp_path, run):
    """A run whose process died and that goes on under its id says what had run before and what ran now."""
    (tmp_path / "definitions.py").write_text(
        "import os\nfrom opgraph import graph_asset, op\n\n@op\ndef one(): return 1\n\n"
        "@op\ndef inc(x):\n    if not os.path.exists('again'):\n"
        "        open('again', 'w').close()\n        os._exit(9)\n"
        "    return x + 1\n\n@graph_asset\ndef made(): return inc(inc(one()))\n"
    )
    command = [sys.executable, "-m", "opgraph.show.cli.main", "materialize"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 9
    said = run("resume")
    assert "3 ops for 1 asset  ● 2 to run  ↺ 1 had run before" in said
    assert "taken up where its process died" in said
    assert "1 had run before · 2 ran" in said
    assert "taken up once" in run("runs")


def test_mapped_ops_have_a_line_and_count_as_one_op_when_taken_up(tmp_path, run):
    """When a fan-out is taken up, its ops to run are those of the plan; each mapped op has its line and full name."""
    (tmp_path / "definitions.py").write_text(
        "import os\nfrom opgraph import DynamicOut, DynamicOutput, graph_asset, op\n\n@op(out=DynamicOut())\n"
        "def part():\n    for i in range(6):\n        yield DynamicOutput(i, str(i))\n\n"
        "@op(out=DynamicOut())\ndef twice(x):\n    for i in range(2):\n        yield DynamicOutput(x, str(i))\n\n"
        "@op\ndef once(x):\n    if x == 4 and not os.path.exists('again'):\n"
        "        open('again', 'w').close()\n        os._exit(9)\n    return x\n\n@op\ndef total(xs): return sum(xs)\n"
        "@graph_asset\ndef made(): return total(part().map(lambda x: total(twice(x).map(once).collect())).collect())\n"
    )
    command = [sys.executable, "-m", "opgraph.show.cli.main", "materialize"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 9
    said = run("resume")
    assert "5 ops for 1 asset  ● 5 to run  ↺ " in said
    lines = said.splitlines()
    for name in ("part", "twice", "once", "total", "total_2"):
        assert sum(line.startswith(f"done     made.{name} ") for line in lines) == 1, said
    assert "once[…]" in run("show", run("runs").split()[1])


def test_a_lost_upstream_value_names_its_asset(tmp_path):
    """Where nothing in the plan makes a value again, the error says which asset to materialize."""

    @asset
    def upstream():
        return 1

    @asset
    def downstream(upstream):
        return upstream

    with Instance(tmp_path) as instance:
        materialize([upstream], instance=instance)
        for file in (tmp_path / "values").rglob("upstream*"):
            file.write_bytes(b"damaged") if file.is_file() else None
        defs = Definitions(assets=[upstream, downstream])
        outcome = execute.materialize(defs, "downstream", instance=instance)
        assert "opgraph materialize --select upstream" in outcome.error.message
        assert "by itself" not in outcome.error.message
