"""Whether stored values stand for a step: asked by the engine when what the step takes is known.

A run that re-executes another one takes the values of that run's step of the same key, if what the step is given is
still the same. A memoized step takes the values that any run stored with its fingerprint.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import msgspec

from opgraph.engine import State
from opgraph.engine.places import slots_read
from opgraph.events import Found, Kept, NotFound
from opgraph.plan.memo import ABSENT, changed, fingerprint, input_parts, name_of, parts_of, version_of, wanted_of
from opgraph.plan.model import WHY, FromMapped, FromStep, Step
from opgraph.plan.past import Past, place_of
from opgraph.plan.reuse import Trouble, kept_for
from opgraph.record.rows import Materialized
from opgraph.record.store import Record
from opgraph.run.store.sources import Sources

Parts = dict[str, str]
VersionOf = Callable[[str, str], str | None]


def version_in(record: Record, asset: str) -> str | None:
    """The version of the latest materialization of an asset; None: there is none."""
    latest = record.latest([asset]).get(asset)
    if latest is None:
        return None
    return latest.stored.data_version or f"{latest.run_id}/{latest.seq}/{asset}"


def latest_stored(record: Record, asset: str) -> Materialized | None:
    """The latest materialization of an asset that a step made; where none did, the latest that somebody reported."""
    found = record.latest([asset]).get(asset)
    if found is not None and not found.stored.output:  # what was stored before the report is there still
        return next((each for each in record.history(asset) if each.stored.output), found)
    return found


def name_in(state: State, step: int) -> str:
    """What a step of a run is remembered by; a mapped one with its mapping keys."""
    template = state.template[step]
    planned = state.program.plan.steps[template]
    return name_of(planned) if step == template else name_of(planned) + state.key(step).removeprefix(planned.key)


def parts_in(sources: Sources, step: int, asset: VersionOf) -> Parts | str:
    """All that a step of a run depends on, by name; or the name of an input that has no version.

    Args:
        sources: where the run's values are.
        step: its number.
        asset: gives the version of an asset that is loaded for an input, by both names; None: not known.
    """
    planned = sources.state.program.plan.steps[sources.state.template[step]]
    assert planned.memo is not None

    def where(source: FromStep | FromMapped) -> Kept | None:
        return sources.one(step, source).kept

    def gathered(name: str, index: int) -> str:
        def below(tree: Any) -> Any:
            if isinstance(tree, int):
                kept = sources.at(tree).kept
                return ABSENT if kept is None else version_of(kept)
            return ABSENT if tree is None else [(key, below(inner)) for key, inner in tree]

        versions = msgspec.msgpack.encode(below(sources.tree(step, name, index)))
        return hashlib.blake2b(versions, digest_size=16).hexdigest()

    inputs = input_parts(planned, where, asset, sources.state.program.plan.steps, gathered)
    if isinstance(inputs, str):
        return inputs
    keys = sources.state.mapping_keys(step)
    return {**parts_of(planned.memo, inputs), **({"key": "/".join(keys)} if keys else {})}


class LookUps:
    """Answers the engine's question whether stored values stand for a step.

    Args:
        record: where it is remembered what was stored.
        trouble: tells why a stored value cannot be loaded.
        past: the run that this one re-executes, if it does, and what tells why a value of that cannot be loaded.
    """

    def __init__(self, record: Record, trouble: Trouble, past: tuple[Past, Trouble] | None = None) -> None:
        self._record, self._trouble, self._past = record, trouble, past

    def answer(self, sources: Sources, step: int) -> Found | NotFound:
        """Found or NotFound, now that the inputs of the step are known.

        Args:
            sources: where the run's values are.
            step: its number.
        """
        state = sources.state
        planned = state.program.plan.steps[state.template[step]]
        found: tuple[Kept, ...] | str = "new"
        if self._past is not None and planned.decision.by_key:
            found = _of_past(*self._past, state, step, planned)
            if not isinstance(found, str):
                return Found(step, time.time(), found, "recorded")
        if planned.memo is not None and not planned.memo.unknown and found != "asked":
            found = self._memoized(sources, step, planned)
            if not isinstance(found, str):
                return Found(step, time.time(), found, WHY["same"])
        return NotFound(step, time.time(), found)

    def _memoized(self, sources: Sources, step: int, planned: Step) -> tuple[Kept, ...] | str:
        parts = parts_in(sources, step, lambda _, asset: version_in(self._record, asset))
        if isinstance(parts, str):
            return WHY["input unknown"].format(parts)
        name, mark = name_in(sources.state, step), fingerprint(parts)
        rows = self._record.memos([name]).get(name, [])
        row = next((row for row in rows if row.fingerprint == mark), None)
        if row is None:
            return changed(parts, rows).reason
        kept = wanted_of(planned, row)
        if isinstance(kept, str):
            return WHY["output not stored"].format(kept)
        return next((WHY.get(why, why) for each in kept if (why := self._trouble(each))), kept)


def _of_past(past: Past, trouble: Trouble, state: State, step: int, planned: Step) -> tuple[Kept, ...] | str:
    """The values of the earlier run that stand for a step, or why there are none."""
    key = state.key(step)
    before = past.steps.get(key)
    if before is None:
        return "new"
    if key in planned.decision.detail.split(", "):
        return "asked"
    kept = kept_for(planned, before)
    if kept is None:
        return "failed" if before.ending == "failed" else "not reached"
    if not all(_is_the_same(past, state, slot) for slot in slots_read(state, step)):
        return "downstream"
    if planned.decision.why == "recorded":
        return kept
    return next((why for each in kept if (why := trouble(each))), kept)


def _is_the_same(past: Past, state: State, slot: int) -> bool:
    now = state.at(slot)
    if now is None or now.run != state.run:
        return True  # not there, or reused itself
    maker = past.steps.get(state.key(state.maker[slot]))
    before = maker.kept.get(place_of(now.stored)) if maker is not None else None
    version = now.stored.data_version
    return before is not None and version != "" and before.stored.data_version == version
