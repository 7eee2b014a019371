"""Where the values of a run go and where they come from: our own store on the short way, users' I/O managers on the
long."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import structs

from opgraph.declare.inputs import NoDefault
from opgraph.declare.materialization import AssetObservation
from opgraph.declare.metadata import all_to_wire
from opgraph.declare.op import OpDefinition
from opgraph.errors import Error, InvariantViolationError, Source, ValueNotFoundError
from opgraph.events import Kept, Metadata, Place, Read, Stored
from opgraph.keys import AssetKey, near_misses
from opgraph.plan.model import FromAsset, Role, StepOutput
from opgraph.record.store import Record
from opgraph.resolve.project import Project
from opgraph.run.binding import BoundStep
from opgraph.run.body import Came
from opgraph.run.instance import Instance
from opgraph.run.preview import glance, is_shown, look
from opgraph.run.resources import Opened, Resources
from opgraph.values.codec import decode
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.manager import FilesystemIOManager, InMemoryIOManager
from opgraph.values.problems import ValueLostError
from opgraph.values.store import Origin, cut
from opgraph.values.upath import UPathIOManager

DEFAULT = "io_manager"
_INLINE = Place.INLINE  # in a name of its own: to ask an enum for a member takes time
_CACHE = 4 * 1024 * 1024  # bytes of inline values kept in the process, so that the next step need not ask the record
_BESIDE = 150  # bytes that keeping one costs beside its own


class NoSuchManager(InvariantViolationError):
    """An I/O manager is named that the run does not have."""

    def __init__(self, key: str, who: str, where: Source | None) -> None:
        self.key, self.who = key, who
        super().__init__(
            f"{who} names I/O manager `{key}`, which is not among the resources",
            where=where,
            fix=f'add it to the resources: `resources={{"{key}": …}}`',
        )


class NoStoredValue(ValueNotFoundError):
    """An asset that is to be loaded has a recorded materialization, and nothing was stored with it."""

    def __init__(self, asset: str) -> None:
        self.asset = asset
        super().__init__(
            f"asset `{asset}` is materialized without a value: its function returns None or a result without one",
            fix=f'depend on it with `deps=["{asset}"]` instead of an argument, or load what it wrote yourself',
        )


class NeverMaterialized(ValueNotFoundError):
    """An asset that is to be loaded was never materialized here."""

    def __init__(self, asset: str, needed_by: str = "", reason: str = "", *, external: bool = False) -> None:
        self.asset, self.needed_by, self.external = asset, needed_by, external
        materialize = "materialize it first" + (f", or with what needs it: select `+{needed_by}`" if needed_by else "")
        elsewhere = (
            "it is made elsewhere: name the I/O manager that can load it, "
            f'`AssetSpec("{asset}").with_io_manager_key("...")`, and add that to the resources'
        )
        super().__init__(
            f"asset `{asset}` is to be loaded, and no materialization of it is recorded"
            + (f" ({reason})" if reason else ""),
            fix=elsewhere if external else materialize,
        )


class AssetValueLost(ValueNotFoundError):
    """The stored value of an asset that nothing in the plan makes is gone or damaged."""

    def __init__(self, asset: str, why: str, location: str, needed_by: str = "") -> None:
        self.asset, self.why, self.location, self.needed_by = asset, why, location, needed_by
        super().__init__(
            f"the stored value of asset `{asset}` is {why}: {location}",
            fix=f"make it again: `opgraph materialize --select {asset}`"
            + (f", or together with what needs it: `--select '{asset} or {needed_by}'`" if needed_by else ""),
        )


class Lost(Exception):  # a signal between two files of this room, not an error for users
    """A value of this run's plan could not be loaded: its producer may have to run again."""

    def __init__(self, step: int, output: str, cause: Exception, mapping_key: str | None = None) -> None:
        self.step, self.output, self.cause, self.mapping_key = step, output, cause, mapping_key


class UnknownAsset(Error, KeyError):
    """The value of an asset was asked for that the definitions do not have."""

    def __init__(self, asset: str, known: Sequence[str]) -> None:
        self.asset, self.near = asset, tuple(near_misses(asset, known))
        meant = f"did you mean {' or '.join(f'`{each}`' for each in self.near)}?" if self.near else ""
        super().__init__(f"there is no asset `{asset}`", fix=meant or "name one that the definitions have")

    __str__ = Error.__str__  # KeyError shows what is missing in quotes


