"""A run from its first line to its last: what `materialize` and `resume` have in common on the screen."""

import sys
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from importlib import import_module
from typing import Any, Protocol

from opgraph.errors import RecordError
from opgraph.events import AnyFact, ErrorInfo, Kept, RunStatus
from opgraph.operate import inspect
from opgraph.operate.clean import disk_of_run
from opgraph.operate.execute import RunOutcome
from opgraph.operate.fold import Fold, Phase
from opgraph.plan.model import Plan
from opgraph.plan.reuse import upstream
from opgraph.run.instance import Instance
from opgraph.run.store.missing import NeverMaterialized
from opgraph.show.cli import ink
from opgraph.show.cli.commands import CANCELED, OK, RUN_FAILED, explained
from opgraph.show.cli.failure import failed, to_go_on
from opgraph.show.cli.ink import BAD, BUSY, FAINT, GOOD, NOTE, PLAIN, STRONG, Line
from opgraph.show.cli.options import Chosen, print_json
from opgraph.show.cli.plain import PlainLines
from opgraph.show.cli.plan import changes, headline, missing, named
from opgraph.show.cli.tree import RunTree, listed, tally

_IN_FULL = 3  # failures shown with their code
_HOOKS = 5  # kinds of failures of hooks shown

Listener = Callable[[int, AnyFact], None]
OnPlan = Callable[[Plan, str], None]


