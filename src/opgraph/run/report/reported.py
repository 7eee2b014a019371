"""From what user code says of an asset to the fact that is recorded."""

from typing import Any

from opgraph.declare.metadata import all_to_wire
from opgraph.declare.ops.materialization import AssetMaterialization
from opgraph.events import AssetReported


def reported(event: Any, step: int, attempt: int, at: float) -> AssetReported:
    """The fact that an asset was made or observed.

    Args:
        event: an AssetMaterialization or AssetObservation.
        step: whose attempt said it.
        attempt: which.
        at: when, in seconds since 1970.
    """
    return AssetReported(
        step,
        attempt,
        at,
        event.asset_key.text,
        all_to_wire(event.metadata) if event.metadata else {},
        not isinstance(event, AssetMaterialization),
        event.description or "",
        event.partition or "",
        dict(event.tags or {}),
    )
