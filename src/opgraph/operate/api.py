"""The functions that run things from Python: `materialize`, `execute_in_process` and what loads a value."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from msgspec import structs

from opgraph.declare.accepted import expect
from opgraph.declare.frozen import replaced
from opgraph.declare.graphs.graph_definition import GraphDefinition, JobAssets, JobDefinition, ops_of
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.executor import ExecutorChoice, in_process_executor
from opgraph.declare.project.job import AssetJob
from opgraph.declare.project.reconstruct import ReconstructableJob
from opgraph.declare.project.reexecution import ReexecutionOptions
from opgraph.declare.unsupported import refuse
from opgraph.errors import (
    InvalidInvocationError,
    Source,
    StepFailedError,
    UnknownRun,
    show_own_code_only,
)
from opgraph.events import Kept, Place, RunStatus
from opgraph.keys import AssetKey, CoercibleToAssetKey, near_misses
from opgraph.operate.asset_job import job_of_assets
from opgraph.operate.asset_view import AssetGraphView
from opgraph.operate.cancel import RunCanceledError
from opgraph.operate.execute import Driving, RunOutcome, start
from opgraph.operate.memo import with_memo_of_all
from opgraph.operate.mistakes import ManagersInMemory, NotMadeByRun, RunIdTaken
from opgraph.operate.planning import past_of, row_of, trouble_in, what_failed
from opgraph.operate.target import EVERYTHING, AssetTarget, Selection, Target, asset_target, graph_target, job_target
from opgraph.plan.jobs import IO_MANAGER
from opgraph.plan.model import Plan, Policy, decode_plan
from opgraph.plan.past import place_of
from opgraph.plan.reuse import from_steps, only_steps
from opgraph.record.rows import RunRow
from opgraph.resolve.config import Given
from opgraph.resolve.mistakes import UnknownSelected
from opgraph.resolve.project import resolve
from opgraph.run.call.invoke import invoke
from opgraph.run.captured import Captured
from opgraph.run.instance import Instance
from opgraph.run.report.made import Made
from opgraph.run.resources import Opened, open_resource
from opgraph.run.results import ExecuteInProcessResult
from opgraph.run.store.lookup import latest_stored
from opgraph.run.store.managers import Managers
from opgraph.run.store.missing import AssetValueLost
from opgraph.run.store.shelf import Shelf
from opgraph.values.manager import InMemoryIOManager, IOManager
from opgraph.values.problems import ValueLostError

_HERE: Driving = {"forward": True, "hold": True}  # a run in the caller's own process, who has the values as they came


def materialize(
    assets: Iterable[Any],
    run_config: Any = None,
    instance: Instance | None = None,
    resources: Mapping[str, object] | None = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
    selection: Selection = None,
    *,
    unselected: str | Policy | None = None,
    executor: ExecutorChoice | str | None = None,
    timeout: float | None = None,
) -> ExecuteInProcessResult:
    """Materialize assets.

    Args:
        assets: definitions of assets, and specs of external ones.
        run_config: the configuration of the ops, as a dict or a RunConfig.
        instance: where the run is recorded and values are stored; by default in memory, gone afterwards.
        resources: objects by resource key; an I/O manager under `io_manager` replaces the default one.
        partition_key: not supported yet.
        raise_on_error: whether a failed step raises its error here.
        tags: labels of the run.
        selection: which of the assets; by default all.
        unselected: what to do with assets that come though nobody selected them: `materialize` (default), `discard` or
            `error`.
        executor: who runs the ops: `in_process` (default), `threads`, `async`, `processes`, or one of the executors
            with settings, such as `multiprocess_executor.configured({"max_concurrent": 4})`.
        timeout: seconds that the run may take.

    Returns:
        What happened, with the values.

    Raises:
        InvalidDefinitionError: the definitions cannot work, or the selection cannot be run (InvalidSubsetError).
        Exception: what a step raised, unless `raise_on_error` is False.

    Example:
        >>> @asset
        ... def one():
        ...     return 1
        >>> materialize([one]).output_for_node("one")
        1
    """
    refuse("materialize", {"partition_key": partition_key})
    expect("`materialize`", resources=resources, tags=tags)
    defs = Definitions(assets=_listed(assets, "materialize"), resources=dict(resources or {}))
    owner = instance or Instance.ephemeral()
    target = asset_target(
        defs, selection, instance=owner, policy=unselected, tags=tags, run_config=run_config, may_be_none=True
    )
    with owner.record.planning() as gate:
        outcome = start(
            target, target.plan(owner), owner, gate=gate, **{**_HERE, "executor": executor, "timeout": timeout}
        )
    return _finish(target, outcome, owner, raise_on_error=raise_on_error)


def materialize_to_memory(
    assets: Iterable[Any],
    run_config: Any = None,
    instance: Instance | None = None,
    resources: Mapping[str, object] | None = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
    selection: Selection = None,
) -> ExecuteInProcessResult:
    """Materialize assets without storing anything: every value stays an object of this process. For tests.

    Args and result: see `materialize`.

    Raises:
        InvariantViolationError: a resource is given under the key of an I/O manager.
    """
    refuse("materialize_to_memory", {"partition_key": partition_key})
    given = dict(resources or {})
    definitions = _listed(assets, "materialize_to_memory")
    keys = {"io_manager"} | {
        key
        for each in definitions
        for key in (*getattr(each, "io_manager_keys", {}).values(), *_managers_of(getattr(each, "node_def", None)))
    }
    clash = sorted(
        key for key in keys if key in given or any(key in getattr(each, "resource_defs", {}) for each in definitions)
    )
    clash += sorted(key for key, value in given.items() if isinstance(value, IOManager) and key not in clash)
    if clash:
        raise ManagersInMemory(clash)
    memory = InMemoryIOManager()
    return materialize(
        definitions,
        run_config=run_config,
        instance=instance,
        resources={**given, **dict.fromkeys(keys, memory)},
        raise_on_error=raise_on_error,
        tags=tags,
        selection=selection,
    )


class NotAList(InvalidInvocationError):
    """One asset, or something else, where a list of assets is taken."""

    def __init__(self, function: str, given: object) -> None:
        self.function, self.given = function, given
        name = getattr(given, "node_name", None)
        what = f"the asset `{name}` itself" if name else f"something of type {type(given).__name__}"
        super().__init__(
            f"`{function}` was given {what} and takes a list of assets",
            where=Source.of_caller(),
            fix=f"write `{function}([{name or '...'}])`"
            + ("; the assets of Definitions are its `.assets`" if isinstance(given, Definitions) else ""),
        )


def _listed(assets: Any, function: str) -> list[Any]:
    if isinstance(assets, (str, bytes, Mapping)) or not isinstance(assets, Iterable):
        raise NotAList(function, cast("object", assets))
    return list(cast("Iterable[Any]", assets))


def _without(asset: Any, keys: Collection[str]) -> Any:
    """What makes an asset, without the resources under these keys that it brings: others were given for this run."""
    own: Mapping[str, Any] = getattr(asset, "resource_defs", {})
    if own.keys().isdisjoint(keys):
        return asset
    return replaced(asset, resource_defs={key: own[key] for key in own if key not in keys})


def _managers_of(node: Any) -> Iterable[str]:
    """The I/O managers that the ops of a definition name."""
    if isinstance(node, GraphDefinition):
        for _, op in node.ops():
            yield from _managers_of(op)
    elif node is not None:
        yield from (out.io_manager_key for out in node.outs.values() if out.io_manager_key)


def execute_job(
    job: JobDefinition | ReconstructableJob,
    instance: Instance,
    run_config: Any = None,
    tags: Mapping[str, str] | None = None,
    raise_on_error: bool = False,
    op_selection: Sequence[str] | None = None,
    reexecution_options: ReexecutionOptions | None = None,
    asset_selection: Sequence[CoercibleToAssetKey] | None = None,
) -> ExecuteInProcessResult:
    """Run a job and record it in an instance, perhaps going on from an earlier run.

    Args:
        job: the job.
        instance: where to record.
        run_config: the configuration of the ops, as a dict or a RunConfig.
        tags: labels of the run.
        raise_on_error: whether a failed step raises its error here.
        op_selection: the ops to run.
        reexecution_options: the earlier run, and which of its steps to run again.
        asset_selection: the assets to make, where the job makes assets.

    Raises:
        RunNotFoundError: the earlier run is not in the instance.
        ExecutionStepNotFoundError: a step is named that the job does not have.
    """
    return _execute(
        job.get_definition() if isinstance(job, ReconstructableJob) else job,
        run_config=run_config,
        instance=instance,
        tags=tags,
        raise_on_error=raise_on_error,
        op_selection=op_selection,
        asset_selection=asset_selection,
        reexecution=reexecution_options,
        executor=getattr(job, "executor_def", None),
    )


def validate_run_config(job: JobDefinition | GraphDefinition, run_config: Given = None) -> dict[str, Any]:
    """Check a run configuration against a job, without running it.

    Args:
        job: the job.
        run_config: as `execute_in_process` takes it.

    Returns:
        The configuration as plain data, with that of each op as it would run: defaults filled in, secrets masked,
        environment variables by name.

    Raises:
        InvalidConfigError: it does not fit; where several things are wrong, all of them.

    Example:
        >>> validate_run_config(nightly, {"ops": {"clean": {"config": {"threshold": 0.3}}}})["ops"]
        {'clean': {'config': {'threshold': 0.3}}}
    """
    instance = Instance.ephemeral()
    if isinstance(job, JobDefinition) and job.assets is not None:
        target = _target_of_assets(job, job.assets, instance, None, None, run_config)
    else:
        target = graph_target(job, run_config=run_config)
    plan = target.plan(instance)
    checked: dict[str, Any] = {**plan.config, "ops": {}}
    for step in plan.steps:
        if step.config is not None:
            *graphs, name = step.node.split(".")
            ops = checked["ops"]
            for graph in graphs:
                ops = ops.setdefault(graph, {}).setdefault("ops", {})
            ops[name] = {"config": step.config}
    return checked


def _execute(
    job: JobDefinition | GraphDefinition,
    *,
    run_config: Any = None,
    instance: Instance | None = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    op_selection: Sequence[str] | None = None,
    asset_selection: Sequence[CoercibleToAssetKey] | None = None,
    run_id: str | None = None,
    input_values: Mapping[str, object] | None = None,
    tags: Mapping[str, str] | None = None,
    resources: Mapping[str, object] | None = None,
    reexecution: ReexecutionOptions | None = None,
    executor: ExecutorChoice | None = in_process_executor,
) -> ExecuteInProcessResult:
    refuse("execute_in_process", {"partition_key": partition_key})
    owner = instance or Instance.ephemeral()
    if run_id is not None and owner.has_run(run_id):
        raise RunIdTaken(run_id)
    parent = row_of(owner, reexecution.parent_run_id) if reexecution is not None else None
    if parent is not None and reexecution is not None and not reexecution.step_selection:
        then = decode_plan(parent.plan)  # what that run was asked for, unless something else is
        op_selection = op_selection if op_selection is not None else then.ops or None
        asset_selection = asset_selection if asset_selection is not None else then.selection or None
    if isinstance(job, JobDefinition) and job.assets is not None:
        assets = job.assets
        if resources:
            known = assets.definitions
            whole, bare = {**known.resources, **resources}, [_without(each, resources) for each in known.assets]
            assets = structs.replace(assets, definitions=replaced(known, assets=bare, resources=whole))
        target = _target_of_assets(job, assets, owner, asset_selection, tags, run_config)
        target = replace(target, hooks=job.hooks)  # more may have been put on it
    else:
        if isinstance(job, JobDefinition):  # what is given here replaces what the job brings
            resources = {**job.resource_defs, **(resources or {})}
            job = replaced(job, resource_defs=resources)
        if instance is None:  # nothing outlives the call, so values need not be such as can be stored
            resources = {IO_MANAGER: InMemoryIOManager(), **(resources or {})}
        target = graph_target(
            job, resources=resources, tags=tags, given=input_values, selection=op_selection, run_config=run_config
        )
    with owner.record.planning() as gate:
        plan = target.plan(owner)
        if parent is not None and reexecution is not None:
            plan = _again(plan, parent, reexecution, owner, target)
        outcome = start(
            target, plan, owner, run_id=run_id or "", parent=parent, gate=gate, **{**_HERE, "executor": executor}
        )
    return _finish(target, outcome, owner, raise_on_error=raise_on_error)


def _target_of_assets(
    job: JobDefinition,
    assets: JobAssets,
    instance: Instance,
    selection: Sequence[CoercibleToAssetKey] | None,
    tags: Mapping[str, str] | None,
    run_config: Any,
) -> Target:
    """What a job over assets runs."""
    chosen: Selection = list(selection) if selection is not None else sorted(assets.part) if assets.part else None
    if assets.job is None:
        return asset_target(assets.definitions, chosen, instance=instance, tags=tags, run_config=run_config)
    return job_target(
        assets.definitions, job.name, instance=instance, selection=chosen, tags=tags, run_config=run_config
    )


def _again(plan: Plan, parent: RunRow, options: ReexecutionOptions, instance: Instance, target: Target) -> Plan:
    past, trouble = past_of(parent, instance), trouble_in(instance, target)
    if options.only_failed and not options.step_selection:
        return with_memo_of_all(what_failed(plan, past, trouble, parent), instance, target.resources)
    if options.step_selection:
        return only_steps(plan, past, trouble, options.step_selection)
    return from_steps(plan, past, trouble, [step.key for step in plan.steps])


def _finish(target: Target, outcome: RunOutcome, instance: Instance, *, raise_on_error: bool) -> ExecuteInProcessResult:
    if outcome.status is RunStatus.CANCELED:
        if outcome.canceled_by in ("SIGINT", "SIGTERM", "SIGHUP", "KeyboardInterrupt"):
            raise KeyboardInterrupt
        if raise_on_error:
            raise RunCanceledError(outcome.run_id, outcome.canceled_by)
    if raise_on_error and not outcome.success:
        raise error_of(outcome)
    return result_of(target, outcome, instance)


def error_of(outcome: RunOutcome) -> BaseException:
    """The user's exception of the first step that failed, with a note that names the step; a StepFailedError where it
    is not at hand, or where raising it would end the caller's Python."""
    found = outcome.exceptions.get(outcome.failed_step)
    if found is not None:
        show_own_code_only(found)
        if isinstance(found, Exception):
            with suppress(Exception):  # a user's class may refuse
                step = f"{_doing(outcome)} `{outcome.failed_step}` of" if outcome.failed_step else "in"
                found.add_note(f"{step} run {outcome.run_id}")
            return found
    text = outcome.error.told if outcome.error is not None else outcome.status.value
    failed = StepFailedError(
        f"step `{outcome.failed_step}` of run {outcome.run_id} failed: {text}"
        if outcome.failed_step
        else f"run {outcome.run_id} failed: {text}",
        step_key=outcome.failed_step,
        fix="the step raised what ends Python; raise an exception instead" if found is not None else "",
    )
    failed.__cause__ = found
    return failed