class Watch(Protocol):
    """Something that shows a run while it goes."""

    tree: RunTree | None

    def on_plan(self, plan: Plan, run_id: str) -> None:
        """The run is about to begin."""
        ...

    def listen(self, seq: int, fact: AnyFact) -> None:
        """A fact was recorded."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


def watched(chosen: Chosen, instance: Instance, run: Callable[[Listener, OnPlan], RunOutcome], *, as_json: bool) -> int:
    """Run something, show it, and give the exit code.

    Args:
        chosen: the project, for what to type next.
        instance: where the run is recorded.
        run: starts the run with a listener and a callback for its plan.
        as_json: print the run as JSON at the end, and nothing else.
    """
    watch: Watch = _watch(instance, as_json=as_json)
    run_ids: list[str] = []

    def on_plan(plan: Plan, run_id: str) -> None:
        run_ids.append(run_id)
        if not as_json:
            parent = f", resumes {plan.parent[:8]}" if plan.parent else ""
            fold = inspect.folded(instance.record, run_id, plan)
            taken_up = ", taken up where its process died" if fold.epoch else ""
            head: list[Line] = [headline(plan, fold), [(f"run {run_id}{parent}{taken_up}", FAINT)]]
            ink.put([*head, *missing(plan), *changes(plan, chosen.typed), []])
        watch.on_plan(plan, run_id)

    try:
        outcome = run(watch.listen, on_plan)
    except RecordError as error:
        if not run_ids:
            raise
        watch.close()
        ink.put([[], *explained(error), [], *to_go_on(run_ids[0], chosen.typed)], sys.stderr)
        return RUN_FAILED
    finally:
        watch.close()
    code = {RunStatus.SUCCESS: OK, RunStatus.CANCELED: CANCELED}.get(outcome.status, RUN_FAILED)
    if as_json:
        disk = inspect.to_json(disk_of_run(instance, outcome.run_id))
        print_json({**inspect.to_json(inspect.run_view(instance, outcome.run_id)), "disk": disk})
    else:
        fold = watch.tree.fold if watch.tree is not None else None
        if fold is None or not fold.run_ended:  # ended by another process, or nothing was to be seen
            fold = inspect.folded(instance.record, outcome.run_id, fold.plan if fold is not None else outcome.plan)
        ink.put(_ending(chosen, instance, outcome, fold))
    return code


def _watch(instance: Instance, *, as_json: bool) -> Watch:
    if as_json or not sys.stdout.isatty():
        return PlainLines(instance.record, quiet=as_json)
    live: Any = import_module("opgraph.show.cli.live")  # rich costs 45 ms, needed only here
    return live.LiveTree(instance.record)


def _ending(chosen: Chosen, instance: Instance, outcome: RunOutcome, fold: Fold) -> list[Line]:
    lines: list[Line] = []
    for each in failures(instance, outcome.run_id, fold):
        lines += [[], *each]
    error = fold.run_error or (None if fold.errors else outcome.error)
    if error is not None and not fold.failed():
        lines += [[], *failed(error)]
    lines += unasked(fold, inspect.discarded(instance.record, outcome.run_id, fold.plan))
    lines += failed_hooks(fold)
    took = ink.seconds(fold.took(0.0)) if fold.run_ended else ""
    if outcome.status is RunStatus.SUCCESS:
        return [
            *lines,
            [],
            [("✓ ", GOOD), (_done(fold), STRONG), (f" in {took}", PLAIN), (f"   {tally(fold, since=True)}", FAINT)],
            *renewed(instance, fold),
        ]
    canceled = outcome.status is RunStatus.CANCELED
    glyph, word = (("■ ", NOTE), "cancelled") if canceled else (("✗ ", BAD), "failed")
    done = f"   {tally(fold, since=True)}"
    return [
        *lines,
        [],
        [glyph, (f"run {word}", STRONG), (f" after {took}", PLAIN), (done, FAINT)],
        *to_go_on(outcome.run_id, chosen.typed, **remaining(fold)),
    ]


def _done(fold: Fold) -> str:
    """What a run that succeeded has come to."""
    made = sum(1 for outputs in fold.outputs.values() for _, stored in outputs if stored.asset)
    reused = sum(1 for _ in _reused(fold))
    if not made and not fold.plan.selection:
        return f"job {fold.plan.job} done"
    if made:
        return f"{ink.count(made, 'asset')} materialized" + (f", {reused:,} reused" if reused else "")
    ran = f"{ink.count(done, 'op')} done" if (done := fold.counts[Phase.SUCCEEDED]) else "nothing to run"
    return f"{ran}, " + (f"{ink.count(reused, 'asset')} reused" if reused else "no asset materialized")


def _reused(fold: Fold) -> Iterator[tuple[str, Kept]]:
    """The assets that a run took over from earlier ones."""
    for some in fold.kept.values():
        for kept in some:
            if kept.stored.asset is not None:
                yield kept.stored.asset, kept


def renewed(instance: Instance, fold: Fold) -> list[Line]:
    """The assets of which an older value is the latest again since a run has reused it."""
    found: dict[tuple[str, str], list[str]] = {}
    for asset, kept in _reused(fold):
        latest = instance.record.history(asset, 2)
        if len(latest) == 2 and latest[0].time >= fold.run_started:
            now, before = latest
            if (now.run_id, now.seq) == (kept.run, kept.seq):
                found.setdefault((kept.run, before.run_id), []).append(asset)
    lines: list[Line] = []
    for (run, before), assets in found.items():
        what = " is again what" if len(assets) == 1 else " are again what"
        of = f"{what} run {run[:8]} stored, instead of what run {before[:8]} did"
        lines += [[("↺ ", BUSY), (listed(assets), STRONG), (of, PLAIN)]]
    return lines


def remaining(fold: Fold) -> dict[str, Any]:
    """How many ops a resume would reuse, and how many it would run; what to select instead, where it would not help."""
    kept = fold.counts[Phase.SUCCEEDED] + fold.counts[Phase.REUSED]
    left = fold.total - kept - fold.counts[Phase.SKIPPED]
    again = _again(fold)
    return {"kept": kept - again, "left": left + again, "above": _above(fold), "over": fold.status is not None}


def _again(fold: Fold) -> int:
    """How many ops succeeded, and run again once what they did without is there: what comes after a
    `collect(allow_failed=True)`."""
    fine = {Phase.SUCCEEDED, Phase.REUSED}
    count = 0
    runs: set[int] = set()  # all of it
    changes: set[int] = set()  # at least in part
    for i, step in enumerate(fold.plan.steps):
        members = fold.members(i)
        mapped_over = {each.step for each in step.over}
        if any(each.step in (runs - mapped_over if step.over else changes) for each in upstream(step)):
            runs.add(i)
            count += sum((members or {Phase(fold.phase[i]): 1}).get(phase, 0) for phase in fine)
        if i in runs or any(phase not in {*fine, Phase.SKIPPED} for phase in members or ()):
            changes.add(i)
    return count


def _above(fold: Fold) -> str:
    """Where all that failed lacks assets that were never made: the run's selection with what it is made from."""
    failed_steps = fold.failed()
    kinds = {fold.errors[i].kind for i in failed_steps if i in fold.errors}
    if kinds != {NeverMaterialized.__name__}:
        return ""
    return " or ".join(f"+{named(key)}" for key in fold.plan.selection)


