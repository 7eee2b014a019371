# ruff: noqa: E501, F821 - messages are written out whole; an annotation names what is not imported
"""Mistakes that are found where something is declared: what the message says, word for word."""

import re

import pytest

from opgraph.declare.assets.asset import AssetsDefinition, asset, graph_asset, graph_multi_asset, multi_asset
from opgraph.declare.assets.asset_mistakes import SeveralOutputs
from opgraph.declare.assets.mapped import NotASpec, map_asset_specs
from opgraph.declare.assets.spec import AssetIn, AssetOut, AssetSpec
from opgraph.declare.graphs.graph import graph
from opgraph.declare.graphs.wiring_mistakes import BodyThatRuns
from opgraph.declare.mistakes import BadGroup, BadName, GraphTakesContext, InputMissing, WrongType, collecting
from opgraph.declare.ops.inputs import In, Nothing
from opgraph.declare.ops.op import op
from opgraph.declare.ops.outputs import GraphOut, Out
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.job import job
from opgraph.declare.settings.config import Config
from opgraph.declare.settings.configurable import ConfigurableResource
from opgraph.declare.settings.run_config import RunConfig
from opgraph.errors import InvalidDefinitionError
from opgraph.keys import AssetKey
from opgraph.operate.project import load, locate


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


class AssetExecutionContext: ...


def bad_name():
    @op(name="no good")
    def it(): ...


def positional_rest():
    @op
    def it(*rest): ...


def wrong_context():
    @op
    def it(context: AssetExecutionContext): ...


def wrong_context_as_text():
    @op
    def it(context: "dg.AssetExecutionContext"): ...


def unknown_ins():
    @op(ins={"row": In()})
    def it(rows): ...


def nothing_as_parameter():
    @op(ins={"rows": In(Nothing)})
    def it(rows): ...


def input_missing():
    @graph
    def it():
        return plus()


def input_missing_of_a_graph():
    @job
    def it():
        inner()


def unknown_input():
    @graph
    def it(x):
        return plus(x, y=x)


def uncalled_argument():
    @graph
    def it():
        return plus(one)


def uncalled_return():
    @graph
    def it():
        return one


def unused_input():
    @graph
    def it(x):
        return one()


def returns_other():
    @graph
    def it():
        one()
        return 5


def fan_in():
    @graph
    def it():
        return plus([one(), 3])


def all_outputs():
    @graph
    def it():
        return plus(two())


def two_definitions():
    other = op(name="one")(lambda: 2)

    @graph
    def it():
        return plus([one(), other()])


def one_alias_twice():
    @graph
    def it():
        one.alias("x")()
        return one.alias("x")()


def outputs_missing():
    @graph(out={"a": GraphOut(), "b": GraphOut()})
    def it():
        return {"a": one()}


def wrong_count():
    @graph(out={"a": GraphOut(), "b": GraphOut()})
    def it():
        return one(), one(), one()


def iterated():
    @graph
    def it(xs):
        return [plus(x) for x in xs]


def unknown_output_of_outs():
    @graph_multi_asset(outs={"good": AssetOut()})
    def it():
        return {"god": one()}


def key_and_prefix():
    AssetIn(key="a", key_prefix="b")


def key_and_name():
    @asset(key="a/b", name="c")
    def it(): ...


def manager_twice():
    @asset(io_manager_def=object(), io_manager_key="x")
    def it(): ...


def repeated_dep():
    @asset(deps=["a", "a"])
    def it(): ...


def unknown_output_name():
    AssetsDefinition.from_op(one, keys_by_output_name={"reslt": "a"})


def unknown_input_name():
    AssetsDefinition.from_graph(inner, keys_by_input_name={"gven": "a"})


def bad_group():
    @asset(group_name="a group")
    def it(): ...


def bad_owner():
    @asset(owners=["me"])
    def it(): ...


def bad_tag():
    @asset(tags={"a b": "c"})
    def it(): ...


def bad_kind():
    @asset(kinds={"a b"})
    def it(): ...


def one_key_twice():
    @multi_asset(outs={"a": AssetOut(key="x"), "b": AssetOut(key="x")})
    def it(): ...


def no_assets():
    @multi_asset()
    def it(): ...


def internal_dep():
    @multi_asset(outs={"a": AssetOut()}, internal_asset_deps={"a": {AssetSpec("z").key}})
    def it(): ...


def graph_asset_without_output():
    @graph_asset
    def it():
        one()


