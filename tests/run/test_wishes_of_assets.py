"""What users of such systems ask for about graph-backed assets, their values and contexts: numbers are of dagster's
issues that ask for it."""

import gc
import tracemalloc

import pytest

from opgraph import (
    AssetExecutionContext,
    AssetsDefinition,
    Config,
    ConfigurableResource,
    Definitions,
    DynamicOut,
    DynamicOutput,
    In,
    Instance,
    IOManager,
    MetadataValue,
    Nothing,
    OpExecutionContext,
    Out,
    Output,
    RetryPolicy,
    asset,
    build_asset_context,
    build_init_resource_context,
    build_input_context,
    build_op_context,
    build_output_context,
    graph,
    graph_asset,
    job,
    materialize,
    op,
)
from opgraph import resource as resource_function
from opgraph.operate import execute
from opgraph.resolve.mistakes import NotAnIOManager


class Kept(IOManager):
    """Keeps values by their identifiers, and what `load_input` was told of them."""

    def __init__(self):
        self.values, self.told = {}, []

    def handle_output(self, context, obj):
        context.add_output_metadata({"place": "here"})
        self.values[tuple(context.get_identifier())] = obj

    def load_input(self, context):
        made = context.upstream_output
        self.told.append((dict(made.definition_metadata), dict(made.output_metadata)))
        return self.values[tuple(made.get_identifier())]


# -- graph assets as assets -----------------------------------------------------------


@op(out={"used": Out(), "unused": Out(io_manager_key="kept")})
def several():
    return 1, 2


@op
def same(x):
    return x


def test_an_output_that_nothing_takes():
    """#24481: an op in the middle of a graph may have an output that nothing takes: an asset is made without it, and a
    job of ops has it stored."""

    def body():
        return same(several().used)

    of_graph = AssetsDefinition.from_graph(graph(name="of_graph")(body))
    kept = Kept()
    result = materialize([graph_asset(name="made")(body), of_graph], resources={"kept": kept})
    assert (result.asset_value("made"), result.asset_value("of_graph"), kept.values) == (1, 1, {})
    assert job(name="nightly", resource_defs={"kept": kept})(body).execute_in_process().success
    assert list(kept.values.values()) == [2]


def test_a_graph_asset_is_labelled_and_read_as_an_asset():
    """#19932: what is said of a graph asset is what an asset has of it, and its policy and I/O manager are those of its
    ops and of its value."""
    said = {
        "group_name": "sales", "kinds": {"python"}, "owners": ["team:data"], "metadata": {"a": 1}, "tags": {"b": "c"},
        "code_version": "2", "description": "All of them.", "deps": ["raw"],
    }  # fmt: skip
    tried = []

    @op
    def flaky():
        tried.append(1)
        if len(tried) == 1:
            raise ConnectionError
        return 3

    plain = asset(name="plain", **said)(lambda: 3).get_asset_spec()
    of_graph = graph_asset(name="backed", io_manager_key="kept", retry_policy=RetryPolicy(max_retries=1), **said)
    backed = of_graph(lambda: same(flaky()))
    assert backed.get_asset_spec().replace_attributes(key="plain") == plain
    kept = Kept()
    assert materialize([backed], resources={"kept": kept}).success
    assert (kept.values, len(tried)) == ({("backed",): 3}, 2)  # what is between ops is not the asset


class Limits(Config):
    most: int
    least: int = 0


@op
def limited(config: Limits) -> tuple[int, int]:
    return config.least, config.most


def test_config_classes_in_a_graph_asset():
    """#13880: an op of a graph asset takes its Config as it does elsewhere, from the run and from the graph asset's own
    defaults, nested graphs included."""

    @graph
    def inner():
        return limited()

    @graph_asset(config={"inner": {"ops": {"limited": {"config": {"most": 5}}}}})
    def bounds():
        return inner()

    assert materialize([bounds]).asset_value("bounds") == (0, 5)
    given = {"ops": {"bounds": {"ops": {"inner": {"ops": {"limited": {"config": {"least": 2}}}}}}}}
    assert materialize([bounds], run_config=given).asset_value("bounds") == (2, 5)


# -- metadata -------------------------------------------------------------------------


@op(out=Out(metadata={"unit": "km"}))
def distance():
    return Output(3, metadata={"rows": 7})


@op(out=DynamicOut())
def each():
    for key in ("a", "b"):
        yield DynamicOutput(key, mapping_key=key, metadata={"named": key})


@op
def told(context: OpExecutionContext, x):
    return {name: fact.value for name, fact in context.get_input_metadata("x").items()}


@op
def together(context: OpExecutionContext, x, y):
    return [x, *y, dict(context.get_input_metadata("y"))]


