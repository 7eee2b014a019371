"""The instance: where it is, and what it knows."""

import stat
from pathlib import Path

import pytest

import opgraph
from opgraph import (
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetOut,
    AssetRecordsFilter,
    Definitions,
    DynamicOut,
    DynamicOutput,
    EventType,
    Instance,
    InvalidDefinitionError,
    Output,
    RetryPolicy,
    RunStatus,
    asset,
    job,
    materialize,
    multi_asset,
    op,
)
from opgraph.errors import RunNotFoundError
from opgraph.run.instance import HOME_VARIABLE, NoHome, NotOfAnAsset
from opgraph.run.report.views import EventRecordsFilter, RunsFilter


@asset
def numbers():
    return Output([1, 2], metadata={"rows": 2})


@asset(key_prefix="pre")
def broken():
    raise ValueError("no")


@op
def seven():
    return 7


@job(tags={"team": "data"})
def nightly():
    seven()


@pytest.fixture(params=["memory", "disk"])
def instance(request, tmp_path):
    """An instance of either kind."""
    with Instance.ephemeral() if request.param == "memory" else Instance.local_temp(tmp_path) as made:
        yield made


def test_runs_are_listed_newest_first(instance):
    """All runs can be listed, counted, limited, filtered, and found by id."""
    first = materialize([numbers], instance=instance).run_id
    second = nightly.execute_in_process(instance=instance).run_id
    third = materialize([numbers, broken], instance=instance, raise_on_error=False).run_id
    assert [run.run_id for run in instance.get_runs()] == [third, second, first]
    assert [run.run_id for run in instance.get_runs(limit=1)] == [third]
    assert [run.run_id for run in instance.get_runs(cursor=third, limit=1)] == [second]
    assert [run.run_id for run in instance.get_runs(RunsFilter(statuses=[RunStatus.FAILURE]))] == [third]
    assert [run.run_id for run in instance.get_runs(RunsFilter(tags={"team": "data"}))] == [second]
    assert [run.run_id for run in instance.get_runs(RunsFilter(job_name="nightly"), limit=5)] == [second]
    assert instance.get_runs_count() == 3
    assert instance.get_runs()[2].asset_selection == {AssetKey("numbers")}
    assert instance.get_run_by_id(second).job_name == "nightly"
    assert instance.has_run(first)


def test_records_of_runs_and_events(instance):
    """Runs come with their times, and events of all runs by kind, asset and time, the newest first or the oldest."""
    first = materialize([numbers], instance=instance).run_id
    second = materialize([numbers, broken], instance=instance, raise_on_error=False).run_id
    assert instance.get_run_ids() == [second, first]
    newest, oldest = instance.get_run_records()
    assert (newest.dagster_run.run_id, oldest.dagster_run.run_id) == (second, first)
    assert oldest.create_timestamp.timestamp() <= oldest.start_time <= oldest.end_time
    assert instance.get_run_record_by_id(first).dagster_run == oldest.dagster_run
    assert instance.get_run_record_by_id("nobody") is None
    wanted = EventRecordsFilter(EventType.ASSET_MATERIALIZATION, AssetKey("numbers"))
    assert [each.run_id for each in instance.get_event_records(wanted)] == [second, first]
    assert [each.run_id for each in instance.get_event_records(wanted, limit=1, ascending=True)] == [first]
    later = EventRecordsFilter(EventType.ASSET_MATERIALIZATION, after_timestamp=oldest.end_time)
    assert [each.run_id for each in instance.get_event_records(later)] == [second]
    assert instance.get_event_records(EventRecordsFilter(EventType.ASSET_OBSERVATION)) == []


def test_a_run_that_is_not_there_is_none(instance):
    """An unknown run is None, or an error where events of it are wanted."""
    assert instance.get_run_by_id("nobody") is None
    assert not instance.has_run("nobody")
    with pytest.raises(RunNotFoundError, match="nobody"):
        instance.all_logs("nobody")


