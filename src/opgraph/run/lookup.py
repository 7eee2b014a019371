"""Whether an earlier run's values stand for a mapped step: known when the value for which it was made is there."""

from collections.abc import Callable

from opgraph.engine import State
from opgraph.engine.places import slots_read
from opgraph.events import Kept
from opgraph.plan.past import Past, place_of
from opgraph.plan.reuse import kept_for


class PastValues:
    """What a run that re-executes another one may take from that.

    Args:
        past: the earlier run.
        trouble: why a stored value cannot be loaded; "": it can.
    """

    def __init__(self, past: Past, trouble: Callable[[Kept], str]) -> None:
        self._past, self._trouble = past, trouble

    def find(self, state: State, step: int) -> tuple[tuple[Kept, ...] | None, str]:
        """The values that stand for a step, or None and the reason."""
        key, template = state.key(step), state.program.plan.steps[state.template[step]]
        before = self._past.steps.get(key)
        if before is None:
            return None, "new"
        if key in template.decision.detail.split(", "):
            return None, "asked"
        kept = kept_for(template, before)
        if kept is None:
            return None, "failed" if before.ending == "failed" else "not reached"
        if not all(self._is_the_same(state, slot) for slot in slots_read(state, step)):
            return None, "downstream"
        why = next((why for each in kept if (why := self._trouble(each))), "")
        return (None, why) if why else (kept, "recorded")

    def _is_the_same(self, state: State, slot: int) -> bool:
        now = state.at(slot)
        if now is None or now.run != state.run:
            return True  # not there, or reused itself
        maker = self._past.steps.get(state.key(state.maker[slot]))
        before = maker.kept.get(place_of(now.stored)) if maker is not None else None
        version = now.stored.data_version
        return before is not None and version != "" and before.stored.data_version == version
