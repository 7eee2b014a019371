"""Failed steps that are tried again: how often, after how long, and what is kept of it."""

import json
import os
import signal
import time

import pytest

from opgraph import AssetOut as Made
from opgraph import (
    AssetsDefinition,
    Backoff,
    Definitions,
    DynamicOut,
    DynamicOutput,
    EventType,
    ExecutionStepNotFoundError,
    Failure,
    Instance,
    Jitter,
    ReexecutionOptions,
    RetryPolicy,
    RetryRequested,
    asset,
    define_asset_job,
    execute_job,
    graph,
    graph_asset,
    graph_multi_asset,
    job,
    materialize,
    multi_asset,
    op,
)
from opgraph.declare.retry import jittered
from opgraph.events import RetryDue, StepFailed, StepStarted
from opgraph.operate import execute, inspect, planning
from opgraph.plan.model import Do
from opgraph.show.cli.tree import RunTree, tally

said: list[str] = []


@pytest.fixture(autouse=True)
def _quiet():
    said.clear()


@op
def fails():
    raise ValueError("no")


@op(retry_policy=RetryPolicy(max_retries=2))
def fails_with_policy():
    raise ValueError("no")


def retries(result, *nodes):
    return [result.retry_attempts_for_node(node) for node in nodes]


def test_the_wait_of_each_policy():
    """Linear waits grow by the delay, exponential ones are the delay times 2ⁿ - 1, others stay the same."""
    waits = {
        backoff: [RetryPolicy(delay=2, backoff=backoff).calculate_delay(n) for n in (1, 2, 3)]
        for backoff in (None, Backoff.LINEAR, Backoff.EXPONENTIAL)
    }
    assert waits == {None: [2, 2, 2], Backoff.LINEAR: [2, 4, 6], Backoff.EXPONENTIAL: [2, 6, 14]}
    assert RetryPolicy().calculate_delay(5) == 0


def test_chance():
    """`FULL` draws between nothing and the wait, `PLUS_MINUS` within one delay of it; each draw is another one."""
    full = [jittered(6, 2, "full") for _ in range(200)]
    near = [jittered(6, 2, "plus_minus") for _ in range(200)]
    assert 0 <= min(full) < 1
    assert 5 < max(full) <= 6
    assert 4 <= min(near) < 4.5
    assert 7.5 < max(near) <= 8
    assert len(set(full)) > 190


def test_one_start_then_pairs():
    """A step starts once; each further attempt is announced by *up for retry* and begins with *restarted*."""
    numbers = []

    @op(retry_policy=RetryPolicy(max_retries=3))
    def third_time(context):
        numbers.append(context.retry_number)
        if context.retry_number < 2:
            raise ValueError(f"attempt {context.retry_number}")
        return "done"

    @job
    def once():
        third_time()

    result = once.execute_in_process()
    kinds = [event.event_type for event in result.all_events if event.is_step_event]
    up, again = EventType.STEP_UP_FOR_RETRY, EventType.STEP_RESTARTED
    assert [k for k in kinds if k in (EventType.STEP_START, up, again, EventType.STEP_SUCCESS)] == [
        EventType.STEP_START, up, again, up, again, EventType.STEP_SUCCESS,
    ]  # fmt: skip
    assert numbers == [0, 1, 2]
    assert result.output_for_node("third_time") == "done"
    told = [e.step_retry_data for e in result.all_events if e.is_step_up_for_retry]
    assert [(each.seconds_to_wait, each.error.cls_name) for each in told] == [(0, "ValueError")] * 2


def test_who_is_asked_first():
    """A policy on a use of an op comes before the op's own, that before the nearest graph's, that before the job's."""

    @graph
    def inner():
        fails()
        fails_with_policy()

    @job(op_retry_policy=RetryPolicy(max_retries=3))
    def all_of_them():
        fails()
        fails_with_policy()
        fails_with_policy.with_retry_policy(RetryPolicy(max_retries=1)).alias("first")()
        fails.alias("second").with_retry_policy(RetryPolicy(max_retries=0))()
        inner.with_retry_policy(RetryPolicy(max_retries=4))()
        inner.alias("bare")()

    result = all_of_them.execute_in_process(raise_on_error=False)
    assert retries(result, "fails", "fails_with_policy", "first", "second") == [3, 2, 1, 0]
    assert retries(result, "inner.fails", "inner.fails_with_policy", "bare.fails") == [4, 2, 3]