GOLDEN = {
    bad_name: """the op name 'no good' is not valid: a name has ASCII letters, digits and underscores
  at <file>
  fix: give it a name such as `no_good`""",
    positional_rest: """op `it` takes `*args`, and an input needs a name
  at <file>
  fix: give each input a parameter, or one parameter that takes a list: a list of outputs can be wired to it; in a decorator, \
put functools.wraps on the function that takes `*args, **kwargs`""",
    wrong_context: """op `it` annotates its context as `AssetExecutionContext`, which only a function that is an asset gets
  at <file>
  fix: annotate it as `OpExecutionContext`""",
    unknown_ins: """op `it` has no parameter `row`, which its `ins` names; its parameters are `rows`
  at <file>
  fix: did you mean `rows`? add the parameter, or take the entry out of `ins`""",
    nothing_as_parameter: """the input `rows` of op `it` is `Nothing`, so there is no value for the parameter `rows`
  at <file>
  fix: take the parameter `rows` out of the function, or give the input another type""",
    input_missing: """nothing provides the input `x` of `plus`
  at <file>
  fix: give `plus` an output or an input of the graph for `x`, or give the parameter a default""",
    input_missing_of_a_graph: """nothing provides the input `given` of `inner`
  at <file>
  fix: give `inner` an output or an input of the graph for `given`, or give the parameter a default""",
    unknown_input: """`plus` has no input `y`; its inputs are `x`
  at <file>
  fix: give one of its inputs""",
    uncalled_argument: """the input `x` of `plus` was given `one` itself, not what it returns
  at <file>
  fix: did you forget parentheses? Write `one()`""",
    uncalled_return: """graph `it` returns `one` itself, not what it returns
  at <file>
  fix: did you forget parentheses? Write `return one()`""",
    unused_input: """graph `it` has an unmapped input: nothing in its body uses `x`
  at <file>
  fix: give it to an op of the graph, or take the parameter `x` out""",
    returns_other: """graph `it` returns 5 (an int), which is not an output of one of its nodes
  at <file>
  fix: return what an op or a graph returned: one output, a tuple, or a dict of them by name""",
    fan_in: """the input `x` of `plus` was given a list whose item 1 is 3 (an int), not an output of a node
  at <file>
  fix: make the value in an op, or give the input a default; a list in a graph's body holds outputs only""",
    all_outputs: """the input `x` of `plus` was given all outputs of `two`, and takes one
  at <file>
  fix: give one of them by name (`.a`, `.b`), or a list of some""",
    two_definitions: """graph `it` uses two different definitions that are both named `one`: of <file> and of <file>
  at <file>
  fix: rename one of them; an alias does not help, because the name stands for the code""",
    one_alias_twice: """graph `it` already has a node `x`
  at <file>
  fix: use another alias, or none: then a number is added""",
    outputs_missing: """graph `it` declares `b` as output and does not return it
  at <file>
  fix: return a dict with every declared output, or take what is missing out of the declaration""",
    wrong_count: """graph `it` returns 3 outputs and declares 2: `a`, `b`
  at <file>
  fix: return as many as are declared, in their order, or a dict of them by name""",
    iterated: """the input `xs` was iterated over in a graph's body, where it has no value yet: the body only says what is wired to what, before anything runs
  at <file>
  fix: do this inside an op""",
    unknown_output_of_outs: """graph multi-asset `it` returns an output `god`, and declares `good`
  at <file>
  fix: did you mean `good`? declare it, or return it under a declared name""",
    key_and_prefix: """key and key_prefix cannot both be set on `AssetIn`: where the key argument is provided, it is the whole name
  at <file>
  fix: keep `key` and put the whole path into it, or leave it out""",
    key_and_name: """key and name cannot both be set on asset `c`: where the key argument is provided, it is the whole name
  at <file>
  fix: keep `key` and put the whole path into it, or leave it out""",
    manager_twice: """asset `it` was given `io_manager_def` together with `io_manager_key`
  at <file>
  fix: keep one: `io_manager_key` names a resource, `io_manager_def` is the object itself""",
    repeated_dep: """asset `it` depends on `a` twice
  at <file>
  fix: name `a` once""",
    unknown_output_name: """op `one` has no output `reslt`, which `keys_by_output_name` names; its outputs are `result`
  at <file>
  fix: did you mean `result`? name one of its outputs, or take the entry out""",
    unknown_input_name: """graph `inner` has no input `gven`, which `keys_by_input_name` names; its inputs are `given`
  at <file>
  fix: did you mean `given`? name one of its inputs, or take the entry out""",
    bad_group: """'a group' of asset `it` is not a valid asset group name: it has ASCII letters, digits, underscores and slashes
  at <file>
  fix: name it `a_group`""",
    bad_owner: """Invalid owner 'me' of asset `it`: an owner is an e-mail address or `team:name`
  at <file>
  fix: write `team:me` if it is a team""",
    bad_tag: """Found invalid tag keys or values on asset `it`: 'a b': 'c'; both are text of letters, digits, `_`, `-` and `.`, at most 63 of them, the key perhaps with a part and `/` before it
  at <file>
  fix: put other text into `metadata`, which holds anything""",
    bad_kind: """the kind 'a b' of asset `it` is not valid: a kind is text of letters, digits, `_`, `-` and `.`
  at <file>
  fix: give a set of such words: `kinds={"table", "duckdb"}`""",
    one_key_twice: """the outputs `a`, `b` of multi-asset `it` are all the asset `x`
  at <file>
  fix: give each output a key of its own: Each asset key should correspond to a single output.""",
    no_assets: """multi-asset `it` makes no asset: neither `outs` nor `specs` names one
  at <file>
  fix: say what it makes: `outs={"a": AssetOut()}` or `specs=[AssetSpec("a")]`""",
    internal_dep: """`internal_asset_deps` of multi-asset `it` says that `a` depends on `z`, which multi-asset `it` neither makes nor reads
  at <file>
  fix: name assets that are its outputs, its inputs or in its `deps`""",
    graph_asset_without_output: """graph asset `it` is one asset, and its function returns no outputs
  at <file>
  fix: return one output""",
}
GOLDEN[wrong_context_as_text] = GOLDEN[wrong_context]


