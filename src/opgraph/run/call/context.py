"""The context that an op's function is given, if it asks for one."""

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from msgspec import Struct

from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.graphs.node import Node
from opgraph.declare.metadata import MetadataValue, all_from_wire, facts
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.ops.signatures import Context
from opgraph.events import Metadata
from opgraph.keys import AssetKey, CoercibleToAssetKey
from opgraph.run import mistakes
from opgraph.run.captured import Captured, StepLog, current_context, get_logger
from opgraph.run.resources import Resources, Scope
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.problems import UnpartitionedError

__all__ = [
    "AssetExecutionContext",
    "AssetSide",
    "InputContext",
    "OpExecutionContext",
    "OutputContext",
    "Resources",
    "RunSide",
]


class RunSide(Struct, frozen=True, eq=False):
    """What the contexts of a run have in common."""

    run_id: str = "EPHEMERAL"
    job_name: str = ""
    tags: Mapping[str, str] = {}
    resources: Resources = Resources({})
    instance: Any = None
    run: Any = None  # the public Run
    job_def: Any = None
    said: Captured | None = None  # None: no run; lines go to the standard `logging`
    builder: str = ""  # the function that made a context for a direct call
    scope: Scope | None = None  # the resources of such a context


class AssetSide(Struct, frozen=True, eq=False):
    """The assets that an op's step has to do with."""

    keys: frozenset[AssetKey]  # of the whole definition
    selected: frozenset[AssetKey]
    by_output: Mapping[str, AssetKey]  # of this op
    by_input: Mapping[str, AssetKey]
    definition: AssetsDefinition | None = None


