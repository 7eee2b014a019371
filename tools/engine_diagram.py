"""The life of a step as a Mermaid diagram, drawn from the table: `python tools/engine_diagram.py`."""

from collections.abc import Iterator
from typing import Final

from opgraph.engine import attempts, loss, retry, reuse
from opgraph.engine.phases import Phase
from opgraph.engine.table import STEP_TABLE, Handler
from opgraph.events import AnyFact, StepFailed, StepInterrupted, StepSucceeded

_P = Phase
_GOES_ON = tuple(phase for phase in Phase if phase not in (Phase.CANCELED, Phase.WITHDRAWN))
_SETTLED = (_P.STARTING, _P.SKIPPING, _P.LOOKING)

# The phases to which a handler may take the step that the fact is about; absent: it stays where it is.
LEADS_TO: Final[dict[Handler, tuple[Phase, ...]]] = {
    attempts.started: (_P.RUNNING,),
    attempts.succeeded: (_P.SUCCEEDED, _P.STARTING, _P.WAITING, _P.WITHDRAWN),
    attempts.failed: (_P.DELAYED, _P.FAILED, _P.WITHDRAWN),
    attempts.interrupted: (_P.STARTING, _P.WAITING, _P.SKIPPING, _P.FAILED, _P.CANCELED, _P.WITHDRAWN),
    retry.due: (_P.STARTING, _P.WAITING, _P.SKIPPING),
    reuse.found: (_P.REUSING,),
    reuse.not_found: (_P.STARTING, _P.WAITING, _P.SKIPPING, _P.CANCELED),
    reuse.reused: (_P.REUSED, _P.STARTING, _P.WAITING, _P.SKIPPING),
    reuse.skipped: (_P.SKIPPED, _P.BLOCKED),
    loss.lost: (_P.WAITING, _P.STARTING, _P.SKIPPING),
}

# What the facts about other steps, or about the run, do to a step.
BESIDES: Final[dict[str, tuple[tuple[Phase, Phase], ...]]] = {
    "upstream ended": tuple((_P.WAITING, phase) for phase in _SETTLED),
    "RunStarted": (
        (_P.WAITING, _P.REUSING),
        *((_P.WAITING, phase) for phase in _SETTLED),
    ),
    "next epoch": (
        (_P.RUNNING, _P.STARTING),
        (_P.RUNNING, _P.WAITING),
        (_P.RUNNING, _P.SKIPPING),
        (_P.STARTING, _P.WAITING),
        (_P.STARTING, _P.SKIPPING),
        (_P.STOPPING, _P.CANCELED),
        (_P.STOPPING, _P.WITHDRAWN),
        (_P.LOOKING, _P.CANCELED),
    ),
    "CancelRequested": (
        (_P.STARTING, _P.STOPPING),
        (_P.RUNNING, _P.STOPPING),
        (_P.WAITING, _P.CANCELED),
        (_P.DELAYED, _P.CANCELED),
    ),
    "withdrawn": (
        *((phase, _P.STOPPING) for phase in (_P.STARTING, _P.RUNNING)),
        *((phase, _P.WITHDRAWN) for phase in (_P.WAITING, _P.DELAYED, _P.LOOKING, _P.REUSING, _P.SKIPPING)),
        *((phase, _P.WITHDRAWN) for phase in (_P.SUCCEEDED, _P.REUSED, _P.SKIPPED, _P.BLOCKED, _P.FAILED)),
    ),
    "ValueLost below": tuple((a, b) for a in (_P.REUSED, _P.SKIPPED) for b in (_P.WAITING, *_SETTLED[:2])),
}

# In a cancelled run nothing starts again, and in any other nothing under way is called off or stopped.
_ONLY: Final[dict[tuple[Phase, type[AnyFact]], tuple[Phase, ...]]] = {
    (_P.STOPPING, StepSucceeded): (_P.SUCCEEDED, _P.WITHDRAWN),
    (_P.STOPPING, StepFailed): (_P.FAILED, _P.WITHDRAWN),
    (_P.STOPPING, StepInterrupted): (_P.CANCELED, _P.WITHDRAWN),
    (_P.RUNNING, StepSucceeded): (_P.SUCCEEDED, _P.STARTING, _P.WAITING),
    (_P.RUNNING, StepFailed): (_P.DELAYED, _P.FAILED),
    (_P.STARTING, StepInterrupted): _GOES_ON,
    (_P.RUNNING, StepInterrupted): _GOES_ON,
}


def moves() -> Iterator[tuple[Phase, Phase, str]]:
    """Every way from one phase to another, and what takes a step along it."""
    for kind, row in STEP_TABLE.items():
        for phase, handler in row.items():
            for target in LEADS_TO.get(handler, ()):
                if target in _ONLY.get((phase, kind), Phase):
                    yield phase, target, kind.__name__
    for cause, pairs in BESIDES.items():
        for before, after in pairs:
            yield before, after, cause


def mermaid() -> str:
    """The diagram, as Mermaid text."""
    causes: dict[tuple[Phase, Phase], list[str]] = {}
    for before, after, cause in moves():
        known = causes.setdefault((before, after), [])
        if cause not in known:
            known.append(cause)
    lines = [
        f"    {before.name} --> {after.name}: {', '.join(known)}"
        for (before, after), known in sorted(causes.items())
        if before != after
    ]
    return "\n".join(["stateDiagram-v2", "    [*] --> WAITING", "    [*] --> SKIPPED: by plan", *lines])


def chart() -> str:
    """The table, as a Markdown table: facts across phases, each with the handler's name or a hyphen for an error."""
    head = ["", *(phase.name for phase in Phase)]
    lines = [head, ["---"] * len(head)]
    for kind, row in STEP_TABLE.items():
        lines.append([kind.__name__, *(row[phase].__name__ if phase in row else "-" for phase in Phase)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print(mermaid())
