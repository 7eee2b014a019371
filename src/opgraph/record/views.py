"""What a fact changes in the views that are kept beside the log: the run's status and the catalog of assets."""

from collections.abc import Iterator, Sequence

from opgraph.events import (
    AnyFact,
    AssetReported,
    CancelRequested,
    OutputStored,
    Place,
    RunEnded,
    RunStarted,
    RunStatus,
    StepSucceeded,
    Stored,
)

_ALWAYS = (OutputStored, AssetReported, RunStarted, RunEnded, CancelRequested)


def touched(facts: Sequence[AnyFact]) -> bool:
    """Whether any of these facts may change a view. Called for every fact of every run."""
    for fact in facts:
        if isinstance(fact, StepSucceeded):
            for stored in fact.outputs:
                if stored.asset is not None:
                    return True
        elif isinstance(fact, _ALWAYS):
            return True
    return False


def status_after(fact: AnyFact, status: RunStatus) -> RunStatus:
    """The run's status once this fact is known. A final one stays; a run to be cancelled does not start again."""
    if status.is_final:
        return status
    match fact:
        case RunStarted():
            return RunStatus.CANCELING if status is RunStatus.CANCELING else RunStatus.STARTED
        case CancelRequested():
            return RunStatus.CANCELING
        case RunEnded():
            return fact.status
        case _:
            return status


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
                yield fact.asset, fact.step, fact.time, reported(fact)
        case _:
            pass


def reported(fact: AssetReported) -> Stored:
    """A materialization that user code reported, in the shape of those that opgraph stores."""
    return Stored(output="", place=Place.NONE, asset=fact.asset, metadata=fact.metadata)
