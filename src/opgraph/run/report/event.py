"""What happened in a run, as code written for Dagster reads it: fine-grained events with typed details.

Nothing of this is stored. `run/report/event_view.py` derives it from a run's plan and facts when somebody asks.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from opgraph.declare.ops.materialization import AssetMaterialization, AssetObservation
from opgraph.errors import Mistake
from opgraph.keys import AssetKey


class EventType(enum.StrEnum):
    """The kinds of events. The values of `RUN_…` are the strings that Dagster stores, which users compare with."""

    RUN_START = "PIPELINE_START"
    RUN_RESUMED = "RUN_RESUMED"
    RUN_CANCELING = "PIPELINE_CANCELING"
    RUN_SUCCESS = "PIPELINE_SUCCESS"
    RUN_FAILURE = "PIPELINE_FAILURE"
    RUN_CANCELED = "PIPELINE_CANCELED"
    PIPELINE_START = RUN_START
    PIPELINE_CANCELING = RUN_CANCELING
    PIPELINE_SUCCESS = RUN_SUCCESS
    PIPELINE_FAILURE = RUN_FAILURE
    PIPELINE_CANCELED = RUN_CANCELED
    STEP_START = "STEP_START"
    STEP_INPUT = "STEP_INPUT"
    STEP_OUTPUT = "STEP_OUTPUT"
    STEP_SUCCESS = "STEP_SUCCESS"
    STEP_FAILURE = "STEP_FAILURE"
    STEP_SKIPPED = "STEP_SKIPPED"
    STEP_UP_FOR_RETRY = "STEP_UP_FOR_RETRY"
    STEP_RESTARTED = "STEP_RESTARTED"
    HOOK_COMPLETED = "HOOK_COMPLETED"
    HOOK_ERRORED = "HOOK_ERRORED"
    HOOK_SKIPPED = "HOOK_SKIPPED"  # it is for the other end of a step, or said that there was nothing to do
    LOADED_INPUT = "LOADED_INPUT"
    HANDLED_OUTPUT = "HANDLED_OUTPUT"
    ASSET_MATERIALIZATION_PLANNED = "ASSET_MATERIALIZATION_PLANNED"
    ASSET_MATERIALIZATION = "ASSET_MATERIALIZATION"
    ASSET_OBSERVATION = "ASSET_OBSERVATION"
    ENGINE_EVENT = "ENGINE_EVENT"  # a step was reused, blocked or interrupted; a stored value was lost


_OF_RUNS = frozenset(kind for kind in EventType if kind.name.startswith("RUN_"))
_OF_HOOKS = frozenset({EventType.HOOK_COMPLETED, EventType.HOOK_ERRORED, EventType.HOOK_SKIPPED})
_OF_NO_STEP = _OF_RUNS | _OF_HOOKS | {EventType.ENGINE_EVENT, EventType.ASSET_MATERIALIZATION_PLANNED}
_OF_STEPS = frozenset(EventType) - _OF_NO_STEP


class NoSuchEvent(Mistake):
    """An event was asked for that the run does not have."""

    kind: EventType
    run_id: str
    says = "run {run_id} has no {kind.name} event"
    mend = "look at its `status` first"


class WrongEvent(Mistake, AttributeError):
    """The details of one kind of event were asked of another."""

    attribute: str
    kind: EventType
    says = "an event of type {kind.name} has no `{attribute}`"
    mend = "look at its `event_type` first"


# -- details ---------------------------------------------------------------------


class EventError(Struct, frozen=True, kw_only=True):
    """An exception, as data. `stack` holds the lines of the traceback, outermost first, without opgraph's own."""

    message: str
    cls_name: str
    stack: Sequence[str] = ()
    cause: "EventError | None" = None

    def to_string(self) -> str:
        """The message, the traceback and the causes, to be read by people."""
        text = self.message
        if self.stack:
            text += "\nStack Trace:\n" + "".join(self.stack)
        cause = self.cause
        if cause is not None and (cause.message, cause.stack) == (self.message, self.stack):
            cause = cause.cause  # the exception once more: see StepFailureData
        if cause is not None:
            text += "\nThe above exception was caused by the following exception:\n" + cause.to_string()
        return text

    __str__ = to_string


class UserFailureData(Struct, frozen=True, kw_only=True):
    """What a `Failure` said."""

    label: str
    description: str | None
    metadata: Mapping[str, Any]


class StepFailureData(Struct, frozen=True, kw_only=True):
    """Why an attempt failed for good.

    `error` is the exception. Where the user's code raised it, `error.cause` says it once more, as code that expects
    Dagster's wrapper around it wants; the exception's own cause follows there.
    """

    error: EventError
    user_failure_data: UserFailureData | None = None

    @property
    def error_display_string(self) -> str:
        """The error, to be read by people."""
        return self.error.to_string()


