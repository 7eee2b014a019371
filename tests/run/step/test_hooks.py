"""Hooks: who calls which, what they see, and that nothing they do changes the run."""

import logging
import sys

import pytest

from opgraph import (
    AssetOut,
    AssetsDefinition,
    Definitions,
    DynamicOut,
    DynamicOutput,
    EventType,
    Failure,
    HookContext,
    HookExecutionResult,
    InitResourceContext,
    Instance,
    InvalidDefinitionError,
    InvalidInvocationError,
    InvariantViolationError,
    OpExecutionContext,
    Out,
    Output,
    RetryPolicy,
    asset,
    build_hook_context,
    define_asset_job,
    failure_hook,
    graph,
    graph_asset,
    graph_multi_asset,
    job,
    materialize,
    multi_asset,
    op,
    resource,
    success_hook,
    with_resources,
)
from opgraph.events import StepSucceeded
from opgraph.operate import execute, inspect

calls: list[tuple[str, str]] = []
seen: dict[str, HookContext] = {}


@pytest.fixture(autouse=True)
def _quiet():
    calls.clear()
    seen.clear()


def hook_named(name, after=success_hook, **options):
    @after(name=name, **options)
    def hook(context):
        calls.append((name, context.step_key))
        seen[context.step_key] = context

    return hook


done = hook_named("done")
failed = hook_named("failed", failure_hook)


@op
def one():
    return 1


@op
def plus(x):
    return x + 1


@op
def breaks():
    raise ValueError("no")


def test_where_they_are_put():
    """A hook on an op is called for it, one on a graph for all its ops, one on a job for every op; each once."""

    @graph
    def inner():
        return plus(one.with_hooks({hook_named("op")})())

    @graph
    def outer():
        return plus(inner.with_hooks({hook_named("graph")})())

    @job(hooks={done})
    def whole():
        outer()
        one.with_hooks({done})()

    assert whole.execute_in_process().success
    assert sorted(calls) == [
        ("done", "one"),
        ("done", "outer.inner.one"),
        ("done", "outer.inner.plus"),
        ("done", "outer.plus"),
        ("graph", "outer.inner.one"),
        ("graph", "outer.inner.plus"),
        ("op", "outer.inner.one"),
    ]


def test_as_decorators():
    """A hook above a job, a graph or an asset is the same as `hooks=`, and what it stands above runs as before."""

    @done
    @failed
    @job
    def decorated():
        breaks()
        one()

    @done
    @graph
    def made():
        one.alias("uno")()

    @done
    @asset
    def table():
        return 1

    assert not decorated.execute_in_process(raise_on_error=False).success
    assert made.to_job().execute_in_process().success
    assert materialize([table]).success
    assert sorted(calls) == [("done", "one"), ("done", "table"), ("done", "uno"), ("failed", "breaks")]


def test_assets_have_them():
    """Every kind of asset takes `hooks`; an asset job's are called for all its steps."""

    @asset(hooks={done})
    def plain():
        return 1

    @multi_asset(outs={"left": AssetOut(), "right": AssetOut()}, hooks={done})
    def several():
        return 1, 2

    @graph_asset(hooks={done})
    def of_graph():
        return plus(one())

    @graph_multi_asset(outs={"first": AssetOut()}, hooks={done})
    def of_graphs():
        return {"first": one()}

    of_op = AssetsDefinition.from_op(one, hooks={done})

    @asset
    def silent():
        return 1

    nightly = define_asset_job("nightly", hooks={hook_named("nightly")})
    assets = [plain, several, of_graph, of_graphs, of_op, silent]
    defs = Definitions(assets=assets, jobs=[nightly])
    assert defs.resolve_job_def("nightly").with_hooks({failed}).execute_in_process().success
    steps = ["of_graph.one", "of_graph.plus", "of_graphs.one", "one", "plain", "several", "silent"]
    assert sorted(step for name, step in calls if name == "done") == steps[:-1]
    assert sorted(step for name, step in calls if name == "nightly") == steps
    assert execute.materialize(defs, job="nightly", instance=Instance.ephemeral()).success
    assert sorted(step for name, step in calls if name == "nightly") == sorted(steps * 2)