def test_events_can_be_had_by_type(instance):
    """The events of a run come in order, all of them or those of some types."""
    run_id = materialize([numbers, broken], instance=instance, raise_on_error=False).run_id
    failures = instance.all_logs(run_id, of_type=EventType.STEP_FAILURE)
    assert [record.step_key for record in failures] == ["pre__broken"]
    assert failures[0].dagster_event.step_failure_data.error.cls_name == "ValueError"
    both = instance.all_logs(run_id, of_type={EventType.RUN_START, EventType.RUN_FAILURE})
    assert [record.event_type for record in both] == [EventType.RUN_START, EventType.RUN_FAILURE]
    last = instance.get_records_for_run(run_id, limit=1, ascending=False)
    assert [record.event_type for record in last.records] == [EventType.RUN_FAILURE]
    assert last.has_more
    assert not instance.get_records_for_run(run_id).has_more


def test_the_catalog_knows_what_was_materialized(instance):
    """The last materialization and the history of an asset are there, with metadata; a failed asset has none."""
    runs = [materialize([numbers, broken], instance=instance, raise_on_error=False).run_id for _ in range(3)]
    latest = instance.get_latest_materialization_event("numbers")
    assert (latest.run_id, latest.asset_key) == (runs[2], AssetKey("numbers"))
    assert latest.asset_materialization.metadata["rows"].value == 2
    assert instance.get_latest_materialization_event(["pre", "broken"]) is None
    history = instance.fetch_materializations(AssetKey("numbers"), limit=2)
    assert [record.run_id for record in history.records] == [runs[2], runs[1]]
    assert history.has_more
    assert not instance.fetch_materializations("numbers").has_more
    assert instance.get_asset_keys() == [AssetKey("numbers")]


