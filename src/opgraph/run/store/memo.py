"""Remembering what memoized steps stored and all that it depended on, for later runs and for those beside this one."""

import time
from collections.abc import Callable, Iterable

from opgraph.engine import Phase, State, advance, new
from opgraph.engine import program as programs
from opgraph.events import AnyFact, Kept, Read, RunEnded, RunStatus, StepReused, StepSucceeded
from opgraph.plan.memo import fan_of, fingerprint, name_of, parts_of
from opgraph.plan.model import Plan, Role, Step
from opgraph.record.rows import Memoized
from opgraph.record.store import Record
from opgraph.run.store.lookup import name_in, parts_in
from opgraph.run.store.sources import Sources

_OFTEN = 0.5  # seconds: so long after a step has ended other runs can reuse it


def remember(record: Record, run_id: str, plan: Plan) -> None:
    """Remember what the memoized steps of a run stored, and which stored values it used. Twice is the same as once."""
    state = new(programs.compile(plan), run_id)
    notes = Notes(record, Sources(state))
    if notes.any:
        notes.replay(state, record.facts(run_id))
        notes.write()


class Notes:
    """What a run's facts say of its memoized steps: what they stored, with all that it depended on.

    Args:
        record: where it is remembered.
        sources: where the run's values are.
        imported: the hash of what a step of the plan imports when it runs, as the files are now. Where they changed
            since the run began it is not known what the step ran.

    Attributes:
        any: whether there is anything to note.
    """

    def __init__(self, record: Record, sources: Sources, imported: Callable[[int], str] = lambda _: "") -> None:
        self._record, self._sources = record, sources
        steps = sources.state.program.plan.steps
        self._memoized = [step.memo is not None and not step.memo.unknown for step in steps]
        self.any = any(self._memoized)
        self._imported_now = imported
        found = {step: imported(step) for step, memoized in enumerate(self._memoized) if memoized}
        self._imported = {step: each for step, each in found.items() if each}
        self._rows: dict[str, Memoized] = {}
        self._used: list[tuple[str, str]] = []
        self._templates: set[int] = set()
        self._due = 0.0

    def replay(self, state: State, facts: Iterable[tuple[int, AnyFact]]) -> None:
        """Follow the facts of a run from its beginning."""
        for seq, fact in facts:
            advance(state, fact, seq)
            self.see(fact)

    def see(self, fact: AnyFact) -> None:
        """Note a fact that the run's state has taken in."""
        if isinstance(fact, StepSucceeded):
            self._stored(fact.step, fact.reads, fact.time)
        elif isinstance(fact, StepReused):
            self._reused(fact.step, fact.time)
        elif isinstance(fact, RunEnded) and fact.status is RunStatus.SUCCESS:
            self._fans(fact.time)

    def write_now_and_then(self) -> None:
        """Write down what was noted, if the last time is a while ago. All of it is recorded in the run's log."""
        if self._rows and (now := time.monotonic()) >= self._due:
            self.write()
            self._due = now + _OFTEN

    def write(self) -> None:
        """Write down what was noted."""
        if self._rows or self._used:
            self._record.remember(list(self._rows.values()), self._used)
            self._rows, self._used = {}, []

    def _stored(self, step: int, reads: Iterable[Read], now: float) -> None:
        state = self._sources.state
        template = state.template[step]
        if not self._memoized[template] or state.phases[step] != Phase.SUCCEEDED:  # it was withdrawn, or goes on
            return
        if template in self._imported and self._imported_now(template) != self._imported[template]:
            return
        row = self._row(step, reads, now)
        if row is None:
            return
        self._rows[row.step] = row
        if template != step and template not in self._templates:
            self._templates.add(template)
            planned = state.program.plan.steps[template]
            assert planned.memo is not None
            parts = parts_of(planned.memo)  # tells a plan that there is something to look for
            self._rows[name_of(planned)] = Memoized(
                step=name_of(planned), fingerprint=fingerprint(parts), parts=parts, kept=(), time=now
            )

    def _fans(self, now: float) -> None:
        """Which mapping keys the fan-outs had, so that clean-up knows which there are no more."""
        state = self._sources.state
        plan = state.program.plan
        names: dict[str, dict[str, str]] = {}
        for step in range(len(plan.steps), len(state.phases)):
            template = state.template[step]
            if self._memoized[template] and state.phases[step] != Phase.WITHDRAWN:
                names.setdefault(fan_of(name_of(plan.steps[template])), {})[name_in(state, step)] = ""
        for fan, parts in names.items():
            self._rows[fan] = Memoized(step=fan, fingerprint=fingerprint(parts), parts=parts, kept=(), time=now)

    def _reused(self, step: int, now: float) -> None:
        state = self._sources.state
        planned = state.program.plan.steps[state.template[step]]
        if not self._memoized[state.template[step]] or planned.decision.why == "recorded":
            return
        mark = planned.decision.fingerprint
        if planned.decision.why != "same":
            row = self._row(step, (), now)
            mark = row.fingerprint if row is not None else ""
        self._used.append((name_in(state, step), mark))

    def _row(self, step: int, reads: Iterable[Read], now: float) -> Memoized | None:
        """The row of a step that ended just now; None where an input had no version."""
        read = {
            (each.input, each.asset): each.data_version or f"{each.run}/{each.seq}/{each.asset}"
            for each in reads
            if each.run
        }
        parts = parts_in(self._sources, step, lambda name, asset: read.get((name, asset)))
        if isinstance(parts, str):
            return None
        state = self._sources.state
        planned = state.program.plan.steps[state.template[step]]
        kept = _own(state, step, planned)
        came = {each.stored.output for each in kept}
        asked = [o.name for o in planned.outputs if o.role in (Role.SELECTED, Role.NEEDED)]
        return Memoized(
            step=name_in(state, step),
            fingerprint=fingerprint(parts),
            parts=parts,
            kept=tuple(kept),
            absent=tuple(name for name in asked if name not in came),
            time=now,
        )


def _own(state: State, step: int, planned: Step) -> list[Kept]:
    """The values of a step, those of a fan-out in order."""
    found: list[Kept] = []
    for place, output in enumerate(planned.outputs):
        slot = state.base[step] + place
        slots = [state.elements[each] for each in state.live.get(slot, {}).values()] if output.dynamic else [slot]
        found += [kept for each in slots if (kept := state.at(each)) is not None]
    return found