def test_what_they_see():
    """A hook knows its step, its run, what came out, what was raised, and what was configured."""

    @op(out={"a": Out(), "b": Out()}, config_schema={"n": int})
    def two():
        yield Output(1, "a", metadata={"rows": 7})
        yield Output(2, "b")

    @op(out={"a": Out(), "b": Out()})
    def half():
        yield Output(1, "a")
        raise Failure("gone")

    @op(out=DynamicOut())
    def many():
        yield DynamicOutput(1, mapping_key="x")
        yield DynamicOutput(2, mapping_key="y")

    @job(hooks={done, failed})
    def all_of_them():
        two.alias("both")()
        half()
        many().map(plus)

    config = {"ops": {"both": {"config": {"n": 3}}}}
    result = all_of_them.execute_in_process(run_config=config, raise_on_error=False)
    both, broken = seen["both"], seen["half"]
    assert (both.op.name, both.run_id, both.job_name, both.op_config) == (
        "both",
        result.run_id,
        "all_of_them",
        {"n": 3},
    )
    assert both.op_output_values == {"a": 1, "b": 2}
    assert both.op_output_metadata["a"]["rows"].value == 7
    assert (both.op_exception, both.hook_def) == (None, done)
    assert isinstance(broken.op_exception, Failure)
    assert broken.op_output_values == {"a": 1}
    assert seen["many"].op_output_values == {"result": {"x": 1, "y": 2}}
    assert seen["plus[y]"].op_output_values == {"result": 3}
    assert both.run.run_id == result.run_id


def test_only_the_last_attempt_counts():
    """A failure hook is called once, when no other attempt follows; none is called for a step that recovers."""

    @op(retry_policy=RetryPolicy(max_retries=2))
    def never():
        raise ValueError

    @op(retry_policy=RetryPolicy(max_retries=2))
    def at_last(context):
        if context.retry_number < 2:
            raise ValueError

    @job(hooks={done, failed})
    def both():
        never()
        at_last()

    assert not both.execute_in_process(raise_on_error=False).success
    assert sorted(calls) == [("done", "at_last"), ("failed", "never")]
    assert seen["never"].retry_number == 2


def test_not_called_without_an_attempt():
    """A step that is skipped, or blocked by a failure before it, has no hook called."""

    @job(hooks={done, failed})
    def blocked():
        plus(breaks())

    blocked.execute_in_process(raise_on_error=False)
    assert calls == [("failed", "breaks")]


@pytest.mark.parametrize("error", [ValueError("hook"), SystemExit(3), KeyboardInterrupt()])
def test_a_failing_hook_changes_nothing(error, tmp_path, capsys):
    """Whatever a hook raises is recorded and told once, the next hook is called, and the run ends as it would have."""

    @success_hook
    def bad(context):
        print("about to fail")
        raise error

    @asset(hooks={bad, done})
    def table():
        return 1

    with Instance(tmp_path) as instance:
        result = materialize([table], instance=instance)
        assert result.success
        assert calls == [("done", "table")]
        kinds = [event.event_type for event in result.all_events]
        at = kinds.index(EventType.STEP_SUCCESS)
        assert kinds[at + 1 : at + 3] == [EventType.HOOK_ERRORED, EventType.HOOK_COMPLETED]
        event = result.all_events[at + 1]
        assert event.is_hook_errored
        assert event.is_hook_event
        assert not event.is_step_event
        assert event.hook_errored_data.error.cls_name == type(error).__name__
        (fact,) = [f for _, f in instance.record.facts(result.run_id) if isinstance(f, StepSucceeded)]
        assert [(hook.name, hook.error is None) for hook in fact.hooks] == [("bad", False), ("done", True)]
        plan = inspect.plan_of(instance.record, result.run_id)
        assert [line.text for line in inspect.logs(instance.record, result.run_id, plan)] == ["about to fail"]
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"ERROR hook `bad` of `table` failed: {type(error).__name__}")


def test_what_a_hook_says_that_the_driver_calls(tmp_path):
    """Where an attempt ended without a verdict of its own, what its hooks print and log is kept with the step too;
    there is no context of an op to be had."""

    @failure_hook
    def tell(context):
        print("printed", context.step_key)
        print("aside", file=sys.stderr)
        logging.getLogger("mine").warning("logged")
        with pytest.raises(InvariantViolationError):
            OpExecutionContext.get()
        calls.append(("tell", context.step_key))

    @op
    def gives_up():
        raise KeyboardInterrupt("by hand")

    @job(hooks={tell})
    def failing():
        gives_up()

    defs = Definitions(jobs=[failing])
    with Instance(tmp_path) as instance:
        result = defs.resolve_job_def("failing").execute_in_process(instance=instance, raise_on_error=False)
        plan = inspect.plan_of(instance.record, result.run_id)
        told = [(line.step, line.attempt, line.text) for line in inspect.logs(instance.record, result.run_id, plan)]
    assert calls == [("tell", "gives_up")]
    assert told == [("gives_up", 1, "printed gives_up"), ("gives_up", 1, "aside"), ("gives_up", 1, "logged")]


