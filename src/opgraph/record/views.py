"""What a fact changes in the views that are kept beside the log: where the run stands, and the catalog of assets."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from opgraph.events import (
    AnyFact,
    AssetReported,
    CancelRequested,
    OutputStored,
    Place,
    RunEnded,
    RunStarted,
    RunStatus,
    StepReused,
    StepStarted,
    StepSucceeded,
    Stored,
)


class Standing(NamedTuple):
    """Where a run stands, and when it first started and ended."""

    status: RunStatus
    started: float | None
    ended: float | None


def touched(facts: Sequence[AnyFact]) -> bool:
    """Whether any of these facts may change a view. Called for every fact of every run."""
    for fact in facts:
        if isinstance(fact, StepStarted):  # as common as the next
            continue
        if isinstance(fact, StepSucceeded):
            for stored in fact.outputs:
                if stored.asset is not None:
                    return True
        elif isinstance(fact, OutputStored):
            if fact.stored.asset is not None:
                return True
        elif isinstance(fact, StepReused):
            if fact.current:
                return True
        elif isinstance(fact, (AssetReported, RunStarted, RunEnded, CancelRequested)):
            return True
    return False


def standing_after(fact: AnyFact, before: Standing) -> Standing:
    """Where the run stands once this fact is known. What is final stays; a run to be cancelled does not start again."""
    if before.status.is_final:
        return before
    match fact:
        case RunStarted():
            status = before.status if before.status is RunStatus.CANCELING else RunStatus.STARTED
            return before._replace(status=status, started=fact.time if before.started is None else before.started)
        case CancelRequested():
            return before._replace(status=RunStatus.CANCELING)
        case RunEnded():
            return before._replace(status=fact.status, ended=fact.time)
        case _:
            return before


def materializations(fact: AnyFact) -> Iterator[tuple[str, int, float, Stored]]:
    """The asset, step, time and stored output of each materialization that a fact announces."""
    match fact:
        case StepSucceeded():
            for stored in fact.outputs:
                if stored.asset is not None:
                    yield stored.asset, fact.step, fact.time, stored
        case OutputStored():
            if fact.stored.asset is not None:
                yield fact.stored.asset, fact.step, fact.time, fact.stored
        case AssetReported():
            if not fact.observation:
                stored = Stored(output="", place=Place.NONE, asset=fact.asset, metadata=fact.metadata, tags=fact.tags)
                yield fact.asset, fact.step, fact.time, stored
        case _:
            pass


def observed(fact: AnyFact) -> str | None:
    """The asset that a fact is an observation of."""
    return fact.asset if isinstance(fact, AssetReported) and fact.observation else None


def renewals(fact: AnyFact) -> Iterator[tuple[str, str, int, float]]:
    """The asset, run, number and time of each older materialization that a fact makes the latest again."""
    if isinstance(fact, StepReused) and fact.current:
        for kept in fact.kept:
            if kept.stored.asset is not None:
                yield kept.stored.asset, kept.run, kept.seq, fact.time
