"""Going on from earlier runs: one mechanism for failures, edits, dead processes and lost values."""

import json
import os
import signal
import threading
from pathlib import Path
from types import ModuleType

import pytest

from opgraph import (
    Definitions,
    DynamicOut,
    DynamicOutput,
    In,
    IOManager,
    Nothing,
    Out,
    Output,
    ReexecutionOptions,
    asset,
    execute_job,
    failure_hook,
    graph,
    graph_asset,
    job,
    materialize_to_memory,
    op,
)
from opgraph.declare.project.executor import ExecutorChoice
from opgraph.errors import ExecutionStepNotFoundError, InvalidSubsetError, RunNotFoundError
from opgraph.events import RunStatus, StepInterrupted, StepReused, StepStarted, StepSucceeded, ValueLost
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.operate.inspect import asset_view, folded
from opgraph.operate.planning import plan_resume
from opgraph.plan.mistakes import NothingToRun, UnknownStep
from opgraph.plan.model import Do, decode_plan
from opgraph.record.refusals import RunHeldError
from opgraph.run.instance import Instance
from opgraph.show.cli.watch import remaining
from opgraph.values.manager import InMemoryIOManager

WIDE = 40_000
world: dict[str, object] = {}


@pytest.fixture(autouse=True)
def fresh_world():
    world.clear()
    world.update(ran=[], failing=set())


@pytest.fixture
def instance(tmp_path):
    with Instance(tmp_path / "home") as made:
        yield made


def act(name):
    world["ran"].append(name)
    if name in world["failing"]:
        raise ValueError(f"{name} fails")


def ran():
    """The ops that ran since the last call."""
    names, world["ran"] = world["ran"], []
    return names


def chain(end="", wide=1, *, aliases=("a", "b", "c", "d"), manager=None, extra=False):
    """One asset made by a chain of ops, in several editions."""

    @op
    def start():
        act("a")
        return 1

    @op
    def spread(x):
        act("b")
        return "y" * wide

    @op
    def count(x):
        act("c")
        return len(x)

    @op
    def close(x):
        act("d")
        return f"{x}{end}"

    @op
    def more(x):
        act("more")
        return x

    @graph_asset
    def out():
        a = start.alias(aliases[0])()
        b = spread.alias(aliases[1])(a)
        c = count.alias(aliases[2])(more(b) if extra else b)
        return close.alias(aliases[3])(c)

    return Definitions(assets=[out], resources={"io_manager": manager} if manager is not None else {})


def decisions(plan):
    return {step.key.removeprefix("out."): (step.decision.do.value, step.decision.why) for step in plan.steps}


def driven(instance, run_id):
    """Who drove a run, and how many steps at once and how long that was to be."""
    row = instance.record.run(run_id)
    return row.executor, dict(row.asked.get("settings", {})), row.asked.get("timeout")


def facts(instance, run_id, kind):
    return [fact for _, fact in instance.record.facts(run_id) if isinstance(fact, kind)]


# -- from failure ---------------------------------------------------------------------------------


def test_a_run_is_driven_as_the_one_it_goes_on_from(instance):
    """Executor, workers and time limit that a run was given are those of its resume, and of the resume of that, unless
    others are given; another executor is taken without the workers of the first."""

    @asset
    def one():
        act(threading.current_thread() is threading.main_thread())
        raise ValueError

    defs = Definitions(assets=[one])
    two = {"max_concurrent": 2}
    asked = ExecutorChoice("threads", two)
    first = materialize(defs, instance=instance, executor=asked, timeout=50.0)
    assert driven(instance, first.run_id) == ("threads", two, 50.0)
    second = resume(defs, first.run_id, instance=instance)
    third = resume(defs, second.run_id, instance=instance, executor=ExecutorChoice("", {"max_concurrent": 3}))
    assert driven(instance, second.run_id) == ("threads", two, 50.0)
    assert driven(instance, third.run_id) == ("threads", {"max_concurrent": 3}, 50.0)
    assert ran() == [False, False, False]
    last = resume(defs, third.run_id, instance=instance, executor="in_process", timeout=60)
    assert (driven(instance, last.run_id), ran()) == (("in_process", {}, 60), [True])