class StepRetryData(Struct, frozen=True, kw_only=True):
    """Why an attempt failed that another follows, and how long that one waits (seconds)."""

    error: EventError
    seconds_to_wait: float


class HookErroredData(Struct, frozen=True, kw_only=True):
    """Why a hook failed."""

    error: EventError


class StepSuccessData(Struct, frozen=True, kw_only=True):
    """How long the successful attempt took: loading, computing and storing, in milliseconds."""

    duration_ms: float


class StepOutputHandle(Struct, frozen=True, kw_only=True):
    """The name of one output of one step."""

    step_key: str
    output_name: str = "result"
    mapping_key: str | None = None


class TypeCheckData(Struct, frozen=True, kw_only=True):
    """Whether a value was of the type that was declared."""

    success: bool
    label: str
    description: str | None = None
    metadata: Mapping[str, Any] = {}


class StepOutputData(Struct, frozen=True, kw_only=True):
    """An output that came."""

    step_output_handle: StepOutputHandle
    metadata: Mapping[str, Any]

    @property
    def type_check_data(self) -> TypeCheckData:
        """Passed, else the output had not come."""
        return TypeCheckData(success=True, label=self.output_name)

    @property
    def output_name(self) -> str:
        """The output's name."""
        return self.step_output_handle.output_name

    @property
    def mapping_key(self) -> str | None:
        """Which value of a fan-out it is."""
        return self.step_output_handle.mapping_key


class StepInputData(Struct, frozen=True, kw_only=True):
    """An input that the function was given."""

    input_name: str
    type_error: str | None = None  # what was wrong with the type of its value

    @property
    def type_check_data(self) -> TypeCheckData:
        """Whether the value was of the type that was declared."""
        return TypeCheckData(success=self.type_error is None, label=self.input_name, description=self.type_error)


class LoadedInputData(Struct, frozen=True, kw_only=True):
    """An input that an I/O manager loaded; no upstream names where an asset of another run was loaded."""

    input_name: str
    manager_key: str
    upstream_output_name: str | None = None
    upstream_step_key: str | None = None
    metadata: Mapping[str, Any] = {}


class HandledOutputData(Struct, frozen=True, kw_only=True):
    """An output that an I/O manager stored."""

    output_name: str
    manager_key: str
    metadata: Mapping[str, Any]


class StepMaterializationData(Struct, frozen=True, kw_only=True):
    """An asset that was materialized. `asked` is false where nobody selected it."""

    materialization: AssetMaterialization
    asked: bool = True


class AssetObservationData(Struct, frozen=True, kw_only=True):
    """An asset that was observed."""

    asset_observation: AssetObservation


class AssetMaterializationPlannedData(Struct, frozen=True, kw_only=True):
    """An asset that the run is certain to make if all goes well. `asked` is false where nobody selected it."""

    asset_key: AssetKey
    partition: str | None = None
    asked: bool = True


class JobFailureData(Struct, frozen=True, kw_only=True):
    """Why a run failed: `error` where no step is to blame."""

    error: EventError | None
    first_step_failure_event: "Event | None"


Details: TypeAlias = (
    StepFailureData
    | StepRetryData
    | HookErroredData
    | StepSuccessData
    | StepOutputData
    | StepInputData
    | LoadedInputData
    | HandledOutputData
    | StepMaterializationData
    | AssetObservationData
    | AssetMaterializationPlannedData
    | JobFailureData
)


# -- the event -------------------------------------------------------------------

D = TypeVar("D", bound=Struct)


class _Is:
    """An attribute of events: whether one is of these kinds."""

    __slots__ = ("_kinds",)

    def __init__(self, *kinds: EventType) -> None:
        self._kinds = frozenset(kinds)

    def __get__(self, event: "Event", _owner: Any = None) -> bool:
        return event.event_type in self._kinds


class _Details(Generic[D]):
    """An attribute of events: the details of those of one kind; of others it is an AttributeError to ask for them."""

    __slots__ = ("_class", "_name")

    def __init__(self, details: type[D]) -> None:
        self._class = details

    def __set_name__(self, _owner: Any, name: str) -> None:
        self._name = name

    def __get__(self, event: "Event", _owner: Any = None) -> D:
        if not isinstance(event.event_specific_data, self._class):
            raise WrongEvent(self._name, event.event_type)
        return event.event_specific_data


