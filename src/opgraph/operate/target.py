"""What is to be run: some assets of a project, or a job's graph of ops."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from opgraph.declare.assets.selection import All, AssetSelection, CoercibleToAssetSelection, selection_of
from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.graphs.graph_definition import GraphDefinition, JobDefinition
from opgraph.declare.ops.hooks import HookDefinition
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.executor import ExecutorChoice
from opgraph.declare.project.job import AssetJob
from opgraph.declare.retry import RetryPolicy
from opgraph.declare.sweep import unswept
from opgraph.errors import InvalidDefinitionError, InvalidInvocationError, InvalidSubsetError, Source
from opgraph.keys import AssetKey, near_misses
from opgraph.operate.memo import AS_DECLARED, Memoizing, with_memo
from opgraph.plan.build import plan_assets
from opgraph.plan.jobs import plan_graph
from opgraph.plan.mistakes import UnknownStep
from opgraph.plan.model import Do, Plan, Policy
from opgraph.plan.retries import with_retries
from opgraph.plan.reuse import steps_named
from opgraph.resolve.config import Given, Settings
from opgraph.resolve.flatten import Constant, Flat, FlatStep, flatten
from opgraph.resolve.hooks import without_resources
from opgraph.resolve.project import Project, refuse, resolve
from opgraph.resolve.select import select_to_run
from opgraph.resolve.types import disagreements
from opgraph.resolve.verify import bad_defaults, missing_resources, unprovided
from opgraph.run.call.binding import BoundStep, bind_assets, bind_graph, hooked
from opgraph.run.instance import Instance

EVERYTHING = "__ASSET_JOB"  # the name of the job that stands for "some assets of the project"

Selection: TypeAlias = CoercibleToAssetSelection | None


class UnknownJob(InvalidDefinitionError):
    """A job is named that the definitions do not have."""

    def __init__(self, name: str, known: Sequence[str], near: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        meant = f". Did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
        super().__init__(f"no job is named `{name}`{meant}", fix=f"there are: {', '.join(known) if known else 'none'}")


class BadPolicy(InvalidInvocationError):
    """A policy for unselected assets that does not exist."""

    def __init__(self, given: str) -> None:
        self.given = given
        super().__init__(
            f"the policy for unselected assets is one of {', '.join(p.value for p in Policy)}, not {given!r}",
            fix="`materialize` stores them, `discard` drops them, `error` refuses the run",
        )


def policy_of(given: str | Policy | None) -> Policy:
    """The policy that was named; by default `materialize`.

    Raises:
        BadPolicy: there is none of that name.
    """
    if given is None:
        return Policy.MATERIALIZE
    try:
        return Policy(given)
    except ValueError:
        raise BadPolicy(str(given)) from None


@dataclass(frozen=True, slots=True)
class AssetTarget:
    """Some assets of a project."""

    project: Project
    keys: frozenset[AssetKey]
    job: str
    policy: Policy
    tags: Mapping[str, str]
    settings: Settings
    memoizing: Memoizing = AS_DECLARED
    executor: ExecutorChoice | None = None
    retry: RetryPolicy | None = None  # the job's
    hooks: frozenset[HookDefinition] = frozenset()  # the job's

    @unswept
    def plan(self, instance: Instance) -> Plan:
        """The plan that runs everything that was asked for, but for what is memoized.

        Raises:
            InvalidConfigError: the configuration does not fit; every mistake at once.
        """
        made = plan_assets(
            self.project.graph, self.keys, job=self.job, policy=self.policy, recorded=recorded_in(instance)
        )
        names = {step.unit for step in made.steps}
        units = {unit.name: unit for unit in self.project.graph.units if unit.name in names}
        nodes = {step.key: step for unit in units.values() for step in unit.flat.steps}
        return with_memo(
            with_config(with_retries(made, nodes, units, self.retry), self.settings, nodes),
            nodes,
            how=self.memoizing,
            instance=instance,
            settings=self.settings,
            resources=self.resources,
            run_tags=self.tags,
            units=units,
            given={},
        )

    def bind(self, plan: Plan) -> list[BoundStep]:
        """The plan's steps with their code and their configuration; environment variables are read now."""
        return configured(hooked(bind_assets(plan, self.project), self.hooks), self.settings)

    @property
    def resource_config(self) -> Mapping[str, Any]:
        """The settings that were given for resources, by resource key."""
        return self.settings.resources

    @property
    def resources(self) -> Mapping[str, Any]:
        """The project's, by key."""
        return self.project.resources


