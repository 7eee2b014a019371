"""What each command prints and how it exits."""

import json
import random
import re
import shlex
import shutil
from pathlib import Path

import pytest

from opgraph import AssetMaterialization, Instance
from opgraph.plan.model import WHY
from opgraph.show.cli import plan as plan_page


def data(result):
    return json.loads(result.stdout)


def run_id(opgraph):
    return data(opgraph("runs", "--json"))[0]["run_id"]


def edit(project, old, new):
    """Other text in the project's definitions."""
    text = (project / "definitions.py").read_text()
    assert old in text
    (project / "definitions.py").write_text(text.replace(old, new))


# -- list ---------------------------------------------------------------------


def test_list_has_assets_by_group_and_jobs(project, opgraph):
    """Each asset stands under its group with what makes it; nothing is created by looking."""
    text = opgraph("list").stdout
    assert text.index("raw") < text.index("lake/orders") < text.index("reports") < text.index("revenue")
    assert "3 ops" in text
    assert "1 op of bounds" in text
    assert "nightly" in text
    assert not (project / ".opgraph").exists()


def test_list_of_a_selection(project, opgraph):
    """`--select` shows what a selection means, external conditions such as `+missing` included."""
    assert [each["asset"] for each in data(opgraph("list", "-s", "*revenue", "--json"))["assets"]] == [
        "lake/orders",
        "revenue",
    ]
    assert "nothing is selected" in opgraph("list", "-s", "kind:none").stdout


def test_list_as_json(project, opgraph):
    """The shape that is documented: assets with their declaration and latest materialization, and jobs."""
    opgraph("materialize", "-s", 'key:"lake/orders"')
    listed = data(opgraph("list", "--json"))
    orders = listed["assets"][0]
    assert (orders["asset"], orders["kind"], orders["group"], orders["downstream"]) == (
        "lake/orders",
        "asset",
        "raw",
        ["revenue"],
    )
    assert orders["source"].startswith(str(project / "definitions.py"))
    assert orders["latest"]["run_id"] == run_id(opgraph)
    assert listed["jobs"][0]["name"] == "nightly"


# -- plan ---------------------------------------------------------------------


def test_plan_shows_what_would_run_and_why(project, opgraph):
    """The tree has every op with its reason; nothing runs."""
    text = opgraph("plan", "-s", "revenue").stdout
    assert "3 ops for 1 asset" in text
    assert "● parse" in text.replace("  ", "")
    assert "needed for revenue" in text
    assert data(opgraph("runs", "--json")) == []


DEEP = """
from opgraph import AssetIn, asset
@asset(key_prefix="lake")
def a(): return 1
@asset(ins={"a": AssetIn(key_prefix="lake")})
def b(a): return a
@asset(key_prefix="top")
def c(b): return b
@asset
def aside(): return 0
"""


def test_the_remedy_for_what_is_missing_works(project, opgraph):
    """An asset that is to be loaded though it was never made is named by `plan`, and by `materialize` before it starts,
    with a selection that works as it is typed, however deep what is missing goes."""
    (project / "definitions.py").write_text(DEEP)
    text = opgraph("plan", "-s", 'key:"top/c" or aside').stdout
    assert "b is to be loaded, but no materialization of it is recorded" in text
    remedy = shlex.split(next(line for line in text.splitlines() if "--select" in line).split("too: ")[1])
    assert remedy == ["--select", '+key:"top/c" or aside']
    failed = opgraph("materialize", "-s", 'key:"top/c" or aside', code=1).stdout
    assert failed.index("b is to be loaded") < failed.index("FAILED")
    assert "To make that too:" in failed
    assert "opgraph resume" not in failed
    opgraph("materialize", *remedy)
    assert "is to be loaded" not in opgraph("plan", "-s", 'key:"top/c"').stdout


def test_what_to_type_after_a_missing_upstream_works(project, opgraph):
    """A run that failed because what it is made from was never made says what to type, and that works."""
    (project / "definitions.py").write_text(DEEP)
    text = opgraph("materialize", "-s", 'key:"top/c"', code=1).stdout
    words = shlex.split(next(line for line in text.splitlines() if line.startswith("  opgraph materialize")))
    assert words == ["opgraph", "materialize", "--select", '+key:"top/c"']
    opgraph(*words[1:])


def test_where_nothing_had_finished_nothing_is_said_to_be_kept(project, opgraph):
    """A run whose first op fails says that nothing had finished; a later failure, what is kept."""
    opgraph("materialize", "-s", "*revenue", code=1, FAIL="1")
    assert "What had finished is kept" in opgraph("show", run_id(opgraph)[:8]).stdout
    (project / "definitions.py").write_text("from opgraph import asset\n@asset\ndef a(): return 1 / 0\n")
    text = opgraph("materialize", code=1).stdout
    assert "Nothing had finished. To run it again (1 op to run):" in text
    assert "kept" not in text


def test_every_reason_has_words_for_several_ops():
    """A graph in one row has words for whatever reason a plan may give."""
    assert plan_page._OF_SEVERAL.keys() == WHY.keys()


def test_a_big_graph_in_one_row_says_why(project, opgraph):
    """The ops of a collapsed graph are counted by reason, in words that read on."""
    (project / "definitions.py").write_text(
        "from opgraph import graph_asset, op\n"
        "@op\ndef start(): return 1\n@op\ndef more(x): return x\n"
        "@graph_asset\ndef big():\n    x = start()\n    for _ in range(70):\n        x = more(x)\n    return x\n"
    )
    text = opgraph("plan").stdout
    assert "71 ops: 70 needed for what was asked for, 1 making what was asked for" in text


