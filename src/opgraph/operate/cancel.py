"""Cancelling a run, from any process that can see its record."""

import getpass
import os
import time

from opgraph.errors import Error, Mistake
from opgraph.events import CancelRequested, RunEnded, RunStarted, RunStatus
from opgraph.operate.planning import row_of
from opgraph.run.instance import Instance

_TICK = 0.05  # seconds


class RunIsOver(Mistake, Error):
    """A run is to be cancelled that has ended."""

    run_id: str
    status: str
    says = "run {run_id} has ended already: {status}"
    mend = "nothing is left to cancel"


class RunCanceledError(Mistake, Error):
    """A run was cancelled while the caller waited for it."""

    run_id: str
    by: str
    says = "run {run_id} was cancelled ({by})"
    mend = "resume it: what it stored is reused"


def cancel(instance: Instance, run_id: str, *, by: str = "", wait: float = 0.0) -> RunStatus:
    """Cancel a run. Its steps are asked to stop, and killed after a second where the executor can; it can be resumed.

    Where the process of the run is dead, the run is ended here.

    Args:
        instance: where the run is recorded.
        run_id: the run.
        by: who asks, for the record; by default the user of this process.
        wait: seconds to wait for the run's end.

    Returns:
        Where the run stands afterwards: CANCELED, or still STARTED or CANCELING.

    Raises:
        RunNotFoundError: there is no such run.
        RunIsOver: it has ended.
    """
    by = by or f"cancel by {getpass.getuser()}"
    row = row_of(instance, run_id)
    if row.status.is_final:
        raise RunIsOver(run_id, row.status.value)
    if not instance.record.alive(run_id):
        now = time.time()
        writer = instance.record.claim(run_id, pid=os.getpid(), host=os.uname().nodename, now=now)
        try:
            if not row_of(instance, run_id).status.is_final:
                facts = (RunStarted(now, writer.epoch, os.getpid()), CancelRequested(now, by))
                writer.append([*facts, RunEnded(now, RunStatus.CANCELED)])
        finally:
            writer.release()
        return row_of(instance, run_id).status
    instance.request_cancel(run_id, by)
    patience = time.monotonic() + wait
    while time.monotonic() < patience and not row_of(instance, run_id).status.is_final:
        time.sleep(_TICK)
    status = row_of(instance, run_id).status
    if status.is_final:
        instance.forget_cancel(run_id)
    return status
