"""Contexts and resources made by hand, for tests of what takes them."""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from opgraph.declare.ops.viewed import type_view
from opgraph.declare.settings.recipe import InitResourceContext
from opgraph.errors import NotYetSupportedError, Source
from opgraph.keys import AssetKey, CoercibleToAssetKey
from opgraph.run import mistakes
from opgraph.run.call.context import AssetExecutionContext, OpExecutionContext, RunSide
from opgraph.run.instance import Instance
from opgraph.run.resources import Opened, Resources, Scope
from opgraph.values.context import InputContext, OutputContext

_LOG = logging.getLogger("opgraph")


class BuiltInitResourceContext(InitResourceContext):
    """An InitResourceContext made by hand; a context manager too."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope, config: Any, instance: Any, run_id: str | None) -> None:
        super().__init__(resource_config=config, instance=instance, run_id=run_id)
        self._scope = scope

    @property
    def resources(self) -> Resources:
        """The resources, as attributes."""
        return self._scope.resources

    @resources.setter
    def resources(self, value: Any) -> None: ...

    def __enter__(self) -> Self:
        self._scope.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._scope.leave()


def build_init_resource_context(
    config: Any = None, resources: Mapping[str, Any] | None = None, instance: Any = None, run_id: str | None = None
) -> BuiltInitResourceContext:
    """A context to call a resource's function with, as tests do. Where one of `resources` must be put away, use it in a
    `with` statement.

    Args:
        config: what `context.resource_config` is.
        resources: by key, what `context.resources` has: objects, or what they are made of.
        instance: what `context.instance` is, by default an empty one of its own.
        run_id: what `context.run_id` is.

    Example:
        >>> client(build_init_resource_context(resources={"host": "localhost"}))
    """
    used = instance or Instance.ephemeral()
    scope = Scope("build_init_resource_context", resources or {}, instance=used)
    return BuiltInitResourceContext(scope, config, used, run_id)


@contextmanager
def build_resources(
    resources: Mapping[str, Any],
    instance: Any = None,
    resource_config: Mapping[str, Any] | None = None,
    dagster_run: Any = None,
    log_manager: Any = None,
) -> Generator[Resources]:
    """Make resources as a run does, for a `with` statement, at whose end they are put away.

    Args:
        resources: objects and what they are made of, by key.
        instance: what `context.instance` is where they are made.
        resource_config: settings by key, each as `{"config": {...}}`.
        dagster_run: what `context.run` is where they are made.
        log_manager: what `context.log` is where they are made.

    Example:
        >>> with build_resources({"warehouse": Warehouse(url="db")}) as resources:
        ...     resources.warehouse.rows("flights")
        ['db/flights/0', 'db/flights/1']
    """
    settings: dict[str, Any] = {
        key: each["config"] if isinstance(each, Mapping) and "config" in each else each
        for key, each in (resource_config or {}).items()
    }
    run_id = getattr(dagster_run, "run_id", None)
    log = log_manager or _LOG
    with Opened(resources, settings, run=dagster_run, run_id=run_id, instance=instance, log=log) as opened:
        opened.make_ready(frozenset(opened))
        yield Resources(opened)


def build_output_context(
    step_key: str | None = None,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    definition_metadata: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    mapping_key: str | None = None,
    dagster_type: Any = None,
    version: str | None = None,
    resource_config: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | None = None,
    op_def: Any = None,
    asset_key: CoercibleToAssetKey | None = None,
    partition_key: str | None = None,
    output_metadata: Mapping[str, Any] | None = None,
) -> OutputContext:
    """A context to call `handle_output` with, as tests do. Afterwards, `context.added_metadata` and `context.location`
    have what the I/O manager said.

    Args:
        step_key: the step that made the value.
        name: the output's name.
        metadata: the metadata that was declared, as `definition_metadata`.
        definition_metadata: the metadata that was declared for the output or the asset.
        run_id: the run of that step.
        mapping_key: which value of a fan-out this is.
        dagster_type: the declared type.
        version: the code version of the output.
        resource_config: the configuration of the I/O manager.
        resources: by key, what `context.resources` has.
        op_def: the op's definition.
        asset_key: the asset that the value materializes.
        partition_key: not supported yet.
        output_metadata: the metadata that came with the value.

    Example:
        >>> context = build_output_context(asset_key="table")
        >>> manager.handle_output(context, [1, 2])
    """
    if partition_key is not None:
        raise NotYetSupportedError("partition_key")
    return OutputContext(
        name=name if name is not None else "result",
        step_key=step_key or "",
        run_id=run_id or "",
        key=AssetKey.from_coercible(asset_key) if asset_key is not None else None,
        definition_metadata=definition_metadata if definition_metadata is not None else metadata or {},
        output_metadata=output_metadata or {},
        dagster_type=_viewed(dagster_type),
        resources=Resources(Opened(resources or {})),
        resource_config=resource_config,
        op_def=op_def,
        version=version,
        mapping_key=mapping_key,
    )


def build_input_context(
    name: str | None = None,
    config: Any = None,
    metadata: Mapping[str, Any] | None = None,
    definition_metadata: Mapping[str, Any] | None = None,
    upstream_output: OutputContext | None = None,
    dagster_type: Any = None,
    resource_config: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | None = None,
    op_def: Any = None,
    step_context: Any = None,
    asset_key: CoercibleToAssetKey | None = None,
    partition_key: str | None = None,
    instance: Any = None,
    run_id: str | None = None,
) -> InputContext:
    """A context to call `load_input` with, as tests do.

    Args:
        name: the input's name.
        config: not supported.
        metadata: the metadata that was declared, as `definition_metadata`.
        definition_metadata: the metadata that was declared for the input.
        upstream_output: what stored the value; made by `build_output_context`.
        dagster_type: the declared type, which managers of tables load.
        resource_config: the configuration of the I/O manager.
        resources: by key, what `context.resources` has.
        op_def: the op's definition.
        step_context: not supported.
        asset_key: the asset that is loaded.
        partition_key: not supported yet.
        instance: what `context.instance` is.
        run_id: the run that loads it.

    Example:
        >>> manager.load_input(build_input_context(asset_key="table", upstream_output=context))
        [1, 2]
    """
    for given, what in ((partition_key, "partition_key"), (config, "config"), (step_context, "step_context")):
        if given is not None:
            raise NotYetSupportedError(what)
    return InputContext(
        input_name=name,
        run_id=run_id or "",
        upstream_output=upstream_output,
        key=AssetKey.from_coercible(asset_key) if asset_key is not None else None,
        definition_metadata=definition_metadata if definition_metadata is not None else metadata or {},
        dagster_type=_viewed(dagster_type),
        resources=Resources(Opened(resources or {})),
        resource_config=resource_config,
        op_def=op_def,
        instance=instance,
    )


def build_op_context(
    resources: Mapping[str, Any] | None = None,
    op_config: Any = None,
    instance: Any = None,
    partition_key: str | None = None,
    run_tags: Mapping[str, str] | None = None,
    selected_output_names: Sequence[str] | None = None,
    config: Any = None,
    mapping_key: str | None = None,
    run_id: str | None = None,
) -> OpExecutionContext:
    """A context to call an op directly with, as tests do.

    Args:
        resources: objects by key.
        op_config: the op's configuration.
        instance: what `context.instance` is, by default an empty one of its own.
        partition_key: not supported yet.
        run_tags: what `context.run_tags` is.
        selected_output_names: what `context.selected_output_names` is, by default all.
        config: the same as `op_config`.
        mapping_key: what `context.get_mapping_key()` is.
        run_id: what `context.run_id` is, by default `EPHEMERAL`.

    Raises:
        InvalidInvocationError: `config` and `op_config` together.

    Example:
        >>> count(build_op_context(resources={"limit": 10}), [1, 2])
        2
    """
    if config is not None and op_config is not None:
        raise mistakes.ConfigTwice("build_op_context", where=Source.of_caller())
    side = _side("build_op_context", resources, instance, partition_key, run_tags, run_id)
    selected = None if selected_output_names is None else frozenset(selected_output_names)
    return OpExecutionContext(
        None,
        side,
        selected=selected,
        is_subset=selected is not None,
        config=config if op_config is None else op_config,
        mapping_key=mapping_key,
    )


def build_asset_context(
    resources: Mapping[str, Any] | None = None,
    asset_config: Any = None,
    instance: Any = None,
    partition_key: str | None = None,
    run_tags: Mapping[str, str] | None = None,
    selected_output_names: Sequence[str] | None = None,
    run_id: str | None = None,
) -> AssetExecutionContext:
    """A context to call an asset's function directly with, as tests do.

    Args:
        resources: objects by key.
        asset_config: the asset's configuration.
        instance: what `context.instance` is, by default an empty one of its own.
        partition_key: not supported yet.
        run_tags: what `context.run_tags` is.
        selected_output_names: what `context.selected_output_names` is, by default all.
        run_id: what `context.run_id` is, by default `EPHEMERAL`.

    Example:
        >>> table(build_asset_context())
        3
    """
    side = _side("build_asset_context", resources, instance, partition_key, run_tags, run_id)
    selected = None if selected_output_names is None else frozenset(selected_output_names)
    return AssetExecutionContext(None, side, selected=selected, is_subset=selected is not None, config=asset_config)


def _viewed(kind: Any) -> Any:
    return kind if hasattr(kind, "typing_type") else type_view(... if kind is None else kind, ...)


def _side(
    builder: str,
    resources: Mapping[str, Any] | None,
    instance: Any,
    partition_key: str | None,
    run_tags: Mapping[str, str] | None,
    run_id: str | None,
) -> RunSide:
    if partition_key is not None:
        raise NotYetSupportedError("partition_key")
    used = instance or Instance.ephemeral()
    scope = Scope(builder, resources or {}, instance=used)
    return RunSide(run_id or "EPHEMERAL", tags=run_tags or {}, instance=used, builder=builder, scope=scope)
