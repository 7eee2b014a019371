"""Plans: what a run would do, without doing it."""

from collections.abc import Sequence
from dataclasses import replace

from opgraph.declare.labels import MEMOIZE
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.sweep import unswept
from opgraph.errors import InvalidSubsetError, UnknownRun
from opgraph.events import RunStatus
from opgraph.operate.memo import Memoizing, Reuse, with_memo_of_all
from opgraph.operate.stored import trouble_with
from opgraph.operate.target import EVERYTHING, Selection, Target, asset_target, job_target
from opgraph.plan.mistakes import NothingToRun
from opgraph.plan.model import Do, Plan, Policy, decode_plan
from opgraph.plan.past import Past
from opgraph.plan.reuse import Trouble, from_failure, from_steps, only_steps
from opgraph.record.rows import RunRow
from opgraph.resolve.config import Given
from opgraph.resolve.mistakes import UnknownSelected
from opgraph.run.instance import Instance
from opgraph.run.report.made import past_of as made_past


class SelectionGone(InvalidSubsetError):
    """A run is to be resumed that was asked for an asset which the definitions no longer have."""

    def __init__(self, run_id: str, unknown: UnknownSelected) -> None:
        self.run_id, self.asset, self.near = run_id, unknown.text, unknown.near
        meant = f". Is it `{unknown.near[0]}` now?" if unknown.near else ""
        super().__init__(
            f"run {run_id} was asked for asset `{unknown.text}`, which the definitions do not have any more{meant}",
            fix="give the asset its name back, or run what there is now: `opgraph materialize --select '…'`",
        )


def plan(
    defs: Definitions,
    selection: Selection = None,
    *,
    instance: Instance,
    job: str | None = None,
    policy: str | Policy | None = None,
    config: Given = None,
    reuse: str | Reuse = Reuse.DECLARED,
    memoize: bool = False,
) -> Plan:
    """What materializing a selection, or running a job, would do.

    Args:
        defs: the project's definitions.
        selection: which assets; None: all.
        instance: tells which assets are recorded.
        job: the job to run, instead.
        policy: what to do with assets that come though nobody asked for them.
        config: the run configuration; see `Settings`.
        reuse: what becomes of memoized values; see `Reuse`.
        memoize: whether ops are memoized of which nobody says it.

    Raises:
        InvalidDefinitionError: the definitions cannot work, or the selection cannot be run (InvalidSubsetError).
        InvalidConfigError: the configuration does not fit; every mistake at once.
        WouldRun: only stored values were to be used.
    """
    return target_of(
        defs, selection, instance=instance, job=job, policy=policy, config=config, reuse=reuse, memoize=memoize
    ).plan(instance)


def target_of(
    defs: Definitions,
    selection: Selection,
    *,
    instance: Instance,
    job: str | None = None,
    policy: str | Policy | None = None,
    tags: dict[str, str] | None = None,
    config: Given = None,
    reuse: str | Reuse = Reuse.DECLARED,
    memoize: bool = False,
) -> Target:
    """What is to be run: a job of the definitions, or some assets."""
    how = Memoizing(memoize, Reuse(reuse))
    if how.reuse in (Reuse.ALL, Reuse.ONLY):
        tags = {**(tags or {}), MEMOIZE: "true"}
    if job is not None and job != EVERYTHING:
        target = job_target(
            defs, job, instance=instance, selection=selection, policy=policy, tags=tags, run_config=config
        )
    else:
        target = asset_target(defs, selection, instance=instance, policy=policy, tags=tags, run_config=config)
    return replace(target, memoizing=how)


