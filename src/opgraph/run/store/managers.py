"""What users' I/O managers are handed, and what they answer: the long way of a value, with contexts."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from opgraph.declare.metadata import all_from_wire, all_to_wire
from opgraph.declare.ops.materialization import AssetObservation
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.ops.viewed import Inferred, type_view
from opgraph.errors import Source
from opgraph.events import Kept, Metadata, Place, Stored
from opgraph.keys import AssetKey
from opgraph.plan.model import StepOutput
from opgraph.resolve.project import Project
from opgraph.run.call.binding import BoundStep
from opgraph.run.call.body import Came
from opgraph.run.captured import Captured, StepLog
from opgraph.run.instance import Instance
from opgraph.run.resources import Opened, Resources
from opgraph.run.store.missing import NoSuchManager
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.manager import FilesystemIOManager, InMemoryIOManager
from opgraph.values.upath import UPathIOManager

DEFAULT = "io_manager"


class _Told(threading.local):
    """What I/O managers said in a thread: attempts on others are none of its business."""

    def __init__(self) -> None:
        self.reported: list[tuple[float, Any]] = []
        self.of_input: Mapping[str, Any] = {}  # of what was loaded last


class Managers:
    """The I/O managers of one run.

    Args:
        instance: for their contexts.
        run_id: the run.
        job: its name.
        resources: by key, I/O managers among them.
        project: the assets, of which contexts tell; None for a job of ops.
        said: what they log, with the step that had them do it.
        hold: whether what a user's I/O manager stores is kept at hand too, for who looks at the run afterwards.
    """

    def __init__(
        self,
        instance: Instance,
        run_id: str,
        job: str,
        resources: Opened,
        project: Project | None,
        said: Captured,
        hold: bool = False,
    ) -> None:
        self.instance, self.run_id, self._job, self.resources = instance, run_id, job, resources
        self.project, self._said, self._hold = project, said, hold
        self.ops: Mapping[str, OpDefinition] = {}  # of the run, by step key
        self.held: dict[tuple[str, str], Any] = {}  # values by step key and output
        self.heard = False  # whether an I/O manager has reported anything at all
        self._told = _Told()
        self._visible = Resources(resources)

    def __getstate__(self) -> dict[str, Any]:
        """As they go to another host."""
        return vars(self) | {"held": {}, "_told": None, "_visible": None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._told, self._visible = _Told(), Resources(self.resources)

    def after_fork(self) -> None:
        """In a forked child: what was said in the parent is none of its business."""
        self._told = _Told()

    @property
    def reported(self) -> list[tuple[float, Any]]:
        """What I/O managers reported in this thread, and when; the attempt takes it."""
        return self._told.reported

    def hand_over(self, bound: BoundStep, output: StepOutput, came: Came, attempt: int, told: Stored) -> Stored:
        """Have an I/O manager store an output. Returns what to record: what is told already, and what it says."""
        manager = self._manager(output.io_manager, f"output `{output.name}` of `{bound.step.key}`", bound.op.source)
        out = bound.op.outs[output.name]
        definition = dict(out.metadata)
        if output.asset is not None and bound.unit is not None:
            definition = {**definition, **bound.unit.definition.specs_by_key[AssetKey(output.asset)].metadata}
        context = OutputContext(
            name=output.name,
            step_key=bound.step.key,
            run_id=self.run_id,
            key=AssetKey(output.asset) if output.asset is not None else None,
            attempt=attempt,
            definition_metadata=definition,
            output_metadata=came.metadata,
            dagster_type=_told(out.dagster_type),
            resources=self._visible,
            resource_config=self._config_of(output.io_manager),
            log=StepLog(self._said, bound.number, attempt),
            op_def=bound.op,
            job_name=self._job,
            version=out.code_version,
            mapping_key=came.mapping_key,
            storage=self._storage(manager),
        )
        answer = manager.handle_output(context, came.value)
        if hasattr(answer, "__next__"):  # written as a generator, for old code: it yields metadata and events
            for event in answer:
                if isinstance(event, Mapping):
                    context.add_output_metadata(event)  # pyright: ignore[reportUnknownArgumentType]
                else:
                    context.log_event(event)
        now = time.time()
        if context.reported:
            self.heard = True
            self.reported.extend((now, event) for event in context.reported)
        metadata = told.metadata
        if context.added_metadata:
            metadata = {**metadata, **all_to_wire(context.added_metadata)}
        if self._hold and self._is_users(manager, output.io_manager):
            name = output.name if came.mapping_key is None else f"{output.name}[{came.mapping_key}]"
            self.held[bound.step.key, name] = came.value
        place = Place.MEMORY if isinstance(manager, InMemoryIOManager) else Place.MANAGER
        return structs.replace(
            told,
            place=place,
            size=context.size,
            checksum=context.checksum,
            data_version=told.data_version or context.checksum,
            location=context.location,
            metadata=metadata,
        )

    def told_of_input(self) -> Metadata:
        """What the I/O manager said of the value that was loaded last; once."""
        metadata, self._told.of_input = self._told.of_input, {}
        return all_to_wire(metadata) if metadata else {}

    def _ask(self, loader: Any, context: InputContext) -> Any:
        """Have an I/O manager load a value, and keep what it says of it."""
        value = loader.load_input(context)
        if context.added_metadata:
            self._told.of_input = context.added_metadata
            now = time.time()
            self.heard = True
            self.reported.extend(
                (now, AssetObservation(each.asset_key, description=each.description, metadata=each.metadata))
                for each in context.get_observations()
            )
        return value

    def load(self, kept: Kept, bound: BoundStep | None, name: str, manager: str, attempt: int, step_key: str) -> Any:
        """Have the I/O manager that stored a value load it, or the input manager that is named."""
        stored = kept.stored
        who = f"input `{name}`" + (f" of `{bound.step.key}`" if bound is not None else "")
        where = bound.op.source if bound is not None else None
        key = manager or stored.io_manager or DEFAULT
        loader = self._manager(key, who, where)
        storage = self._storage(loader)
        asset = AssetKey(stored.asset) if stored.asset is not None else None
        context = self._input_context(bound, name, attempt, asset, storage, key)
        maker = self.ops.get(step_key)
        made = maker.outs.get(stored.output) if maker is not None else None
        context.upstream_output = OutputContext(
            name=stored.output,
            step_key=step_key,
            run_id=kept.run,
            key=asset,
            definition_metadata=self._declared(stored.asset, step_key, stored.output),
            output_metadata=all_from_wire(stored.metadata),
            dagster_type=_told(made.dagster_type) if made is not None else type_view(..., ...),
            op_def=maker,
            resource_config=context.resource_config,
            resources=self._visible,
            log=context.log,
            job_name=self._job,
            mapping_key=stored.mapping_key,
            storage=storage,
            location=stored.location,
            size=stored.size,
            checksum=stored.checksum,
        )
        return self._ask(loader, context)

    def load_unrecorded(self, asset: str, bound: BoundStep | None, name: str, key: str, attempt: int) -> Any:
        """What an I/O manager has of an asset of which no value is recorded."""
        loader = self._manager(key, f"asset `{asset}`", None)
        context = self._input_context(bound, name, attempt, AssetKey(asset), self._storage(loader), key)
        context.upstream_output = OutputContext(
            name="result",
            key=AssetKey(asset),
            definition_metadata=self._declared(asset, "", ""),
            log=context.log,
            job_name=self._job,
        )
        return self._ask(loader, context)

    def load_from_outside(self, bound: BoundStep, name: str, manager: str, attempt: int) -> Any:
        """The value of an input to which nothing is wired: its input manager has it from elsewhere."""
        loader = self._manager(manager, f"input `{name}` of `{bound.step.key}`", bound.op.source)
        return self._ask(loader, self._input_context(bound, name, attempt, None, self._storage(loader), manager))

    def _config_of(self, key: str) -> Any:
        """What an I/O manager was configured with."""
        return self.resources.config(key)

    def _storage(self, manager: Any) -> str:
        """The folder of values, for managers that use it: asking for it makes one where there is none."""
        return self.instance.storage if isinstance(manager, (FilesystemIOManager, UPathIOManager)) else ""

    def _input_context(
        self, bound: BoundStep | None, name: str, attempt: int, asset: AssetKey | None, storage: str, key: str
    ) -> InputContext:
        declared = bound.op.ins[name] if bound is not None else None
        return InputContext(
            input_name=name or None,
            key=asset,
            step_key=bound.step.key if bound is not None else "",
            run_id=self.run_id,
            definition_metadata=declared.metadata if declared is not None else {},
            dagster_type=_told(declared.dagster_type) if declared is not None else type_view(..., ...),
            resources=self._visible,
            resource_config=self._config_of(key),
            log=StepLog(self._said, bound.number if bound is not None else -1, attempt),
            op_def=bound.op if bound is not None else None,
            job_name=self._job,
            storage=storage,
            instance=self.instance,
        )

    def _declared(self, asset: str | None, step_key: str, output: str) -> Mapping[str, Any]:
        if asset is None or self.project is None:
            out = self.ops[step_key].outs.get(output) if step_key in self.ops else None
            return out.metadata if out is not None else {}
        node = self.project.graph.nodes.get(AssetKey(asset))
        return node.spec.metadata if node is not None else {}

    def manager_of(self, asset: str) -> str:
        """The key of an asset's I/O manager."""
        key = AssetKey(asset)
        if self.project is None or key not in self.project.graph.nodes:
            return DEFAULT
        return self.project.manager_of(key)

    def is_external(self, asset: str) -> bool:
        """Whether an asset is made elsewhere."""
        node = self.project.graph.nodes.get(AssetKey(asset)) if self.project is not None else None
        return node is not None and (node.unit is None or not node.unit.definition.is_executable)

    def _is_users(self, manager: Any, key: str) -> bool:
        """Whether a manager may not load what it stored: it is not one of ours, or is put away with the run."""
        if not type(manager).__module__.startswith("opgraph."):
            return True
        return self.resources.ends(key)

    def is_own(self, key: str) -> bool:
        """Whether the I/O manager of a key is our own store."""
        given = self.resources.get(key)
        if given is None:
            return key == DEFAULT
        return type(given) is FilesystemIOManager and given.base_dir is None

    def loads_unstored(self, key: str) -> bool:
        """Whether an I/O manager is asked for the value of a Nothing output, which an op wrote itself: a user's is."""
        given = self.resources.get(key)
        return given is not None and not isinstance(given, (FilesystemIOManager, InMemoryIOManager, UPathIOManager))

    def _manager(self, key: str, who: str, where: Source | None) -> Any:
        given = self.resources.get(key)
        if given is None:
            if key != DEFAULT:
                raise NoSuchManager(key, who, where=where)
            return FilesystemIOManager(self.instance.storage)
        return given


def _told(kind: Any) -> Any:
    return kind if isinstance(kind, Inferred) else type_view(kind, ...)