def test_workers_of_a_run_without_an_executor_are_kept(instance):
    """A run that was only told how many steps run at once is resumed with that many; `resume` may name the executor."""
    defs, two = chain(), {"max_concurrent": 2}
    world["failing"] = {"b"}
    first = materialize(defs, instance=instance, executor=ExecutorChoice("", two), otherwise="threads")
    second = resume(defs, first.run_id, instance=instance, otherwise="threads")
    assert driven(instance, second.run_id) == ("threads", two, None)
    third = resume(defs, second.run_id, instance=instance, executor="threads")
    assert driven(instance, third.run_id) == ("threads", two, None)


def test_what_the_definitions_say_of_the_executor_is_read_again(instance):
    """A run that was told nothing is resumed by the executor that today's definitions name."""
    world["failing"] = {"b"}
    first = materialize(chain(), instance=instance, otherwise="threads")
    assert driven(instance, first.run_id) == ("threads", {}, None)
    assert driven(instance, resume(chain(), first.run_id, instance=instance).run_id) == ("in_process", {}, None)


def test_from_failure_over_several_generations(instance):
    """Each resume of a failed run is a new run that reuses what succeeded in any generation before it."""
    defs = chain()
    world["failing"] = {"b"}
    first = materialize(defs, instance=instance)
    assert (first.status, first.failed_step, ran()) == (RunStatus.FAILURE, "out.b", ["a", "b"])
    world["failing"] = {"d"}
    second = resume(defs, first.run_id, instance=instance)
    assert (second.status, second.resumed, ran()) == (RunStatus.FAILURE, "new", ["b", "c", "d"])
    third = resume(defs, second.run_id, instance=instance)
    assert ran() == ["d"]
    world["failing"] = set()
    last = resume(defs, third.run_id, instance=instance)
    assert (last.status, ran()) == (RunStatus.SUCCESS, ["d"])
    rows = [instance.record.run(each.run_id) for each in (first, second, third, last)]
    assert [row.parent for row in rows] == [None, first.run_id, second.run_id, third.run_id]
    assert {row.root for row in rows} == {first.run_id}
    assert [row.status for row in rows[:3]] == [RunStatus.FAILURE] * 3, "a final status never changes"
    kept = {fact.step: fact.kept[0].run for fact in facts(instance, last.run_id, StepReused)}
    assert kept == {0: first.run_id, 1: second.run_id, 2: second.run_id}
    assert load_asset_value(defs, "out", instance=instance) == "1"


def test_reasons_are_kept(instance):
    """The plan of a resume says for every step what becomes of it and why, as data."""
    defs = chain()
    world["failing"] = {"c"}
    failed = materialize(defs, instance=instance)
    plan = plan_resume(defs, failed.run_id, instance=instance)
    assert decisions(plan) == {
        "a": ("reuse", "recorded"),
        "b": ("reuse", "recorded"),
        "c": ("run", "failed"),
        "d": ("run", "downstream"),
    }
    assert (plan.parent, plan.changes) == (failed.run_id, {})
    world["failing"] = set()
    again = resume(defs, failed.run_id, instance=instance)
    assert decode_plan(instance.record.run(again.run_id).plan).steps == plan.steps, "what is planned is what runs"


def test_nothing_left_to_run(instance):
    """Resuming a run that succeeded is refused, and says how to run it anew."""
    defs = chain()
    done = materialize(defs, instance=instance)
    with pytest.raises(NothingToRun, match="nothing left to run") as caught:
        resume(defs, done.run_id, instance=instance)
    assert isinstance(caught.value, InvalidSubsetError)
    assert "--from STEP" in caught.value.fix
    assert len(instance.record.runs()) == 1, "nothing was begun"


def test_an_unknown_run(instance):
    """A run id that nobody knows is an error of its own."""
    with pytest.raises(RunNotFoundError, match="no run has the id `r9`"):
        resume(chain(), "r9", instance=instance)


