"""Jobs over assets as jobs over ops: a graph of what makes the assets, wired as the assets depend on one another."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from opgraph.declare.frozen import replaced
from opgraph.declare.graphs.graph_definition import GraphDefinition, JobAssets, JobDefinition
from opgraph.declare.graphs.node import Node
from opgraph.declare.graphs.wires import FromNode, Wire
from opgraph.declare.metadata import facts
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.job import AssetJob
from opgraph.errors import Source
from opgraph.keys import AssetKey
from opgraph.operate.target import EVERYTHING
from opgraph.plan.build import plan_assets
from opgraph.plan.model import FromAsset, Role, Step, StepOutput
from opgraph.resolve.assets import Unit
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
        metadata = facts(job.metadata)
        changes |= {"config": job.config, "tags": job.tags, "run_tags": job.run_tags, "metadata": metadata}
        changes |= {"retry_policy": job.retry_policy, "hooks": job.hooks}
    return replaced(whole, **changes)


def _graph(name: str, project: Project, keys: AbstractSet[AssetKey], source: Source) -> GraphDefinition:
    units = [unit for unit in project.graph.units if unit.definition.specs_by_key.keys() & keys]
    nodes = {unit.name: Node(unit.name, unit.definition.node_def, source=unit.source) for unit in units}
    of_node = {unit.name: unit for unit in units}
    maker = {
        key: FromNode(unit.name, output)
        for unit in units
        for output, key in unit.definition.keys_by_output_name.items()
    }
    loaded: dict[str, AbstractSet[str]] = {}  # by node: the inputs that are assets of storage, not of this job
    for step in _again(project, units, keys):
        unit = of_node[step.unit]
        nodes[step.key] = Node(step.key, unit.definition.node_def, source=unit.source)
        of_node[step.key] = unit
        loaded[step.key] = {each.name for each in step.inputs if isinstance(each.source, FromAsset)}
        maker.update({AssetKey(o.asset): FromNode(step.key, o.name) for o in step.outputs if o.asset and _made(o)})
    wires: dict[str, dict[str, Wire]] = {
        node: {
            name: maker[key]
            for name, key in unit.key_of_input.items()
            if key in maker and key not in unit.definition.specs_by_key and name not in loaded.get(node, ())
        }
        for node, unit in of_node.items()
    }
    return replaced(GraphDefinition(name), nodes=nodes, wires=wires, source=source)


def _again(project: Project, units: Sequence[Unit], keys: AbstractSet[AssetKey]) -> list[Step]:
    """The steps of ops that run in parts, because they stand on both sides of an asset of another definition."""
    if not any(unit.definition.can_subset and not unit.definition.is_graph for unit in units):
        return []  # only such an op is run in parts
    steps = plan_assets(project.graph, keys, job=EVERYTHING).steps
    split = {step.unit for step in steps if step.key != step.node}
    return [step for step in steps if step.unit in split]


def _made(output: StepOutput) -> bool:
    return output.role is Role.SELECTED
