"""The steps that wait for their next attempt."""

import heapq


class Delays:
    """When each of them is due, by the clock on the wall: the record says so too. Empty, it is false."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def soonest(self) -> float:
        """When the next one is due, if there is one."""
        return self._waiting[0][0]

    def add(self, step: int, due: float) -> None:
        """A step is to be tried again then."""
        heapq.heappush(self._waiting, (due, step))

    def next(self, now: float) -> int | None:
        """Take out one that is due."""
        return heapq.heappop(self._waiting)[1] if self._waiting and self._waiting[0][0] <= now else None

    def clear(self) -> None:
        """Nothing is tried again."""
        self._waiting.clear()
