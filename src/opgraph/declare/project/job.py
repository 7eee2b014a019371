"""Jobs: a graph of ops, or a selection of assets, under a name."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, overload

from opgraph.declare import ports
from opgraph.declare.accepted import expect
from opgraph.declare.assets.selection import AssetSelection, CoercibleToAssetSelection, selection_of
from opgraph.declare.assets.selection_words import InvalidSelectionError
from opgraph.declare.frozen import Frozen, made, replaced
from opgraph.declare.graphs.config_mapping import checked_config
from opgraph.declare.graphs.graph import composed
from opgraph.declare.graphs.graph_definition import JobDefinition
from opgraph.declare.labels import checked_name, checked_tags, memoized_tags
from opgraph.declare.mistakes import gathering, owner_of, report
from opgraph.declare.ops.hooks import HookDefinition, checked_hooks
from opgraph.declare.retry import RetryPolicy
from opgraph.declare.unsupported import refuse
from opgraph.errors import Source


class AssetJob(Frozen):
    """A selection of assets that is run under a name. Made by `define_asset_job`."""

    __slots__ = (
        "config", "description", "executor_def", "hooks", "metadata", "name", "retry_policy", "run_tags", "selection",
        "source", "tags",
    )  # fmt: skip

    name: str
    selection: AssetSelection
    config: Any  # a dict of defaults, a RunConfig, or a ConfigMapping; None: nothing
    description: str | None
    tags: Mapping[str, str]
    run_tags: Mapping[str, str]
    metadata: Mapping[str, Any]
    executor_def: Any
    retry_policy: RetryPolicy | None
    hooks: frozenset[HookDefinition]
    source: Source | None

    def with_metadata(self, metadata: Mapping[str, Any] | None) -> "AssetJob":
        """A copy with other metadata."""
        return replaced(self, metadata=dict(metadata or {}))

    def resolve(self, asset_graph: Any, resource_defs: Mapping[str, Any] | None = None) -> JobDefinition:
        """The job as one of ops, ready to run. `Definitions.resolve_job_def` does the same by name.

        Args:
            asset_graph: the assets to select from: what `Definitions.resolve_asset_graph` gives.
            resource_defs: objects by resource key, beside those of the definitions.

        Raises:
            InvalidDefinitionError: the assets cannot be made that way.

        Example:
            >>> nightly.resolve(defs.resolve_asset_graph()).execute_in_process()
        """
        definitions = asset_graph.definitions
        resources = {**definitions.resources, **(resource_defs or {})}
        return ports.runner().resolve_job(replaced(definitions, jobs=[self], resources=resources), self.name)


def define_asset_job(
    name: str,
    selection: CoercibleToAssetSelection | None = None,
    config: Any = None,
    description: str | None = None,
    tags: Mapping[str, object] | None = None,
    run_tags: Mapping[str, object] | None = None,
    metadata: Mapping[str, Any] | None = None,
    partitions_def: Any = None,
    executor_def: Any = None,
    hooks: AbstractSet[HookDefinition] | None = None,
    op_retry_policy: RetryPolicy | None = None,
    owners: Sequence[str] | None = None,
    automation_condition: Any = None,
    memoize: bool | None = None,
) -> AssetJob:
    """A job that makes a selection of assets. It knows its assets once it is in `Definitions`.

    Args:
        name: the job's name.
        selection: which assets: an AssetSelection, its text, keys or definitions; by default all.
        config: what its runs are configured with: a dict or RunConfig of defaults, or a ConfigMapping.
        description: for people.
        tags: labels of the job.
        run_tags: labels of its runs; by default `tags`.
        metadata: facts for people.
        partitions_def: not supported yet.
        executor_def: the executor that runs it.
        hooks: functions that are called when its steps have ended.
        op_retry_policy: how often a failed step is tried again, where its op or asset does not say it.
        owners: not supported yet.
        automation_condition: not supported yet.
        memoize: whether its ops reuse stored values while code, configuration and inputs are the same, where they do
            not say otherwise.

    Raises:
        InvalidDefinitionError: a name, tag or selection that is not valid.

    Example:
        >>> define_asset_job("nightly", "group:reports").name
        'nightly'
    """
    refuse(
        "define_asset_job",
        {
            "partitions_def": partitions_def,
            "owners": owners,
            "automation_condition": automation_condition,
        },
    )
    where = Source.of_caller()
    expect(owner_of("job", name), where, description=description, tags=tags, run_tags=run_tags, metadata=metadata,
           memoize=memoize, op_retry_policy=op_retry_policy)  # fmt: skip
    labels = memoized_tags(checked_tags(owner_of("job", name), tags, where), memoize)
    return made(
        AssetJob,
        name=checked_name("job", name, where),
        selection=_selected(selection, where),
        config=checked_config(owner_of("job", name), config, where, of_run=True),
        description=description,
        tags=labels,
        run_tags=labels if run_tags is None else checked_tags(owner_of("job", name), run_tags, where),
        metadata=dict(metadata or {}),
        executor_def=executor_def,
        retry_policy=op_retry_policy,
        hooks=checked_hooks(owner_of("job", name), "hooks", hooks, where),
        source=where,
    )


def _selected(selection: CoercibleToAssetSelection | None, where: Source | None) -> AssetSelection:
    try:
        return AssetSelection.all() if selection is None else selection_of(selection)
    except InvalidSelectionError as unreadable:
        unreadable.where = where
        report(unreadable)
        return AssetSelection.all()


@overload
def job(compose_fn: Callable[..., Any]) -> JobDefinition: ...


@overload
def job(
    *,
    name: str | None = ...,
    description: str | None = ...,
    resource_defs: Mapping[str, object] | None = ...,
    config: Any = ...,
    tags: Mapping[str, Any] | None = ...,
    run_tags: Mapping[str, Any] | None = ...,
    metadata: Mapping[str, Any] | None = ...,
    logger_defs: Mapping[str, Any] | None = ...,
    executor_def: Any = ...,
    hooks: AbstractSet[HookDefinition] | None = ...,
    op_retry_policy: RetryPolicy | None = ...,
    partitions_def: Any = ...,
    input_values: Mapping[str, object] | None = ...,
    owners: Sequence[str] | None = ...,
    memoize: bool | None = ...,
) -> Callable[[Callable[..., Any]], JobDefinition]: ...


def job(
    compose_fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    resource_defs: Mapping[str, object] | None = None,
    config: Any = None,
    tags: Mapping[str, Any] | None = None,
    run_tags: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    logger_defs: Mapping[str, Any] | None = None,
    executor_def: Any = None,
    hooks: AbstractSet[HookDefinition] | None = None,
    op_retry_policy: RetryPolicy | None = None,
    partitions_def: Any = None,
    input_values: Mapping[str, object] | None = None,
    owners: Sequence[str] | None = None,
    memoize: bool | None = None,
) -> JobDefinition | Callable[[Callable[..., Any]], JobDefinition]:
    """Make a job of a function that calls ops and graphs, as in `graph`.

    Args:
        compose_fn: the function.
        name: the job's name, by default the function's.
        description: for people, by default the docstring.
        resource_defs: objects by resource key.
        config: what its runs are configured with: a dict or RunConfig of defaults, or a ConfigMapping.
        tags: labels of the job.
        run_tags: labels of its runs; by default `tags`.
        metadata: facts for people.
        logger_defs: not supported yet.
        executor_def: the executor that runs it.
        hooks: functions that are called when its steps have ended.
        op_retry_policy: how often a failed step is tried again, where its op or asset does not say it.
        partitions_def: not supported yet.
        input_values: values for the function's parameters.
        owners: not supported yet.
        memoize: whether its ops reuse stored values while code, configuration and inputs are the same, where they do
            not say otherwise.

    Raises:
        InvalidDefinitionError: it cannot work; the message names the place and the fix.

    Example:
        >>> @job
        ... def nightly():
        ...     report(load())
    """

    @gathering
    def decorate(fn: Callable[..., Any]) -> JobDefinition:
        own = name if name is not None else getattr(fn, "__name__", "it")
        expect(owner_of("job", own), tags=tags)
        return JobDefinition(
            graph_def=composed(fn, kind="job", name=own, description=description),
            resource_defs=resource_defs,
            executor_def=executor_def,
            logger_defs=logger_defs,
            config=config,
            partitions_def=partitions_def,
            tags=tags if memoize is None else memoized_tags(dict(tags or {}), memoize),
            run_tags=run_tags,
            metadata=metadata,
            hook_defs=hooks,
            op_retry_policy=op_retry_policy,
            input_values=input_values,
            owners=owners,
        )

    return decorate(compose_fn) if compose_fn is not None else decorate
