"""Where the values of a run go and where they come from: our own store on the short way, users' I/O managers on the
long."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import structs

from opgraph.declare.metadata import all_to_wire
from opgraph.events import Kept, Metadata, Place, Read, Stored
from opgraph.keys import AssetKey
from opgraph.plan.model import FromAsset, Role, StepOutput
from opgraph.record.store import Record
from opgraph.run.call.binding import BoundStep
from opgraph.run.call.body import Came
from opgraph.run.store.lookup import latest_stored
from opgraph.run.store.managers import Managers
from opgraph.run.store.missing import AssetValueLost, NeverMaterialized, NoStoredValue, OnlyReported, UnknownAsset
from opgraph.run.store.preview import glance, is_shown, look
from opgraph.values.codec import decode
from opgraph.values.manager import InMemoryIOManager
from opgraph.values.problems import ValueLostError
from opgraph.values.store import Origin, cut

_INLINE = Place.INLINE  # in a name of its own: to ask an enum for a member takes time
_CACHE = 4 * 1024 * 1024  # bytes of inline values kept in the process, so that the next step need not ask the record
_BESIDE = 150  # bytes that keeping one costs beside its own


class Shelf:
    """Stores and loads the values of one run.

    Args:
        managers: the run's I/O managers, for values that are not our own store's.
    """

    def __init__(self, managers: Managers) -> None:
        self.managers, self.run_id = managers, managers.run_id
        self._instance, self._resources, self._project = managers.instance, managers.resources, managers.project
        instance = managers.instance
        self._intermediates, self._assets, self._durable = instance.intermediates, instance.assets, instance.durable
        self._blobs: dict[int, bytes] = {}
        self._blob_bytes = 0
        self._own: dict[str, bool] = {}
        self._memories: dict[str, InMemoryIOManager | None] = {}
        # In a worker process, what the driver had at hand: bytes by run and fact, and the latest versions of assets.
        self.lent: Mapping[tuple[str, int], bytes] = {}
        self.known: Mapping[str, Kept | None] | None = None

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
        key = output.io_manager
        has_value = came.has_value and output.stored
        own = self._own.get(key)
        if own is None and has_value:
            own = self._own[key] = self.managers.is_own(key)
        if own and has_value:
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
        told = Stored(
            came.output,
            Place.NONE,
            data_version=came.data_version,
            mapping_key=came.mapping_key,
            asset=output.asset,
            asked=asked,
            io_manager=key if has_value or (output.asset is None and key in self._resources) else "",
            metadata=metadata,
        )
        if not has_value:
            return told, None
        told = structs.replace(told, type_name=type(came.value).__qualname__)
        memory = self._memory_of(key)
        if memory is None:
            return self.managers.hand_over(bound, output, came, attempt, told), None
        place = self._place(self.run_id, bound.step.key, came.output, output.asset, came.mapping_key)
        memory.values[place] = came.value
        return structs.replace(told, place=Place.MEMORY), None

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

    def remove(self, outputs: Iterable[Stored]) -> None:
        """Take back values that were put and that no fact will announce. What a user's manager wrote is its own."""
        for stored in outputs:
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
        found = latest_stored(self.record, asset)
        return Kept(found.run_id, found.seq, found.stored) if found is not None else None

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
                    own = self.managers.manager_of(stored.asset)
                    if self.managers.is_own(own):
                        raise (NoStoredValue if stored.output else OnlyReported)(stored.asset)
                    # It knows what was written.
                    return self.managers.load_unrecorded(stored.asset, bound, name, own, attempt)
                if not stored.io_manager or not self.managers.loads_unstored(stored.io_manager):
                    return None
        return self.managers.load(kept, bound, name, manager, attempt, step_key)

    def load_asset(
        self, source: FromAsset, bound: BoundStep, name: str, manager: str, attempt: int
    ) -> tuple[Any, Read, Metadata]:
        """Load an asset that no step of the plan makes: its latest recorded version, else what its I/O manager has.
        With the value: which version that is, and what was said of it."""
        kept = self.latest(source.asset)
        if kept is None and self._project is not None and AssetKey(source.asset) not in self._project.graph.nodes:
            raise UnknownAsset(source.asset, [key.text for key in self._project.graph.nodes])
        if kept is not None:
            read = Read(name, source.asset, kept.run, kept.seq, kept.stored.data_version)
            try:
                value = self.get(kept, bound, name, manager, attempt)
            except ValueLostError as lost:
                raise AssetValueLost(source.asset, lost.why, lost.location, _goal(bound)) from None
            return value, self._with_metadata(read), kept.stored.metadata
        key = manager or self.managers.manager_of(source.asset)
        if self.managers.is_own(key):
            raise NeverMaterialized(source.asset, _goal(bound), external=self.managers.is_external(source.asset))
        try:
            value = self.managers.load_unrecorded(source.asset, bound, name, key, attempt)
            return value, self._with_metadata(Read(name, source.asset)), {}
        except Exception as error:
            if source.recorded:
                raise
            reason = f"I/O manager `{key}`: {type(error).__name__}: {error}"
            raise NeverMaterialized(source.asset, _goal(bound), reason) from error

    def _with_metadata(self, read: Read) -> Read:
        metadata = self.managers.told_of_input()
        return structs.replace(read, metadata=metadata) if metadata else read

    def load_unrecorded(self, asset: str) -> Any:
        """What the I/O manager of an asset has of it, for a person who asks."""
        key = self.managers.manager_of(asset)
        if self.managers.is_own(key):
            raise NeverMaterialized(asset, external=self.managers.is_external(asset))
        return self.managers.load_unrecorded(asset, None, "", key, 1)

    # -- in other processes -----------------------------------------------------------

    def only_here(self, key: str) -> bool:
        """Whether the I/O manager of this key keeps values in the memory of its process."""
        given = self._resources.recipe(key)
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
        self._memories, self._own = {}, {}
        self.managers.after_fork()
        self._instance.after_fork()
        self._resources.after_fork()

    @property
    def storage(self) -> str:
        """The folder of values."""
        return self._instance.storage

    @property
    def given(self) -> Mapping[str, Any]:
        """What was given as resources, which may not be made yet."""
        return {key: self._resources.recipe(key) for key in self._resources}

    def __getstate__(self) -> dict[str, Any]:
        """As it goes to another host: what is at hand here comes with the tasks there."""
        return vars(self) | {"_blobs": {}, "_blob_bytes": 0, "_own": {}, "_memories": {}}

    def make_ready(self, keys: frozenset[str]) -> None:
        """Make the resources of these keys.

        Raises:
            ResourceFunctionError: one could not be made.
        """
        self._resources.make_ready(keys)

    def put_away(self) -> None:
        """At the end of a child: what it made."""
        self._resources.close()


def _goal(bound: BoundStep) -> str:
    """A selected asset that a step runs for."""
    made = (out.asset for out in bound.outputs.values() if out.role is Role.SELECTED and out.asset is not None)
    decision = bound.step.decision
    return next(made, decision.detail.partition(",")[0] if decision.why == "needed" else "")