# -- named steps ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "runs"), [("out.b", "bcd"), ("out.d", "d"), ("out", "abcd"), ("out.c+", "cd"), ("+out.c", "bcd")]
)
def test_from_a_step_on(instance, asked, runs):
    """A named step and all that follows it run again; what comes before is reused."""
    defs = chain()
    done = materialize(defs, instance=instance)
    ran()
    outcome = resume(defs, done.run_id, instance=instance, from_step=asked)
    assert (outcome.status, outcome.resumed, "".join(ran())) == (RunStatus.SUCCESS, "new", runs)


def test_these_steps_only(instance):
    """With `only`, just the named steps run; what follows them is left out, and nothing stale is announced."""
    defs = chain()
    done = materialize(defs, instance=instance)
    ran()
    outcome = resume(defs, done.run_id, instance=instance, only=["out.b", "out.c"])
    assert ran() == ["b", "c"]
    assert decisions(outcome.plan)["d"] == ("skip", "not asked")
    assert instance.record.latest(["out"])["out"].run_id == done.run_id


def test_only_steps_whose_inputs_are_not_there(instance):
    """A step asked for alone brings along what it needs and no run has stored."""
    defs = chain()
    world["failing"] = {"b"}
    failed = materialize(defs, instance=instance)
    world["failing"] = set()
    ran()
    resume(defs, failed.run_id, instance=instance, only=["out.c"])
    assert ran() == ["b", "c"]


@pytest.mark.parametrize("options", [{"from_step": "out.bb"}, {"only": ["out.c", "out.bb"]}])
def test_an_unknown_step(instance, options):
    """A step that does not exist is an error that names the nearest ones; nothing was begun."""
    defs = chain()
    done = materialize(defs, instance=instance)
    with pytest.raises(UnknownStep, match=r"no step is named `out.bb`. Did you mean .*`out.b`") as caught:
        resume(defs, done.run_id, instance=instance, **options)
    assert isinstance(caught.value, ExecutionStepNotFoundError)
    assert len(instance.record.runs()) == 1


# -- ReexecutionOptions ---------------------------------------------------------------------------


def job_of_ops():
    @op
    def a():
        act("a")
        return 1

    @op
    def b(x):
        act("b")
        return x + 1

    @op
    def c(x):
        act("c")
        return x + 1

    @graph
    def work():
        return c(b(a()))

    return work.to_job()


def test_execute_job_from_failure(instance):
    """`ReexecutionOptions.from_failure` runs what did not succeed, in a run whose parent is the failed one."""
    job = job_of_ops()
    world["failing"] = {"b"}
    failed = execute_job(job, instance=instance)
    assert (failed.success, ran()) == (False, ["a", "b"])
    world["failing"] = set()
    again = execute_job(job, instance=instance, reexecution_options=ReexecutionOptions.from_failure(failed.run_id))
    assert (again.success, ran(), again.output_for_node("c")) == (True, ["b", "c"], 3)
    assert instance.record.run(again.run_id).parent == failed.run_id


@pytest.mark.parametrize(("chosen", "runs"), [(["b"], "b"), (["b+"], "bc"), ([], "abc"), (["*b"], "ab")])
def test_execute_job_with_a_step_selection(instance, chosen, runs):
    """A `step_selection` runs those steps only; without one, all run again."""
    job = job_of_ops()
    done = execute_job(job, instance=instance)
    ran()
    options = ReexecutionOptions(done.run_id, step_selection=chosen)
    assert execute_job(job, instance=instance, reexecution_options=options).success
    assert "".join(ran()) == runs


def test_execute_job_with_an_unknown_step(instance):
    """A step or a parent run that does not exist is an error, each its own."""
    job = job_of_ops()
    done = execute_job(job, instance=instance)
    with pytest.raises(ExecutionStepNotFoundError, match="no step is named `zz`"):
        execute_job(job, instance=instance, reexecution_options=ReexecutionOptions(done.run_id, step_selection=["zz"]))
    with pytest.raises(RunNotFoundError):
        execute_job(job, instance=instance, reexecution_options=ReexecutionOptions.from_failure("r9"))


# -- after an edit --------------------------------------------------------------------------------


