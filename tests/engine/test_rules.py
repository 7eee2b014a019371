"""What becomes of steps: the rules, each on a plan as small as shows it."""

import pytest

from opgraph.engine import (
    BrokenPlanError,
    Delay,
    End,
    EngineError,
    LookUp,
    Phase,
    Reuse,
    Skip,
    Start,
    Stop,
    advance,
    can_be_made_again,
    new,
    outstanding,
    program,
    status,
)
from opgraph.events import (
    CancelRequested,
    ErrorInfo,
    Found,
    Kept,
    NotFound,
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
    ValueLost,
)
from opgraph.plan.model import (
    Decision,
    Do,
    FromCollected,
    FromDefault,
    FromMany,
    FromMapped,
    FromStep,
    Plan,
    Retry,
    Role,
    Step,
    StepInput,
    StepOutput,
)

KEPT = Kept("parent", 7, Stored("result", Place.FILE))
REUSE = Decision(Do.REUSE, "recorded", kept=(KEPT,))
LEFT_OUT = Decision(Do.SKIP, "not asked")
DECIDE = Decision(Do.DECIDE, "selected", fingerprint="abc")


def step(i, *above, do=None, outputs=("result",), **rest):
    """Step `i`, each of whose inputs comes from a step, from `(step, output)`, or from a list of these."""

    def source(given):
        if isinstance(given, list):
            return FromMany(tuple(item if isinstance(item, FromDefault) else source(item) for item in given))
        return FromStep(*given) if isinstance(given, tuple) else FromStep(given, "result")

    inputs = tuple(StepInput(f"i{n}", source(given)) for n, given in enumerate(above))
    named = tuple(StepOutput(name, Role.NEEDED) for name in outputs)
    return Step(f"s{i}", f"s{i}", f"s{i}", inputs, named, do or Decision(Do.RUN, "job"), **rest)


class Run:
    """A run that is told facts by hand."""

    def __init__(self, *steps):
        self.state = new(program.compile(Plan(job="job", steps=steps)), "run")
        self.seq = 0
        self.first = self.tell(RunStarted(0.0, 1))

    def tell(self, fact):
        self.seq += 1
        return advance(self.state, fact, self.seq)

    def start(self, i):
        return self.tell(StepStarted(i, self.state.attempt(i), 0.0))

    def finish(self, i, *outputs):
        return self.tell(
            StepSucceeded(i, self.state.attempt(i), 0.0, outputs=tuple(Stored(o, Place.INLINE) for o in outputs))
        )

    def do(self, i, *outputs):
        assert self.start(i) == []
        return self.finish(i, *(outputs or ("result",)))

    def fail(self, i, **rest):
        self.start(i)
        retry = rest.pop("retry", True)
        return self.tell(StepFailed(i, self.state.attempt(i), 0.0, ErrorInfo("E", "m", retry=retry), **rest))

    def skip(self, command):
        return self.tell(StepSkipped(command.step, 0.0, command.because, command.output, command.blocked))

    def interrupt(self, i):
        return self.tell(StepInterrupted(i, self.state.attempt(i), 0.0))


# -- what starts, and when ------------------------------------------------------


def test_a_chain_runs_in_order_and_ends():
    """Each end starts the next step; the last one ends the run."""
    run = Run(step(0), step(1, 0))
    assert run.first == [Start(0, 1)]
    assert run.do(0) == [Start(1, 1)]
    assert run.do(1) == [End(RunStatus.SUCCESS)]
    assert status(run.state) == RunStatus.STARTED
    assert run.tell(RunEnded(0.0, RunStatus.SUCCESS)) == []
    assert status(run.state) == RunStatus.SUCCESS


def test_a_step_waits_for_all_that_it_needs():
    """A step that needs two others, one of them twice, starts when both have ended."""
    run = Run(step(0), step(1), step(2, 0, 0, [1, 0]))
    assert run.do(0) == []
    assert run.do(1) == [Start(2, 1)]