def test_what_was_recorded_on_disk_is_there_for_the_next_process(tmp_path):
    """An instance opened again on the same folder knows the runs of the one before; only the owner may read it."""
    home = tmp_path / "home"
    with Instance(home) as before:
        run_id = materialize([numbers], instance=before).run_id
        assert not before.is_ephemeral
    with Instance(home) as after:
        assert after.get_run_by_id(run_id).is_success
        assert [r.event_type for r in after.all_logs(run_id)][-1] is EventType.RUN_SUCCESS
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_home_is_found(tmp_path, monkeypatch):
    """`get` takes the folder that the variable names, else the nearest `.opgraph` folder, else it says what to do."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "named"))
    with Instance.get() as named:
        assert named.home == tmp_path / "named"
    monkeypatch.delenv(HOME_VARIABLE)
    (tmp_path / "project" / ".opgraph").mkdir(parents=True)
    (tmp_path / "project" / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "project" / "deep")
    with Instance.get() as found:
        assert found.home == tmp_path / "project" / ".opgraph"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoHome, match=HOME_VARIABLE):
        Instance.get()


def test_a_temporary_folder_goes_with_its_instance():
    """The folder that `local_temp` makes is there while the instance is, and gone when it is closed."""
    instance = Instance.local_temp()
    folder = instance.storage_directory()
    materialize([numbers], instance=instance)
    assert Path(folder).is_dir()
    instance.dispose()
    assert not Path(folder).exists()


def test_an_instance_in_memory_has_a_folder_only_when_asked():
    """The folder of an ephemeral instance is made when it is asked for, stays the same, and goes with it."""
    instance = Instance.ephemeral()
    assert instance.is_ephemeral
    folder = instance.storage
    assert instance.storage == folder
    assert Path(folder).is_dir()
    instance.close()
    assert not Path(folder).exists()


def test_whether_an_asset_is_recorded():
    """`has_asset_key` tells whether there is a materialization of an asset."""

    @asset
    def numbers():
        return [1]

    with Instance.ephemeral() as instance:
        assert not instance.has_asset_key("numbers")
        materialize([numbers], instance=instance)
        assert instance.has_asset_key(AssetKey("numbers"))
        assert not instance.has_asset_key("others")


def test_lines_of_log_stand_among_the_events():
    """What steps log is in `all_logs` where it was said, with its step and level, and is no event; prints are not."""

    @op
    def speaks(context):
        print("printed")
        context.log_event(AssetMaterialization("before"))
        context.log.warning("few rows")
        return 1

    @op(out=DynamicOut())
    def many():
        yield DynamicOutput(1, mapping_key="one")

    @op
    def each(context, x):
        context.log.debug("one of them")

    @job
    def talk():
        speaks()
        many().map(each)

    with Instance.ephemeral() as instance:
        run_id = talk.execute_in_process(instance=instance).run_id
        logs = instance.all_logs(run_id)
        said = [(e.step_key, e.level, e.user_message) for e in logs if e.dagster_event is None]
        assert said == [("speaks", 30, "few rows"), ("each[one]", 10, "one of them")]
        kinds = [e.event_type for e in logs if e.step_key == "speaks"]
        at = kinds.index(None)
        assert kinds.index(EventType.ASSET_MATERIALIZATION) < at < kinds.index(EventType.STEP_SUCCESS)
        assert all(e.is_dagster_event for e in instance.all_logs(run_id, of_type=set(EventType)))
        assert len(instance.get_records_for_run(run_id)) == len(logs) - 2


def test_what_is_reported_outside_runs(tmp_path):
    """A materialization and an observation of an asset can be recorded without a run, and a stored value stays."""

    @asset
    def flights():
        return 7

    with Instance(tmp_path) as instance:
        materialize([flights], instance=instance)
        instance.report_runless_asset_event(AssetMaterialization("flights", "by hand", {"rows": 3}, tags={"t": "1"}))
        instance.report_runless_asset_event(AssetObservation("flights", metadata={"age": 1}))
        said = instance.get_latest_materialization_event("flights")
        assert (said.run_id, said.step_key, said.asset_materialization.description) == ("", None, "by hand")
        assert said.asset_materialization.tags["t"] == "1"
        wanted = AssetRecordsFilter(AssetKey("flights"))
        assert [each.run_id == "" for each in instance.fetch_materializations(wanted)] == [True, False]
        first = instance.fetch_materializations(wanted, limit=1, ascending=True)
        assert (first.has_more, first[0].run_id == "") == (True, False)
        assert [each.run_id for each in instance.fetch_materializations(wanted, 1, first.cursor, ascending=True)] == [
            ""
        ]
        assert [each.asset_observation.metadata["age"].value for each in instance.fetch_observations("flights")] == [1]
        assert [each.asset_entry.last_run_id for each in instance.get_asset_records()] == [""]
        assert len(instance.get_runs()) == 1
        assert Definitions(assets=[flights]).load_asset_value("flights", instance=instance) == 7
        with pytest.raises(NotOfAnAsset, match="not a str"):
            instance.report_runless_asset_event("flights")


def test_observations_of_runs_and_of_nobody_come_in_order(tmp_path):
    """What runs observed and what was reported beside them is one list by the order of recording, of one asset only."""

    @asset
    def flights(context):
        for age in (1, 2):
            context.log_event(AssetObservation("planes", metadata={"age": age}))
        context.log_event(AssetObservation("others"))
        return 7

    with Instance(tmp_path) as instance:
        materialize([flights], instance=instance)
        instance.report_runless_asset_event(AssetObservation("planes", metadata={"age": 3}))
        materialize([flights], instance=instance)
        newest = instance.fetch_observations("planes", limit=4)
        assert [each.asset_observation.metadata["age"].value for each in newest] == [2, 1, 3, 2]
        assert (newest.has_more, newest[0].step_key, newest[2].step_key) == (True, "flights", None)
        rest = instance.fetch_observations("planes", cursor=newest.cursor)
        assert [each.asset_observation.metadata["age"].value for each in rest] == [1]
        oldest = instance.get_event_records(
            EventRecordsFilter(EventType.ASSET_OBSERVATION, AssetKey("planes")), 2, True
        )
        assert [each.asset_observation.metadata["age"].value for each in oldest] == [1, 2]


def test_pages_stay_where_they_are_when_events_come(tmp_path):
    """Who reads an asset's events page by page sees each once, newest first or oldest first, though more come."""
    for ascending in (False, True):
        with Instance(tmp_path / str(ascending)) as instance:

            def tell(number, instance=instance):
                instance.report_runless_asset_event(AssetMaterialization("planes", metadata={"n": number}))
                instance.report_runless_asset_event(AssetObservation("planes", metadata={"n": number}))

            for number in range(5):
                tell(number)
            for fetched in (instance.fetch_materializations, instance.fetch_observations):
                seen, cursor, more = [], None, True
                while more and len(seen) < 20:
                    page = fetched("planes", 2, cursor, ascending)
                    seen += [each.asset_materialization or each.asset_observation for each in page]
                    cursor, more = page.cursor, page.has_more
                    if len(seen) == 2:
                        tell(9)
                numbers = [each.metadata["n"].value for each in seen]
                first = [0, 1, 2, 3, 4] if ascending else [4, 3, 2, 1, 0]
                assert [n for n in numbers if n != 9] == first