def test_after_an_edit_of_the_failed_op(instance):
    """The common case: fix the op, resume. Only it and what follows run, in a new run with the old one as parent."""
    world["failing"] = {"d"}
    failed = materialize(chain(), instance=instance)
    ran()
    world["failing"] = set()
    fixed = resume(chain(end="!"), failed.run_id, instance=instance)
    assert (fixed.status, fixed.resumed, ran()) == (RunStatus.SUCCESS, "new", ["d"])
    assert load_asset_value(chain(), "out", instance=instance) == "1!"


def test_steps_renamed_added_removed_edited_and_rewired(instance):
    """The plan lists how today's steps differ from the earlier run's; what is new or rewired runs."""
    world["failing"] = {"d"}
    failed = materialize(chain(), instance=instance)

    renamed = plan_resume(chain(aliases=("a", "bee", "c", "d")), failed.run_id, instance=instance)
    assert renamed.changes == {"renamed": ("out.b → out.bee",)}
    assert decisions(renamed)["bee"] == ("run", "new")

    added = plan_resume(chain(extra=True), failed.run_id, instance=instance)
    assert added.changes == {"added": ("out.more",)}
    assert decisions(added) == {
        "a": ("reuse", "recorded"),
        "b": ("reuse", "recorded"),
        "more": ("run", "new"),
        "c": ("run", "rewired"),
        "d": ("run", "downstream"),
    }

    edited = plan_resume(chain(wide=3), failed.run_id, instance=instance)
    assert edited.changes == {"edited": ("out.b",)}
    assert decisions(edited)["b"] == ("reuse", "recorded"), "by step key: `--from out.b` runs it"


def test_a_step_removed(instance):
    """A step that is gone is listed, and what it fed runs with its new input."""
    world["failing"] = {"d"}
    failed = materialize(chain(extra=True), instance=instance)
    plan = plan_resume(chain(), failed.run_id, instance=instance)
    assert plan.changes == {"removed": ("out.more",)}
    assert decisions(plan)["c"] == ("run", "rewired")


# -- after a death --------------------------------------------------------------------------------


def dead(folder, defs, kill_at):
    """Leave a run whose process was killed in the op named."""
    pid = os.fork()
    if not pid:
        try:
            world["failing"] = Dying(kill_at)
            with Instance(folder) as instance:
                materialize(defs, instance=instance)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


class Dying(set):
    def __init__(self, name):
        self.name = name

    def __contains__(self, name):
        if name == self.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return False


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_after_kill_9(tmp_path):
    """A run whose process was killed goes on under its id, in the next epoch, with the op that was under way."""
    defs = chain()
    dead(tmp_path, defs, "c")
    with Instance(tmp_path) as instance:
        row = instance.record.runs()[0]
        assert (row.status, row.epoch, instance.record.alive(row.run_id)) == (RunStatus.STARTED, 1, False)
        outcome = resume(defs, row.run_id, instance=instance)
        assert (outcome.run_id, outcome.resumed, outcome.success) == (row.run_id, "same", True)
        assert (ran(), instance.record.run(row.run_id).epoch) == (["c", "d"], 2)
        assert [f.attempt for f in facts(instance, row.run_id, StepStarted) if f.step == 2] == [1, 2]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_after_kill_9_and_an_edit(tmp_path):
    """Where the code has changed since, the dead run ends as a failure that says so, and a new run goes on from it."""
    dead(tmp_path, chain(), "c")
    with Instance(tmp_path) as instance:
        row = instance.record.runs()[0]
        outcome = resume(chain(end="!"), row.run_id, instance=instance)
        assert (outcome.resumed, outcome.success, ran()) == ("new", True, ["c", "d"])
        before = instance.record.run(row.run_id)
        assert (before.status, instance.record.run(outcome.run_id).parent) == (RunStatus.FAILURE, row.run_id)
        assert "the code has changed" in instance.record.facts(row.run_id)[-1][1].error.message


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_after_kill_9_and_an_edit_of_another_module(tmp_path):
    """A constant that an op reads as `module.NAME` is its code: with another one the run gets a new id."""
    rates = ModuleType(f"{__name__}.rates")

    def defs(rate):
        rates.RATE = rate

        @asset
        def out():
            act("out")
            return rates.RATE

        return Definitions(assets=[out])

    for rate, resumed in ((5, "same"), (6, "new")):
        folder = tmp_path / resumed
        dead(folder, defs(5), "out")
        with Instance(folder) as instance:
            assert resume(defs(rate), instance.record.runs()[0].run_id, instance=instance).resumed == resumed


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_slip_does_not_end_a_dead_run(tmp_path):
    """Naming a step that does not exist leaves a dead run as it is: it can still go on under its id."""
    defs = chain()
    dead(tmp_path, defs, "c")
    with Instance(tmp_path) as instance:
        run_id = instance.record.runs()[0].run_id
        with pytest.raises(UnknownStep):
            resume(defs, run_id, instance=instance, from_step="out.x")
        assert resume(defs, run_id, instance=instance).resumed == "same"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_an_asset_materialized_meanwhile_does_not_change_the_code(tmp_path):
    """A dead run goes on under its id though an asset that it loads was first recorded after it was planned."""

    @op
    def first():
        return 5

    @graph_asset
    def up():
        return first()

    @op
    def use(up):
        act("use")
        return up

    @graph_asset
    def down(up):
        return use(up)

    defs = Definitions(assets=[up, down])
    pid = os.fork()
    if not pid:
        with Instance(tmp_path) as instance:
            materialize(defs, "down", instance=instance, listeners=[lambda *_: os.kill(os.getpid(), signal.SIGKILL)])
        os._exit(1)
    os.waitpid(pid, 0)
    with Instance(tmp_path) as instance:
        run_id = instance.record.runs()[0].run_id
        assert materialize(defs, "up", instance=instance).success
        outcome = resume(defs, run_id, instance=instance)
        assert (outcome.resumed, outcome.status) == ("same", RunStatus.SUCCESS)


