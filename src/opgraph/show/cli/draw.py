"""`opgraph draw`: the assets, a job or a run as a picture."""

import sys
from pathlib import Path

import click

from opgraph.declare.assets.selection import AssetSelection, External
from opgraph.errors import Error
from opgraph.operate import inspect
from opgraph.resolve.assets import AssetGraph
from opgraph.resolve.mistakes import NothingSelected
from opgraph.resolve.project import resolve
from opgraph.resolve.select import select
from opgraph.show.cli import ink
from opgraph.show.cli.ink import FAINT, GOOD, STRONG
from opgraph.show.cli.options import Chosen, project_options
from opgraph.show.draw.assets import asset_scene, job_scene
from opgraph.show.draw.layout import lay_out
from opgraph.show.draw.model import Scene
from opgraph.show.draw.opened import Below
from opgraph.show.draw.runs import run_scene
from opgraph.show.draw.svg import to_svg


class PictureNotWritten(Error):
    """The file of a picture cannot be written."""

    def __init__(self, path: Path, problem: OSError) -> None:
        self.path, self.problem = path, problem
        super().__init__(
            f"the picture cannot be written to {path}: {problem.strerror or type(problem).__name__}",
            fix="name another file with `--svg FILE`, or `--svg -` for standard output",
        )


@click.command("draw")
@click.argument("selection", required=False)
@project_options
@click.option("--svg", "path", default="opgraph.svg", show_default=True, metavar="FILE", help="Where; `-`: printed.")
@click.option(
    "--open",
    "opened",
    multiple=True,
    metavar="SELECTION",
    help="Show the ops of these assets in place; `*`: of all. May be repeated.",
)
@click.option("--job", metavar="NAME", help="Draw this job instead of assets.")
@click.option("--run", metavar="RUN", help="Draw this run, and how its ops ended.")
def command(
    chosen: Chosen, selection: str | None, path: str, opened: tuple[str, ...], job: str | None, run: str | None
) -> None:
    """Draw the assets as an SVG file, or those of a SELECTION.

    The picture is one file without script; it is light or dark as the reader's screen is.
    """
    if sum(each is not None for each in (selection, job, run)) > 1 or (opened and (job or run)):
        raise click.UsageError("give a selection with or without `--open`, or `--job`, or `--run`")
    title = selection or job or run or "assets"
    if run:
        with chosen.past() as instance:
            run_id = inspect.find_run(instance.record, run)
            plan = inspect.plan_of(instance.record, run_id)
            scene = run_scene(plan, inspect.folded(instance.record, run_id, plan))
    else:
        project = resolve(chosen.definitions())
        scene = job_scene(project, job) if job else _of_assets(project.graph, selection, opened)
    drawing = lay_out(scene.nodes, scene.edges)
    _write(to_svg(drawing, title), path)
    if path != "-":
        shown = sum(not box.holds for box in drawing.boxes)
        told = f"  {ink.count(shown, 'box', 'boxes')}, {drawing.width:.0f} x {drawing.height:.0f} pixels"
        ink.put([[("✓ ", GOOD), (path, STRONG), (told, FAINT)]])


def _of_assets(graph: AssetGraph, selection: str | None, opened: tuple[str, ...]) -> Scene:
    keys = None
    if selection is not None:
        keys = select(graph, External(AssetSelection.from_string(selection)))  # what is not made here is drawn too
        if not keys:
            raise NothingSelected(selection, [])
    inside = {key for each in opened for key in select(graph, AssetSelection.from_string(each))}
    return asset_scene(graph, keys, opened=Below([f"asset:{key.text}" for key in sorted(inside)]))


def _write(text: str, path: str) -> None:
    if path == "-":
        ink.write(text, sys.stdout)
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as problem:
        raise PictureNotWritten(Path(path), problem) from None