class _Told(threading.local):
    """What I/O managers said in a thread: attempts on others are none of its business."""

    def __init__(self) -> None:
        self.reported: list[tuple[float, Any]] = []
        self.of_input: Mapping[str, Any] = {}  # of what was loaded last


class Shelf:
    """Stores and loads the values of one run.

    Args:
        instance: whose record and store.
        run_id: the run.
        job: its name.
        resources: by key, I/O managers among them.
        project: the assets, for those loaded from outside the plan; None for a job of ops.
        log: makes the logger that managers write to, for a step and attempt.
        hold: tells of an I/O manager whether what it stores is kept at hand too, for who looks at the run afterwards.
    """

    def __init__(
        self,
        instance: Instance,
        run_id: str,
        job: str,
        resources: Mapping[str, Any],
        project: Project | None,
        log: Callable[[int, int], Any],
        hold: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.run_id = run_id
        self._instance, self._job, self._resources, self._project, self._log = instance, job, resources, project, log
        self._intermediates, self._assets, self._durable = instance.intermediates, instance.assets, instance.durable
        self._blobs: dict[int, bytes] = {}
        self._blob_bytes = 0
        self._own: dict[str, bool] = {}
        self._memories: dict[str, InMemoryIOManager | None] = {}
        self._hold = hold
        self.ops: Mapping[str, OpDefinition] = {}  # of the run, by step key
        self.held: dict[tuple[str, str], Any] = {}  # values by step key and output
        self.heard = False  # whether an I/O manager has reported anything at all
        self._told = _Told()
        self._visible = Resources(resources)
        # In a worker process, what the driver had at hand: bytes by run and fact, and the latest versions of assets.
        self.lent: Mapping[tuple[str, int], bytes] = {}
        self.known: Mapping[str, Kept | None] | None = None

    @property
    def reported(self) -> list[tuple[float, Any]]:
        """What I/O managers reported in this thread, and when; the attempt takes it."""
        return self._told.reported

    @property
    def record(self) -> Record:
        """Where what was stored is recorded."""
        return self._instance.record

    # -- storing ----------------------------------------------------------------------

    def put(
        self, bound: BoundStep, output: StepOutput, came: Came, attempt: int, offset: int, *, asked: bool
    ) -> tuple[Stored, bytes | None]:
        """Store one output. Returns what to record, and the bytes that go into the record with it."""
        stored, blob = self._put(bound, output, came, attempt, offset, asked=asked)
        if is_shown(stored):
            asset = stored.asset
            seen = glance(came.value, blob) if asset is None else look(came.value, self._kinds_of(bound, asset))
            if seen:
                blob = seen if blob is None else blob + seen
            if offset and stored.place is not _INLINE:
                stored = structs.replace(stored, offset=offset)
        return (structs.replace(stored, tags=dict(came.tags)) if came.tags else stored), blob

    @staticmethod
    def _kinds_of(bound: BoundStep, asset: str) -> AbstractSet[str]:
        """What an asset is, as far as it says how it is shown."""
        spec = bound.unit.definition.specs_by_key.get(AssetKey(asset)) if bound.unit is not None else None
        if spec is None:
            return frozenset()
        said = spec.metadata.get("format")
        return spec.kinds | {said} if isinstance(said, str) else spec.kinds

    def _put(
        self, bound: BoundStep, output: StepOutput, came: Came, attempt: int, offset: int, *, asked: bool
    ) -> tuple[Stored, bytes | None]:
        metadata: Metadata = all_to_wire(came.metadata) if came.metadata else {}
        if not came.has_value or not output.stored:
            return Stored(
                came.output,
                Place.NONE,
                data_version=came.data_version,
                mapping_key=came.mapping_key,
                asset=output.asset,
                asked=asked,
                io_manager=output.io_manager if output.asset is None and output.io_manager in self._resources else "",
                metadata=metadata,
            ), None
        key = output.io_manager
        own = self._own.get(key)
        if own is None:
            own = self._own[key] = self._is_own(key)
        if own:
            store = self._intermediates if output.asset is None else self._assets
            return store.put(
                came.value,
                came.output,
                Origin(self.run_id, bound.step.key, attempt),
                offset=offset,
                data_version=came.data_version,
                mapping_key=came.mapping_key,
                asset=output.asset,
                asked=asked,
                io_manager=key,
                metadata=metadata,
                durable=self._durable and output.asset is not None,
            )
        memory = self._memory_of(key)
        if memory is not None:
            place = self._place(self.run_id, bound.step.key, came.output, output.asset, came.mapping_key)
            memory.values[place] = came.value
            return Stored(
                came.output,
                Place.MEMORY,
                data_version=came.data_version,
                mapping_key=came.mapping_key,
                asset=output.asset,
                asked=asked,
                io_manager=key,
                metadata=metadata,
                type_name=type(came.value).__qualname__,
            ), None
        return self._hand_over(bound, output, came, attempt, metadata, asked=asked), None

    def _memory_of(self, key: str) -> InMemoryIOManager | None:
        """The manager of this key, if it is our own one in memory: its values need no contexts."""
        if key not in self._memories:
            given = self._resources.get(key)
            self._memories[key] = given if type(given) is InMemoryIOManager else None
        return self._memories[key]

    @staticmethod
    def _place(run_id: str, step_key: str, output: str, asset: str | None, mapping_key: str | None) -> tuple[str, ...]:
        """Where a value is in memory: what `get_identifier` of its context would say."""
        if asset is not None:
            return tuple(asset.split("/"))
        return (run_id, step_key, output) if mapping_key is None else (run_id, step_key, output, mapping_key)

    def _hand_over(
        self, bound: BoundStep, output: StepOutput, came: Came, attempt: int, metadata: Metadata, *, asked: bool
    ) -> Stored:
        manager = self._manager(output.io_manager, f"output `{output.name}` of `{bound.step.key}`", bound.op.source)
        out = bound.op.outs[output.name]
        definition = dict(out.metadata)
        if output.asset is not None and bound.unit is not None:
            definition = {**definition, **bound.unit.definition.specs_by_key[AssetKey(output.asset)].metadata}
        context = OutputContext(
            name=output.name,
            step_key=bound.step.key,
            run_id=self.run_id,
            asset_key=AssetKey(output.asset) if output.asset is not None else None,
            attempt=attempt,
            definition_metadata=definition,
            output_metadata=came.metadata,
            dagster_type=_told(out.dagster_type),
            resources=self._visible,
            resource_config=self._config_of(output.io_manager),
            log=self._log(bound.number, attempt),
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
        if context.added_metadata:
            metadata = {**metadata, **all_to_wire(context.added_metadata)}
        if self._hold(output.io_manager):
            name = output.name if came.mapping_key is None else f"{output.name}[{came.mapping_key}]"
            self.held[bound.step.key, name] = came.value
        place = Place.MEMORY if isinstance(manager, InMemoryIOManager) else Place.MANAGER
        return Stored(
            output.name,
            place,
            size=context.size,
            checksum=context.checksum,
            data_version=came.data_version or context.checksum,
            location=context.location,
            mapping_key=came.mapping_key,
            asset=output.asset,
            asked=asked,
            io_manager=output.io_manager,
            metadata=metadata,
            type_name=type(came.value).__qualname__,
        )

    def remove(self, stored: Stored) -> None:
        """Take back a value that was put and that no fact will announce. What a user's manager wrote is its own."""
        if stored.place is Place.FILE:
            self._intermediates.remove(stored)

    def remember(self, seq: int, blob: bytes) -> None:
        """Keep the bytes beside a fact of this run at hand, as long as there is room."""
        self._blobs[seq] = blob
        self._blob_bytes += len(blob) + _BESIDE
        while self._blob_bytes > _CACHE:
            self._blob_bytes -= len(self._blobs.pop(next(iter(self._blobs)))) + _BESIDE

    # -- loading ----------------------------------------------------------------------

    def bytes_of(self, kept: Kept) -> bytes | None:
        """The bytes beside a fact, of which an inline value is cut; None: they are gone."""
        blob = self._blobs.get(kept.seq) if kept.run == self.run_id else None
        if blob is None:
            blob = self.lent.get((kept.run, kept.seq))
        return self.record.value(kept.run, kept.seq) if blob is None else blob

    def latest(self, asset: str) -> Kept | None:
        """The latest recorded version of an asset."""
        if self.known is not None and asset in self.known:
            return self.known[asset]
        found = self.record.latest([asset]).get(asset)
        return Kept(found.run_id, found.seq, found.stored) if found is not None else None

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

    def get(
        self, kept: Kept, bound: BoundStep | None, name: str, manager: str, attempt: int = 1, step_key: str = ""
    ) -> Any:
        """Load a stored value for an input.

        Args:
            kept: where it is.
            bound: the step that asks; None: a person does.
            name: the input.
            manager: the key of an input manager, if one was named.
            attempt: of the step that asks.
            step_key: the step that made the value, for the I/O manager.

        Raises:
            ValueLostError: it is gone or damaged.
        """
        stored = kept.stored
        place = stored.place
        if not manager:
            if place is _INLINE:
                blob = self._blobs.get(kept.seq) if kept.run == self.run_id else None
                if blob is not None:  # it never left this process: its checksum was made of these very bytes
                    return decode(cut(stored, blob), type_name=stored.type_name)
                return self._intermediates.get(stored, self.bytes_of(kept))
            if place is Place.FILE:
                return self._intermediates.get(stored)
            if place is Place.MEMORY:
                memory = self._memory_of(stored.io_manager)
                where = self._place(kept.run, step_key, stored.output, stored.asset, stored.mapping_key)
                if memory is not None and where in memory.values:
                    return memory.values[where]
            if place is Place.NONE:
                if stored.asset is not None:
                    own = self._manager_of(stored.asset)
                    if self._is_own(own):
                        raise NoStoredValue(stored.asset)
                    return self._load_unrecorded(stored.asset, bound, name, own, attempt)  # it knows what was written
                if not stored.io_manager or not self._loads_unstored(stored.io_manager):
                    return None
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
            asset_key=asset,
            definition_metadata=self._declared(stored.asset, step_key, stored.output),
            dagster_type=_told(made.dagster_type) if made is not None else None,
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

    def load_asset(
        self, source: FromAsset, bound: BoundStep, name: str, manager: str, attempt: int
    ) -> tuple[Any, Read]:
        """Load an asset that no step of the plan makes: its latest recorded version, else what its I/O manager has."""
        kept = self.latest(source.asset)
        if kept is None and self._project is not None and AssetKey(source.asset) not in self._project.graph.nodes:
            raise UnknownAsset(source.asset, [key.text for key in self._project.graph.nodes])
        if kept is not None:
            read = Read(name, source.asset, kept.run, kept.seq, kept.stored.data_version)
            if kept.stored.place is not Place.NONE or manager:
                try:
                    value = self.get(kept, bound, name, manager, attempt)
                    return value, self._with_metadata(read)
                except ValueLostError as lost:
                    raise AssetValueLost(source.asset, lost.why, lost.location, _goal(bound)) from None
            key = self._manager_of(source.asset)
            if self._is_own(key):
                raise NoStoredValue(source.asset)
            value = self._load_unrecorded(source.asset, bound, name, key, attempt)
            return value, self._with_metadata(read)
        key = manager or self._manager_of(source.asset)
        if self._is_own(key):
            raise NeverMaterialized(source.asset, _goal(bound), external=self._is_external(source.asset))
        try:
            value = self._load_unrecorded(source.asset, bound, name, key, attempt)
            return value, self._with_metadata(Read(name, source.asset))
        except Exception as error:
            if source.recorded:
                raise
            reason = f"I/O manager `{key}`: {type(error).__name__}: {error}"
            raise NeverMaterialized(source.asset, _goal(bound), reason) from error

    def _with_metadata(self, read: Read) -> Read:
        metadata = self.told_of_input()
        return structs.replace(read, metadata=metadata) if metadata else read

    def _load_unrecorded(self, asset: str, bound: BoundStep | None, name: str, key: str, attempt: int) -> Any:
        loader = self._manager(key, f"asset `{asset}`", None)
        context = self._input_context(bound, name, attempt, AssetKey(asset), self._storage(loader), key)
        context.upstream_output = OutputContext(
            name="result",
            asset_key=AssetKey(asset),
            definition_metadata=self._declared(asset, "", ""),
            log=context.log,
            job_name=self._job,
        )
        return self._ask(loader, context)

    def load_from_outside(self, bound: BoundStep, name: str, manager: str, attempt: int) -> Any:
        """The value of an input to which nothing is wired: its input manager has it from elsewhere."""
        loader = self._manager(manager, f"input `{name}` of `{bound.step.key}`", bound.op.source)
        return self._ask(loader, self._input_context(bound, name, attempt, None, self._storage(loader), manager))

    def load_unrecorded(self, asset: str) -> Any:
        """What the I/O manager of an asset has of it, for a person who asks."""
        key = self._manager_of(asset)
        if self._is_own(key):
            raise NeverMaterialized(asset, external=self._is_external(asset))
        return self._load_unrecorded(asset, None, "", key, 1)

    def _config_of(self, key: str) -> Any:
        """What an I/O manager was configured with."""
        return self._resources.config(key) if isinstance(self._resources, Opened) else None

    def only_here(self, key: str) -> bool:
        """Whether the I/O manager of this key keeps values in the memory of its process."""
        given = self._resources.recipe(key) if isinstance(self._resources, Opened) else self._resources.get(key)
        return isinstance(given, InMemoryIOManager)

    @property
    def is_volatile(self) -> bool:
        """Whether the record is in the memory of this process, where no other can read it."""
        return self._instance.home is None

    def share(self) -> None:
        """Before other processes are made: have what they are to have in common."""
        self._instance.share()

    def after_fork(self) -> None:
        """In a forked child: resources and the record are opened anew when they are needed."""
        self._told, self._memories, self._own = _Told(), {}, {}
        self._instance.after_fork()
        if isinstance(self._resources, Opened):
            self._resources.after_fork()

    @property
    def storage(self) -> str:
        """The folder of values."""
        return self._instance.storage

    @property
    def given(self) -> Mapping[str, Any]:
        """What was given as resources, which may not be made yet."""
        opened = self._resources
        return {key: opened.recipe(key) for key in opened} if isinstance(opened, Opened) else opened

    def __getstate__(self) -> dict[str, Any]:
        """As it goes to another host: what is at hand here comes with the tasks there."""
        left: dict[str, Any] = {
            "_blobs": {},
            "_blob_bytes": 0,
            "_own": {},
            "_memories": {},
            "held": {},
            "_told": None,
            "_visible": None,
        }
        return vars(self) | left

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._told, self._visible = _Told(), Resources(self._resources)

    def put_away(self) -> None:
        """At the end of a child: what it made."""
        if isinstance(self._resources, Opened):
            self._resources.close()

    def _storage(self, manager: Any) -> str:
        """The folder of values, for managers that use it: asking for it makes one where there is none."""
        return self._instance.storage if isinstance(manager, (FilesystemIOManager, UPathIOManager)) else ""

    def _input_context(
        self, bound: BoundStep | None, name: str, attempt: int, asset: AssetKey | None, storage: str, key: str
    ) -> InputContext:
        declared = bound.op.ins[name] if bound is not None else None
        return InputContext(
            name=name or None,
            asset_key=asset,
            step_key=bound.step.key if bound is not None else "",
            run_id=self.run_id,
            definition_metadata=declared.metadata if declared is not None else {},
            dagster_type=self._type_of(bound, name),
            resources=self._visible,
            resource_config=self._config_of(key),
            log=self._log(bound.number if bound is not None else -1, attempt),
            op_def=bound.op if bound is not None else None,
            job_name=self._job,
            storage=storage,
            instance=self._instance,
        )

    def _type_of(self, bound: BoundStep | None, name: str) -> Any:
        return bound.op.body.annotations.get(name) if bound is not None else None

    def _declared(self, asset: str | None, step_key: str, output: str) -> Mapping[str, Any]:
        if asset is None or self._project is None:
            out = self.ops[step_key].outs.get(output) if step_key in self.ops else None
            return out.metadata if out is not None else {}
        node = self._project.graph.nodes.get(AssetKey(asset))
        return node.spec.metadata if node is not None else {}

    def _manager_of(self, asset: str) -> str:
        key = AssetKey(asset)
        if self._project is None or key not in self._project.graph.nodes:
            return DEFAULT
        return self._project.manager_of(key)

    def _is_external(self, asset: str) -> bool:
        node = self._project.graph.nodes.get(AssetKey(asset)) if self._project is not None else None
        return node is not None and (node.unit is None or not node.unit.definition.is_executable)

    def _is_own(self, key: str) -> bool:
        given = self._resources.get(key)
        if given is None:
            return key == DEFAULT
        return type(given) is FilesystemIOManager and given.base_dir is None

    def _loads_unstored(self, key: str) -> bool:
        """Whether an I/O manager is asked for the value of a Nothing output, which an op wrote itself: a user's is."""
        given = self._resources.get(key)
        return given is not None and not isinstance(given, (FilesystemIOManager, InMemoryIOManager, UPathIOManager))

    def _manager(self, key: str, who: str, where: Source | None) -> Any:
        given = self._resources.get(key)
        if given is None:
            if key != DEFAULT:
                raise NoSuchManager(key, who, where)
            return FilesystemIOManager(self._instance.storage)
        return given


def _told(kind: Any) -> Any:
    return None if isinstance(kind, NoDefault) else kind


def _goal(bound: BoundStep) -> str:
    """A selected asset that a step runs for."""
    made = (out.asset for out in bound.outputs.values() if out.role is Role.SELECTED and out.asset is not None)
    decision = bound.step.decision
    return next(made, decision.detail.partition(",")[0] if decision.why == "needed" else "")
