"""Damaged definitions, command lines and configuration: whatever is wrong, it is a message, soon, and never a traceback
of opgraph's own. Every case is made from its number alone: `OPGRAPH_CASE=17 pytest …` makes one again."""

import contextlib
import io
import os
import random
import sys
import time
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner

import opgraph
from opgraph import (
    AssetDep,
    AssetIn,
    AssetOut,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    Config,
    Definitions,
    GraphOut,
    In,
    Out,
    asset,
    define_asset_job,
    graph,
    graph_asset,
    graph_multi_asset,
    job,
    materialize,
    multi_asset,
    op,
)
from opgraph.errors import Error
from opgraph.operate.project import load, locate
from opgraph.show.cli.commands import cli

SOAK = bool(os.environ.get("OPGRAPH_SOAK"))
CASES = 10_000 if SOAK else 2_000
SLOWEST = 2.0  # seconds
PARTS = 8

DEFINITIONS = """\
from typing import Literal

from opgraph import AssetIn, AssetOut, AssetSpec, Config, Definitions, Out, asset, define_asset_job
from opgraph import graph, graph_asset, graph_multi_asset, job, op


class Limits(Config):
    low: int = 1
    mode: Literal["fast", "exact"] = "fast"


@asset(group_name="raw", key_prefix="lake", owners=["team:data"], tags={"a": "b"}, kinds={"csv"})
def orders(config: Limits):
    return [3, 1, config.low]


@op
def parse(rows):
    return [row for row in rows]


@op(out={"low": Out(is_required=False), "high": Out(is_required=False)})
def split(rows):
    return min(rows), max(rows)


@graph
def clean(rows):
    return parse(parse(rows))


@graph_asset(ins={"rows": AssetIn(key="lake/orders")}, group_name="reports")
def revenue(rows):
    return clean(rows)


@graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()}, can_subset=True)
def bounds(revenue):
    low, high = split(revenue)
    return {"low": low, "high": high}


@job
def tidy():
    parse(split.alias("first")(parse([]))[0])


defs = Definitions(
    assets=[orders, revenue, bounds, AssetSpec("outside", deps=["low"])],
    jobs=[define_asset_job("nightly", "group:reports+"), tidy],
    resources={"io": 1},
)
"""
GOOD = DEFINITIONS.replace('parse(split.alias("first")(parse([]))[0])', 'parse.alias("first")(parse([]))')
SETTINGS = '[project]\nname = "x"\n\n[tool.opgraph]\nfile = "definitions.py"\non_unselected = "discard"\n'


@op
def one():
    return 1


@op
def plus(x):
    return x


@op(out={"a": Out(), "b": Out()})
def two():
    return 1, 2


@graph
def inner(given):
    return plus(given)


@asset
def base():
    return 1


class Odd:
    """An object whose every answer is an error."""

    def __repr__(self):
        raise RuntimeError("no repr")

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = object.__hash__


def junk(rng, depth=0):
    """Anything that a person may hand over by mistake."""
    plain = [
        None,
        True,
        False,
        0,
        -1,
        3.5,
        float("nan"),
        "",
        "a",
        "a b",
        "a/b",
        "//",
        "lambda",
        "ä",
        "*",
        "a+",
        "\x00",
        "x" * 300,
        b"bytes",
        (),
        [],
        {},
        set(),
        object(),
        Odd(),
        lambda: 1,
        int,
        Out,
        Out(),
        In(),
        AssetIn("a"),
        AssetOut(),
        GraphOut(),
        AssetSpec("z"),
        AssetDep("z"),
        one,
        plus,
        two,
        inner,
        base,
        Definitions(),
        AssetSelection.all(),
        range(3),
        10**30,
        iter([1]),
        ValueError("x"),
        opgraph,
        Config,
    ]
    if depth < 2 and rng.random() < 0.3:
        few = [junk(rng, depth + 1) for _ in range(rng.randrange(3))]
        return rng.choice([few, tuple(few), {rng.choice(["a", "b", "result", 1, None]): each for each in few}])
    return rng.choice(plain)


NAMES = {
    asset: "name ins deps description required_resource_keys resource_defs op_tags group_name code_version key "
    "key_prefix metadata tags owners kinds io_manager_def io_manager_key output_required "
    "dagster_type retry_policy pool config_schema",
    multi_asset: "name ins deps outs specs internal_asset_deps can_subset group_name op_tags resource_defs description",
    graph_asset: "name ins deps description group_name key key_prefix metadata tags owners kinds io_manager_key config "
    "resource_defs",
    graph_multi_asset: "name ins outs specs can_subset group_name internal_asset_deps deps config",
    op: "name ins out description required_resource_keys tags code_version",
    graph: "name ins out description tags config",
    job: "name description resource_defs config tags run_tags metadata input_values executor_def",
    AssetSpec: "deps description metadata skippable group_name code_version owners tags kinds",
    AssetOut: "key_prefix key description is_required io_manager_key metadata group_name code_version owners tags "
    "kinds",
    AssetIn: "key metadata key_prefix input_manager_key dagster_type",
    In: "description metadata input_manager_key asset_key dagster_type default_value",
    Out: "description metadata is_required io_manager_key code_version dagster_type",
    Definitions: "assets jobs resources metadata executor",
    define_asset_job: "selection description tags run_tags metadata config executor_def",
    AssetsDefinition.from_graph: "name ins deps outs keys_by_input_name keys_by_output_name key_prefix group_name "
    "can_subset "
    "internal_asset_deps metadata_by_output_name tags_by_output_name descriptions_by_output_name key owners",
    AssetsDefinition.from_op: "name keys_by_output_name keys_by_input_name group_name metadata outs",
    materialize: "resources selection tags unselected run_config",
}
DECORATORS = {asset, multi_asset, graph_asset, graph_multi_asset, op, graph, job}