def test_the_other_end():
    """A failure hook of a step that succeeded is recorded as skipped, and not called; so is a success hook of one that
    failed."""

    @job(hooks={done, failed})
    def both():
        one()
        breaks()

    result = both.execute_in_process(raise_on_error=False)
    told = [(event.step_key, event.event_type) for event in result.all_events if event.is_hook_event]
    kinds = EventType.HOOK_COMPLETED, EventType.HOOK_SKIPPED
    assert told == [("one", kinds[0]), ("one", kinds[1]), ("breaks", kinds[1]), ("breaks", kinds[0])]
    assert calls == [("done", "one"), ("failed", "breaks")]


def test_a_hook_may_have_nothing_to_do():
    """A hook that returns a skipped result is recorded as skipped."""

    @failure_hook
    def sometimes(context):
        return HookExecutionResult("sometimes", is_skipped=True)

    @job(hooks={sometimes})
    def failing():
        breaks()

    result = failing.execute_in_process(raise_on_error=False)
    (event,) = [each for each in result.all_events if each.is_hook_event]
    assert event.is_hook_skipped
    assert event.step_key == "breaks"


def test_their_resources():
    """A hook has the resources that it requires, also those that only it uses; they are made once and put away."""
    opened = []

    @resource
    def chat(_: InitResourceContext):
        opened.append("open")
        yield []
        opened.append("close")

    @success_hook(required_resource_keys={"chat"})
    def tell(context):
        context.resources.chat.append(context.step_key)
        calls.append(("tell", ",".join(context.resources.chat)))

    @asset(hooks={tell})
    def table():
        return 1

    @asset(hooks={tell})
    def other():
        return 1

    assert materialize([table, other], resources={"chat": chat}).success
    assert calls[-1] == ("tell", "table,other")
    assert opened == ["open", "close"]
    assert materialize(with_resources([table], {"chat": chat})).success


def test_a_resource_that_is_missing():
    """A resource that only a hook requires is missed before anything runs, wherever the hook was put."""
    needing = hook_named("needing", required_resource_keys={"chat"})

    @asset(hooks={needing})
    def table():
        return 1

    @job(hooks={needing})
    def jobbed():
        one()

    message = "hook `needing` of .* requires resource `chat`"
    with pytest.raises(InvalidDefinitionError, match=message):
        materialize([table])
    with pytest.raises(InvalidDefinitionError, match=message):
        jobbed.execute_in_process()
    with pytest.raises(InvalidDefinitionError, match=message):
        Definitions(jobs=[define_asset_job("nightly", hooks={needing})]).resolve_job_def("nightly")


# -- by hand ------------------------------------------------------------------------


def test_called_directly():
    """With a context made by hand a hook runs its function; what was not given is an error that says so."""

    @failure_hook(required_resource_keys={"chat"})
    def warn(context: HookContext):
        return context.op.name, context.job_name, context.op_exception, context.resources.chat

    error = ValueError()
    context = build_hook_context({"chat": []}, plus.alias("more"), job_name="nightly", op_exception=error)
    assert warn(context) == warn(context=context) == ("more", "nightly", error, [])
    with pytest.raises(InvalidDefinitionError, match="hook `.*` .*resource `chat`"):
        warn(build_hook_context())
    with pytest.raises(InvalidInvocationError, match="was called with 0"):
        warn()
    with pytest.raises(InvalidInvocationError, match="argument `context`"):
        warn(other=context)
    for member in ("run_id", "instance", "op", "step_key", "run"):
        with pytest.raises(InvariantViolationError, match=f"HookContext {member}"):
            getattr(build_hook_context(), member)


def test_resources_by_hand():
    """A resource that is to be put away is there inside `with`."""
    opened = []

    @resource
    def chat(_):
        opened.append("open")
        yield "room"
        opened.append("close")

    @success_hook(required_resource_keys={"chat"})
    def tell(context):
        return context.resources.chat

    with build_hook_context({"chat": chat}) as context:
        assert tell(context) == "room"
    assert opened == ["open", "close"]
    with pytest.raises(InvariantViolationError, match="with build_hook_context"):
        tell(build_hook_context({"chat": chat}))
