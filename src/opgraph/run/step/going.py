"""What is known of an attempt while it goes on, and what is reported on its way."""

from typing import Any

from msgspec import Struct

from opgraph.declare.metadata import all_to_wire
from opgraph.declare.ops.materialization import AssetMaterialization
from opgraph.events import AssetReported, Read
from opgraph.run.executors.protocol import Emit, Task
from opgraph.run.step.hooks import Witness


class Going(Struct, eq=False, gc=False):
    """What is known of an attempt while it goes on."""

    task: Task
    emit: Emit
    began: int
    reads: list[Read] = []
    loaded: int = 0
    storing: int = 0
    witness: Witness | None = None


def report(going: Going, said: list[tuple[float, Any]]) -> None:
    """Make facts of what was said, each with its time, and empty the list."""
    events, said[:] = list(said), []
    for at, event in events:
        going.emit(
            AssetReported(
                going.task.step,
                going.task.attempt,
                at,
                event.asset_key.text,
                all_to_wire(event.metadata) if event.metadata else {},
                not isinstance(event, AssetMaterialization),
                event.description or "",
                event.partition or "",
                dict(event.tags or {}),
            ),
            None,
        )
