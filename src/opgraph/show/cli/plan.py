"""`opgraph plan`: what a run would do, and why, without running it."""

import click

from opgraph.operate import planning
from opgraph.operate.fold import Branch, branches
from opgraph.plan.model import WHY, Decision, Do, Plan, Policy, Step
from opgraph.show.cli import ink
from opgraph.show.cli.ink import BUSY, FAINT, GOOD, NOTE, PLAIN, STRONG, Line
from opgraph.show.cli.options import (
    Chosen,
    config_option,
    joined,
    json_option,
    print_json,
    project_options,
    quoted,
    reuse_options,
    select_option,
)

_MARKS = {Do.RUN: ("●", GOOD), Do.REUSE: ("↺", BUSY), Do.SKIP: ("-", FAINT), Do.DECIDE: ("?", NOTE)}
_WORDS = {Do.RUN: "to run", Do.REUSE: "to reuse", Do.SKIP: "to skip", Do.DECIDE: "to decide"}
_MANY = 60  # rows above which uniform graphs are shown as one
POLICIES = [policy.value for policy in Policy]


@click.command("plan")
@project_options
@select_option
@click.option("--job", metavar="NAME", help="The job to plan, instead of a selection.")
@click.option("--on-unselected", type=click.Choice(POLICIES), help="What to do with assets that come unasked.")
@click.option("--resume", "run", metavar="RUN", help="Plan the resuming of this run.")
@click.option("--all", "everything", is_flag=True, help="Show every op, however many there are.")
@reuse_options
@config_option
@json_option
def command(
    chosen: Chosen,
    select: tuple[str, ...],
    job: str | None,
    on_unselected: str | None,
    run: str | None,
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
    definitions = chosen.definitions()
    policy = on_unselected or chosen.location.on_unselected
    with chosen.instance() as instance:
        if run:
            run_id = find_run(instance.record, run)
            plan = planning.plan_resume(definitions, run_id, instance=instance, policy=on_unselected, config=config)
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
        ink.put(drawn(plan, everything=everything))


def drawn(plan: Plan, *, everything: bool = False) -> list[Line]:
    """A plan as a tree, and what a person should know before running it."""
    units = branches(plan)
    total = len(plan.steps)
    rows: list[list[Line]] = []
    for unit in units:
        rows += _rows(unit, plan, 0, fold=total > _MANY and not everything)
    parent: list[Line] = [[(f"resumes run {plan.parent}", FAINT)]] if plan.parent else []
    return [headline(plan), *parent, [], *ink.columns(rows), *notes(plan)]


def headline(plan: Plan, *, before: int = 0) -> Line:
    """What a plan comes to, in one line.

    Args:
        plan: the plan.
        before: how many of its ops had run when the run was taken up.
    """
    counts = dict.fromkeys(_WORDS, 0)
    for step in plan.steps:
        counts[step.decision.do] += 1
    counts[Do.RUN] -= before
    parts: Line = [(ink.count(len(plan.steps), "op"), STRONG)]
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
        return [
            [
                [indent, _MARKS[step.decision.do], (f" {branch.name}", _dimmed(style, step.decision.do))],
                _why(step, branch),
            ]
        ]
    dos = {plan.steps[i].decision.do for i in branch.steps}
    mark = _MARKS[next(do for do in (Do.RUN, Do.DECIDE, Do.REUSE, Do.SKIP) if do in dos)]
    outs = [asset for asset in branch.assets if asset != branch.name]
    arrow = (
        f"  → {', '.join(outs[:4])}{f' and {len(outs) - 4} more' if len(outs) > 4 else ''}"
        if outs and depth == 0
        else ""
    )
    tally = f"{ink.count(len(branch.steps), 'op')}{arrow}" if depth == 0 else ""
    rows: list[list[Line]] = [[[indent, mark, (f" {branch.name}", style)], [(tally, FAINT)]]]
    reasons = {(plan.steps[i].decision.do, plan.steps[i].decision.why) for i in branch.steps}
    if fold and len(reasons) <= 2 and len(branch.steps) > 12:
        shown = [WHY.get(why, why) for _, why in sorted(reasons, key=str)]
        rows[0][1] = [(f"{tally or ink.count(len(branch.steps), 'op')}: {'; '.join(shown)}", FAINT)]
        return rows
    for child in branch.children.values():
        rows += _rows(child, plan, depth + 1, fold=fold)
    return rows


def _dimmed(style: str, do: Do) -> str:
    return FAINT if do is Do.SKIP else style


def reason(decision: Decision) -> str:
    """Why, for a person."""
    text = WHY.get(decision.why, decision.why)
    if decision.why == "selected" and decision.detail:
        return f"makes {decision.detail}"
    if decision.why == "needed" and decision.detail:
        return f"needed for {decision.detail}"
    return f"{text}: {decision.detail}" if decision.detail else text


def _why(step: Step, branch: Branch) -> Line:
    decision = step.decision
    if decision.why == "selected" and decision.detail == branch.name:
        return [("asked for", FAINT)]
    if decision.do is Do.REUSE and decision.why == "recorded" and decision.kept:
        return [(f"stored by run {decision.kept[0].run[:8]}", FAINT)]
    if decision.do is Do.REUSE and decision.why == "same":
        return [("unchanged" + (f", stored by run {decision.kept[0].run[:8]}" if decision.kept else ""), FAINT)]
    return [(reason(decision), FAINT)]


def notes(plan: Plan) -> list[Line]:
    """What comes besides, what is missing, and what changed since the run that is resumed."""
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
            [(f"  to avoid it: {each.remedy}", FAINT)] if each.remedy else [],
        ]
    if plan.missing:
        one = len(plan.missing) == 1
        what = "is to be loaded, but no materialization of it is" if one else "are to be loaded, but none of them is"
        lines += [
            [],
            [("! ", NOTE), (", ".join(plan.missing), STRONG), (f" {what} recorded", PLAIN)],
            [(f"  to make {'it' if one else 'them'} too: --select {quoted(_with(plan.missing, plan))}", FAINT)],
        ]
    for what, names in plan.changes.items():
        if names:
            lines += [
                [],
                [("! ", NOTE), (f"ops {what} since run {(plan.parent or '')[:8]}: ", PLAIN), (", ".join(names), FAINT)],
            ]
    return [line for i, line in enumerate(lines) if line or (i + 1 < len(lines) and lines[i + 1])]


def _with(missing: tuple[str, ...], plan: Plan) -> str:
    """A selection that makes the missing assets too."""
    names = [*missing, *plan.selection]
    return " or ".join(f'key:"{name}"' if "/" in name else name for name in names)
