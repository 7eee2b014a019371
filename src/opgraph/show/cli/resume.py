"""`opgraph resume`: go on with a run that failed, was cancelled or died."""

from typing import Any

import click

from opgraph.operate import execute, inspect
from opgraph.show.cli.options import (
    Chosen,
    config_option,
    executor_options,
    json_option,
    one_of_step_options,
    project_options,
    step_options,
)
from opgraph.show.cli.plan import POLICIES
from opgraph.show.cli.watch import watched


@click.command("resume")
@click.argument("run", required=False)
@project_options
@step_options
@executor_options
@click.option("--on-unselected", type=click.Choice(POLICIES), help="What to do with assets that come unasked.")
@config_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    chosen: Chosen,
    run: str | None,
    from_step: str | None,
    only: tuple[str, ...],
    on_unselected: str | None,
    config: tuple[str, ...],
    running: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Go on with RUN: what it stored is reused, the rest is run.

    RUN is an id or the beginning of one; without it, the latest run that failed, was cancelled or died. A run whose
    process died goes on under its own id if the code is unchanged; else a new run takes over what it stored.
    It is configured as before; `--config` changes parts of that, and the ops concerned run again. Executor, workers and
    time limit are those that the run was given.
    """
    one_of_step_options(from_step, only)
    definitions = chosen.definitions()
    with chosen.instance() as instance:
        run_id = inspect.find_run(instance.record, run) if run else inspect.latest_unfinished(instance.record)
        code = watched(
            chosen,
            instance,
            lambda listener, on_plan: execute.resume(
                definitions,
                run_id,
                instance=instance,
                from_step=from_step,
                only=only,
                policy=on_unselected,
                config=config,
                memoize=chosen.location.memoize,
                listeners=(listener,),
                on_plan=on_plan,
                otherwise=chosen.location.executor,
                **running,
            ),
            as_json=as_json,
        )
    ctx.exit(code)