def test_assets_have_them():
    """Dagster #16964: every kind of asset takes a policy, which holds for all its ops that have none; an asset job's is
    the default."""
    policy = RetryPolicy(max_retries=2)

    @asset(retry_policy=policy)
    def plain():
        raise ValueError

    @multi_asset(outs={"left": Made(), "right": Made()}, retry_policy=policy)
    def several():
        raise ValueError

    @graph_asset(retry_policy=policy)
    def of_graph():
        return fails()

    @graph_multi_asset(outs={"one": Made()}, retry_policy=policy)
    def of_graphs():
        return {"one": fails_with_policy.with_retry_policy(RetryPolicy(max_retries=1))()}

    from_op = AssetsDefinition.from_op(fails, retry_policy=policy)

    @asset
    def silent():
        raise ValueError

    nightly = define_asset_job("nightly", op_retry_policy=RetryPolicy(max_retries=1))
    defs = Definitions(assets=[plain, several, of_graph, of_graphs, from_op, silent], jobs=[nightly])
    result = defs.resolve_job_def("nightly").execute_in_process(raise_on_error=False)
    nodes = ["plain", "several", "of_graph.fails", "of_graphs.fails_with_policy", "fails", "silent"]
    assert retries(result, *nodes) == [2, 2, 2, 1, 2, 1]


def test_the_op_asks():
    """`RetryRequested` is granted as often as it says, whatever the policy; then the step fails with its reason."""

    @op(retry_policy=RetryPolicy(max_retries=1))
    def more():
        said.append("more")
        try:
            raise ConnectionError("503")
        except ConnectionError as error:
            raise RetryRequested(max_retries=3) from error

    @op(retry_policy=RetryPolicy(max_retries=9))
    def none():
        said.append("none")
        raise RetryRequested(max_retries=0)

    @op
    def once():
        raise RetryRequested

    @job
    def asking():
        more()
        none()
        once()

    result = asking.execute_in_process(raise_on_error=False)
    assert retries(result, "more", "none", "once") == [3, 0, 1]
    data = result.failure_data_for_node("more")
    assert data.error.cls_name == "RetryRequested"
    assert "503" in data.error_display_string
    assert "Exceeded max_retries of 3" in data.error_display_string


@pytest.mark.parametrize("given", [{"max_retries": -1}, {"max_retries": "2"}, {"seconds_to_wait": -1}])
def test_a_request_that_cannot_be(given):
    """A request of a wrong kind is the step's failure, and says what it takes."""

    @op
    def asks():
        raise RetryRequested(**given)

    @job
    def asking():
        asks()

    result = asking.execute_in_process(raise_on_error=False)
    assert result.failure_data_for_node("asks").error.cls_name == "BadRetryRequest"


def test_a_failure_may_forbid_it():
    """`Failure(allow_retries=False)` is final; others are tried again."""

    @op
    def final():
        raise Failure("no use", allow_retries=False)

    @op
    def perhaps():
        raise Failure("busy")

    @job(op_retry_policy=RetryPolicy(max_retries=2))
    def failing():
        final()
        perhaps()

    result = failing.execute_in_process(raise_on_error=False)
    assert retries(result, "final", "perhaps") == [0, 2]
    assert result.failure_data_for_node("perhaps").user_failure_data.description == "busy"


def test_others_go_on_during_a_delay():
    """While a step waits for its next attempt, every other step that can runs."""
    order = []

    @op(retry_policy=RetryPolicy(delay=0.2))
    def slow(context):
        order.append(f"slow {context.retry_number}")
        if not context.retry_number:
            raise ValueError

    @op
    def other():
        order.append("other")

    @op
    def after(_x):
        order.append("after")

    @job
    def both():
        slow()
        after(other())

    assert both.execute_in_process().success
    assert order == ["slow 0", "other", "after", "slow 1"]


def test_a_due_retry_does_not_wait_for_all_others():
    """A step whose wait is over goes before steps that come later."""
    order = []

    @op(retry_policy=RetryPolicy(delay=0.01))
    def early(context):
        order.append("early")
        if not context.retry_number:
            raise ValueError

    @op
    def later():
        order.append("later")
        time.sleep(0.05)

    @job
    def both():
        early()
        for n in range(3):
            later.alias(f"later_{n}")()

    assert both.execute_in_process().success
    assert order == ["early", "later", "early", "later", "later"]


