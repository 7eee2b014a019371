"""What declarations hold after they were read."""

import sys
import textwrap
import time

import pytest

from opgraph.declare.assets.asset import AssetsDefinition, asset, graph_asset, graph_multi_asset, multi_asset
from opgraph.declare.assets.spec import AssetIn, AssetOut, AssetSpec
from opgraph.declare.graphs.graph import graph
from opgraph.declare.graphs.wires import FanIn, FromInput, FromNode, Value
from opgraph.declare.metadata import MetadataValue, from_wire, to_wire
from opgraph.declare.ops.hooks import success_hook
from opgraph.declare.ops.inputs import In, Nothing
from opgraph.declare.ops.op import op
from opgraph.declare.ops.outputs import GraphOut, Out
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.job import define_asset_job, job
from opgraph.declare.project.load import load_assets_from_package_name
from opgraph.errors import InvalidDefinitionError, InvariantViolationError
from opgraph.keys import AssetKey


@op
def one():
    return 1


@op
def plus(x, y=0):
    return x + y


@op(out={"a": Out(), "b": Out(is_required=False)})
def two(context, x):
    return x, x


@op(ins={"after": In(Nothing)})
def last() -> None: ...


@graph
def inner(x):
    return plus(plus(x))


def test_an_op_s_inputs_and_outputs():
    """Inputs are the parameters without the context, defaults included; `Nothing` inputs come after them."""

    @op(ins={"after": In(Nothing), "x": In(int, description="d")})
    async def it(_context, x, *, y=2):
        yield x

    assert list(it.ins) == ["x", "y", "after"]
    assert (it.ins["y"].default_value, it.ins["x"].description, it.ins["after"].is_nothing) == (2, "d", True)
    assert (it.body.kind, it.body.takes_context, list(it.outs)) == ("async_generator", True, ["result"])
    assert last.outs["result"].is_nothing


def test_wires():
    """Calls become nodes: numbered when repeated, under their alias where one is given; arguments become wires."""

    @graph(out={"sum": GraphOut(), "b": GraphOut()})
    def it(given):
        a, b = two(given)
        first = plus(a, 5)
        second = plus.alias("second").tag({"k": "v"})(x=[first, inner(a)])
        last(second)
        return {"b": b, "sum": plus(second)}

    assert list(it.nodes) == ["two", "plus", "inner", "second", "last", "plus_2"]
    assert it.wires["two"] == {"x": FromInput("given")}
    assert it.wires["plus"]["x"] == FromNode("two", "a")
    assert isinstance(it.wires["plus"]["y"], Value)
    assert it.wires["plus"]["y"].value == 5
    assert it.wires["second"]["x"] == FanIn((FromNode("plus"), FromNode("inner")))
    assert it.wires["last"] == {"after": FromNode("second")}
    assert it.returns == {"sum": FromNode("plus_2"), "b": FromNode("two", "b")}
    assert list(it.outs) == ["sum", "b"]
    assert it.nodes["second"].tags == {"k": "v"}
    assert [path for path, _ in it.ops()] == ["two", "plus", "inner.plus", "inner.plus_2", "second", "last", "plus_2"]


def test_outputs_by_name():
    """Several outputs unpack in order and have names; returned whole, they keep their names."""

    @graph
    def it(x):
        outs = two(x)
        plus(outs.a, outs.b)
        return outs

    assert it.returns == {"a": FromNode("two", "a"), "b": FromNode("two", "b")}


def test_passed_through():
    """A graph may return its own input, and needs it then; an input that feeds only defaults need not be wired."""

    @graph
    def through(x):
        return x

    @graph
    def easy(y):
        return plus(one(), y)

    assert through.returns == {"result": FromInput("x")}
    assert through.required_ins == {"x"}
    assert easy.required_ins == frozenset()


def test_graph_asset_keys():
    """The prefix is for the asset's own key; arguments are upstream keys, unless `ins` says otherwise."""

    @graph_asset(key_prefix=["pre", "fix"], ins={"b": AssetIn(key_prefix="raw"), "c": AssetIn("x/y")}, deps=["d"])
    def it(a, b, c):
        return plus([a, b, c])

    assert it.key == AssetKey("pre/fix/it")
    assert it.node_name == "pre__fix__it"
    assert {name: key.text for name, key in it.keys_by_input_name.items()} == {"a": "a", "b": "raw/b", "c": "x/y"}
    assert [dep.asset_key.text for dep in it.specs[0].deps] == ["a", "raw/b", "x/y", "d"]


