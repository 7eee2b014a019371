# Written by tools/write_stub.py from the table in __init__.py; do not edit.

from opgraph.declare.assets.asset import asset as asset
from opgraph.declare.assets.asset import graph_asset as graph_asset
from opgraph.declare.assets.asset import graph_multi_asset as graph_multi_asset
from opgraph.declare.assets.asset import multi_asset as multi_asset
from opgraph.declare.assets.assets_definition import AssetsDefinition as AssetsDefinition
from opgraph.declare.assets.mapped import map_asset_specs as map_asset_specs
from opgraph.declare.assets.selection import AssetSelection as AssetSelection
from opgraph.declare.assets.spec import AssetDep as AssetDep
from opgraph.declare.assets.spec import AssetIn as AssetIn
from opgraph.declare.assets.spec import AssetOut as AssetOut
from opgraph.declare.assets.spec import AssetSpec as AssetSpec
from opgraph.declare.assets.spec import SourceAsset as SourceAsset
from opgraph.declare.graphs.config_mapping import ConfigMapping as ConfigMapping
from opgraph.declare.graphs.config_mapping import config_mapping as config_mapping
from opgraph.declare.graphs.graph import graph as graph
from opgraph.declare.graphs.graph_definition import GraphDefinition as GraphDefinition
from opgraph.declare.graphs.graph_definition import JobDefinition as JobDefinition
from opgraph.declare.graphs.wiring import DependencyDefinition as DependencyDefinition
from opgraph.declare.graphs.wiring import InputMapping as InputMapping
from opgraph.declare.graphs.wiring import MultiDependencyDefinition as MultiDependencyDefinition
from opgraph.declare.graphs.wiring import NodeInvocation as NodeInvocation
from opgraph.declare.graphs.wiring import OutputMapping as OutputMapping
from opgraph.declare.metadata import BoolMetadataValue as BoolMetadataValue
from opgraph.declare.metadata import DagsterAssetMetadataValue as DagsterAssetMetadataValue
from opgraph.declare.metadata import DagsterJobMetadataValue as DagsterJobMetadataValue
from opgraph.declare.metadata import DagsterRunMetadataValue as DagsterRunMetadataValue
from opgraph.declare.metadata import FloatMetadataValue as FloatMetadataValue
from opgraph.declare.metadata import IntMetadataValue as IntMetadataValue
from opgraph.declare.metadata import JsonMetadataValue as JsonMetadataValue
from opgraph.declare.metadata import MarkdownMetadataValue as MarkdownMetadataValue
from opgraph.declare.metadata import MetadataValue as MetadataValue
from opgraph.declare.metadata import NotebookMetadataValue as NotebookMetadataValue
from opgraph.declare.metadata import NullMetadataValue as NullMetadataValue
from opgraph.declare.metadata import PathMetadataValue as PathMetadataValue
from opgraph.declare.metadata import TableColumnLineageMetadataValue as TableColumnLineageMetadataValue
from opgraph.declare.metadata import TableMetadataValue as TableMetadataValue
from opgraph.declare.metadata import TableSchemaMetadataValue as TableSchemaMetadataValue
from opgraph.declare.metadata import TextMetadataValue as TextMetadataValue
from opgraph.declare.metadata import TimestampMetadataValue as TimestampMetadataValue
from opgraph.declare.metadata import UrlMetadataValue as UrlMetadataValue
from opgraph.declare.ops.dynamic import DynamicOut as DynamicOut
from opgraph.declare.ops.dynamic import DynamicOutput as DynamicOutput
from opgraph.declare.ops.hooks import HookExecutionResult as HookExecutionResult
from opgraph.declare.ops.hooks import failure_hook as failure_hook
from opgraph.declare.ops.hooks import success_hook as success_hook
from opgraph.declare.ops.inputs import GraphIn as GraphIn
from opgraph.declare.ops.inputs import In as In
from opgraph.declare.ops.inputs import Nothing as Nothing
from opgraph.declare.ops.materialization import AssetMaterialization as AssetMaterialization
from opgraph.declare.ops.materialization import AssetObservation as AssetObservation
from opgraph.declare.ops.materialization import DataVersion as DataVersion
from opgraph.declare.ops.materialization import MaterializeResult as MaterializeResult
from opgraph.declare.ops.op import OpDefinition as OpDefinition
from opgraph.declare.ops.op import op as op
from opgraph.declare.ops.outputs import GraphOut as GraphOut
from opgraph.declare.ops.outputs import Out as Out
from opgraph.declare.ops.outputs import Output as Output
from opgraph.declare.project.definitions import Definitions as Definitions
from opgraph.declare.project.executor import Executor as Executor
from opgraph.declare.project.executor import async_executor as async_executor
from opgraph.declare.project.executor import dask_executor as dask_executor
from opgraph.declare.project.executor import executor as executor
from opgraph.declare.project.executor import in_process_executor as in_process_executor
from opgraph.declare.project.executor import multiprocess_executor as multiprocess_executor
from opgraph.declare.project.executor import threads_executor as threads_executor
from opgraph.declare.project.folders import definitions as definitions
from opgraph.declare.project.folders import file_relative_path as file_relative_path
from opgraph.declare.project.folders import load_definitions_from_current_module as load_definitions_from_current_module
from opgraph.declare.project.folders import load_definitions_from_module as load_definitions_from_module
from opgraph.declare.project.folders import load_definitions_from_modules as load_definitions_from_modules
from opgraph.declare.project.folders import load_definitions_from_package_module as load_definitions_from_package_module
from opgraph.declare.project.folders import load_definitions_from_package_name as load_definitions_from_package_name
from opgraph.declare.project.folders import load_from_defs_folder as load_from_defs_folder
from opgraph.declare.project.job import define_asset_job as define_asset_job
from opgraph.declare.project.job import job as job
from opgraph.declare.project.load import load_assets_from_current_module as load_assets_from_current_module
from opgraph.declare.project.load import load_assets_from_modules as load_assets_from_modules
from opgraph.declare.project.load import load_assets_from_package_module as load_assets_from_package_module
from opgraph.declare.project.load import load_assets_from_package_name as load_assets_from_package_name
from opgraph.declare.project.reconstruct import build_reconstructable_job as build_reconstructable_job
from opgraph.declare.project.reconstruct import reconstructable as reconstructable
from opgraph.declare.project.reexecution import ReexecutionOptions as ReexecutionOptions
from opgraph.declare.retry import Backoff as Backoff
from opgraph.declare.retry import Jitter as Jitter
from opgraph.declare.retry import RetryPolicy as RetryPolicy
from opgraph.declare.settings.config import Config as Config
from opgraph.declare.settings.config import PermissiveConfig as PermissiveConfig
from opgraph.declare.settings.configurable import ConfigurableIOManagerFactory as ConfigurableIOManagerFactory
from opgraph.declare.settings.configurable import ConfigurableResource as ConfigurableResource
from opgraph.declare.settings.configurable import ResourceDependency as ResourceDependency
from opgraph.declare.settings.env import EnvVar as EnvVar
from opgraph.declare.settings.recipe import InitResourceContext as InitResourceContext
from opgraph.declare.settings.resource import IOManagerDefinition as IOManagerDefinition
from opgraph.declare.settings.resource import ResourceDefinition as ResourceDefinition
from opgraph.declare.settings.resource import input_manager as input_manager
from opgraph.declare.settings.resource import io_manager as io_manager
from opgraph.declare.settings.resource import make_values_resource as make_values_resource
from opgraph.declare.settings.resource import resource as resource
from opgraph.declare.settings.resource_param import ResourceParam as ResourceParam
from opgraph.declare.settings.run_config import RunConfig as RunConfig
from opgraph.declare.settings.scalars import Bool as Bool
from opgraph.declare.settings.scalars import Float as Float
from opgraph.declare.settings.scalars import Int as Int
from opgraph.declare.settings.scalars import String as String
from opgraph.declare.tables import TableColumn as TableColumn
from opgraph.declare.tables import TableColumnConstraints as TableColumnConstraints
from opgraph.declare.tables import TableColumnDep as TableColumnDep
from opgraph.declare.tables import TableColumnLineage as TableColumnLineage
from opgraph.declare.tables import TableConstraints as TableConstraints
from opgraph.declare.tables import TableRecord as TableRecord
from opgraph.declare.tables import TableSchema as TableSchema
from opgraph.errors import Error as Error
from opgraph.errors import ExecutionStepNotFoundError as ExecutionStepNotFoundError
from opgraph.errors import Failure as Failure
from opgraph.errors import InvalidConfigError as InvalidConfigError
from opgraph.errors import InvalidDefinitionError as InvalidDefinitionError
from opgraph.errors import InvalidInvocationError as InvalidInvocationError
from opgraph.errors import InvalidSubsetError as InvalidSubsetError
from opgraph.errors import InvariantViolationError as InvariantViolationError
from opgraph.errors import NotYetSupportedError as NotYetSupportedError
from opgraph.errors import ResourceFunctionError as ResourceFunctionError
from opgraph.errors import RetryRequested as RetryRequested
from opgraph.errors import StepOutputNotFoundError as StepOutputNotFoundError
from opgraph.errors import UnknownResourceError as UnknownResourceError
from opgraph.events import RunStatus as RunStatus
from opgraph.keys import AssetKey as AssetKey
from opgraph.not_yet import Placeholder as Placeholder
from opgraph.not_yet import UnknownPartitionError as UnknownPartitionError
from opgraph.operate.api import execute_job as execute_job
from opgraph.operate.api import materialize as materialize
from opgraph.operate.api import materialize_to_memory as materialize_to_memory
from opgraph.operate.api import validate_run_config as validate_run_config
from opgraph.resolve.resources import with_resources as with_resources
from opgraph.run.call.build_contexts import build_asset_context as build_asset_context
from opgraph.run.call.build_contexts import build_init_resource_context as build_init_resource_context
from opgraph.run.call.build_contexts import build_input_context as build_input_context
from opgraph.run.call.build_contexts import build_op_context as build_op_context
from opgraph.run.call.build_contexts import build_output_context as build_output_context
from opgraph.run.call.build_contexts import build_resources as build_resources
from opgraph.run.call.context import AssetExecutionContext as AssetExecutionContext
from opgraph.run.call.context import OpExecutionContext as OpExecutionContext
from opgraph.run.captured import get_logger as get_logger
from opgraph.run.instance import Instance as Instance
from opgraph.run.mistakes import InvalidPropertyError as InvalidPropertyError
from opgraph.run.report.event import Event as Event
from opgraph.run.report.event import EventType as EventType
from opgraph.run.report.views import AssetRecordsFilter as AssetRecordsFilter
from opgraph.run.report.views import EventRecordsFilter as EventRecordsFilter
from opgraph.run.report.views import Run as Run
from opgraph.run.report.views import RunRecord as RunRecord
from opgraph.run.report.views import RunsFilter as RunsFilter
from opgraph.run.results import ExecuteInProcessResult as ExecuteInProcessResult
from opgraph.run.step.hooks import HookContext as HookContext
from opgraph.run.step.hooks import build_hook_context as build_hook_context
from opgraph.run.store.io_managers import ConfigurableIOManager as ConfigurableIOManager
from opgraph.run.types import TypeCheckDidNotPass as TypeCheckDidNotPass
from opgraph.values.context import InputContext as InputContext
from opgraph.values.context import OutputContext as OutputContext
from opgraph.values.manager import FilesystemIOManager as FilesystemIOManager
from opgraph.values.manager import IOManager as IOManager
from opgraph.values.manager import InMemoryIOManager as InMemoryIOManager
from opgraph.values.manager import InputManager as InputManager
from opgraph.values.manager import fs_io_manager as fs_io_manager
from opgraph.values.manager import mem_io_manager as mem_io_manager
from opgraph.values.upath import UPathIOManager as UPathIOManager