def bodies(rng):
    """Functions to decorate, most of them with a mistake."""

    def looks(x):
        return plus(x) if x else one()

    def fans(x):
        return plus([x, junk(rng)])

    def passes(x):
        return plus(junk(rng))

    def wires(x):
        return rng.choice([one, plus, two, inner])(*[junk(rng) for _ in range(rng.randrange(3))])

    def asks(x):
        return getattr(two(), rng.choice(["a", "c", "foo"]))

    def returns(x):
        return junk(rng)

    def nothing(): ...

    def fine(x):
        return plus(x)

    def ctx(context, config, *rest, **named): ...

    return rng.choice([looks, fans, passes, wires, asks, returns, nothing, fine, ctx, one, 5, int, "name"])


def declared(rng, folder):
    """A declaration with junk among its arguments, and what is made of it."""
    target = rng.choice(list(NAMES))
    names = NAMES[target].split()
    given = {name: junk(rng) for name in rng.sample(names, min(len(names), rng.randrange(1, 4)))}
    if target in DECORATORS:
        made = target(**given)(bodies(rng))
    elif target in (AssetSpec, define_asset_job):
        made = target(rng.choice(["a", junk(rng)]), **given)
    elif target is AssetsDefinition.from_graph:
        made = target(inner, **given)
    elif target is AssetsDefinition.from_op:
        made = target(rng.choice([one, plus, two]), **given)
    elif target is materialize:
        made = materialize(rng.choice([[base], junk(rng)]), **given)
    else:
        made = target(**given)
    if isinstance(made, (AssetsDefinition, AssetSpec)):
        materialize([made, base], raise_on_error=False)


def changed(rng, text):
    """A text with a few things damaged."""
    for _ in range(rng.randrange(1, 4)):
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        match rng.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[rng.randrange(len(lines))])
            case 2:
                words = lines[at].replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split(" ")
                del words[rng.randrange(len(words))]
                lines[at] = " ".join(words)
            case 3:
                known = [
                    "orders",
                    "revenue",
                    "low",
                    "parse",
                    "split",
                    "rows",
                    "clean",
                    "bounds",
                    "Out",
                    "asset",
                    "op",
                    "key",
                    "fast",
                ]
                lines[at] = lines[at].replace(rng.choice(known), rng.choice([*known, "5", "None", '"x y"', "[]"]))
            case 4:
                spot = rng.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:spot] + rng.choice(list('()[]{}",=:+*\\\x00äx5 \t')) + lines[at][spot:]
            case 5:
                spot = rng.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:spot] + lines[at][spot + 1 :]
            case _:
                lines[at] = lines[at].replace("(", rng.choice(["[", "", "(("]), 1)
        text = "\n".join(lines) or " "
    return text


def loaded(rng, folder):
    """A definitions file with damage, loaded and run."""
    path = folder / f"damaged_{rng.randrange(10**12)}.py"
    path.write_text(changed(rng, GOOD), encoding="utf-8")
    try:
        defs = load(locate(str(path), environment={}))
        materialize(defs.assets, resources=defs.resources, raise_on_error=False)
    finally:
        sys.modules.pop(path.stem, None)
        path.unlink()


def selected(rng, folder):
    """A selection, or a run configuration, with damage."""
    text = changed(
        rng, rng.choice(["*revenue and not group:raw", 'key:"lake/*" or low+2', "roots(kind:csv) or +missing"])
    )
    config = rng.choice(
        [
            None,
            {"ops": {rng.choice(["lake__orders", "revenue", "x"]): {rng.choice(["config", "ops"]): junk(rng)}}},
            junk(rng),
        ]
    )
    defs = load(locate(str(folder / "definitions.py"), environment={}))
    if rng.random() < 0.5:
        materialize(defs.assets, selection=text, raise_on_error=False)
    else:
        materialize(defs.assets, run_config=config, raise_on_error=False)


