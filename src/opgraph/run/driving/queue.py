"""The steps to start: they wait here for a place, by the executor's lanes."""

import heapq

from opgraph.engine import State
from opgraph.errors import Mistake
from opgraph.run.driving.pools import Slots
from opgraph.run.executors.protocol import LANES, Executor


class Queue:
    """The steps that the engine wants started.

    Args:
        state: the run's.
        executor: says in which lane a step waits.
        slots: of pools; None: no step needs one.

    Attributes:
        lanes: the steps by lane, each a heap: the lowest number first.
        mapped: how many of them are mapped.
    """

    __slots__ = ("_executor", "_planned", "_slots", "_state", "lanes", "mapped")

    def __init__(self, state: State, executor: Executor, slots: Slots | None) -> None:
        self._state, self._executor, self._slots = state, executor, slots
        self._planned = len(state.program.plan.steps)
        self.lanes: list[list[int]] = [[] for _ in range(LANES)]
        self.mapped = 0

    def add(self, step: int) -> None:
        """A step is to start, once there is a place for it, and slots of its pools."""
        executor, slots = self._executor, self._slots
        if not executor.apart:
            if slots is None or not slots.holds_back(step, self._state.template[step], 0):
                heapq.heappush(self.lanes[0], step)
            return
        if step >= self._planned:
            self.mapped += 1
        template = self._state.template[step]
        lane = executor.lane(step, template)
        if slots is None or not slots.holds_back(step, template, lane):
            heapq.heappush(self.lanes[lane], step)

    def next(self, lane: int) -> int | None:
        """Take out the first of a lane: of a fan-out one key's chain comes before the next key's. Those that have
        waited for a pool come first."""
        number = self._slots.next(lane) if self._slots is not None else None
        if number is None:
            if not self.lanes[lane]:
                return None
            number = heapq.heappop(self.lanes[lane])
        if number >= self._planned:
            self.mapped -= 1
        return number

    def free(self, step: int) -> None:
        """A step has ended, or is not to start after all: its slots are others'."""
        if self._slots is not None:
            self._slots.free(step)

    def rest(self, step: int) -> None:
        """A generator waits: its slots are others' until it goes on."""
        if self._slots is not None:
            self._slots.rest(step)

    def clear(self) -> None:
        """Nothing is to start any more."""
        for ready in self.lanes:
            ready.clear()
        if self._slots is not None:
            self._slots.clear()
        self.mapped = 0


class StuckRun(Mistake):
    """The engine waits for something that nobody does."""

    run_id: str
    says = "run {run_id} has nothing left to do and has not ended"
    mend = "this is a mistake of opgraph's: report it"
