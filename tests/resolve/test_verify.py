# ruff: noqa: E501 - messages are written out whole
"""What is wrong with a project, found before anything runs: what the messages say, word for word, all together."""

import enum
import re
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

import opgraph as dg
from opgraph.declare.frozen import replaced
from opgraph.declare.graphs.wires import FromNode
from opgraph.declare.mistakes import collecting
from opgraph.operate.target import graph_target
from opgraph.resolve.project import resolve


@dg.op
def one():
    return 1


@dg.op
def plus(x):
    return x


@dg.op(out={"a": dg.Out(), "b": dg.Out()})
def two():
    return 1, 2


def said(*assets, **more):
    """What the error of a project says, places in this file as <file>:<line>."""
    with pytest.raises(dg.InvalidDefinitionError) as caught:
        resolve(dg.Definitions(assets=list(assets), **more))
    return plain(caught.value)


def plain(error):
    return re.sub(re.escape(__file__) + r":\d+", "<file>:<line>", str(error))


def outs(*names):
    return {name: dg.AssetOut() for name in names}


# -- one mistake each ---------------------------------------------------------------


def test_assets_in_a_circle():
    """A circle of assets is shown in full."""

    @dg.asset
    def a(c): ...

    @dg.asset
    def b(a): ...

    @dg.asset
    def c(b): ...

    assert said(a, b, c) == (
        "assets depend on one another in a circle: a → b → c → a\n"
        "  at <file>:<line>\n"
        "  fix: remove one of these dependencies"
    )


def test_an_asset_made_from_itself():
    """An asset that depends on itself is a circle of one."""
    assert said(dg.asset(name="a", deps=["a"])(lambda: 1)) == (
        "asset `a` depends on itself\n  at <file>:<line>\n  fix: remove the dependency on itself"
    )


def test_one_key_twice():
    """Two assets of one key: both places."""

    @dg.asset
    def a(): ...

    @dg.asset(name="a")
    def other(): ...

    text = said(a, other)
    assert "asset key `a` is defined more than once (<file>:<line> and <file>:<line>)" in text
    assert "fix: rename one of them, give one a `key_prefix`, or list it once" in text


def test_an_unknown_upstream():
    """A parameter that is no asset, with the asset that was probably meant."""

    @dg.asset
    def orders(): ...

    @dg.asset
    def total(order): ...

    assert said(orders, total) == (
        "asset `total` depends on `order` (through its parameter `order`), which no definition makes and which is not among the sources. Did you mean `orders`?\n"
        "  at <file>:<line>\n"
        '  fix: write `orders`; if it is made elsewhere, add `AssetSpec("order")` to the assets'
    )


def test_an_input_nobody_provides():
    """An op's input to which nothing is wired and that has no default; the line is that of the call."""
    graph = dg.graph(name="g")(_calls_plus)
    wires = {"plus": {}}
    with pytest.raises(dg.InvalidDefinitionError) as caught:
        graph_target(replaced(graph, wires=wires))
    assert plain(caught.value) == (
        "nobody provides input `x` of op `plus` (step `plus`)\n"
        "  at <file>:<line>\n"
        "  fix: pass a value for `x` where the op is called, give the parameter a default, or make it an input of the graph"
    )
    assert caught.value.where.line == _calls_plus.__code__.co_firstlineno + 1


def _calls_plus():
    return plus(one())


def test_an_input_of_a_job_that_nobody_provides():
    """A graph's own input needs a value when it is run, or a default in the op it leads to."""

    @dg.graph
    def g(x, y):
        plus(x)
        return plus.alias("again")(y)

    with pytest.raises(dg.InvalidDefinitionError) as caught:
        graph_target(g, given={"x": 1})
    assert "nobody provides input `x` of op `plus` (step `again`)" in str(caught.value)
    graph_target(g, given={"x": 1, "y": 2})