@dataclass(frozen=True, slots=True)
class GraphTarget:
    """A job's graph of ops."""

    job: str
    flat: Flat
    resources: Mapping[str, Any]
    tags: Mapping[str, str]
    given: Mapping[str, Any]
    definition: JobDefinition | GraphDefinition
    settings: Settings
    project: Project | None = None
    chosen: frozenset[str] | None = None
    asked: tuple[str, ...] = ()
    memoizing: Memoizing = AS_DECLARED
    executor: ExecutorChoice | None = None
    retry: RetryPolicy | None = None  # the job's
    hooks: frozenset[HookDefinition] = frozenset()  # the job's

    @unswept
    def plan(self, instance: Instance) -> Plan:
        """The plan that runs every op, but for what is memoized."""
        made = plan_graph(self.flat, job=self.job, chosen=self.chosen)
        if self.asked:  # kept, so that going on from the run plans the same ops
            made = msgspec.structs.replace(made, ops=self.asked)
        nodes = {step.key: step for step in self.flat.steps}
        return with_memo(
            with_config(with_retries(made, nodes, {}, self.retry), self.settings, nodes),
            nodes,
            how=self.memoizing,
            instance=instance,
            settings=self.settings,
            resources=self.resources,
            run_tags=self.tags,
            units={},
            given=self.given,
        )

    def bind(self, plan: Plan) -> list[BoundStep]:
        """The plan's steps with their code and their configuration; environment variables are read now."""
        return configured(hooked(bind_graph(plan, self.flat), self.hooks), self.settings)

    @property
    def resource_config(self) -> Mapping[str, Any]:
        """The settings that were given for resources, by resource key."""
        return self.settings.resources


Target: TypeAlias = AssetTarget | GraphTarget


def with_config(plan: Plan, settings: Settings, nodes: Mapping[str, FlatStep]) -> Plan:
    """The plan with the configuration of its steps, checked.

    Raises:
        InvalidConfigError: it does not fit; every mistake at once.
    """
    flats = [nodes[step.node] for step in plan.steps]
    settings.refuse(flats)
    has = [settings.concerns(flat) for flat in flats]
    if not any(has) and not settings.recorded:
        return plan
    steps = tuple(
        msgspec.structs.replace(step, config=settings.shown(flat)) if some else step
        for step, flat, some in zip(plan.steps, flats, has, strict=True)
    )
    return msgspec.structs.replace(plan, steps=steps, config=settings.recorded)


def configured(bound: list[BoundStep], settings: Settings) -> list[BoundStep]:
    """Bound steps with their configuration, those that run."""
    found = settings.of([each.flat for each in bound if each.step.decision.do in (Do.RUN, Do.DECIDE)])
    inputs = settings.inputs_by_step
    if found or inputs:
        for each in bound:
            each.config = found.get(each.flat.key)
            each.constants = {**each.constants, **inputs.get(each.flat.key, {})}
    return bound


def recorded_in(instance: Instance) -> Callable[[Sequence[str]], AbstractSet[str]]:
    """Tells which of some assets have a recorded materialization."""
    return lambda keys: instance.record.latest(keys).keys()


def asset_target(
    definitions: Definitions,
    selection: Selection,
    *,
    instance: Instance,
    job: str = EVERYTHING,
    policy: str | Policy | None = None,
    tags: Mapping[str, str] | None = None,
    executor: ExecutorChoice | None = None,
    run_config: Given = None,
    defaults: Any = None,
    recorded: Mapping[str, Any] | None = None,
    may_be_none: bool = False,
    retry: RetryPolicy | None = None,
    hooks: frozenset[HookDefinition] = frozenset(),
) -> AssetTarget:
    """The assets of a selection; None: all that can be materialized. `run_config` is laid over the job's `defaults`;
    `retry` and `hooks` are the job's.
    `may_be_none`: where there are no assets, nothing is to be done, and that is no mistake.

    Raises:
        InvalidDefinitionError: the definitions cannot work.
        InvalidSubsetError: the selection selects nothing, or something that does not exist.
    """
    chosen = AssetSelection.all() if selection is None else selection_of(selection)
    how = policy_of(policy)
    project = resolve(definitions)
    keys = frozenset[AssetKey]()
    if project.graph.nodes or not (selection is None or isinstance(selection, All)) or not may_be_none:
        text = str(selection) if selection is not None else "*"
        keys = select_to_run(project.graph, chosen, text, recorded_in(instance))
    units = project.graph.units
    settings = Settings(
        run_config,
        {unit.name: unit.definition.node_def for unit in units},
        defaults=defaults,
        recorded=recorded,
        asked={unit.name for unit in units if not unit.definition.specs_by_key.keys().isdisjoint(keys)},
        owner=job,
    )
    return AssetTarget(
        project,
        keys,
        job,
        how,
        dict(tags or {}),
        settings,
        executor=executor or definitions.executor,
        retry=retry,
        hooks=hooks,
    )


