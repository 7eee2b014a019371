"""The versions of assets that went into something: what its ops read, and what had gone into values that it reused."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from opgraph.events import Kept, Read, StepReused, StepSucceeded
from opgraph.operate.fold import Fold
from opgraph.plan.model import Plan, Step, decode_plan, outputs_in
from opgraph.record.rows import Materialized
from opgraph.record.store import Record, each_fact
from opgraph.run.report.made import Made


class Trace(Struct):
    """Of a run, by the number of a step of its plan: the versions that it read, and the runs that stored what it
    reused. What the steps of a fan-out did counts for the step of which they were made."""

    plan: Plan
    numbers: dict[str, int]
    reads: dict[int, list[Read]]
    reused: dict[int, set[str]]


Find = Callable[[str], Trace | None]  # by the id of a run; None: it is not recorded any more


def traced(fold: Fold) -> Trace:
    """The trace of a run of which it is known where its steps stand."""
    return _trace(fold.plan, fold.row, fold.reads.items(), fold.kept.items())


def _trace(
    plan: Plan,
    row: Callable[[int], int],
    reads: Iterable[tuple[int, tuple[Read, ...]]],
    kept: Iterable[tuple[int, tuple[Kept, ...]]],
) -> Trace:
    found = Trace(plan, plan.index(), {}, {})
    for step, versions in reads:
        found.reads.setdefault(row(step), []).extend(versions)
    for step, values in kept:
        if values:
            found.reused.setdefault(row(step), set()).update(each.run for each in values)
    return found


def _recorded(record: Record, run_id: str) -> Trace | None:
    row = record.run(run_id)
    if row is None or not row.plan:
        return None
    plan = decode_plan(row.plan)
    reads: dict[int, tuple[Read, ...]] = {}
    kept: dict[int, tuple[Kept, ...]] = {}
    for _, fact in each_fact(record, run_id):
        if isinstance(fact, StepSucceeded):
            if fact.reads:
                reads[fact.step] = fact.reads
        elif isinstance(fact, StepReused):
            kept[fact.step] = fact.kept
    row_of = list(range(len(plan.steps)))
    if max((*reads, *kept), default=0) >= len(row_of):
        row_of = Made(plan, each_fact(record, run_id), lambda: each_fact(record, run_id)).templates
    return _trace(plan, row_of.__getitem__, reads.items(), kept.items())


def inputs_read(record: Record, made: Materialized) -> tuple[Read, ...]:
    """The version of each asset that went into a materialization, over all ops of its unit that lead to it."""
    return made_from(lambda run_id: _recorded(record, run_id), {}, made.run_id, [made.step])


def made_from(find: Find, known: dict[str, Trace | None], run_id: str, steps: Iterable[int]) -> tuple[Read, ...]:
    """The versions that went into some steps of one unit, by asset: over all ops of the unit that lead to them, in the
    runs that ran these.

    Args:
        find: gives the trace of a run that is not yet among
        known: the traces so far, to which it is added.
        run_id: the run.
        steps: of its plan.
    """
    found: dict[tuple[str, str, int], Read] = {}

    def trace_of(run: str) -> Trace | None:
        if run not in known:
            known[run] = find(run)
        return known[run]

    todo = [(run_id, step) for step in steps]
    seen = set(todo)
    while todo:
        run, number = todo.pop()
        trace = trace_of(run)
        if trace is None or not trace.plan.steps:  # it was reported outside any run
            continue
        step = trace.plan.steps[number]
        for read in trace.reads.get(number, ()):
            found.setdefault((read.asset, read.run, read.seq), read)
        above: set[tuple[str, int]] = set()
        for other in trace.reused.get(number, ()):
            before = trace_of(other)
            if before is not None and step.key in before.numbers:
                above.add((other, before.numbers[step.key]))
        if not above or step.over:
            above.update((run, up) for up in _upstream(step) if trace.plan.steps[up].unit == step.unit)
        todo += above - seen
        seen |= above
    return tuple(found[each] for each in sorted(found))


def _upstream(step: Step) -> list[int]:
    """The steps that a step takes values from."""
    return [output.step for each in step.inputs for output in outputs_in(each.source)]
