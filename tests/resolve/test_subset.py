"""Parts of a unit, and whether a part is safe to ask for."""

import pytest

import opgraph as dg
from opgraph.keys import AssetKey
from opgraph.resolve.assets import Unit
from opgraph.resolve.subset import check_subset, in_the_way, part_of

KEPT: list[object] = []  # a unit does not keep its definition alive


def op(name, ins="", outs="result"):
    """An op of these inputs and outputs; `x?` is an optional output."""
    outputs = {each.rstrip("?"): dg.Out(is_required=not each.endswith("?")) for each in outs.split()}
    return dg.op(name=name, ins={each: dg.In() for each in ins.split()}, out=outputs)(lambda **given: None)


def unit(function, outs, can_subset=False):
    made = dg.graph_multi_asset(outs={each: dg.AssetOut() for each in outs.split()}, can_subset=can_subset)(function)
    KEPT.append(made)
    return Unit(made)


def keys(names):
    return {AssetKey(name) for name in names.split()}


def needed(part):
    return {part.unit.flat.steps[step].key: outputs for step, outputs in part.needed.items()}


split, use, join = op("split", "", "a? b? c"), op("use", "x"), op("join", "x y")


def whole():
    a, b, c = split()
    return {"a": a, "from_b": use(b), "from_both": join(use.alias("again")(c), a)}


def test_a_part_has_what_its_assets_need():
    """A part has the ops on the way to its assets, each with the outputs that are needed, and nothing else."""
    it = unit(whole, "a from_b from_both")
    assert needed(part_of(it, keys("from_b"))) == {"whole.split": ("b",), "whole.use": ("result",)}
    assert needed(part_of(it, keys("a"))) == {"whole.split": ("a",)}
    part = part_of(it, keys("a from_b"))
    assert needed(part) == {"whole.split": ("a", "b"), "whole.use": ("result",)}
    assert part.is_subset
    assert part.siblings == set()
    everything = part_of(it, keys("a from_b from_both"))
    assert not everything.is_subset
    assert len(everything.needed) == len(it.flat.steps)


def test_an_unselected_asset_on_the_way_is_loaded():
    """What is an asset of the same unit and not selected is a sibling: its op is not run on its account."""
    it = unit(whole, "a from_b from_both")
    part = part_of(it, keys("from_both"))
    assert part.siblings == keys("a")
    assert needed(part)["whole.split"] == ("c",)
    assert part_of(it, keys("from_both a")).siblings == set()


def required_asset_and_intermediate():
    a, mid = op("make", outs="a mid")()
    return {"first": a, "second": use(mid)}


def optional_asset_and_intermediate():
    a, mid = op("make", outs="a? mid")()
    return {"first": a, "second": use(mid)}


def required_asset_whose_sibling_output_leads_nowhere():
    a, _ = op("make", outs="a mid")()
    return {"first": a, "second": op("other")()}


def required_asset_and_intermediate_of_its_own():
    """`second` loads `first`, so what `make` gives besides serves nobody else."""
    a, mid = op("make", outs="a mid")()
    return {"first": a, "second": join(a, mid)}


def two_required_assets():
    a, b = op("make", outs="a b")()
    return {"first": a, "second": b}


def one_of_two_required():
    a, b = op("make", outs="a b?")()
    return {"first": a, "second": b}


def far_away():
    """The required asset's op feeds the other through several ops and a nested graph."""
    a, mid = op("make", outs="a mid")()

    @dg.graph
    def inner(x):
        return use(use(x))

    return {"first": a, "second": use(inner([mid, op("other")()]))}


@pytest.mark.parametrize(
    ("function", "ops"),
    [
        (required_asset_and_intermediate, ["make a second"]),
        (optional_asset_and_intermediate, []),
        (required_asset_whose_sibling_output_leads_nowhere, []),
        (required_asset_and_intermediate_of_its_own, ["make a second"]),
        (two_required_assets, ["make a second", "make b first"]),
        (one_of_two_required, ["make a second"]),
        (far_away, ["make a second"]),
    ],
)
def test_safety(function, ops):
    """Subsetting is safe exactly when no op has a required asset output together with another output that some other
    asset needs; the ops in the way are named, with the output and the asset that wants the other."""
    told = in_the_way(unit(function, "first second"))
    assert len(told) == len(ops)
    for text, expected in zip(told, ops, strict=True):
        name, output, wanting = expected.split()
        assert f"op `{function.__name__}.{name}` always yields `{output}`" in text
        assert text.endswith(f"(for asset `{wanting}`)")


def test_safety_is_what_plans_show():
    """Where it is called safe no part of the unit makes an unselected asset for certain; where not, some part does."""
    for function in (
        required_asset_and_intermediate, optional_asset_and_intermediate, two_required_assets, one_of_two_required,
        required_asset_whose_sibling_output_leads_nowhere, required_asset_and_intermediate_of_its_own, far_away,
    ):  # fmt: skip
        it = unit(function, "first second")
        certain = [
            name
            for name in ("first", "second")
            for step in part_of(it, keys(name)).needed
            for output, out in it.flat.steps[step].op.outs.items()
            if out.is_required and it.key_at.get((step, output)) not in (None, AssetKey(name))
        ]
        assert bool(certain) == bool(in_the_way(it)), function.__name__


def test_who_may_be_subset():
    """A whole unit always; a part with `can_subset=True`; with "auto" where it is safe; else it is refused."""
    for can_subset in (False, True, "auto"):
        assert check_subset(unit(two_required_assets, "first second", can_subset), keys("first second")) is None
    assert check_subset(unit(two_required_assets, "first second", can_subset=True), keys("first")) is None
    assert check_subset(unit(optional_asset_and_intermediate, "first second", "auto"), keys("first")) is None
    problem = check_subset(unit(two_required_assets, "first second", "auto"), keys("first"))
    assert not problem.safe
    assert (problem.selected, problem.missing) == ((AssetKey("first"),), (AssetKey("second"),))
    problem = check_subset(unit(optional_asset_and_intermediate, "first second"), keys("second"))
    assert problem.safe
    assert problem.where.file == __file__