def test_an_address_is_known_when_the_value_came():
    """`kept` gives the run and the number of the fact that announced the value."""
    run = Run(step(0, outputs=("a", "b")))
    run.start(0)
    run.tell(OutputStored(0, 1, 0.0, Stored("a", Place.FILE)))
    run.finish(0, "b")
    assert run.state.kept(0, "a") == Kept("run", 3, Stored("a", Place.FILE))
    assert run.state.kept(0, "b") == Kept("run", 4, Stored("b", Place.INLINE))


def test_a_plan_without_steps_ends_at_once():
    """Nothing to do is a success; so is a plan that skips everything."""
    assert Run().first == [End(RunStatus.SUCCESS)]
    assert Run(step(0, do=LEFT_OUT)).first == [End(RunStatus.SUCCESS)]


# -- what is skipped ------------------------------------------------------------


def test_an_output_that_did_not_come_skips_what_needs_it():
    """A step that needs it is skipped, and what needs that step; the others run and the run succeeds."""
    run = Run(step(0, outputs=("a", "b")), step(1, (0, "a")), step(2, (0, "b")), step(3, 2))
    start, skip = run.do(0, "a")
    assert start == Start(1, 1)
    assert skip == Skip(2, 0, "b", blocked=False)
    assert run.skip(skip) == [Skip(3, 2, "result", blocked=False)]
    run.skip(Skip(3, 2, "result", blocked=False))
    assert run.do(1) == [End(RunStatus.SUCCESS)]


def test_a_list_is_shorter_by_what_did_not_come():
    """A list of outputs skips its step only if none of them came, and never if it has an item that is no output."""
    run = Run(
        step(0, outputs=("a", "b")),
        step(1, [(0, "a"), (0, "b")]),
        step(2, [(0, "b")]),
        step(3, [(0, "b"), FromDefault()]),
    )
    assert run.do(0, "a") == [Start(1, 1), Skip(2, 0, "b", blocked=False), Start(3, 1)]


def test_a_failure_blocks_what_needs_it_and_nothing_else():
    """What comes after a failed step is skipped as blocked, through lists too; other branches go on; the run fails."""
    run = Run(step(0), step(1), step(2, [0, 1]), step(3, 1), step(4, 2))
    assert run.fail(0) == []
    skip, start = run.do(1)
    assert skip == Skip(2, 0, "", blocked=True)
    assert start == Start(3, 1)
    assert run.skip(skip) == [Skip(4, 2, "", blocked=True)]
    run.skip(Skip(4, 2, "", blocked=True))
    assert run.do(3) == [End(RunStatus.FAILURE)]


def test_what_a_failed_attempt_stored_does_not_count():
    """A value announced before its step failed is no value."""
    run = Run(step(0, outputs=("a",)), step(1, (0, "a")))
    run.start(0)
    run.tell(OutputStored(0, 1, 0.0, Stored("a", Place.FILE)))
    assert run.tell(StepFailed(0, 1, 0.0, ErrorInfo("E", "m"))) == [Skip(1, 0, "", blocked=True)]
    assert run.state.kept(0, "a") is None


def test_order_alone_is_awaited():
    """A step that only comes after another waits for it, and is skipped with it; not if the plan left that one out."""
    run = Run(step(0), step(1, after=(FromStep(0, "result"),)))
    assert run.first == [Start(0, 1)]
    assert run.do(0) == [Start(1, 1)]
    assert Run(step(0, do=LEFT_OUT), step(1, after=(FromStep(0, "result"),))).first == [Start(1, 1)]
    skipped = Decision(Do.SKIP, "skipped")
    assert Run(step(0, do=skipped), step(1, after=(FromStep(0, "result"),))).first == [
        Skip(1, 0, "result", blocked=False)
    ]


# -- reuse ----------------------------------------------------------------------


def test_stored_values_stand_for_a_step():
    """A reused step's values are known under the address that the plan gives."""
    run = Run(step(0, do=REUSE), step(1, 0))
    assert run.first == [Reuse(0, (KEPT,))]
    assert run.tell(StepReused(0, 0.0, (KEPT,))) == [Start(1, 1)]
    assert run.state.kept(0, "result") == KEPT


