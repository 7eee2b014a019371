"""Jobs over assets as jobs over ops: a graph of what makes the assets, wired as the assets depend on one another."""

from collections.abc import Set as AbstractSet
from typing import Any

from opgraph.declare.definitions import Definitions
from opgraph.declare.frozen import replaced
from opgraph.declare.graph_definition import GraphDefinition, JobAssets, JobDefinition
from opgraph.declare.job import AssetJob
from opgraph.declare.metadata import MetadataValue
from opgraph.declare.node import Node
from opgraph.declare.wires import FromNode, Wire
from opgraph.errors import Source
from opgraph.keys import AssetKey
from opgraph.operate.target import EVERYTHING
from opgraph.resolve.project import Project


def job_of_assets(
    definitions: Definitions, project: Project, keys: AbstractSet[AssetKey], job: AssetJob | None
) -> JobDefinition:
    """The job that makes these assets; `job` is what was declared, None for "all assets of the project"."""
    name = job.name if job is not None else EVERYTHING
    source = (job.source if job is not None else definitions.source) or Source("", 0)
    whole = JobDefinition(
        graph_def=_graph(name, project, keys, source),
        name=name,
        description=job.description if job is not None else None,
        executor_def=job.executor_def if job is not None else definitions.executor,
    )
    changes: dict[str, Any] = {"assets": JobAssets(definitions, job, frozenset(keys)), "source": source}
    if job is not None:
        metadata = {key: MetadataValue.of(value) for key, value in job.metadata.items()}
        changes |= {"config": job.config, "tags": job.tags, "run_tags": job.run_tags, "metadata": metadata}
    return replaced(whole, **changes)


def _graph(name: str, project: Project, keys: AbstractSet[AssetKey], source: Source) -> GraphDefinition:
    units = [unit for unit in project.graph.units if unit.definition.specs_by_key.keys() & keys]
    maker = {
        key: FromNode(unit.name, output)
        for unit in units
        for output, key in unit.definition.keys_by_output_name.items()
    }
    nodes = {unit.name: Node(unit.name, unit.definition.node_def, source=unit.source) for unit in units}
    wires: dict[str, dict[str, Wire]] = {
        unit.name: {
            name: maker[key] for name, key in unit.key_of_input.items() if key in maker and maker[key].node != unit.name
        }
        for unit in units
    }
    return replaced(GraphDefinition(name), nodes=nodes, wires=wires, source=source)
