"""`opgraph pools`: how many ops may run at once that name the same pool."""

import click

from opgraph.run.instance import MOST_SLOTS
from opgraph.show.cli import ink
from opgraph.show.cli.ink import FAINT, NOTE, PLAIN, STRONG, Line
from opgraph.show.cli.options import Chosen, json_option, print_json, project_options


@click.group("pools", invoke_without_command=True)
@click.pass_context
@project_options
@json_option
def command(ctx: click.Context, chosen: Chosen, *, as_json: bool) -> None:
    """List the pools that have a limit, and how many of their slots are taken now.

    An op or asset names its pool: `@op(pool="warehouse")`. A pool without a limit holds nothing up.
    """
    ctx.obj = chosen
    if ctx.invoked_subcommand is not None:
        return
    with chosen.past() as instance:
        pools = instance.record.pools()
    if as_json:
        print_json([{"pool": name, "slots": slots, "taken": taken} for name, (slots, taken) in pools.items()])
    elif not pools:
        ink.put([[("no pool has a limit; `opgraph pools set NAME SLOTS` sets one", FAINT)]])
    else:
        ink.put(ink.columns([_row(name, slots, taken) for name, (slots, taken) in pools.items()]))


@command.command("set")
@click.argument("name")
@click.argument("slots", type=click.IntRange(1, MOST_SLOTS))
@project_options
@click.pass_obj
def _set(of_group: Chosen, chosen: Chosen, name: str, slots: int) -> None:
    """Let only SLOTS ops of the pool NAME run at once, in all runs together."""
    with _named(chosen, of_group).instance() as instance:
        instance.set_pool_limit(name, slots)
    ink.put([[(name, STRONG), (f"  {ink.count(slots, 'slot')}", PLAIN)]])


@command.command("unset")
@click.argument("name")
@project_options
@click.pass_obj
def _unset(of_group: Chosen, chosen: Chosen, name: str) -> None:
    """Let any number of ops of the pool NAME run at once."""
    with _named(chosen, of_group).instance() as instance:
        instance.set_pool_limit(name, None)
    ink.put([[(name, STRONG), ("  no limit", PLAIN)]])


def _named(own: Chosen, of_group: Chosen) -> Chosen:
    """The project, whose options may stand before `set` or behind it."""
    return own if own.file or own.module else of_group


def _row(name: str, slots: int, taken: int) -> list[Line]:
    full = taken >= slots
    return [[(name, STRONG)], [(ink.count(slots, "slot"), PLAIN)], [(f"{taken} taken", NOTE if full else FAINT)]]
