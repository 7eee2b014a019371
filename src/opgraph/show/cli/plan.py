"""`opgraph plan`: what a run would do, and why, without running it."""

from collections import Counter
from collections.abc import Mapping

import click

from opgraph.operate import planning
from opgraph.operate.fold import Branch, Fold, Phase, branches
from opgraph.plan.model import Decision, Do, FromAsset, FromMany, Plan, Policy, Role, Step
from opgraph.show.cli import ink
from opgraph.show.cli.ink import BUSY, FAINT, GOOD, NOTE, PLAIN, STRONG, Line
from opgraph.show.cli.options import (
    Chosen,
    config_option,
    joined,
    json_option,
    nothing_missing_is_fine,
    one_of_step_options,
    print_json,
    project_options,
    quoted,
    reuse_options,
    select_option,
    step_options,
)

_MARKS = {Do.RUN: ("●", GOOD), Do.REUSE: ("↺", BUSY), Do.SKIP: ("-", FAINT), Do.DECIDE: ("?", NOTE)}
_WORDS = {Do.RUN: "to run", Do.REUSE: "to reuse", Do.SKIP: "to skip", Do.DECIDE: "to decide"}
_MANY = 60  # rows above which uniform graphs are shown as one
_OF_SEVERAL = {  # the words of `WHY` behind a number of ops
    "selected": "making what was asked for",
    "needed": "needed for what was asked for",
    "needed by": "needed by what was asked for",
    "job": "of the job",
    "failed": "failed in the parent run",
    "interrupted": "interrupted in the parent run",
    "not reached": "not reached by the parent run",
    "asked": "asked for",
    "downstream": "after an op that runs",
    "recorded": "stored by the parent run",
    "lost": "with a stored output gone",
    "cleaned": "with stored outputs cleaned up",
    "code changed": "with other code than what made the stored outputs",
    "new": "that the parent run did not have",
    "not asked": "not asked for",
    "skipped": "that take what did not come",
    "config changed": "with another configuration than what made the stored outputs",
    "rewired": "with inputs from elsewhere than in the parent run",
    "not versioned": "with stored outputs that may have been overwritten",
    "same": "with code, configuration and inputs as they were",
    "depends": "to be reused if their inputs turn out the same",
    "never run": "never run, as far as is remembered",
    "input changed": "with a changed input",
    "input unknown": "with an input of unknown version",
    "manager changed": "with another I/O manager",
    "resource changed": "with a changed resource",
    "output not stored": "with an output that was not stored",
    "no reuse": "with nothing to be reused",
    "opted out": "never reused",
    "no values": "for which no value came in the parent run",
    "by key": "reused key by key where the value is the same",
}
POLICIES = [policy.value for policy in Policy]


