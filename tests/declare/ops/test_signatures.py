"""Graph-backed assets take what plain assets take; what does nothing yet says so."""

import inspect

import pytest

from opgraph.declare.assets.asset import AssetsDefinition, asset, graph_asset, graph_multi_asset, multi_asset
from opgraph.declare.assets.attributes import ManyAssets, ManyGraphAssets, OfNode, OneAsset, OneGraphAsset
from opgraph.declare.assets.parameters import WORDS
from opgraph.declare.assets.spec import AssetOut
from opgraph.declare.ops.op import op
from opgraph.declare.unsupported import NOT_YET
from opgraph.errors import NotYetSupportedError


@op
def one():
    return 1


def function():
    return one()


GIVEN = {
    "asset": asset,
    "multi_asset": lambda **given: multi_asset(outs={"a": AssetOut()}, **given),
    "graph_asset": graph_asset,
    "graph_multi_asset": lambda **given: graph_multi_asset(outs={"a": AssetOut()}, **given),
    "AssetsDefinition.from_op": lambda **given: AssetsDefinition.from_op(one, **given),
    "AssetsDefinition.from_graph": lambda **given: AssetsDefinition.from_graph(graph_asset(function).node_def, **given),
}
CASES = [(owner, name) for owner in GIVEN for name in NOT_YET[owner]]


def test_one_signature():
    """Dagster #19932: `graph_asset` takes all of `asset`, `graph_multi_asset` all of `multi_asset`, `from_graph` and
    `from_op` both."""
    one_asset, many = OneAsset.__optional_keys__, ManyAssets.__optional_keys__
    assert OneGraphAsset.__optional_keys__ == one_asset | {"config"}
    assert ManyGraphAssets.__optional_keys__ == many | {"config"}
    assert one_asset | many | {"config"} <= OfNode.__optional_keys__


SHOWN = {
    "asset": (asset, OneAsset, ["compute_fn"]),
    "multi_asset": (multi_asset, ManyAssets, []),
    "graph_asset": (graph_asset, OneGraphAsset, ["compose_fn"]),
    "graph_multi_asset": (graph_multi_asset, ManyGraphAssets, []),
    "AssetsDefinition.from_graph": (AssetsDefinition.from_graph, OfNode, ["graph_def"]),
    "AssetsDefinition.from_op": (AssetsDefinition.from_op, OfNode, ["op_def"]),
}


@pytest.mark.parametrize("owner", SHOWN)
def test_parameters_are_shown(owner):
    """`inspect.signature` has every parameter by name, and the docstring a line for each, all at one indent; what does
    nothing yet says so."""
    function, known, first = SHOWN[owner]
    assert list(inspect.signature(function).parameters) == [*first, *known.__annotations__]
    lines = inspect.getdoc(function).partition("Args:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"    {name}" for name in (*first, *known.__annotations__)]
    assert {line.split()[0][:-1] for line in lines if "not supported yet" in line} == set(NOT_YET[owner])


def test_a_default_that_is_shown():
    """A default in the signature is the one that holds."""
    shown = inspect.signature(AssetsDefinition.from_graph).parameters
    assert (shown["output_required"].default, shown["can_subset"].default, shown["name"].default) == (True, False, None)


def test_every_parameter_is_explained():
    """There are words for every parameter, and for no other."""
    assert set(WORDS) == set(OfNode.__annotations__)


@pytest.mark.parametrize(("owner", "name"), CASES)
def test_not_yet(owner, name):
    """A parameter whose behaviour is not built raises an error that names it, and only when it has a value."""
    GIVEN[owner](**{name: None})
    with pytest.raises(NotYetSupportedError, match=f"`{name}`"):
        GIVEN[owner](**{name: object()})


@pytest.mark.parametrize("owner", GIVEN)
def test_unknown(owner):
    """A parameter that does not exist is a TypeError with the nearest name that does."""
    with pytest.raises(TypeError, match="'group_nam'. Did you mean 'group_name'"):
        GIVEN[owner](group_nam="x")
