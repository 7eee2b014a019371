"""Runs and their events as users read them, derived from plans and facts."""

from datetime import UTC, datetime

import pytest

import opgraph as og
from opgraph.events import (
    AssetReported,
    CancelRequested,
    ErrorInfo,
    Frame,
    Kept,
    Meta,
    OutputStored,
    Place,
    RetryDue,
    RunEnded,
    RunStarted,
    RunStatus,
    StepFailed,
    StepInterrupted,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    Stored,
)
from opgraph.keys import AssetKey
from opgraph.plan.model import (
    Besides,
    Decision,
    Do,
    FromAsset,
    FromDefault,
    FromMany,
    FromStep,
    Plan,
    Policy,
    Retry,
    Role,
    Step,
    StepInput,
    StepOutput,
    encode_plan,
)
from opgraph.record.rows import Materialized, RunRow
from opgraph.run.report.event import EventType, WrongEvent
from opgraph.run.report.views import EventRecord, EventRecords, Run, RunsFilter, events_of, materialization_event

RUN = Decision(Do.RUN, "job")
OURS = Frame("/p/ops.py", 3, "clean", "raise ValueError('no')")


def step(key, *inputs, outputs=None, do=Do.RUN, retry=None):
    outs = outputs if outputs is not None else (StepOutput("result", Role.NEEDED),)
    given = tuple(StepInput(f"x{i}", source) for i, source in enumerate(inputs))
    return Step(key=key, node=key, op=key, inputs=given, outputs=outs, decision=Decision(do, "job"), retry=retry)


def told(plan, *facts, status=RunStatus.STARTED):
    row = RunRow(run_id="r1", created=0.5, job=plan.job, status=status, plan=encode_plan(plan))
    return events_of(row, enumerate(facts, 1))


def kinds(events):
    return [(event.event_type.name, event.step_key) for event in events]


def succeeded(number, *outputs, time=2.0, attempt=1):
    return StepSucceeded(number, attempt, time, load=1000, compute=2000, store=500, outputs=outputs)


def failed(number, error, attempt=1):
    return StepFailed(number, attempt, 2.0, error)


RESULT = Stored("result", Place.INLINE, 3)
STARTED = RunStarted(1.0, 1, 77)


def test_a_run_of_two_steps_is_told_as_dagster_tells_it():
    """A step's events come in Dagster's order: start, inputs, outputs, success, between the run's own."""
    plan = Plan(job="j", steps=(step("a"), step("b", FromStep(0, "result"))))
    events = told(
        plan,
        STARTED,
        StepStarted(0, 1, 1.0),
        succeeded(0, RESULT),
        StepStarted(1, 1, 2.0),
        succeeded(1, RESULT, time=3.0),
        RunEnded(4.0, RunStatus.SUCCESS),
    )
    assert kinds(events) == [
        ("RUN_START", None),
        ("STEP_START", "a"),
        ("STEP_OUTPUT", "a"),
        ("HANDLED_OUTPUT", "a"),
        ("STEP_SUCCESS", "a"),
        ("STEP_START", "b"),
        ("LOADED_INPUT", "b"),
        ("STEP_INPUT", "b"),
        ("STEP_OUTPUT", "b"),
        ("HANDLED_OUTPUT", "b"),
        ("STEP_SUCCESS", "b"),
        ("RUN_SUCCESS", None),
    ]
    loaded = events[6].event_specific_data
    assert (loaded.upstream_step_key, loaded.upstream_output_name, loaded.manager_key) == ("a", "result", "io_manager")
    assert events[4].step_success_data.duration_ms == 3.5
    assert (events[0].event_type_value, events[-1].event_type_value) == ("PIPELINE_START", "PIPELINE_SUCCESS")
    assert [e.timestamp for e in events][-2:] == [3.0, 4.0]
    assert events[0].is_job_event
    assert events[1].is_step_event