@click.command("plan")
@project_options
@select_option
@click.option("--job", metavar="NAME", help="The job to plan, instead of a selection.")
@click.option("--on-unselected", type=click.Choice(POLICIES), help="What to do with assets that come unasked.")
@click.option("--resume", "run", metavar="RUN", help="Plan the resuming of this run.")
@step_options
@click.option("--all", "everything", is_flag=True, help="Show every op, however many there are.")
@reuse_options
@config_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    chosen: Chosen,
    select: tuple[str, ...],
    job: str | None,
    on_unselected: str | None,
    run: str | None,
    from_step: str | None,
    only: tuple[str, ...],
    reuse: str,
    config: tuple[str, ...],
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Show what a run would do, and why, without running it."""
    from opgraph.operate.inspect import find_run

    if run and reuse:
        raise click.UsageError("`--resume` says what is reused; it takes no `--reuse`, `--no-reuse` or `--reuse-only`")
    if run and (select or job):
        raise click.UsageError("`--resume` plans what is left of a run; it takes no selection and no job")
    if (from_step or only) and not run:
        raise click.UsageError("`--from` and `--only` are about a run that is resumed: `--resume RUN`")
    one_of_step_options(from_step, only)
    definitions = chosen.definitions()
    policy = on_unselected or chosen.location.on_unselected
    with chosen.past() as instance, nothing_missing_is_fine(ctx, joined(select), as_json=as_json):
        if run:
            run_id = find_run(instance.record, run)
            plan = planning.plan_resume(
                definitions,
                run_id,
                instance=instance,
                from_step=from_step,
                only=only,
                policy=on_unselected,
                config=config,
                memoize=chosen.location.memoize,
            )
        else:
            plan = planning.plan(
                definitions,
                joined(select),
                instance=instance,
                job=job,
                policy=policy,
                config=config,
                reuse=reuse,
                memoize=chosen.location.memoize,
            )
    if as_json:
        print_json(plan.to_json())
    else:
        ink.put(drawn(plan, everything=everything, typed=chosen.typed))


def drawn(plan: Plan, *, everything: bool = False, typed: str = "") -> list[Line]:
    """A plan as a tree, and what a person should know before running it."""
    units = branches(plan)
    total = len(plan.steps)
    rows: list[list[Line]] = []
    for unit in units:
        rows += _rows(unit, plan, 0, fold=total > _MANY and not everything)
    parent: list[Line] = [[(f"resumes run {plan.parent}", FAINT)]] if plan.parent else []
    return [headline(plan), *parent, [], *ink.columns(rows), *notes(plan, typed)]


def headline(plan: Plan, fold: Fold | None = None) -> Line:
    """What a plan comes to, in one line.

    Args:
        plan: the plan.
        fold: where its steps stood when the run was taken up. A mapped op has run when all of its steps have.
    """
    counts = dict.fromkeys(_WORDS, 0)
    for i, step in enumerate(plan.steps):
        if fold is None or fold.phase[i] != Phase.SUCCEEDED:
            for do, number in step.decision.tally:
                counts[do] += number
    before = 0 if fold is None else fold.counts[Phase.SUCCEEDED]
    total = max(len(plan.steps), sum(counts.values()))  # of a fan-out that is gone on with each op counts
    parts: Line = [(ink.count(total, "op"), STRONG)]
    assets = ink.count(len(plan.selection), "asset")
    parts += [(f" for {assets}", PLAIN)] if plan.selection else [(f" of job {plan.job}", PLAIN)]
    for do, number in counts.items():
        if number:
            parts += [("  ", PLAIN), _MARKS[do], (f" {number:,} {_WORDS[do]}", PLAIN)]
    return [*parts, ("  ", PLAIN), _MARKS[Do.REUSE], (f" {before:,} had run before", PLAIN)] if before else parts


def _rows(branch: Branch, plan: Plan, depth: int, *, fold: bool) -> list[list[Line]]:
    indent = ("  " * depth, PLAIN)
    style = STRONG if depth == 0 else PLAIN
    if branch.is_leaf:
        step = plan.steps[branch.step]
        do = _foremost(step.decision)
        return [[[indent, _MARKS[do], (f" {branch.name}", _dimmed(style, do))], _why(step, branch)]]
    mark = _MARKS[_foremost(*(plan.steps[i].decision for i in branch.steps))]
    outs = [asset for asset in branch.assets if asset != branch.name]
    arrow = (
        f"  → {', '.join(outs[:4])}{f' and {len(outs) - 4} more' if len(outs) > 4 else ''}"
        if outs and depth == 0
        else ""
    )
    tally = f"{ink.count(len(branch.steps), 'op')}{arrow}" if depth == 0 else ""
    rows: list[list[Line]] = [[[indent, mark, (f" {branch.name}", style)], [(tally, FAINT)]]]
    reasons = Counter(plan.steps[i].decision.why for i in branch.steps)
    if fold and len(reasons) <= 2 and len(branch.steps) > 12:
        rows[0][1] = [(f"{tally or ink.count(len(branch.steps), 'op')}: {_together(reasons)}", FAINT)]
        return rows
    for child in branch.children.values():
        rows += _rows(child, plan, depth + 1, fold=fold)
    return rows


def _foremost(*decisions: Decision) -> Do:
    """What a mark tells of several ops: that one of them runs, before anything else."""
    dos = {do for each in decisions for do, count in each.tally if count}
    return next(do for do in (Do.RUN, Do.DECIDE, Do.REUSE, Do.SKIP) if do in dos)


def _together(reasons: Mapping[str, int]) -> str:
    """Why the ops of a graph that is shown as one row are run, reused or skipped: `48 needed for that, 2 making it`."""
    if len(reasons) == 1:
        (why,) = reasons
        return f"all {_OF_SEVERAL.get(why, why)}"
    ordered = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{number:,} {_OF_SEVERAL.get(why, why)}" for why, number in ordered)


def _dimmed(style: str, do: Do) -> str:
    return FAINT if do is Do.SKIP else style


def reason(decision: Decision) -> str:
    """Why, for a person."""
    if decision.why == "selected" and decision.detail:
        return f"makes {decision.detail}"
    if decision.why == "needed" and decision.detail:
        return f"needed for {decision.detail}"
    return decision.reason


def _why(step: Step, branch: Branch) -> Line:
    decision = step.decision
    if decision.why == "selected" and decision.detail == branch.name:
        return [("asked for", FAINT)]
    if decision.do is Do.REUSE and decision.why == "recorded" and decision.kept:
        return [(f"stored by run {decision.kept[0].run[:8]}", FAINT)]
    if decision.do is Do.REUSE and decision.why == "same":
        return [("unchanged" + (f", stored by run {decision.kept[0].run[:8]}" if decision.kept else ""), FAINT)]
    if decision.counts:
        counts = ", ".join(f"{number:,} {_WORDS[do]}" for do, number in decision.tally if number)
        return [(f"{counts}: {reason(decision)}", FAINT)]
    return [(reason(decision), FAINT)]


def notes(plan: Plan, typed: str = "") -> list[Line]:
    """What comes besides, what is missing, and what changed since the run that is resumed.

    Args:
        plan: the plan.
        typed: the options that name the project, with a space before each.
    """
    return [*_besides(plan), *missing(plan), *changes(plan, typed)]


def _besides(plan: Plan) -> list[Line]:
    lines: list[Line] = []
    for each in plan.besides:
        will = "will also be" if each.certain else "may also be"
        what = {
            Policy.MATERIALIZE: f"{will} materialized",
            Policy.DISCARD: f"{'will' if each.certain else 'may'} come and be discarded",
            Policy.ERROR: "must not come: the run fails if it does",
        }[each.policy]
        lines += [
            [],
            [("! ", NOTE), (each.asset, STRONG), (f" {what}, though nobody asked for it", PLAIN)],
            [(f"  op {each.step} yields it as output `{each.output}`", FAINT)],
        ]
        lines += [[(f"  to avoid it: {each.remedy}", FAINT)]] if each.remedy else []
    return lines


def missing(plan: Plan) -> list[Line]:
    """The assets that are to be loaded and were never made, and the selection that makes them."""
    goals: dict[str, str] = {}  # by missing asset: a selected one that needs it
    for step in plan.steps:
        if step.decision.do in (Do.RUN, Do.DECIDE):
            for asset in _unrecorded(step):
                goals.setdefault(asset, _goal(step))
    if not goals:
        return []
    one = len(goals) == 1
    what = "is to be loaded, but no materialization of it is" if one else "are to be loaded, but none of them is"
    above = [goal for goal in dict.fromkeys(goals.values()) if goal]
    selection = " or ".join([f"+{named(key)}" for key in above] + [named(k) for k in plan.selection if k not in above])
    lines: list[Line] = [[], [("! ", NOTE), (", ".join(sorted(goals)), STRONG), (f" {what} recorded", PLAIN)]]
    if above:
        what = "it and what it is" if one else "them and what they are"
        lines.append([(f"  to make {what} made from too: --select {quoted(selection)}", FAINT)])
    return lines


def _unrecorded(step: Step) -> list[str]:
    """The assets that a step loads and that were never made."""
    found: list[str] = []
    for each in step.inputs:
        sources = each.source.items if isinstance(each.source, FromMany) else (each.source,)
        found += [source.asset for source in sources if isinstance(source, FromAsset) and not source.recorded]
    return found


def _goal(step: Step) -> str:
    """A selected asset that a step runs for: the one that the step's own error would name."""
    made = (o.asset for o in step.outputs if o.role is Role.SELECTED and o.asset is not None)
    return next(made, step.decision.detail.partition(",")[0] if step.decision.why == "needed" else "")


def named(key: str) -> str:
    """An asset as a selection names it."""
    return f'key:"{key}"' if "/" in key else key


def changes(plan: Plan, typed: str = "") -> list[Line]:
    """How the ops differ from those of the run that is resumed, and how to run edited ones again."""
    lines: list[Line] = []
    for what, names in plan.changes.items():
        if names:
            lines += [
                [],
                [("! ", NOTE), (f"ops {what} since run {(plan.parent or '')[:8]}: ", PLAIN), (", ".join(names), FAINT)],
            ]
        if names and what == "edited":
            again = f"opgraph resume {(plan.parent or '')[:8]} --from {quoted(names[0])}{typed}"
            lines.append([(f"  what they stored is reused; to run one again, and what follows: {again}", FAINT)])
    return lines
