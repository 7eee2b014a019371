"""Definitions: everything a project declares, in one object."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeAlias, cast

from opgraph.declare import ports
from opgraph.declare.accepted import expect
from opgraph.declare.assets.asset_mistakes import NoSuchJob, NotAnAsset, NothingMakes
from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.mapped import map_asset_specs
from opgraph.declare.assets.selection import CoercibleToAssetSelection, selection_of
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.frozen import Frozen, made, replaced
from opgraph.declare.graphs.graph_definition import GraphDefinition, JobDefinition
from opgraph.declare.metadata import facts
from opgraph.declare.mistakes import WrongType, gathered, report
from opgraph.declare.project.job import AssetJob
from opgraph.declare.unsupported import refuse
from opgraph.errors import InvalidDefinitionError, InvariantViolationError, Mistake, Source
from opgraph.keys import AssetKey, CoercibleToAssetKey

Asset: TypeAlias = AssetsDefinition | AssetSpec
Job: TypeAlias = JobDefinition | AssetJob


class Definitions(Frozen):
    """Everything a project declares.

    Args:
        assets: definitions of assets, and specs of external ones.
        schedules: not supported yet.
        sensors: not supported yet.
        jobs: jobs of ops and jobs of assets.
        resources: objects by resource key: I/O managers, connections, anything.
        executor: the executor of every job that names none.
        loggers: not supported yet.
        asset_checks: not supported yet.
        metadata: facts for people.

    Raises:
        InvalidDefinitionError: something among the assets or jobs that is none.

    Example:
        >>> defs = Definitions(assets=[delays], resources={"io_manager": mem_io_manager})
    """

    __slots__ = ("__weakref__", "assets", "executor", "jobs", "metadata", "resources", "source")

    assets: Sequence[Asset]
    jobs: Sequence[Job]
    resources: Mapping[str, Any]
    executor: Any
    metadata: Mapping[str, Any]
    source: Source | None

    # What no definitions have yet; code that asks is told so.
    asset_checks: ClassVar[None] = None
    loggers: ClassVar[None] = None
    schedules: ClassVar[None] = None
    sensors: ClassVar[None] = None

    def __init__(
        self,
        assets: Iterable[Any] | None = None,
        schedules: Iterable[Any] | None = None,
        sensors: Iterable[Any] | None = None,
        jobs: Iterable[Any] | None = None,
        resources: Mapping[str, Any] | None = None,
        executor: Any = None,
        loggers: Mapping[str, Any] | None = None,
        asset_checks: Iterable[Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        component_tree: Any = None,
    ) -> None:
        refuse(
            "Definitions",
            {
                "asset_checks": asset_checks or None,
                "component_tree": component_tree,
                "loggers": loggers or None,
                "schedules": schedules or None,
                "sensors": sensors or None,
            },
        )
        where = Source.of_caller()
        expect("`Definitions`", where, assets=assets, jobs=jobs, resources=resources, metadata=metadata)
        with gathered():
            kept_assets = _kept("assets", assets, (AssetsDefinition, AssetSpec), where)
            kept_jobs = _kept("jobs", jobs, (JobDefinition, AssetJob, GraphDefinition), where)
        self.settle(
            assets=kept_assets,
            jobs=[_job(each) for each in kept_jobs],
            resources=dict(resources or {}),
            executor=executor,
            metadata=facts(metadata),
            source=where,
        )

    def __repr__(self) -> str:
        assets = len(self.resolve_all_asset_specs())
        return f"Definitions(assets={assets}, jobs={len(self.jobs)}, resources={list(self.resources)})"

    def _repr_html_(self) -> str:
        """What notebooks show: a drawing."""
        return ports.painter().html(self)

    @staticmethod
    def merge(*def_sets: "Definitions") -> "Definitions":
        """One from several. The same object may be in more than one.

        Raises:
            InvalidDefinitionError: two of them say different things under one key.
        """
        resources: dict[str, Any] = {}
        metadata: dict[str, Any] = {}
        homes: dict[tuple[str, str], int] = {}
        executor: Any = None
        for index, each in enumerate(def_sets):
            if not isinstance(each, Definitions):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
                takes, where = "a `Definitions`; several are arguments, not a list", Source.of_caller()
                raise WrongType("`Definitions.merge`", f"argument {index + 1}", each, takes, where=where)
            for what, into, given in (("resource", resources, each.resources), ("metadata", metadata, each.metadata)):
                for key, value in given.items():
                    first = homes.setdefault((what, key), index)
                    if key in into and into[key] is not value and into[key] != value:
                        raise MergeConflict(f"the {what} key `{key}`", first, index)
                    into[key] = value
            if each.executor is not None:
                first = homes.setdefault(("executor", ""), index)
                if executor is not None and executor != each.executor:
                    raise MergeConflict("the executor", first, index)
                executor = each.executor
        return made(
            Definitions,
            assets=_once(asset for each in def_sets for asset in each.assets),
            jobs=_once(job for each in def_sets for job in each.jobs),
            resources=resources,
            executor=executor,
            metadata=metadata,
            source=Source.of_caller(),
        )

    def get_job_def(self, name: str) -> Any:
        """The job of this name, with its assets resolved; `__ASSET_JOB` is the job of all assets.

        Raises:
            InvariantViolationError: there is no such job.
        """
        known = [job.name for job in self.jobs]
        if name not in (*known, "__ASSET_JOB"):
            raise NoSuchJob(name, known, where=Source.of_caller())
        return ports.runner().resolve_job(self, name)

    resolve_job_def = get_job_def

    def get_assets_def(self, key: CoercibleToAssetKey) -> AssetsDefinition:
        """The definition that makes an asset.

        Raises:
            InvariantViolationError: none does.
        """
        wanted = AssetKey.from_coercible(key)
        for each in self.assets:
            if isinstance(each, AssetsDefinition) and wanted in each.specs_by_key:
                return each
            if isinstance(each, AssetSpec) and wanted == each.key:
                return AssetsDefinition(specs=[each])
        raise NothingMakes(wanted, [key for each in self.assets for key in _keys(each)], where=Source.of_caller())

    resolve_assets_def = get_assets_def

    def resolve_implicit_global_asset_job_def(self) -> JobDefinition:
        """The job of all assets, ready to run."""
        return ports.runner().resolve_job(self, "__ASSET_JOB")

    get_implicit_global_asset_job_def = resolve_implicit_global_asset_job_def

    def resolve_all_job_defs(self) -> Sequence[JobDefinition]:
        """Every job, ready to run; the job of all assets first, where there are any."""
        made = any(isinstance(each, AssetsDefinition) and each.is_executable for each in self.assets)
        own = [self.resolve_implicit_global_asset_job_def()] if made else []
        return [*own, *(self.get_job_def(job.name) for job in self.jobs)]

    def resolve_asset_graph(self) -> Any:
        """The assets by key, each with what it is made from and what is made from it.

        Raises:
            InvalidDefinitionError: the definitions cannot work.
        """
        return ports.runner().asset_graph(self)

    @staticmethod
    def validate_loadable(defs: "Definitions") -> None:
        """Look for every mistake that can be known before anything runs.

        Raises:
            InvalidDefinitionError: there are some; all of them are in it.
        """
        graph = ports.runner().asset_graph(defs)
        for job in defs.jobs:
            if job.name == "__ASSET_JOB":
                raise ReservedName(job.name, where=job.source)
            ports.runner().resolve_job(graph.definitions, job.name)

    def map_asset_specs(
        self, *, func: Callable[[AssetSpec], AssetSpec], selection: CoercibleToAssetSelection | None = None
    ) -> "Definitions":
        """The same with what is said of the assets changed by a function.

        Args:
            func: from a spec to the changed one.
            selection: which assets; by default all, external ones too.
        """
        wanted = None if selection is None else selection_of(selection).resolve(self)

        def change(spec: AssetSpec) -> AssetSpec:
            return func(spec) if wanted is None or spec.key in wanted else spec

        return replaced(self, assets=list(map_asset_specs(change, self.assets)))

    map_resolved_asset_specs = map_asset_specs

    def get_all_asset_specs(self) -> Sequence[AssetSpec]:
        """What is said of every asset, external ones too."""
        return self.resolve_all_asset_specs()

    def resolve_all_asset_specs(self) -> Sequence[AssetSpec]:
        """What is said of every asset, external ones too."""
        return [spec for each in self.assets for spec in ([each] if isinstance(each, AssetSpec) else each.specs)]

    def resolve_all_asset_keys(self) -> Sequence[AssetKey]:
        """The keys of every asset, external ones too, and of those that are only named as dependencies."""
        specs = self.resolve_all_asset_specs()
        named = [dep.asset_key for spec in specs for dep in spec.deps]
        return list(dict.fromkeys([*(spec.key for spec in specs), *named]))

    def load_asset_value(
        self,
        asset_key: CoercibleToAssetKey,
        *,
        python_type: type | None = None,
        instance: Any = None,
        partition_key: str | None = None,
        metadata: dict[str, Any] | None = None,
        run_id: str | None = None,
    ) -> Any:
        """The stored value of an asset, through its own I/O manager.

        Args:
            asset_key: which asset.
            python_type: the type to tell the I/O manager.
            instance: where its materialization is recorded; by default the project's own.
            partition_key: not supported yet.
            metadata: facts for the I/O manager.
            run_id: the run that made it; by default the last one that did.

        Raises:
            ValueNotFoundError: it was never stored, or is gone.
        """
        return ports.runner().load_value(
            self,
            AssetKey.from_coercible(asset_key),
            python_type=python_type,
            instance=instance,
            partition_key=partition_key,
            metadata=metadata,
            run_id=run_id,
        )

    def get_asset_value_loader(self, instance: Any = None) -> "AssetValueLoader":
        """Loads values of several assets, in a `with` block.

        Args:
            instance: where their materializations are recorded; by default the project's own.

        Example:
            >>> with defs.get_asset_value_loader() as loader:
            ...     loader.load_asset_value("delays")
        """
        return AssetValueLoader(self, instance)


class AssetValueLoader:
    """Loads values of assets of some definitions. Made by `Definitions.get_asset_value_loader`."""

    def __init__(self, definitions: Definitions, instance: Any) -> None:
        self._definitions, self._instance = definitions, instance

    def load_asset_value(self, asset_key: CoercibleToAssetKey, **more: Any) -> Any:
        """The stored value of an asset; parameters as of `Definitions.load_asset_value`."""
        return self._definitions.load_asset_value(asset_key, **{"instance": self._instance, **more})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is kept open."""


