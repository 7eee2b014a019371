"""The driver's side of a run's log: the facts that are not recorded yet, and what the steps say."""

import threading
from collections.abc import Callable, Sequence

from opgraph.errors import RecordError
from opgraph.events import AnyFact
from opgraph.record.store import Writer
from opgraph.run.captured import Captured
from opgraph.run.store.memo import Notes

Listener = Callable[[int, AnyFact], None]


class Journal:
    """Records what happened, in one transaction with the lines that were said until then.

    Args:
        writer: the run's log.
        said: what the steps say.
        notes: written beside the facts; None: there are none to write.
        listeners: told of every fact once it is recorded.

    Attributes:
        facts: those that are not recorded yet, in order.
        values: their inline bytes.
        durable: whether the next transaction must outlast a loss of power.
    """

    __slots__ = ("_keeping", "_listeners", "_notes", "_said", "_writer", "durable", "facts", "values")

    def __init__(self, writer: Writer, said: Captured, notes: Notes | None, listeners: Sequence[Listener]) -> None:
        self._writer, self._said, self._notes, self._listeners = writer, said, notes, listeners
        self.facts: list[AnyFact] = []
        self.values: list[bytes | None] = []
        self.durable = False
        self._keeping = threading.Lock()  # while lines are taken and kept, so that they stay in their order

    def commit(self) -> None:
        """Record the facts and lines that are not recorded yet.

        Raises:
            RecordError: the record refused them.
        """
        facts = self.facts
        with self._keeping:
            lines = self._said.drain()
            if not facts and not lines:
                return
            first = self._writer.append(facts, self.values, lines, durable=self.durable)
        if self._notes is not None:
            self._notes.write_now_and_then()
        if self._listeners:
            for seq, fact in enumerate(facts, first):
                for listener in self._listeners:
                    listener(seq, fact)
        self.facts, self.values, self.durable = [], [], False

    def keep_lines(self) -> None:
        """Record what was said, without waiting for a step's end. From any thread."""
        with self._keeping:
            lines = self._said.drain()
            if lines:
                try:
                    self._writer.append((), (), lines)
                except RecordError:
                    self._said.put_back(lines)  # the driver finds out at its next commit