def pathless(text: str) -> str:
    return re.sub(re.escape(__file__) + r":\d+", "<file>", text)


@pytest.mark.parametrize("mistake", GOLDEN, ids=lambda each: each.__name__)
def test_message(mistake):
    """Each mistake says what is wrong, in which of the user's files, and what to do."""
    with pytest.raises(InvalidDefinitionError) as caught:
        mistake()
    assert pathless(str(caught.value)) == GOLDEN[mistake]


@pytest.mark.parametrize("mistake", [each for each in GOLDEN if each is not iterated], ids=lambda each: each.__name__)
def test_collected(mistake):
    """While a loader collects, a mistake raises nothing and the declaration goes on; it is first in the list."""
    with collecting() as problems:
        mistake()
    assert pathless(str(problems[0])) == GOLDEN[mistake]


def test_the_line_is_the_user_s():
    """A mistake of a function names the line where the function begins, one of a call the line of the call."""
    with collecting() as problems:
        unknown_ins()
        input_missing()
    first = unknown_ins.__code__.co_firstlineno
    assert problems[0].where.line == first + 1
    assert problems[1].where.line == input_missing.__code__.co_firstlineno + 3


def test_specs_have_their_own_dependencies():
    """What specs depend on is said in them: not beside them, and an input is one of their dependencies."""
    specs = [AssetSpec("a", deps=["up"]), AssetSpec("b")]
    with pytest.raises(InvalidDefinitionError, match="Can not pass deps and specs"):

        @multi_asset(specs=specs, deps=["other"])
        def beside(): ...

    with pytest.raises(InvalidDefinitionError, match=r"none of its specs depends on: `other` \(asset `other`\)"):

        @multi_asset(specs=specs)
        def takes(up, other): ...


def test_an_uncalled_op_is_one_mistake():
    """A graph asset that returns an op without calling it has one mistake, not also that it returns nothing."""

    @op
    def one(): ...

    with pytest.raises(InvalidDefinitionError) as caught:

        @graph_asset
        def it():
            return one

    assert [type(each).__name__ for each in caught.value.problems] == ["ReturnedUncalled"]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("größe", "`groesse`"),
        ("Übersicht Süd", "`Uebersicht_Sued`"),
        ("anne\u0301e", "`annee`"),
        ("表", "write it with ASCII letters"),
        ("table表", "write it with ASCII letters"),
    ],
)
def test_a_name_of_other_letters(name, fix):
    """A name of letters that are not ASCII's is told so, with one that reads the same, or none."""
    with pytest.raises(BadName, match="ASCII letters") as caught:
        op(name=name)(lambda: 1)
    assert fix in caught.value.fix
    with pytest.raises(BadGroup, match="ASCII letters") as caught:
        asset(name="it", group_name=name)(lambda: 1)
    assert fix in caught.value.fix


