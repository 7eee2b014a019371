"""Public names that are called with arguments which they do not take."""

from pathlib import Path

import pytest

import opgraph
from opgraph.declare.arguments import WrongArguments
from opgraph.declare.assets.asset_mistakes import UnknownParameter
from opgraph.declare.mistakes import collecting

ASKED = [
    "op",
    "graph",
    "job",
    "asset",
    "multi_asset",
    "graph_asset",
    "graph_multi_asset",
    "define_asset_job",
    "resource",
    "io_manager",
    "config_mapping",
    "definitions",
    "success_hook",
    "In",
    "Out",
    "GraphIn",
    "GraphOut",
    "Output",
    "AssetIn",
    "AssetOut",
    "AssetSpec",
    "AssetDep",
    "RetryPolicy",
    "Definitions",
    "RunConfig",
    "materialize",
    "build_op_context",
    "load_assets_from_modules",
    "Instance",
]


@pytest.mark.parametrize("name", ASKED)
def test_an_unknown_parameter(name):
    """An argument under an unknown name is one error with the caller's line, and is still a TypeError."""
    with pytest.raises(UnknownParameter, match="nosuch") as caught:
        getattr(opgraph, name)(nosuch=1)
    assert isinstance(caught.value, TypeError)
    assert caught.value.where is not None
    assert Path(caught.value.where.file).name == Path(__file__).name


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("op", "retry_polcy", "retry_policy"),
        ("Definitions", "asset", "assets"),
        ("job", "resources", "resource_defs"),
        ("RetryPolicy", "max_retry", "max_retries"),
        ("AssetSpec", "group", "group_name"),
    ],
)
def test_what_was_meant(name, given, meant):
    """The message asks whether the parameter of a similar name was meant, where one is supported."""
    with pytest.raises(UnknownParameter, match=f"Did you mean '{meant}'") as caught:
        getattr(opgraph, name)(**{given: None})
    assert meant in caught.value.fix


@pytest.mark.parametrize(("name", "tags"), [("op", "tags"), ("job", "tags"), ("graph_asset", "op_tags")])
def test_a_time_limit_is_a_tag(name, tags):
    """Whoever gives `timeout` to a definition is told which tag that is."""
    with pytest.raises(UnknownParameter) as caught:
        getattr(opgraph, name)(timeout=1)
    assert caught.value.fix.startswith(f'write `{tags}={{"opgraph/timeout": 60}}`')


@pytest.mark.parametrize(("name", "given"), [("multi_asset", (len,)), ("AssetSpec", ()), ("job", (len, "again"))])
def test_other_arguments_that_do_not_fit(name, given):
    """Too many by position, or a missing one, is one error too."""
    with pytest.raises(WrongArguments, match=f"{name}\\(\\) "):
        getattr(opgraph, name)(*given)


def test_a_loader_goes_on():
    """While a loader collects, the declaration goes on without the unknown argument."""
    with collecting() as problems:
        made = opgraph.op(nosuch=1, name="it")(lambda x: x)
    assert [type(problem) for problem in problems] == [UnknownParameter]
    assert list(made.ins) == ["x"]


def test_what_a_function_raises_itself():
    """A TypeError of something that the function does stays what it is."""
    with pytest.raises(TypeError, match="not iterable") as caught:
        opgraph.with_resources(5, {})
    assert not isinstance(caught.value, opgraph.Error)