def test_a_run_that_is_driven_is_not_taken(tmp_path):
    """Another process that tries to resume a run that is under way is told who drives it, and changes nothing."""
    defs = chain()
    with Instance(tmp_path) as instance:

        def from_outside(_seq, fact):
            if not isinstance(fact, StepSucceeded) or fact.step != 1:
                return
            pid = os.fork()
            if not pid:
                try:
                    with Instance(tmp_path) as other:
                        resume(defs, other.record.runs()[0].run_id, instance=other)
                except RunHeldError as error:
                    (tmp_path / "said").write_text(json.dumps([error.pid, str(error)]))
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)

        outcome = materialize(defs, instance=instance, listeners=[from_outside])
        pid, text = json.loads((tmp_path / "said").read_text())
        assert pid == os.getpid()
        assert f"run {outcome.run_id} is being driven by process {pid}" in text
        assert (outcome.success, instance.record.run(outcome.run_id).epoch, ran()) == (True, 1, ["a", "b", "c", "d"])


# -- lost values ----------------------------------------------------------------------------------


def spoil(instance, run_id, output_of, how):
    """Delete or damage the file of a step's value."""
    (fact,) = [f for f in facts(instance, run_id, StepSucceeded) if f.step == output_of]
    path = Path(instance.storage) / fact.outputs[0].location
    if how == "deleted":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["deleted", "damaged"])
def test_a_lost_value_is_made_again(instance, how):
    """When a reused value is gone or damaged, the op that made it runs again and nothing else does."""
    defs = chain(wide=WIDE)
    world["failing"] = {"c"}
    failed = materialize(defs, instance=instance)
    world["failing"] = set()
    ran()
    spoil(instance, failed.run_id, 1, how)
    outcome = resume(defs, failed.run_id, instance=instance)
    assert outcome.success
    assert ran() == ["b", "c", "d"]
    assert [f.step for f in facts(instance, outcome.run_id, ValueLost)] == ([1] if how == "damaged" else [])
    assert load_asset_value(defs, "out", instance=instance) == str(WIDE)


def wide_chain():
    """Every intermediate is a file."""

    @op
    def a():
        act("a")
        return "a" * WIDE

    @op
    def b(x):
        act("b")
        return x + "b"

    @op
    def side(x):
        act("side")
        return x + "s"

    @op
    def c(x, y):
        act("c")
        return x + "c"

    @graph_asset
    def out():
        first = a()
        return c(b(first), side(first))

    return Definitions(assets=[out])


