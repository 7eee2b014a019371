"""Starting runs: what is recorded of them, who is told, and how they end."""

import re

import pytest

from opgraph import (
    AssetKey,
    AssetSpec,
    Definitions,
    DynamicOut,
    DynamicOutput,
    Out,
    Output,
    ReexecutionOptions,
    asset,
    define_asset_job,
    graph,
    graph_asset,
    op,
)
from opgraph.errors import InvalidDefinitionError, InvalidSubsetError, ValueNotFoundError
from opgraph.events import Read, RunEnded, RunStarted, RunStatus, StepSucceeded
from opgraph.operate import api, inspect
from opgraph.operate.api import materialize as materialize_assets
from opgraph.operate.execute import materialize, new_run_id, resume
from opgraph.operate.planning import plan
from opgraph.operate.target import BadPolicy, UnknownJob
from opgraph.plan.model import decode_plan
from opgraph.run.instance import Instance


@pytest.fixture(params=["memory", "disk"])
def instance(request, tmp_path):
    with Instance(tmp_path / "home" if request.param == "disk" else None) as made:
        yield made


@asset
def raw():
    return [1, 2, 3]


@op
def clean(rows):
    return [row for row in rows if row > 1]


@op
def total(rows):
    return sum(rows)


@graph_asset
def report(raw):
    return total(clean(raw))


@op(name="fails")
def failing(rows):
    raise ValueError("no rows")


@graph_asset
def broken(raw):
    return total(failing(raw))


@op
def numbers():
    return [2, 3]


@graph
def work():
    total(clean(numbers()))


DEFS = Definitions(
    assets=[raw, report], jobs=[define_asset_job("nightly", "report", tags={"team": "x"}), work.to_job("ops")]
)


def test_a_run_is_recorded_with_its_plan(instance):
    """A run's row holds what was planned, its tags, when it started and ended, and that it is its own root."""
    seen = []
    outcome = materialize(
        DEFS, instance=instance, tags={"a": "b"}, on_plan=lambda plan, run_id: seen.append((plan, run_id))
    )
    row = instance.record.run(outcome.run_id)
    assert seen == [(outcome.plan, outcome.run_id)]
    assert decode_plan(row.plan) == outcome.plan
    assert (row.status, row.parent, row.root, row.epoch) == (RunStatus.SUCCESS, None, outcome.run_id, 1)
    assert (dict(row.tags), row.code, row.executor) == ({"a": "b"}, outcome.plan.code, "in_process")
    assert row.created <= row.started <= row.ended
    assert (outcome.success, outcome.error, outcome.failed_step, outcome.resumed) == (True, None, "", "")
    assert not instance.record.alive(outcome.run_id)


def test_the_plan_is_what_runs(instance):
    """`plan` tells beforehand the very plan that the run then has."""
    assert plan(DEFS, "+report", instance=instance) == materialize(DEFS, "+report", instance=instance).plan


def test_listeners_hear_every_fact_once_it_is_recorded(instance):
    """Listeners are told of all facts in order, each when it can already be read."""
    heard = []

    def listen(seq, fact):
        assert (seq, fact) in instance.record.facts(instance.record.runs()[0].run_id)
        heard.append((seq, fact))

    outcome = materialize(DEFS, instance=instance, listeners=[listen])
    assert heard == instance.record.facts(outcome.run_id)
    assert isinstance(heard[0][1], RunStarted)
    assert isinstance(heard[-1][1], RunEnded)
    assert len(heard) == 2 + 2 * len(outcome.plan.steps), "two facts for an ordinary step"


def test_a_failed_run_tells_what_and_where(instance):
    """The outcome of a failed run holds the first error as data, its step, and the exception itself."""
    outcome = materialize(Definitions(assets=[raw, broken]), instance=instance)
    assert (outcome.success, outcome.status, outcome.failed_step) == (False, RunStatus.FAILURE, "broken.fails")
    assert (outcome.error.kind, outcome.error.message) == ("ValueError", "no rows")
    assert (outcome.error.frames[-1].file, outcome.error.frames[-1].text) == (__file__, 'raise ValueError("no rows")')
    assert [str(error) for error in outcome.exceptions.values()] == ["no rows"]


