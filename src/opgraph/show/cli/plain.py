"""A run as lines, where nobody looks at a terminal: one for each op that ends, at once."""

import shutil
import sys
from collections import Counter

from opgraph.events import AnyFact, CancelRequested, StepFailed, StepWaits
from opgraph.operate.fold import Fold, Phase
from opgraph.plan.model import Plan
from opgraph.record.store import Log
from opgraph.show.cli import ink
from opgraph.show.cli.ink import Line
from opgraph.show.cli.tree import RunTree

_COLUMNS = 120  # of a line where nothing says how wide it may be
_RETRIES = 20  # of a mapped op's steps that are told in lines of their own
_WORDS = {
    Phase.SUCCEEDED: "done",
    Phase.FAILED: "FAILED",
    Phase.REUSED: "reused",
    Phase.SKIPPED: "skipped",
    Phase.BLOCKED: "blocked",
    Phase.RETRYING: "retry",
    Phase.INTERRUPTED: "stopped",
}


class PlainLines:
    """Prints a run while it goes.

    Args:
        log: where the facts of a run that is gone on with are.
        quiet: print nothing, only keep where the steps stand.
    """

    def __init__(self, log: Log, *, quiet: bool = False) -> None:
        self._log = log
        self._quiet = quiet
        self._stream = sys.stdout  # while a run goes, sys.stdout belongs to its ops
        self.tree: RunTree | None = None
        self._width = 0
        self._retries = Counter[int]()  # of mapped ops, those that were told
        self._mapped: list[int] = []  # those of which nothing was said yet
        self._most = shutil.get_terminal_size((_COLUMNS, 24)).columns

    @property
    def fold(self) -> Fold | None:
        """Where the steps stand; None: there was no run."""
        return self.tree.fold if self.tree is not None else None

    def on_plan(self, plan: Plan, run_id: str) -> None:
        """The run is about to begin."""
        self.tree = RunTree(Fold(plan))
        for seq, fact in self._log.facts(run_id):
            self.tree.fold.add(seq, fact)
        self._mapped = [i for i, step in enumerate(plan.steps) if step.over and not self.tree.fold.has_ended(i)]
        self._width = min(60, max((len(step.key) for step in plan.steps), default=0))

    def listen(self, seq: int, fact: AnyFact) -> None:
        """A fact was recorded."""
        assert self.tree is not None
        fold = self.tree.fold
        before = fold.status
        cut = isinstance(fact, CancelRequested)
        retrying = [i for i in range(len(fold.plan.steps)) if cut and fold.phase[i] == Phase.RETRYING]
        step = fold.add(seq, fact)
        for each in retrying:
            if fold.members(each) is None:  # that of a mapped op comes when all its steps have ended
                self._write("stopped", each)
        if cut and self._mapped:
            self._ended_with(-1)
        if self._quiet or step < 0:
            if fold.status is not before and not self._quiet:
                self._interrupted(fold)
            return
        phase = Phase(fold.phase[step])
        if isinstance(fact, StepFailed) and fact.step != step:
            self._tried(fact.step, step)
        word = "waits" if isinstance(fact, StepWaits) else _WORDS.get(phase)
        if word is not None and (phase is not Phase.RETRYING or (isinstance(fact, StepFailed) and fact.step == step)):
            self._write(word, step)
        if self._mapped:
            self._ended_with(step)

    def _tried(self, step: int, row: int) -> None:
        """A step of a mapped op failed, perhaps to be tried again."""
        assert self.tree is not None
        if self.tree.fold.phase[step] == Phase.RETRYING and self._retries[row] < _RETRIES:
            self._retries[row] += 1
            self._write("retry", step)

    def _ended_with(self, step: int) -> None:
        """A mapped op has ended only when its generator has, which may come after the last of its steps."""
        assert self.tree is not None
        fold = self.tree.fold
        over = [row for row in self._mapped if fold.has_ended(row)]
        for row in over:
            self._mapped.remove(row)
            if row != step and fold.members(row):
                self._write(_WORDS[Phase(fold.phase[row])], row)

    def _write(self, word: str, step: int) -> None:
        if not self._quiet:
            try:
                self._stream.write(self._line(word, step))
                self._stream.flush()
            except OSError:  # whoever read this has gone, or the disk is full; the run goes on
                self._quiet = True

    def close(self) -> None:
        """The run is over."""

    def _interrupted(self, fold: Fold) -> None:
        """Steps that the run's end left undone have no fact of their own."""
        for step, phase in enumerate(fold.phase[: len(fold.plan.steps)]):
            if phase == Phase.INTERRUPTED and not fold.ended[step]:
                self._write("stopped", step)

    def _line(self, word: str, step: int) -> str:
        assert self.tree is not None
        fold = self.tree.fold
        phase = Phase(fold.phase[step])
        took = ""
        if fold.ended[step] and fold.started[step] and phase is not Phase.REUSED:
            took = ink.seconds(max(fold.ended[step] - fold.started[step], 0))
        why: Line = self.tree.why(step, phase)
        text = ink.clean("".join(part for part, _ in why)).removeprefix(f"{word} ")
        if phase is not Phase.RETRYING and (members := fold.members(step)):
            text = f"{self.tree.fanned(members, step, phase)}  {text}"
        line = f"{word:<8} {fold.key(step):<{self._width}} {took:>9}  {text}".rstrip()
        if phase is Phase.FAILED and len(line) > self._most:  # the whole message comes below
            line = f"{line[: self._most - 1]}…"
        return f"{line}\n"