class ReservedName(Mistake, InvalidDefinitionError):
    """A job under a name that stands for something else."""

    name: str
    says = "a job is called {name}, which is a reserved name: it stands for the job of all assets"
    mend = "give it another name"


class MergeConflict(Mistake, InvalidDefinitionError, InvariantViolationError):
    """Two of the Definitions to merge say different things under one key. Indexes count from 0."""

    about: str
    first: int
    second: int
    says = "the Definitions {first} and {second} to merge differ in {about}"
    mend = "give it in one of them only, or the same object in both"
    at_caller = True


def _job(given: Any) -> Job:
    return JobDefinition(graph_def=cast("GraphDefinition", given)) if isinstance(given, GraphDefinition) else given


def _kept(argument: str, given: Iterable[Any] | None, kinds: tuple[type, ...], where: Source | None) -> list[Any]:
    kept: list[Any] = []
    for each in given or ():
        if isinstance(each, kinds):
            kept.append(each)
        elif isinstance(each, (list, tuple)):
            kept.extend(_kept(argument, each, kinds, where))  # pyright: ignore[reportUnknownArgumentType]
        else:
            report(NotAnAsset(argument, each, where=where))
    return kept


def _once(given: Iterable[Any]) -> list[Any]:
    return list({id(each): each for each in given}.values())


def _keys(asset: Asset) -> Iterable[AssetKey]:
    return [asset.key] if isinstance(asset, AssetSpec) else asset.specs_by_key