def test_an_op_that_no_asset_needs():
    """Dagster #8707: a leaf op is named by its path through nested graphs; the place is that of its call."""

    @dg.graph
    def bar(x):
        plus.alias("validate")(x)
        return plus(x)

    @dg.graph_asset
    def baz():
        return bar(one())

    assert said(baz) == (
        "op `baz.bar.validate` is part of asset `baz`, but no asset needs its value\n"
        "  at <file>:<line>\n"
        "  fix: return its output from the graph, pass it to an op that is needed, or remove the call; if it is only to run, "
        'take it as a `Nothing` input: `ins={"after": In(Nothing)}`'
    )


def test_an_op_that_only_orders_is_needed():
    """An op whose output another op waits for is no leaf; neither is one with another output that is needed."""
    last = dg.op(name="last", ins={"after": dg.In(dg.Nothing)})(lambda: 1)

    @dg.graph_asset
    def waits():
        return last(after=one())

    @dg.graph_asset
    def takes_one_of_two():
        a, _ = two()
        return plus(a)

    resolve(dg.Definitions(assets=[waits, takes_one_of_two]))


def test_an_output_nobody_maps():
    """A graph that hands an input through has no op that makes the asset."""

    @dg.graph(out={"a": dg.GraphOut(), "same": dg.GraphOut()})
    def g(x):
        return {"a": plus(x), "same": x}

    made = dg.AssetsDefinition.from_graph(g, keys_by_input_name={"x": "up"})
    assert said(made, dg.AssetSpec("up")) == (
        "output `same` of graph `g` is an asset, but the graph hands an input through instead of an op's output\n"
        "  at <file>:<line>\n"
        "  fix: return the output of an op from the graph"
    )


def test_one_output_two_keys():
    """An op output cannot be two assets."""

    @dg.graph_multi_asset(outs=outs("a", "b"))
    def it():
        made = one()
        return {"a": made, "b": made}

    assert said(it) == (
        "output `result` of op `it.one` is returned as several assets: `a`, `b`\n"
        "  at <file>:<line>\n"
        "  fix: give each asset an op output of its own"
    )


def test_a_missing_resource():
    """A resource that nobody gives: who requires it, and what there is; once, however many require it."""
    first, second = (dg.asset(name=name, required_resource_keys={"dbb"})(lambda context: 1) for name in ("a", "b"))
    assert said(first, second, resources={"db": 1}) == (
        "op `a` requires resource `dbb`, which is not among the resources. Did you mean `db`?\n"
        "  at <file>:<line>\n"
        '  fix: add it: `Definitions(resources={"dbb": …})`. There are: `db`'
    )


def test_a_missing_io_manager():
    """An I/O manager that nobody gives, named by an asset, by an op's output or by an input."""
    asset = dg.asset(name="a", io_manager_key="lake")(lambda: 1)
    assert said(asset) == (
        "output `result` of op `a` names I/O manager `lake`, which is not among the resources\n"
        "  at <file>:<line>\n"
        '  fix: add it: `Definitions(resources={"lake": …})`, or leave the default by removing the name'
    )
    out = dg.op(name="out", out=dg.Out(io_manager_key="lake"))(lambda: 1)
    into = dg.op(name="into", ins={"x": dg.In(input_manager_key="pond")})(lambda x: 1)

    @dg.graph_asset
    def g():
        return into(out())

    text = said(g)
    assert "output `result` of op `g.out` names I/O manager `lake`" in text
    assert "input `x` of op `g.into` names I/O manager `pond`" in text
    resolve(dg.Definitions(assets=[g], resources={"lake": dg.mem_io_manager, "pond": dg.mem_io_manager}))