def test_a_step_is_looked_up_when_its_inputs_are_known():
    """Found values are reused; otherwise the step starts."""
    run = Run(step(0), step(1, 0, do=DECIDE), step(2, 0, do=DECIDE))
    assert run.do(0) == [LookUp(1, "abc"), LookUp(2, "abc")]
    assert run.tell(Found(1, 0.0, (KEPT,))) == [Reuse(1, (KEPT,))]
    assert run.tell(NotFound(2, 0.0, "new")) == [Start(2, 1)]
    assert outstanding(run.state) == [Reuse(1, (KEPT,)), Start(2, 1)]


# -- retries --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backoff", "waits"), [("", [1.5, 1.5, 1.5]), ("linear", [1.5, 3.0, 4.5]), ("exponential", [1.5, 4.5, 10.5])]
)
def test_a_policy_says_how_often_and_after_how_long(backoff, waits):
    """Each failed attempt is followed by a wait, until the policy has no attempt left."""
    run = Run(step(0, retry=Retry(3, delay=1.5, backoff=backoff)))
    for attempt, seconds in enumerate(waits, 1):
        assert run.fail(0) == [Delay(0, seconds)]
        assert run.tell(RetryDue(0, 0.0)) == [Start(0, attempt + 1)]
    assert run.fail(0) == [End(RunStatus.FAILURE)]


def test_a_failure_that_allows_no_retry_is_final():
    """The error's word goes before the policy's; a wait that the shell drew goes before the computed one."""
    assert Run(step(0, retry=Retry(3))).fail(0, retry=False) == [End(RunStatus.FAILURE)]
    assert Run(step(0, retry=Retry(3, delay=9.0))).fail(0, retry_after=2.5) == [Delay(0, 2.5)]
    assert Run(step(0)).fail(0, retry_after=2.5) == [Delay(0, 2.5)], "asked for by the op itself"


def test_an_interrupted_attempt_uses_up_no_retry():
    """An attempt without a verdict is followed by another, three times, and leaves the policy's retries alone."""
    run = Run(step(0, retry=Retry(1)))
    for attempt in (2, 3, 4):
        run.start(0)
        assert run.interrupt(0) == [Start(0, attempt)]
    assert run.fail(0) == [Delay(0, 0.0)]
    assert run.tell(RetryDue(0, 0.0)) == [Start(0, 5)]
    assert run.interrupt(0) == [End(RunStatus.FAILURE)]


# -- another process ------------------------------------------------------------


def test_what_was_under_way_is_pending_again_in_the_next_epoch():
    """An attempt that had started gets the next number; one that had not keeps its own; the rest is asked again."""
    run = Run(step(0, retry=Retry(1, delay=3.0)), step(1), step(2, do=REUSE), step(3))
    run.start(1)
    run.fail(0)
    assert run.tell(RunStarted(0.0, 2)) == [Delay(0, 3.0), Start(1, 2), Reuse(2, (KEPT,)), Start(3, 1)]


def test_an_end_that_was_not_recorded_is_asked_for_again():
    """A process that died between the last step and RunEnded leaves the end to the next."""
    run = Run(step(0))
    run.do(0)
    assert run.tell(RunStarted(0.0, 2)) == [End(RunStatus.SUCCESS)]


def test_attempts_that_a_dead_process_began_use_up_nothing():
    """Neither retries nor interruptions are fewer in the next epoch, and none are added."""
    run = Run(step(0, retry=Retry(1)))
    for epoch in (2, 3):
        for _ in range(3):
            assert run.interrupt(0) != [End(RunStatus.FAILURE)]
        run.tell(RunStarted(0.0, epoch))
    assert run.fail(0) == [Delay(0, 0.0)]
    run.tell(RetryDue(0, 0.0))
    assert run.fail(0) == [End(RunStatus.FAILURE)]


def test_a_look_up_dies_with_a_cancelled_run():
    """Nobody answers it any more, and nothing is to follow from it."""
    run = Run(step(0, do=DECIDE))
    assert run.tell(CancelRequested(0.0)) == []
    assert run.tell(RunStarted(0.0, 2)) == [End(RunStatus.CANCELED)]


# -- cancelling -----------------------------------------------------------------