@pytest.mark.parametrize("how", ["deleted", "damaged"])
def test_losses_are_followed_upstream(instance, how):
    """When what a lost value was made from is lost too, that runs again as well; the other branch does not."""
    defs = wide_chain()
    world["failing"] = {"c"}
    failed = materialize(defs, instance=instance)
    steps = [step.key for step in failed.plan.steps]
    world["failing"] = set()
    ran()
    spoil(instance, failed.run_id, steps.index("out.a"), how)
    spoil(instance, failed.run_id, steps.index("out.b"), how)
    outcome = resume(defs, failed.run_id, instance=instance)
    assert (outcome.status, ran()) == (RunStatus.SUCCESS, ["a", "b", "c"])
    assert load_asset_value(defs, "out", instance=instance) == "a" * WIDE + "bc"


def test_a_loss_during_a_run(instance):
    """A value that is lost while its run goes is made again in that run, and the op that missed it tries once more."""
    defs = chain(wide=WIDE)

    def lose(_seq, fact):
        if isinstance(fact, StepSucceeded) and fact.step == 1 and fact.attempt == 1:
            (Path(instance.storage) / fact.outputs[0].location).unlink()

    outcome = materialize(defs, instance=instance, listeners=[lose])
    assert (outcome.status, ran()) == (RunStatus.SUCCESS, ["a", "b", "b", "c", "d"])
    assert [f.step for f in facts(instance, outcome.run_id, StepInterrupted)] == [2]


def test_a_value_lost_again_and_again(instance):
    """A value that is lost twice fails the op that needs it, with the reason; it is not tried for ever."""
    defs = chain(wide=WIDE)

    def lose(_seq, fact):
        if isinstance(fact, StepSucceeded) and fact.step == 1:
            (Path(instance.storage) / fact.outputs[0].location).unlink()

    outcome = materialize(defs, instance=instance, listeners=[lose])
    assert (outcome.status, outcome.failed_step, ran()) == (RunStatus.FAILURE, "out.c", ["a", "b", "b"])
    assert (outcome.error.kind, outcome.error.during) == ("ValueLostError", "load")
    assert resume(defs, outcome.run_id, instance=instance).success
    assert ran() == ["b", "c", "d"]


def test_a_step_that_misses_a_value_for_good_tells_its_hooks(instance):
    """A step that was never called, because what it needs was lost twice, has its failure hooks called."""
    told = []

    @failure_hook
    def warn(context):
        told.append((context.step_key, type(context.op_exception).__name__))

    def lose(_seq, fact):
        if isinstance(fact, StepSucceeded) and fact.step == 1:
            (Path(instance.storage) / fact.outputs[0].location).unlink()

    defs = Definitions(assets=[each.with_hooks({warn}) for each in chain(wide=WIDE).assets])
    assert not materialize(defs, instance=instance, listeners=[lose]).success
    assert told == [("out.c", "ValueLostError")]


def test_one_of_two_outputs_lost(instance):
    """Of an op with two outputs only the lost one is stored again, and a later resume still finds both."""

    @op(out={"x": Out(), "y": Out(is_required=False)})
    def two(context):
        act("two")
        world.setdefault("selected", []).append(set(context.selected_output_names))
        yield Output("x" * WIDE, "x")
        yield Output("y" * WIDE, "y")

    @op
    def join(x, y):
        act("join")
        return len(x) + len(y)

    @graph_asset
    def out():
        x, y = two()
        return join(x, y)

    defs = Definitions(assets=[out])
    world["failing"] = {"join"}
    failed = materialize(defs, instance=instance)
    outputs = facts(instance, failed.run_id, StepSucceeded)[0].outputs
    path = Path(instance.storage) / next(s.location for s in outputs if s.output == "y")
    path.write_bytes(b"\0" * path.stat().st_size)
    ran()
    second = resume(defs, failed.run_id, instance=instance)
    assert (ran(), world["selected"][-1]) == (["two", "join"], {"y"})
    made = facts(instance, second.run_id, StepSucceeded)
    assert [s.output for f in made for s in f.outputs] == ["y"]
    world["failing"] = set()
    third = resume(defs, second.run_id, instance=instance)
    assert (third.status, ran()) == (RunStatus.SUCCESS, ["join"])
    assert load_asset_value(defs, "out", instance=instance) == 2 * WIDE