def test_a_body_that_would_have_to_run():
    """A graph's body that is awaited or yields is one mistake that says so, for each kind of graph."""

    async def awaited():
        return one()

    def yielding():
        yield one()

    async def both():
        yield one()

    for fn, words in ((awaited, "`async def`:"), (yielding, "`yield`:"), (both, "`async def` and `yield`:")):
        for declare in (graph, job, graph_asset, graph_multi_asset(outs={"a": AssetOut()})):
            with pytest.raises(BodyThatRuns, match=words):
                declare(fn)


def test_a_missing_return_is_said_once(tmp_path):
    """A graph asset with a prefix that returns nothing is one mistake, not also one of the op that feeds nothing."""
    file = tmp_path / "definitions.py"
    file.write_text(
        "from opgraph import graph_asset, op\n\n@op\ndef one(): ...\n\n"
        "@graph_asset(key_prefix='raw')\ndef it():\n    one()\n"
    )
    with pytest.raises(SeveralOutputs, match="graph asset `raw__it`"):
        load(locate(str(file)))


def test_a_text_is_no_list():
    """A text where a list is meant is a mistake; its letters are no dependencies, kinds or owners."""
    for name in ("deps", "kinds", "owners"):
        with pytest.raises(WrongType, match=f"`{name}` of `asset` is 'abc'"):
            asset(**{name: "abc"})


def test_what_a_graph_s_body_cannot_have():
    """Dagster #13880: configuration and resources are taken by ops; in a graph's body they are a mistake that says so,
    once."""

    class Limit(Config):
        most: int = 1

    class Store(ConfigurableResource):
        url: str = ""

    def limited(config: Limit):
        return one()

    def stored(store: Store):
        return plus(store)

    for fn, what in ((limited, "configuration"), (stored, "resource")):
        with pytest.raises(GraphTakesContext, match=f"has no {what}"):
            graph_asset(fn)
        with pytest.raises(GraphTakesContext, match=f"has no {what}"):
            graph(fn)


def test_a_spec_is_mapped_to_a_spec():
    """A function that makes something else of a spec is a mistake."""
    with pytest.raises(NotASpec, match=r"returned 5 \(an int\) for `a`"):
        map_asset_specs(lambda spec: 5, [asset(name="a")(one.compute_fn)])


def calls_one():
    return one()


OTHER_KINDS = {
    **{
        f"RunConfig {part} {given!r}": lambda part=part, given=given: RunConfig(**{part: given})
        for part in ("ops", "resources", "loggers", "execution", "inputs")
        for given in ("text", ["a"], Config, 3)
    },
    "asset compute_kind": lambda: asset(compute_kind=["sql"])(lambda: 1),
    "multi_asset compute_kind": lambda: multi_asset(outs={"a": AssetOut()}, compute_kind=["sql"])(lambda: 1),
    "graph_asset compute_kind": lambda: graph_asset(compute_kind=["sql"])(calls_one),
    "job tags": lambda: job(name="it", tags="a", memoize=True)(calls_one),
    "job hooks": lambda: job(name="it", hooks=AssetKey("a"))(calls_one),
    "asset hooks": lambda: asset(name="it", hooks=AssetKey("a"))(lambda: 1),
    "asset kinds": lambda: asset(name="it", kinds=AssetKey("a"))(lambda: 1),
    "assets of Definitions": lambda: Definitions(assets=AssetKey("a")),
}


@pytest.mark.parametrize("make", OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_other_kinds_of_values(make):
    """A value of a kind that a parameter does not take is a mistake that names the parameter, in the user's file."""
    with pytest.raises(WrongType) as caught:
        make()
    assert caught.value.where.file == __file__
    assert f"`{caught.value.parameter}` takes" in caught.value.fix


@pytest.mark.parametrize(("given", "hint"), [("ctx", "name it `context`"), ("cfg", "name it `config`")])
def test_a_parameter_that_was_not_meant_as_an_input(given, hint):
    """An op whose context or configuration has another name is told the right one."""
    it = op(eval(f"lambda {given}: 1"), name="it")

    def body():
        return it()

    with pytest.raises(InputMissing) as caught:
        graph(body)
    assert hint in caught.value.fix