__version__: str

AddDynamicPartitionsRequest: Placeholder
AllPartitionMapping: Placeholder
AssetCheckEvaluation: Placeholder
AssetCheckExecutionContext: Placeholder
AssetCheckKey: Placeholder
AssetCheckResult: Placeholder
AssetCheckSeverity: Placeholder
AssetCheckSpec: Placeholder
AssetChecksDefinition: Placeholder
AutoMaterializePolicy: Placeholder
AutoMaterializeRule: Placeholder
AutomationCondition: Placeholder
AutomationConditionSensorDefinition: Placeholder
BackfillPolicy: Placeholder
DailyPartitionsDefinition: Placeholder
DefaultScheduleStatus: Placeholder
DefaultSensorStatus: Placeholder
DeleteDynamicPartitionsRequest: Placeholder
DimensionPartitionMapping: Placeholder
DynamicPartitionsDefinition: Placeholder
FreshnessPolicy: Placeholder
HourlyPartitionsDefinition: Placeholder
IdentityPartitionMapping: Placeholder
LastPartitionMapping: Placeholder
LegacyFreshnessPolicy: Placeholder
MonthlyPartitionsDefinition: Placeholder
MultiAssetSensorDefinition: Placeholder
MultiAssetSensorEvaluationContext: Placeholder
MultiPartitionKey: Placeholder
MultiPartitionMapping: Placeholder
MultiPartitionsDefinition: Placeholder
MultiToSingleDimensionPartitionMapping: Placeholder
ObserveResult: Placeholder
PartitionKeyRange: Placeholder
PartitionMapping: Placeholder
PartitionedConfig: Placeholder
PartitionsDefinition: Placeholder
RunFailureSensorContext: Placeholder
RunRequest: Placeholder
RunStatusSensorContext: Placeholder
RunStatusSensorDefinition: Placeholder
ScheduleDefinition: Placeholder
ScheduleEvaluationContext: Placeholder
SensorDefinition: Placeholder
SensorEvaluationContext: Placeholder
SensorResult: Placeholder
SkipReason: Placeholder
SpecificPartitionsPartitionMapping: Placeholder
StaticPartitionMapping: Placeholder
StaticPartitionsDefinition: Placeholder
TimeWindow: Placeholder
TimeWindowPartitionMapping: Placeholder
TimeWindowPartitionsDefinition: Placeholder
WeeklyPartitionsDefinition: Placeholder
asset_check: Placeholder
asset_sensor: Placeholder
build_asset_check_context: Placeholder
build_column_schema_change_checks: Placeholder
build_last_update_freshness_checks: Placeholder
build_metadata_bounds_checks: Placeholder
build_multi_asset_sensor_context: Placeholder
build_run_status_sensor_context: Placeholder
build_schedule_context: Placeholder
build_schedule_from_partitioned_job: Placeholder
build_sensor_context: Placeholder
build_sensor_for_freshness_checks: Placeholder
daily_partitioned_config: Placeholder
dynamic_partitioned_config: Placeholder
evaluate_automation_conditions: Placeholder
hourly_partitioned_config: Placeholder
load_asset_checks_from_current_module: Placeholder
load_asset_checks_from_modules: Placeholder
load_asset_checks_from_package_module: Placeholder
load_asset_checks_from_package_name: Placeholder
make_email_on_run_failure_sensor: Placeholder
monthly_partitioned_config: Placeholder
multi_asset_check: Placeholder
multi_asset_sensor: Placeholder
multi_observable_source_asset: Placeholder
observable_source_asset: Placeholder
partition_loading_context: Placeholder
partitioned_config: Placeholder
ray_executor: Placeholder
run_failure_sensor: Placeholder
run_status_sensor: Placeholder
schedule: Placeholder
sensor: Placeholder
static_partitioned_config: Placeholder
weekly_partitioned_config: Placeholder

DagsterError = Error
DagsterEvent = Event
DagsterEventType = EventType
DagsterExecutionStepNotFoundError = ExecutionStepNotFoundError
DagsterInstance = Instance
DagsterInvalidConfigError = InvalidConfigError
DagsterInvalidDefinitionError = InvalidDefinitionError
DagsterInvalidInvocationError = InvalidInvocationError
DagsterInvalidPropertyError = InvalidPropertyError
DagsterInvalidSubsetError = InvalidSubsetError
DagsterInvariantViolationError = InvariantViolationError
DagsterResourceFunctionError = ResourceFunctionError
DagsterRun = Run
DagsterRunStatus = RunStatus
DagsterStepOutputNotFoundError = StepOutputNotFoundError
DagsterTypeCheckDidNotPass = TypeCheckDidNotPass
DagsterUnknownPartitionError = UnknownPartitionError
DagsterUnknownResourceError = UnknownResourceError
get_dagster_logger = get_logger
