"""Runs: start one, go on with one."""

import getpass
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.executor import ExecutorChoice, in_process_executor
from opgraph.declare.settings.run_config import is_tree
from opgraph.errors import Error, RecordError
from opgraph.events import ErrorInfo, RunEnded, RunStarted, RunStatus, StepStarted
from opgraph.operate.clean import after_a_run
from opgraph.operate.memo import Reuse
from opgraph.operate.planning import past_of, policy_in, replan, row_of, target_again, target_of, trouble_in
from opgraph.operate.stored import trouble_with
from opgraph.operate.target import Selection, Target
from opgraph.plan.limits import seconds_of
from opgraph.plan.model import Plan, Policy, decode_plan, encode_plan
from opgraph.plan.past import Past
from opgraph.plan.reuse import Trouble, steps_named
from opgraph.record.refusals import RunHeldError
from opgraph.record.rows import RunRow
from opgraph.record.store import Gate, Writer
from opgraph.resolve.config import Given
from opgraph.run.call.binding import BoundStep, keys_of_running, refuse_missing
from opgraph.run.call.context import Resources, RunSide
from opgraph.run.captured import Captured, StepLog
from opgraph.run.driving.driver import Driver, Listener
from opgraph.run.executors.choose import checked_choice
from opgraph.run.failure import error_info
from opgraph.run.instance import Instance
from opgraph.run.report.views import Run
from opgraph.run.resources import Opened
from opgraph.run.step.hooks import failures_told
from opgraph.run.store.lookup import LookUps
from opgraph.run.store.managers import Managers
from opgraph.run.store.shelf import Shelf

_BESIDE = {"in_process": "in_process", "multiprocess": "processes"}
OnPlan = Callable[[Plan, str], None]


class Driving(TypedDict, total=False):
    """How a run is driven, whatever it runs.

    Attributes:
        listeners: told of every fact once it is recorded, in this thread.
        on_plan: told of the plan and the run's id before anything runs.
        forward: whether what ops print also goes where it would have gone.
        executor: who runs the steps; None: what the job, the definitions or the project's settings say.
        otherwise: the executor where neither this call, the job nor the definitions name one.
        timeout: seconds that the run may take; None: what the job's tags say.
        hold: whether the outcome's shelf keeps the values as they came, for a user's I/O manager may load nothing, or
            something else than it stored.
    """

    listeners: Sequence[Listener]
    on_plan: OnPlan | None
    forward: bool
    executor: ExecutorChoice | str | None
    otherwise: str | None
    timeout: float | None
    hold: bool