WORDS = [
    "list",
    "plan",
    "materialize",
    "runs",
    "show",
    "resume",
    "lineage",
    "init",
    "materialise",
    "",
    "--help",
    "-f",
    "-m",
    "-a",
    "definitions.py",
    "definition.py",
    "definitions",
    "defs",
    "nothing.toml",
    "--select",
    "-s",
    "*",
    "revenue+",
    "low",
    "(",
    "a b",
    'key:"',
    "--job",
    "nightly",
    "nightli",
    "tidy",
    "--on-unselected",
    "discard",
    "ignore",
    "--json",
    "--all",
    "--resume",
    "-n",
    "0",
    "-1",
    "5",
    "--status",
    "FAILURE",
    "never",
    "-t",
    "a=b",
    "=",
    "--config",
    "lake__orders.low=3",
    "lake__orders.low=x",
    "=3",
    "@",
    "@nothing.toml",
    "@given.toml",
    "@given.json",
    "--from",
    "--only",
    "revenue.clean.parse",
    "x" * 500,
    "\x00",
    "ä",
    "--",
    "-",
    "--x",
    ".",
    "/",
    "broken.py",
    "lake/orders",
    "--attribute=",
    "--depth",
    "--upstream",
]
SHAPES = [
    ["list"],
    ["list", "-s", "?"],
    ["plan", "-s", "?"],
    ["plan", "--resume", "?"],
    ["plan", "--job", "?"],
    ["materialize", "-s", "?"],
    ["materialize", "--config", "?"],
    ["materialize", "--job", "?", "--config", "?"],
    ["runs", "-n", "?"],
    ["runs", "--status", "?"],
    ["show", "?"],
    ["show", "?", "--json"],
    ["resume", "?"],
    ["resume", "--from", "?"],
    ["resume", "--only", "?"],
    ["lineage", "?"],
    ["materialize", "-t", "?"],
    ["materialize", "-f", "?"],
    ["list", "-m", "?"],
    ["list", "-a", "?"],
    ["init", "definitions.py"],
]


def typed(rng, folder):
    """A command line of words that mean something elsewhere."""
    if rng.random() < 0.3:
        words = [rng.choice(WORDS) for _ in range(rng.randrange(6))]
        words = ["list", *words] if "init" in words else words
    else:
        words = [rng.choice(WORDS) if word == "?" else word for word in rng.choice(SHAPES)]
    command_line(words)


def settled(rng, folder):
    """Files of settings and of configuration with damage."""
    (folder / "pyproject.toml").write_text(changed(rng, SETTINGS), encoding="utf-8")
    (folder / "given.toml").write_text(changed(rng, "[lake__orders]\nlow = 3\nmode = 'exact'\n"), encoding="utf-8")
    (folder / "given.json").write_text(
        changed(rng, '{"lake__orders": {"low": 3,\n "mode": "exact"}}'), encoding="utf-8"
    )
    try:
        command_line(
            rng.choice(
                [
                    ["list"],
                    ["plan"],
                    ["materialize", "--config", "@given.toml"],
                    ["plan", "--config", "@given.json"],
                    ["runs"],
                ]
            )
        )
    finally:
        (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")


def command_line(words):
    result = CliRunner().invoke(cli, words)
    said = result.output + (result.stderr if result.stderr_bytes else "")
    assert result.exit_code in (0, 1, 2), f"opgraph {words} ended with {result.exit_code}:\n{said}"
    assert "Traceback" not in said, said
    assert "inside opgraph" not in said, said


KINDS = [declared, declared, loaded, selected, typed, typed, settled]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (tmp_path / "definitions.py").write_text(GOOD)
    (tmp_path / "broken.py").write_text(DEFINITIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPGRAPH_HOME", raising=False)
    yield tmp_path
    for name in [name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


def wrong_with(error):
    """What is wrong with the message of an error; "" where it is well."""
    try:
        text = str(error)
    except Exception as broken:
        return f"its message: {type(broken).__name__}: {broken}"
    if error.where is not None and error.where.file.startswith(str(Path(opgraph.__file__).parent)):
        return f"it names a line of opgraph: {error.where}"
    return "" if text.strip() else "it says nothing"


def trouble(number, folder):
    """What is wrong with one case; "" where it is well."""
    rng = random.Random(number)
    kind = rng.choice(KINDS)
    began = time.perf_counter()
    found = ""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            kind(rng, folder)
    except Error as error:
        found = wrong_with(error)
    except Exception as error:
        found = f"{type(error).__name__}: {error}\n{''.join(traceback.format_exc()[-1500:])}"
    took = time.perf_counter() - began
    if took > SLOWEST:
        found += f" took {took:.1f} s"
    return f"case {number}, {kind.__name__}: {found}" if found else ""


@pytest.mark.parametrize("part", range(PARTS))
def test_damage_is_a_message(part, folder):
    """What is damaged ends well or in an error of opgraph, with a message, within 2 seconds."""
    only = os.environ.get("OPGRAPH_CASE")
    numbers = [int(only)] if only else range(part, CASES, PARTS)
    found = [text for text in (trouble(number, folder) for number in numbers) if text]
    assert not found, f"{len(found)} of {len(numbers)}:\n\n" + "\n".join(found[:12])
