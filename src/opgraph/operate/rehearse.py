"""Going through a run with nothing run: which steps it would have to run."""

from opgraph.engine import LookUp, Phase, Reuse, Skip, State, advance, new
from opgraph.engine import program as programs
from opgraph.events import AnyFact, NotFound, RunStarted, StepReused, StepSkipped
from opgraph.plan.model import Do, Plan, Step
from opgraph.run.store.lookup import LookUps
from opgraph.run.store.sources import Sources

_ENDED = (Phase.REUSED, Phase.SKIPPED)
NOT_MEMOIZED = "it is not memoized"


def would_run(plan: Plan, look_ups: LookUps) -> tuple[list[tuple[str, str]], list[str]]:
    """The steps that a run of this plan would run, each with the reason, those of a fan-out as one; and those that may
    run, for they come after these.

    Args:
        plan: the plan.
        look_ups: finds stored values, as in the run.
    """
    state, missed = _gone_through(plan, look_ups)
    made: dict[int, list[int]] = {}
    for number in range(len(plan.steps), len(state.phases)):
        if state.phases[number] not in _ENDED:
            made.setdefault(state.template[number], []).append(number)
    certain: dict[tuple[int, str], list[str]] = {}
    perhaps: dict[int, list[str]] = {}
    runs: set[int] = set()
    for i, step in enumerate(plan.steps):
        if step.decision.do not in (Do.RUN, Do.DECIDE):
            continue
        if step.over and step.decision.do is Do.DECIDE and all(each.step not in runs for each in step.over):
            keys = {number: state.key(number) for number in made.get(i, ())}
        else:
            keys = {i: step.key} if step.over or state.phases[i] not in _ENDED else {}
        if keys:
            runs.add(i)
        for number, key in keys.items():
            if step.decision.do is Do.RUN or number in missed:
                certain.setdefault((i, missed.get(number) or _why(step)), []).append(key)
            else:
                perhaps.setdefault(i, []).append(key)
    return [(_together(keys), why) for (_, why), keys in certain.items()], [_together(k) for k in perhaps.values()]


def _gone_through(plan: Plan, look_ups: LookUps) -> tuple[State, dict[int, str]]:
    """Where the run would come to a stand, and the steps for which nothing is stored, each with the reason."""
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
    return state, missed


def _together(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1:,} more of its keys"


def _why(step: Step) -> str:
    """Why a step would run of which nothing was looked up."""
    return NOT_MEMOIZED if step.memo is None and step.decision.why != "opted out" else step.decision.reason
