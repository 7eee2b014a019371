"""How a failed op is shown: the user's exception and line first, then which op of which asset, then what to type."""

import linecache
import shlex
from collections.abc import Sequence

from opgraph.events import ErrorInfo, Frame
from opgraph.operate.views import LogView
from opgraph.show.cli import ink
from opgraph.show.cli.ink import BAD, BUSY, FAINT, PLAIN, STRONG, Line

_AROUND = 2  # lines of code before and after
_LINES = 12  # of a message or of what an op said
_DURING = {
    "load": "while it loaded its input",
    "store": "while it stored its output",
    "resources": "while its resources were set up",
    "worker": "because its process died",
    "plan": "while it was planned",
}


def failed(
    error: ErrorInfo,
    *,
    step: str = "",
    assets: Sequence[str] = (),
    attempts: int = 1,
    said: Sequence[LogView] = (),
) -> list[Line]:
    """A failed step, as lines.

    Args:
        error: what it raised.
        step: its key; empty where no step is to blame.
        assets: the assets that it leads to.
        attempts: how often it was tried.
        said: the last lines it logged or printed.
    """
    lines = _exception(error)
    if step:
        plain = len(assets) == 1 and assets[0].replace("/", "__") == step
        for_assets = f" of asset {', '.join(assets[:3])}" if assets and not plain else ""
        more = f" and {len(assets) - 3} more" if len(assets) > 3 else ""
        tried = f", attempt {attempts}" if attempts > 1 else ""
        during = _DURING.get(error.during, "")
        during = f", {during}{f' `{error.about}`' if error.about else ''}" if during else ""
        lines += [
            [],
            [
                ("  in asset " if plain else "  in op ", FAINT),
                (assets[0] if plain else step, STRONG),
                (f"{for_assets}{more}{tried}{during}", FAINT),
            ],
        ]
    if error.metadata:
        lines += [
            [(f"  {name}: ", FAINT), (ink.shortened(str(meta.value), 200), PLAIN)]
            for name, meta in error.metadata.items()
        ]
    if said:
        lines += [[], [("  what it said last:", FAINT)]]
        lines += [[(f"    {ink.shortened(line.text, 200)}", FAINT)] for line in said[-5:]]
    return lines


def _exception(error: ErrorInfo, *, cause: bool = False) -> list[Line]:
    first, *rest = ink.shortened(error.message, 4000).split("\n") if error.message else [""]
    title = f"{error.kind}: {first}" if first else error.kind
    lines: list[Line] = [
        [("  caused by " if cause else "✗ ", FAINT if cause else BAD), (title, STRONG if cause else f"{BAD} {STRONG}")]
    ]
    lines += [[(line if line.startswith("  ") else f"  {line}", PLAIN)] for line in rest[:_LINES]]
    lines += [[(f"  … {len(rest) - _LINES} more lines", FAINT)]] if len(rest) > _LINES else []
    lines += [[(f"  note: {note}", FAINT)] for note in error.notes]
    own = [frame for frame in error.frames if frame.own]
    at = own[-1] if own else (error.frames[-1] if error.frames else None)
    if at is not None:
        lines += [[], *excerpt(at)]
        below = error.frames[error.frames.index(at) + 1 :]
        if below:
            last = below[-1]
            lines.append([(f"  raised in {last.function}, {last.file}:{last.line}", FAINT)])
        lines += [[(f"  called from {f.file}:{f.line} in {f.function}", FAINT)] for f in reversed(own[:-1])][:5]
    if error.cause is not None:
        below = _exception(error.cause, cause=True)
        interrupted = error.cause.kind == KeyboardInterrupt.__name__ and not error.frames
        lines += below[1:] if interrupted else [[], *below]  # how it was stopped is ours; where it was is worth telling
    return lines


def excerpt(frame: Frame) -> list[Line]:
    """A line of code among its neighbours; only itself if the file has changed since or is gone."""
    lines: list[Line] = [[("  ", PLAIN), (f"{frame.file}:{frame.line}", BUSY), (f" in {frame.function}", FAINT)]]
    first = frame.text.strip().partition("\n")[0]
    if linecache.getline(frame.file, frame.line).strip() != first or not first:
        return [*lines, [("  ▶ ", BAD), (first, STRONG)]] if first else lines
    first = max(frame.line - _AROUND, 1)
    shown = [
        (n, linecache.getline(frame.file, n).rstrip("\n").expandtabs(4)) for n in range(first, frame.line + _AROUND + 1)
    ]
    while shown and not shown[-1][1].strip():
        shown.pop()
    digits = len(str(shown[-1][0]))
    for number, text in shown:
        here = number == frame.line
        lines.append(
            [
                ("  ▶ " if here else "    ", BAD),
                (f"{number:>{digits}} │ ", FAINT),
                (text, STRONG if here else FAINT),
            ]
        )
    return lines


def to_go_on(
    run_id: str, typed: str, *, kept: int = -1, left: int = 0, above: str = "", over: bool = False
) -> list[Line]:
    """What to type after a run that did not end well.

    Args:
        run_id: the run.
        typed: the options that name the project, with a space before each.
        kept: how many ops a resume would reuse; -1: not known.
        left: how many it would run.
        above: where an op failed because what it is made from was never made: the selection that makes that too.
        over: whether the run has an end in its record.
    """
    if above:
        return [
            [("  What it is made from was never made. To make that too:", PLAIN)],
            [(f"  opgraph materialize --select {shlex.quote(above)}{typed}", STRONG)],
        ]
    if over and kept > 0 and not left:  # cancelled, and what was under way went on to its end
        return [[("  Every op had finished; nothing is left to run.", PLAIN)]]
    what = "What had finished is kept. To go on from there" if kept else "Nothing had finished. To run it again"
    counts = f" ({ink.count(left, 'op')} to run{f', {kept:,} to reuse' if kept else ''})" if kept >= 0 and left else ""
    return [
        [(f"  {what}", PLAIN), (counts, FAINT), (":", PLAIN)],
        [(f"  opgraph resume {run_id}{typed}", STRONG)],
    ]
