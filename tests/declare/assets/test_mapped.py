"""Changing what is said of assets that are declared already."""

import pytest

import opgraph as og


@og.asset(group_name="raw")
def orders():
    return 1


@og.asset
def report(orders):
    return orders + 1


def test_definitions_and_specs():
    """Every spec goes through the function; what makes an asset stays as it was."""
    changed = og.map_asset_specs(
        lambda spec: spec.replace_attributes(owners=["team:data"]), [orders, og.AssetSpec("outside")]
    )
    assert changed[0].specs[0].owners == ["team:data"]
    assert changed[0].group_names_by_key[orders.key] == "raw"
    assert changed[1].owners == ["team:data"]
    assert orders.specs[0].owners == []


def test_a_changed_key_is_followed():
    """A key that the function changes is the asset's key from then on."""
    (moved,) = og.map_asset_specs(lambda spec: spec.replace_attributes(key=spec.key.with_prefix("new")), [orders])
    assert moved.key == og.AssetKey("new/orders")
    assert og.materialize([moved]).asset_value("new/orders") == 1


def test_an_added_dependency_orders():
    """A dependency that the function adds is waited for."""

    @og.asset
    def last(orders): ...

    (later,) = og.map_asset_specs(lambda spec: spec.merge_attributes(deps=[report]), [last])
    result = og.materialize([later, report, orders])
    keys = [event.step_key for event in result.get_step_success_events()]
    assert keys.index("last") > keys.index("report")


def test_an_argument_stays_a_dependency():
    """Taking away a dependency that an argument is, is a mistake."""
    with pytest.raises(og.InvariantViolationError, match="argument `orders`"):
        og.map_asset_specs(lambda spec: spec.replace_attributes(deps=[]), [report])


def test_in_definitions():
    """`Definitions.map_asset_specs` changes those of a selection."""
    defs = og.Definitions(assets=[orders, report])
    changed = defs.map_asset_specs(
        func=lambda spec: spec.replace_attributes(group_name="all"), selection=og.AssetSelection.keys("report")
    )
    assert {spec.key.text: spec.group_name for spec in changed.get_all_asset_specs()} == {
        "orders": "raw",
        "report": "all",
    }


def test_another_word_on_a_dependency():
    """A dependency that is there already may be given again, but not with something else said of it."""
    spec = og.AssetSpec("a", deps=["b"])
    assert spec.merge_attributes(deps=["b", "c"]).deps == [og.AssetDep("b"), og.AssetDep("c")]
    with pytest.raises(og.InvariantViolationError, match="already"):
        spec.merge_attributes(deps=[og.AssetDep("b", metadata={"x": 1})])
