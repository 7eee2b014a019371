"""What several assets of one definition are described with."""

import pytest

from opgraph import AssetOut, AssetsDefinition, AssetSpec, graph_multi_asset, multi_asset, op


@op
def one():
    """Of the op."""
    return 1


@multi_asset(outs={"a": AssetOut(description="own"), "b": AssetOut()}, description="Of all.")
def described():
    """Not this."""


@multi_asset(specs=[AssetSpec("a", description="own"), AssetSpec("b")])
def documented():
    """Of all."""


@graph_multi_asset(outs={"a": AssetOut(description="own"), "b": AssetOut()})
def of_graph():
    """Of all."""
    return {"a": one(), "b": one()}


@pytest.mark.parametrize("assets", [described, documented, of_graph])
def test_an_asset_without_a_description_has_that_of_all(assets):
    """The description of the definition, or its docstring, stands for each asset that has none of its own."""
    assert {key.text: said for key, said in assets.descriptions_by_key.items()} == {"a": "own", "b": "Of all."}


def test_of_an_op():
    """An asset made of an op has the op's docstring."""
    assert list(AssetsDefinition.from_op(one).descriptions_by_key.values()) == ["Of the op."]