def _doing(outcome: RunOutcome) -> str:
    """What the step that failed was doing, up to its key."""
    error = outcome.error
    if error is not None and error.about and error.during == "store":
        return f"while storing output `{error.about}` of step"
    if error is not None and error.about and error.during == "load":
        return f"while loading input `{error.about}` of step"
    return "in step"


def result_of(target: Target, outcome: RunOutcome, instance: Instance) -> ExecuteInProcessResult:
    """What users look at afterwards."""
    row = instance.record.run(outcome.run_id)
    if row is None:
        raise UnknownRun(outcome.run_id)
    makers: dict[str, dict[int, str]] = {}

    def load(kept: Kept) -> Any:
        place, held = kept.stored.place, outcome.shelf.managers.held
        maker = ""
        if place is not Place.INLINE and place is not Place.FILE:  # a manager may want to know
            if kept.run not in makers:
                makers[kept.run] = _makers(kept.run, instance)
            maker = makers[kept.run].get(kept.seq, "")
        if kept.run == outcome.run_id and (maker, place_of(kept.stored)) in held:
            return held[maker, place_of(kept.stored)]
        return outcome.shelf.get(kept, None, "", "", step_key=maker)

    definition = getattr(target, "definition", None)
    return ExecuteInProcessResult(row, outcome.plan, instance, load, definition, target.project)


