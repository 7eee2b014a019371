"""A run as a tree on the terminal: asset, graph, op, each with where it stands and how long it took.

Rows are made from a fold of the run's facts, so the live screen, the last picture of it and `opgraph show RUN` are the
same. A tree that does not fit is folded: what runs and what failed is shown, the rest is counted.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from opgraph.errors import RetryRequested
from opgraph.operate.fold import ENDED, Branch, Fold, Phase, branches
from opgraph.operate.inspect import together
from opgraph.plan.model import WHY, Do
from opgraph.show.cli import ink
from opgraph.show.cli.ink import BAD, BUSY, FAINT, GOOD, NOTE, PLAIN, STRONG, Line

GLYPHS = {
    Phase.PENDING: ("·", FAINT),
    Phase.RUNNING: ("●", BUSY),
    Phase.RETRYING: ("↻", NOTE),
    Phase.SUCCEEDED: ("✓", GOOD),
    Phase.FAILED: ("✗", BAD),
    Phase.SKIPPED: ("-", FAINT),
    Phase.BLOCKED: ("-", FAINT),
    Phase.REUSED: ("↺", BUSY),
    Phase.INTERRUPTED: ("■", NOTE),
}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_QUIET = (Phase.PENDING, Phase.SKIPPED, Phase.BLOCKED)
_WIDEST = 44
_BAR = 16


class RunTree:
    """The tree of one run and what is needed to draw it again and again in little time.

    Args:
        fold: where the steps stand; the caller adds facts to it and tells `note` of each step that changed.
    """

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.plan = fold.plan
        self.units = branches(fold.plan)
        self.unit_of = [0] * len(fold.plan.steps)
        for u, unit in enumerate(self.units):
            for step in unit.steps:
                self.unit_of[step] = u
        self.over = bytearray(fold.has_ended(i) for i in range(len(fold.plan.steps)))
        self.unit_over = [sum(self.over[i] for i in unit.steps) for unit in self.units]
        self.rows_in_full = sum(_rows_of(unit) for unit in self.units)
        self.recent: deque[int] = deque(maxlen=100)  # steps that ended last
        mapped = {i for i, step in enumerate(fold.plan.steps) if step.over}
        self.name_width = min(_WIDEST, max((_widest(unit, 0, mapped) for unit in self.units), default=10))

    def note(self, step: int) -> None:
        """A step changed."""
        over = self.fold.has_ended(step)
        if over != self.over[step]:
            self.over[step] = over
            self.unit_over[self.unit_of[step]] += 1 if over else -1
        if over:
            self.recent.append(step)

    # -- all of it ------------------------------------------------------------

    def full(self, now: float, *, split: bool = False, keys: bool = False) -> list[Line]:
        """Every row. `split`: with the times of load, compute and store. `keys`: and of each mapped op its steps."""
        made: dict[int, dict[int, str]] = {}
        for step in range(len(self.plan.steps), len(self.fold.phase) if keys else 0):
            row = self.fold.row(step)
            made.setdefault(row, {})[step] = name = self.fold.key(step).removeprefix(self.plan.steps[row].key)
            depth = self.plan.steps[row].key.count(".") + 1
            self.name_width = max(self.name_width, len(name) + 2 * depth)
        return [row for unit in self.units for row in self._rows(unit, 0, now, made, split=split)]

    def _rows(
        self, branch: Branch, depth: int, now: float, made: Mapping[int, Mapping[int, str]], *, split: bool
    ) -> Iterator[Line]:
        if branch.is_leaf:
            yield self._leaf(branch.step, branch.name, depth, now, branch.assets, split=split)
            for step, name in made.get(branch.step, {}).items():
                yield self._leaf(step, name, depth + 1, now, (), split=split)
            return
        yield self._header(branch, depth, now)
        for child in branch.children.values():
            yield from self._rows(child, depth + 1, now, made, split=split)

    # -- what fits ------------------------------------------------------------

    def fitting(self, rows: int, now: float) -> list[Line]:
        """So many rows at most, while the run goes."""
        if self.rows_in_full <= rows:
            return self.full(now)
        fold = self.fold
        busy = sorted({self.unit_of[step] for step in fold.running})
        done = list(dict.fromkeys(self.unit_of[step] for step in reversed(self.recent)))
        done = [u for u in done if u not in busy and self.unit_over[u] == len(self.units[u].steps)]
        following = self._following(busy, min(3, rows // 6)) if busy else []
        room = max(rows - 2 - len(following), 1)
        busy = busy[:room]
        each = max((room - len(busy)) // max(len(busy), 1), 0)
        body: list[Line] = []
        for u in busy:
            body += self._windowed(u, each, now)
        done = list(reversed(done[: max(room - len(body), 0)]))
        hidden = sum(1 for u, unit in enumerate(self.units) if self.unit_over[u] == len(unit.steps)) - len(done)
        lines = [_more(hidden, "finished")] if hidden else []
        lines += [self._header(self.units[u], 0, now) for u in done]
        lines += body + [self._header(self.units[u], 0, now) for u in following]
        waiting = len(self.units) - hidden - len(done) - len(busy) - len(following)
        return [*lines, _more(waiting, "to come")] if waiting > 0 else lines

    def _following(self, busy: Sequence[int], most: int) -> list[int]:
        found: list[int] = []
        for u in range(busy[-1] + 1, min(len(self.units), busy[-1] + 50)):
            if self.unit_over[u] == 0 and len(found) < most:
                found.append(u)
        return found

    def _windowed(self, u: int, rows: int, now: float) -> list[Line]:
        """A unit's own row and, below it, so many: what ended last, what runs, what comes."""
        unit = self.units[u]
        lines = [self._header(unit, 0, now)]
        if unit.is_leaf or rows < 1:
            return lines
        inside = _rows_of(unit) - 1
        if inside <= rows:
            return [*self._rows(unit, 0, now, {}, split=False)]
        running = [step for step in self.fold.running if self.unit_of[step] == u][:rows]
        room = rows - len(running) - 2
        coming = self._next_in(unit, max(running, default=-1), max(min(room // 2, 4), 0))
        shown = list(dict.fromkeys(s for s in reversed(self.recent) if self.unit_of[s] == u and s not in running))
        shown = list(reversed(shown[: max(room - len(coming), 0)]))
        before = self.unit_over[u] - len(shown)
        after = len(unit.steps) - self.unit_over[u] - len(running) - len(coming)
        lines += [_more(before, "finished", "  ")] if before > 0 and rows > len(running) else []
        for step in (*shown, *running, *coming):
            lines.append(self._leaf(step, self._inner(step), 1, now, ()))
        return [*lines, _more(after, "to come", "  ")] if after > 0 and rows > len(running) + 1 else lines

    def _next_in(self, unit: Branch, after: int, most: int) -> list[int]:
        at = bisect_right(unit.steps, after)
        return [step for step in unit.steps[at : at + 2 * most] if self.fold.phase[step] == Phase.PENDING][:most]

    def folded(self, rows: int, now: float) -> list[Line]:
        """The picture after the run: in full where it fits, else finished graphs as one row, then only what matters."""
        if self.rows_in_full <= rows:
            return self.full(now)
        lines: list[Line] = []
        for unit in self.units:
            lines.append(self._header(unit, 0, now))
            lines += self._troubles(unit, now)
        if len(lines) <= rows:
            return lines
        bad = [
            u for u in self.units if self._phase(u) not in (Phase.SUCCEEDED, Phase.REUSED, Phase.SKIPPED, Phase.BLOCKED)
        ]
        shown: list[Line] = []
        for unit in bad[:rows]:
            shown += [self._header(unit, 0, now), *self._troubles(unit, now)]
        good = [u for u in self.units if self._phase(u) is Phase.SUCCEEDED]
        room = max(rows - len(shown) - 1, 3)
        shown += [self._header(unit, 0, now) for unit in good[-room:]]
        rest = len(self.units) - len(bad[:rows]) - len(good[-room:])
        return [_more(rest, "more"), *shown] if rest else shown

    def _troubles(self, unit: Branch, now: float, most: int = 5) -> list[Line]:
        """The ops of a folded graph that a person must see."""
        if unit.is_leaf:
            return []
        wanted = (Phase.FAILED, Phase.INTERRUPTED, Phase.RUNNING, Phase.RETRYING)
        steps = [s for s in unit.steps if self.fold.phase[s] in wanted]
        return [self._leaf(step, self._inner(step), 1, now, ()) for step in steps[:most]]

    def _inner(self, step: int) -> str:
        each = self.plan.steps[step]
        return each.key.removeprefix(f"{each.unit}.")

    # -- one row --------------------------------------------------------------

    def _phase(self, branch: Branch) -> Phase:
        return together(Phase(value) for value in set(map(self.fold.phase.__getitem__, branch.steps)))

    def _header(self, branch: Branch, depth: int, now: float) -> Line:
        if branch.is_leaf:
            return self._leaf(branch.step, branch.name, depth, now, branch.assets)
        fold, steps = self.fold, branch.steps
        phase = self._phase(branch)
        ended = sum(map(self.over.__getitem__, steps))
        begun = [fold.started[s] for s in steps if fold.started[s]]
        passed = ""
        if begun:
            last = (
                now if phase is Phase.RUNNING and not fold.run_ended else max(*(fold.ended[s] for s in steps), *begun)
            )
            passed = ink.seconds(last - min(begun))
        detail: Line = []
        if phase in (Phase.RUNNING, Phase.RETRYING):
            detail = [*ink.bar(ended, len(steps), _BAR, BUSY), (f"  {ended:,} of {len(steps):,}", FAINT)]
        elif depth == 0:
            detail = [(self._tally(branch), FAINT)]
        outs = [a for a in branch.assets if a != branch.name]
        if outs and depth == 0:
            detail = (
                [*detail, ("  ", PLAIN), ("→ " + listed(outs), FAINT)] if detail else [("→ " + listed(outs), FAINT)]
            )
        style = FAINT if phase in _QUIET else STRONG if depth == 0 else PLAIN
        return self._row(depth, phase, branch.name, style, passed, detail, now)

    def _tally(self, branch: Branch) -> str:
        counts: dict[Phase, int] = {}
        for step in branch.steps:
            phase = Phase(self.fold.phase[step])
            counts[phase] = counts.get(phase, 0) + 1
        total = ink.count(len(branch.steps), "op")
        if not counts.keys() - {Phase.SUCCEEDED, Phase.PENDING}:
            return total
        over = self.fold.status is not None
        words: dict[str, int] = {}
        for phase in _ORDER:
            if phase in counts:
                word = _word(phase, over=over)
                words[word] = words.get(word, 0) + counts[phase]
        if len(words) == 1:
            return f"{total}, {next(iter(words))}"
        return f"{total}: " + ", ".join(f"{n:,} {word}" for word, n in words.items())

    def _leaf(
        self, step: int, name: str, depth: int, now: float, assets: Sequence[str], *, split: bool = False
    ) -> Line:
        fold = self.fold
        phase = Phase(fold.phase[step])
        passed = ""
        if phase is Phase.RUNNING:  # of a fan-out maybe only steps that are reused, which never start
            passed = ink.seconds(max(now - fold.started[step], 0)) if fold.started[step] else ""
        elif phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.RETRYING, Phase.INTERRUPTED) and fold.started[step]:
            passed = ink.seconds(max(fold.ended[step] - fold.started[step], 0)) if fold.ended[step] else ""
        style = FAINT if phase in _QUIET else (STRONG if depth == 0 else PLAIN)
        detail = self.why(step, phase)
        members = fold.members(step)
        if members:
            name, detail = f"{name}[…]", self._members(step, members, phase, detail)
        elif members is not None and phase is Phase.SUCCEEDED:
            return self._row(depth, phase, f"{name}[…]", style, "", [("no values", FAINT)], now)
        if split and phase is Phase.SUCCEEDED:
            parts = (("load", fold.load[step]), ("compute", fold.compute[step]), ("store", fold.store[step]))
            detail = [
                *detail,
                ("  " if members else "", FAINT),
                (" · ".join(f"{word} {ink.micros(us)}" for word, us in parts), FAINT),
            ]
        outs = [asset for asset in assets if asset != name]
        if outs and phase not in _QUIET:
            detail = [("→ " + listed(outs), FAINT), *([("  ", PLAIN), *detail] if detail else [])]
        return self._row(depth, phase, name, style, passed, detail, now)

    def _members(self, step: int, members: Mapping[Phase, int], phase: Phase, why: Line) -> Line:
        """What there is to say of the steps of a fan-out, which have one row."""
        if phase is Phase.RUNNING:
            total, ended = sum(members.values()), sum(n for each, n in members.items() if each in ENDED)
            return [*ink.bar(ended, total, _BAR, BUSY), (f"  {ended:,} of {total:,}", FAINT)]
        told = [("  ", PLAIN), *why] if phase in (Phase.FAILED, Phase.PENDING) and why else []
        return [(self.fanned(members, step, phase), FAINT), *told]

    def fanned(self, members: Mapping[Phase, int], step: int, phase: Phase) -> str:
        """How many steps a mapped one has, and what became of them where that is not the same of all."""
        over = self.fold.status is not None
        withdrawn = sum(self.fold.row(each) == step for each in self.fold.withdrawn)
        counts = {_word(each, over=over): members[each] for each in _ORDER if each in members}
        words = [f"{number:,} {word}" for word, number in _told_apart(counts, withdrawn).items()]
        told = f": {', '.join(words)}" if set(members) != {phase} else ""
        tried = f", up to {self.fold.attempts[step]} attempts" if self.fold.attempts[step] > 1 else ""
        return f"{ink.count(sum(members.values()), 'step')}{told}{tried}"

    def why(self, step: int, phase: Phase) -> Line:
        """What there is to say of where a step stands."""
        fold, each = self.fold, self.plan.steps[self.fold.row(step)]
        if phase in (Phase.FAILED, Phase.RETRYING):
            wait = fold.waits.get(step, 0.0)
            when = f"again in {ink.seconds(wait)}" if wait else "again"
            again = f"attempt {fold.attempts[step]} failed, trying {when}: " if phase is Phase.RETRYING else ""
            return [(again, NOTE), (self._error(step), BAD)]
        if phase is Phase.INTERRUPTED:
            error = self._error(step)
            return [(f"stopped after a failed attempt: {error}" if error else "stopped", NOTE)]
        if phase is Phase.BLOCKED:
            because = fold.because[step][0]
            return [(f"needs {self._beside(each.unit, because)}", FAINT)]
        if phase is Phase.SKIPPED:
            if step not in fold.because:
                return [(WHY.get(each.decision.why, each.decision.why), FAINT)]
            because, output = fold.because[step]
            which = f"output `{output}` of " if output and output != "result" else ""
            return [(f"{which}{self._beside(each.unit, because)} did not come", FAINT)]
        if phase is Phase.REUSED:
            kept = fold.kept.get(step, ())
            return [(f"reused from run {kept[0].run[:8]}" if kept else "reused", FAINT)]
        if step in fold.waits_for:
            return [(f"waits for pool {fold.waits_for[step]}", NOTE)]
        if phase is Phase.PENDING and each.decision.do is Do.REUSE:
            return [("to be reused", FAINT)]
        if phase in (Phase.RUNNING, Phase.SUCCEEDED) and fold.attempts[step] > 1 and not fold.members(step):
            return [(f"attempt {fold.attempts[step]}  ", NOTE)]
        return []

    def _error(self, step: int) -> str:
        """What the last attempt that failed raised, in a line; empty: none did."""
        error = self.fold.errors.get(step)
        if error is None:
            return ""
        if error.kind == RetryRequested.__name__:
            error = error.cause or error  # what it asked for is said; why is worth more
        return error.told.split("\n", 1)[0]

    def _beside(self, unit: str, step: int) -> str:
        """Another step's name as it is said next to a step of this unit."""
        return self.fold.key(step).removeprefix(f"{unit}.")

    def _row(self, depth: int, phase: Phase, name: str, style: str, passed: str, detail: Line, now: float) -> Line:
        glyph, colour = GLYPHS[phase]
        if phase is Phase.RUNNING and not self.fold.run_ended:
            glyph = SPINNER[int(now * 10) % len(SPINNER)]
        room = self.name_width - 2 * depth
        name = name if len(name) <= room else name[: room - 1] + "…"
        return [
            ("  " * depth, PLAIN),
            (glyph + " ", colour),
            (name, style),
            (" " * (room - len(name) + 2), PLAIN),
            (f"{passed:>9}", FAINT),
            ("  ", PLAIN),
            *detail,
        ]


WORDS = {
    Phase.SUCCEEDED: "ran",
    Phase.REUSED: "reused",
    Phase.SKIPPED: "skipped",
    Phase.FAILED: "failed",
    Phase.BLOCKED: "not reached",
    Phase.INTERRUPTED: "stopped",
    Phase.RUNNING: "running",
    Phase.RETRYING: "to be tried again",
    Phase.PENDING: "to come",
}
_ORDER = list(WORDS)


def tally(fold: Fold, *, since: bool = False) -> str:
    """What became of the steps: `12 ran · 3 reused · 1 failed`. While the run goes, only of those that ended.

    Args:
        fold: the run.
        since: of a run that was taken up, what it had done before is counted apart.
    """
    over = fold.status is not None
    words = {phase: _word(phase, over=over) for phase in WORDS if over or phase in ENDED}
    counts: dict[str, int] = {}
    for phase, word in words.items():
        counts[word] = counts.get(word, 0) + fold.counts[phase]
    counts = _told_apart(counts, len(fold.withdrawn))
    if since and fold.before:
        counts[WORDS[Phase.SUCCEEDED]] -= len(fold.before)
        counts = {"had run before": len(fold.before), **counts}
    return " · ".join(f"{number:,} {word}" for word, number in counts.items() if number)


def _told_apart(counts: dict[str, int], withdrawn: int) -> dict[str, int]:
    """Those of the skipped whose value was withdrawn, by a word of their own."""
    skipped = WORDS[Phase.SKIPPED]
    if not withdrawn:
        return counts
    apart = {**counts, skipped: counts[skipped] - withdrawn, "withdrawn": withdrawn}
    return {word: number for word, number in apart.items() if number}


def _word(phase: Phase, *, over: bool) -> str:
    return WORDS[Phase.BLOCKED] if over and phase is Phase.PENDING else WORDS[phase]


def _rows_of(branch: Branch) -> int:
    return 1 + sum(_rows_of(child) for child in branch.children.values())


def _widest(branch: Branch, depth: int, mapped: AbstractSet[int]) -> int:
    """How wide the names below are, indented; those of mapped ops end in `[…]`."""
    own = len(branch.name) + 2 * depth + (3 if branch.kind == "op" and branch.steps[0] in mapped else 0)
    return max([own, *(_widest(child, depth + 1, mapped) for child in branch.children.values())])


def _more(number: int, what: str, indent: str = "") -> Line:
    return [(f"{indent}… {number:,} {what}", FAINT)]


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names, the first of them where there are many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