def test_graph_multi_asset():
    """Each output is an asset, with its own labels or the definition's."""

    @graph_multi_asset(
        outs={"a": AssetOut(key_prefix="p", io_manager_key="m"), "b": AssetOut(group_name="h", is_required=False)},
        group_name="g",
        can_subset=True,
    )
    def it(x):
        return two(x)

    assert {name: key.text for name, key in it.keys_by_output_name.items()} == {"a": "p/a", "b": "b"}
    assert [spec.group_name for spec in it.specs] == ["g", "h"]
    assert it.io_manager_keys == {"a": "m"}
    assert it.can_subset is True
    with pytest.raises(InvariantViolationError, match="makes 2 assets, not one: `p/a`, `b`"):
        it.key


def test_from_graph_and_from_op():
    """One output named `result` is an asset of the node's name; a prefix stands before explicit output keys too."""
    plain = AssetsDefinition.from_graph(
        inner, keys_by_input_name={"x": "up/stream"}, key_prefix="pre", owners=["team:a"]
    )
    assert (plain.key.text, plain.keys_by_input_name["x"].text) == ("pre/inner", "up/stream")
    assert plain.specs[0].owners == ["team:a"]
    given = AssetsDefinition.from_op(
        two, key_prefix="pre", keys_by_output_name={"a": "z"}, descriptions_by_output_name={"b": "the b"}
    )
    assert [key.text for key in given.keys] == ["pre/z", "pre/b"]
    assert given.specs[1].description == "the b"


def test_specs_say_what_depends_on_what():
    """In a multi-asset of specs each asset depends on what its spec says, and on inputs that no spec claims."""

    @multi_asset(specs=[AssetSpec("a", deps=["up"]), AssetSpec("b", deps=["a"], skippable=True)])
    def it(): ...

    assert it.explicit_deps == {AssetKey("a"): {AssetKey("up")}, AssetKey("b"): {AssetKey("a")}}
    assert not it.op.outs["b"].is_required
    assert it.op.outs["a"].is_nothing


def test_annotations_may_be_text():
    """Annotations written as text, as `from __future__ import annotations` makes them, are understood."""

    @asset
    def it(x: "int") -> "None": ...

    assert it.op.outs["result"].is_nothing
    assert it.op.body.annotations == {"x": int, "return": type(None)}


def test_jobs():
    """A job is its graph with labels; an asset job is a selection; neither can be called."""

    @job(tags={"k": "v"})
    def nightly():
        plus(one())

    assert (nightly.name, list(nightly.graph.nodes), nightly.tags) == ("nightly", ["one", "plus"], {"k": "v"})
    assert inner.to_job("daily").name == "daily"
    assert str(define_asset_job("all_of_it").selection) == "*"
    with pytest.raises(InvariantViolationError, match="was called like a function"):
        nightly()


def test_definitions():
    """Definitions keep what they are given, find assets by key, and merge where they agree."""

    @asset
    def table(): ...

    defs = Definitions([table, AssetSpec("ext")], resources={"r": 1})
    assert [key.text for key in defs.resolve_all_asset_keys()] == ["table", "ext"]
    assert defs.get_assets_def("table") is table
    with pytest.raises(InvariantViolationError, match="did you mean `table`"):
        defs.get_assets_def("tabel")
    with pytest.raises(InvalidDefinitionError, match="the resource key `r`"):
        Definitions.merge(defs, Definitions(resources={"r": 2}))
    with pytest.raises(InvariantViolationError, match="the resource key `r`"):
        Definitions.merge(Definitions(resources={"r": 2}), defs)
    with pytest.raises(InvalidDefinitionError, match="argument 2` takes a `Definitions`"):
        Definitions.merge(defs, [defs])
    with pytest.raises(InvalidDefinitionError, match="forget the decorator"):
        Definitions([lambda: None])
    assert len(Definitions.merge(defs, defs).assets) == 2