def test_only_what_was_loaded_is_told_as_loaded():
    """A default is got and not loaded; of a list, what came is loaded; an asset of another run has no upstream step."""
    maybe = (StepOutput("p", Role.NEEDED, required=False), StepOutput("q", Role.NEEDED, required=False))
    many = FromMany((FromStep(0, "p"), FromStep(0, "q")))
    plan = Plan(job="j", steps=(step("a", outputs=maybe), step("b", FromDefault(), many, FromAsset("up"))))
    events = told(
        plan,
        STARTED,
        StepStarted(0, 1, 1.0),
        succeeded(0, Stored("q", Place.FILE)),
        StepStarted(1, 1, 1.0),
        succeeded(1),
    )
    loaded = [e.event_specific_data for e in events if e.is_loaded_input]
    assert [(d.input_name, d.upstream_output_name) for d in loaded] == [("x1", "q"), ("x2", None)]
    assert [e.step_input_data.input_name for e in events if e.event_type is EventType.STEP_INPUT] == ["x0", "x1", "x2"]


def test_planned_are_the_selected_assets_and_those_certain_to_come():
    """Planned events exist for what will be materialized: not for what may come, is discarded, or is reused."""

    def asset(name, role):
        return (StepOutput(name, role, asset=name),)

    def besides(name, *, certain, policy):
        return Besides(name, name, name, certain, policy, "")

    plan = Plan(
        job="j",
        steps=(
            step("asked", outputs=asset("asked", Role.SELECTED)),
            step("sure", outputs=asset("sure", Role.UNSELECTED_REQUIRED)),
            step("maybe", outputs=asset("maybe", Role.UNSELECTED_OPTIONAL)),
            step("dropped", outputs=asset("dropped", Role.UNSELECTED_REQUIRED)),
            step("kept", outputs=asset("kept", Role.SELECTED), do=Do.REUSE),
        ),
        besides=(
            besides("sure", certain=True, policy=Policy.MATERIALIZE),
            besides("maybe", certain=False, policy=Policy.MATERIALIZE),
            besides("dropped", certain=True, policy=Policy.DISCARD),
        ),
    )
    details = [e.asset_materialization_planned_data for e in told(plan)]
    assert [(d.asset_key.text, d.asked) for d in details] == [("asked", True), ("sure", False)]


def test_a_materialization_carries_what_was_said_of_it():
    """A materialization has its key, metadata and data version, and says whether it was asked for."""
    stored = Stored(
        "result", Place.FILE, data_version="v7", asset="pre/t", asked=False, metadata={"rows": Meta("int", 3)}
    )
    plan = Plan(job="j", steps=(step("t", outputs=(StepOutput("result", Role.SELECTED, asset="pre/t"),)),))
    events = told(plan, STARTED, StepStarted(0, 1, 1.0), OutputStored(0, 1, 2.0, stored))
    (event,) = [e for e in events if e.is_step_materialization]
    assert event.asset_key == AssetKey("pre/t")
    assert event.materialization.metadata["rows"].value == 3
    assert event.materialization.tags == {"dagster/data_version": "v7"}
    assert not event.step_materialization_data.asked
    assert kinds(events)[-3:] == [("STEP_OUTPUT", "t"), ("ASSET_MATERIALIZATION", "t"), ("HANDLED_OUTPUT", "t")]
    (output,) = [e for e in events if e.is_successful_output]
    assert output.step_output_data.output_name == "result"


def test_an_output_of_which_nothing_was_stored_was_not_handled():
    """An output with no value comes, and no I/O manager has handled it."""
    events = told(
        Plan(job="j", steps=(step("a"),)), STARTED, StepStarted(0, 1, 1.0), succeeded(0, Stored("result", Place.NONE))
    )
    assert kinds(events)[-2:] == [("STEP_OUTPUT", "a"), ("STEP_SUCCESS", "a")]