def job_target(
    definitions: Definitions,
    name: str,
    *,
    instance: Instance,
    selection: Selection = None,
    policy: str | Policy | None = None,
    tags: Mapping[str, str] | None = None,
    run_config: Given = None,
    recorded: Mapping[str, Any] | None = None,
    ops: Sequence[str] | None = None,
) -> Target:
    """What a job of the definitions runs. `ops` are those of a job of ops that are wanted.

    Raises:
        UnknownJob: there is none of this name.
        InvalidDefinitionError: the definitions cannot work.
    """
    project = resolve(definitions)
    job = project.jobs.get(name)
    if job is None:
        raise UnknownJob(name, sorted(project.jobs), near_misses(name, project.jobs))
    if isinstance(job, AssetJob):
        chosen = job.selection if selection is None else job.selection & selection_of(selection)
        return asset_target(
            definitions,
            chosen,
            instance=instance,
            job=name,
            policy=policy,
            may_be_none=True,  # a job of all assets may stand before the first one
            tags={**job.run_tags, **(tags or {})},
            executor=job.executor_def,
            run_config=run_config,
            defaults=job.config,
            recorded=recorded,
            retry=job.retry_policy,
            hooks=job.hooks,
        )
    return graph_target(
        job,
        resources=project.resources,
        tags=tags,
        project=project,
        selection=ops,
        run_config=run_config,
        recorded=recorded,
        executor=job.executor_def or definitions.executor,
    )


def graph_target(
    definition: JobDefinition | GraphDefinition,
    *,
    resources: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
    project: Project | None = None,
    selection: Sequence[str] | None = None,
    executor: ExecutorChoice | None = None,
    run_config: Given = None,
    recorded: Mapping[str, Any] | None = None,
) -> GraphTarget:
    """What a job of ops runs. Where there is no `selection` of ops, a job's own holds.

    Raises:
        InvalidDefinitionError: an input that nobody provides, a resource that is not there.
    """
    graph = definition.graph if isinstance(definition, JobDefinition) else definition
    own: Mapping[str, Any] = definition.resource_defs if isinstance(definition, JobDefinition) else {}
    values: Mapping[str, Any] = definition.input_values if isinstance(definition, JobDefinition) else {}
    if selection is None and isinstance(definition, JobDefinition):
        selection = definition.op_selection
    if isinstance(selection, str):
        selection = [selection]
    flat = flatten(graph)
    read = _assets_read(flat)
    if read and project is None:
        project = resolve(Definitions(assets=read))
    everything = {**(resources or {}), **own}
    settings = Settings(
        run_config,
        {name: node.definition for name, node in graph.nodes.items()},
        defaults=definition.config if isinstance(definition, JobDefinition) else None,
        recorded=recorded,
        graph=graph,
        owner=definition.name,
    )
    inputs = {**values, **settings.inputs, **(given or {})}
    labels = definition.run_tags if isinstance(definition, JobDefinition) else definition.tags
    chosen = _chosen(flat, selection) if selection else None
    steps = [step for step in flat.steps if chosen is None or step.key in chosen]
    job = definition if isinstance(definition, JobDefinition) else None
    hooks = job.hooks if job is not None else frozenset[HookDefinition]()
    seen = set[str]()
    refuse(
        [
            *(
                UnknownInputValue(definition.name, name, list(graph.ins), graph.source)
                for name in {**values, **(given or {})}
                if name not in graph.ins
            ),
            *unprovided(steps, inputs, settings.inputs_by_step),
            *missing_resources(steps, everything, {}, seen),
            *without_resources(steps, [hooks], everything, seen),
            *bad_defaults(steps, everything.values(), set()),
            *disagreements(flat.steps, everything),
        ]
    )
    return GraphTarget(
        definition.name,
        flat,
        everything,
        {**labels, **(tags or {})},
        inputs,
        definition,
        settings,
        project,
        chosen,
        tuple(selection or ()),
        executor=executor,
        retry=job.retry_policy if job is not None else None,
        hooks=hooks,
    )


def _assets_read(flat: Flat) -> list[AssetSpec]:
    """The external assets that stand as values in a graph's body."""
    constants = [origin for step in flat.steps for origin in step.inputs.values() if isinstance(origin, Constant)]
    return list({each.value.key: each.value for each in constants if isinstance(each.value, AssetSpec)}.values())


class UnknownInputValue(InvalidDefinitionError):
    """A value for an input that the graph does not have."""

    def __init__(self, owner: str, name: str, known: Sequence[str], where: Source) -> None:
        self.owner, self.name, self.known = owner, name, tuple(known)
        meant = near_misses(name, known, most=1) or list(known)
        super().__init__(
            f"`input_values` has a value for `{name}`, and `{owner}` has no top-level input of that name",
            where=where,
            fix=f"name one that it has: {', '.join(f'`{each}`' for each in meant)}" if meant else "leave it out",
        )


class UnknownOps(InvalidSubsetError):
    """A selection of ops with a name that the job does not have."""

    def __init__(self, selection: Sequence[str], unknown: UnknownStep) -> None:
        self.selection, self.unknown = tuple(selection), unknown
        what = unknown.what[:1].lower() + unknown.what[1:]
        super().__init__(
            f"No qualified ops to execute found for op_selection={list(selection)}: {what}", fix=unknown.fix
        )


def _chosen(flat: Flat, selection: Sequence[str]) -> frozenset[str]:
    whole = plan_graph(flat, job="")
    try:
        return frozenset(whole.steps[i].key for i in steps_named(whole, selection))
    except UnknownStep as unknown:
        raise UnknownOps(selection, unknown) from None
