"""Another attempt after a failed one: how often, and after how long."""

from opgraph.declare.retry import wait_after
from opgraph.engine.commands import Command, Delay
from opgraph.engine.phases import Phase
from opgraph.engine.state import State
from opgraph.engine.steps import again, ask
from opgraph.events import RetryDue, StepFailed


def failures(state: State, step: int) -> int:
    """How many attempts count against the step's policy, the present one with them."""
    return state.attempts[step] - state.uncounted.get(step, 0)


def wait(state: State, step: int, fact: StepFailed) -> float | None:
    """The seconds until another attempt; None: there is none.

    `retry_after` says it where the shell has drawn the seconds by chance, or the op has asked for another attempt: how
    often it may is the shell's to count. Otherwise the policy does.
    """
    if not fact.error.retry:
        return None
    if fact.retry_after is not None:
        return fact.retry_after
    retry = state.program.retries.get(state.template[step])
    count = failures(state, step)
    if retry is None or count > retry.most:
        return None
    return wait_after(count, retry.delay, retry.backoff)


def delay(state: State, step: int, seconds: float) -> list[Command]:
    """Wait before the next attempt."""
    commands: list[Command] = []
    ask(state, step, Phase.DELAYED, Delay(step, seconds), commands)
    return commands


def due(state: State, fact: RetryDue, _seq: int) -> list[Command]:
    """DELAYED: the wait is over."""
    commands: list[Command] = []
    del state.asking[fact.step]
    again(state, fact.step, commands)
    return commands


def due_too_late(_state: State, _fact: RetryDue, _seq: int) -> list[Command]:
    """CANCELED: the run was cancelled during the wait."""
    return []
