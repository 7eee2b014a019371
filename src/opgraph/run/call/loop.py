"""The event loop of a run, for ops that are async."""

import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_PATIENCE = 2.0  # seconds


class EventLoop:
    """Runs coroutines to their end. The loop is made on first use and serves the whole run, so that what async ops
    share, such as a client in a resource, stays on one loop. Close it when the run ends.

    Where the caller is itself inside an event loop, as in a notebook, ours runs in a thread of its own.

    Args:
        apart: it runs in a thread of its own in any case, so that several threads can use it at once.
    """

    __slots__ = ("_apart", "_background", "_guard", "_runner", "_thread")

    def __init__(self, *, apart: bool = False) -> None:
        self._apart = apart
        self._guard = threading.Lock()
        self._runner: asyncio.Runner | None = None
        self._background: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any], context: Context | None = None) -> Any:
        """The result of a coroutine, run in a copy of the caller's context variables, or in `context`."""
        import asyncio  # 25 ms, and most runs have no async op

        if context is None:
            context = copy_context()
        if not self._apart:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                if self._runner is None:
                    self._runner = asyncio.Runner()
                return self._runner.run(coroutine, context=context)
            context = context.copy()  # the loop that runs here has entered it already
        ended, error = context.run(asyncio.run_coroutine_threadsafe, _whole(coroutine), self.in_thread()).result()
        if error is not None:
            raise error
        return ended

    def iterate(self, items: AsyncGenerator[Any, Any]) -> Iterator[Any]:
        """What an async generator yields, one at a time: it pauses until the next one is asked for."""
        context = copy_context()

        async def following() -> tuple[bool, Any]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        async def close() -> None:
            await items.aclose()

        try:
            while True:
                more, item = self.run(following(), context)
                if not more:
                    return
                yield item
        finally:
            self.run(close(), context)

    def thread_of(self, task: "asyncio.Task[Any] | None") -> int | None:
        """The thread of the loop, if that is at work for a task this very moment."""
        import asyncio  # see above

        at_work = task is not None and asyncio.current_task(self.in_thread()) is task
        return self._thread.ident if at_work and self._thread is not None else None

    def close(self) -> None:
        """Stop the loop and what is left on it."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
        if self._background is not None and self._thread is not None:
            self._background.call_soon_threadsafe(self._background.stop)
            self._thread.join(_PATIENCE)  # an op that blocks the loop is left behind
            self._background = self._thread = None

    def in_thread(self) -> "asyncio.AbstractEventLoop":
        """The loop that runs in a thread of its own, begun on first use."""
        import asyncio  # see above

        with self._guard:
            if self._background is None:
                self._background = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._background,), name="opgraph event loop", daemon=True
                )
                self._thread.start()
            return self._background


async def _whole(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
    """What a coroutine came to. SystemExit and KeyboardInterrupt are values: raised in a task, they end the loop."""
    try:
        return await coroutine, None
    except (SystemExit, KeyboardInterrupt) as error:
        return None, error


def _serve(loop: "asyncio.AbstractEventLoop") -> None:
    import asyncio  # see above

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
