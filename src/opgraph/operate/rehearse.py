"""Going through a run with nothing run: which steps it would have to run."""

from opgraph.engine import LookUp, Phase, Reuse, Skip, advance, new
from opgraph.engine import program as programs
from opgraph.events import AnyFact, NotFound, RunStarted, StepReused, StepSkipped
from opgraph.plan.model import WHY, Do, Plan, Step
from opgraph.run.store.lookup import LookUps
from opgraph.run.store.sources import Sources

_ENDED = (Phase.REUSED, Phase.SKIPPED)
NOT_MEMOIZED = "it is not memoized"


def would_run(plan: Plan, look_ups: LookUps) -> list[tuple[str, str]]:
    """The keys of the steps that a run of this plan would run, each with the reason.

    Args:
        plan: the plan.
        look_ups: finds stored values, as in the run.
    """
    state = new(programs.compile(plan))
    sources = Sources(state)
    facts: list[AnyFact] = [RunStarted(0.0, 1)]
    missed: dict[int, str] = {}
    for fact in facts:  # which grows
        for command in advance(state, fact):
            match command:
                case Reuse():
                    facts.append(StepReused(command.step, 0.0, command.kept))
                case Skip():
                    facts.append(StepSkipped(command.step, 0.0, command.because, command.output, command.blocked))
                case LookUp():
                    answer = look_ups.answer(sources, command.step)
                    if isinstance(answer, NotFound):
                        missed[command.step] = answer.reason
                    facts.append(answer)
                case _:  # a start is answered by nobody, so what comes after it does not get its turn
                    pass
    made: dict[int, list[int]] = {}
    for number in range(len(plan.steps), len(state.phases)):
        if state.phases[number] not in _ENDED:
            made.setdefault(state.template[number], []).append(number)
    found: list[tuple[str, str]] = []
    runs: set[int] = set()
    for i, step in enumerate(plan.steps):
        if step.decision.do not in (Do.RUN, Do.DECIDE):
            continue
        why = _why(step)
        if step.over and step.decision.do is Do.DECIDE and all(each.step not in runs for each in step.over):
            numbers = made.get(i, [])
            found += [(state.key(number), missed.get(number, why)) for number in numbers]
            if not numbers:
                continue
        elif step.over or state.phases[i] not in _ENDED:
            found.append((step.key, missed.get(i, why)))
        else:
            continue
        runs.add(i)
    return found


def _why(step: Step) -> str:
    """Why a step would run of which nothing was looked up."""
    if step.memo is None and step.decision.why != "opted out":
        return NOT_MEMOIZED
    return WHY["downstream"] if step.decision.why == "depends" else step.decision.reason
