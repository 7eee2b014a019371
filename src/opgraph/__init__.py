"""Assets computed by graphs of ops: durable, resumable at every op, and subsettable.

Everything a user needs is a name of this package. A name's module is imported when the name is first used, so
`import opgraph` costs almost nothing.
"""

from importlib import import_module
from typing import Any

from opgraph.declare import ports

__version__ = "0.1.0"

# Which module holds which public names. `__init__.pyi` says the same to type checkers; a test compares the two.
_HOMES: dict[str, tuple[str, ...]] = {
    "opgraph.declare.op": (
        "OpDefinition",
        "op",
    ),
    "opgraph.declare.inputs": (
        "GraphIn",
        "In",
        "Nothing",
    ),
    "opgraph.declare.outputs": (
        "GraphOut",
        "Out",
        "Output",
    ),
    "opgraph.declare.dynamic": (
        "DynamicOut",
        "DynamicOutput",
    ),
    "opgraph.declare.graph": ("graph",),
    "opgraph.declare.wiring": (
        "DependencyDefinition",
        "InputMapping",
        "MultiDependencyDefinition",
        "NodeInvocation",
        "OutputMapping",
    ),
    "opgraph.declare.job": (
        "define_asset_job",
        "job",
    ),
    "opgraph.declare.asset": (
        "asset",
        "graph_asset",
        "graph_multi_asset",
        "multi_asset",
    ),
    "opgraph.declare.assets_definition": ("AssetsDefinition",),
    "opgraph.keys": ("AssetKey",),
    "opgraph.declare.spec": (
        "AssetDep",
        "AssetIn",
        "AssetOut",
        "AssetSpec",
        "SourceAsset",
    ),
    "opgraph.declare.selection": ("AssetSelection",),
    "opgraph.declare.materialization": (
        "AssetMaterialization",
        "AssetObservation",
        "DataVersion",
        "MaterializeResult",
    ),
    "opgraph.declare.mapped": ("map_asset_specs",),
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
    "opgraph.declare.definitions": ("Definitions",),
    "opgraph.operate.api": (
        "execute_job",
        "materialize",
        "materialize_to_memory",
    ),
    "opgraph.values.manager": (
        "FilesystemIOManager",
        "IOManager",
        "InMemoryIOManager",
        "fs_io_manager",
        "mem_io_manager",
    ),
    "opgraph.values.context": (
        "InputContext",
        "OutputContext",
    ),
    "opgraph.run.context": (
        "AssetExecutionContext",
        "OpExecutionContext",
        "build_asset_context",
        "build_op_context",
    ),
    "opgraph.declare.graph_definition": (
        "GraphDefinition",
        "JobDefinition",
    ),
    "opgraph.run.results": ("ExecuteInProcessResult",),
    "opgraph.run.instance": ("Instance",),
    "opgraph.run.views": ("Run",),
    "opgraph.events": ("RunStatus",),
    "opgraph.run.event": (
        "Event",
        "EventType",
    ),
    "opgraph.declare.reexecution": ("ReexecutionOptions",),
    "opgraph.declare.executor": ("in_process_executor",),
    "opgraph.declare.load": (
        "load_assets_from_current_module",
        "load_assets_from_modules",
        "load_assets_from_package_module",
        "load_assets_from_package_name",
    ),
    "opgraph.errors": (
        "Error",
        "ExecutionStepNotFoundError",
        "Failure",
        "InvalidConfigError",
        "InvalidDefinitionError",
        "InvalidInvocationError",
        "InvalidSubsetError",
        "InvariantViolationError",
        "NotYetSupportedError",
        "StepOutputNotFoundError",
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
_ALIASES = {f"Dagster{name}": name for name in _ALSO_PREFIXED}
__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - it is a list  # pyright: ignore[reportUnsupportedDunderAll]


def _runner() -> Any:
    return import_module("opgraph.operate.api").InProcess()


ports.bind(_runner)


def __getattr__(name: str) -> object:
    if name in _ALIASES:
        value = __getattr__(_ALIASES[name])
    elif name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
    else:
        # A dunder or private name is asked for by tools, and no reason to import anything.
        value = None if name.startswith("_") else import_module("opgraph.not_yet").find(name)
        if value is None:
            raise AttributeError(f"module 'opgraph' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({"__version__", *_MODULE_OF})
