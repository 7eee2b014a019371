"""One attempt at one step: load its inputs, call its function, store its outputs."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from opgraph.declare.materialization import AssetMaterialization
from opgraph.declare.metadata import all_to_wire
from opgraph.errors import InvariantViolationError, RecordError, Source
from opgraph.events import AnyFact, AssetReported, OutputStored, Read, StepFailed, StepSucceeded, Stored
from opgraph.keys import AssetKey
from opgraph.plan.model import (
    FromAsset,
    FromCaller,
    FromCollected,
    FromMany,
    FromMapped,
    FromStep,
    InputSource,
    Policy,
    Role,
)
from opgraph.resolve.flatten import OuterInput, StepOut
from opgraph.run.binding import BoundStep
from opgraph.run.body import Came
from opgraph.run.captured import Captured
from opgraph.run.context import AssetExecutionContext, AssetSide, OpExecutionContext, RunSide
from opgraph.run.failure import error_info
from opgraph.run.hooks import Witness, with_hooks
from opgraph.run.loop import EventLoop
from opgraph.run.mistakes import InputNotGiven
from opgraph.run.retries import judged
from opgraph.run.shelf import Lost, Shelf
from opgraph.run.sources import Found, Sources, put_together
from opgraph.values.problems import ValueLostError

_now, _clock = time.time, time.perf_counter_ns

Emit = Callable[[AnyFact, bytes | None], None]


class UnselectedAssetCame(InvariantViolationError):
    """Under the policy `error`, an op gave an asset that nobody selected."""

    def __init__(self, step: str, output: str, asset: str, where: Source | None) -> None:
        self.step, self.output, self.asset = step, output, asset
        super().__init__(
            f"step `{step}` yielded `{output}` (asset `{asset}`), which is not selected, and the policy for unselected "
            "assets is `error`; nothing of the step was stored",
            where=where,
            fix=f"yield it only when `{output}` is in `context.selected_output_names`, or select `{asset}` too",
        )


class Attempts:
    """Makes the attempts of one run, one at a time, in this process.

    Args:
        shelf: values.
        side: what all contexts of the run have in common.
        said: what the steps say.
        loop: runs async ops.
        sources: where the values of other steps are.
        given: values for inputs that the caller provides.
        policy: what to do with assets that come though nobody asked for them.
        selection: the assets asked for.
    """

    def __init__(
        self,
        shelf: Shelf,
        side: RunSide,
        said: Captured,
        loop: EventLoop,
        sources: Sources,
        given: Mapping[str, Any],
        policy: Policy,
        selection: Iterable[str],
    ) -> None:
        self._shelf, self._side, self._said, self._loop, self._sources = shelf, side, said, loop, sources
        self._given, self._policy, self._selection = given, policy, frozenset(selection)
        self._sides: dict[int, AssetSide] = {}
        self._contexts: dict[int, OpExecutionContext] = {}  # of the steps under way, where they have one
        self._bound: dict[int, BoundStep] = {}  # the steps under way
        said.context_of = self._context_of
        self.errors: dict[int, BaseException] = {}  # of failed steps, for callers who want the exception itself

    def make(
        self, bound: BoundStep, attempt: int, asked: AbstractSet[str] | None, emit: Emit, count: int = 1
    ) -> tuple[AnyFact, bytes | None]:
        """Make an attempt.

        Args:
            bound: the step.
            attempt: its number.
            asked: only these outputs are wanted (others were stored before); None: all that are selected.
            emit: takes the facts that happen on the way.
            count: how many attempts there were, this one with them, without those that were interrupted.

        Returns:
            StepSucceeded or StepFailed, and the inline bytes of the outputs in it.

        Raises:
            Lost: the value of another step is gone.
            NotRecorded: `emit` could not record.
            KeyboardInterrupt: the user asked to stop.
        """
        token = self._said.enter(bound.number, attempt)
        self._bound[bound.number] = bound
        reads: list[Read] = []
        during, began = "load", _clock()
        loaded = computed = 0
        storing = [0]
        witness = Witness() if bound.hooks else None
        try:
            ins = self._load(bound, attempt, reads)
            if self._shelf.reported:
                self._report(bound, attempt, self._shelf.reported, emit)
            loaded = _clock()
            during = "compute"
            op = bound.flat.op
            selected = bound.selected if asked is None else frozenset(asked)
            context: OpExecutionContext | None = None
            if op.body.takes_context:
                context = self._contexts[bound.number] = self._context(bound, attempt, selected)
            items: Iterable[Any] = bound.call.outputs(ins, context, selected, self._loop)
            if witness is not None:
                items = witness.of(items)
            outputs, blob = self._store(bound, attempt, items, asked, storing, emit)
            if self._contexts:
                self._report_logged(bound, attempt, emit)
            ended = _clock()
            computed = ended - loaded - storing[0]
            fact = StepSucceeded(
                bound.number,
                attempt,
                _now(),
                (loaded - began) // 1000,
                computed // 1000,
                storing[0] // 1000,
                outputs,
                tuple(reads),
            )
            return (fact if witness is None else with_hooks(fact, bound, self._side, witness)), blob
        except (Lost, NotRecorded, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, SystemExit too, is its step's failure
            during = "store" if isinstance(error, _InStore) else during
            cause = error.cause if isinstance(error, _InStore) else error
            about = error.output if isinstance(error, _InStore) else getattr(error, "__opgraph_input__", "")
            self.errors[bound.number] = cause
            self._report_logged(bound, attempt, emit)
            ended = _clock()
            told, wait = judged(cause, error_info(cause, during=during, about=about), bound.step.retry, count)
            fact = StepFailed(
                bound.number,
                attempt,
                _now(),
                told,
                ((loaded or ended) - began) // 1000,
                (ended - loaded - storing[0]) // 1000 if loaded else 0,
                storing[0] // 1000,
                tuple(reads),
                wait,
            )
            return with_hooks(fact, bound, self._side, witness, cause), None
        finally:
            self._contexts.pop(bound.number, None)
            del self._bound[bound.number]
            self._said.leave(token)

    # -- inputs -----------------------------------------------------------------------

    def _load(self, bound: BoundStep, attempt: int, reads: list[Read]) -> dict[str, Any]:
        ins: dict[str, Any] = {}
        if bound.config is not None and bound.op.body.config is not None:
            ins["config"] = bound.config.value
        for name in bound.op.body.resources:
            ins[name] = getattr(self._side.resources, name)
        for each in bound.step.inputs:
            source = each.source
            name = each.name
            try:
                if type(source) is FromStep:
                    ins[name] = self._from_step(source, bound, name, each.manager, attempt, reads)
                elif each.nothing:
                    continue
                elif type(source) is FromMapped:
                    ins[name] = self._from_step(source, bound, name, each.manager, attempt, reads)
                elif type(source) is FromCollected:
                    ins[name] = self._collected(source, bound, name, each.manager, attempt, 0)
                elif type(source) is FromMany:
                    ins[name] = list(self._many(source, bound, name, each.manager, attempt, reads))
                else:
                    self._other(source, bound, name, each.manager, attempt, reads, ins)
            except Lost:
                raise
            except Exception as error:
                if not hasattr(error, "__opgraph_input__"):
                    Exception.__setattr__(error, "__opgraph_input__", name)  # past a class that is frozen
                raise
        return ins

    def _from_step(
        self, source: FromStep | FromMapped, bound: BoundStep, name: str, manager: str, attempt: int, reads: list[Read]
    ) -> Any:
        if type(source) is FromStep and not bound.step.over:  # the ordinary step takes the short way
            kept = self._sources.kept(source.step, source.output)
            if kept is None:
                raise Lost(source.step, source.output, ValueLostError("missing", "", "it was never recorded"))
            try:
                value = self._shelf.get(kept, bound, name, manager, attempt, self._sources.keys[source.step])
            except ValueLostError as error:
                raise Lost(source.step, source.output, error) from error
        else:
            found = self._sources.one(bound.number, source)
            value = self._get(found, bound, name, manager, attempt)
            kept = found.kept
        if kept is not None and kept.stored.asset is not None:
            metadata = self._shelf.told_of_input()
            reads.append(Read(name, kept.stored.asset, kept.run, kept.seq, kept.stored.data_version, metadata))
        return value

    def _get(self, found: Found, bound: BoundStep, name: str, manager: str, attempt: int) -> Any:
        if found.kept is None:
            cause = ValueLostError("missing", "", "it was never recorded")
            raise Lost(found.maker, found.output, cause, found.mapping_key)
        try:
            return self._shelf.get(found.kept, bound, name, manager, attempt, self._sources.key(found.maker))
        except ValueLostError as error:
            raise Lost(found.maker, found.output, error, found.mapping_key) from error

    def _collected(
        self, source: FromCollected, bound: BoundStep, name: str, manager: str, attempt: int, index: int
    ) -> Any:
        tree = self._sources.all(bound.number, name, index)

        def load(found: Found) -> Any:
            return self._get(found, bound, name, manager, attempt)

        return put_together(tree, source.levels, load)

    def _many(
        self, source: FromMany, bound: BoundStep, name: str, manager: str, attempt: int, reads: list[Read]
    ) -> Iterator[Any]:
        constants = bound.constants.get(name)
        collected = 0
        for i, item in enumerate(source.items):
            if isinstance(item, (FromStep, FromMapped)):
                if self._sources.one(bound.number, item).kept is not None:
                    yield self._from_step(item, bound, name, manager, attempt, reads)
            elif isinstance(item, FromCollected):
                yield self._collected(item, bound, name, manager, attempt, collected)
                collected += 1
            elif isinstance(item, FromAsset):
                value, read = self._shelf.load_asset(item, bound, name, manager, attempt)
                reads.append(read)
                yield value
            elif isinstance(item, FromCaller):
                yield self._from_caller(item, bound, name)
            else:
                yield constants[i] if constants is not None else None

    def _other(
        self,
        source: InputSource,
        bound: BoundStep,
        name: str,
        manager: str,
        attempt: int,
        reads: list[Read],
        ins: dict[str, Any],
    ) -> None:
        if isinstance(source, FromAsset):
            ins[name], read = self._shelf.load_asset(source, bound, name, manager, attempt)
            reads.append(read)
        elif name in bound.constants:
            ins[name] = bound.constants[name]
        elif isinstance(source, FromCaller) and not (manager and source.name not in self._given):
            ins[name] = self._from_caller(source, bound, name)
        elif manager and name not in bound.call.defaults:
            ins[name] = self._shelf.load_from_outside(bound, name, manager, attempt)
        else:
            ins[name] = bound.call.defaults[name]

    def _from_caller(self, source: FromCaller, bound: BoundStep, name: str) -> Any:
        if source.name in self._given:
            return self._given[source.name]
        if name in bound.call.defaults:
            return bound.call.defaults[name]
        raise InputNotGiven(source.name, bound.step.key, where=bound.op.source)

    # -- outputs ----------------------------------------------------------------------

    def _store(
        self,
        bound: BoundStep,
        attempt: int,
        items: Iterable[Any],
        asked: AbstractSet[str] | None,
        spent: list[int],
        emit: Emit,
    ) -> tuple[tuple[Stored, ...], bytes | None]:
        """Store what comes. Returns the outputs that ride in StepSucceeded, and their inline bytes.

        An asset's output of a generator is announced at once: it stays materialized even if the step fails later.
        """
        kind = type(items)
        streaming = kind is not tuple and kind is not list
        if self._contexts:
            self._report_logged(bound, attempt, emit)
        if kind is tuple and asked is None and bound.selected is None:  # one plain value, and it is wanted
            (item,) = items
            began = _clock()
            try:
                stored, blob = self._shelf.put(bound, bound.outputs[item.output], item, attempt, 0, asked=True)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise _InStore(item.output, error) from error
            spent[0] = _clock() - began
            if self._shelf.reported:
                self._report(bound, attempt, self._shelf.reported, emit)
            return (stored,), blob
        if bound.whole:
            items = self._refuse_unselected(bound, list(items))
            streaming = False
        outputs: list[Stored] = []
        blobs: list[bytes] = []
        try:
            self._store_each(bound, attempt, items, asked, spent, emit, outputs, blobs, streaming=streaming)
        except BaseException:
            for stored in outputs:  # nobody will ever hear of them
                self._shelf.remove(stored)
            raise
        if not blobs:
            return tuple(outputs), None
        return tuple(outputs), blobs[0] if len(blobs) == 1 else b"".join(blobs)

    def _store_each(
        self,
        bound: BoundStep,
        attempt: int,
        items: Iterable[Any],
        asked: AbstractSet[str] | None,
        spent: list[int],
        emit: Emit,
        outputs: list[Stored],
        blobs: list[bytes],
        *,
        streaming: bool,
    ) -> None:
        offset = 0
        for item in items:
            if self._contexts:  # what the function logged before it yielded this comes before it
                self._report_logged(bound, attempt, emit)
            if not isinstance(item, Came):
                self._report(bound, attempt, [(_now(), item)], emit)
                continue
            output = bound.outputs[item.output]
            role = output.role
            asked_for = role is Role.SELECTED or role is Role.NEEDED
            if not asked_for and (role is Role.UNNEEDED or self._policy is Policy.DISCARD):
                if output.asset is not None and role is not Role.UNNEEDED:
                    text = discarded_line(item.output, output.asset)
                    self._said.say(bound.number, attempt, "WARNING", "opgraph", text)
                continue
            if asked is not None and item.output not in asked:
                continue
            began = _clock()
            try:
                alone = output.dynamic or (streaming and output.asset is not None)
                at = 0 if alone else offset  # announced alone, its bytes are alone too
                stored, blob = self._shelf.put(bound, output, item, attempt, at, asked=asked_for)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise _InStore(item.output, error) from error
            finally:
                spent[0] += _clock() - began
            if self._shelf.reported:
                self._report(bound, attempt, self._shelf.reported, emit)
            if alone:
                del item  # the next one may need the room
                emit(OutputStored(bound.number, attempt, _now(), stored), blob)
                continue
            outputs.append(stored)
            if blob is not None:
                blobs.append(blob)
                offset += len(blob)

    def _refuse_unselected(self, bound: BoundStep, items: list[Any]) -> list[Any]:
        for item in items:
            if isinstance(item, Came):
                output = bound.outputs[item.output]
                if output.role in (Role.UNSELECTED_OPTIONAL, Role.UNSELECTED_REQUIRED):
                    assert output.asset is not None
                    raise UnselectedAssetCame(bound.step.key, output.name, output.asset, bound.op.source)
        return items

    def _report_logged(self, bound: BoundStep, attempt: int, emit: Emit) -> None:
        """Record what the function said by `log_event` since the last time."""
        context = self._contexts.get(bound.number)
        if context is not None and context.reported:
            self._report(bound, attempt, context.reported, emit)

    def _report(self, bound: BoundStep, attempt: int, said: list[tuple[float, Any]], emit: Emit) -> None:
        """Make facts of what was said, each with its time, and empty the list."""
        events, said[:] = list(said), []
        for at, event in events:
            emit(
                AssetReported(
                    bound.number,
                    attempt,
                    at,
                    event.asset_key.text,
                    all_to_wire(event.metadata) if event.metadata else {},
                    not isinstance(event, AssetMaterialization),
                    event.description or "",
                    event.partition or "",
                    dict(event.tags or {}),
                ),
                None,
            )

    # -- contexts ---------------------------------------------------------------------

    def _context_of(self, step: int, attempt: int) -> OpExecutionContext:
        """The context of a step under way, for who asks for it without a parameter."""
        if step not in self._contexts:
            bound = self._bound[step]
            self._contexts[step] = self._context(bound, attempt, bound.selected)
        return self._contexts[step]

    def _load_asset(self, bound: BoundStep, attempt: int, key: AssetKey) -> Any:
        return self._shelf.load_asset(FromAsset(key.text), bound, "", "", attempt)[0]

    def _context(self, bound: BoundStep, attempt: int, selected: AbstractSet[str] | None) -> OpExecutionContext:
        unit = bound.unit
        of_asset = unit is not None and not unit.definition.is_graph and bound.op.body.context_kind != "op"
        kind = AssetExecutionContext if of_asset else OpExecutionContext
        return kind(
            bound.op,
            self._side,
            bound.step.key,
            bound.number,
            attempt,
            selected,
            self._assets(bound) if unit is not None else None,
            node=bound.flat.node,
            load=partial(self._load_asset, bound, attempt),
            is_subset=bound.step.subset,
            config=bound.config.raw if bound.config is not None else None,
            resources=self._side.resources.only(bound.resource_keys),
        )

    def _assets(self, bound: BoundStep) -> AssetSide:
        side = self._sides.get(bound.number)
        if side is None:
            assert bound.unit is not None
            definition = bound.unit.definition
            chosen = {key.text for key in definition.specs_by_key} & self._selection
            if not definition.is_graph:  # an op that runs in several parts makes some of its assets in each
                chosen = {o.asset for o in bound.step.outputs if o.asset in chosen and o.role is Role.SELECTED}
            side = self._sides[bound.number] = AssetSide(
                keys=frozenset(definition.specs_by_key),
                selected=frozenset(AssetKey(text) for text in chosen),
                by_output=bound.keys,
                by_input=_inputs_of(bound) if definition.is_graph else dict(definition.argument_keys),
                definition=definition,
            )
        return side


def _inputs_of(bound: BoundStep) -> dict[str, AssetKey]:
    """The assets that inputs of a graph's op are: the graph's own inputs, and assets made inside it."""
    unit = bound.unit
    assert unit is not None
    found: dict[str, AssetKey] = {}
    for name, origin in bound.flat.inputs.items():
        key: AssetKey | None = None
        if isinstance(origin, StepOut):
            key = unit.key_at.get((origin.step, origin.output))
        elif isinstance(origin, OuterInput):
            key = unit.key_of_input.get(origin.name)
        if key is not None:
            found[name] = key
    return found


def discarded_line(output: str, asset: str) -> str:
    """What the log of a step says of an asset that came, that nobody had asked for and that the policy drops."""
    return f"output `{output}` came and was discarded: nobody asked for asset `{asset}`"


class NotRecorded(Exception):
    """The record refused a fact: no fault of the step that was under way."""

    def __init__(self, cause: RecordError) -> None:
        self.cause = cause
        super().__init__(cause)


class _InStore(Exception):
    """Something went wrong while an output was stored."""

    def __init__(self, output: str, cause: BaseException) -> None:
        self.output, self.cause = output, cause
