"""How the process ends while calls are open: event streams end at once, calls that wait for an answer later."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

T = TypeVar("T")


class Lifetime:
    """`stopping` is set when the process is to stop, `expired` once the time to finish open calls is over."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.expired = asyncio.Event()

    def stop(self, drain_s: float) -> None:
        """Sets `stopping` now and `expired` in `drain_s` seconds; to be called on the running event loop."""
        self.stopping.set()
        asyncio.get_running_loop().call_later(drain_s, self.expired.set)


async def take_until(event: asyncio.Event, items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yields from `items` until they end or `event` is set, and closes them."""
    stopped = asyncio.ensure_future(event.wait())
    step: asyncio.Future[T | None] | None = None
    try:
        while True:
            step = asyncio.ensure_future(_next(items))
            await asyncio.wait((step, stopped), return_when=asyncio.FIRST_COMPLETED)
            item = step.result() if step.done() else None
            if item is None:
                return
            yield item
    finally:
        stopped.cancel()
        if step is not None and not step.done():
            step.cancel()
            await asyncio.wait((step,))
        await items.aclose()


async def _next(items: AsyncGenerator[T]) -> T | None:
    return await anext(items, None)
