"""Work of a command on what is kept in Redis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from shared.errors import Unavailable
from shared.process.settings import StoreSettings, refusing
from shared.store.refusals import explained


class Closable(Protocol):
    """Something with connections."""

    async def close(self) -> None: ...


S = TypeVar("S", bound=Closable)
T = TypeVar("T")


def on_store(command: str, opened: Callable[[StoreSettings], S], work: Callable[[S], Awaitable[T]]) -> T:
    """What `work` returns of the store that `opened` makes, which is closed then.

    That Redis is away or refuses becomes one message, which begins with the command's name, and exit code 1.
    """

    async def working() -> T:
        store = opened(StoreSettings())
        try:
            return await work(store)
        finally:
            await store.close()

    # The reason is told once, in the end.
    logging.getLogger("shared.store").addHandler(logging.NullHandler())
    with refusing(command):
        try:
            return asyncio.run(working())
        except Unavailable as error:
            raise SystemExit(f"{command}: {explained(error)}") from None
