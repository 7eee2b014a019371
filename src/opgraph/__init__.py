"""Assets computed by graphs of ops: durable, resumable at every op, and subsettable.

Everything a user needs is a name of this package. A name's module is imported when the name is first used, so
`import opgraph` costs almost nothing.
"""

import sys
from importlib import import_module
from types import TracebackType
from typing import Any

from opgraph.declare import ports

__version__ = "0.1.0"

# Which module holds which public names. `__init__.pyi` says the same to type checkers; a test compares the two.
_HOMES: dict[str, tuple[str, ...]] = {
    "opgraph.declare.ops.op": (
        "OpDefinition",
        "op",
    ),
    "opgraph.declare.ops.inputs": (
        "GraphIn",
        "In",
        "Nothing",
    ),
    "opgraph.declare.ops.outputs": (
        "GraphOut",
        "Out",
        "Output",
    ),
    "opgraph.declare.ops.dynamic": (
        "DynamicOut",
        "DynamicOutput",
    ),
    "opgraph.declare.graphs.graph": ("graph",),
    "opgraph.declare.settings.config": (
        "Config",
        "PermissiveConfig",
    ),
    "opgraph.declare.settings.env": ("EnvVar",),
    "opgraph.declare.settings.run_config": ("RunConfig",),
    "opgraph.declare.settings.scalars": (
        "Bool",
        "Float",
        "Int",
        "String",
    ),
    "opgraph.declare.graphs.config_mapping": (
        "ConfigMapping",
        "config_mapping",
    ),
    "opgraph.declare.graphs.wiring": (
        "DependencyDefinition",
        "InputMapping",
        "MultiDependencyDefinition",
        "NodeInvocation",
        "OutputMapping",
    ),
    "opgraph.declare.retry": (
        "Backoff",
        "Jitter",
        "RetryPolicy",
    ),
    "opgraph.declare.ops.hooks": (
        "HookExecutionResult",
        "failure_hook",
        "success_hook",
    ),
    "opgraph.run.step.hooks": (
        "HookContext",
        "build_hook_context",
    ),
    "opgraph.declare.project.job": (
        "define_asset_job",
        "job",
    ),
    "opgraph.declare.assets.asset": (
        "asset",
        "graph_asset",
        "graph_multi_asset",
        "multi_asset",
    ),
    "opgraph.declare.assets.assets_definition": ("AssetsDefinition",),
    "opgraph.keys": ("AssetKey",),
    "opgraph.declare.assets.spec": (
        "AssetDep",
        "AssetIn",
        "AssetOut",
        "AssetSpec",
        "SourceAsset",
    ),
    "opgraph.declare.assets.selection": ("AssetSelection",),
    "opgraph.declare.ops.materialization": (
        "AssetMaterialization",
        "AssetObservation",
        "DataVersion",
        "MaterializeResult",
    ),
    "opgraph.declare.assets.mapped": ("map_asset_specs",),
    "opgraph.declare.metadata": (
        "BoolMetadataValue",
        "DagsterAssetMetadataValue",
        "DagsterJobMetadataValue",
        "DagsterRunMetadataValue",
        "FloatMetadataValue",
        "IntMetadataValue",
        "JsonMetadataValue",
        "MarkdownMetadataValue",
        "MetadataValue",
        "NotebookMetadataValue",
        "NullMetadataValue",
        "PathMetadataValue",
        "TableColumnLineageMetadataValue",
        "TableMetadataValue",
        "TableSchemaMetadataValue",
        "TextMetadataValue",
        "TimestampMetadataValue",
        "UrlMetadataValue",
    ),
    "opgraph.declare.tables": (
        "TableColumn",
        "TableColumnConstraints",
        "TableColumnDep",
        "TableColumnLineage",
        "TableConstraints",
        "TableRecord",
        "TableSchema",
    ),
    "opgraph.declare.project.definitions": ("Definitions",),
    "opgraph.operate.api": (
        "execute_job",
        "materialize",
        "materialize_to_memory",
        "validate_run_config",
    ),
    "opgraph.values.manager": (
        "FilesystemIOManager",
        "IOManager",
        "InMemoryIOManager",
        "InputManager",
        "fs_io_manager",
        "mem_io_manager",
    ),
    "opgraph.values.upath": ("UPathIOManager",),
    "opgraph.run.store.io_managers": ("ConfigurableIOManager",),
    "opgraph.run.call.build_contexts": (
        "build_asset_context",
        "build_init_resource_context",
        "build_input_context",
        "build_op_context",
        "build_output_context",
        "build_resources",
    ),
    "opgraph.resolve.resources": ("with_resources",),
    "opgraph.declare.settings.recipe": ("InitResourceContext",),
    "opgraph.declare.settings.resource_param": ("ResourceParam",),
    "opgraph.declare.settings.resource": (
        "IOManagerDefinition",
        "ResourceDefinition",
        "input_manager",
        "io_manager",
        "make_values_resource",
        "resource",
    ),
    "opgraph.declare.settings.configurable": (
        "ConfigurableIOManagerFactory",
        "ConfigurableResource",
        "ResourceDependency",
    ),
    "opgraph.values.context": (
        "InputContext",
        "OutputContext",
    ),
    "opgraph.run.call.context": (
        "AssetExecutionContext",
        "OpExecutionContext",
    ),
    "opgraph.declare.graphs.graph_definition": (
        "GraphDefinition",
        "JobDefinition",
    ),
    "opgraph.run.results": ("ExecuteInProcessResult",),
    "opgraph.run.instance": ("Instance",),
    "opgraph.run.captured": ("get_logger",),
    "opgraph.run.mistakes": ("InvalidPropertyError",),
    "opgraph.run.types": ("TypeCheckDidNotPass",),
    "opgraph.run.report.views": (
        "AssetRecordsFilter",
        "EventRecordsFilter",
        "Run",
        "RunRecord",
        "RunsFilter",
    ),
    "opgraph.events": ("RunStatus",),
    "opgraph.run.report.event": (
        "Event",
        "EventType",
    ),
    "opgraph.declare.project.reconstruct": (
        "build_reconstructable_job",
        "reconstructable",
    ),
    "opgraph.declare.project.reexecution": ("ReexecutionOptions",),
    "opgraph.declare.project.executor": (
        "Executor",
        "async_executor",
        "dask_executor",
        "executor",
        "in_process_executor",
        "multiprocess_executor",
        "threads_executor",
    ),
    "opgraph.declare.project.folders": (
        "definitions",
        "file_relative_path",
        "load_definitions_from_current_module",
        "load_definitions_from_module",
        "load_definitions_from_modules",
        "load_definitions_from_package_module",
        "load_definitions_from_package_name",
        "load_from_defs_folder",
    ),
    "opgraph.declare.project.load": (
        "load_assets_from_current_module",
        "load_assets_from_modules",
        "load_assets_from_package_module",
        "load_assets_from_package_name",
    ),
    "opgraph.errors": (
        "Error",
        "ExecutionStepNotFoundError",
        "Failure",
        "RetryRequested",
        "InvalidConfigError",
        "InvalidDefinitionError",
        "InvalidInvocationError",
        "InvalidSubsetError",
        "InvariantViolationError",
        "NotYetSupportedError",
        "ResourceFunctionError",
        "StepOutputNotFoundError",
        "UnknownResourceError",
    ),
}

