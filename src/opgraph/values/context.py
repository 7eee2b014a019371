"""What an I/O manager is told about the value that it stores or loads."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn

from msgspec import Struct

from opgraph.errors import Source
from opgraph.keys import AssetKey
from opgraph.values.problems import MetadataTwice, NoAssetError, NoInputAsks, UnpartitionedError

_LOG = logging.getLogger("opgraph")
_OF_PARTITIONS = frozenset(
    {
        "asset_partition_key", "asset_partition_key_range", "asset_partition_keys", "asset_partitions_def",
        "asset_partitions_time_window", "partition_key", "partition_key_range", "partition_time_window",
    }
)  # fmt: skip


class ValueContext(Struct, kw_only=True, eq=False):
    """What is told of a value in either case, stored or loaded. Its fields: see the two classes below."""

    key: AssetKey | None = None
    step_key: str = ""
    run_id: str = ""
    definition_metadata: Mapping[str, Any] = {}
    dagster_type: Any = None
    resources: Any = None
    resource_config: Mapping[str, Any] | None = None
    log: Any = _LOG
    op_def: Any = None
    job_name: str = ""
    storage: str = ""
    added_metadata: dict[str, Any] = {}

    has_partition_key: ClassVar[bool] = False  # whether the run has a partition
    has_asset_partitions: ClassVar[bool] = False  # whether the asset has partitions

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was declared for the output or input."""
        return self.definition_metadata

    @property
    def has_asset_key(self) -> bool:
        """Whether the value is an asset's."""
        return self.key is not None

    @property
    def asset_key(self) -> AssetKey:
        """The asset whose value it is.

        Raises:
            NoAssetError: it is none's.
        """
        if self.key is None:
            raise NoAssetError(self._named())
        return self.key

    def _named(self) -> str:
        """The value, for a message."""
        return "the value"

    def get_asset_identifier(self) -> Sequence[str]:
        """The parts of the asset's key."""
        return self.asset_key.path

    if not TYPE_CHECKING:  # for a checker a name that is not there is a mistake

        def __getattr__(self, name: str) -> NoReturn:
            if name in _OF_PARTITIONS:
                raise UnpartitionedError(name)
            raise AttributeError(f"{type(self).__name__} has no '{name}'", name=name)


class OutputContext(ValueContext, kw_only=True, eq=False):
    """A value that is being stored; for `load_input`, the one that was.

    An I/O manager may set `location`, any text: it is recorded with the value and comes back in `load_input` as
    `context.upstream_output.location`. One that keeps each version apart (`versioned = True`)
    needs it to find this one.

    Args:
        name: the output's name.
        step_key: the step that made the value.
        run_id: the run of that step.
        key: the asset that the value materializes, if any.
        attempt: 1, 2, …
        definition_metadata: the metadata that was declared for the output or the asset.
        output_metadata: the metadata that came with the value; in `load_input` as metadata values, with what
            `handle_output` added.
        dagster_type: the declared type, or that of the annotation: `typing_type` and `display_name`.
        resources: the resources of the run.
        resource_config: the configuration of the I/O manager.
        log: where to write log lines.
        op_def: the op's definition.
        job_name: the job's name.
        version: the code version of the output.
        mapping_key: which value of a fan-out this is.
        storage: the folder of the instance for values; empty where it has none.

    Example:
        >>> context = OutputContext(name="result", step_key="table", key=AssetKey("table"))
        >>> context.get_identifier()
        ['table']
    """

    name: str
    attempt: int = 1
    output_metadata: Mapping[str, Any] = {}
    version: str | None = None
    mapping_key: str | None = None
    location: str = ""
    size: int = 0  # bytes, where the manager knows them
    checksum: str = ""
    reported: list[Any] = []

    def _named(self) -> str:
        return self.name

    def add_output_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Keep more facts with the value. A name that is given twice is an `InvariantViolationError`."""
        twice = sorted(self.added_metadata.keys() & metadata.keys())
        if twice:
            raise MetadataTwice(self.name, twice)
        self.added_metadata.update(metadata)

    def get_logged_metadata(self) -> Mapping[str, Any]:
        """What `add_output_metadata` was told so far."""
        return dict(self.added_metadata)

    def log_event(self, event: Any) -> None:
        """Report a materialization or an observation beside this value."""
        self.reported.append(event)

    def get_logged_events(self) -> Sequence[Any]:
        """What `log_event` was told so far."""
        return list(self.reported)

    def get_run_scoped_output_identifier(self) -> Sequence[str]:
        """The run, the step, the output and the mapping key, if any: a place that no other output has."""
        parts = [self.run_id, self.step_key, self.name]
        return parts if self.mapping_key is None else [*parts, self.mapping_key]

    def get_identifier(self) -> Sequence[str]:
        """Where to put the value: the asset's identifier, or for an intermediate the run-scoped one."""
        return self.key.path if self.key is not None else self.get_run_scoped_output_identifier()

    def __repr__(self) -> str:
        return f"OutputContext({'/'.join(self.get_identifier())})"


class InputObservation(NamedTuple):
    """What an I/O manager said of an asset that it loaded."""

    asset_key: AssetKey
    metadata: Mapping[str, Any]
    description: str | None = None


class InputContext(ValueContext, kw_only=True, eq=False):
    """A value that is being loaded.

    Args:
        input_name: the input's name; None: a person loads the value.
        upstream_output: what stored the value; `None` where nothing recorded it, as for an external asset.
        key: the asset that is loaded, if it is one.
        step_key: the step that asks for the value; empty when a person does.
        run_id: the run of that step.
        definition_metadata: the metadata that was declared for the input.
        dagster_type: the declared type, or that of the annotation: `typing_type` and `display_name`.
        resources: the resources of the run.
        resource_config: the configuration of the I/O manager.
        log: where to write log lines.
        op_def: the op's definition.
        job_name: the job's name.
        storage: the folder of the instance for values; empty where it has none.
        instance: where the run is recorded.
    """

    input_name: str | None = None
    upstream_output: OutputContext | None = None
    instance: Any = None
    observed: list[InputObservation] = []

    def _named(self) -> str:
        return self.input_name or "the value"

    @property
    def has_input_name(self) -> bool:
        """Whether an op's input asks for the value, as against `load_asset_value`."""
        return self.input_name is not None

    @property
    def name(self) -> str:
        """The input's name.

        Raises:
            InvariantViolationError: no input asks for the value.
        """
        if self.input_name is None:
            raise NoInputAsks(where=Source.of_caller())
        return self.input_name

    def add_input_metadata(self, metadata: Mapping[str, Any], description: str | None = None) -> None:
        """Keep facts about what was loaded with the step that asked for it; of an asset, as an observation too."""
        self.added_metadata.update(metadata)
        if self.key is not None:
            self.observed.append(InputObservation(self.key, metadata, description))

    def get_observations(self) -> Sequence[InputObservation]:
        """What `add_input_metadata` was told of the asset so far, one for each call."""
        return tuple(self.observed)

    def get_identifier(self) -> Sequence[str]:
        """Where the value was put: the asset's identifier, or for an intermediate that of the output."""
        if self.key is not None:
            return self.key.path
        if self.upstream_output is None:
            raise NoAssetError(self._named())
        return self.upstream_output.get_identifier()

    def __repr__(self) -> str:
        return f"InputContext({self.input_name or self.key})"
