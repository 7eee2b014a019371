"""Public names whose behaviour is not built yet: importable, so that code can be written, and an error when used.

When a name is built, delete it here and give it a home in `opgraph/__init__.py` and `__init__.pyi`.
"""

from typing import NoReturn

from opgraph.errors import Error, NotYetSupportedError

# What to do meanwhile: the names it holds for.
_MEANWHILE: dict[str, tuple[str, ...]] = {
    "use `dask_executor`: opgraph ships no executor for Ray, for reasons in docs/decisions/0014-dask-and-not-ray.md": (
        "ray_executor",
    ),
    "check the value in an op, and raise `Failure` when it is wrong": (
        "asset_check",
        "multi_asset_check",
        "AssetCheckSpec",
        "AssetCheckResult",
        "AssetCheckKey",
        "AssetCheckSeverity",
        "AssetCheckEvaluation",
        "AssetChecksDefinition",
        "AssetCheckExecutionContext",
        "build_asset_check_context",
        "load_asset_checks_from_modules",
        "load_asset_checks_from_current_module",
        "load_asset_checks_from_package_name",
        "load_asset_checks_from_package_module",
        "build_column_schema_change_checks",
        "build_metadata_bounds_checks",
        "build_last_update_freshness_checks",
    ),
    "make one asset of all the data, or filter by a date inside the op": (
        "PartitionsDefinition",
        "StaticPartitionsDefinition",
        "TimeWindowPartitionsDefinition",
        "HourlyPartitionsDefinition",
        "DailyPartitionsDefinition",
        "WeeklyPartitionsDefinition",
        "MonthlyPartitionsDefinition",
        "MultiPartitionsDefinition",
        "MultiPartitionKey",
        "DynamicPartitionsDefinition",
        "AddDynamicPartitionsRequest",
        "DeleteDynamicPartitionsRequest",
        "PartitionKeyRange",
        "TimeWindow",
        "PartitionedConfig",
        "partitioned_config",
        "static_partitioned_config",
        "dynamic_partitioned_config",
        "hourly_partitioned_config",
        "daily_partitioned_config",
        "weekly_partitioned_config",
        "monthly_partitioned_config",
        "partition_loading_context",
        "PartitionMapping",
        "IdentityPartitionMapping",
        "AllPartitionMapping",
        "LastPartitionMapping",
        "SpecificPartitionsPartitionMapping",
        "StaticPartitionMapping",
        "TimeWindowPartitionMapping",
        "MultiPartitionMapping",
        "DimensionPartitionMapping",
        "MultiToSingleDimensionPartitionMapping",
        "BackfillPolicy",
    ),
    "let cron call `opgraph materialize`": (
        "schedule",
        "ScheduleDefinition",
        "build_schedule_from_partitioned_job",
        "build_schedule_context",
        "ScheduleEvaluationContext",
        "DefaultScheduleStatus",
        "sensor",
        "SensorDefinition",
        "SensorResult",
        "RunRequest",
        "SkipReason",
        "build_sensor_context",
        "SensorEvaluationContext",
        "DefaultSensorStatus",
        "asset_sensor",
        "multi_asset_sensor",
        "build_multi_asset_sensor_context",
        "run_status_sensor",
        "run_failure_sensor",
        "build_run_status_sensor_context",
        "AutomationCondition",
        "AutomationConditionSensorDefinition",
        "evaluate_automation_conditions",
        "AutoMaterializePolicy",
        "AutoMaterializeRule",
        "MultiAssetSensorDefinition",
        "MultiAssetSensorEvaluationContext",
        "RunFailureSensorContext",
        "RunStatusSensorContext",
        "RunStatusSensorDefinition",
        "make_email_on_run_failure_sensor",
    ),
    "declare the asset as an `AssetSpec`": (
        "observable_source_asset",
        "multi_observable_source_asset",
        "ObserveResult",
    ),
    "leave it out; `opgraph show ASSET` says when it was last materialized": (
        "FreshnessPolicy",
        "LegacyFreshnessPolicy",
        "build_sensor_for_freshness_checks",
    ),
}

NOT_YET: dict[str, str] = {name: remedy for remedy, names in _MEANWHILE.items() for name in names}


class Placeholder:
    """Stands for a public name that is not built yet: any use of it is a `NotYetSupportedError`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise NotYetSupportedError(self._name, fix=f"meanwhile, {NOT_YET[self._name]}")

    def __getattr__(self, attribute: str) -> NoReturn:
        # Tools that look at a module's names ask for __wrapped__, __module__ and the like: that is no use of the name.
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        self._refuse()

    def __repr__(self) -> str:
        return f"<opgraph.{self._name}: not yet supported>"

    __call__ = _refuse  # also as a decorator
    __getitem__ = _refuse  # in an annotation: Name[int]
    __or__ = _refuse  # in an annotation: Name | None
    __ror__ = _refuse
    __mro_entries__ = _refuse  # as a base class
    __instancecheck__ = _refuse
    __subclasscheck__ = _refuse
    __iter__ = _refuse


class NotYetRaised(Error):
    """An error that nothing raises yet: it may stand in `except`, and making one is a `NotYetSupportedError`."""

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        name = type(self).__name__
        raise NotYetSupportedError(name, f"`{name}` is not raised yet", "meanwhile, raise `Failure`")


class UnknownPartitionError(NotYetRaised):
    """No partition has this key."""


NOT_YET_RAISED: dict[str, type[NotYetRaised]] = {each.__name__: each for each in NotYetRaised.__subclasses__()}


def find(name: str) -> object:
    """What stands for a public name that is not built yet; None when there is no such name."""
    return NOT_YET_RAISED.get(name) or (Placeholder(name) if name in NOT_YET else None)
