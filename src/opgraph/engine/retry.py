"""Another attempt after a failed one: how often, and after how long."""

from opgraph.declare.retry import wait_after
from opgraph.engine.commands import Command, Delay
from opgraph.engine.phases import Phase
from opgraph.engine.state import State
from opgraph.engine.steps import again, ask
from opgraph.events import RetryDue, StepFailed
from opgraph.plan.model import Retry


def seconds_before(retry: Retry, failures: int) -> float:
    """How long a policy waits after so many failures (from 1), without jitter, in seconds.

    Example:
        >>> [seconds_before(Retry(most=3, delay=1.0, backoff="exponential"), n) for n in (1, 2, 3)]
        [1.0, 3.0, 7.0]
    """
    return wait_after(failures, retry.delay, retry.backoff)


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
    return seconds_before(retry, count) if retry is not None and count <= retry.most else None


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
