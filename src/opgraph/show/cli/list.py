"""`opgraph list`: the assets and jobs of the project."""

from itertools import groupby
from typing import Any

import click

from opgraph.declare.assets.selection import AssetSelection
from opgraph.operate import inspect, lineage
from opgraph.operate.lineage import AssetSummary
from opgraph.record.rows import Materialized
from opgraph.resolve.project import resolve
from opgraph.resolve.select import select as resolve_selection
from opgraph.show.cli import ink
from opgraph.show.cli.ink import FAINT, GOOD, PLAIN, STRONG, Line
from opgraph.show.cli.options import Chosen, joined, json_option, print_json, project_options, select_option


@click.command("list")
@project_options
@select_option
@json_option
def command(chosen: Chosen, select: tuple[str, ...], *, as_json: bool) -> None:
    """List the assets and jobs of the project, with when each asset was last materialized."""
    project = resolve(chosen.definitions())
    names = [key.text for key in project.graph.nodes]
    made: dict[str, Materialized] = {}
    if chosen.has_state:
        with chosen.past() as instance:
            made = dict(inspect.latest(instance.record, names))
    text = joined(select)
    keys = set(project.graph.nodes)
    if text is not None:
        keys = set(
            resolve_selection(project.graph, AssetSelection.from_string(text), lambda wanted: made.keys() & set(wanted))
        )
    found = lineage.assets(project.graph, keys)
    jobs = [] if select else list(project.jobs.values())
    if as_json:
        print_json(
            {
                "assets": [_asset_json(each, made.get(each.asset)) for each in found],
                "jobs": [_job_json(j) for j in jobs],
            }
        )
        return
    if not found and not jobs:
        ink.put([[("nothing is selected" if select else "no assets and no jobs", FAINT)]])
        return
    ink.put(_table(found, made, jobs))


def _asset_json(each: AssetSummary, made: Materialized | None) -> dict[str, Any]:
    latest = {"run_id": made.run_id, "time": made.time, "size": made.stored.size} if made else None
    return {**inspect.to_json(each), "latest": latest}


def _job_json(job: Any) -> dict[str, Any]:
    kind = "assets" if hasattr(job, "selection") else "ops"
    return {"name": job.name, "kind": kind, "description": job.description or "", "source": str(job.source or "")}


def _table(found: list[AssetSummary], made: dict[str, Materialized], jobs: list[Any]) -> list[Line]:
    rows: list[list[Line]] = []
    titles: dict[int, str] = {}
    groups = sorted({each.group for each in found}, key=lambda g: next(i for i, e in enumerate(found) if e.group == g))
    ordered = [each for group in groups for each in found if each.group == group]
    for group, members in groupby(ordered, key=lambda each: each.group):
        titles[len(rows)] = group
        rows += [_row(each, made.get(each.asset)) for each in members]
    if jobs:
        titles[len(rows)] = "jobs"
        rows += [
            [
                [("  ", PLAIN), (job.name, STRONG)],
                [(_job_json(job)["kind"], FAINT)],
                [],
                [(_first(job.description), FAINT)],
            ]
            for job in jobs
        ]
    most = ink.width(160)
    lines: list[Line] = []
    only = titles.get(0) == "default" and len(titles) == 1
    for i, line in enumerate(ink.columns(rows)):
        if i in titles and not only:
            lines += [[]] if lines else []
            lines.append([(titles[i], FAINT)])
        lines.append(ink.cut(line, most))
    return lines


def _row(each: AssetSummary, made: Materialized | None) -> list[Line]:
    mark = ("✓ ", GOOD) if made else ("· ", FAINT)
    when = ink.ago(made.time) if made else "never"
    if each.kind == "external":
        mark, when = ("○ ", FAINT), ""
    how = {
        "asset": "asset",
        "multi_asset": f"of {each.made_by}",
        "external": "external",
        "graph": ink.count(each.ops, "op")
        + (f" of {each.made_by}" if each.made_by != each.asset.replace("/", "__") else ""),
    }[each.kind]
    return [
        [mark, (each.asset, STRONG)],
        [(how, FAINT)],
        [(when, FAINT)],
        [(_first(each.description), PLAIN)],
    ]


def _first(description: str | None) -> str:
    lines = (description or "").strip().splitlines()
    return lines[0] if lines else ""