def test_the_keys_of_a_project_are_those_that_it_names():
    """An asset that is only named as a dependency has a key among the project's, and no spec."""
    defs = Definitions(assets=[asset(name="table", deps=["raw"])(lambda: 1)])
    assert [key.text for key in defs.resolve_all_asset_keys()] == ["table", "raw"]
    assert [spec.key.text for spec in defs.resolve_all_asset_specs()] == ["table"]


def test_read_only():
    """What was declared cannot be changed."""
    with pytest.raises(AttributeError, match="read only"):
        one.name = "other"


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        (1, "int", 1),
        (True, "bool", True),
        (0.5, "float", 0.5),
        ("t", "text", "t"),
        ({"a": (1, None)}, "json", {"a": [1, None]}),
        (None, "null", None),
        (AssetKey("a/b"), "asset", "a/b"),
        (MetadataValue.md("*"), "md", "*"),
    ],
)
def test_metadata(raw, kind, value):
    """A raw value stands for its kind, and comes back from the wire as it went."""
    meta = to_wire(raw)
    assert (meta.kind, meta.value) == (kind, value)
    assert to_wire(from_wire(meta)) == meta


def test_metadata_of_no_kind():
    """An object of no known kind is refused with what may stand there."""
    with pytest.raises(InvalidDefinitionError, match="metadata cannot be of type object"):
        to_wire(object())


def test_load_from_package(tmp_path, monkeypatch):
    """The assets of a package's modules are found, each once; a prefix follows into the dependencies among them."""
    package = tmp_path / "declared_pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "up.py").write_text("from opgraph.declare.assets.asset import asset\n@asset\ndef up(ext): ...\n")
    (package / "down.py").write_text(
        textwrap.dedent("""
            from opgraph.declare.assets.asset import asset
            from declared_pkg.up import up
            @asset
            def down(up): ...
            """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = {each.key.text: each for each in load_assets_from_package_name("declared_pkg", "g", "pre")}
    for name in [name for name in sys.modules if name.startswith("declared_pkg")]:
        monkeypatch.delitem(sys.modules, name)
    assert set(found) == {"pre/up", "pre/down"}
    assert found["pre/down"].keys_by_input_name == {"up": AssetKey("pre/up")}
    assert found["pre/up"].keys_by_input_name == {"ext": AssetKey("ext")}
    assert {name: each.specs[0].group_name for name, each in found.items()} == {"pre/up": "g", "pre/down": "g"}


def test_many_assets_are_cheap():
    """Decorating is linear: ten times the assets take no more than twenty times as long."""

    def function(up): ...

    def seconds(count):
        begin = time.process_time()
        for i in range(count):
            asset(name=f"a{i}", group_name="g")(function)
        return time.process_time() - begin

    seconds(100)
    assert seconds(5000) < 20 * max(seconds(500), 0.001)


def test_inputs_without_a_value_have_a_key_too():
    """`keys_by_input_name` has the inputs that `deps` and `Nothing` make, and follows when keys are renamed."""

    @asset(ins={"after": AssetIn("x/y", dagster_type=Nothing)}, deps=["d"])
    def it(a): ...

    def texts(definition):
        return {name: key.text for name, key in definition.keys_by_input_name.items()}

    assert texts(it) == {"a": "a", "after": "x/y", "d": "d"}
    assert list(it.node_def.ins) == ["a", "after", "d"]
    assert texts(it.with_attributes(asset_key_replacements={AssetKey("d"): AssetKey("e")}))["d"] == "e"
    assert "d" not in texts(it.map_asset_specs(lambda spec: spec.replace_attributes(deps=["a", "x/y"])))


def test_what_an_op_needs_stays():
    """The resources that an op names cannot be changed afterwards."""

    @op(required_resource_keys={"database"})
    def read(): ...

    assert isinstance(read.required_resource_keys, frozenset)


def test_resources_that_are_needed():
    """A definition names the resources of its ops, nested ones too, of their I/O managers and of its hooks."""

    @success_hook(required_resource_keys={"chat"})
    def tell(context): ...

    @success_hook(required_resource_keys={"mail"})
    def write(context): ...

    @op(required_resource_keys={"database"}, out=Out(io_manager_key="files"))
    def read():
        return 1

    @graph
    def inner():
        return read.with_hooks({write})()

    @graph_asset(hooks={tell})
    def it():
        return inner()

    assert it.required_resource_keys == {"chat", "mail", "database", "files", "io_manager"}