@graph_asset
def report():
    return together(told(distance()), each().map(told).collect())


@pytest.mark.parametrize("executor", ["in_process", "threads", "processes"])
def test_metadata_for_downstream_ops(executor, tmp_path):
    """#8521: an op is told the metadata that the op above it gave with its value, mapped ops each that of their own; of
    several values together there is none."""
    defs = Definitions(assets=[report])
    with Instance(tmp_path) as instance:
        assert execute.materialize(defs, instance=instance, executor=executor).success
        assert defs.load_asset_value("report", instance=instance) == [{"rows": 7}, {"named": "a"}, {"named": "b"}, {}]


def test_metadata_of_an_asset(tmp_path):
    """#8521: of an asset too, in the run that makes it and in a later one; a resumed run is told that of the value that
    it reuses."""
    failing = [True]

    @asset
    def source():
        return Output(1, metadata={"rows": 7, "note": MetadataValue.md("*new*")})

    @asset
    def reader(context: AssetExecutionContext, source):
        if failing:
            raise ValueError
        return dict(context.get_input_metadata("source"))

    defs = Definitions(assets=[source, reader])
    expected = {"rows": MetadataValue.int(7), "note": MetadataValue.md("*new*")}
    with Instance(tmp_path) as instance:
        failed = execute.materialize(defs, instance=instance)
        failing.clear()
        assert execute.resume(defs, failed.run_id, instance=instance).success
        assert defs.load_asset_value("reader", instance=instance) == expected
        assert execute.materialize(defs, "reader", instance=instance).success
        assert defs.load_asset_value("reader", instance=instance) == expected


def test_metadata_for_an_io_manager():
    """#8521: `load_input` is told what the op said of the value and what `handle_output` added, apart from what was
    declared of the output."""
    kept = Kept()
    made = graph_asset(name="made")(lambda: same(distance()))
    assert materialize([made], resources={"io_manager": kept}).success
    assert kept.told == [({"unit": "km"}, {"rows": MetadataValue.int(7), "place": MetadataValue.text("here")})]


# -- I/O managers that are not there, contexts by hand ---------------------------------------


def test_a_project_without_an_io_manager():
    """#32065: where no asset gives a value there need be no I/O manager: `None` in its place is none, and no resource
    is made; where a value has to be stored, that is a mistake which names the output."""
    ran = []

    @asset
    def table() -> None:
        ran.append("table")

    @op(out=Out(Nothing))
    def write():
        ran.append("write")

    @op(ins={"start": In(Nothing)}, out=Out(Nothing))
    def check():
        ran.append("check")

    written = graph_asset(name="written", deps=[table])(lambda: check(start=write()))
    result = materialize([table, written], resources={"io_manager": None})
    assert (result.success, ran) == (True, ["table", "write", "check"])
    assert not [event for event in result.all_events if "RESOURCE" in event.event_type.value]
    number = asset(name="number")(lambda: 1)
    with pytest.raises(NotAnIOManager, match="output `result` of op `number`"):
        materialize([table, number], resources={"io_manager": None})


def test_contexts_are_made_by_hand():
    """#9838: a test says which run it is to an op, an asset, a resource and an I/O manager."""
    for build in (build_op_context, build_asset_context, build_init_resource_context, build_output_context):
        assert build(run_id="r1").run_id == "r1"
    made = build_output_context(run_id="r1", step_key="s", name="rows", output_metadata={"rows": 2})
    loading = build_input_context(run_id="r2", upstream_output=made)
    assert (loading.run_id, loading.upstream_output.run_id) == ("r2", "r1")
    assert loading.get_identifier() == ["r1", "s", "rows"]

    @resource_function
    def folder(context):
        return f"/tmp/{context.run_id}"

    assert folder(build_init_resource_context(run_id="r1")) == "/tmp/r1"


# -- memory ------------------------------------------------------------------------------


class Connection(ConfigurableResource):
    url: str = "db"


@asset
def last(report, connection: Connection):
    return connection.url


@pytest.mark.parametrize("executor", ["in_process", "threads"])
def test_a_program_of_many_runs_does_not_grow(executor, tmp_path):
    """#32070: a process that goes on and starts run after run keeps less than 4 KB of each."""
    defs = Definitions(assets=[report, last], resources={"connection": Connection()})
    with Instance(tmp_path) as instance:

        def runs(count):
            for _ in range(count):
                assert execute.materialize(defs, instance=instance, executor=executor).success
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = runs(40)
            # What else goes on in the process comes and goes; what runs leave behind does not.
            assert min(runs(40) for _ in range(3)) - before < 40 * 4096
        finally:
            tracemalloc.stop()
