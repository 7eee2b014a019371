"""Jobs over assets as jobs, parts of jobs, and the asset graph as users read it."""

import pytest

import opgraph as og


@og.asset
def orders():
    return 1


@og.asset(deps=[og.AssetSpec("outside")])
def report(orders):
    return orders + 1


@og.asset
def loner(): ...


DEFS = og.Definitions(
    assets=[orders, report, loner],
    jobs=[og.define_asset_job("nightly", "+report", tags={"a": "b"}, run_tags={"c": "d"}, metadata={"rows": 3})],
)


def test_an_asset_job_is_a_job():
    """Resolved, it has a graph of what makes its assets, wired as they depend on one another, and its labels."""
    job = DEFS.resolve_job_def("nightly")
    assert isinstance(job, og.JobDefinition)
    assert set(job.graph.nodes) == {"orders", "report"}
    assert job.graph.wires["report"]["orders"].node == "orders"
    assert (job.tags, job.run_tags) == ({"a": "b"}, {"c": "d"})
    assert job.metadata == {"rows": og.IntMetadataValue(3)}
    assert job.execute_in_process().output_for_node("report") == 2


def test_runs_have_the_labels_that_the_job_has_for_them():
    """`run_tags` are the labels of a job's runs, of assets or of ops; where it has none, `tags` are."""
    ops = numbers.to_job("ops", tags={"a": "b"})
    ops_with_both = og.job(name="both", tags={"a": "b"}, run_tags={"c": "d"})(lambda: plus(one()))
    jobs = [DEFS.resolve_job_def("nightly"), ops_with_both, ops]
    labels = [dict(job.execute_in_process().run.tags) for job in jobs]
    assert labels == [{"c": "d"}, {"c": "d"}, {"team": "x", "a": "b"}]
    with og.Instance.ephemeral() as instance:
        run_id = og.execute_job(ops_with_both, instance=instance, tags={"e": "f"}).run_id
        assert dict(instance.get_run_by_id(run_id).tags) == {"c": "d", "e": "f"}


def test_one_selection_of_ops_may_be_a_text():
    """`op_selection="*plus"` is the selection `["*plus"]`, not one of its letters."""
    job = og.job(name="chain")(lambda: plus.alias("last")(plus(one())))
    given = [
        job.execute_in_process(op_selection="*plus"),
        job.get_subset(op_selection="*plus").execute_in_process(),
        og.JobDefinition(graph_def=job.graph, name="part", op_selection="*plus").execute_in_process(),
    ]
    for result in given:
        assert [event.step_key for event in result.all_events if event.is_step_success] == ["one", "plus"]


def test_a_part_of_an_asset_job():
    """A part makes only its assets; an unknown asset is an error."""
    with og.Instance.ephemeral() as instance:
        job = DEFS.resolve_implicit_global_asset_job_def()
        part = job.get_subset(asset_selection=["orders"])
        result = part.execute_in_process(instance=instance)
    assert [event.asset_key.text for event in result.get_asset_materialization_events()] == ["orders"]
    assert part.asset_selection == {og.AssetKey("orders")}
    with pytest.raises(og.InvalidSubsetError, match="order"):
        job.get_subset(asset_selection=["order"])


@og.op
def one():
    return 1


@og.op
def plus(x):
    return x + 1


@og.graph(tags={"team": "x"})
def numbers():
    plus(one())


def test_a_part_of_a_job():
    """A part runs the ops of its selection, keeps the tags, and an unknown op is an error that lists the selection."""
    job = numbers.to_job(tags={"kind": "y"})
    assert job.tags == {"team": "x", "kind": "y"}
    part = job.get_subset(op_selection=["one"])
    assert part.tags == job.tags
    assert [e.step_key for e in part.execute_in_process().get_step_success_events()] == ["one"]
    assert len(numbers.to_job(op_selection=["*"]).execute_in_process().get_step_success_events()) == 2
    with pytest.raises(og.InvalidSubsetError, match=r"op_selection=\['on'\]"):
        job.get_subset(op_selection=["on"])


def test_an_alias_is_a_job():
    """A graph under an alias becomes a job of that name."""
    assert numbers.alias("again").to_job().name == "again"


def test_values_that_cannot_be_stored():
    """Without an instance nothing outlives the call, so ops may hand on anything."""

    class Local: ...

    @og.op
    def make():
        return Local()

    @og.op
    def take(x):
        return type(x).__name__

    @og.job
    def both():
        take(make())

    assert both.execute_in_process().output_for_node("take") == "Local"


