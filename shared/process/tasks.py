"""How tasks of a process are ended."""

import asyncio
from typing import Any

_ASKED_AGAIN_S = 2.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels the tasks and returns once all of them have ended, however they end.

    Whoever loses a cancellation is asked again: `asyncio.wait_for`, on which clients of Redis build, returns a result
    that comes at the same time as if nobody had cancelled (Python 3.11).
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_ASKED_AGAIN_S)
