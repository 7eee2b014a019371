"""Values that assets are said to have."""

import os

import pytest

from opgraph import AssetIn, Definitions, Error, Instance, IOManager, asset, graph_asset, materialize, op
from opgraph.testing import pretend, run, temporary_instance
from opgraph.values.problems import UnstorableValueError


class Warehouse(IOManager):
    """Fails the test that reaches it."""

    def handle_output(self, context, obj):
        raise AssertionError("written to the warehouse")

    def load_input(self, context):
        raise AssertionError("read from the warehouse")


@asset(key_prefix="raw", io_manager_key="warehouse")
def flights():
    raise AssertionError("downloaded")


@op
def late(flights, more):
    return [delay for delay in [*flights, *more] if delay > 10]


@asset
def more():
    return [99]


@graph_asset(ins={"flights": AssetIn("raw/flights")})
def delays(flights, more):
    return late(flights, more)


@asset
def worst(delays):
    return max(delays)


PROJECT = Definitions(assets=[flights, more, delays, worst], resources={"warehouse": Warehouse()})


def test_a_given_value_is_loaded():
    """A run takes the given value of an upstream asset, makes what else it takes, and computes nothing above it."""
    result = run(PROJECT, given={"raw/flights": [3, 30]})
    assert result.asset_value("delays") == [30, 99]
    assert result.asset_value("worst") == 99
    assert {step.key for step in result.plan.steps} == {"more", "delays.late", "worst"}


def test_a_given_value_needs_no_definition():
    """An asset of which only the value matters need not be among the tested ones."""
    assert run([worst], given={"delays": [1, 7]}).asset_value("worst") == 7
    assert run(worst, given={"delays": [1, 7]}).asset_value("worst") == 7


def test_a_selection_beside_given_values():
    """With a selection only that is made, of given values."""
    result = run(PROJECT, "delays", given={"raw/flights": [12], "more": []})
    assert result.asset_value("delays") == [12]
    assert [step.key for step in result.plan.steps] == ["delays.late"]


@pytest.mark.parametrize("size", [1, 100_000])
def test_pretended_values_stay_in_the_record(tmp_path, size):
    """Dagster #7656: a pretended materialization is one like any other to every later run, small or large, in another
    process too."""
    with Instance(tmp_path) as instance:
        run_id = pretend(instance, {"raw/flights": [50] * size, "more": [None]})
        pretend(instance, {"more": []})
    with Instance(tmp_path) as instance:
        made = materialize(PROJECT.assets, instance=instance, resources=PROJECT.resources, selection="delays")
        assert made.asset_value("delays") == [50] * size
        assert instance.get_run_by_id(run_id).is_success
        assert PROJECT.load_asset_value("more", instance=instance) == []


def test_none_is_a_value():
    """An asset may be said to be None."""

    @asset
    def told(delays):
        return delays is None

    assert run(told, given={"delays": None}).asset_value("told") is True


def test_what_cannot_be_stored_is_said():
    """A value that pickle refuses is an error that names it, and nothing is recorded."""
    with Instance.ephemeral() as instance:
        with pytest.raises(UnstorableValueError, match="delays"):
            pretend(instance, {"delays": lambda: None})
        assert instance.get_runs() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"raw/flight": []}, "a value of `raw/flight` is given, and nothing that is to run takes it"),
        ({"more": [1]}, "a value of `more` is given, and nothing that is to run takes it"),
        ({"x": 1, "y": 2}, "values of `x`, `y` are given, and nothing that is to run takes them"),
    ],
)
def test_a_value_that_nothing_takes(given, said):
    """A mistyped key is a mistake, and so is a value of all there is: the test would run what it leaves out."""
    with pytest.raises(Error, match=said):
        run([more] if "more" in given else PROJECT, given=given)


def test_a_failure_is_a_result():
    """What else `materialize` takes can be given: here, that a failure is looked at."""
    result = run(worst, given={"delays": []}, raise_on_error=False)
    assert result.get_failed_step_keys() == {"worst"}


def test_a_temporary_instance_goes(monkeypatch):
    """In its block the temporary instance is the one of `Instance.get()`; after it its folder is gone."""
    monkeypatch.setenv("OPGRAPH_HOME", "before")
    with temporary_instance() as instance:
        assert Instance.get().home == instance.home
        run(worst, given={"delays": [4]}, instance=instance)
        home = instance.home
        assert (home / "record.db").exists()
    assert not home.exists()
    assert os.environ["OPGRAPH_HOME"] == "before"