def test_external_assets_in_a_graph():
    """An external asset may stand as a value in a graph's body; it is loaded through its own I/O manager."""

    class Five(og.IOManager):
        def handle_output(self, context, obj): ...

        def load_input(self, context):
            assert context.asset_key == og.AssetKey("outside")
            return context.upstream_output.definition_metadata["n"]

    outside = og.SourceAsset("outside", io_manager_key="five", metadata={"n": 5})

    @og.job(resource_defs={"five": Five()})
    def reads():
        plus(outside)

    assert reads.execute_in_process().output_for_node("plus") == 6


def test_asset_graph():
    """The asset graph says of each asset what it is made from and what from it, external ones too."""
    graph = DEFS.resolve_asset_graph()
    assert graph.get(og.AssetKey("report")).parent_keys == {og.AssetKey("orders"), og.AssetKey("outside")}
    assert graph.get(og.AssetKey("orders")).child_keys == {og.AssetKey("report")}
    assert graph.external_asset_keys == {og.AssetKey("outside")}
    assert graph.asset_dep_graph["upstream"][og.AssetKey("orders")] == set()
    assert og.AssetSelection.all().sinks().resolve(DEFS) == {og.AssetKey("report"), og.AssetKey("loner")}
    assert og.AssetSelection.from_coercible([orders]).resolve([orders, loner]) == {og.AssetKey("orders")}


def test_validate_loadable():
    """Every mistake that can be known is found without running anything."""
    og.Definitions.validate_loadable(DEFS)

    @og.asset
    def needs(missing): ...

    with pytest.raises(og.InvalidDefinitionError, match="missing"):
        og.Definitions.validate_loadable(og.Definitions(assets=[needs]))
    with pytest.raises(og.InvalidDefinitionError, match="reserved"):
        og.Definitions.validate_loadable(og.Definitions(jobs=[numbers.to_job(name="__ASSET_JOB")]))


def test_an_op_that_runs_twice_is_in_the_graph_twice():
    """A multi-asset on both sides of another asset is two nodes of the job, wired to what makes their inputs."""

    @og.multi_asset(
        outs={"first": og.AssetOut(is_required=False), "last": og.AssetOut(is_required=False)},
        internal_asset_deps={"first": set(), "last": {og.AssetKey("between")}},
        can_subset=True,
    )
    def ends(context, between):
        if "first" in context.selected_output_names:
            yield og.Output(1, "first")
        if "last" in context.selected_output_names:
            yield og.Output(between + 1, "last")

    @og.asset
    def between(first):
        return first + 1

    class Kept(og.IOManager):
        values: dict[str, int] = {}

        def handle_output(self, context, obj):
            self.values[context.asset_key.text] = obj

        def load_input(self, context):
            return self.values.get(context.asset_key.text, 0)

    job = og.Definitions(assets=[ends, between], resources={"io_manager": Kept()}).resolve_job_def("__ASSET_JOB")
    wired = {name: {key: wire.node for key, wire in wires.items()} for name, wires in job.graph.wires.items()}
    assert wired == {"ends": {}, "between": {"first": "ends"}, "ends_2": {"between": "between"}}
    assert job.execute_in_process().output_for_node("ends_2", "last") == 3


def test_an_asset_job_resolves_with_a_graph_of_assets():
    """`resolve` gives the job of ops for the assets of some definitions; where there are none, an empty one."""
    job = og.define_asset_job("some", "+report", metadata={"a": 1})
    assert set(job.resolve(DEFS.resolve_asset_graph()).graph.nodes) == {"orders", "report"}
    empty = og.define_asset_job("all_of_them").resolve(og.Definitions().resolve_asset_graph())
    assert not empty.graph.nodes


def test_a_custom_io_manager_loads_what_an_asset_wrote_itself():
    """An asset that gives a result without a value can be an argument: its I/O manager knows what it wrote."""

    @og.asset
    def table():
        return og.MaterializeResult(metadata={"rows": 2})

    @og.asset
    def rows(table):
        return table

    class Tables(og.IOManager):
        def handle_output(self, context, obj): ...

        def load_input(self, context):
            return context.asset_key.text

    result = og.materialize([table, rows], resources={"io_manager": Tables()})
    assert result.output_for_node("rows") == "table"
