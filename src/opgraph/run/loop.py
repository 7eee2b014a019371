"""The event loop of a run, for ops that are async."""

import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class EventLoop:
    """Runs coroutines to their end. The loop is made on first use and serves the whole run, so that what async ops
    share, such as a client in a resource, stays on one loop. Close it when the run ends.

    Where the caller is itself inside an event loop, as in a notebook, ours runs in a thread of its own.
    """

    __slots__ = ("_background", "_runner", "_thread")

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._background: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any], context: Context | None = None) -> Any:
        """The result of a coroutine, run in a copy of the caller's context variables, or in `context`."""
        import asyncio  # 25 ms, and most runs have no async op

        if context is None:
            context = copy_context()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self._runner is None:
                self._runner = asyncio.Runner()
            return self._runner.run(coroutine, context=context)
        loop = self._in_thread()
        return context.copy().run(asyncio.run_coroutine_threadsafe, coroutine, loop).result()

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

    def close(self) -> None:
        """Stop the loop and what is left on it."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
        if self._background is not None and self._thread is not None:
            self._background.call_soon_threadsafe(self._background.stop)
            self._thread.join()
            self._background = self._thread = None

    def _in_thread(self) -> "asyncio.AbstractEventLoop":
        import asyncio  # see above

        if self._background is None:
            loop = self._background = asyncio.new_event_loop()

            def serve() -> None:
                asyncio.set_event_loop(loop)
                loop.run_forever()
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.close()

            self._thread = threading.Thread(target=serve, name="opgraph event loop", daemon=True)
            self._thread.start()
        return self._background