# Names that code written for Dagster knows with its prefix: `DagsterRun` is `Run`.
_ALSO_PREFIXED = (
    "Error",
    "Event",
    "EventType",
    "ExecutionStepNotFoundError",
    "Instance",
    "InvalidConfigError",
    "InvalidDefinitionError",
    "InvalidInvocationError",
    "InvalidPropertyError",
    "InvalidSubsetError",
    "InvariantViolationError",
    "ResourceFunctionError",
    "Run",
    "RunStatus",
    "StepOutputNotFoundError",
    "TypeCheckDidNotPass",
    "UnknownPartitionError",
    "UnknownResourceError",
)

_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}
_ALIASES = {**{f"Dagster{name}": name for name in _ALSO_PREFIXED}, "get_dagster_logger": "get_logger"}
__all__ = sorted({*_MODULE_OF, *_ALIASES})  # noqa: PLE0605 - it is a list  # pyright: ignore[reportUnsupportedDunderAll]


def _runner() -> Any:
    return import_module("opgraph.operate.api").InProcess()


def _painter() -> Any:
    return import_module("opgraph.show.draw.notebook").Notebook()


ports.bind(_runner)
ports.bind_painter(_painter)


def _show(_kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python does with an exception that nobody catches, without the lines of opgraph in its traceback."""
    errors = import_module("opgraph.errors")
    error.__traceback__ = trace
    told: BaseException = import_module("opgraph.declare.settings.told").told_by(error)
    errors.show_own_code_only(told)
    _show_others(type(told), told, told.__traceback__)


_show_others, sys.excepthook = sys.excepthook, _show


def __getattr__(name: str) -> object:
    if name in _ALIASES:
        value = __getattr__(_ALIASES[name])
    elif name in _MODULE_OF:
        home = import_module(_MODULE_OF[name])
        value = import_module("opgraph.declare.arguments").answering(getattr(home, name))
        setattr(home, name, value)
    else:
        # A dunder or private name is asked for by tools, and no reason to import anything.
        value = None if name.startswith("_") else import_module("opgraph.not_yet").find(name)
        if value is None:
            asks = sys._getframe(1).f_code.co_filename  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as in errors.py
            told = import_module("opgraph.not_planned").refusal(name, imported=asks.startswith("<frozen importlib"))
            raise told or AttributeError(f"module 'opgraph' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({"__version__", *_MODULE_OF})