@unswept
def plan_resume(
    defs: Definitions,
    run_id: str,
    *,
    instance: Instance,
    from_step: str | None = None,
    only: Sequence[str] = (),
    policy: str | Policy | None = None,
    config: Given = None,
    memoize: bool = False,
) -> Plan:
    """What resuming a run would run and reuse, with reasons.

    Args:
        defs: today's definitions.
        run_id: the run to go on from.
        instance: where it is recorded.
        from_step: run this step and everything after it; None: what did not succeed.
        only: run just these steps.
        policy: what to do with assets that come though nobody asked for them; None: what that run did.
        config: what to change in the configuration of that run.
        memoize: whether ops are memoized of which nobody says it.

    Raises:
        RunNotFoundError: there is no such run.
        NothingToRun: everything succeeded, and no step was named.
        UnknownStep: a step was named that the plan does not have.
    """
    row = row_of(instance, run_id)
    target = target_again(defs, row, instance, policy, config, memoize=memoize)
    return replan(target, row, instance, from_step=[from_step] if from_step else (), only=only)


def policy_in(plan: Plan) -> Policy:
    """The policy for unselected assets that a plan was made with; where none come, it made no difference."""
    return plan.besides[0].policy if plan.besides else Policy.MATERIALIZE


def row_of(instance: Instance, run_id: str) -> RunRow:
    """A run's row.

    Raises:
        RunNotFoundError: there is no such run.
    """
    row = instance.record.run(run_id)
    if row is None:
        raise UnknownRun(run_id)
    return row


def target_again(
    defs: Definitions,
    row: RunRow,
    instance: Instance,
    policy: str | Policy | None = None,
    config: Given = None,
    *,
    memoize: bool = False,
) -> Target:
    """What an earlier run was asked for, with today's definitions. `policy` is that run's, unless another is given, and
    so is its configuration, over which `config` is laid."""
    return replace(_target_again(defs, row, instance, policy, config), memoizing=Memoizing(memoize))


def _target_again(
    defs: Definitions, row: RunRow, instance: Instance, policy: str | Policy | None, config: Given
) -> Target:
    then = decode_plan(row.plan)
    policy = policy or policy_in(then)
    if not then.selection:
        return job_target(
            defs,
            then.job,
            instance=instance,
            tags=dict(row.tags),
            run_config=config,
            recorded=then.config,
            ops=then.ops or None,
        )
    job = next((each for each in defs.jobs if each.name == then.job), None)
    try:
        return asset_target(
            defs,
            list(then.selection),
            instance=instance,
            job=then.job,
            policy=policy,
            tags=dict(row.tags),
            run_config=config,
            defaults=job.config if job is not None else None,
            recorded=then.config,
            retry=job.retry_policy if job is not None else None,
            hooks=job.hooks if job is not None else frozenset(),
        )
    except UnknownSelected as unknown:
        raise SelectionGone(row.run_id, unknown) from None


@unswept
def replan(
    target: Target,
    row: RunRow,
    instance: Instance,
    *,
    from_step: Sequence[str] = (),
    only: Sequence[str] = (),
) -> Plan:
    """Today's plan with what an earlier run stored reused."""
    past = past_of(row, instance)
    today = target.plan(instance)
    trouble = trouble_in(instance, target)
    if only:
        return only_steps(today, past, trouble, only)
    if from_step:
        return from_steps(today, past, trouble, from_step)
    return with_memo_of_all(what_failed(today, past, trouble, row), instance, target.resources)


def what_failed(today: Plan, past: Past, trouble: Trouble, row: RunRow) -> Plan:
    """Today's plan with what an earlier run made reused, and the rest run. One that was cancelled, or had no time left,
    while its last step ended may have made everything: its resume says so by succeeding.

    Raises:
        NothingToRun: it made everything, and succeeded.
    """
    made = from_failure(today, past, trouble)
    if row.status is RunStatus.SUCCESS and not any(step.decision.do is Do.RUN for step in made.steps):
        raise NothingToRun(row.run_id, row.status.value)
    return made


def past_of(row: RunRow, instance: Instance) -> Past:
    """An earlier run, folded."""
    return made_past(row.run_id, decode_plan(row.plan), instance.record.facts(row.run_id))


def trouble_in(instance: Instance, target: Target) -> Trouble:
    """Tells why a stored value cannot be loaded any more: "" where it can."""
    return trouble_with(instance, target.resources)
