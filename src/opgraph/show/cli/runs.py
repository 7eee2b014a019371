"""`opgraph runs`: past runs, newest first."""

import click

from opgraph.events import RunStatus
from opgraph.operate import inspect
from opgraph.operate.views import RunSummary
from opgraph.show.cli import ink
from opgraph.show.cli.ink import BAD, BUSY, FAINT, GOOD, NOTE, PLAIN, STRONG, Line, Span
from opgraph.show.cli.options import Chosen, json_option, print_json, project_options

MARKS: dict[str, Span] = {
    "SUCCESS": ("✓", GOOD),
    "FAILURE": ("✗", BAD),
    "CANCELED": ("■", NOTE),
    inspect.DIED: ("†", BAD),
    "STARTED": ("●", BUSY),
    "CANCELING": ("●", NOTE),
}


@click.command("runs")
@project_options
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
@click.option("--job", metavar="NAME", help="Only the runs of this job.")
@click.option(
    "--status",
    type=click.Choice([*(status.value for status in RunStatus), inspect.DIED], case_sensitive=False),
    help="Only the runs of this status. DIED: without an end, and without a living process.",
)
@json_option
def command(chosen: Chosen, limit: int, job: str | None, status: str | None, *, as_json: bool) -> None:
    """List past runs, newest first."""
    found: list[RunSummary] = []
    if chosen.has_state:
        with chosen.past() as instance:
            found = inspect.runs(instance.record, limit=limit, job=job, status=status.upper() if status else None)
    if as_json:
        print_json(found)
    elif not found:
        ink.put([[("no runs yet" if not (job or status) else "no such runs", FAINT)]])
    else:
        ink.put(ink.columns([_row(run) for run in found], right=frozenset({4})))


def times(number: int) -> str:
    """`once`, `2 times`."""
    return "once" if number == 1 else f"{number} times"


def _row(run: RunSummary) -> list[Line]:
    took = ink.seconds(run.took) if run.took is not None else ""
    notes = [f"resumes {run.parent[:8]}"] if run.parent else []
    notes += [f"taken up {times(run.epoch - 1)}"] if run.epoch > 1 else []
    notes += [f"{key}={value}" for key, value in run.tags.items()]
    return [
        [MARKS.get(run.status, ("·", FAINT)), (" ", PLAIN), (run.run_id[:8], STRONG)],
        [(run.status.lower(), MARKS.get(run.status, ("", FAINT))[1])],
        [(run.job, PLAIN)],
        [(ink.ago(run.created), FAINT)],
        [(took, FAINT)],
        [(", ".join(notes), FAINT)],
    ]
