"""How a process ends while calls are open: event streams at once, calls that wait for an answer a little later."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


class Lifetime:
    """`stopping` is set when the process was asked to stop, `expired` once it waits no longer for answers."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.expired = asyncio.Event()

    def stop(self, drain_s: float) -> None:
        """Begins the end; call it on the running loop."""
        self.stopping.set()
        asyncio.get_running_loop().call_later(drain_s, self.expired.set)


async def until(event: asyncio.Event, items: AsyncIterator[T]) -> AsyncIterator[T]:
    """`items`, cut short when `event` is set."""
    over = asyncio.ensure_future(event.wait())
    step: asyncio.Future[T | None] | None = None
    try:
        while True:
            step = asyncio.ensure_future(_next(items))
            await asyncio.wait((step, over), return_when=asyncio.FIRST_COMPLETED)
            item = step.result() if step.done() else None
            if item is None:
                return
            yield item
    finally:
        over.cancel()
        if step is not None:
            step.cancel()


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)
