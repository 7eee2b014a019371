"""I/O managers and what they are told."""

import linecache

import pytest

from opgraph.errors import InvariantViolationError
from opgraph.keys import AssetKey
from opgraph.run.store.io_managers import ConfigurableIOManager
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.manager import FilesystemIOManager, InMemoryIOManager, InputManager, IOManager, fs_io_manager
from opgraph.values.problems import (
    NoAssetError,
    UnfinishedManager,
    UnpartitionedError,
    UnstorableValueError,
    ValueLostError,
)

KEY = AssetKey("a/b")


def out(**given):
    return OutputContext(**{"name": "result", "step_key": "graph.op", "run_id": "r1", **given})


@pytest.fixture(params=["folder", "instance", "memory"])
def manager_and_storage(request, tmp_path):
    if request.param == "memory":
        return InMemoryIOManager(), ""
    return (FilesystemIOManager(tmp_path), "") if request.param == "folder" else (fs_io_manager, str(tmp_path))


@pytest.mark.parametrize("given", [{}, {"key": KEY}, {"mapping_key": "k"}], ids=["op", "asset", "mapped"])
def test_round_trip(manager_and_storage, given):
    """What handle_output stored, load_input gives back, for an intermediate, an asset and a mapped value."""
    manager, storage = manager_and_storage
    context = out(storage=storage, **given)
    manager.handle_output(context, {"x": 1})
    loaded = manager.load_input(
        InputContext(input_name="in", upstream_output=context, key=given.get("key"), storage=storage)
    )
    assert loaded == {"x": 1}


def test_old_versions_stay(tmp_path):
    """The file manager keeps every version of an asset: each is found through its recorded location."""
    manager, contexts = FilesystemIOManager(tmp_path), []
    for value in (1, 2):
        context = out(key=KEY)
        manager.handle_output(context, value)
        contexts.append(context)
    assert [manager.load_input(InputContext(upstream_output=c, key=KEY)) for c in contexts] == [1, 2]
    assert (FilesystemIOManager.versioned, InMemoryIOManager.versioned, IOManager.versioned) == (True, False, False)


def test_never_materialized(manager_and_storage):
    """Loading an asset of which nothing is recorded is a ValueLostError that names the asset."""
    manager, storage = manager_and_storage
    with pytest.raises(ValueLostError, match="a/b"):
        manager.load_input(InputContext(input_name="in", key=KEY, storage=storage))


def test_unstorable_names_the_output(tmp_path):
    """A value that pickle refuses is named with its output and step, and no file or folder is made."""
    with pytest.raises(UnstorableValueError, match="output 'result' of 'graph.op' is a function") as caught:
        FilesystemIOManager(tmp_path / "root").handle_output(out(), lambda: 1)
    assert (caught.value.output, caught.value.step_key) == ("result", "graph.op")
    assert not (tmp_path / "root").exists()


def test_no_folder_at_all():
    """Without a base_dir and without an instance the file manager says what to give it."""
    with pytest.raises(InvariantViolationError, match="base_dir"):
        FilesystemIOManager().handle_output(out(), 1)


def test_identifiers():
    """An asset is identified by its key, an intermediate by run, step, output and mapping key."""
    assert out(key=KEY).get_identifier() == ["a", "b"] == out(key=KEY).get_asset_identifier()
    assert out().get_identifier() == ["r1", "graph.op", "result"]
    assert out(mapping_key="k").get_identifier() == ["r1", "graph.op", "result", "k"]
    assert InputContext(input_name="x", upstream_output=out()).get_identifier() == out().get_identifier()
    assert InputContext(input_name="x", key=KEY).get_identifier() == ["a", "b"]


def test_members_that_need_an_asset_or_a_partition():
    """Asking for an asset key or a partition where there is none is an error that says what to ask first."""
    for context in (out(), InputContext(input_name="x", upstream_output=out())):
        assert not context.has_asset_key
        assert not context.has_partition_key
        assert not context.has_asset_partitions
        with pytest.raises(NoAssetError, match="has_asset_key"):
            _ = context.asset_key
        for member in ("partition_key", "asset_partition_key", "asset_partitions_time_window"):
            with pytest.raises(UnpartitionedError, match=member):
                getattr(context, member)
        with pytest.raises(AttributeError, match="wrong"):
            _ = context.wrong
    with pytest.raises(InvariantViolationError, match="has_input_name"):
        _ = InputContext(key=KEY).name


def test_metadata_is_kept():
    """add_output_metadata keeps facts; the same name twice is an error."""
    context = out()
    context.add_output_metadata({"rows": 1})
    context.add_output_metadata({"path": "x"})
    assert context.added_metadata == {"rows": 1, "path": "x"}
    with pytest.raises(InvariantViolationError, match="'rows'"):
        context.add_output_metadata({"rows": 2})


@pytest.mark.parametrize("base", [IOManager, ConfigurableIOManager, InputManager])
def test_a_class_without_its_methods(base):
    """Making an object of it is one mistake, which names the methods and the line of the class."""

    class Half(base):
        def handle_output(self, context, obj): ...

    with pytest.raises(UnfinishedManager) as caught:
        Half()
    assert caught.value.what == "`Half` has no `load_input`, which its kind of class needs"
    assert linecache.getline(*caught.value.where).strip() == "class Half(base):"
    assert isinstance(caught.value, TypeError)
    with pytest.raises(UnfinishedManager, match=r"`Half\[z-a\]` has no `load_input`"):
        type("Half[z-a]", (Half,), {})()