def test_plan_names_what_comes_besides(project, opgraph):
    """An asset that comes unasked is named with op, output and remedy; the policy `error` refuses the plan."""
    text = opgraph("plan", "-s", "low").stdout
    assert "high will also be materialized, though nobody asked for it" in text
    assert "op bounds.split yields it as output `high`" in text
    assert "to avoid it: " in text
    assert "come and be discarded" in opgraph("plan", "-s", "low", "--on-unselected", "discard").stdout
    assert "would also materialize `high`" in opgraph("plan", "-s", "low", "--on-unselected", "error", code=2).stderr


def test_the_projects_policy_holds(project, opgraph):
    """`on_unselected` of pyproject.toml is the default of `--on-unselected`."""
    (project / "pyproject.toml").write_text('[tool.opgraph]\nfile = "definitions.py"\non_unselected = "error"\n')
    opgraph("plan", "-s", "low", code=2)
    opgraph("plan", "-s", "low", "--on-unselected", "materialize")


def test_plan_as_json_is_what_then_runs(project, opgraph):
    """The JSON of the plan has the steps that the run then has."""
    planned = [step["key"] for step in data(opgraph("plan", "--json"))["steps"]]
    opgraph("materialize")
    steps = []
    todo = data(opgraph("show", run_id(opgraph), "--json"))["tree"]
    while todo:
        node = todo.pop()
        steps += [node["step"]["key"]] if node["step"] else []
        todo += node["children"]
    assert sorted(steps) == sorted(planned)


