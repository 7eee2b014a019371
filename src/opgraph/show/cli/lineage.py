"""`opgraph lineage`: what an asset is made from, and what is made from it."""

from collections.abc import Sequence

import click

from opgraph.operate import lineage
from opgraph.operate.lineage import Lineage, LineageRow, OpView
from opgraph.resolve.project import resolve
from opgraph.show.cli import ink
from opgraph.show.cli.ink import BUSY, FAINT, PLAIN, STRONG, Line
from opgraph.show.cli.options import Chosen, json_option, print_json, project_options

_DEEPEST = 20  # rows that are deeper are not moved further to the right; their depth is written


@click.command("lineage")
@click.argument("asset")
@project_options
@click.option("--upstream", "way", flag_value="upstream", help="Only what it is made from.")
@click.option("--downstream", "way", flag_value="downstream", help="Only what is made from it.")
@click.option("--depth", type=click.IntRange(0), metavar="N", help="How many assets to follow each way.")
@click.option("--no-ops", is_flag=True, help="Leave out the ops inside graphs.")
@json_option
def command(chosen: Chosen, asset: str, way: str | None, depth: int | None, *, no_ops: bool, as_json: bool) -> None:
    """Show what ASSET is made from and what is made from it, with the ops inside graph-backed assets."""
    graph = resolve(chosen.definitions()).graph
    found = lineage.lineage(graph, lineage.asset_key(graph, asset), depth=depth)
    if as_json:
        print_json(found)
    else:
        ink.put(_drawn(found, way, ops=not no_ops))


def _drawn(found: Lineage, way: str | None, *, ops: bool) -> list[Line]:
    made_by = f"  {found.asset.kind.replace('_', '-')}" + (f", {ink.count(found.asset.ops, 'op')}" if found.ops else "")
    lines: list[Line] = [[(found.asset.asset, STRONG), (made_by, FAINT), (f"  {found.asset.source}", FAINT)]]
    if found.ops and ops:
        lines += _ops(found.ops, "  ")
    for name, title, nodes in (
        ("upstream", "made from", found.upstream),
        ("downstream", "used by", found.downstream),
    ):
        if way in (None, name):
            lines += [[], [(title, FAINT)]]
            lines += _tree(nodes, ops=ops) if nodes else [[("  nothing", FAINT)]]
    return lines


def _tree(rows: Sequence[LineageRow], *, ops: bool) -> list[Line]:
    """The rows with their branches: a row is the last below its parent if no other of its depth comes before the next
    that is less deep."""
    blocks: list[list[Line]] = []
    open_at: set[int] = set()  # depths at which a branch goes on below
    for i in range(len(rows) - 1, -1, -1):
        row = rows[i]
        last = row.depth not in open_at
        open_at = {depth for depth in open_at if depth < row.depth} | {row.depth}
        before = "".join("│  " if depth in open_at else "   " for depth in range(min(row.depth, _DEEPEST)))
        before += f"{row.depth:>5} " if row.depth > _DEEPEST else ""
        kind = "" if row.kind == "asset" else f"  {row.kind.replace('_', '-')}"
        kind += f" of {ink.count(len(row.ops), 'op')}" if row.ops else ""
        again = [("  (see above)", FAINT)] if row.again else []
        block: list[Line] = [[(before + ("└─ " if last else "├─ "), FAINT), (row.asset, STRONG), (kind, FAINT), *again]]
        if ops and row.ops:
            below = i + 1 < len(rows) and rows[i + 1].depth > row.depth
            block += _ops(row.ops, before + ("   " if last else "│  ") + ("│  " if below else "   "))
        blocks.append(block)
    return [line for block in reversed(blocks) for line in block]


def _ops(ops: Sequence[OpView], before: str) -> list[Line]:
    rows: list[list[Line]] = []
    for op in ops:
        takes = ", ".join(name.removeprefix("asset:") for name in op.takes)
        rows.append([[(before, FAINT), ("∘ ", BUSY), (op.path, PLAIN)], [(f"← {takes}" if takes else "", FAINT)]])
    return ink.columns(rows)
