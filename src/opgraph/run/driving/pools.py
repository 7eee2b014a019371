"""Pools: how many steps that name the same pool may run at once, over all runs that share a database.

A step holds a slot of each of its pools while it runs, and takes all of them or none: so no two wait for each other.
"""

import heapq
import time
from collections.abc import Sequence

from opgraph.plan.model import Step
from opgraph.record.store import Pools

POLL = 0.05  # seconds between two looks whether another run has given a slot back
_TURN = 1.0  # seconds that a run may take slots again and again while others wait
_POLITE = 3 * POLL  # and how long it leaves them to the others then
_LONG = 0.2  # seconds after which it is recorded that a step waits
_clock = time.monotonic


class Slots:
    """The steps of one run that wait for slots, and the slots that it has.

    Args:
        record: where the slots are.
        steps: of the plan.
        nests: whether a step may be made in the middle of another, which rests meanwhile and lends it its slots.
    """

    def __init__(self, record: Pools, steps: Sequence[Step], *, nests: bool) -> None:
        self._record, self._nests = record, nests
        self._planned = len(steps)
        self._pools = {number: step.pools for number, step in enumerate(steps) if step.pools}
        self._of: dict[int, tuple[str, ...]] = {}  # the pools of each step that waits or runs
        self._waiting: dict[tuple[int, tuple[str, ...]], list[int]] = {}  # by lane and pools; lowest number first
        self._since: dict[int, float] = {}  # waiting, and not yet recorded; of a fan-out the first
        self._held: dict[int, tuple[tuple[str, ...], tuple[int, ...]]] = {}  # by step: the pools, the slots
        self._queued: set[str] = set()  # the pools for which others see this run wait
        self._next_try: dict[int, float] = {}  # by lane
        self._turn: dict[str, float] = {}  # since when this run has had a pool's slots without a break

    @property
    def waiting(self) -> bool:
        """Whether any step waits."""
        return bool(self._waiting)

    def holds_back(self, step: int, template: int, lane: int) -> bool:
        """Whether a step that may start has to wait for slots first; then `next` gives it."""
        pools = self._pools.get(template)
        if pools is None:
            return False
        self._of[step] = pools
        group = self._waiting.setdefault((lane, pools), [])
        if not group or step < self._planned:
            self._since[step] = _clock()
            self._next_try.clear()
        heapq.heappush(group, step)
        return True

    def next(self, lane: int) -> int | None:
        """A step that has got its slots; None: none can have them now."""
        if not self._waiting or _clock() < self._next_try.get(lane, 0.0):
            return None
        found = None
        for group, steps in list(self._waiting.items()):
            if group[0] != lane or steps[0] in self._held or not self.take(steps[0]):
                continue
            found = heapq.heappop(steps)
            self._since.pop(found, None)
            if not steps:
                del self._waiting[group]
            break
        else:
            self._next_try[lane] = _clock() + POLL
        self._show()
        return found

    def take(self, step: int) -> bool:
        """Take all slots that a step needs; False: it has none."""
        pools = self._of.get(step, ())
        if not pools or step in self._held:
            return True
        if self._nests:
            lent = {pool for held, _ in self._held.values() for pool in held}
            pools = tuple(pool for pool in pools if pool not in lent)
        now = _clock()
        for pool in pools:
            turn = self._turn.get(pool, now) + _TURN
            if turn < now < turn + _POLITE and self._record.is_wanted(pool, queues=pool in self._queued):
                return False
        slots = self._record.take_slots(pools)
        if slots is None:
            return False
        for pool in pools:
            if now > self._turn.get(pool, 0.0) + _TURN:
                self._turn[pool] = now
        self._held[step] = pools, slots
        return True

    def rest(self, step: int) -> None:
        """An attempt waits for something else: others may have its slots until `take` gets them again."""
        held = self._held.pop(step, None)
        if held is not None:
            self._record.free_slots(held[1])
            self._next_try.clear()

    def free(self, step: int) -> None:
        """An attempt has ended: others may have its slots."""
        self.rest(step)
        self._of.pop(step, None)

    def late(self) -> list[tuple[int, str]]:
        """Steps that have been waiting for some time, with a pool: each once, of a fan-out the first."""
        if not self._since:
            return []
        before = _clock() - _LONG
        found = [step for step, since in self._since.items() if since < before]
        for step in found:
            del self._since[step]
        return [(step, self._full(self._of[step])) for step in found]

    def set_aside(self) -> dict[tuple[int, tuple[str, ...]], list[int]]:
        """From here on only those are given that come now; `put_back` ends it."""
        aside, self._waiting = self._waiting, {}
        return aside

    def put_back(self, aside: dict[tuple[int, tuple[str, ...]], list[int]]) -> None:
        """Those that were set aside wait again, with those that came meanwhile."""
        for group, steps in self._waiting.items():
            aside[group] = list(heapq.merge(aside.get(group, []), steps))
        self._waiting = aside

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()
        self._since.clear()
        self._show()

    def close(self) -> None:
        """The run is over in this process."""
        self.clear()
        for step in list(self._held):
            self.free(step)

    def _full(self, pools: tuple[str, ...]) -> str:
        """Which of the pools keeps a step waiting."""
        taken = self._record.pools()
        return next((pool for pool in pools if pool in taken and taken[pool][0] <= taken[pool][1]), pools[0])

    def _show(self) -> None:
        """Let other runs know for which pools this one waits."""
        wanted = {pool for _, pools in self._waiting for pool in pools}
        for pool in wanted ^ self._queued:
            self._record.queue_for(pool, queues=pool in wanted)
        self._queued = wanted
