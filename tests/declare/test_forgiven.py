"""What looks like a slip and is none, or only deserves a warning."""

import warnings

import pytest

from opgraph import asset, graph, job, materialize, op


@op
def one():
    return 1


def test_uninvoked():
    """A node that was given an alias or tags and never called is warned of, once."""
    with pytest.warns(UserWarning, match="received an uninvoked op: nothing calls `second`") as told:

        @job
        def nothing_of_it():
            one.tag({"a": "b"}).alias("second")

    assert len(told) == 1


def test_invoked():
    """A node that is called is not warned of, whatever was said of it before."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        @graph
        def all_of_it():
            one.alias("first").tag({"a": "b"})()

    assert list(all_of_it.nodes) == ["first"]


def test_dependency_of_an_argument():
    """An asset may be named in `deps` and be an argument too: its value is loaded, once."""

    @asset
    def up():
        return 1

    @asset(deps=[up])
    def down(up):
        return up + 1

    assert [dep.asset_key.text for dep in next(iter(down.specs)).deps] == ["up"]
    assert materialize([up, down]).asset_value("down") == 2
