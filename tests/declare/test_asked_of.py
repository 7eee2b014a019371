"""What code written for Dagster asks of definitions and of what ops give."""

import pytest

from opgraph import (
    AssetKey,
    AssetSpec,
    Definitions,
    DynamicOutput,
    MetadataValue,
    Output,
    SourceAsset,
    asset,
    build_output_context,
    define_asset_job,
    failure_hook,
    graph,
    job,
    materialize,
    op,
)
from opgraph.declare.metadata import InvalidMetadataError, from_wire, to_wire


@pytest.mark.parametrize("name", ["2024", "1a", "a_1"])
def test_names_may_begin_with_a_digit(name):
    """An op, graph, job or asset may be called after a year; it runs, and its step has that name."""
    assert op(name=name)(lambda: 1).name == name
    assert graph(name=name)(lambda: None).name == name
    assert job(name=name)(lambda: None).name == name
    assert define_asset_job(name).name == name
    made = materialize([asset(name=name)(lambda: 3)])
    assert made.output_for_node(name) == 3


def test_names_of_assets_have_dots_and_hyphens():
    """An asset may be called as its file is; its op has an underscore there."""
    table = asset(name="sales-2024.raw")(lambda: 3)
    assert (table.key, table.op.name) == (AssetKey("sales-2024.raw"), "sales_2024_raw")
    assert materialize([table]).asset_value("sales-2024.raw") == 3


@pytest.mark.parametrize("pool", ["a/b", "a-b", "a:b", "a.b", "a|b", "a,b"])
def test_names_of_pools(pool):
    """A pool's name may have parts, however they are set apart."""
    assert op(name="it", pool=pool)(lambda: 1).pool == pool


def test_metadata_of_what_an_op_gives_are_facts():
    """An output that a direct call gives has facts, whatever was written."""

    @op
    def counts():
        return Output(5, metadata={"rows": 5, "note": "x"})

    assert counts().metadata == {"rows": MetadataValue.int(5), "note": MetadataValue.text("x")}
    assert DynamicOutput(1, "a", metadata={"rows": 5}).metadata["rows"].value == 5
    with pytest.raises(InvalidMetadataError) as caught:
        Output(1, metadata={"rows": object()})
    assert caught.value.__notes__ == ["under the key 'rows'"]


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (MetadataValue.int(1), "IntMetadataValue(value=1)"),
        (MetadataValue.text("a"), "TextMetadataValue(text='a')"),
        (MetadataValue.path("/a"), "PathMetadataValue(fspath='/a')"),
        (MetadataValue.notebook("/a"), "NotebookMetadataValue(fspath='/a')"),
        (MetadataValue.null(), "NullMetadataValue()"),
        (MetadataValue.job("nightly", "place"), "DagsterJobMetadataValue(job_name='nightly')"),
        (MetadataValue.asset(AssetKey("a")), "DagsterAssetMetadataValue(asset_key=AssetKey(['a']))"),
    ],
)
def test_a_fact_shows_itself_as_it_is_written(fact, text):
    """The `repr` of a metadata value names its parameter, also after it was recorded."""
    assert repr(fact) == text
    assert from_wire(to_wire(fact)) == fact


def test_what_there_is_not_yet():
    """Partitions, policies and checks can be asked for, and there are none."""

    @failure_hook
    def tell(context): ...

    table = asset(name="table", io_manager_key="files", hooks={tell})(lambda: 1)
    spec = table.get_asset_spec()
    assert (table.partitions_def, table.backfill_policy, set(table.check_keys), list(table.check_specs)) == (
        None,
        None,
        set(),
        [],
    )
    assert (spec.partitions_def, spec.freshness_policy, spec.automation_condition) == (None, None, None)
    assert table.hook_defs == {tell}
    assert table.get_io_manager_key_for_asset_key(table.key) == "files"
    defs = Definitions(assets=[table, AssetSpec("raw")], metadata={"team": "data"})
    assert (defs.schedules, defs.sensors, defs.asset_checks, defs.loggers) == (None, None, None, None)
    assert defs.metadata == {"team": MetadataValue.text("data")}
    source = SourceAsset("raw")
    assert {source.is_executable, source.is_materializable, source.is_observable} == {False}
    nightly = job(name="nightly", metadata={"a": 1})(lambda: None).with_hooks({tell})
    assert (nightly.hook_defs, nightly.partitions_def, nightly.metadata) == ({tell}, None, {"a": MetadataValue.int(1)})


def test_what_an_io_manager_said_so_far():
    """A built context tells what an I/O manager added to it, and the type that it was made with."""
    context = build_output_context(asset_key="table", dagster_type=int)
    context.add_output_metadata({"rows": 3})
    assert (context.get_logged_metadata(), context.get_logged_events()) == ({"rows": 3}, [])
    assert context.dagster_type.typing_type is int
    assert build_output_context().dagster_type.display_name == "Any"