def test_the_seconds_are_in_the_record(tmp_path):
    """What chance drew stands in the fact of the failure, so a log that is replayed gives the same run."""
    policy = RetryPolicy(max_retries=2, delay=0.01, backoff=Backoff.LINEAR, jitter=Jitter.FULL)

    @asset(retry_policy=policy)
    def table():
        raise ValueError

    with Instance(tmp_path) as instance:
        result = materialize([table], instance=instance, raise_on_error=False)
        facts = [fact for _, fact in instance.record.facts(result.run_id)]
        waits = [fact.retry_after for fact in facts if isinstance(fact, StepFailed)]
        assert waits[-1] is None
        assert 0 < waits[0] < 0.01
        assert 0 < waits[1] < 0.02
        assert sum(isinstance(fact, RetryDue) for fact in facts) == 2
        plan = inspect.plan_of(instance.record, result.run_id)
        assert plan.steps[0].retry.most == 2
        shown = inspect.to_json(inspect.run_view(instance, result.run_id))
        assert '"attempts": 3' in json.dumps(shown)


def test_resume_in_the_middle_of_a_delay(tmp_path):
    """A run whose process dies during a wait goes on under its id; attempts that were made before count."""
    defs = _dying(tmp_path)
    child = os.fork()
    if child == 0:
        with Instance(tmp_path / "home") as instance:
            execute.materialize(defs, instance=instance)
        os._exit(0)
    deadline = time.monotonic() + 30
    while not (tmp_path / "ran").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)  # it has failed, and waits
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with Instance(tmp_path / "home") as instance:
        (row,) = instance.record.runs()
        assert any(isinstance(fact, StepFailed) for _, fact in instance.record.facts(row.run_id))
        (tmp_path / "quick").touch()
        began = time.monotonic()
        outcome = execute.resume(defs, row.run_id, instance=instance)
        assert outcome.resumed == "same"
        assert outcome.success
        assert time.monotonic() - began >= 0.5  # the wait is made anew
        starts = [f.attempt for _, f in instance.record.facts(row.run_id) if isinstance(f, StepStarted)]
        assert starts == [1, 2]


def _dying(folder):
    @asset(retry_policy=RetryPolicy(delay=0.5))
    def table():
        (folder / "ran").touch()
        if not (folder / "quick").exists():
            raise ValueError
        return 1

    return Definitions(assets=[table])


def test_a_dead_process_uses_up_no_retry(tmp_path):
    """An attempt whose process died does not count, neither for a policy nor for what the op asks for."""

    def attempt(name):
        file = tmp_path / name
        file.write_text(file.read_text() + "." if file.exists() else ".")
        if file.read_text() == ".":
            os.kill(os.getpid(), signal.SIGKILL)
        return len(file.read_text())

    @op
    def asking():
        if attempt("asking") == 2:
            raise RetryRequested(max_retries=1)
        return 1

    @op(retry_policy=RetryPolicy(max_retries=1, delay=0.01, jitter=Jitter.FULL))
    def patient(n):
        if attempt("patient") == 2:
            raise ValueError
        return n

    @graph_asset
    def table():
        return patient(asking())

    defs = Definitions(assets=[table])
    for start in (lambda home: execute.materialize(defs, instance=home), lambda home: _resume_last(defs, home)):
        child = os.fork()
        if child == 0:
            with Instance(tmp_path / "home") as home:
                start(home)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    with Instance(tmp_path / "home") as home:
        outcome = _resume_last(defs, home)
        assert outcome.success
        starts = [(f.step, f.attempt) for _, f in home.record.facts(outcome.run_id) if isinstance(f, StepStarted)]
    assert starts == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]


def _resume_last(defs, instance):
    (row,) = instance.record.runs()
    return execute.resume(defs, row.run_id, instance=instance)


# -- fan-outs ---------------------------------------------------------------------


