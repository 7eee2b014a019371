"""Memoization while a run goes on and when it has ended: finding stored values by fingerprint, remembering new ones."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from opgraph.events import (
    AnyFact,
    Found,
    Kept,
    NotFound,
    OutputStored,
    Read,
    StepReused,
    StepStarted,
    StepSucceeded,
)
from opgraph.plan.memo import address, fingerprint, input_parts, name_of, parts_of, wanted_of
from opgraph.plan.model import WHY, Do, Plan, Role, Step
from opgraph.plan.reuse import Trouble
from opgraph.record.rows import Memoized
from opgraph.record.store import Record

Where = Callable[[int, str], Kept | None]


def version_in(record: Record, asset: str) -> str | None:
    """The version of the latest materialization of an asset; None: there is none."""
    latest = record.latest([asset]).get(asset)
    if latest is None:
        return None
    return latest.stored.data_version or address(latest.run_id, latest.seq, asset)


class LookUps:
    """Answers the engine's question whether stored values have a step's fingerprint.

    Args:
        record: where it is remembered.
        plan: the run's plan.
        trouble: tells why a stored value cannot be loaded.
    """

    def __init__(self, record: Record, plan: Plan, trouble: Trouble) -> None:
        self._record, self._plan, self._trouble = record, plan, trouble

    def answer(self, step: int, where: Where) -> Found | NotFound:
        """Found or NotFound, now that the inputs of the step are known.

        Args:
            step: its number.
            where: the address of a step's output in this run.
        """
        found = self._found(self._plan.steps[step], where)
        if isinstance(found, str):
            return NotFound(step, time.time(), found)
        return Found(step, time.time(), found, WHY["same"])

    def _found(self, step: Step, where: Where) -> tuple[Kept, ...] | str:
        assert step.memo is not None
        inputs = input_parts(step, where, lambda _, asset: version_in(self._record, asset), self._plan.steps)
        if isinstance(inputs, str):
            return WHY["input unknown"].format(inputs)
        mark = fingerprint(parts_of(step.memo, inputs))
        rows = self._record.memos([name_of(step)]).get(name_of(step), [])
        row = next((row for row in rows if row.fingerprint == mark), None)
        if row is None:
            return "its inputs changed"
        kept = wanted_of(step, row)
        if isinstance(kept, str):
            return WHY["output not stored"].format(kept)
        for each in kept:
            if why := self._trouble(each):
                return WHY.get(why, why)
        return kept


def remember(record: Record, run_id: str, plan: Plan) -> None:
    """Remember what the memoized steps of a run stored, and which stored values it used. Twice is the same as once."""
    if all(step.memo is None for step in plan.steps):
        return
    rows, used = noted(plan, run_id, record.facts(run_id))
    record.remember(rows, used)


def noted(
    plan: Plan, run_id: str, facts: Iterable[tuple[int, AnyFact]]
) -> tuple[list[Memoized], list[tuple[str, str]]]:
    """What a run's facts say of its memoized steps: what they stored, with all that it depended on, and the step and
    fingerprint of those whose values were reused."""
    kept: dict[int, dict[str, Kept]] = {}
    ended: set[int] = set()
    rows: dict[int, Memoized] = {}
    used: list[tuple[str, str]] = []

    def where(step: int, output: str) -> Kept | None:
        return kept.get(step, {}).get(output)

    for seq, fact in facts:
        match fact:
            case StepStarted():
                if fact.step not in ended:  # one that had ended makes only what was lost
                    kept.pop(fact.step, None)
            case OutputStored():
                kept.setdefault(fact.step, {})[fact.stored.output] = Kept(run_id, seq, fact.stored)
            case StepSucceeded():
                ended.add(fact.step)
                own = kept.setdefault(fact.step, {})
                own.update((stored.output, Kept(run_id, seq, stored)) for stored in fact.outputs)
                step = plan.steps[fact.step]
                if step.memo is not None and not step.memo.unknown:
                    row = _row(step, own, where, fact.reads, plan.steps, fact.time)
                    if row is not None:
                        rows[fact.step] = row
            case StepReused():
                ended.add(fact.step)
                kept[fact.step] = {each.stored.output: each for each in fact.kept}
                step = plan.steps[fact.step]
                if step.memo is not None and not step.memo.unknown and step.decision.why != "recorded":
                    mark = step.decision.fingerprint
                    if step.decision.do is Do.DECIDE:
                        row = _row(step, kept[fact.step], where, None, plan.steps, fact.time)
                        mark = row.fingerprint if row is not None else ""
                    used.append((name_of(step), mark))
            case _:
                pass
    return list(rows.values()), used


def _row(
    step: Step,
    own: Mapping[str, Kept],
    where: Where,
    reads: Sequence[Read] | None,
    steps: Sequence[Step],
    now: float,
) -> Memoized | None:
    """The row of a step that ended just now; None where an input had no version."""
    assert step.memo is not None
    read: dict[tuple[str, str], str] = {}
    for each in reads or ():
        if each.run:
            read[each.input, each.asset] = each.data_version or address(each.run, each.seq, each.asset)
    inputs = input_parts(step, where, lambda name, asset: read.get((name, asset)), steps)
    if isinstance(inputs, str):
        return None
    parts = parts_of(step.memo, inputs)
    asked = [o.name for o in step.outputs if o.role in (Role.SELECTED, Role.NEEDED)]
    return Memoized(
        step=name_of(step),
        fingerprint=fingerprint(parts),
        parts=parts,
        kept=tuple(own.values()),
        absent=tuple(name for name in asked if name not in own),
        time=now,
    )