def test_values_of_a_process_that_is_gone(tmp_path):
    """What an in-memory manager held is lost with its process: a resume says so, and makes it again."""
    world["failing"] = {"c"}
    with Instance(tmp_path) as instance:
        failed = materialize(chain(manager=InMemoryIOManager()), instance=instance)
        defs = chain(manager=InMemoryIOManager())
        world["failing"] = set()
        ran()
        plan = plan_resume(defs, failed.run_id, instance=instance)
        assert decisions(plan)["b"] == ("run", "lost")
        assert resume(defs, failed.run_id, instance=instance).success
        assert ran() == ["a", "b", "c", "d"]


class Overwriting(IOManager):
    """Keeps one value for each name, as a table or a file of a fixed name does."""

    def __init__(self):
        self.values = {}

    def handle_output(self, context, obj):
        self.values["/".join(context.get_asset_identifier() if context.has_asset_key else [context.name])] = obj

    def load_input(self, context):
        up = context.upstream_output
        return self.values["/".join(up.get_asset_identifier() if up.has_asset_key else [up.name])]


def test_a_manager_that_overwrites(instance):
    """An asset's value that its manager has overwritten since is not reused: the plan says `not versioned`."""
    manager = Overwriting()

    @op
    def make():
        act("make")
        return world["version"]

    @graph_asset
    def up():
        return make()

    @op
    def use(up):
        act("use")
        return up

    @graph_asset
    def down(up):
        return use(up)

    defs = Definitions(assets=[up, down], resources={"io_manager": manager})
    world.update(version=1, failing={"use"})
    failed = materialize(defs, instance=instance)
    assert decisions(plan_resume(defs, failed.run_id, instance=instance))["up.make"] == ("reuse", "recorded")
    world["version"] = 2
    materialize(defs, "up", instance=instance)
    world.update(version=3, failing=set())
    ran()
    plan = plan_resume(defs, failed.run_id, instance=instance)
    assert decisions(plan)["up.make"] == ("run", "not versioned")
    assert resume(defs, failed.run_id, instance=instance).success
    assert ran() == ["make", "use"]


# -- skipped steps --------------------------------------------------------------------------------


def test_what_was_skipped_stays_skipped(instance):
    """A resume does not run what was skipped because an optional output did not come, and runs what was blocked."""

    @op(out={"x": Out(is_required=False), "y": Out(is_required=False)})
    def maybe():
        act("maybe")
        yield Output(1, "y")

    @op
    def on_x(x):
        act("on_x")
        return x

    @op
    def on_y(y):
        act("on_y")
        return y

    @op(ins={"after": In(Nothing)})
    def after_y():
        act("after_y")

    @graph
    def work():
        x, y = maybe()
        on_x(x)
        after_y(after=on_y(y))

    job = work.to_job()
    world["failing"] = {"on_y"}
    failed = execute_job(job, instance=instance)
    world["failing"] = set()
    ran()
    again = execute_job(job, instance=instance, reexecution_options=ReexecutionOptions.from_failure(failed.run_id))
    assert (again.success, ran()) == (True, ["on_y", "after_y"])
    skipped = {s.key: s.decision.why for s in decode_plan(instance.record.run(again.run_id).plan).steps}
    assert skipped["on_x"] == "skipped"


