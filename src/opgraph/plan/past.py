"""What an earlier run left behind: for each of its steps how it ended and which values it stored."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from opgraph.events import (
    AnyFact,
    Found,
    Kept,
    OutputStored,
    StepFailed,
    StepInterrupted,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from opgraph.plan.model import Plan


@dataclass(slots=True)
class PastStep:
    """How a step ended: `succeeded`, `failed`, `skipped` (nothing to do), `blocked` (upstream failed), `interrupted`,
    or `pending` (the run did not get to it)."""

    ending: str = "pending"
    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run, folded from its record."""

    run_id: str
    plan: Plan
    steps: dict[str, PastStep]  # by step key


def fold(run_id: str, plan: Plan, facts: Iterable[tuple[int, AnyFact]]) -> Past:
    """The past of a run from its plan and its facts, in the order of the log."""
    steps = [PastStep() for _ in plan.steps]
    for seq, fact in facts:
        match fact:
            case StepStarted():
                if steps[fact.step].ending != "succeeded":  # one that had succeeded makes a lost value again
                    steps[fact.step] = PastStep("interrupted")
            case OutputStored():
                steps[fact.step].kept[fact.stored.output] = Kept(run_id, seq, fact.stored)
            case StepSucceeded():
                steps[fact.step].ending = "succeeded"
                for stored in fact.outputs:
                    steps[fact.step].kept[stored.output] = Kept(run_id, seq, stored)
            case StepReused() | Found():
                steps[fact.step] = PastStep("succeeded", {kept.stored.output: kept for kept in fact.kept})
            case StepFailed():
                steps[fact.step].ending = "failed"
            case StepInterrupted():
                if steps[fact.step].ending not in ("succeeded", "pending"):  # one that never started was not reached
                    steps[fact.step].ending = "interrupted"
            case StepSkipped():
                steps[fact.step] = PastStep("blocked" if fact.blocked else "skipped")
            case _:  # of a lost value the address stays: whoever loads it finds out anew
                pass
    return Past(run_id, plan, {step.key: past for step, past in zip(plan.steps, steps, strict=False)})