class Event(Struct, frozen=True, kw_only=True, eq=False):
    """One thing that happened in a run.

    Args:
        event_type: its kind.
        run_id: the run.
        job_name: the job that the run ran.
        timestamp: seconds since 1970.
        message: for people.
        step_key: the step; None: the run itself.
        event_specific_data: the details that events of this kind have.

    Example:
        >>> for event in materialize([flights]).all_events:
        ...     if event.is_step_success:
        ...         print(event.step_key, event.step_success_data.duration_ms)
    """

    event_type: EventType
    run_id: str
    job_name: str
    timestamp: float
    message: str = ""
    step_key: str | None = None
    event_specific_data: Details | None = None

    @property
    def event_type_value(self) -> str:
        """The kind's string."""
        return self.event_type.value

    @property
    def node_name(self) -> str:
        """The step's own name, without the graphs around it and without a mapping key."""
        return (self.step_key or "").split("[")[0].rsplit(".", 1)[-1]

    @property
    def logging_tags(self) -> Mapping[str, str]:
        """Run, job, step and op, by name."""
        tags = {"run_id": self.run_id, "job_name": self.job_name}
        return tags if self.step_key is None else {**tags, "step_key": self.step_key, "op_name": self.node_name}

    # -- its kind: whether it says that … --

    is_step_event = _Is(*_OF_STEPS)  # something happened in a step's own course
    is_job_event = _Is(*_OF_RUNS)  # something happened to the run as a whole
    is_engine_event = _Is(EventType.ENGINE_EVENT)  # opgraph reused or blocked a step, or saw it interrupted
    is_failure = _Is(EventType.STEP_FAILURE, EventType.RUN_FAILURE, EventType.RUN_CANCELED)  # a step or the run failed
    is_step_start = _Is(EventType.STEP_START)  # a step's first attempt began
    is_step_success = _Is(EventType.STEP_SUCCESS)  # a step succeeded
    is_step_failure = _Is(EventType.STEP_FAILURE)  # a step failed for good
    is_step_skipped = _Is(EventType.STEP_SKIPPED)  # an optional output that the step needs did not come
    is_step_up_for_retry = _Is(EventType.STEP_UP_FOR_RETRY)  # an attempt failed that another follows
    is_step_restarted = _Is(EventType.STEP_RESTARTED)  # a further attempt began
    is_successful_output = _Is(EventType.STEP_OUTPUT)  # an output came
    is_handled_output = _Is(EventType.HANDLED_OUTPUT)  # an output was stored
    is_loaded_input = _Is(EventType.LOADED_INPUT)  # an input was loaded
    is_step_materialization = _Is(EventType.ASSET_MATERIALIZATION)  # an asset was materialized
    is_hook_event = _Is(*_OF_HOOKS)  # a hook was called, or was not for this end of a step
    is_hook_completed = _Is(EventType.HOOK_COMPLETED)  # a hook did what it was to do
    is_hook_errored = _Is(EventType.HOOK_ERRORED)  # a hook failed
    is_hook_skipped = _Is(EventType.HOOK_SKIPPED)  # a hook had nothing to do
    is_asset_observation = _Is(EventType.ASSET_OBSERVATION)  # an asset was observed
    is_expectation_result = _Is()  # never: there are no expectations
    is_asset_materialization_planned = _Is(EventType.ASSET_MATERIALIZATION_PLANNED)  # an asset will be materialized
    is_run_failure = is_job_failure = _Is(EventType.RUN_FAILURE)  # the run failed
    is_job_success = _Is(EventType.RUN_SUCCESS)  # the run succeeded

    # -- its details: an AttributeError where the event is of another kind --

    @property
    def asset_key(self) -> AssetKey | None:
        """The asset it is about, if it is about one."""
        match self.event_specific_data:
            case StepMaterializationData(materialization=about) | AssetObservationData(asset_observation=about):
                return about.asset_key
            case AssetMaterializationPlannedData(asset_key=key):
                return key
            case _:
                return None

    @property
    def partition(self) -> str | None:
        """The asset's partition; runs have none yet."""
        return None

    @property
    def materialization(self) -> AssetMaterialization:
        """What was materialized."""
        return self.step_materialization_data.materialization

    step_materialization_data = _Details(StepMaterializationData)
    asset_observation_data = _Details(AssetObservationData)
    asset_materialization_planned_data = _Details(AssetMaterializationPlannedData)
    step_input_data = _Details(StepInputData)
    step_output_data = _Details(StepOutputData)
    step_success_data = _Details(StepSuccessData)
    step_failure_data = _Details(StepFailureData)
    step_retry_data = _Details(StepRetryData)
    hook_errored_data = _Details(HookErroredData)
    job_failure_data = _Details(JobFailureData)