def test_the_code_version_of_the_last_materialization(tmp_path):
    """The version that stood at an asset when it was last made is known, and none where none stood or none was made."""

    @asset(code_version="1")
    def flights():
        return 7

    @multi_asset(outs={"planes": AssetOut(code_version="3"), "pilots": AssetOut()})
    def fleet():
        return 1, 2

    with Instance(tmp_path) as instance:
        materialize([flights, fleet], instance=instance)
        instance.report_runless_asset_event(AssetMaterialization("reported"))
        keys = [AssetKey(name) for name in ("flights", "planes", "pilots", "reported", "unknown")]
        known = instance.get_latest_materialization_code_versions(keys)
        assert known == dict(zip(keys, ("1", "3", None, None, None), strict=True))


def test_a_wiped_asset_is_as_if_it_was_never_made(instance):
    """After wiping, no materialization of the asset is known; its runs are."""

    @asset
    def flights():
        return 7

    materialize([flights], instance=instance)
    instance.wipe_assets([AssetKey("flights")])
    assert not instance.has_asset_key("flights")
    assert list(instance.fetch_materializations("flights")) == []
    assert len(instance.get_runs()) >= 1


def test_runs_take_tags_and_give_numbers(instance):
    """Tags are added to a run that is over; its steps and materializations are counted, attempts too."""

    @op(retry_policy=RetryPolicy(max_retries=1))
    def bad():
        raise ValueError

    @job
    def failing():
        bad()

    run_id = failing.execute_in_process(instance=instance, raise_on_error=False).run_id
    instance.add_run_tags(run_id, {"team": "data"})
    assert [run.run_id for run in instance.get_runs(RunsFilter(tags={"team": "data"}))] == [run_id]
    with pytest.raises(RunNotFoundError):
        instance.add_run_tags("nope", {"team": "data"})
    stats = instance.get_run_stats(run_id)
    assert (stats.steps_succeeded, stats.steps_failed, stats.materializations) == (0, 1, 0)
    (step,) = instance.get_run_step_stats(run_id)
    assert (step.step_key, step.status.value, step.attempts) == ("bad", "FAILURE", 2)


def test_a_filter_of_other_conditions_is_a_mistake_of_the_user():
    """A condition that no filter has is told with what may have been meant, and the line."""
    with pytest.raises(InvalidDefinitionError, match=r"(?s)'status'.*'statuses'.*test_instance\.py"):
        opgraph.RunsFilter(status=RunStatus.FAILURE)


def test_a_loader_of_values(tmp_path):
    """The values of several assets are loaded from the instance that the loader was made for."""

    @asset
    def flights():
        return 7

    with Instance(tmp_path) as instance:
        materialize([flights], instance=instance)
        with Definitions(assets=[flights]).get_asset_value_loader(instance) as loader:
            assert loader.load_asset_value("flights") == 7
            assert loader.load_asset_value(AssetKey("flights"), instance=instance) == 7