def test_what_was_read_is_recorded(instance):
    """Each step records the exact version of every asset that it read, made by this run or by an earlier one."""
    first = materialize(DEFS, instance=instance)
    alone = materialize(DEFS, "report", instance=instance)
    made = instance.record.latest(["raw"])["raw"]
    for outcome in (first, alone):
        reads = [r for _, f in instance.record.facts(outcome.run_id) if isinstance(f, StepSucceeded) for r in f.reads]
        assert reads == [Read("rows", "raw", first.run_id, made.seq, made.stored.data_version)]


def test_an_upstream_that_was_never_made(instance):
    """Selecting an asset whose upstream has no value plans and fails with a message that names it and the remedy."""
    assert plan(DEFS, "report", instance=instance).missing == ("raw",)
    outcome = materialize(DEFS, "report", instance=instance)
    assert (outcome.status, outcome.error.during) == (RunStatus.FAILURE, "load")
    assert "asset `raw` is to be loaded, and no materialization of it is recorded" in outcome.error.message
    assert "+" in outcome.error.message
    assert materialize(DEFS, "+report", instance=instance).success


def test_jobs(instance):
    """A job runs its selection or its ops, under its name and with its tags, and can be resumed."""
    materialize(DEFS, "raw", instance=instance)
    nightly = materialize(DEFS, job="nightly", instance=instance, tags={"more": "1"})
    row = instance.record.run(nightly.run_id)
    assert (row.job, dict(row.tags)) == ("nightly", {"team": "x", "more": "1"})
    assert nightly.plan.selection == ("report",)
    ops = materialize(DEFS, job="ops", instance=instance)
    assert (ops.success, instance.record.run(ops.run_id).job) == (True, "ops")
    assert [step.key for step in ops.plan.steps] == ["numbers", "clean", "total"]
    for run in (nightly, ops):
        step = run.plan.steps[-1].key
        assert resume(DEFS, run.run_id, instance=instance, from_step=step).success


def test_refusals_begin_nothing(instance):
    """A selection, job or policy that does not work is refused before anything is recorded."""
    for options, error in [
        ({"selection": "nothing"}, InvalidSubsetError),
        ({"job": "night"}, UnknownJob),
        ({"policy": "keep"}, BadPolicy),
    ]:
        with pytest.raises(error):
            materialize(DEFS, instance=instance, **options)
    with pytest.raises(InvalidDefinitionError):
        materialize(Definitions(assets=[report]), instance=instance)
    assert instance.record.runs() == []


def test_an_external_asset_is_loaded_from_its_manager(instance):
    """An asset that only a spec declares is read through its I/O manager, and the read has no run."""

    class Outside:
        def load_input(self, context):
            assert context.asset_key == AssetKey("raw")
            return [4, 5]

        def handle_output(self, context, obj):
            raise AssertionError

    spec = AssetSpec("raw").with_io_manager_key("outside")
    outcome = materialize(Definitions(assets=[spec, report], resources={"outside": Outside()}), instance=instance)
    assert (outcome.status, outcome.error) == (RunStatus.SUCCESS, None)
    (read,) = [r for _, f in instance.record.facts(outcome.run_id) if isinstance(f, StepSucceeded) for r in f.reads]
    assert (read.asset, read.run) == ("raw", "")


