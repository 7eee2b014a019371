"""What is known of an attempt while it goes on, and what is reported on its way."""

from typing import Any

from msgspec import Struct

from opgraph.events import Read
from opgraph.run.executors.protocol import Emit, Task
from opgraph.run.report.reported import reported
from opgraph.run.step.hooks import Witness


class Going(Struct, eq=False, gc=False):
    """What is known of an attempt while it goes on."""

    task: Task
    emit: Emit
    began: int
    reads: list[Read] = []
    loaded: int = 0
    storing: int = 0
    away: int = 0  # what a generator waited while others took its values
    witness: Witness | None = None


def report(going: Going, said: list[tuple[float, Any]]) -> None:
    """Make facts of what was said, each with its time, and empty the list."""
    events, said[:] = list(said), []
    for at, event in events:
        going.emit(reported(event, going.task.step, going.task.attempt, at), None)