def test_a_cancelled_run_stops_what_is_under_way_and_starts_nothing():
    """Attempts are told to stop, asked-for ones too; nothing else starts; the run ends CANCELED."""
    run = Run(step(0), step(1), step(2, 0))
    run.start(0)
    assert run.tell(CancelRequested(0.0)) == [Stop(0, 1), Stop(1, 1)]
    assert status(run.state) == RunStatus.CANCELING
    assert run.tell(CancelRequested(0.0)) == []
    assert run.finish(0, "result") == [], "an attempt may come to its own end"
    assert run.start(1) == []
    assert run.interrupt(1) == [End(RunStatus.CANCELED)]
    assert [run.state.phase(i) for i in range(3)] == [Phase.SUCCEEDED, Phase.CANCELED, Phase.CANCELED]


def test_a_cancellation_that_cuts_nothing_off_changes_nothing():
    """If all steps succeed all the same, or had ended before, the run is a success."""
    run = Run(step(0))
    run.start(0)
    run.tell(CancelRequested(0.0))
    assert run.finish(0, "result") == [End(RunStatus.SUCCESS)]
    assert run.tell(CancelRequested(0.0)) == []
    assert outstanding(run.state) == [End(RunStatus.SUCCESS)]


def test_a_run_can_be_cancelled_before_it_starts_and_while_it_waits():
    """A queued run ends at once; so does one that only waits for a retry, whose timer may still go off."""
    state = new(program.compile(Plan(job="job", steps=(step(0),))))
    assert advance(state, CancelRequested(0.0)) == [End(RunStatus.CANCELED)]
    run = Run(step(0, retry=Retry(1)))
    run.fail(0)
    assert run.tell(CancelRequested(0.0)) == [End(RunStatus.CANCELED)]
    assert run.tell(RetryDue(0, 0.0)) == []


def test_a_cancelled_run_that_died_ends_in_the_next_epoch():
    """The attempts died with their process, so nothing is left to stop."""
    run = Run(step(0))
    run.start(0)
    run.tell(CancelRequested(0.0))
    assert run.tell(RunStarted(0.0, 2)) == [End(RunStatus.CANCELED)]


# -- values that are gone -------------------------------------------------------


def test_a_lost_value_is_made_again_once():
    """Its maker runs again for that output alone, and then whoever missed it; a second loss fails who missed it."""
    run = Run(step(0, outputs=("a", "b")), step(1, (0, "a"), (0, "b")))
    run.do(0, "a", "b")
    run.start(1)
    assert can_be_made_again(run.state, 0, "a")
    assert run.tell(ValueLost(0, "a", 0.0)) == [Start(0, 2)]
    assert run.state.asked(0) == {"a"}
    assert run.interrupt(1) == []
    assert run.state.phase(1) == Phase.WAITING
    assert run.do(0, "a") == [Start(1, 2)]
    assert run.state.asked(0) is None
    assert run.state.kept(0, "b") is not None
    run.start(1)
    assert not can_be_made_again(run.state, 0, "a")
    assert run.tell(ValueLost(0, "a", 0.0)) == []
    assert run.interrupt(1) == [End(RunStatus.FAILURE)]


def test_a_loss_reaches_up_to_where_values_are_at_hand():
    """What was reused without the inputs of its maker, or left out of the plan, runs again for just those inputs."""
    run = Run(
        step(0, do=LEFT_OUT),
        step(1, 0, do=Decision(Do.REUSE, "recorded"), outputs=("result", "other")),
        step(2, 1, do=REUSE),
        step(3, 2),
    )
    run.tell(StepReused(1, 0.0, ()))
    assert run.tell(StepReused(2, 0.0, (KEPT,))) == [Start(3, 1)]
    run.start(3)
    assert run.tell(ValueLost(2, "result", 0.0)) == [Start(0, 1)]
    run.interrupt(3)
    assert run.state.asked(1) == {"result"}
    assert run.do(0) == [Start(1, 1)]
    assert run.do(1) == [Start(2, 1)]
    assert run.do(2) == [Start(3, 2)]
    assert run.do(3) == [End(RunStatus.SUCCESS)]


