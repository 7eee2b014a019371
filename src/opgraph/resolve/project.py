"""A project: everything that a `Definitions` holds, resolved and verified."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetSpec, SourceAsset
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.job import AssetJob, JobDefinition
from opgraph.declare.sweep import unswept
from opgraph.errors import InvalidDefinitionError, together
from opgraph.keys import AssetKey
from opgraph.resolve.assets import AssetGraph
from opgraph.resolve.hooks import missing_for
from opgraph.resolve.mistakes import DuplicateJob, UnknownSelected
from opgraph.resolve.select import select
from opgraph.resolve.verify import mistakes_in

# The graphs of definitions in which nothing is wrong: neither changes, so who starts many runs resolves once.
_sound: WeakKeyDictionary[Definitions, AssetGraph] = WeakKeyDictionary()


class Project:
    """Definitions with names turned into one graph. Made by `resolve`."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.problems: list[InvalidDefinitionError] = []
        sound = _sound.get(definitions)
        if sound is not None:
            self.graph = sound
            self.jobs: dict[str, JobDefinition | AssetJob] = {job.name: job for job in definitions.jobs}
            return
        made = [each for each in definitions.assets if isinstance(each, AssetsDefinition)]
        specs = [each for each in definitions.assets if isinstance(each, AssetSpec)]
        self.graph = AssetGraph(list({id(each): each for each in made}.values()), specs)  # one may be listed twice
        self.jobs = {}
        for job in definitions.jobs:
            if job.name in self.jobs and self.jobs[job.name] is not job:
                self.problems.append(DuplicateJob(job.name, where=getattr(job, "source", None)))
            self.jobs[job.name] = job
        self.problems += mistakes_in(self.graph, definitions.resources, definitions.source)
        for job in definitions.jobs:
            if isinstance(job, AssetJob):
                try:
                    select(self.graph, job.selection)
                except UnknownSelected as unknown:
                    unknown.where = job.source
                    self.problems.append(unknown)
        of_jobs = [(hook, each) for each in definitions.jobs if isinstance(each, AssetJob) for hook in each.hooks]
        for hook, each in of_jobs:
            self.problems += missing_for(hook, f"job `{each.name}`", self.resources, set())
        if not self.problems:
            _sound[definitions] = self.graph

    @cached_property
    def resources(self) -> Mapping[str, Any]:
        """The project's resources and those that assets brought with them."""
        found: dict[str, Any] = {}
        for unit in self.graph.units:
            found.update(unit.definition.resource_defs)
        for each in self.definitions.assets:
            if isinstance(each, SourceAsset):
                found.update(each.resource_defs)
        return {**found, **self.definitions.resources}

    def manager_of(self, key: AssetKey) -> str:
        """The key of the I/O manager of an asset."""
        node = self.graph.nodes[key]
        if node.unit is None or key not in node.unit.at:
            return str(node.spec.metadata.get("dagster/io_manager_key", "io_manager"))
        place = node.unit.at[key]
        out = node.unit.flat.steps[place[0]].op.outs[place[1]]
        return node.unit.manager_at.get(place) or out.io_manager_key or "io_manager"


@unswept
def resolve(definitions: Definitions) -> Project:
    """The project that definitions mean.

    Raises:
        InvalidDefinitionError: it cannot work; where several things are wrong, an InvalidDefinitionsError with all.
    """
    project = Project(definitions)
    refuse(project.problems)
    return project


def refuse(problems: Sequence[InvalidDefinitionError]) -> None:
    """Raise what was found, if anything."""
    if problems:
        raise together(problems)
