"""What an earlier run left behind: for each of its steps how it ended and which values it stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct

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
    Stored,
)
from opgraph.plan.model import Plan


class PastStep(Struct):
    """How a step ended: `succeeded`, `failed`, `skipped` (nothing to do), `blocked` (upstream failed), `interrupted`,
    or `pending` (the run did not get to it)."""

    ending: str = "pending"
    kept: dict[str, Kept] = {}


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run, folded from its record."""

    run_id: str
    plan: Plan
    steps: dict[str, PastStep]  # by step key


def place_of(stored: Stored) -> str:
    """What names a value among those of its step: the output, with the mapping key where it has one."""
    return stored.output if stored.mapping_key is None else f"{stored.output}[{stored.mapping_key}]"


def fold(run_id: str, plan: Plan, facts: Iterable[tuple[int, AnyFact]], keys: Sequence[str] = ()) -> Past:
    """The past of a run from its plan and its facts, in the order of the log.

    Args:
        run_id: the run.
        plan: its plan.
        facts: its facts, numbered.
        keys: the keys of its steps, where it made some that are not in the plan; empty ones do not count.
    """
    keys = keys or [step.key for step in plan.steps]
    steps = [PastStep() for _ in keys]
    for seq, fact in facts:
        match fact:
            case StepStarted():
                step = steps[fact.step]
                if step.ending == "pending":
                    step.ending = "interrupted"
                elif step.ending != "succeeded":  # one that had succeeded makes a lost value again
                    steps[fact.step] = PastStep("interrupted")
            case OutputStored():
                kept = steps[fact.step].kept
                kept.pop(place_of(fact.stored), None)  # at the end: the order is that of the last attempt
                kept[place_of(fact.stored)] = Kept(run_id, seq, fact.stored)
            case StepSucceeded():
                steps[fact.step].ending = "succeeded"
                for stored in fact.outputs:
                    steps[fact.step].kept[place_of(stored)] = Kept(run_id, seq, stored)
            case StepReused() | Found():
                steps[fact.step] = PastStep("succeeded", {place_of(kept.stored): kept for kept in fact.kept})
            case StepFailed():
                steps[fact.step].ending = "failed"
            case StepInterrupted():
                if steps[fact.step].ending not in ("succeeded", "pending"):  # one that never started was not reached
                    steps[fact.step].ending = "interrupted"
            case StepSkipped():
                steps[fact.step] = PastStep("blocked" if fact.blocked else "skipped")
            case _:  # of a lost value the address stays: whoever loads it finds out anew
                pass
    return Past(run_id, plan, {key: past for key, past in zip(keys, steps, strict=False) if key})
