"""Whether what was stored before can still be had."""

from collections.abc import Mapping
from typing import Any

from opgraph.events import Kept, Place
from opgraph.plan.reuse import Trouble
from opgraph.run.instance import Instance
from opgraph.values.manager import FilesystemIOManager


def trouble_with(instance: Instance, resources: Mapping[str, Any], *, memo: bool = False) -> Trouble:
    """Tells why a stored value cannot be loaded any more: "" where it can.

    Args:
        instance: where it is stored.
        resources: by key, I/O managers among them.
        memo: whether it is to stand for what a new run would store: an intermediate that its manager may have
            overwritten since does not.
    """
    record = instance.record

    def gone(kept: Kept) -> str:
        row = record.run(kept.run)
        return "cleaned" if row is None or row.cleaned is not None else "lost"

    def trouble(kept: Kept) -> str:
        stored = kept.stored
        match stored.place:
            case Place.INLINE:
                return "" if record.value(kept.run, kept.seq) is not None else "cleaned"
            case Place.FILE:
                return "" if instance.intermediates.has(stored) else gone(kept)
            case Place.MEMORY:
                return "lost"
            case Place.NONE:
                return ""
            case Place.MANAGER:
                manager = resources.get(stored.io_manager)
                if isinstance(manager, FilesystemIOManager):
                    return "" if manager.files(instance.storage).has(stored.location, stored.size) else gone(kept)
                if getattr(manager, "versioned", False):
                    return ""
                if stored.asset is None:
                    return "not versioned" if memo else ""
                latest = record.latest([stored.asset]).get(stored.asset)
                current = latest is not None and (latest.run_id, latest.seq) == (kept.run, kept.seq)
                return "" if current else "not versioned"

    return trouble