def test_runs_do_not_see_each_others_intermediates(instance):
    """Intermediates belong to a run: two runs of one graph hold different values at once, and each loads its own."""
    world = []

    @op(out={"x": Out(), "y": Out()})
    def both():
        world.append(1)
        yield Output(len(world), "x")
        if len(world) == 1:
            assert materialize(defs, instance=instance).success  # another run, while this one is under way
        yield Output(len(world), "y")

    @op
    def join(x, y):
        return x, y

    @graph_asset
    def out():
        return join(*both())

    defs = Definitions(assets=[out])
    outcome = materialize(defs, instance=instance)
    values = [defs.load_asset_value("out", run_id=row.run_id, instance=instance) for row in instance.record.runs()]
    assert (outcome.success, values) == (True, [(2, 2), (1, 2)])
    assert instance.record.latest(["out"])["out"].run_id == outcome.run_id, "the one that was recorded last"


def test_run_ids_are_random():
    """A run id has the form of a random UUID, and none comes twice."""
    ids = {new_run_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", i) for i in ids)


def test_no_assets_are_materialized_without_more_ado():
    """An empty list of assets is a run that succeeds; a selection that selects nothing is a mistake all the same."""
    assert materialize_assets([]).success
    with pytest.raises(InvalidSubsetError):
        materialize_assets([], selection="group:none")


class Broken:
    """An I/O manager that fails where it is told to."""

    def __init__(self, *, storing=True, loading=True):
        self.storing, self.loading = storing, loading

    def handle_output(self, context, obj):
        if not self.storing:
            raise OSError("no room")

    def load_input(self, context):
        if not self.loading:
            raise OSError("no line")
        return 1


@asset
def stored():
    return 1


@asset
def reading(stored):
    return 2


@pytest.mark.parametrize(
    ("manager", "note"),
    [
        (Broken(storing=False), "while storing output `result` of step `stored` of run "),
        (Broken(loading=False), "while loading input `stored` of step `reading` of run "),
    ],
)
def test_what_an_io_manager_raises_names_the_value(manager, note):
    """An exception of `handle_output` or `load_input` reaches the caller as it is, with a note that says of what."""
    with pytest.raises(OSError, match="no") as caught:
        api.materialize([stored, reading], resources={"io_manager": manager})
    assert caught.value.__notes__[0].startswith(note)


def test_a_value_that_is_stored_and_not_loaded():
    """A result has the value as the op gave it, also where the user's I/O manager loads nothing, or something else."""
    result = api.materialize([stored], resources={"io_manager": Broken(loading=False)})
    assert result.output_for_node("stored") == 1


def test_the_value_of_an_external_asset_without_a_manager(instance):
    """Asked for the value of an asset that is made elsewhere, nobody is told to materialize it."""
    with pytest.raises(ValueNotFoundError) as caught:
        Definitions(assets=[AssetSpec("raw")]).load_asset_value("raw", instance=instance)
    assert "materialize" not in caught.value.fix
    assert "with_io_manager_key" in caught.value.fix


def test_re_execution_options_ignore_the_instance(instance):
    """Where the run is looked for is said where it is executed: the second argument changes nothing."""
    assert ReexecutionOptions.from_failure("r1", instance) == ReexecutionOptions.from_failure("r1")


def test_what_mapped_ops_read_is_known(instance):
    """An asset that only the mapped ops of a graph read is among what it was made from; what another graph of the same
    run reads is not."""

    @asset
    def other():
        return 2

    @op(out=DynamicOut())
    def each():
        yield DynamicOutput(1, mapping_key="a")
        yield DynamicOutput(2, mapping_key="b")

    @op
    def add(x, rows):
        return x + len(rows)

    @op
    def times(x, rows):
        return x * rows

    @graph_asset
    def added(raw):
        return total(each().map(lambda x: add(x, raw)).collect())

    @graph_asset
    def multiplied(other):
        return total(each().map(lambda x: times(x, other)).collect())

    defs = Definitions(assets=[raw, other, added, multiplied])
    materialize(defs, ["raw", "other"], instance=instance)
    for selection in (None, ["added", "multiplied"]):
        run = materialize(defs, selection, instance=instance)
        for name, read in (("added", "raw"), ("multiplied", "other")):
            latest = inspect.asset_view(instance, name).latest
            assert (latest.run_id, {each.asset for each in latest.reads}) == (run.run_id, {read})