def _maker(kept: Kept, instance: Instance) -> str:
    """The key of the step that stored a value, which an I/O manager may want to know."""
    if kept.stored.place in (Place.INLINE, Place.FILE):
        return ""
    return _makers(kept.run, instance).get(kept.seq, "")


def _makers(run_id: str, instance: Instance) -> dict[int, str]:
    """The keys of the steps that a run's facts are about, by the facts' numbers."""
    row = instance.record.run(run_id)
    if row is None:
        return {}
    made = Made(decode_plan(row.plan))
    found: dict[int, str] = {}
    for seq, fact in instance.record.facts(run_id):
        made.add(seq, fact)
        step = getattr(fact, "step", -1)
        if 0 <= step < len(made.keys):
            found[seq] = made.keys[step]
    return found


def load_asset_value(
    definitions: Definitions,
    asset_key: CoercibleToAssetKey,
    *,
    run_id: str | None = None,
    instance: Instance | None = None,
    resources: Mapping[str, Any] | None = None,
    **others: Any,
) -> Any:
    """The stored value of an asset.

    Args:
        definitions: that hold the asset.
        asset_key: which asset.
        run_id: the run that made it; None: the latest.
        instance: where it is recorded; by default `Instance.get()`.
        resources: objects by key, beside those of the definitions.
        others: not supported yet.

    Raises:
        InvalidSubsetError: there is no such asset.
        RunNotFoundError: that run did not make it.
        ValueNotFoundError: it was never materialized, or its value is gone.
    """
    refuse("load_asset_value", others)
    owner = instance or Instance.get()
    project = resolve(definitions)
    key = AssetKey.from_coercible(asset_key)
    if key not in project.graph:
        near = near_misses(key.text, (other.text for other in project.graph.nodes))
        raise UnknownSelected(key.text, near, len(project.graph.nodes))
    given = {**project.resources, **(resources or {})}
    with Opened(given, instance=owner) as opened:
        shelf = Shelf(Managers(owner, "", EVERYTHING, opened, project, Captured()))
        if run_id is None:
            found = latest_stored(owner.record, key.text)
            if found is None:
                return shelf.load_unrecorded(key.text)
        else:
            found = next((each for each in owner.record.history(key.text) if each.run_id == run_id), None)
            if found is None:
                raise NotMadeByRun(run_id, key)
        kept = Kept(found.run_id, found.seq, found.stored)
        try:
            return shelf.get(kept, None, "", "", step_key=_maker(kept, owner))
        except ValueLostError as lost:
            raise AssetValueLost(key.text, lost.why, lost.location) from None