def test_what_user_code_reports_is_told_where_it_happened():
    """Reported materializations and observations stand between a step's start and end, as they were said."""
    plan = Plan(job="j", steps=(step("a"),))
    events = told(
        plan,
        STARTED,
        StepStarted(0, 1, 1.0),
        AssetReported(0, 1, 1.5, "m", {"n": Meta("int", 1)}, description="made", tags={"k": "v"}),
        AssetReported(0, 1, 1.6, "o", observation=True),
        succeeded(0, RESULT),
    )
    made, seen = events[2], events[3]
    assert (made.materialization.description, made.materialization.tags) == ("made", {"k": "v"})
    assert seen.is_asset_observation
    assert seen.asset_observation_data.asset_observation.asset_key == AssetKey("o")


def test_retries_are_told_in_pairs_and_the_last_failure_is_final():
    """One start, then pairs of up for retry and restarted; the failure that no attempt follows is the step's."""
    plan = Plan(job="j", steps=(step("a", retry=Retry(most=2, delay=1.0, backoff="exponential")),))
    error = ErrorInfo("ValueError", "no", (OURS,))
    facts = [STARTED]
    for attempt in (1, 2):
        facts += [StepStarted(0, attempt, 1.0), failed(0, error, attempt), RetryDue(0, 2.0)]
    facts += [StepStarted(0, 3, 1.0), failed(0, error, 3), RunEnded(3.0, RunStatus.FAILURE)]
    events = told(plan, *facts)
    names = [e.event_type.name for e in events]
    assert names == [
        "RUN_START",
        "STEP_START",
        "STEP_UP_FOR_RETRY",
        "STEP_RESTARTED",
        "STEP_UP_FOR_RETRY",
        "STEP_RESTARTED",
        "STEP_FAILURE",
        "RUN_FAILURE",
    ]
    assert [e.step_retry_data.seconds_to_wait for e in events if e.is_step_up_for_retry] == [1.0, 3.0]


def test_a_run_under_way_knows_that_a_retry_follows():
    """Before the retry has begun, the failure is already told as one that another attempt follows."""
    plan = Plan(job="j", steps=(step("a", retry=Retry(most=1)),))
    events = told(plan, STARTED, StepStarted(0, 1, 1.0), failed(0, ErrorInfo("ValueError", "no")))
    assert kinds(events)[-1] == ("STEP_UP_FOR_RETRY", "a")


def test_a_failure_says_what_the_user_raised():
    """The error has the user's class, message and lines; `cause` says it too, followed by the exception's own cause."""
    error = ErrorInfo("ValueError", "no", (OURS,), cause=ErrorInfo("KeyError", "'k'"))
    events = told(
        Plan(job="j", steps=(step("a"),)),
        STARTED,
        StepStarted(0, 1, 1.0),
        failed(0, error),
        RunEnded(3.0, RunStatus.FAILURE),
    )
    shown = events[-2].step_failure_data.error
    assert (shown.cls_name, shown.message.strip()) == ("ValueError", "ValueError: no")
    assert shown.cause.cls_name == "ValueError"
    assert shown.cause.cause.cls_name == "KeyError"
    text = events[-2].step_failure_data.error_display_string
    assert text.count("ValueError: no") == 1
    assert "/p/ops.py" in text
    assert "KeyError" in text
    assert events[-1].job_failure_data.first_step_failure_event is events[-2]
    assert events[-1].message.endswith("Steps failed: ['a'].")


def test_a_deliberate_failure_keeps_its_description_and_metadata():
    """What a `Failure` said is in `user_failure_data`."""
    error = ErrorInfo("Failure", "empty", (OURS,), metadata={"path": Meta("text", "in.csv")})
    events = told(Plan(job="j", steps=(step("a"),)), STARTED, StepStarted(0, 1, 1.0), failed(0, error))
    details = events[-1].step_failure_data
    assert details.user_failure_data.description == "empty"
    assert details.user_failure_data.metadata["path"].value == "in.csv"
    assert details.error.cls_name == "Failure"


def test_an_input_that_could_not_be_loaded_ends_the_inputs():
    """Of a step that failed to load an input, the inputs before that one are told."""
    plan = Plan(job="j", steps=(step("a", FromAsset("p"), FromAsset("q"), FromAsset("r")),))
    error = ErrorInfo("OSError", "gone", during="load", about="x1")
    events = told(plan, STARTED, StepStarted(0, 1, 1.0), failed(0, error))
    assert [e.step_input_data.input_name for e in events if e.event_type is EventType.STEP_INPUT] == ["x0"]


