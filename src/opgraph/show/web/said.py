"""What the steps of a run said, and what the engine did, as lines."""

from collections.abc import Sequence

from opgraph.events import (
    AnyFact,
    CancelRequested,
    ErrorInfo,
    Found,
    LogLine,
    NotFound,
    OutputStored,
    RetryDue,
    RunEnded,
    RunStarted,
    StepFailed,
    StepInterrupted,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    StepWaits,
    ValueLost,
)
from opgraph.record.store import Record
from opgraph.show.web import messages as m
from opgraph.show.web.followed import Followed
from opgraph.show.web.reports import Refused

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_KINDS = {"STDOUT": "stdout", "STDERR": "stderr"}


def logs(
    record: Record,
    run: Followed,
    *,
    step: int | None,
    after: str,
    search: str,
    level: str | None,
    kinds: Sequence[str],
    limit: int,
) -> m.Logs:
    """Lines in the order in which they were said; `after` is made of the numbers of the last line and fact."""
    line_after, fact_after = cursor_of(after)
    wanted = None if step is None else {step, *(run.members(step) if step < len(run.plan.steps) else ())}
    lowest = _LEVELS.index(level) if level in _LEVELS else 0
    needle = search.lower()
    one = step if wanted is not None and len(wanted) == 1 else None
    lines = record.logs(run.run_id, one, line_after, limit * 4 + 1) if set(kinds) - {"event"} else []
    facts = record.facts(run.run_id, fact_after, limit) if "event" in kinds else []
    cut = bool(facts) and facts[-1][0] < run.seq  # there are more, which may be older than the next line
    found: list[m.LogLine] = []
    i = j = 0
    while len(found) < limit and (i < len(lines) or j < len(facts)):
        if cut and j == len(facts):
            break
        if i < len(lines) and (j == len(facts) or lines[i][1].time <= facts[j][1].time):
            line_after, line = lines[i]
            i += 1
            each = line_of(run, line_after, line)
            below = each.kind == "log" and line.level in _LEVELS and _LEVELS.index(line.level) < lowest
            if each.kind not in kinds or below:
                continue
        else:
            fact_after, fact = facts[j]
            j += 1
            each = event_of(run, fact_after, fact)
        if (wanted is None or each.n in wanted) and (
            not needle or needle in each.text.lower() or needle in each.step.lower()
        ):
            found.append(each)
    more = cut or i < len(lines) or j < len(facts) or len(lines) > limit * 4
    return m.Logs(lines=found, after=f"{line_after}.{fact_after}", more=more)


def cursor_of(text: str) -> tuple[int, int]:
    """The two numbers of a cursor; zeros for an empty one.

    Raises:
        Refused: it is none.
    """
    first, _, second = text.partition(".")
    try:
        return (int(first), int(second or 0)) if text else (0, 0)
    except ValueError:
        raise Refused.of(400, "BadCursor", "the cursor is not one that was given out") from None


def first_line(error: ErrorInfo) -> str:
    """An error in one line."""
    text = f"{error.kind}: {error.message}".strip()
    return (text.splitlines() or [""])[0][:500]


def line_of(run: Followed, number: int, line: LogLine) -> m.LogLine:
    """A line that a step said."""
    return m.LogLine(
        id=number,
        kind=_KINDS.get(line.level, "log"),  # pyright: ignore[reportArgumentType] - of the three there are
        time=line.time,
        step=run.fold.key(line.step) if 0 <= line.step < run.size else "",
        n=line.step,
        attempt=line.attempt,
        level=line.level if line.level in _KINDS or line.level in _LEVELS else "INFO",  # pyright: ignore[reportArgumentType]
        logger=line.logger,
        text=line.text,
    )


def event_of(run: Followed, seq: int, fact: AnyFact) -> m.LogLine:
    """What the engine did, as a line. Its id is negative: facts are counted apart from lines."""
    step = getattr(fact, "step", -1)
    level = "ERROR" if isinstance(fact, (StepFailed, ValueLost)) else "INFO"
    return m.LogLine(
        id=-seq,
        kind="event",
        time=fact.time,
        step=run.fold.key(step) if 0 <= step < run.size else "",
        n=step,
        attempt=getattr(fact, "attempt", 0),
        level=level,
        logger="opgraph",
        text=_told(run, fact),
    )


def _told(run: Followed, fact: AnyFact) -> str:  # noqa: C901, PLR0911, PLR0912 - one line a kind
    match fact:
        case RunStarted():
            again = f", taken up for the {fact.epoch}. time" if fact.epoch > 1 else ""
            return f"run started by process {fact.pid}{again}"
        case CancelRequested():
            return f"asked to stop{f' by {fact.by}' if fact.by else ''}"
        case RunEnded():
            return f"run ended: {fact.status.value}"
        case StepStarted():
            return "started" if fact.attempt == 1 else f"started, attempt {fact.attempt}"
        case OutputStored():
            key = f" [{fact.stored.mapping_key}]" if fact.stored.mapping_key is not None else ""
            return f"stored {fact.stored.output}{key}, {fact.stored.size:,} bytes"
        case StepSucceeded():
            stored = ", ".join(f"{s.asset or s.output} ({s.size:,} bytes)" for s in fact.outputs[:10])
            return f"succeeded{f'; stored {stored}' if stored else ''}"
        case StepFailed():
            return f"failed: {first_line(fact.error)}"
        case StepSkipped():
            upstream = run.fold.key(fact.because) if 0 <= fact.because < run.size else ""
            what = f"`{fact.output}` of {upstream} did not come" if fact.output else f"{upstream} did not succeed"
            return f"{'blocked' if fact.blocked else 'skipped'}: {what}"
        case StepReused():
            return f"reused values of run {fact.kept[0].run}" if fact.kept else "reused"
        case StepInterrupted():
            return f"interrupted{f': {fact.reason}' if fact.reason else ''}"
        case StepWaits():
            return f"waits for a slot of pool {fact.pool}"
        case RetryDue():
            return "is tried again"
        case Found():
            return f"found stored values{f': {fact.reason}' if fact.reason else ''}"
        case NotFound():
            return f"found no stored values{f': {fact.reason}' if fact.reason else ''}"
        case ValueLost():
            return f"its stored output `{fact.output}` is gone or damaged, so it runs again"
        case _:
            return f"reported {'an observation' if getattr(fact, 'observation', False) else 'a materialization'}"