def failures(instance: Instance, run_id: str, fold: Fold) -> list[list[Line]]:
    """The failed steps of a run, the first ones in full."""
    tree = RunTree(fold)
    steps = [i for i in fold.failed() if i in fold.errors]
    blocks: list[list[Line]] = []
    for number, i in enumerate(steps):
        key, error = fold.key(i), fold.errors[i]
        unit = tree.units[tree.unit_of[fold.row(i)]]
        if number >= _IN_FULL:
            blocks.append([[("✗ ", BAD), (key, STRONG), (f"  {error.told}".split("\n", 1)[0], PLAIN)]])
            continue
        said = inspect.logs(instance.record, run_id, fold.plan, key)
        blocks.append(
            failed(
                error,
                step=key,
                assets=unit.assets,
                attempts=fold.attempts[i],
                said=[line for line in said if line.attempt == fold.attempts[i]],
            )
        )
    return blocks


def failed_hooks(fold: Fold) -> list[Line]:
    """The hooks that failed. The run does not mind, but whoever was to be told of it was not."""
    alike: dict[tuple[str, str, str], tuple[ErrorInfo, list[str]]] = {}
    for step, hook in fold.hooks:
        error = hook.error
        assert error is not None  # the fold keeps no others
        alike.setdefault((hook.name, error.kind, error.message), (error, []))[1].append(fold.key(step))
    lines: list[Line] = []
    for (name, *_), (error, steps) in list(alike.items())[:_HOOKS]:
        more = f" and {len(steps) - 1:,} more" if len(steps) > 1 else ""
        what = f" failed, which changes nothing in the run: {error.told}"
        of = ink.shortened(f" of {steps[0]}{more}{what}", 300)
        lines += [[], [("! ", NOTE), (f"hook {name}", STRONG), (of, PLAIN)]]
        own = [frame for frame in error.frames if frame.own]
        lines += [[(f"  {own[-1].file}:{own[-1].line} in {own[-1].function}", FAINT)]] if own else []
    return lines


def unasked(fold: Fold, discarded: AbstractSet[str]) -> list[Line]:
    """The assets that came though nobody asked for them, those that were discarded too."""
    came = {
        stored.asset for outputs in fold.outputs.values() for _, stored in outputs if stored.asset and not stored.asked
    }
    lines: list[Line] = []
    for each in fold.plan.besides:
        if each.asset in discarded:
            what = "came and was discarded"
            lines += [
                [],
                [("! ", NOTE), (each.asset, STRONG), (f" {what}, as nobody asked for it", PLAIN)],
                [(f"  op {each.step} yields it as output `{each.output}`", FAINT)],
            ]
        elif each.asset in came:
            lines += [
                [],
                [("! ", NOTE), (each.asset, STRONG), (" was also materialized, though nobody asked for it", PLAIN)],
                [(f"  op {each.step} yields it as output `{each.output}`", FAINT)],
                *([[(f"  to avoid it: {each.remedy}", FAINT)]] if each.remedy else []),
            ]
    return lines
