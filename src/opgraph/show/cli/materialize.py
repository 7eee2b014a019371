"""`opgraph materialize`: run what makes the selected assets."""

from typing import Any

import click

from opgraph.operate import execute
from opgraph.show.cli.options import (
    Chosen,
    config_option,
    executor_options,
    joined,
    json_option,
    nothing_missing_is_fine,
    project_options,
    reuse_options,
    select_option,
)
from opgraph.show.cli.plan import POLICIES
from opgraph.show.cli.watch import watched


def _tags(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for value in values:
        key, found, text = value.partition("=")
        if not found or not key:
            raise click.BadParameter(f"write it as key=value, not {value!r}", ctx, param)
        tags[key] = text
    return tags


@click.command("materialize")
@project_options
@select_option
@click.option("--job", metavar="NAME", help="Run this job instead of a selection.")
@click.option("--on-unselected", type=click.Choice(POLICIES), help="What to do with assets that come unasked.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="KEY=VALUE", callback=_tags, help="A label of the run.")
@reuse_options
@executor_options
@config_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    chosen: Chosen,
    select: tuple[str, ...],
    job: str | None,
    on_unselected: str | None,
    tags: dict[str, str],
    reuse: str,
    config: tuple[str, ...],
    running: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Run the ops that make the selected assets; without a selection, all assets."""
    if job and select:
        raise click.UsageError("`--job` and `--select` say in two ways what to run; give one of them")
    definitions = chosen.definitions()
    policy = on_unselected or chosen.location.on_unselected
    with chosen.instance() as instance, nothing_missing_is_fine(ctx, joined(select), as_json=as_json):
        code = watched(
            chosen,
            instance,
            lambda listener, on_plan: execute.materialize(
                definitions,
                joined(select),
                instance=instance,
                job=job,
                policy=policy,
                tags=tags,
                config=config,
                reuse=reuse,
                memoize=chosen.location.memoize,
                listeners=(listener,),
                on_plan=on_plan,
                otherwise=chosen.location.executor,
                **running,
            ),
            as_json=as_json,
        )
    ctx.exit(code)