def test_what_was_skipped_of_a_fan_out_changes_nothing(instance):
    """What collects a fan-out of which a step was skipped is reused like what collects a whole one."""

    @op(out=DynamicOut())
    def deal():
        yield from (DynamicOutput(n, str(n)) for n in range(3))

    @op(out=Out(is_required=False))
    def odd(n):
        act("odd")
        if n % 2:
            yield Output(n)

    @op
    def double(n):
        act("double")
        return 2 * n

    @op
    def total(ns):
        act("total")
        return sum(ns)

    @op
    def told(n):
        act("told")

    @job
    def work():
        told(total(deal().map(lambda n: double(odd(n))).collect()))

    world["failing"] = {"told"}
    failed = execute_job(work, instance=instance)
    world["failing"] = set()
    assert ran() == ["odd", "odd", "double", "odd", "total", "told"]
    fold = folded(instance.record, failed.run_id, decode_plan(instance.record.run(failed.run_id).plan))
    assert (remaining(fold)["left"], remaining(fold)["kept"]) == (1, 6)
    again = execute_job(work, instance=instance, reexecution_options=ReexecutionOptions.from_failure(failed.run_id))
    assert (again.success, ran()) == (True, ["told"])


def test_memory_only_runs_leave_nothing(instance):
    """`materialize_to_memory` records a run and stores no value on disk."""
    result = materialize_to_memory(chain(wide=WIDE).assets, instance=instance)
    assert result.success
    assert not (instance.home / "values").exists()
    assert all(step.decision.do is Do.RUN for step in decode_plan(instance.record.run(result.run_id).plan).steps)


def counted_job():
    """A job of three ops, one of which may fail, and one beside them."""

    @op
    def first():
        act("first")
        return 1

    @op
    def second(x):
        act("second")
        return x + 1

    @op
    def aside():
        act("aside")

    @job
    def counted():
        second(first())
        aside()

    return counted


def test_the_ops_of_a_run_are_those_of_what_goes_on_from_it(instance):
    """A run of some ops keeps which they were: going on from it plans these, and no others."""
    world["failing"] = {"second"}
    counted = counted_job()
    failed = execute_job(counted, instance, op_selection=["*second"])
    assert (failed.success, ran()) == (False, ["first", "second"])
    again = plan_resume(Definitions(jobs=[counted]), failed.run_id, instance=instance)
    assert [step.key for step in again.steps] == ["first", "second"]
    world["failing"] = set()
    options = ReexecutionOptions.from_failure(failed.run_id, instance)
    assert execute_job(counted, instance, reexecution_options=options).output_for_node("second") == 2
    assert ran() == ["second"]


def test_a_jobs_own_selection_holds_where_it_is_run_by_name(instance):
    """A job that was cut down to some ops runs these also when it is run from the definitions."""
    cut = counted_job().get_subset(op_selection=["aside"])
    assert materialize(Definitions(jobs=[cut]), job="counted", instance=instance).success
    assert ran() == ["aside"]


def test_going_on_by_options_from_a_run_that_succeeded_is_refused(instance):
    """`from_failure` of a run that did everything is refused as `resume` refuses it."""
    counted = counted_job()
    done = execute_job(counted, instance)
    with pytest.raises(NothingToRun, match="nothing left to run"):
        execute_job(counted, instance, reexecution_options=ReexecutionOptions.from_failure(done.run_id))


def test_what_a_resumed_run_reused_was_made_from_something_too(instance):
    """An asset that a resumed run made was made from the versions that its reused ops had read, those of a fan-out
    too, and from no others: what was made anew since is not among them."""

    @asset
    def orders():
        return [1, 2]

    @asset
    def rates():
        return 10

    @asset
    def names():
        return "ab"

    @op(out=DynamicOut())
    def each(orders):
        for n in orders:
            yield DynamicOutput(n, f"k{n}")

    @op
    def priced(n, rates):
        return n * rates

    @op
    def told(prices, names):
        act("told")
        return f"{names}: {sum(prices)}"

    @graph_asset
    def bill(orders, rates, names):
        return told(each(orders).map(lambda n: priced(n, rates)).collect(), names)

    defs = Definitions(assets=[orders, rates, names, bill])
    world["failing"] = {"told"}
    first = materialize(defs, instance=instance).run_id
    world["failing"] = set()
    again = materialize(defs, "names or rates", instance=instance).run_id
    resume(defs, first, instance=instance)
    reads = asset_view(instance, "bill").latest.reads
    assert {read.asset: read.run for read in reads} == {"orders": first, "rates": first, "names": first}
    assert again not in {read.run for read in reads}
