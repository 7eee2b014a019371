"""`opgraph cancel`: stop a run that is under way."""

import click

from opgraph.events import RunStatus
from opgraph.operate import inspect
from opgraph.operate.cancel import cancel
from opgraph.show.cli.commands import OK, RUN_FAILED
from opgraph.show.cli.options import Chosen, project_options
from opgraph.show.cli.tree import listed


@click.command("cancel")
@click.argument("run")
@click.option("--wait", default=10.0, show_default=True, metavar="SECONDS", help="How long to wait for the run's end.")
@project_options
@click.pass_context
def command(ctx: click.Context, chosen: Chosen, run: str, wait: float) -> None:
    """Stop RUN, an id or the beginning of one. Its steps are asked to stop, and killed where that does not help.

    What it stored stays; `opgraph resume` goes on from there.
    """
    with chosen.instance() as instance:
        run_id = inspect.find_run(instance.record, run)
        status = cancel(instance, run_id, wait=wait)
        again = f"`opgraph resume{chosen.typed} {run_id[:8]}` goes on from there"
        if status is RunStatus.CANCELED:
            print(f"run {run_id[:8]} is cancelled; {again}")
        elif status.is_final:
            print(f"run {run_id[:8]} ended before it could be cancelled: {status.value}")
        else:
            fold = inspect.folded(instance.record, run_id, inspect.plan_of(instance.record, run_id))
            busy = listed([fold.key(step) for step in fold.running]) or "what is being recorded"
            print(f"run {run_id[:8]} was asked to stop, and waits for {busy} to end")
            print(f"  `kill -9 {fold.pid}` ends it at once; {again}")
    ctx.exit(OK if status in (RunStatus.CANCELED, RunStatus.SUCCESS) else RUN_FAILED)