def test_plan_as_json_is_as_documented(project, opgraph):
    """The fields of the plan's JSON, and those of its steps, are those that the page lists."""
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| `plan` | `{"))
    head, _, rest = row.partition("STEP: ")
    step, _, besides = rest.partition("what comes besides: ")
    plan = data(opgraph("plan", "-s", "low", "--json"))
    assert set(re.findall(r'"(\w+)"', head)) == set(plan) | {"certain", "may"}
    assert set(re.findall(r"[,:|] `(\w+)`", "| " + re.sub(r"\([^)]*\)", "", step))) == set(plan["steps"][0])
    assert set(re.findall(r"`(\w+)`", step.partition("`outputs` (each ")[2])) == set(plan["steps"][0]["outputs"][0])
    assert set(re.findall(r"`(\w+)`", besides)) == set(plan["besides"]["certain"][0])


def test_plan_of_a_job(project, opgraph):
    """`--job` plans what the job runs."""
    assert len(data(opgraph("plan", "--job", "nightly", "--json"))["steps"]) == 4


# -- materialize --------------------------------------------------------------


def test_materialize_prints_a_line_for_each_op(project, opgraph):
    """Where nobody looks at a terminal, each op is a line, then the sum; what ops print is not mixed in."""
    text = opgraph("materialize").stdout
    assert [line.split()[1] for line in text.splitlines() if line.startswith("done")] == [
        "lake__orders", "revenue.clean.parse", "revenue.clean.check", "revenue.total", "bounds.split",
    ]  # fmt: skip
    assert "✓ 4 assets materialized in" in text
    assert "printed by parse" not in text


def test_materialize_says_what_came_besides(project, opgraph):
    """An asset that came unasked is in the summary."""
    opgraph("materialize", "-s", "*revenue")
    assert "high was also materialized, though nobody asked for it" in opgraph("materialize", "-s", "low").stdout


MAYBE = """
import os
from opgraph import AssetOut, Out, Output, graph_multi_asset, op
@op(out={"low": Out(), "high": Out(is_required=False)})
def split():
    yield Output(1, "low")
    if os.environ.get("BOTH"):
        yield Output(2, "high")
@graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()}, can_subset=True)
def bounds():
    low, high = split()
    return {"low": low, "high": high}
"""


@pytest.mark.parametrize("came", [True, False])
def test_what_was_discarded_is_said_where_it_came(project, opgraph, came):
    """Under `discard` the terminal, the record and the step's log say whether an asset came and was discarded."""
    (project / "definitions.py").write_text(MAYBE)
    text = opgraph("materialize", "-s", "low", "--on-unselected", "discard", BOTH="1" if came else "").stdout
    shown = opgraph("show", run_id(opgraph)[:8], "--logs").stdout
    for each in (text, shown):
        assert ("high came and was discarded, as nobody asked for it" in each) == came
    assert ("output `high` came and was discarded" in shown) == came
    (besides,) = data(opgraph("show", run_id(opgraph), "--json"))["besides"]
    assert (besides["came"], besides["discarded"]) == (False, came)


def test_materialize_as_json_is_the_run(project, opgraph):
    """`--json` prints the run as `show --json` does, tags included, and nothing else."""
    run = data(opgraph("materialize", "--json", "-t", "team=data", "-t", "x="))
    assert run["run"]["status"] == "SUCCESS"
    assert run["run"]["tags"] == {"team": "data", "x": ""}
    assert run == data(opgraph("show", run["run"]["run_id"], "--json"))


def test_materialize_a_job(project, opgraph):
    """`--job` runs what the job selects, under its name."""
    opgraph("materialize", "--job", "nightly")
    assert data(opgraph("runs", "--json"))[0]["job"] == "nightly"
    assert "Did you mean `nightly`" in opgraph("materialize", "--job", "nightlly", code=2).stderr


def test_a_failing_op_shows_the_users_line_first(project, opgraph):
    """The exception and the line come first, then the op and its asset, then what to type; the exit code is 1."""
    text = opgraph("materialize", code=1, FAIL="1").stdout
    line = 1 + (project / "definitions.py").read_text().split("raise ValueError")[0].count("\n")
    at = [
        text.index(part)
        for part in (
            "✗ ValueError: a row is bad\n  in two lines",
            f"definitions.py:{line} in check",
            f'▶ {line} │         raise ValueError("a row is bad',
            "in op revenue.clean.check of asset revenue",
            "run failed after",
            f"opgraph resume {run_id(opgraph)}",
        )
    ]
    assert at == sorted(at)
    assert "opgraph/run" not in text


def test_nothing_missing_is_no_mistake(project, opgraph):
    """Dagster #16206: a selection of what is missing makes it, and then ends well with nothing to do; another empty one
    is refused."""
    opgraph("materialize", "-s", "+missing")
    for command in ("materialize", "plan"):
        assert opgraph(command, "-s", "+missing and group:raw").stdout == "nothing is missing\n"
        assert data(opgraph(command, "-s", "+missing", "--json")) is None
        opgraph(command, "-s", "kind:none", code=2)
    assert len(data(opgraph("runs", "--json"))) == 1


def test_a_long_message_is_cut_where_it_is_one_line_of_many(project, opgraph):
    """The FAILED line has the width of the terminal; the message stands in full below."""
    message = "the row is bad, " * 20 + "all of it"
    (project / "definitions.py").write_text(
        f"from opgraph import asset\n@asset\ndef a():\n    raise ValueError({message!r})\n"
    )
    text = opgraph("materialize", code=1, COLUMNS="70").stdout
    failed = next(line for line in text.splitlines() if line.startswith("FAILED"))
    assert (len(failed), failed[-1]) == (70, "…")
    assert f"✗ ValueError: {message}" in text


def test_the_exceptions_of_a_group_are_shown(project, opgraph):
    """Of an exception group, each exception inside is shown with its message and line, those of inner groups too."""
    (project / "definitions.py").write_text(
        "from opgraph import asset\n\ndef bad(n):\n    raise ValueError(f'row {n}')\n\n@asset\ndef a():\n"
        "    found = []\n    for n in (1, 2):\n        try:\n            bad(n)\n"
        "        except ValueError as e:\n            found.append(e)\n"
        "    raise ExceptionGroup('rows', [found[0], ExceptionGroup('more', found[1:])])\n"
    )
    text = opgraph("materialize", code=1).stdout
    for n in (1, 2):
        assert f"note: inside it ValueError: row {n}, {project / 'definitions.py'}:4 in bad" in text


# -- resume -------------------------------------------------------------------


def test_resume_runs_only_what_is_left(project, opgraph):
    """Without a run's id the latest failed one is gone on with; what it stored is reused."""
    opgraph("materialize", code=1, FAIL="1")
    failed = run_id(opgraph)
    text = opgraph("resume").stdout
    assert [line.split()[1] for line in text.splitlines() if line.startswith("reused")] == [
        "lake__orders",
        "revenue.clean.parse",
    ]
    assert [line.split()[1] for line in text.splitlines() if line.startswith("done")] == [
        "revenue.clean.check", "revenue.total", "bounds.split",
    ]  # fmt: skip
    assert data(opgraph("runs", "--json"))[0]["parent"] == failed
    assert "there is nothing to resume" in opgraph("resume", code=2).stderr


def test_the_hint_repeats_what_was_typed(project, opgraph):
    """With `-f`, the command to type has it too, and works as it stands."""
    (project / "other.py").write_text((project / "definitions.py").read_text())
    text = opgraph("materialize", "-f", "other.py", code=1, FAIL="1").stdout
    words = next(line for line in text.splitlines() if "opgraph resume" in line).split()
    assert words[-2:] == ["-f", "other.py"]
    opgraph(*words[1:])


def test_resume_from_a_step_and_only_some(project, opgraph):
    """`--from` runs an op and what follows, `--only` just these; the beginning of an id is enough."""
    run = data(opgraph("materialize", "--json"))["run"]["run_id"]
    plan = data(opgraph("resume", run[:6], "--from", "revenue.total", "--json"))
    assert plan["counts"] == {"succeeded": 2, "reused": 3}
    plan = data(opgraph("resume", run, "--only", "revenue.total", "--json"))
    assert plan["counts"]["succeeded"] == 1


def test_plan_of_a_resume(project, opgraph):
    """`plan --resume` shows what a resume would run and reuse, without doing it."""
    opgraph("materialize", code=1, FAIL="1")
    text = opgraph("plan", "--resume", run_id(opgraph)[:8]).stdout
    assert "3 to run" in text
    assert "2 to reuse" in text
    assert "it failed in the parent run" in text
    assert len(data(opgraph("runs", "--json"))) == 1


def test_a_resume_lists_what_changed(project, opgraph):
    """`resume` lists the ops that were edited since, and how to run them again; so does `plan --resume`."""
    opgraph("materialize", code=1, FAIL="1")
    failed, file = run_id(opgraph)[:8], project / "definitions.py"
    file.write_text(file.read_text().replace('    print("printed by parse")', '    print("edited")'))
    planned, resumed = opgraph("plan", "--resume", failed).stdout, opgraph("resume").stdout
    for text in (planned, resumed):
        assert f"ops edited since run {failed}: revenue.clean.parse" in text
        again = shlex.split(text.split("and what follows: ")[1].splitlines()[0])
        assert again == ["opgraph", "resume", failed, "--from", "revenue.clean.parse"]
    assert data(opgraph(*again[1:], "--json"))["counts"] == {"succeeded": 4, "reused": 1}


def test_resume_after_an_asset_was_renamed(project, opgraph):
    """An asset that the definitions no longer have is said to come from the run that is resumed, with a near name."""
    opgraph("materialize", code=1, FAIL="1")
    file = project / "definitions.py"
    file.write_text(file.read_text().replace("revenue", "revenues").replace("*revenues", "*revenues"))
    said = opgraph("resume", code=2).stderr
    assert f"run {run_id(opgraph)} was asked for asset `revenue`, which the definitions do not have any more" in said
    assert "Is it `revenues` now?" in said


# -- runs and show ------------------------------------------------------------


def test_runs(project, opgraph):
    """The newest first, with status and what it resumes; filters hold."""
    assert "no runs yet" in opgraph("runs").stdout
    opgraph("materialize", code=1, FAIL="1")
    failed = run_id(opgraph)
    opgraph("resume")
    lines = opgraph("runs").stdout.splitlines()
    assert ["success" in lines[0], f"resumes {failed[:8]}" in lines[0], "failure" in lines[1]] == [True] * 3
    assert [run["run_id"] for run in data(opgraph("runs", "--status", "failure", "--json"))] == [failed]
    assert len(data(opgraph("runs", "-n", "1", "--json"))) == 1


def test_show_a_run(project, opgraph):
    """The tree has the times of each op; a failed run shows the error and how to go on; `--logs` what was said (dagster
    #6051)."""
    opgraph("materialize", code=1, FAIL="1")
    run = run_id(opgraph)
    text = opgraph("show", run[:8]).stdout
    for part in ("failure", "compute", "ValueError: a row is bad", f"opgraph resume {run}", "needs clean.check"):
        assert part in text
    assert "printed by parse" not in text
    said = opgraph("show", run, "--logs").stdout
    assert said.index("parsing 3 rows") < said.index("printed by parse")
    assert data(opgraph("show", run, "--logs", "--json"))["logs"][0]["step"] == "revenue.clean.parse"


def test_show_needs_no_working_definitions(project, opgraph):
    """Past runs and assets can be looked at while the definitions are broken."""
    opgraph("materialize")
    (project / "definitions.py").write_text("def broken(:")
    opgraph("show", run_id(opgraph))
    text = opgraph("show", "revenue").stdout
    assert "the definitions cannot be loaded" in text
    assert "last materialized" in text


def test_show_an_asset(project, opgraph):
    """Its declaration, its latest materialization with what it read, and those before."""
    assert "never materialized" in opgraph("show", "revenue").stdout
    opgraph("materialize")
    opgraph("materialize")
    first, second = [run["run_id"] for run in reversed(data(opgraph("runs", "--json")))]
    text = opgraph("show", "revenue").stdout
    for part in (
        "graph, 3 ops",
        "What came in.",
        "made from",
        f"lake/orders of run {second[:8]}",
        "before that",
        first[:8],
    ):
        assert part in text
    shown = data(opgraph("show", "revenue", "--json"))
    assert [each["run_id"] for each in shown["history"]] == [second, first]
    assert shown["latest"]["reads"][0]["asset"] == "lake/orders"
    assert shown["declared"]["upstream"] == ["lake/orders"]


TABLE = """
from opgraph import Definitions, asset

@asset
def sales():
    return [{"city": "Oslo", "sold": 1000 * i} for i in range(12)]

@asset
def pixel():
    return bytes.fromhex("89504e470d0a1a0a0000000d494844520000000100000001080600000" "01f15c489"
        "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082")

defs = Definitions(assets=[sales, pixel])
"""


def test_show_what_a_value_looks_like(project, opgraph):
    """`show ASSET` has the head of a table without loading it; `--json` has all of the preview, pictures in base64."""
    (project / "definitions.py").write_text(TABLE)
    opgraph("materialize")
    for file in (project / ".opgraph" / "values").rglob("*"):
        if file.is_file():
            file.write_bytes(b"not a pickle")
    text = opgraph("show", "sales").stdout
    assert "list of 12 by 2" in text
    assert re.search(r"  city +sold *\n  Oslo +0 *\n", text)
    assert "… and 2 rows more" in text
    stored = data(opgraph("show", "sales", "--json"))["latest"]["stored"]
    assert stored["type_name"] == "list"
    assert stored["preview"]["columns"] == ["city", "sold"]
    assert len(stored["preview"]["rows"]) == 10
    assert "a picture" in opgraph("show", "pixel").stdout
    assert data(opgraph("show", "pixel", "--json"))["latest"]["stored"]["preview"]["image"].startswith("iVBORw0KGgo")


def test_show_a_value_where_only_state_is(project, opgraph, tmp_path_factory, monkeypatch):
    """In a folder that has only `.opgraph`, `show ASSET --value` works as `show ASSET` does."""
    opgraph("materialize")
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.move(project / ".opgraph", folder / ".opgraph")
    monkeypatch.chdir(folder)
    for asset, value in (("revenue", "6"), ("lake/orders", "[3, 1, 2]")):
        assert "last materialized" in opgraph("show", asset).stdout
        assert opgraph("show", asset, "--value").stdout == f"{value}\n"
    assert "Did you mean `revenue`" in opgraph("show", "revenu", "--value", code=2).stderr


def test_looking_makes_nothing(project, opgraph):
    """`list`, `plan`, `runs` and `show` need no folder that they could write to."""
    for words in (("list",), ("plan",), ("runs",), ("show", "--limit", "3", "revenue")):
        opgraph(*words, OPGRAPH_HOME="/proc/nowhere/state")
        opgraph(*words)
    assert not (project / ".opgraph").exists()


def test_show_a_value(project, opgraph):
    """`--value` prints what an asset holds, that of an earlier run with `--run`."""
    opgraph("materialize")
    assert opgraph("show", "revenue", "--value").stdout == "6\n"
    assert opgraph("show", "lake/orders", "--value", "--run", run_id(opgraph)[:8]).stdout == "[3, 1, 2]\n"
    assert data(opgraph("show", "revenue", "--value", "--json"))["text"] == "6"


@pytest.mark.parametrize("words", [["show", "revenu"], ["show", "revenu", "--value"], ["lineage", "revenu"]])
def test_a_near_miss_is_named(project, opgraph, words):
    """A wrong name gets the right one as an answer."""
    assert "`revenue`" in opgraph(*words, code=2).stderr


def test_a_value_that_was_never_made(project, opgraph):
    """Asking for it is one clear message."""
    assert "revenue" in opgraph("show", "revenue", "--value", code=2).stderr


# -- lineage ------------------------------------------------------------------


def test_lineage_has_both_ways_and_the_ops(project, opgraph):
    """What it is made from, what is made from it, and the ops inside graph-backed assets."""
    text = opgraph("lineage", "revenue").stdout
    assert text.index("clean.parse") < text.index("made from") < text.index("└─ lake/orders") < text.index("used by")
    assert "├─ high" in text
    assert "└─ low" in text
    assert "split" not in opgraph("lineage", "revenue", "--no-ops").stdout
    assert "used by" not in opgraph("lineage", "revenue", "--upstream").stdout


def test_lineage_as_json(project, opgraph):
    """Each way is a list of rows with their depth, nearest first."""
    found = data(opgraph("lineage", "low", "--json"))
    assert [(row["asset"], row["depth"]) for row in found["upstream"]] == [("revenue", 0), ("lake/orders", 1)]
    assert found["upstream"][0]["ops"][0] == {"path": "clean.parse", "op": "parse", "takes": ["asset:lake/orders"]}
    assert [row["asset"] for row in data(opgraph("lineage", "low", "--depth", "1", "--json"))["upstream"]] == [
        "revenue"
    ]


# -- mistakes -----------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["materialise"],
        ["materialize", "-s", "revenu"],
        ["materialize", "-s", "(("],
        ["materialize", "-s", ""],
        ["materialize", "-s", "kind:none"],
        ["materialize", "--job", "nightly", "-s", "revenue"],
        ["materialize", "-t", "novalue"],
        ["materialize", "--on-unselected", "perhaps"],
        ["materialize", "-f", "gone.py"],
        ["materialize", "-f", "definitions.py", "-m", "definitions"],
        ["materialize", "-m", "gone"],
        ["materialize", "--reuse", "--no-reuse"],
        ["plan", "--no-reuse", "--reuse-only"],
        ["plan", "-a", "gone"],
        ["plan", "--resume", "zzz"],
        ["plan", "--resume", "zzz", "-s", "revenue"],
        ["plan", "--from", "revenue.total"],
        ["plan", "--resume", "x", "--from", "a", "--only", "b"],
        ["resume", "zzz"],
        ["resume"],
        ["resume", "x", "--from", "a", "--only", "b"],
        ["show", "zzz"],
        ["show", ""],
        ["show", "revenue", "--value", "--run", "zzz"],
        ["lineage", "a//b"],
        ["runs", "-n", "0"],
        ["runs", "--status", "fine"],
        ["--nothing"],
    ],
)
def test_wrong_usage_is_a_message_and_code_2(project, opgraph, words):
    """Whatever is typed wrongly: one message, no traceback, exit code 2."""
    assert opgraph(*words, code=2).stderr.strip()


def test_mistakes_in_the_definitions_are_listed_with_their_lines(project, opgraph):
    """All mistakes at once, each with file, line and fix; nothing runs."""
    (project / "definitions.py").write_text(
        "from opgraph import Definitions, asset\n\n@asset\ndef one(twoo): ...\n\n@asset\ndef two(onne): ...\n\n"
        "defs = Definitions([one, two])\n"
    )
    text = opgraph("materialize", code=2).stderr
    assert "2 mistakes in the definitions; nothing was run" in text
    assert text.count(f"at {project / 'definitions.py'}:") == 2
    assert text.count("fix: ") == 2


def test_no_project(tmp_path, monkeypatch, opgraph):
    """Outside any project the message says how to name one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPGRAPH_HOME", raising=False)
    assert "opgraph init" in opgraph("list", code=2).stderr


def test_an_error_inside_opgraph_keeps_its_traceback_in_a_file(monkeypatch):
    """An unexpected error says that it is ours, and where its details are."""
    from click.testing import CliRunner

    from opgraph.show.cli import commands

    def broken(self, ctx, name):
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(commands.Commands, "get_command", broken)
    result = CliRunner().invoke(commands.cli, ["list"])
    assert result.exit_code == 70
    assert "an error inside opgraph" in result.stderr
    path = Path(result.stderr.split("the details are in ")[1].split("; please")[0])
    assert "ZeroDivisionError: inside" in path.read_text()


def test_help_says_the_exit_codes(opgraph):
    """`opgraph --help` lists the commands and the exit codes; each command has help of its own."""
    text = opgraph("--help").stdout
    assert "130  cancelled" in text
    for name in ("list", "plan", "materialize", "runs", "show", "resume", "lineage", "init"):
        assert name in text
        assert "Usage" in opgraph(name, "--help").stdout


WORDS = re.findall(
    r"\S+",
    """
    list plan runs show resume lineage init -f -m -a -s --json --job -n --status --value --run --logs --from --only
    --depth --resume --on-unselected definitions.py definitions a/b ' ( ) and or not * + ++x revenue revenue+2 key:"
    key:"raw/*" group: tag:= 0 -1 99999999999999999999 nightly x=y = ../.. / /dev/null . .. a.b.c os json %s {} A
    roots( sinks(*) kind: +missing é
    """,
)


def test_malformed_words_never_show_a_traceback(project, opgraph):
    """Whatever is typed, in whatever order: a message or an answer, within the documented codes."""
    from click.testing import CliRunner

    from opgraph.show.cli.commands import cli

    chance = random.Random(2)
    words = [*WORDS, "", "\0", "\n", "\x1b[31m", "\ud800", "A" * 5000]
    for _ in range(150):
        typed = [chance.choice(WORDS[:6]), *(chance.choice(words) for _ in range(chance.randint(0, 4)))]
        typed[0] = "plan" if typed[0] == "resume" else typed[0]
        result = CliRunner().invoke(cli, typed)
        assert result.exit_code in (0, 2), (typed, result.output)
        assert "Traceback" not in result.output


# -- memoization ----------------------------------------------------------------


def test_contradictions_about_reuse_are_refused(project, opgraph):
    """Two of the options that say what is reused are one error that names both, and nothing runs."""
    said = opgraph("materialize", "--reuse", "--reuse-only", code=2).stderr
    assert "`--reuse` and `--reuse-only` contradict one another" in said
    assert not (project / ".opgraph").exists()


def test_an_edit_that_is_taken_back_is_told(project, opgraph):
    """When an older value is the asset's again, the end of the run says which and whose, and so does `show`; what was
    reused without that is only counted."""
    text = opgraph("materialize", "--reuse").stdout
    first = run_id(opgraph)
    edit(project, "return sum(rows)", "return sum(rows) + 100")
    text = opgraph("materialize", "--reuse").stdout
    assert "3 assets materialized, 1 reused" in text
    assert "is again" not in text
    second = run_id(opgraph)
    edit(project, "return sum(rows) + 100", "return sum(rows)")
    text = opgraph("materialize", "--reuse").stdout
    assert "nothing to run, 4 assets reused" in text
    again, _, what = next(line for line in text.splitlines() if "again" in line).partition(" are ")
    assert set(re.findall(r"\w+", again)) == {"revenue", "low", "high"}
    assert what == f"again what run {first[:8]} stored, instead of what run {second[:8]} did"
    assert "are again what run" in opgraph("show", run_id(opgraph)).stdout
    assert opgraph("show", "revenue", "--value").stdout == "6\n"
    assert data(opgraph("show", "revenue", "--json"))["latest"]["run_id"] == first
    assert "again" not in opgraph("materialize", "--reuse").stdout
    opgraph("materialize", "-s", "low", "--no-reuse")  # what is downstream takes the older value
    assert opgraph("show", "low", "--value").stdout == "5\n"


def test_what_would_run_is_listed(project, opgraph):
    """`--reuse-only` names each op that would run, one a line, with the reason."""
    lines = opgraph("materialize", "--reuse-only", "-s", "revenue", "-s", "lake/orders", code=2).stderr.splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:5]] == [
        "lake__orders",
        "revenue.clean.parse",
        "revenue.clean.check",
        "revenue.total",
    ]


MEMOIZED = """\
from opgraph import Config, ConfigurableResource, Definitions, asset, graph_asset, op


class Cut(Config):
    limit: int = 3


class Database(ConfigurableResource):
    host: str = "a"


@asset
def orders():
    return [1, 2, 3]


@op
def load(orders):
    return orders


@op
def cut(config: Cut, rows):
    return rows[: config.limit]


@op
def rate(database: Database, rows):
    return [2 * row for row in rows]


@op(memoize=False)
def clock(rows):
    return len(rows)


@op
def total(rows, seconds):
    return sum(rows) + seconds


@graph_asset(memoize=True)
def sales(orders):
    rows = rate(cut(load(orders)))
    return total(rows, clock(rows))


defs = Definitions(assets=[orders, sales], resources={"database": Database()})
"""


def test_plan_says_for_each_op_why(project, opgraph):
    """Of a memoized graph the plan says what becomes of each op, and why: never run, unchanged, what changed, opted
    out, cleaned up."""
    (project / "definitions.py").write_text(MEMOIZED)

    def said(*words):
        lines = opgraph("plan", *words).stdout.splitlines()
        return {name: (mark, why) for mark, name, why in (line.split(maxsplit=2) for line in lines if line[:2] == "  ")}

    def one(op, *words):
        return said("-s", "sales", *words)[op]

    never = ("●", "never run, as far as is remembered")
    depends = ("?", "its stored outputs are reused if its inputs turn out the same")
    out = ("●", "it is never reused: memoization is off for it")
    assert said() == {"load": never, "cut": never, "rate": never, "clock": out, "total": never}
    opgraph("materialize")
    first = run_id(opgraph)
    same = ("↺", f"unchanged, stored by run {first[:8]}")
    assert said("-s", "sales") == {"load": same, "cut": same, "rate": same, "clock": out, "total": depends}
    edit(project, "2 * row", "3 * row")
    assert one("rate") == ("●", "code changed since its outputs were stored")
    edit(project, "3 * row", "2 * row")
    assert one("cut", "-c", "sales.cut.limit=2") == ("●", "configuration changed since its outputs were stored")
    edit(project, "Database()", "Database(host='b')")
    assert one("rate") == ("●", "resource database changed since its outputs were stored")
    edit(project, "Database(host='b')", "Database()")
    assert one("rate", "--no-reuse") == ("●", "nothing is to be reused")
    told = opgraph("plan", "-s", "sales", "--reuse-only", code=2).stderr
    assert [line.strip() for line in told.splitlines()[1:3]] == [
        "sales.clock: it is never reused: memoization is off for it",
        "what comes after them may run, if they make other values: sales.total",
    ]
    edit(project, "[1, 2, 3]", "[1, 2, 4]")
    opgraph("materialize", "-s", "orders")
    assert one("load") == ("●", "input orders changed since its outputs were stored")
    (project / "pyproject.toml").write_text(
        '[tool.opgraph]\nfile = "definitions.py"\nretention = {intermediates = 0, memo = 0}\n'
    )
    opgraph("clean")
    again = said("--resume", first, "--from", "sales.total")
    assert again["total"] == ("●", "it was asked for")
    assert again["rate"] == ("●", "its stored outputs were cleaned up: output `result`, needed by sales.total")
    assert said("--resume", first, "--only", "sales.rate")["total"] == ("-", "it was not asked for")
    assert one("rate") == never


FANNED = """\
import os
from opgraph import DynamicOut, DynamicOutput, graph_asset, op


@op(out=DynamicOut())
def numbers():
    for n in range(4):
        yield DynamicOutput(n, mapping_key=f"n{n}")


@op
def check(n):
    if n == 2 and os.environ.get("FAIL"):
        raise ValueError(n)
    return n


@op
def total(numbers):
    return sum(numbers)


@graph_asset(memoize=True)
def fanned():
    return total(numbers().map(check).collect())
"""


def test_what_took_a_fan_out_without_what_failed_counts_as_to_run(project, opgraph):
    """After a failure beside `collect(allow_failed=True)` what came after it runs again, and the hint counts it."""
    text = FANNED.replace("def total(numbers)", "def twice(x):\n    return x * 2\n\n\n@op\ndef total(numbers)")
    text = text.replace(
        "total(numbers().map(check).collect())",
        """twice(
        twice(total(numbers().map(check).collect(allow_failed=True))))""",
    )
    (project / "definitions.py").write_text(text)
    told = opgraph("materialize", code=1, FAIL="1").stdout
    assert "(4 ops to run, 4 to reuse)" in told
    assert "(4 ops to run, 4 to reuse)" in opgraph("show", run_id(opgraph)).stdout
    assert "4 ran" in opgraph("resume").stdout.splitlines()[-1]


def test_the_line_of_a_mapped_op_counts_its_steps(project, opgraph):
    """One line says how many steps a mapped op had, and what became of them where that differs."""
    (project / "definitions.py").write_text(FANNED)

    def said(*words, code=0, **environment):
        lines = opgraph(*words, code=code, **environment).stdout.splitlines()
        return " ".join(
            next(line for line in lines if "fanned.check" in line and "4 steps" in line).split("4 steps")[1:]
        )

    assert said("materialize", code=1, FAIL="1") == ": 3 ran, 1 failed  ValueError: 2"
    first = run_id(opgraph)
    assert said("resume") == ": 1 ran, 3 reused"
    alone = opgraph("resume", first, "--only", "fanned.check[n1]").stdout
    assert any("fanned.check" in line and line.endswith("1 step") for line in alone.splitlines())
    assert said("materialize") == f"  from run {first[:8]}"


def test_a_long_text_is_shown_from_its_beginning(project, opgraph):
    """Of a long value `show` has the beginning of one line, and claims no number of characters that it cannot know."""
    (project / "definitions.py").write_text("from opgraph import asset\n\n@asset\ndef long(): return 'ab' * 25_000\n")
    opgraph("materialize")
    assert opgraph("show", "long").stdout.endswith("it looks like\n  " + "ab" * 150 + "…\n")


# -- disk -----------------------------------------------------------------------


def test_disk_of_small_values(project, opgraph):
    """The small values between ops, which are in the record, count: for the asset, for the run, and in what a clean-up
    says it would remove."""
    (project / "pyproject.toml").write_text(
        '[tool.opgraph]\nfile = "definitions.py"\nretention = {intermediates = 0}\n'
    )
    opgraph("materialize")
    shown = data(opgraph("show", "revenue", "--json"))["disk"]
    assert shown["between"] > 0
    assert f"{shown['between']} B between its ops" in opgraph("show", "revenue").stdout
    would = data(opgraph("clean", "--dry-run", "--json"))
    assert [(each["kind"], each["count"]) for each in would["removals"]] == [("intermediates", 2)]
    assert would["bytes"] >= shown["between"]  # with what the values look like
    before = data(opgraph("show", run_id(opgraph), "--json"))["disk"]["record"]
    assert data(opgraph("clean", "--json"))["bytes"] == would["bytes"]
    assert before - data(opgraph("show", run_id(opgraph), "--json"))["disk"]["record"] == would["bytes"]
    assert "between its ops" not in opgraph("show", "revenue").stdout


WIDE = """\
from opgraph import Definitions, asset

@asset
def wide():
    {}

defs = Definitions([wide])
"""


def test_a_version_that_was_cleaned_up_takes_up_nothing(project, opgraph):
    """Of a past version that is gone its asset says so, and not the size that it had."""
    (project / "pyproject.toml").write_text(
        '[tool.opgraph]\nfile = "definitions.py"\nretention = {intermediates = 0, versions = 0, memo = 0}\n'
    )
    (project / "definitions.py").write_text(WIDE.format("return 'v' * 70_000"))
    opgraph("materialize")
    opgraph("materialize")
    assert opgraph("show", "wide").stdout.rstrip().splitlines()[-1].endswith("70 kB")
    opgraph("clean")
    assert opgraph("show", "wide").stdout.rstrip().splitlines()[-1].endswith("cleaned up")
    assert [each["stored"]["kept"] for each in data(opgraph("show", "wide", "--json"))["history"]] == [True, False]


def test_a_long_line_is_shown_whole(project, opgraph):
    """What an op said is shown as it was kept, however long a line is."""
    (project / "definitions.py").write_text(WIDE.format("print('x' * 20_000)"))
    opgraph("materialize")
    assert "x" * 20_000 + "\n" in opgraph("show", run_id(opgraph), "--logs").stdout


FLAKY = """\
from opgraph import Definitions, DynamicOut, DynamicOutput, RetryPolicy, graph_asset, op
seen = {}

@op(out=DynamicOut())
def some():
    yield from (DynamicOutput(i, mapping_key=f"k{i}") for i in range(3))

@op(retry_policy=RetryPolicy(max_retries=3))
def flaky(x):
    seen[x] = seen.get(x, 0) + 1
    if seen[x] <= x:
        raise ValueError(f"flaky {x}")
    return x

@op
def total(xs):
    return sum(xs)

@graph_asset
def added():
    return total(some().map(flaky).collect())

defs = Definitions(assets=[added])
"""


@pytest.mark.parametrize("executor", ["in_process", "threads"])
def test_retries_of_a_fan_out_are_told(project, opgraph, executor):
    """Each retry of a mapped step is a line with its key; `show` counts the attempts, with `--all` of each step."""
    (project / "definitions.py").write_text(FLAKY)
    lines = opgraph("materialize", "--executor", executor).stdout.splitlines()
    assert (
        sorted(line.split()[1] for line in lines if line.startswith("retry"))
        == ["added.flaky[k1]"] + ["added.flaky[k2]"] * 2
    )
    assert any(line.endswith("3 steps, up to 3 attempts") for line in lines)
    run = run_id(opgraph)
    assert "3 steps, up to 3 attempts" in opgraph("show", run).stdout
    rows = [line.split() for line in opgraph("show", run, "--all").stdout.splitlines()]
    told = {row[1]: row[4:6] for row in rows if len(row) > 5 and row[1].startswith("[k")}
    assert (told["[k1]"], told["[k2]"], told.keys()) == (["attempt", "2"], ["attempt", "3"], {"[k0]", "[k1]", "[k2]"})


def test_what_was_reported(project, opgraph):
    """What is told of a version that no run made stands in the same columns, and says so."""
    opgraph("materialize", "-s", 'key:"lake/orders"')
    with Instance(project / ".opgraph") as instance:
        instance.report_runless_asset_event(AssetMaterialization("lake/orders", metadata={"rows": 3}))
    latest = opgraph("show", "lake/orders").stdout.partition("last materialized\n")[2].partition("\n\n")[0].splitlines()
    assert [line[2:11].strip() for line in latest] == ["when", "run", "value", "rows", "on disk"]
    assert latest[1] == "  run      none, it was reported"


def test_facts_that_are_tables(project, opgraph):
    """Rows and columns among an asset's facts stand in columns, the first dozen rows; JSON that looks nearly so is
    shown as it is."""
    (project / "definitions.py").write_text(
        "from opgraph import *\n"
        "@asset\n"
        "def delays():\n"
        "    rows = [TableRecord({'city': f'town{i}', 'delay': i}) for i in range(14)]\n"
        "    schema = TableSchema.from_name_type_dict({'city': 'string'})\n"
        "    facts = {'shape': schema, 'close': {'columns': ['a'], 'other': []}, 'pairs': {'k': [['x', 'y']]}}\n"
        "    facts |= {'from': TableColumnLineage({'city': [TableColumnDep('raw', 'c'), TableColumnDep('b', 'd')]})}\n"
        "    return MaterializeResult(metadata={**facts, 'head': MetadataValue.table(rows)})\n"
    )
    opgraph("materialize")
    text = opgraph("show", "delays").stdout
    assert "head\n  city    delay\n  string  int\n  town0   0\n" in text
    assert "  town11  11\n  … and 2 rows more\n" in text
    assert "shape\n  column  type\n  city    string\n" in text
    assert "from\n  column  made from\n  city    raw: c, b: d\n" in text
    assert "  close    {'columns': ['a'], 'other': []}\n" in text
    assert "  pairs    {'k': [['x', 'y']]}\n" in text
    assert "records" not in text