class InProcess:
    """What declarations call to have something done; see `declare/ports.py`."""

    def invoke(self, definition: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a definition's function directly."""
        return invoke(definition, args, kwargs)

    def execute(self, target: Any, **options: Any) -> ExecuteInProcessResult:
        """Run a job or a graph."""
        return _execute(target, **options)

    def load_value(self, definitions: Any, key: Any, **options: Any) -> Any:
        """Load the stored value of an asset."""
        return load_asset_value(definitions, key, **options)

    def open_resource(self, recipe: Any, *, keep: bool) -> Any:
        """Make a resource."""
        return open_resource(recipe, keep=keep)

    def resolve_job(self, definitions: Any, name: str) -> Any:
        """A job of the definitions, ready to run."""
        project = resolve(definitions)
        if name == EVERYTHING:
            return job_of_assets(definitions, project, project.graph.materializable, None)
        target = job_target(definitions, name, instance=Instance.ephemeral())  # refuses what cannot work
        job = project.jobs[name]
        if isinstance(job, AssetJob):
            assert isinstance(target, AssetTarget)
            return job_of_assets(definitions, project, target.keys, job)
        return replaced(job, resource_defs={**project.resources, **job.resource_defs})

    def subset(self, job: JobDefinition, op_selection: Any, asset_selection: Any) -> JobDefinition:
        """A job of which only a part is run."""
        if asset_selection is not None and job.assets is not None:
            part = frozenset(AssetKey.from_coercible(key) for key in asset_selection)
            unknown = sorted(part - job.assets.keys)
            if unknown:
                near = near_misses(unknown[0].text, [key.text for key in job.assets.keys])
                raise UnknownSelected(unknown[0].text, near, len(job.assets.keys))
            return replaced(job, assets=structs.replace(job.assets, part=part))
        chosen = None if op_selection is None else ops_of(op_selection)
        graph_target(job, selection=chosen, resources=job.resource_defs)  # refuses what cannot work
        return replaced(job, op_selection=chosen)

    def asset_graph(self, definitions: Any) -> AssetGraphView:
        """The assets of some definitions, resolved."""
        return AssetGraphView.of(definitions)