def test_a_loss_that_several_steps_miss_is_one_loss():
    """The same loss reported twice while the value is made again changes nothing."""
    run = Run(step(0), step(1, 0), step(2, 0))
    run.do(0)
    run.start(1)
    run.start(2)
    assert run.tell(ValueLost(0, "result", 0.0)) == [Start(0, 2)]
    assert run.tell(ValueLost(0, "result", 0.0)) == []
    assert run.interrupt(1) == run.interrupt(2) == []
    assert run.do(0) == [Start(1, 2), Start(2, 2)]


def test_another_output_missed_while_its_maker_runs_again_is_made_after_it():
    """The attempt that was started for one output is followed by one for the other, unless it came as well."""
    for came, commands in ((("a",), [Start(0, 3)]), (("a", "b"), [Start(1, 2), Start(2, 2)])):
        run = Run(step(0, outputs=("a", "b")), step(1, (0, "a")), step(2, (0, "b")))
        run.do(0, "a", "b")
        run.start(1)
        run.start(2)
        run.tell(ValueLost(0, "a", 0.0))
        run.interrupt(1)
        run.start(0)
        assert run.tell(ValueLost(0, "b", 0.0)) == []
        run.interrupt(2)
        assert run.finish(0, *came) == commands
        assert run.state.late == {}


def test_a_new_epoch_may_make_a_value_again():
    """A value is made again at most once per epoch."""
    run = Run(step(0), step(1, 0))
    run.do(0)
    run.start(1)
    for epoch in (2, 3):
        assert run.tell(ValueLost(0, "result", 0.0)) == [Start(0, epoch)]
        run.interrupt(1)
        run.do(0)
        run.start(1)
        assert run.tell(ValueLost(0, "result", 0.0)) == []
        assert run.tell(RunStarted(0.0, epoch)) == [Start(1, 2 * epoch - 1)]
        run.start(1)
        assert can_be_made_again(run.state, 0, "result")


def test_a_value_missed_while_its_maker_runs_again_is_asked_for_when_that_attempt_is_repeated():
    """After an interruption or a failure the next attempt makes both."""
    for repeat in (
        lambda run: run.interrupt(0),
        lambda run: [*run.tell(StepFailed(0, 2, 0.0, ErrorInfo("E", "m"))), *run.tell(RetryDue(0, 0.0))],
    ):
        run = Run(step(0, outputs=("a", "b"), retry=Retry(1)), step(1, (0, "a")), step(2, (0, "b")))
        run.do(0, "a", "b")
        run.start(1)
        run.start(2)
        run.tell(ValueLost(0, "a", 0.0))
        run.start(0)
        run.tell(ValueLost(0, "b", 0.0))
        assert repeat(run)[-1] == Start(0, 3)
        assert run.state.asked(0) == {"a", "b"}


def test_a_late_report_does_no_harm_to_the_new_value():
    """A loss of the old value, reported when the new one was stored already, leaves the new one alone."""
    run = Run(step(0, outputs=("a", "b")), step(1, (0, "a")))
    run.do(0, "a", "b")
    run.start(1)
    run.tell(ValueLost(0, "a", 0.0))
    run.start(0)
    run.tell(OutputStored(0, 2, 0.0, Stored("a", Place.FILE)))
    run.tell(ValueLost(0, "a", 0.0))
    assert run.state.kept(0, "a") == Kept("run", run.seq - 1, Stored("a", Place.FILE))


def test_steps_that_run_again_after_a_loss_have_all_their_retries():
    """What an earlier, successful series of attempts used up does not count."""
    run = Run(step(0, retry=Retry(1)), step(1, 0))
    run.fail(0)
    run.tell(RetryDue(0, 0.0))
    run.do(0)
    run.start(1)
    run.tell(ValueLost(0, "result", 0.0))
    assert run.fail(0) == [Delay(0, 0.0)]


def test_missing_values_never_use_up_the_interruptions():
    """A step may miss one value after another: each time it waits for the new one and starts again."""
    run = Run(*(step(i) for i in range(5)), step(5, 0, 1, 2, 3, 4))
    for i in range(5):
        run.do(i)
    for i in range(5):
        run.start(5)
        run.tell(ValueLost(i, "result", 0.0))
        assert run.interrupt(5) == []
        assert run.do(i) == [Start(5, i + 2)]


