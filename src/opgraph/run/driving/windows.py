"""How far generators of fan-outs may run ahead of the steps that take their values."""

from opgraph.run.executors.protocol import Task

WINDOW = 50  # values that a generator may yield before it waits until fewer mapped steps are left to start


class Windows:
    """The windows of the generators under way.

    Attributes:
        waiting: generators that wait, and the lanes in which they will want a place.
    """

    __slots__ = ("_yielded", "waiting")

    def __init__(self) -> None:
        self._yielded: dict[int, int] = {}  # how many values each generator has come to in its window
        self.waiting: dict[int, int] = {}

    def fills(self, task: Task) -> bool:
        """A generator has yielded a value. True: its window is full, and it waits."""
        yielded = self._yielded.get(task.step, 0) + 1
        full = yielded >= task.window
        self._yielded[task.step] = 0 if full else yielded
        if full:
            self.waiting[task.step] = task.lane
        return full

    def due(self, mapped: int) -> list[tuple[int, int]]:
        """Those that may go on when so many mapped steps are left to start, and their lanes."""
        return list(self.waiting.items()) if mapped < WINDOW else []

    def go_on(self, number: int) -> None:
        """A generator has its next window."""
        del self.waiting[number]

    def over(self, number: int) -> bool:
        """A step's attempt has ended. True: it had a place; one that waits has none."""
        self._yielded.pop(number, None)
        return self.waiting.pop(number, None) is None
