"""What notebooks show: a drawing inside the page, without script and without anything loaded."""

from collections.abc import Container
from typing import Any, cast

from msgspec import structs

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.graphs.graph_definition import GraphDefinition, JobDefinition
from opgraph.declare.project.definitions import Definitions
from opgraph.operate.inspect import folded
from opgraph.plan.model import Plan
from opgraph.record.store import Record
from opgraph.resolve.assets import AssetGraph
from opgraph.resolve.project import Project
from opgraph.show.draw.assets import asset_scene, graph_scene
from opgraph.show.draw.layout import lay_out
from opgraph.show.draw.model import Scene
from opgraph.show.draw.opened import EVERYTHING
from opgraph.show.draw.runs import run_scene
from opgraph.show.draw.svg import to_svg

_SMALLEST = 0.6  # of its own size
_MOST = 400  # ops that are shown in place; assets, before a group is one box


class Notebook:
    """Draws what was declared, planned or run: the `Painter` of `declare/ports.py`."""

    def html(self, thing: Any) -> str:
        """The drawing of a thing, to stand in a page."""
        match thing:
            case Definitions():
                graph = Project(thing).graph
                many = len(graph.nodes) > _MOST
                return _page(asset_scene(graph, folded=EVERYTHING if many else ()), "assets")
            case AssetsDefinition():
                return _page(_of_asset(cast("AssetsDefinition[..., Any]", thing)), "an asset")
            case Plan():
                return _page(run_scene(thing, opened=_opened(len(thing.steps))), "a plan")
            case _:
                ops: GraphDefinition[..., Any] = thing.graph if isinstance(thing, JobDefinition) else thing
                return _page(graph_scene(ops, opened=_opened(sum(1 for _ in ops.ops()))), ops.name)

    def html_of_run(self, plan: Plan, record: Record, run_id: str) -> str:
        """The drawing of a recorded run."""
        scene = run_scene(plan, folded(record, run_id, plan), opened=_opened(len(plan.steps)))
        return _page(scene, f"run {run_id}")


def _of_asset(definition: AssetsDefinition[..., Any]) -> Scene:
    """One definition with its ops, and the assets that it is made from, which are declared elsewhere."""
    graph = AssetGraph([definition], [])
    parents = {parent for node in graph.nodes.values() for parent in node.parents}
    above = [AssetSpec(key) for key in sorted(parents) if key not in definition.specs_by_key]
    scene = asset_scene(AssetGraph([definition], above), opened=EVERYTHING)
    nodes = [structs.replace(node, detail="upstream") if node.kind == "external" else node for node in scene.nodes]
    return Scene(tuple(nodes), scene.edges)


def _opened(ops: int) -> Container[str]:
    return EVERYTHING if ops <= _MOST else ()


def _page(scene: Scene, title: str) -> str:
    """The picture, made smaller where its cell is narrower, as long as it can be read."""
    drawing = lay_out(scene.nodes, scene.edges)
    least = round(_SMALLEST * drawing.width)
    return f'<div class="opgraph-cell">{to_svg(drawing, title, least)}</div>'