def test_skipped_and_blocked_are_told_apart():
    """Skipped for want of an optional output is STEP_SKIPPED; behind a failed step there is only a note."""
    plan = Plan(job="j", steps=(step("a"), step("b", FromStep(0, "result"))))
    skipped = told(plan, STARTED, StepStarted(0, 1, 1.0), succeeded(0), StepSkipped(1, 2.0, 0, "result"))
    assert kinds(skipped)[-1] == ("STEP_SKIPPED", "b")
    error = ErrorInfo("ValueError", "no")
    facts = [STARTED, StepStarted(0, 1, 1.0), failed(0, error), StepSkipped(1, 2.0, 0, blocked=True)]
    blocked = told(plan, *facts)[-1]
    assert blocked.is_engine_event
    assert not blocked.is_step_event
    assert '"a" did not succeed' in blocked.message


def test_a_reused_step_is_a_note_and_its_value_is_loaded():
    """A reused step has no events of its own; what needs it is told to load its output."""
    kept = Kept("r0", 4, RESULT)
    plan = Plan(job="j", steps=(step("a", do=Do.REUSE), step("b", FromStep(0, "result"))))
    events = told(plan, STARTED, StepReused(0, 1.0, (kept,)), StepStarted(1, 1, 1.0), succeeded(1, RESULT))
    assert events[1].message == 'Step "a" reuses outputs stored by run r0.'
    assert kinds(events)[3] == ("LOADED_INPUT", "b")


def test_cancelling_and_going_on_are_told():
    """A run that went on after its process died, and was then cancelled, says both."""
    plan = Plan(job="j", steps=(step("a"),))
    events = told(
        plan,
        STARTED,
        StepStarted(0, 1, 1.0),
        RunStarted(2.0, 2, 78),
        StepStarted(0, 2, 2.0),
        CancelRequested(3.0, "ann"),
        StepInterrupted(0, 2, 3.0, "cancelled"),
        RunEnded(4.0, RunStatus.CANCELED),
    )
    names = [e.event_type.name for e in events]
    assert names == [
        "RUN_START",
        "STEP_START",
        "RUN_RESUMED",
        "STEP_RESTARTED",
        "RUN_CANCELING",
        "ENGINE_EVENT",
        "RUN_CANCELED",
    ]
    assert events[-1].is_failure


def test_details_of_another_kind_are_refused():
    """Asking an event for details that it does not have is an AttributeError that names its kind."""
    (event,) = told(Plan(job="j", steps=()), STARTED)
    with pytest.raises(WrongEvent, match="RUN_START has no `step_failure_data`") as caught:
        _ = event.step_failure_data
    assert isinstance(caught.value, AttributeError)
    assert event.asset_key is None


def test_tags_for_logs_name_run_job_step_and_op():
    """`logging_tags` names the run and the job, and a step's event its step and op, without mapping key."""
    plan = Plan(job="j", steps=(step("g.clean[x]"),))
    start = told(plan, STARTED, StepStarted(0, 1, 1.0))[1]
    assert start.node_name == "clean"
    assert start.logging_tags == {"run_id": "r1", "job_name": "j", "step_key": "g.clean[x]", "op_name": "clean"}


def test_what_the_catalog_knows_is_an_event_too():
    """A materialization of the catalog is given back as the event that announced it."""
    plan = Plan(job="j", steps=(step("t"),))
    row = RunRow(run_id="r1", created=0.5, job="j", plan=encode_plan(plan))
    stored = Stored("result", Place.FILE, asset="t", metadata={"rows": Meta("int", 3)})
    found = Materialized(asset="t", run_id="r1", seq=3, step=0, time=2.0, stored=stored)
    record = EventRecord(materialization_event(row, found), "r1", found.time)
    assert (record.asset_key, record.step_key, record.timestamp) == (AssetKey("t"), "t", 2.0)
    assert record.asset_materialization.metadata["rows"].value == 3
    assert record.asset_observation is None
    assert record.dagster_event is record.event_log_entry.event
    assert [each.run_id for each in EventRecords([record])] == ["r1"]