class Table:
    """Says of being another one what a DataFrame says."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise ValueError("ambiguous")


def test_a_resource_of_an_asset_and_another_of_the_project():
    """What an asset brings is not replaced by a resource of the project, nor in silence the other way; for one run,
    another may be given."""

    @dg.asset(resource_defs={"db": "own"}, required_resource_keys={"db"})
    def a(context):
        return context.resources.db

    with pytest.raises(dg.InvalidDefinitionError, match="different values by `a` and by the project's resources"):
        dg.materialize([a], resources={"db": "other"})
    assert dg.materialize([a], resources={"db": "own"}).asset_value("a") == "own"
    with pytest.raises(dg.InvalidDefinitionError, match="different values by `a` and by the project's resources"):
        dg.materialize([a], resources={"db": Table()})
    job = dg.Definitions([a]).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process().asset_value("a") == "own"
    assert job.execute_in_process(resources={"db": "other"}).asset_value("a") == "other"


def test_resources_that_an_asset_brings():
    """What an asset brings is there for it; two assets that bring different things under one key are refused."""
    first = dg.asset(name="a", resource_defs={"db": 1}, required_resource_keys={"db"})(lambda context: 1)
    second = dg.asset(name="b", resource_defs={"db": 2})(lambda: 1)
    same = dg.asset(name="c", resource_defs={"db": 1})(lambda: 1)
    resolve(dg.Definitions(assets=[first, same]))
    assert said(first, second) == (
        "resource `db` is given with different values by `a`, `b`\n"
        "  at <file>:<line>\n"
        "  fix: use one object for both, or two keys"
    )


def test_two_jobs_of_one_name():
    """Two jobs under one name are refused, one job listed twice is not."""

    @dg.job(name="daily")
    def first():
        one()

    @dg.job(name="daily")
    def second():
        one()

    with pytest.raises(dg.InvalidDefinitionError, match="there are two jobs named `daily`"):
        resolve(dg.Definitions(jobs=[first, second]))
    resolve(dg.Definitions(jobs=[first, first]))


def test_what_is_no_asset():
    """An op or a graph among the assets is refused, with what to do."""
    assert said(one) == (
        "`Definitions(assets=...)` was given the op `one`\n"
        "  at <file>:<line>\n"
        "  fix: make an asset of it: `AssetsDefinition.from_op(...)`"
    )


def test_two_functions_of_one_step_name():
    """Two different functions that would run under one step name."""
    text = said(dg.asset(key="a/b")(lambda: 1), dg.asset(key="a__b")(lambda: 1))
    assert text.startswith("two different asset definitions are computed by something named `a__b`\n  at <file>:<line>")


def test_a_circle_in_a_graph_put_together_by_hand():
    """The ops of one graph in a circle are found with everything else."""

    @dg.graph
    def g(u):
        return plus(plus.alias("first")(u))

    wires = {"first": {"x": FromNode("plus")}, "plus": {"x": FromNode("first")}}
    made = dg.AssetsDefinition.from_graph(replaced(g, wires=wires), keys_by_input_name={"u": "up"})
    assert said(made, dg.AssetSpec("up")) == (
        "in graph `g`, these nodes depend on one another in a circle: `first`, `plus`\n"
        "  at <file>:<line>\n"
        "  fix: remove one of the dependencies among them"
    )


# -- found together -----------------------------------------------------------------


def test_all_mistakes_come_in_one_error():
    """Everything that is wrong is told at once, numbered, each with place and fix."""
    unknown = dg.asset(name="u", ins={"zzz": dg.AssetIn("zzz")})(lambda zzz: 1)
    twice = [dg.asset(name="t")(lambda: 1), dg.asset(name="t")(lambda: 2)]
    needy = dg.asset(name="n", required_resource_keys={"db"}, io_manager_key="lake")(lambda context: 1)

    @dg.graph_multi_asset(outs=outs("p", "q"))
    def g():
        made = one()
        two()
        return {"p": made, "q": made}

    with pytest.raises(dg.InvalidDefinitionError) as caught:
        resolve(dg.Definitions(assets=[unknown, *twice, needy, g]))
    problems = caught.value.problems
    assert sorted(type(problem).__name__ for problem in problems) == [
        "DuplicateAssetKey", "MissingIOManager", "MissingResource", "OneOutputTwoKeys", "UnknownUpstream", "UnusedOp",
    ]  # fmt: skip
    text = plain(caught.value)
    assert text.startswith(f"{len(problems)} problems in the definitions:\n1. ")
    assert text.count("  at <file>:<line>") == len(problems)
    assert text.count("fix: ") == len(problems)


def _bad_name():
    return dg.asset(name="no good")(lambda: 1)


def _bad_group():
    return dg.asset(name="a", group_name="no good")(lambda: 1)


def _repeated_dependency():
    return dg.asset(name="a", deps=["x", "x"])(lambda: 1)


def _not_called():
    @dg.graph_asset
    def a():
        return one

    return a


def _outputs_missing():
    @dg.graph_multi_asset(outs=outs("a", "b"))
    def g():
        return {"a": one()}

    return g


def _unused_input():
    @dg.graph
    def g(x):
        return one()

    return g


AT_DECLARATION = [
    (_bad_name, "no good"),
    (_bad_group, "no good"),
    (_repeated_dependency, "`x`"),
    (_not_called, "parentheses"),
    (_outputs_missing, "`b`"),
    (_unused_input, "`x`"),
]


@pytest.mark.parametrize(("make", "says"), AT_DECLARATION)
def test_mistakes_of_declarations_are_collected_with_the_others(make, says):
    """While a project is loaded a mistake in a declaration does not stop it: it is kept, with its place, and what was
    declared stays usable enough to find the other mistakes."""
    with collecting() as problems:
        made = make()
    assert says in str(problems[0])
    assert all(problem.where.file == __file__ and problem.fix for problem in problems)
    if isinstance(made, dg.AssetsDefinition):
        refused = dg.asset(name="other", ins={"zzz": dg.AssetIn("zzz")})(lambda zzz: 1)
        with pytest.raises(dg.InvalidDefinitionError):
            resolve(dg.Definitions(assets=[made, refused]))


def test_nothing_wrong():
    """A project without a mistake resolves, external assets and unused resources included."""

    @dg.asset
    def a(raw): ...

    project = resolve(dg.Definitions(assets=[a, dg.AssetSpec("raw")], resources={"unused": 1}))
    assert project.problems == []
    assert project.manager_of(dg.AssetKey("a")) == "io_manager"


def test_selections_of_jobs_are_read_with_the_rest():
    """A job that selects what is not there is among the mistakes of the project, at the place of the job."""

    @dg.asset
    def orders(customers): ...

    text = said(orders, jobs=[dg.define_asset_job("nightly", "order+")])
    assert "no asset is named `order`, as the selection asks. Did you mean `orders`?\n     at <file>:<line>" in text
    assert "depends on `customers`" in text


def test_a_selection_of_a_job_that_cannot_be_read_has_a_place():
    """The mistake is at the line of the job."""
    with pytest.raises(dg.InvalidDefinitionError, match="cannot be read at position") as caught:
        dg.define_asset_job("nightly", "orders(")
    assert caught.value.where is not None


def test_a_class_among_the_resources_that_nobody_uses_yet():
    """A class of resources, where an object is meant, is a mistake also before something asks for it."""

    class Client(dg.ConfigurableResource):
        host: str

    defs = dg.Definitions(assets=[dg.asset(name="a")(lambda: 1)], resources={"client": Client, "other": dict})
    with pytest.raises(dg.InvalidDefinitionError, match="the class `Client` itself") as caught:
        resolve(defs)
    assert caught.value.where == defs.source


class Store(dg.ConfigurableResource):
    url: str = ""


class Shop(dg.ConfigurableResource):
    url: str = ""


class Maker(dg.ConfigurableResource):
    def create_resource(self, context):
        return Store()


@pytest.mark.parametrize("given", [Shop(), Shop.configure_at_launch()])
def test_a_resource_of_another_class(given):
    """A resource that is no kind of what its parameter is annotated with is told with both classes, at the op."""

    @dg.asset
    def a(store: Store): ...

    text = said(a, resources={"store": given})
    assert text.startswith(
        "op `a` takes the resource `store` as `Store`, and it is of the class `Shop`\n  at <file>:<line>\n"
    )


class Outlet(Store): ...


def of_same_name():
    return type("Store", (dg.ConfigurableResource,), {"__module__": __name__, "__qualname__": "Store"})()


@pytest.mark.parametrize(
    "given",
    [Store(), Outlet(), Outlet.configure_at_launch(), Maker(), object(), of_same_name(), dg.ResourceDefinition(Shop)],
)
def test_resources_that_may_stand_for_the_class(given):
    """A subclass, what makes something else, an imitation and a class that was declared again are let through."""

    @dg.asset
    def a(store: Store): ...

    resolve(dg.Definitions(assets=[a], resources={"store": given}))


class Sink:
    def handle_output(self, context, obj): ...


def test_what_a_manager_without_load_input_stored_is_taken_by_nobody():
    """An I/O manager of a class without `load_input` is a mistake where a value of its is taken: by another asset, by
    an op of the same graph or job, and where an asset brings the manager itself."""

    @dg.op(out=dg.Out(io_manager_key="sink"))
    def stored():
        return 1

    @dg.asset(io_manager_key="sink")
    def kept():
        return 1

    @dg.asset(io_manager_def=Sink())
    def own():
        return 1

    @dg.asset
    def reads(kept): ...

    @dg.asset
    def reads_own(own): ...

    @dg.graph_asset
    def inside():
        return plus(stored())

    @dg.job(resource_defs={"sink": Sink()})
    def nightly():
        plus(stored())

    sink = {"sink": Sink()}
    assert said(kept, reads, resources=sink).startswith(
        "the I/O manager `sink` stores the output of `kept`, which the input `kept` of `reads` takes, and its class "
        "`Sink` has no `load_input`\n  at <file>:<line>\n"
    )
    assert "which the input `x` of `inside.plus` takes" in said(inside, resources=sink)
    assert "which the input `own` of `reads_own` takes" in said(own, reads_own)
    with pytest.raises(dg.InvalidDefinitionError, match="which the input `x` of `plus` takes"):
        graph_target(nightly)


def test_a_manager_without_load_input_may_store_what_nobody_loads():
    """Where an asset only comes after another one, or its input names a manager of its own, `load_input` is not
    missed."""

    @dg.asset(io_manager_key="sink")
    def kept():
        return 1

    @dg.asset(deps=[kept])
    def after(): ...

    @dg.asset(ins={"kept": dg.AssetIn(input_manager_key="other")})
    def reads(kept): ...

    resolve(dg.Definitions(assets=[kept, after, reads], resources={"sink": Sink(), "other": dg.InMemoryIOManager()}))


class Shades(dg.Config):
    dark: int = 3
    names: list[str] = [1]


class Plain(dg.Config):
    dark: int = 3


class Paint(dg.ConfigurableResource):
    shades: Shades = Shades()
    litres: float = "many"


def test_defaults_of_other_types():
    """A default that its field would not take from a configuration is found where the class is used, once, and inside
    the classes that it holds; pydantic does not look at defaults."""

    @dg.asset
    def wall(config: Shades):
        return config.dark

    @dg.asset
    def door(config: Shades, paint: Paint):
        return paint.litres

    told = said(wall, door, resources={"paint": Paint()})
    assert "the default of `names` in `Shades` is [1] (a list), and the field takes a list of texts" in told
    assert "the default of `litres` in `Paint` is 'many' (a str), and the field takes a number" in told
    assert told.count("the default of") == 2


def test_defaults_of_the_ops_of_a_job():
    """They are found where the job is about to run, before anything does."""

    @dg.op
    def paint(config: Shades): ...

    @dg.job
    def painting():
        paint()

    with pytest.raises(dg.InvalidDefinitionError, match=r"the default of `names` in `Shades`"):
        painting.execute_in_process()


def test_defaults_that_stand_for_what_is_meant():
    """None, references to the environment, a member's name for an enum, a dict for a class and a text for a path are
    fine as defaults, and the function is given what they stand for."""

    class Dye(enum.Enum):
        RED = 1

    class All(dg.Config):
        none: str = None
        home: str = dg.EnvVar("HOME")
        dye: Dye = "RED"
        shade: Plain = {"dark": 4}
        place: Path = "here"
        secret: SecretStr = "quiet"
        part: float = 3
        many: list[str] = Field(default_factory=list)

    class Held(dg.ConfigurableResource):
        dye: Dye = "RED"
        place: Path = "here"

    @dg.asset
    def found(config: All, held: Held):
        assert (held.dye, held.place) == (Dye.RED, Path("here"))
        assert (config.none, config.dye, config.shade.dark, config.place) == (None, Dye.RED, 4, Path("here"))
        assert (config.secret.get_secret_value(), config.part, config.many) == ("quiet", 3, [])

    assert dg.materialize([found], resources={"held": Held()}).success