def test_a_step_whose_reuse_is_pending_runs_for_a_value_missed_meanwhile():
    """A step further down turns out to need it: StepReused is then followed by an attempt for just that output."""
    run = Run(step(0, do=Decision(Do.REUSE, "recorded")), step(1, 0, do=REUSE), step(2, 1))
    run.tell(StepReused(1, 0.0, (KEPT,)))
    run.start(2)
    run.tell(ValueLost(1, "result", 0.0))
    assert run.tell(StepReused(0, 0.0, ())) == [Start(0, 1)]
    assert run.state.asked(0) == {"result"}
    assert run.do(0) == [Start(1, 1)]


# -- plans that no run could follow -----------------------------------------------


def test_a_broken_plan_is_refused():
    """A step that needs a later one, or an output that does not exist, is named."""
    with pytest.raises(BrokenPlanError, match="'s0'.*comes before step 1"):
        program.compile(Plan(job="job", steps=(step(0, 1), step(1))))
    with pytest.raises(BrokenPlanError, match="'other', which 's0' does not have"):
        program.compile(Plan(job="job", steps=(step(0), step(1, (0, "other")))))


def test_a_plan_with_an_impossible_fan_out_is_refused():
    """What is mapped over something that is not dynamic, collects what is not mapped, or does both, is named."""
    dynamic = Step("s0", "s0", "s0", (), (StepOutput("result", Role.NEEDED, dynamic=True),), Decision(Do.RUN, "job"))
    mapped, collected = FromMapped(0, "result"), FromCollected(0, "result")

    def user(source, *over):
        return Step("s1", "s1", "s1", (StepInput("x", source),), (), Decision(Do.RUN, "job"), over=over)

    for steps, problem in (
        ((step(0), user(mapped, mapped)), "not dynamic"),
        ((step(0), user(collected)), "not mapped"),
        ((dynamic, user(mapped)), "not mapped"),
        ((dynamic, user(collected, mapped)), "both collects"),
    ):
        with pytest.raises(BrokenPlanError, match=problem):
            program.compile(Plan(job="job", steps=steps))


# -- facts that cannot be ----------------------------------------------------------


def test_a_value_of_an_unknown_output_is_refused():
    """Neither a step's own end nor a reuse can bring an output that the step does not have."""
    run = Run(step(0), step(1, do=REUSE))
    run.start(0)
    with pytest.raises(EngineError, match="no output 'other'"):
        run.finish(0, "other")
    with pytest.raises(EngineError, match="no output 'other'"):
        run.tell(StepReused(1, 0.0, (Kept("parent", 1, Stored("other", Place.FILE)),)))


def test_an_epoch_must_be_later_than_the_one_before():
    """The same epoch cannot begin twice."""
    run = Run(step(0))
    with pytest.raises(EngineError, match="epoch 1 has begun"):
        run.tell(RunStarted(0.0, 1))


def test_only_a_value_that_came_and_may_be_missed_can_be_lost():
    """A loss of what never came, or that no step is left to miss, is refused; a cancelled run ignores any."""
    run = Run(step(0, outputs=("a", "b")), step(1, (0, "a")), step(2, 1))
    run.do(0, "a")
    with pytest.raises(EngineError, match="never came"):
        run.tell(ValueLost(0, "b", 0.0))
    with pytest.raises(EngineError, match="never came"):
        run.tell(ValueLost(2, "result", 0.0))
    run.do(1)
    run.do(2)
    with pytest.raises(EngineError, match="no step is left"):
        run.tell(ValueLost(0, "a", 0.0))
    run = Run(step(0), step(1, 0))
    run.do(0)
    run.start(1)
    run.tell(CancelRequested(0.0))
    assert not can_be_made_again(run.state, 0, "result")
    assert run.tell(ValueLost(0, "result", 0.0)) == []
    assert run.interrupt(1) == [End(RunStatus.CANCELED)]
