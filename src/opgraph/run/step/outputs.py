"""What comes out of an attempt: values to store, and what its function and I/O managers report between them."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

from opgraph.errors import InvariantViolationError, Mistake
from opgraph.events import OutputStored, Stored
from opgraph.plan.model import Policy, Role
from opgraph.run.call.binding import BoundStep
from opgraph.run.call.body import Came
from opgraph.run.call.context import OpExecutionContext
from opgraph.run.captured import Captured
from opgraph.run.step.going import Going, report
from opgraph.run.store.shelf import Shelf

_now, _clock = time.time, time.perf_counter_ns


class UnselectedAssetCame(Mistake, InvariantViolationError):
    """Under the policy `error`, an op gave an asset that nobody selected."""

    step: str
    output: str
    asset: str
    says = (
        "step `{step}` yielded `{output}` (asset `{asset}`), which is not selected, and the policy for unselected "
        "assets is `error`; nothing of the step was stored"
    )
    mend = "yield it only when `{output}` is in `context.selected_output_names`, or select `{asset}` too"


class Outputs:
    """Stores the outputs of one run's attempts. Several threads may use it at once.

    Args:
        shelf: values.
        said: what the steps say.
        policy: what to do with assets that come though nobody asked for them.
        contexts: of the steps under way, where they have one.
    """

    def __init__(
        self, shelf: Shelf, said: Captured, policy: Policy, contexts: Mapping[int, OpExecutionContext]
    ) -> None:
        self._shelf, self._managers, self._said = shelf, shelf.managers, said
        self._policy, self._contexts = policy, contexts

    def store(self, bound: BoundStep, going: Going, items: Iterable[Any]) -> tuple[tuple[Stored, ...], bytes | None]:
        """Store what comes. Returns the outputs that ride in StepSucceeded, and their inline bytes.

        An asset's output of a generator is announced at once: it stays materialized even if the step fails later.
        """
        if self._contexts:
            self.report_logged(going)
        kind = type(items)
        if kind is tuple and going.task.asked is None and bound.selected is None:  # one plain value, and wanted
            (item,) = items
            began = _clock()
            try:
                stored, blob = self._shelf.put(
                    bound, bound.outputs[item.output], item, going.task.attempt, 0, asked=True
                )
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise InStore(item.output, error) from error
            going.storing = _clock() - began
            if self._managers.heard and self._managers.reported:
                report(going, self._managers.reported)
            return (stored,), blob
        streaming = kind is not tuple and kind is not list
        if bound.whole:
            items = self._refuse_unselected(bound, list(items))
            streaming = False
        kept = _Kept()
        try:
            for item in items:
                self._store_one(bound, going, item, kept, streaming=streaming)
                del item  # the next one may need the room
        except BaseException:
            self._shelf.remove(kept.outputs)  # nobody will ever hear of them
            raise
        return kept.whole()

    async def store_as_they_come(
        self, bound: BoundStep, going: Going, items: AsyncIterator[Any], pause: Callable[[], Awaitable[None]]
    ) -> tuple[tuple[Stored, ...], bytes | None]:
        """The same for an async generator. `pause` waits until the next value of a fan-out may come."""
        if bound.whole:
            return self.store(bound, going, [item async for item in items])
        kept = _Kept()
        try:
            async for item in items:
                if going.witness is not None:
                    going.witness.of((item,))
                if self._store_one(bound, going, item, kept, streaming=True):
                    began = _clock()
                    await pause()
                    going.away += _clock() - began
        except BaseException:
            self._shelf.remove(kept.outputs)  # nobody will ever hear of them
            raise
        return kept.whole()

    def _store_one(self, bound: BoundStep, going: Going, item: Any, kept: "_Kept", *, streaming: bool) -> bool:
        """Store one output. True: it was a value of a fan-out, which was announced."""
        if self._contexts:  # what the function logged before it yielded this comes before it
            self.report_logged(going)
        if not isinstance(item, Came):
            report(going, [(_now(), item)])
            return False
        task = going.task
        output = bound.outputs[item.output]
        role = output.role
        asked_for = role is Role.SELECTED or role is Role.NEEDED
        if not asked_for and (role is Role.UNNEEDED or self._policy is Policy.DISCARD):
            if output.asset is not None and role is not Role.UNNEEDED:
                text = discarded_line(item.output, output.asset)
                self._said.say(task.step, task.attempt, "WARNING", "opgraph", text)
            return False
        if task.asked is not None and item.output not in task.asked:
            return False
        began = _clock()
        try:
            alone = output.dynamic or (streaming and output.asset is not None)
            at = 0 if alone else kept.offset  # announced alone, its bytes are alone too
            stored, blob = self._shelf.put(bound, output, item, task.attempt, at, asked=asked_for)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise InStore(item.output, error) from error
        finally:
            going.storing += _clock() - began
        if self._managers.heard and self._managers.reported:
            report(going, self._managers.reported)
        if alone:
            del item  # the next one may need the room
            began = _clock()
            going.emit(OutputStored(task.step, task.attempt, _now(), stored), blob)
            going.away += _clock() - began
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
                    raise UnselectedAssetCame(bound.step.key, output.name, output.asset, where=bound.op.source)
        return items

    def report_logged(self, going: Going) -> None:
        """Record what the function said by `log_event` since the last time."""
        context = self._contexts.get(going.task.step)
        if context is not None and context.reported:
            report(going, context.reported)


class _Kept:
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


def discarded_line(output: str, asset: str) -> str:
    """What the log of a step says of an asset that came, that nobody had asked for and that the policy drops."""
    return f"output `{output}` came and was discarded: nobody asked for asset `{asset}`"


class InStore(Exception):
    """Something went wrong while an output was stored."""

    def __init__(self, output: str, cause: BaseException) -> None:
        self.output, self.cause = output, cause