class OpExecutionContext(Context):
    """What an op's function can ask of its run, and say to it. Ask for it with a first parameter named `context`.

    Example:
        >>> @op
        ... def count(context: OpExecutionContext, rows: list) -> int:
        ...     context.log.info("run %s", context.run_id)
        ...     return len(rows)
    """

    __slots__ = (
        "_assets", "_attempt", "_config", "_load", "_log", "_mapping_key", "_node", "_op", "_outputs", "_resources",
        "_side", "_step", "_step_key", "_subset", "_told", "_without", "added_metadata", "came", "reported",
    )  # fmt: skip

    def __init__(
        self,
        op: OpDefinition | None,
        side: RunSide,
        step_key: str = "",
        step: int = -1,
        attempt: int = 1,
        selected: AbstractSet[str] | None = None,
        assets: AssetSide | None = None,
        *,
        is_subset: bool = False,
        node: Node | None = None,
        load: Callable[[AssetKey], Any] | None = None,
        config: Any = None,
        resources: Resources | None = None,
        mapping_key: str | None = None,
        without: Mapping[str, tuple[str, ...]] | None = None,
        told: Mapping[str, Metadata] | None = None,
    ) -> None:
        self._op = op
        self._resources = resources
        self._side = side
        self._step_key = step_key
        self._step = step
        self._attempt = attempt
        self._outputs = selected
        self._assets = assets
        self._subset = is_subset
        self._node = node
        self._load = load
        self._config = config
        self._mapping_key = mapping_key
        self._without = without or {}
        self._told = told or {}
        self._log: Any = None
        self.added_metadata: dict[str, dict[str, Any]] = {}  # by output; the driver puts it on the outputs
        self.came: AbstractSet[str] = frozenset()  # the outputs that were yielded already
        self.reported: list[tuple[float, Any]] = []  # by log_event, with the time; the driver takes them

    def bind(self, op: OpDefinition, assets: AssetSide | None) -> AbstractSet[str] | None:
        """Use a built context for a direct call of this op; returns the outputs that are selected (None: all)."""
        self._op = op
        self._step_key = op.name
        self._assets = assets
        self.came = frozenset()
        self.added_metadata = {}
        return self._outputs

    def bring(self, assets: AssetsDefinition) -> None:
        """Add the resources that a definition brings with it to those of a built context.

        Raises:
            InvalidInvocationError: a resource is among both.
        """
        self._resources = None  # of the call before
        if self._side.scope is None or not assets.resource_defs:
            return
        both = sorted(assets.resource_defs.keys() & set(dir(self.resources)))
        if both:
            raise mistakes.ResourcesOnBoth(assets.node_name, both, where=assets.source)
        self._resources = self._side.scope.with_also(assets.resource_defs)

    def use_config(self, config: Any) -> None:
        """Say what `op_config` is, once it was checked against what the op takes."""
        self._config = config

    def __enter__(self) -> Self:
        """Use it in a `with` statement where resources must be put away at its end."""
        if self._side.scope is not None:
            self._side.scope.enter()
        return self

    def __exit__(self, *_: object) -> None:
        if self._side.scope is not None:
            self._side.scope.leave()

    def twin(self) -> "OpExecutionContext":
        """A fresh context of the same run, for another op that is called directly."""
        return type(self)(None, self._side)

    @classmethod
    def get(cls) -> Self:
        """The context of the step under way, where a function that the op calls was not given it.

        Raises:
            InvariantViolationError: no step is under way here, or its context is of another kind.
        """
        context = current_context()
        if not isinstance(context, cls):
            raise mistakes.NoStepUnderWay(cls.__name__)
        return context

    # -- the run --

    @property
    def log(self) -> Any:
        """A logger whose lines are kept with the step."""
        if self._log is None:
            said = self._side.said
            self._log = StepLog(said, self._step, self._attempt) if said is not None else get_logger()
        return self._log

    @property
    def run_id(self) -> str:
        """The run's id; `EPHEMERAL` in a direct call."""
        return self._side.run_id

    @property
    def run(self) -> Any:
        """The run.

        Raises:
            InvariantViolationError: in a direct call there is none.
        """
        return self._of_run("run", self._side.run)

    dagster_run = run

    @property
    def run_tags(self) -> Mapping[str, str]:
        """The run's tags."""
        return self._side.tags

    def has_tag(self, key: str) -> bool:
        """Whether the run has this tag."""
        return key in self._side.tags

    def get_tag(self, key: str) -> str | None:
        """A tag of the run; None where it has no such tag."""
        return self._side.tags.get(key)

    @property
    def instance(self) -> Any:
        """The instance that records the run.

        Raises:
            InvariantViolationError: in a direct call none was given.
        """
        return self._of_run("instance", self._side.instance)

    @property
    def job_name(self) -> str:
        """The job's name.

        Raises:
            InvariantViolationError: in a direct call there is none.
        """
        return self._of_run("job_name", self._side.job_name or None)

    @property
    def job_def(self) -> Any:
        """The job.

        Raises:
            InvariantViolationError: in a direct call there is none.
        """
        return self._of_run("job_def", self._side.job_def)

    @property
    def resources(self) -> Resources:
        """The resources, as attributes: `context.resources.warehouse`."""
        if self._resources is not None:
            return self._resources
        return self._side.resources if self._side.scope is None else self._side.scope.resources

    @property
    def retry_number(self) -> int:
        """0 in the first attempt, 1 in the second."""
        return self._attempt - 1

    def _of_run(self, member: str, value: Any) -> Any:
        if value is None:
            raise mistakes.NotInTests(member, self._side.builder or "build_op_context")
        return value

    # -- the op --

    @property
    def op_def(self) -> OpDefinition:
        """The op.

        Raises:
            InvariantViolationError: the context was made for a direct call and was not used in one yet.
        """
        return self._of_run("op_def", self._op)

    @property
    def op(self) -> Any:
        """The node: the op's use in its graph, with its alias and tags; the op where it stands alone.

        Raises:
            InvalidPropertyError: in a direct call there is none.
        """
        self._of_run("op", self._load)
        return self._node if self._node is not None else self.op_def

    def describe_op(self) -> str:
        """The op, for messages.

        Raises:
            InvalidPropertyError: in a direct call there is none.
        """
        self._of_run("describe_op", self._load)
        return f'op "{self._step_key}"'

    @property
    def step_key(self) -> str:
        """The step's path in its job, with its mapping key: `my_asset.clean.dedupe`."""
        return self._step_key

    op_handle = step_key

    @property
    def op_config(self) -> Any:
        """The op's configuration; None where it has none."""
        return self._config

    @property
    def run_config(self) -> Mapping[str, Any]:
        """The configuration that the run was given."""
        return self.run.run_config

    @property
    def selected_output_names(self) -> AbstractSet[str]:
        """The outputs that the selection needs: those of selected assets, and those that other steps wait for."""
        return frozenset(self.op_def.outs) if self._outputs is None else self._outputs

    @property
    def is_subset(self) -> bool:
        """Whether only a part of the asset definition is being run."""
        return self._subset

    def get_mapping_key(self) -> str | None:
        """Which value of a fan-out the step is for, of the innermost where they are nested; None outside of one."""
        if self._mapping_key is not None:
            return self._mapping_key
        return self._step_key[:-1].rpartition("[")[2] if self._step_key.endswith("]") else None

    def failed_mapping_keys(self, input_name: str) -> tuple[str, ...]:
        """The mapping keys that an input of `collect(allow_failed=True)` came without, because their steps failed.

        Args:
            input_name: the input. Of nested fan-outs a key is `outer/inner`.

        Example:
            >>> from opgraph import build_op_context
            >>> build_op_context().failed_mapping_keys("counts")
            ()
        """
        return self._without.get(input_name, ())

    def get_input_metadata(self, input_name: str) -> Mapping[str, MetadataValue]:
        """The metadata that was recorded with an input's value: what the op that made it and its I/O manager
        said of it.

        Args:
            input_name: the input. Where it is put together of several values, as a list is, there is none.

        Example:
            >>> from opgraph import build_op_context
            >>> build_op_context().get_input_metadata("rows")
            {}
        """
        return all_from_wire(self._told.get(input_name, {}))

    # -- assets --

    def _asset_side(self, member: str) -> AssetSide:
        if self._assets is None:
            self._of_run(member, self._op)
            raise mistakes.NoAssets(self._name, member)
        return self._assets

    @property
    def _name(self) -> str:
        return self._op.name if self._op is not None else "the op"

    @property
    def has_assets_def(self) -> bool:
        """Whether the op makes assets, or is part of a graph that does."""
        return self._assets is not None

    @property
    def assets_def(self) -> AssetsDefinition:
        """The asset definition that the op belongs to.

        Raises:
            InvariantViolationError: it belongs to none.
        """
        return self._of_run("assets_def", self._asset_side("assets_def").definition)

    @property
    def asset_key(self) -> AssetKey:
        """The key of the one asset that is made.

        Raises:
            InvariantViolationError: there are several, or none.
        """
        keys = self._asset_side("asset_key").keys
        if len(keys) != 1:
            raise mistakes.WhichAsset(
                self._name,
                "Cannot call `context.asset_key` in a multi_asset with more than one asset",
                keys,
                where=self._op.source if self._op is not None else None,
                fix="use `context.asset_key_for_output(...)` or `context.selected_asset_keys`",
            )
        return next(iter(keys))

    @property
    def asset_keys(self) -> frozenset[AssetKey]:
        """The keys of all assets of the definition that the op belongs to, selected or not."""
        return self._asset_side("asset_keys").keys

    @property
    def selected_asset_keys(self) -> frozenset[AssetKey]:
        """The keys of the assets that are to be made."""
        return self._assets.selected if self._assets is not None else frozenset()

    def asset_key_for_output(self, output_name: str = "result") -> AssetKey:
        """The asset that an output of this op is.

        Raises:
            InvariantViolationError: it is none.
        """
        side = self._asset_side("asset_key_for_output")
        if output_name not in side.by_output:
            raise mistakes.UnknownOutput(self._name, output_name, tuple(side.by_output), where=None)
        return side.by_output[output_name]

    def output_for_asset_key(self, asset_key: AssetKey) -> str:
        """The output of this op that is an asset.

        Raises:
            InvariantViolationError: no output is.
        """
        side = self._asset_side("output_for_asset_key")
        for name, key in side.by_output.items():
            if key == asset_key:
                return name
        raise self._not_made(asset_key, side)

    def asset_key_for_input(self, input_name: str) -> AssetKey:
        """The asset that an input is.

        Raises:
            InvariantViolationError: it is none.
        """
        side = self._asset_side("asset_key_for_input")
        if input_name not in side.by_input:
            raise mistakes.NoAssets(self._name, f"asset_key_for_input({input_name!r})")
        return side.by_input[input_name]

    def _not_made(self, key: AssetKey, side: AssetSide) -> mistakes.WhichAsset:
        what = f"`{key.to_user_string()}` is no asset that it makes"
        return mistakes.WhichAsset(
            self._name,
            what,
            side.by_output.values(),
            where=self._op.source if self._op is not None else None,
            fix="name one of these",
        )

    # -- what the op says --

    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None = None, mapping_key: str | None = None
    ) -> None:
        """Keep facts with an output, to be returned or yielded later.

        Args:
            metadata: the facts, by name.
            output_name: which output; may be left out where there is only one.
            mapping_key: of a dynamic output, which of its values.

        Raises:
            InvariantViolationError: the output is not known, not named, or was yielded already.
        """
        outs = tuple(self.op_def.outs)
        if output_name is None:
            if len(outs) != 1:
                raise mistakes.MetadataForWhich(self._name, outs, where=self.op_def.source)
            output_name = outs[0]
        if output_name not in outs:
            raise mistakes.UnknownOutput(self._name, output_name, outs, where=self.op_def.source)
        if mapping_key is not None:
            if f"{output_name}[{mapping_key}]" in self.came:
                raise mistakes.MetadataTooLate(
                    self._name, f"{output_name}' with mapping_key '{mapping_key}", where=self.op_def.source
                )
            output_name = f"{output_name}[{mapping_key}]"
        if output_name in self.came:
            raise mistakes.MetadataTooLate(self._name, output_name, where=self.op_def.source)
        facts(metadata)  # a mistake in them is said here, where the line is known that makes it
        self.added_metadata.setdefault(output_name, {}).update(metadata)

    def get_output_metadata(self, output_name: str, mapping_key: str | None = None) -> Mapping[str, Any] | None:
        """The metadata that was added to an output so far."""
        place = output_name if mapping_key is None else f"{output_name}[{mapping_key}]"
        return self.added_metadata.get(place)

    def add_asset_metadata(
        self,
        metadata: Mapping[str, Any],
        asset_key: CoercibleToAssetKey | None = None,
        partition_key: str | None = None,
    ) -> None:
        """Keep facts with an asset's materialization.

        Args:
            metadata: the facts, by name.
            asset_key: which asset; may be left out where there is only one.
            partition_key: not supported yet.

        Raises:
            InvariantViolationError: the op does not make the asset, or yielded it already.
        """
        if partition_key is not None:
            raise UnpartitionedError("add_asset_metadata")
        key = self.asset_key if asset_key is None else AssetKey.from_coercible(asset_key)
        self.add_output_metadata(metadata, self.output_for_asset_key(key))

    def load_asset_value(
        self, asset_key: CoercibleToAssetKey, *, python_type: type | None = None, partition_key: str | None = None
    ) -> Any:
        """The stored value of an asset, the latest that is recorded, through its own I/O manager.

        Args:
            asset_key: which asset.
            python_type: the type that the caller expects; checkers read it.
            partition_key: not supported yet.

        Raises:
            KeyError: the definitions have no such asset.
            InvalidPropertyError: in a direct call there is nothing to load from.
        """
        del python_type
        if partition_key is not None:
            raise UnpartitionedError("load_asset_value")
        return self._of_run("load_asset_value", self._load)(AssetKey.from_coercible(asset_key))

    def log_event(self, event: Any) -> None:
        """Report an `AssetMaterialization` or an `AssetObservation` beside the op's outputs."""
        self.reported.append((time.time(), event))

    # -- partitions --

    has_partition_key: ClassVar[bool] = False  # whether the run has a partition
    has_partition_key_range: ClassVar[bool] = False  # whether it has a range of partitions
    has_partitions: ClassVar[bool] = False  # whether it has any

    if not TYPE_CHECKING:  # for a checker a name that is not there is a mistake

        def __getattr__(self, name: str) -> NoReturn:
            if name in _OF_PARTITIONS:
                raise UnpartitionedError(name)
            if name in _OF_RUNS and self._load is None:
                raise mistakes.NotInTests(name, self._side.builder or "build_op_context")
            if name.startswith("_"):  # asked for by Python and by tools, to see whether it is there
                raise AttributeError(f"{type(self).__name__} has no '{name}'", name=name)
            raise mistakes.NoSuchMember(type(self).__name__, name, [each for each in dir(self) if each[0] != "_"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._step_key or self._name}>"


_OF_RUNS = frozenset({"get_step_execution_context", "node_handle", "step_launcher"})  # nothing of ours has them

_OF_PARTITIONS = frozenset(
    {
        "asset_partition_key_for_input", "asset_partition_key_for_output", "asset_partition_key_range",
        "asset_partition_key_range_for_input", "asset_partition_key_range_for_output", "asset_partition_keys_for_input",
        "asset_partition_keys_for_output", "asset_partitions_def_for_input", "asset_partitions_def_for_output",
        "asset_partitions_time_window_for_input", "asset_partitions_time_window_for_output", "partition_key",
        "partition_key_range", "partition_keys", "partition_time_window",
    }
)  # fmt: skip


class AssetExecutionContext(OpExecutionContext):
    """What an asset's function can ask of its run, and say to it.

    Example:
        >>> @asset
        ... def table(context: AssetExecutionContext) -> int:
        ...     context.add_asset_metadata({"path": "somewhere"})
        ...     return 3
    """

    __slots__ = ()

    @property
    def op_execution_context(self) -> OpExecutionContext:
        """The same context."""
        return self