def test_a_run_tells_where_it_stands():
    """A run's properties follow from its row; its plan is decoded when it is asked for."""
    plan = Plan(job="j", steps=(), selection=("a", "b"), config={"k": 1})
    row = RunRow(
        run_id="r2", created=1.0, job="j", status=RunStatus.FAILURE, parent="r1", root="r0", plan=encode_plan(plan),
        tags={"t": "1"},
    )  # fmt: skip
    run = Run(row)
    assert (run.is_failure, run.is_finished, run.is_success, run.is_resumable, run.is_cancelable) == (
        True, True, False, True, False,
    )  # fmt: skip
    assert (run.parent_run_id, run.root_run_id, run.tags, run.run_config) == ("r1", "r0", {"t": "1"}, {"k": 1})
    assert run.asset_selection == {AssetKey("a"), AssetKey("b")}
    assert run == Run(RunRow(run_id="r2", created=9.0))
    assert Run(RunRow(run_id="r3", created=1.0)).asset_selection is None


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (RunsFilter(), True),
        (RunsFilter(run_ids=["r1", "r2"]), True),
        (RunsFilter(run_ids=["r2"]), False),
        (RunsFilter(job_name="j", statuses=[RunStatus.SUCCESS]), True),
        (RunsFilter(statuses=[RunStatus.FAILURE]), False),
        (RunsFilter(tags={"team": "data"}), True),
        (RunsFilter(tags={"team": ["ops", "data"]}), True),
        (RunsFilter(tags={"team": "data", "other": "x"}), False),
        (RunsFilter(created_after=datetime.fromtimestamp(50, UTC)), True),
        (RunsFilter(created_before=datetime.fromtimestamp(50, UTC)), False),
    ],
)
def test_a_filter_fits_when_all_its_conditions_hold(wanted, fits):
    """Each condition that is given must hold; of several values for a tag, one."""
    row = RunRow(run_id="r1", created=100.0, job="j", status=RunStatus.SUCCESS, tags={"team": "data"})
    assert wanted.fits(row) is fits


def test_metadata_of_inputs():
    """What an I/O manager says of an asset that it loads is an observation, and stands with the loaded input."""

    class Manager(og.IOManager):
        def handle_output(self, context, obj): ...

        def load_input(self, context):
            context.add_input_metadata({"rows": 3})
            assert [each.metadata for each in context.get_observations()] == [{"rows": 3}]
            return 1

    @og.asset
    def before(): ...

    @og.asset
    def after(before): ...

    result = og.materialize([before, after], resources={"io_manager": Manager()})
    (observed,) = [each for each in result.all_events if each.is_asset_observation]
    assert (observed.step_key, observed.asset_key) == ("after", og.AssetKey("before"))
    (loaded,) = [each for each in result.all_events if each.is_loaded_input]
    assert loaded.event_specific_data.metadata["rows"].value == 3


def test_order_of_reports():
    """What an op logs stands before what it yields later, and is kept when it fails afterwards."""

    @og.op
    def talks(context):
        context.log_event(og.AssetMaterialization("first"))
        yield og.AssetMaterialization("second")
        context.log_event(og.AssetMaterialization("third"))
        raise ValueError

    @og.graph
    def talk():
        talks()

    result = talk.execute_in_process(raise_on_error=False)
    made = [each.materialization.label for each in result.all_events if each.is_step_materialization]
    assert made == ["first", "second", "third"]


def test_type_check_of_inputs():
    """The event of an input of another type than declared says that its check failed."""

    @og.op
    def takes(n: int): ...

    @og.graph
    def given(n):
        takes(n)

    for value, passed in ((1, True), ("x", False)):
        result = given.execute_in_process(input_values={"n": value}, raise_on_error=False)
        (event,) = [each for each in result.all_events if each.event_type is og.EventType.STEP_INPUT]
        assert event.step_input_data.type_check_data.success is passed
