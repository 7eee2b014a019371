"""One attempt at one step: load its inputs, call its function, store its outputs."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextvars import Token
from functools import partial
from os import _exit, getpid
from typing import Any

from opgraph.declare.settings.recipe import is_recipe
from opgraph.errors import RecordError, ResourceFunctionError
from opgraph.events import StepFailed, StepSucceeded, Stored
from opgraph.keys import AssetKey
from opgraph.plan.model import FromAsset, Policy, Role
from opgraph.resolve.flatten import OuterInput, StepOut
from opgraph.run.call.binding import BoundStep, keys_of_running
from opgraph.run.call.body import Coming
from opgraph.run.call.context import AssetExecutionContext, AssetSide, OpExecutionContext, RunSide
from opgraph.run.call.loop import EventLoop
from opgraph.run.captured import Captured, Speaker
from opgraph.run.executors.protocol import Emit, Ended, Missing, Stopped, Task
from opgraph.run.failure import error_info
from opgraph.run.step.going import Going, report
from opgraph.run.step.hooks import Witness, with_hooks
from opgraph.run.step.inputs import Inputs
from opgraph.run.step.outputs import InStore, Outputs
from opgraph.run.step.retries import judged
from opgraph.run.store.missing import Lost
from opgraph.run.store.shelf import Shelf
from opgraph.run.store.sources import Sources

_now, _clock = time.time, time.perf_counter_ns


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
        self.shelf, self.side, self.said, self.steps = shelf, side, said, steps
        self._given, self._policy, self._selection = given, policy, frozenset(selection)
        self._managers = shelf.managers
        self._sides: dict[int, AssetSide] = {}  # by row: a fan-out has one, however many steps it has
        self._contexts: dict[int, OpExecutionContext] = {}  # of the steps under way, where they have one
        self._bound: dict[int, BoundStep] = {}  # the steps under way
        self._inputs = Inputs(shelf, side.resources, said, sources, given)
        self._outputs = Outputs(shelf, said, policy, self._contexts)
        said.context_of = self._context_of
        self._pid = getpid()
        self._unmade = self._recipes()

    def _recipes(self) -> frozenset[str]:
        """The keys of the resources that steps use which run, and that are not made yet."""
        recipes = [key for key, each in self.shelf.given.items() if is_recipe(each)]
        return keys_of_running(self.steps).intersection(recipes) if recipes else frozenset()

    def _make_resources(self, bound: BoundStep) -> None:
        """Before a step: all that it uses, its I/O managers too, so that none of its work is lost for want of one."""
        needed = bound.resource_keys & self._unmade
        if needed:
            self.shelf.make_ready(needed)
            self._unmade -= needed

    def after_fork(self) -> None:
        """In a worker, which was forked: it is this process that makes the attempts."""
        self._pid, self._unmade = getpid(), self._recipes()
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
        bound = task.bound
        going, token = self._begin(task, emit)
        try:
            ins, context, selected = self._prepared(going)
            items: Iterable[Any] = bound.call.outputs(ins, context, selected, loop)
            if going.witness is not None:
                items = going.witness.of(items)
            outputs, blob = self._outputs.store(bound, going, items)
            if self._contexts:
                self._outputs.report_logged(going)
            return self._succeeded(going, outputs, blob)
        except NotRecorded:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, SystemExit too, is its step's failure
            self._outputs.report_logged(going)
            return self._ended_badly(going, error)
        finally:
            self._leave(task.step, token)

    async def make_async(
        self, task: Task, emit: Emit, loop: EventLoop, pause: Callable[[], Awaitable[None]]
    ) -> Ended | Missing | Stopped:
        """The same for an async function, beside others on one event loop. `pause` waits until the next value of a
        fan-out may come."""
        import asyncio  # it runs already

        bound = task.bound
        going, token = self._begin(task, emit)
        try:
            ins, context, selected = self._prepared(going)
            started = bound.call.start(ins, context)
            if bound.flat.op.body.kind == "async":
                items = Coming(bound.call, context, selected).returned(await started, loop)
                if going.witness is not None:
                    items = going.witness.of(items)
                outputs, blob = self._outputs.store(bound, going, items)
            else:
                outputs, blob = await self._outputs.store_as_they_come(
                    bound, going, Coming(bound.call, context, selected).stream_async(started), pause
                )
            if self._contexts:
                self._outputs.report_logged(going)
            return self._succeeded(going, outputs, blob)
        except BaseException as error:  # noqa: BLE001 - as above
            task_of_loop = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task_of_loop is not None and task_of_loop.cancelling():
                return Stopped(task.step, task.attempt, error_info(error))
            self._outputs.report_logged(going)
            return self._ended_badly(going, error)
        finally:
            self._leave(task.step, token)

    # -- what comes before and after the function ---------------------------------------

    def _begin(self, task: Task, emit: Emit) -> tuple[Going, "Token[Speaker]"]:
        self._bound[task.step] = task.bound
        token = self.said.enter(task.step, task.attempt)
        return Going(task, emit, _clock(), witness=Witness() if task.bound.hooks else None), token

    def _prepared(self, going: Going) -> tuple[dict[str, Any], OpExecutionContext | None, AbstractSet[str] | None]:
        """The arguments of an attempt's function, its context, and the outputs that are wanted (None: all)."""
        task = going.task
        bound = task.bound
        if self._unmade:
            self._make_resources(bound)
        ins = self._inputs.load(going)
        if self._managers.heard and self._managers.reported:
            report(going, self._managers.reported)
        going.loaded = _clock()
        selected = bound.selected if task.asked is None else task.asked
        if not bound.call.takes_context:
            return ins, None, selected
        context = self._contexts[task.step] = self._context(bound, task.attempt, selected)
        return ins, context, selected

    def _leave(self, step: int, token: "Token[Speaker]") -> None:
        if getpid() != self._pid:  # a child that the op forked came back from it, too: it is not who works here
            _exit(0)
        self._contexts.pop(step, None)
        self._bound.pop(step, None)
        self._inputs.without.pop(step, None)
        self._inputs.told.pop(step, None)
        self.said.leave(token)

    # -- ends -------------------------------------------------------------------------

    def _succeeded(self, going: Going, outputs: tuple[Stored, ...], blob: bytes | None) -> Ended:
        task, loaded, storing = going.task, going.loaded, going.storing
        fact = StepSucceeded(
            task.step,
            task.attempt,
            _now(),
            (loaded - going.began) // 1000,
            (_clock() - loaded - storing - going.away) // 1000,
            storing // 1000,
            outputs,
            tuple(going.reads),
        )
        return Ended(fact if going.witness is None else with_hooks(fact, task.bound, self.side, going.witness), blob)

    def _ended_badly(self, going: Going, error: BaseException) -> Ended | Missing | Stopped:
        task = going.task
        during, cause = ("compute" if going.loaded else "load"), error
        if isinstance(error, ResourceFunctionError):
            during = "resources"
        about = getattr(error, "__opgraph_input__", "")
        if isinstance(error, InStore):
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
            (ended - loaded - going.storing - going.away) // 1000 if loaded else 0,
            going.storing // 1000,
            tuple(going.reads),
            wait,
        )
        return Ended(with_hooks(fact, bound, self.side, going.witness, cause), None, cause)

    # -- contexts ---------------------------------------------------------------------

    def _context_of(self, step: int, attempt: int) -> OpExecutionContext | None:
        """The context of a step under way, for who asks for it without a parameter; None: its attempt is over, or is
        made elsewhere, and a hook asks."""
        if step not in self._contexts and (bound := self._bound.get(step)) is not None:
            self._contexts[step] = self._context(bound, attempt, bound.selected)
        return self._contexts.get(step)

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
            without=self._inputs.without.get(bound.number),
            told=self._inputs.told.get(bound.number),
        )

    def _assets(self, bound: BoundStep) -> AssetSide:
        side = self._sides.get(bound.row)
        if side is None:
            assert bound.unit is not None
            definition = bound.unit.definition
            chosen = {key.text for key in definition.specs_by_key} & self._selection
            if not definition.is_graph:  # an op that runs in several parts makes some of its assets in each
                chosen = {o.asset for o in bound.step.outputs if o.asset in chosen and o.role is Role.SELECTED}
            side = self._sides[bound.row] = AssetSide(
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


class NotRecorded(Exception):
    """The record refused a fact: no fault of the step that was under way."""

    def __init__(self, cause: RecordError) -> None:
        self.cause = cause
        super().__init__(cause)
