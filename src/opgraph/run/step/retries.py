"""What follows a failed attempt. Chance is drawn here, so that it arrives at the engine inside the fact."""

from msgspec import structs

from opgraph.declare.retry import jittered, wait_after
from opgraph.errors import RetryRequested
from opgraph.events import ErrorInfo
from opgraph.plan.model import Retry


def judged(error: BaseException, info: ErrorInfo, retry: Retry | None, failures: int) -> tuple[ErrorInfo, float | None]:
    """The error as it is recorded, and the seconds until another attempt; None: there is none.

    What the op itself asks for comes before its policy.

    Args:
        error: what was raised.
        info: the same as data.
        retry: the step's policy.
        failures: how many attempts count, this one with them.
    """
    if isinstance(error, RetryRequested):
        if failures > error.max_retries:
            note = f"Exceeded max_retries of {error.max_retries}: the op asked once more"
            error.add_note(note)
            return structs.replace(info, retry=False, notes=(*info.notes, note)), None
        return info, error.seconds_to_wait or 0.0
    if retry is None or not info.retry or failures > retry.most:
        return info, None
    return info, jittered(wait_after(failures, retry.delay, retry.backoff), retry.delay, retry.jitter)