class Starting(Driving, total=False):
    """How a run is started.

    Attributes:
        who: who starts it, for the list of runs; by default the user of this process.
        why: what for.
    """

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        run_id: the run; where a run was resumed, the same one or a new one.
        status: SUCCESS, FAILURE or CANCELED.
        plan: what it did.
        error: the first failed step's error, as data.
        failed_step: the key of that step.
        resumed: `""`, `same` (it went on under its id) or `new` (a new run with a parent).
        shelf: loads its values.
        exceptions: of failed steps, by step key.
        canceled_by: who cancelled it: a signal's name, or what a request said.
    """

    run_id: str
    status: RunStatus
    plan: Plan
    shelf: Shelf
    error: ErrorInfo | None = None
    failed_step: str = ""
    resumed: str = ""
    exceptions: Mapping[str, BaseException] = field(default_factory=dict[str, BaseException])
    canceled_by: str = ""

    @property
    def success(self) -> bool:
        """Whether all steps did what they were to do."""
        return self.status is RunStatus.SUCCESS


def new_run_id() -> str:
    """A run id: random, in the form of a UUID of version 4."""
    bits = int.from_bytes(os.urandom(16), "big") & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def materialize(
    defs: Definitions,
    selection: Selection = None,
    *,
    instance: Instance,
    job: str | None = None,
    policy: str | Policy | None = None,
    tags: Mapping[str, str] | None = None,
    config: Given = None,
    reuse: str | Reuse = Reuse.DECLARED,
    memoize: bool = False,
    **how: Unpack[Starting],
) -> RunOutcome:
    """Materialize a selection, or run a job, in this process.

    Args:
        defs: the project's definitions.
        selection: which assets; None: all.
        instance: where to record.
        job: the job to run, instead.
        policy: what to do with assets that come though nobody asked for them.
        tags: labels of the run.
        config: its run configuration; see `Settings`.
        reuse: what becomes of memoized values; see `Reuse`.
        memoize: whether ops are memoized of which nobody says it.
        how: executor, listeners and the like; see `Starting`.

    Raises:
        InvalidDefinitionError: the definitions cannot work, or the selection cannot be run (InvalidSubsetError).
    """
    target = target_of(
        defs,
        selection,
        instance=instance,
        job=job,
        policy=policy,
        tags=dict(tags or {}),
        config=config,
        reuse=reuse,
        memoize=memoize,
    )
    with instance.record.planning() as gate:
        return start(target, target.plan(instance), instance, gate=gate, **how)


def resume(
    defs: Definitions,
    run_id: str,
    *,
    instance: Instance,
    from_step: str | None = None,
    only: Sequence[str] = (),
    policy: str | Policy | None = None,
    config: Given = None,
    memoize: bool = False,
    **how: Unpack[Starting],
) -> RunOutcome:
    """Go on from an earlier run.

    A run whose process died goes on under its own id, if its code is unchanged. In every other case a new run is
    planned from today's definitions, and what the earlier one stored is reused by step key.

    Args:
        defs: today's definitions.
        run_id: the run to go on from.
        instance: where it is recorded.
        from_step: run this step and everything after it; None: what did not succeed.
        only: run just these steps.
        policy: what to do with assets that come though nobody asked for them; None: what that run did.
        config: what to change in the configuration of that run; the ops that it changes run again.
        memoize: whether ops are memoized of which nobody says it.
        how: executor, listeners and the like; see `Starting`.

    Executor, its settings and time limit are those that were given for the earlier run, unless others are given now.

    Raises:
        RunNotFoundError: there is no such run.
        RunHeldError: a living process drives it.
        NothingToRun: everything succeeded, and no step was named.
        UnknownStep: a step was named that the plan does not have.
    """
    row = row_of(instance, run_id)
    how = {**how, **_as_before(row, how)}
    target = target_again(defs, row, instance, policy, config, memoize=memoize)
    if not row.status.is_final:
        writer = instance.record.claim(run_id, pid=os.getpid(), host=os.uname().nodename, now=time.time())
        try:
            row = row_of(instance, run_id)
            if not row.status.is_final:  # it may have ended between the two looks
                then, today = decode_plan(row.plan), target.plan(instance)
                named = [*only, *([from_step] if from_step else [])]
                steps_named(today, named)  # a slip of the pen must not end the run
                why = _why_not(then, today, named, policy)
                if not why:
                    instance.forget_cancel(run_id)  # a request to the process that died
                    return _drive(target, then, instance, writer, how, resumed="same")
                _give_up(writer, why)
        finally:
            writer.release()
        row = row_of(instance, run_id)
    with instance.record.planning() as gate:
        plan = replan(target, row, instance, from_step=[from_step] if from_step else (), only=only)
        return start(target, plan, instance, parent=row, resumed="new", gate=gate, **how)


def start(
    target: Target,
    plan: Plan,
    instance: Instance,
    *,
    run_id: str = "",
    parent: RunRow | None = None,
    resumed: str = "",
    gate: Gate | None = None,
    **how: Unpack[Starting],
) -> RunOutcome:
    """Record a new run and drive it. `gate` kept clean-up away from what the plan refers to: now the run does."""
    run_id = run_id or new_run_id()
    steps = _record(target, plan, instance, run_id, RunStatus.STARTING, parent, how)
    writer = instance.record.claim(run_id, pid=os.getpid(), host=os.uname().nodename, now=time.time())
    try:
        if gate is not None:
            gate.done()
        outcome = _drive(target, plan, instance, writer, how, resumed=resumed, steps=steps)
    finally:
        writer.release()
    after_a_run(instance)
    return outcome


def enqueue(
    target: Target,
    plan: Plan,
    instance: Instance,
    *,
    parent: RunRow | None = None,
    gate: Gate | None = None,
    **how: Unpack[Starting],
) -> str:
    """Record a new run for another process to take up. Returns its id."""
    how = {**how, **_as_before(parent, how)} if parent is not None else how
    run_id = new_run_id()
    _record(target, plan, instance, run_id, RunStatus.QUEUED, parent, how)
    if gate is not None:
        gate.done()
    return run_id


def take_up(target: Target, run_id: str, instance: Instance, **how: Unpack[Driving]) -> RunStatus:
    """Drive a run that another process recorded. What keeps it from beginning is its end, and recorded so.

    Raises:
        RunHeldError: somebody drives it already.
    """
    writer = instance.record.claim(run_id, pid=os.getpid(), host=os.uname().nodename, now=time.time())
    try:
        row = row_of(instance, run_id)
        if row.status.is_final:  # it was cancelled before it began
            return row.status
        try:
            then = decode_plan(row.plan)
            why = _why_not(then, target.plan(instance), (), None)
            if why:
                text = f"{why[: -len(' since')]} since the run was asked for: ask for it again"
                _end_at_once(writer, ErrorInfo("CodeChanged", text, during="worker"))
                return RunStatus.FAILURE
            steps = target.bind(then)
            Opened(target.resources, target.resource_config).check(keys_of_running(steps))
            how = {**how, **_as_before(row, how)}
            status = _drive(target, then, instance, writer, how, resumed="", steps=steps).status
        except Error as error:
            if not instance.record.facts(run_id):
                _end_at_once(writer, error_info(error, during="setup"))
            raise
    finally:
        writer.release()
    after_a_run(instance)
    return status


def never_began(instance: Instance, run_id: str, error: ErrorInfo) -> None:
    """End a run that was recorded and whose process could not begin it; one that began, or ended, stays as it is."""
    with suppress(RunHeldError):
        writer = instance.record.claim(run_id, pid=os.getpid(), host=os.uname().nodename, now=time.time())
        try:
            if not row_of(instance, run_id).status.is_final and not instance.record.facts(run_id):
                _end_at_once(writer, error)
        finally:
            writer.release()


def _record(
    target: Target,
    plan: Plan,
    instance: Instance,
    run_id: str,
    status: RunStatus,
    parent: RunRow | None,
    how: Starting,
) -> list[BoundStep]:
    choice = executor_of(target, how.get("executor"), how.get("otherwise"))
    steps = target.bind(plan)  # refuses what cannot be run before there is a run
    given = getattr(target, "given", None)
    if given is not None:
        refuse_missing(steps, given)
    Opened(target.resources, target.resource_config).check(keys_of_running(steps))
    instance.record.create(
        RunRow(
            run_id=run_id,
            job=plan.job,
            status=status,
            parent=parent.run_id if parent is not None else None,
            root=(parent.root or parent.run_id) if parent is not None else run_id,
            plan=encode_plan(plan),
            code=plan.code,
            tags=target.tags,
            created=time.time(),
            executor=choice.name,
            asked=_asked(how, choice),
            who=how.get("who") or _user(),
            why=how.get("why", ""),
        )
    )
    return steps


def _drive(
    target: Target,
    plan: Plan,
    instance: Instance,
    writer: Writer,
    how: Driving,
    *,
    resumed: str,
    steps: list[BoundStep] | None = None,
) -> RunOutcome:
    told = {"run_id": writer.run_id, "job_name": plan.job}
    said = Captured(forward=how.get("forward", False), logs=instance.logs, told=told)
    row = instance.record.run(writer.run_id)
    assert row is not None
    run = Run(row)
    opened = Opened(
        target.resources,
        target.resource_config,
        run=run,
        run_id=writer.run_id,
        instance=instance,
        log=StepLog(said, -1, 0),
    )
    hold = how.get("hold", False)
    shelf = Shelf(Managers(instance, writer.run_id, plan.job, opened, target.project, said, hold=hold))
    side = RunSide(
        run_id=writer.run_id,
        job_name=plan.job,
        tags=row.tags,
        resources=Resources(opened),
        instance=instance,
        run=run,
        job_def=getattr(target, "definition", None),
        said=said,
    )
    past = instance.record.facts(writer.run_id)
    steps = steps if steps is not None else target.bind(plan)
    shelf.managers.ops = {each.step.key: each.op for each in steps}
    timeout = how.get("timeout")
    listeners = [*how.get("listeners", ())]
    if any(bound.hooks for bound in steps):
        listeners.append(failures_told(said, lambda step: driver.state.key(step)))  # noqa: PLW0108 - there is none yet
    driver = Driver(
        plan,
        steps,
        writer,
        past,
        shelf,
        side,
        said,
        getattr(target, "given", {}),
        listeners,
        look_ups=LookUps(
            instance.record, trouble_with(instance, target.resources, memo=True), _past(plan, target, instance)
        ),
        executor=executor_of(target, how.get("executor"), how.get("otherwise")),
        timeout=timeout if timeout is not None else _limit_of(target),
        canceled=lambda: instance.cancel_requested(writer.run_id),
        pools=instance.record,
    )
    said.key_of = driver.state.key
    if on_plan := how.get("on_plan"):
        on_plan(plan, writer.run_id)
    try:
        status = driver.drive()
        driver.notes.write()
    except Error as error:
        if not isinstance(error, RecordError) and not _has_begun(instance, writer.run_id):
            _end_at_once(writer, error_info(error, during="setup"), said)
        raise
    finally:
        instance.forget_cancel(writer.run_id)
        with said.of_the_run():
            opened.close()
        lines = said.drain()
        if lines:
            writer.append([], [], lines)
    first = next(iter(driver.failures.values()), None)
    return RunOutcome(
        run_id=writer.run_id,
        status=status,
        plan=plan,
        shelf=shelf,
        error=first.error if first is not None else None,
        failed_step=driver.state.key(first.step) if first is not None else "",
        resumed=resumed,
        exceptions={driver.state.key(step): error for step, error in driver.errors.items()},
        canceled_by=driver.canceled_by,
    )


def _past(plan: Plan, target: Target, instance: Instance) -> tuple[Past, Trouble] | None:
    """The run that this one re-executes, where mapped steps may take its values."""
    if plan.parent is None or not any(step.decision.by_key for step in plan.steps):
        return None
    row = instance.record.run(plan.parent)
    return (past_of(row, instance), trouble_in(instance, target)) if row is not None else None


def executor_of(
    target: Target, given: ExecutorChoice | str | None = None, otherwise: str | None = None
) -> ExecutorChoice:
    """Who runs the steps: the one given for this run, else the job's, the definitions', the project's, else in process.

    Raises:
        UnknownExecutor: there is none of this name.
        BadExecutorSetting: it does not have one of its settings.
    """
    workers: Mapping[str, Any] = {}
    if isinstance(given, ExecutorChoice) and not given.name:  # settings of whichever is chosen elsewhere
        given, workers = None, given.settings
    chosen = given or target.executor or otherwise
    config: Any = target.settings.execution.get("config")
    settings: Mapping[str, Any] = config if is_tree(config) else {}  # anything else is refused with the configuration
    for name, executor in _BESIDE.items():  # how the settings of Dagster's default executor say which
        if name in settings:
            chosen, inner = given or executor, settings[name]
            settings = inner if is_tree(inner) else {}
    settings = {**settings, **workers}
    if chosen is None:
        if not settings:
            return in_process_executor
        chosen = "processes"  # which is what who says how many steps run at once most likely means
    choice = ExecutorChoice(chosen) if isinstance(chosen, str) else chosen
    ignored = choice == in_process_executor and not workers
    return checked_choice(choice if ignored or not settings else choice.configured(settings))


def _asked(how: Driving, choice: ExecutorChoice) -> dict[str, Any]:
    """What was said of how this one run is driven; what the definitions say is read there when it is resumed."""
    given, timeout = how.get("executor"), how.get("timeout")
    found: dict[str, Any] = {"timeout": timeout} if timeout is not None else {}
    if isinstance(given, ExecutorChoice) and not given.name:
        found["settings"] = dict(given.settings)
    elif given is not None:
        found |= {"executor": choice.name, "settings": dict(choice.settings)}
    return found


def _as_before(row: RunRow, how: Driving) -> Driving:
    """How an earlier run was to be driven, where nothing else is said now. A number of workers is one of the executor
    that had it."""
    given, timeout = how.get("executor"), how.get("timeout")
    now = ExecutorChoice(given) if isinstance(given, str) else given or ExecutorChoice("")
    if now.make is None and now.name in ("", row.executor):
        then: Mapping[str, Any] = row.asked.get("settings", {})
        now = ExecutorChoice(now.name or row.asked.get("executor", ""), {**then, **now.settings})
    return {
        "executor": now if now.name or now.settings else None,
        "timeout": timeout if timeout is not None else row.asked.get("timeout"),
    }


def _limit_of(target: Target) -> float | None:
    """The seconds that a run of a job may take, if its tags say so."""
    return seconds_of(target.tags, f"job `{target.job}`", None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return str(os.getuid())


def _why_not(then: Plan, today: Plan, named: Sequence[str], policy: str | Policy | None) -> str:
    """Why a run whose process died cannot go on as it was planned; "" where it can."""
    if policy is not None and policy_in(today) is not policy_in(then):
        return "another policy was asked for"
    if named:
        return "other steps were asked for"
    if [step.config for step in then.steps] != [step.config for step in today.steps]:
        return "the configuration has changed since"
    return "" if then.code == today.code else "the code has changed since"


def _give_up(writer: Writer, why: str) -> None:
    """End a run whose process died and that cannot go on as it was planned: a new run goes on from it."""
    _end_at_once(writer, ErrorInfo("ProcessDied", f"the process of the run died, and {why}", during="worker"))


def _has_begun(instance: Instance, run_id: str) -> bool:
    return any(isinstance(fact, StepStarted) for _, fact in instance.record.facts(run_id))


def _end_at_once(writer: Writer, error: ErrorInfo, said: Captured | None = None) -> None:
    """End a run of which no step began."""
    now = time.time()
    facts = [RunStarted(now, writer.epoch, os.getpid()), RunEnded(now, RunStatus.FAILURE, error)]
    writer.append(facts, (), said.drain() if said is not None else ())
