"""One attempt at one step: load its inputs, call its function, store its outputs."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from os import _exit, getpid
from typing import Any

from msgspec import Struct

from opgraph.declare.materialization import AssetMaterialization
from opgraph.declare.metadata import all_to_wire
from opgraph.errors import InvariantViolationError, RecordError, Source
from opgraph.events import AssetReported, Kept, OutputStored, Read, StepFailed, StepSucceeded, Stored
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
from opgraph.run.executors.protocol import Emit, Ended, Missing, Stopped, Task
from opgraph.run.failure import error_info
from opgraph.run.hooks import Witness, with_hooks
from opgraph.run.loop import EventLoop
from opgraph.run.missing import Lost
from opgraph.run.mistakes import InputNotGiven
from opgraph.run.retries import judged
from opgraph.run.shelf import Shelf
from opgraph.run.sources import Found, Sources, put_together
from opgraph.values.problems import ValueLostError

_now, _clock = time.time, time.perf_counter_ns


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
    """Makes the attempts of one run, in this process. Several threads may use it at once.

    Args:
        shelf: values.
        side: what all contexts of the run have in common.
        said: what the steps say.
        steps: all steps of the plan; those that are made while it runs come with their tasks.
        sources: where the values of other steps are, for tasks that do not bring it; None: all bring it.
        given: values for inputs that the caller provides.
        policy: what to do with assets that come though nobody asked for them.
        selection: the assets asked for.
    """

    def __init__(
        self,
        shelf: Shelf,
        side: RunSide,
        said: Captured,
        steps: Sequence[BoundStep],
        sources: Sources | None,
        given: Mapping[str, Any],
        policy: Policy,
        selection: Iterable[str],
    ) -> None:
        self.shelf, self.side, self.said, self.steps, self._sources = shelf, side, said, steps, sources
        self._given, self._policy, self._selection = given, policy, frozenset(selection)
        self._managers = shelf.managers
        self._sides: dict[int, AssetSide] = {}
        self._contexts: dict[int, OpExecutionContext] = {}  # of the steps under way, where they have one
        self._bound: dict[int, BoundStep] = {}  # the steps under way
        self._without: dict[int, dict[str, tuple[str, ...]]] = {}  # of those: by input, the mapping keys that failed
        said.context_of = self._context_of
        self._pid = getpid()

    def after_fork(self) -> None:
        """In a worker, which was forked: it is this process that makes the attempts."""
        self._pid = getpid()
        self.shelf.after_fork()

    def __reduce__(self) -> tuple[Any, ...]:
        """As they go to another host, whose tasks bring what they take."""
        given = (self.shelf, self.side, self.said, self.steps, None, self._given, self._policy, self._selection)
        return Attempts, given

    def make(self, task: Task, emit: Emit, loop: EventLoop) -> Ended | Missing | Stopped:
        """Make an attempt, to its end.

        Args:
            task: which.
            emit: takes the facts that happen on the way.
            loop: runs async functions.

        Raises:
            NotRecorded: `emit` could not record.
        """
        bound = self._bound[task.step] = task.bound
        token = self.said.enter(task.step, task.attempt)
        going = _Going(task, emit, _clock())
        if bound.hooks:
            going.witness = Witness()
        try:
            ins = self._load(bound, going)
            if self._managers.heard and self._managers.reported:
                _report(going, self._managers.reported)
            going.loaded = _clock()
            selected = bound.selected if task.asked is None else task.asked
            context: OpExecutionContext | None = None
            if bound.call.takes_context:
                context = self._contexts[task.step] = self._context(bound, task.attempt, selected)
            items: Iterable[Any] = bound.call.outputs(ins, context, selected, loop)
            if going.witness is not None:
                items = going.witness.of(items)
            outputs, blob = self._store(bound, going, items)
            if self._contexts:
                self._report_logged(going)
            return self._succeeded(going, outputs, blob)
        except NotRecorded:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, SystemExit too, is its step's failure
            self._report_logged(going)
            return self._ended_badly(going, error)
        finally:
            if getpid() != self._pid:  # a child that the op forked came back from it, too: it is not who works here
                _exit(0)
            self._contexts.pop(task.step, None)
            self._bound.pop(task.step, None)
            self._without.pop(task.step, None)
            self.said.leave(token)

    async def make_async(
        self, task: Task, emit: Emit, loop: EventLoop, pause: Callable[[], Awaitable[None]]
    ) -> Ended | Missing | Stopped:
        """The same for an async function, beside others on one event loop. `pause` waits until the next value of a
        fan-out may come."""
        import asyncio  # it runs already

        bound = self._bound[task.step] = task.bound
        token = self.said.enter(task.step, task.attempt)
        going = _Going(task, emit, _clock())
        if bound.hooks:
            going.witness = Witness()
        try:
            ins = self._load(bound, going)
            if self._managers.heard and self._managers.reported:
                _report(going, self._managers.reported)
            going.loaded = _clock()
            selected = bound.selected if task.asked is None else task.asked
            context: OpExecutionContext | None = None
            if bound.call.takes_context:
                context = self._contexts[task.step] = self._context(bound, task.attempt, selected)
            started = bound.call.start(ins, context)
            if bound.flat.op.body.kind == "async":
                items = bound.call.returned(await started, context, selected, loop)
                if going.witness is not None:
                    items = going.witness.of(items)
                outputs, blob = self._store(bound, going, items)
            else:
                outputs, blob = await self._store_as_they_come(
                    bound, going, bound.call.stream_async(started, context, selected), pause
                )
            if self._contexts:
                self._report_logged(going)
            return self._succeeded(going, outputs, blob)
        except BaseException as error:  # noqa: BLE001 - as above
            task_of_loop = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task_of_loop is not None and task_of_loop.cancelling():
                return Stopped(task.step, task.attempt, error_info(error))
            self._report_logged(going)
            return self._ended_badly(going, error)
        finally:
            if getpid() != self._pid:  # a child that the op forked came back from it, too: it is not who works here
                _exit(0)
            self._contexts.pop(task.step, None)
            self._bound.pop(task.step, None)
            self._without.pop(task.step, None)
            self.said.leave(token)

    # -- ends -------------------------------------------------------------------------

    def _succeeded(self, going: "_Going", outputs: tuple[Stored, ...], blob: bytes | None) -> Ended:
        task, loaded, storing = going.task, going.loaded, going.storing
        fact = StepSucceeded(
            task.step,
            task.attempt,
            _now(),
            (loaded - going.began) // 1000,
            (_clock() - loaded - storing) // 1000,
            storing // 1000,
            outputs,
            tuple(going.reads),
        )
        return Ended(fact if going.witness is None else with_hooks(fact, task.bound, self.side, going.witness), blob)

    def _ended_badly(self, going: "_Going", error: BaseException) -> Ended | Missing | Stopped:
        task = going.task
        during, cause = ("compute" if going.loaded else "load"), error
        about = getattr(error, "__opgraph_input__", "")
        if isinstance(error, _InStore):
            during, cause, about = "store", error.cause, error.output
        if isinstance(error, Lost):
            info = error_info(error.cause, during="load", about=error.output)
            return Missing(task.step, task.attempt, error.step, error.output, info, error.cause, error.mapping_key)
        if isinstance(cause, KeyboardInterrupt):
            return Stopped(task.step, task.attempt, error_info(cause, during=during, about=about))
        ended, loaded, bound = _clock(), going.loaded, task.bound
        told, wait = judged(cause, error_info(cause, during=during, about=about), bound.step.retry, task.count)
        fact = StepFailed(
            task.step,
            task.attempt,
            _now(),
            told,
            ((loaded or ended) - going.began) // 1000,
            (ended - loaded - going.storing) // 1000 if loaded else 0,
            going.storing // 1000,
            tuple(going.reads),
            wait,
        )
        return Ended(with_hooks(fact, bound, self.side, going.witness, cause), None, cause)

    # -- inputs -----------------------------------------------------------------------

    def _load(self, bound: BoundStep, going: "_Going") -> dict[str, Any]:
        ins: dict[str, Any] = {}
        if bound.call.injects:
            if bound.config is not None and bound.op.body.config is not None:
                ins["config"] = bound.config.value
            for name in bound.op.body.resources:
                ins[name] = getattr(self.side.resources, name)
        for each in bound.step.inputs:
            source = each.source
            name = each.name
            try:
                if type(source) is FromStep:
                    ins[name] = self._from_step(source, bound, name, 0, each.manager, going)
                elif each.nothing:
                    continue
                elif type(source) is FromMapped:
                    ins[name] = self._from_step(source, bound, name, 0, each.manager, going)
                elif type(source) is FromCollected:
                    ins[name] = self._collected(source, bound, name, 0, each.manager, going)
                elif type(source) is FromMany:
                    ins[name] = list(self._many(source, bound, name, each.manager, going))
                else:
                    self._other(source, bound, name, each.manager, going, ins)
            except Lost:
                raise
            except Exception as error:
                if not hasattr(error, "__opgraph_input__"):
                    Exception.__setattr__(error, "__opgraph_input__", name)  # past a class that is frozen
                raise
        return ins

    def _from_step(
        self, source: FromStep | FromMapped, bound: BoundStep, name: str, index: int, manager: str, going: "_Going"
    ) -> Any:
        taken = going.task.taken
        if taken is None:
            assert self._sources is not None
            if type(source) is FromStep and not bound.step.over:  # the ordinary step takes the short way
                kept = self._sources.kept(source.step, source.output)
                if kept is None:
                    raise Lost(source.step, source.output, ValueLostError("missing", "", "it was never recorded"))
                try:
                    value = self.shelf.get(
                        kept, bound, name, manager, going.task.attempt, self._sources.keys[source.step]
                    )
                except ValueLostError as error:
                    raise Lost(source.step, source.output, error) from error
                return self._noted(value, kept, name, going) if kept.stored.asset is not None else value
            found = self._sources.one(bound.number, source)
        else:
            found = taken.one(name, index)
        value = self._get(found, bound, name, manager, going)
        kept = found.kept
        return self._noted(value, kept, name, going) if kept is not None and kept.stored.asset is not None else value

    def _noted(self, value: Any, kept: Kept, name: str, going: "_Going") -> Any:
        """The value of an asset, and for the record, which version of it that is."""
        stored, metadata = kept.stored, self._managers.told_of_input()
        going.reads.append(Read(name, stored.asset or "", kept.run, kept.seq, stored.data_version, metadata))
        return value

    def _get(self, found: Found, bound: BoundStep, name: str, manager: str, going: "_Going") -> Any:
        if found.kept is None:
            cause = ValueLostError("missing", "", "it was never recorded")
            raise Lost(found.maker, found.output, cause, found.mapping_key)
        try:
            return self.shelf.get(found.kept, bound, name, manager, going.task.attempt, found.key)
        except ValueLostError as error:
            raise Lost(found.maker, found.output, error, found.mapping_key) from error

    def _collected(
        self, source: FromCollected, bound: BoundStep, name: str, index: int, manager: str, going: "_Going"
    ) -> Any:
        taken = going.task.taken
        if taken is None:
            assert self._sources is not None
            tree, at = self._sources.tree(bound.number, name, index), self._sources.at
        else:
            tree, at = taken.tree(name, index), taken.at

        def load(found: Found) -> Any:
            return self._get(found, bound, name, manager, going)

        value, without = put_together(tree, source.levels, at, load)
        if without:
            self._without.setdefault(bound.number, {})[name] = tuple(without)
            text = f"input `{name}` was collected without what failed: {', '.join(without)}"
            self.said.say(bound.number, going.task.attempt, "WARNING", "opgraph", text)
        return value

    def _many(self, source: FromMany, bound: BoundStep, name: str, manager: str, going: "_Going") -> Iterator[Any]:
        constants = bound.constants.get(name)
        collected = 0
        for i, item in enumerate(source.items):
            if isinstance(item, (FromStep, FromMapped)):
                if self._came(item, bound, name, i, going):
                    yield self._from_step(item, bound, name, i, manager, going)
            elif isinstance(item, FromCollected):
                yield self._collected(item, bound, name, collected, manager, going)
                collected += 1
            elif isinstance(item, FromAsset):
                value, read = self.shelf.load_asset(item, bound, name, manager, going.task.attempt)
                going.reads.append(read)
                yield value
            elif isinstance(item, FromCaller):
                yield self._from_caller(item, bound, name)
            else:
                yield constants[i] if constants is not None else None

    def _came(self, item: FromStep | FromMapped, bound: BoundStep, name: str, i: int, going: "_Going") -> bool:
        taken = going.task.taken
        if taken is not None:
            return taken.one(name, i).kept is not None
        assert self._sources is not None
        return self._sources.one(bound.number, item).kept is not None

    def _other(
        self,
        source: InputSource,
        bound: BoundStep,
        name: str,
        manager: str,
        going: "_Going",
        ins: dict[str, Any],
    ) -> None:
        if isinstance(source, FromAsset):
            ins[name], read = self.shelf.load_asset(source, bound, name, manager, going.task.attempt)
            going.reads.append(read)
        elif name in bound.constants:
            ins[name] = bound.constants[name]
        elif isinstance(source, FromCaller) and not (manager and source.name not in self._given):
            ins[name] = self._from_caller(source, bound, name)
        elif manager and name not in bound.call.defaults:
            ins[name] = self._managers.load_from_outside(bound, name, manager, going.task.attempt)
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
        self, bound: BoundStep, going: "_Going", items: Iterable[Any]
    ) -> tuple[tuple[Stored, ...], bytes | None]:
        """Store what comes. Returns the outputs that ride in StepSucceeded, and their inline bytes.

        An asset's output of a generator is announced at once: it stays materialized even if the step fails later.
        """
        if self._contexts:
            self._report_logged(going)
        kind = type(items)
        if kind is tuple and going.task.asked is None and bound.selected is None:  # one plain value, and wanted
            (item,) = items
            began = _clock()
            try:
                stored, blob = self.shelf.put(
                    bound, bound.outputs[item.output], item, going.task.attempt, 0, asked=True
                )
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise _InStore(item.output, error) from error
            going.storing = _clock() - began
            if self._managers.heard and self._managers.reported:
                _report(going, self._managers.reported)
            return (stored,), blob
        streaming = kind is not tuple and kind is not list
        if bound.whole:
            items = self._refuse_unselected(bound, list(items))
            streaming = False
        kept = _Outputs()
        try:
            for item in items:
                self._store_one(bound, going, item, kept, streaming=streaming)
                del item  # the next one may need the room
        except BaseException:
            self._take_back(kept)
            raise
        return kept.whole()

    async def _store_as_they_come(
        self, bound: BoundStep, going: "_Going", items: AsyncIterator[Any], pause: Callable[[], Awaitable[None]]
    ) -> tuple[tuple[Stored, ...], bytes | None]:
        if bound.whole:
            return self._store(bound, going, [item async for item in items])
        kept = _Outputs()
        try:
            async for item in items:
                if going.witness is not None:
                    going.witness.of((item,))
                if self._store_one(bound, going, item, kept, streaming=True):
                    await pause()
        except BaseException:
            self._take_back(kept)
            raise
        return kept.whole()

    def _take_back(self, kept: "_Outputs") -> None:
        for stored in kept.outputs:  # nobody will ever hear of them
            self.shelf.remove(stored)

    def _store_one(self, bound: BoundStep, going: "_Going", item: Any, kept: "_Outputs", *, streaming: bool) -> bool:
        """Store one output. True: it was a value of a fan-out, which was announced."""
        if self._contexts:  # what the function logged before it yielded this comes before it
            self._report_logged(going)
        if not isinstance(item, Came):
            _report(going, [(_now(), item)])
            return False
        task = going.task
        output = bound.outputs[item.output]
        role = output.role
        asked_for = role is Role.SELECTED or role is Role.NEEDED
        if not asked_for and (role is Role.UNNEEDED or self._policy is Policy.DISCARD):
            if output.asset is not None and role is not Role.UNNEEDED:
                text = discarded_line(item.output, output.asset)
                self.said.say(task.step, task.attempt, "WARNING", "opgraph", text)
            return False
        if task.asked is not None and item.output not in task.asked:
            return False
        began = _clock()
        try:
            alone = output.dynamic or (streaming and output.asset is not None)
            at = 0 if alone else kept.offset  # announced alone, its bytes are alone too
            stored, blob = self.shelf.put(bound, output, item, task.attempt, at, asked=asked_for)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise _InStore(item.output, error) from error
        finally:
            going.storing += _clock() - began
        if self._managers.heard and self._managers.reported:
            _report(going, self._managers.reported)
        if alone:
            del item  # the next one may need the room
            going.emit(OutputStored(task.step, task.attempt, _now(), stored), blob)
            return output.dynamic
        kept.outputs.append(stored)
        if blob is not None:
            kept.blobs.append(blob)
            kept.offset += len(blob)
        return False

    def _refuse_unselected(self, bound: BoundStep, items: list[Any]) -> list[Any]:
        for item in items:
            if isinstance(item, Came):
                output = bound.outputs[item.output]
                if output.role in (Role.UNSELECTED_OPTIONAL, Role.UNSELECTED_REQUIRED):
                    assert output.asset is not None
                    raise UnselectedAssetCame(bound.step.key, output.name, output.asset, bound.op.source)
        return items

    def _report_logged(self, going: "_Going") -> None:
        """Record what the function said by `log_event` since the last time."""
        context = self._contexts.get(going.task.step)
        if context is not None and context.reported:
            _report(going, context.reported)

    # -- contexts ---------------------------------------------------------------------

    def _context_of(self, step: int, attempt: int) -> OpExecutionContext:
        """The context of a step under way, for who asks for it without a parameter."""
        if step not in self._contexts:
            bound = self._bound[step]
            self._contexts[step] = self._context(bound, attempt, bound.selected)
        return self._contexts[step]

    def key_of(self, step: int) -> str:
        """The key of a step under way; empty for another."""
        bound = self._bound.get(step)
        return bound.step.key if bound is not None else ""

    def _load_asset(self, bound: BoundStep, attempt: int, key: AssetKey) -> Any:
        return self.shelf.load_asset(FromAsset(key.text), bound, "", "", attempt)[0]

    def _context(self, bound: BoundStep, attempt: int, selected: AbstractSet[str] | None) -> OpExecutionContext:
        unit = bound.unit
        of_asset = unit is not None and not unit.definition.is_graph and bound.op.body.context_kind != "op"
        kind = AssetExecutionContext if of_asset else OpExecutionContext
        return kind(
            bound.op,
            self.side,
            bound.step.key,
            bound.number,
            attempt,
            selected,
            self._assets(bound) if unit is not None else None,
            node=bound.flat.node,
            load=partial(self._load_asset, bound, attempt),
            is_subset=bound.step.subset,
            config=bound.config.raw if bound.config is not None else None,
            resources=self.side.resources.only(bound.resource_keys),
            without=self._without.get(bound.number),
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


class _Going(Struct, eq=False, gc=False):
    """What is known of an attempt while it goes on."""

    task: Task
    emit: Emit
    began: int
    reads: list[Read] = []
    loaded: int = 0
    storing: int = 0
    witness: Witness | None = None


class _Outputs:
    """The outputs that ride in StepSucceeded."""

    __slots__ = ("blobs", "offset", "outputs")

    def __init__(self) -> None:
        self.outputs: list[Stored] = []
        self.blobs: list[bytes] = []
        self.offset = 0

    def whole(self) -> tuple[tuple[Stored, ...], bytes | None]:
        if not self.blobs:
            return tuple(self.outputs), None
        return tuple(self.outputs), self.blobs[0] if len(self.blobs) == 1 else b"".join(self.blobs)


def _report(going: _Going, said: list[tuple[float, Any]]) -> None:
    """Make facts of what was said, each with its time, and empty the list."""
    events, said[:] = list(said), []
    for at, event in events:
        going.emit(
            AssetReported(
                going.task.step,
                going.task.attempt,
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
