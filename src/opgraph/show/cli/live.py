"""The live tree of a run on a terminal.

The driver only appends facts to a queue; a thread folds them and draws, at most ten times a second and never for more
than a twentieth of the time, so that a run of 10,000 ops is not slowed down.
"""

import sys
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress

from rich.console import Console
from rich.live import Live
from rich.text import Text

from opgraph.events import AnyFact
from opgraph.operate.fold import Fold
from opgraph.plan.model import Plan
from opgraph.record.store import Log
from opgraph.run.stopping import spoken_by
from opgraph.show.cli import ink
from opgraph.show.cli.ink import BAD, BUSY, FAINT, NOTE, PLAIN, STRONG, Line
from opgraph.show.cli.tree import RunTree, tally

_SOONEST = 0.1  # seconds between two pictures
_SHARE = 20  # a picture may take one part in so many of the time
_BAR = 24


class LiveTree:
    """Draws a run while it goes.

    Args:
        log: where the facts of a run that is gone on with are.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        # The stream as it is now: while a run goes, sys.stdout belongs to its ops.
        self._console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._facts: deque[tuple[int, AnyFact]] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw_on, name="opgraph-live", daemon=True)
        self._spoken = ExitStack()
        self._told = ""  # what becomes of a stop that was asked for
        self.tree: RunTree | None = None

    @property
    def fold(self) -> Fold | None:
        """Where the steps stand; None: there was no run."""
        return self.tree.fold if self.tree is not None else None

    def on_plan(self, plan: Plan, run_id: str) -> None:
        """The run is about to begin."""
        self.tree = RunTree(Fold(plan))
        self._facts.extend(self._log.facts(run_id))
        self._take()
        self._spoken.enter_context(spoken_by(self._tell))
        self._live.start()
        self._thread.start()

    def _tell(self, text: str) -> None:
        self._told = text

    def listen(self, seq: int, fact: AnyFact) -> None:
        """A fact was recorded."""
        self._facts.append((seq, fact))

    def close(self) -> None:
        """The run is over: the last picture takes the place of the live one."""
        if self.tree is None or self._over.is_set():
            return
        self._over.set()
        self._spoken.close()
        if self._thread.is_alive():
            self._thread.join()
        self._take()
        with suppress(OSError):  # the terminal is gone; what is written next says so
            self._live.stop()
        height = max(self._console.size.height - 6, 40)
        most = ink.width(400)
        ink.put([ink.cut(line, most) for line in self.tree.folded(height, time.time())], self._console.file)  # pyright: ignore[reportArgumentType] - a text stream

    def _draw_on(self) -> None:
        pause = 0.02
        while not self._over.wait(pause):
            begun = time.perf_counter()
            self._take()
            try:
                self._live.update(self._picture(), refresh=True)
            except OSError:  # the terminal is gone
                return
            pause = max(_SOONEST, _SHARE * (time.perf_counter() - begun))

    def _take(self) -> None:
        assert self.tree is not None
        fold, note, facts = self.tree.fold, self.tree.note, self._facts
        while facts:
            step = fold.add(*facts.popleft())
            if step >= 0:
                note(step)

    def _picture(self) -> Text:
        assert self.tree is not None
        fold, now = self.tree.fold, time.time()
        size = self._console.size
        lines = self.tree.fitting(max(size.height - 5, 3), now)
        lines += [[], self._footer(fold, now), *([[(self._told, NOTE)]] if self._told else [])]
        text = Text(no_wrap=True, overflow="ellipsis")
        for i, line in enumerate(lines):
            if i:
                text.append("\n")
            for part, style in ink.cut(line, size.width - 1):
                text.append(ink.clean(part), style or None)
        return text

    def _footer(self, fold: Fold, now: float) -> Line:
        done, total = fold.finished, fold.total
        style = BAD if fold.errors else BUSY
        passed = ink.seconds(fold.took(now)) if fold.run_started else ""
        word = "stopping" if fold.canceling else tally(fold, since=True)
        return [
            *ink.bar(done, total, _BAR, style),
            (f"  {done:,} of {ink.count(total, 'op')}", STRONG),
            (f"  {passed}", PLAIN),
            (f"  {word}", FAINT),
        ]