def test_a_generator_that_is_tried_again():
    """An equal value keeps its mapped step, another one reruns it, one that does not come again is withdrawn."""

    @op(out=DynamicOut(), retry_policy=RetryPolicy())
    def pieces(context):
        again = context.retry_number > 0
        yield DynamicOutput("same", mapping_key="a")
        yield DynamicOutput("second" if again else "first", mapping_key="b")
        if not again:
            yield DynamicOutput("gone", mapping_key="c")
            raise ValueError("half-way")

    @op
    def loud(text):
        said.append(text)
        return text.upper()

    @op
    def join(texts):
        return " ".join(texts)

    @graph_asset
    def table():
        return join(pieces().map(loud).collect())

    instance = Instance.ephemeral()
    result = materialize([table], instance=instance)
    assert said == ["same", "first", "gone", "second"]
    assert result.asset_value("table") == "SAME SECOND"
    (row,) = instance.record.runs()
    fold = inspect.folded(instance.record, row.run_id, inspect.plan_of(instance.record, row.run_id))
    assert tally(fold) == "4 ran · 2 withdrawn"  # what was withdrawn has run for nothing
    (page,) = [line for line in RunTree(fold).full(0.0) if any("loud" in text for text, _ in line)]
    assert "4 steps: 2 ran, 2 withdrawn" in "".join(text for text, _ in page)


def test_mapped_steps_are_tried_again_apart():
    """Each step of a fan-out has retries of its own, also while the generator is still yielding."""
    tried: dict[int, int] = {}

    @op(out=DynamicOut())
    def pieces():
        for n in range(3):
            yield DynamicOutput(n, mapping_key=str(n))

    @op(retry_policy=RetryPolicy(max_retries=2, delay=0.01))
    def picky(n):
        tried[n] = tried.get(n, 0) + 1
        if tried[n] <= n:
            raise ValueError(n)
        return n

    @op
    def total(ns):
        return sum(ns)

    @graph_asset
    def table():
        return total(pieces().map(picky).collect())

    assert materialize([table]).asset_value("table") == 3
    assert tried == {0: 1, 1: 2, 2: 3}


@op(out=DynamicOut())
def numbers():
    for n in range(3):
        yield DynamicOutput(n, mapping_key=str(n))


@op
def twice(n):
    said.append(f"twice {n}")
    return n * 2


@op
def plus(n):
    said.append(f"plus {n}")
    return n + 1


@job
def mapped():
    numbers().map(lambda n: plus(twice(n)))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (["twice[1]"], ["twice 1"]),
        (["twice[?]"], ["twice 0", "twice 1", "twice 2"]),
        (["twice[0]", "twice[2]"], ["twice 0", "twice 2"]),
        (["twice[1]", "plus[2]"], ["twice 1", "plus 4"]),
        (["twice[1]+"], ["twice 1", "plus 2"]),
    ],
)
def test_mapped_steps_are_run_again_by_key(selection, expected):
    """`op[key]` names the step of one key, `op[?]` those of all."""
    with Instance.ephemeral() as instance:
        first = execute_job(mapped, instance=instance)
        said.clear()
        again = ReexecutionOptions(first.run_id, selection)
        assert execute_job(mapped, instance=instance, reexecution_options=again).success
        assert said == expected


@pytest.mark.parametrize(
    ("named", "counts", "reason"),
    [
        ({"from_step": "twice[1]"}, [{}, {"run": 1, "reuse": 2}, {"run": 1, "reuse": 2}], "[1] was asked for"),
        ({"only": ["twice[0]", "twice[2]"]}, [{}, {"run": 2}, {}], "[0], [2] were asked for"),
    ],
)
def test_the_plan_of_mapped_steps_by_key_is_what_runs(named, counts, reason):
    """A plan that goes on from some keys of a fan-out counts what runs and what is reused, as the run then does."""
    with Instance.ephemeral() as instance:
        first = execute_job(mapped, instance=instance)
        plan = planning.plan_resume(Definitions(jobs=[mapped]), first.run_id, instance=instance, **named)
        assert [dict(step.decision.counts) for step in plan.steps] == counts
        assert plan.steps[1].decision.reason == reason
        said.clear()
        execute.resume(Definitions(jobs=[mapped]), first.run_id, instance=instance, **named)
        assert len(said) == plan.counts()[Do.RUN]


def test_a_key_that_was_not_there():
    """A key that the earlier run did not have is an error that names those near it."""
    with Instance.ephemeral() as instance:
        first = execute_job(mapped, instance=instance)
        again = ReexecutionOptions(first.run_id, ["twice[7]"])
        with pytest.raises(ExecutionStepNotFoundError, match=r"twice\[7\]"):
            execute_job(mapped, instance=instance, reexecution_options=again)
