"""Celery's messages where evolutions are spread over several shards: a transport of kombu's that takes messages from
the queues of all of them. Only workers use it, and only to take: scripts of the store send.
"""

import asyncio
import json
import logging
from collections import deque
from queue import Empty
from typing import Any

from kombu.transport import virtual
from redis.exceptions import RedisError

from services.orchestrator.pool import LoopThread
from shared.errors import Unavailable
from shared.store.connection import Translated
from shared.store.shards import Shard, Shards

log = logging.getLogger(__name__)

# How long one call blocks: Redis, the thread that Celery takes messages in, and a worker that has no room.
_BLOCK_S = 1
_TAKE_S = 0.5
_FULL_S = 0.02
_AWAY_S = 0.5
# What was taken and is not asked for within this time goes back, lest it wait here for a place.
_UNASKED_S = 0.2


class ShardQueues:
    """Takes messages from every shard's queue at once, while Celery asks for one. A shard that is away costs the others
    nothing.
    """

    def __init__(self, shards: Shards, loop: LoopThread) -> None:
        self._shards = shards
        self._loop = loop
        self._taken: deque[tuple[Shard, str]] = deque()
        self._taking: dict[int, asyncio.Task[None]] = {}
        self._asked_at = 0.0
        self._asking = False

    def take(self) -> dict[str, Any] | None:
        """The next message, as kombu reads it; None where none comes soon. Call it in a thread of its own."""
        text = self._loop.run(self._take())
        return None if text is None else json.loads(text)

    async def close(self) -> None:
        """Gives back what nobody has asked for; call it on the loop."""
        self._asking = False
        if self._taking:
            await asyncio.wait(self._taking.values())
        await self._give_back()

    async def _take(self) -> str | None:
        self._asking = True
        try:
            if not self._taken:
                for shard in self._shards:
                    if shard.number not in self._taking:
                        self._taking[shard.number] = asyncio.ensure_future(self._take_from(shard))
                await asyncio.wait(self._taking.values(), timeout=_TAKE_S, return_when=asyncio.FIRST_COMPLETED)
            return self._taken.popleft()[1] if self._taken else None
        finally:
            self._asking = False
            self._asked_at = asyncio.get_running_loop().time()
            if self._taken:
                asyncio.get_running_loop().call_later(_UNASKED_S, self._give_back_unasked)

    async def _take_from(self, shard: Shard) -> None:
        try:
            async with Translated():
                found = await shard.redis.brpop(shard.keys.queue, timeout=_BLOCK_S)
            if found:
                self._taken.append((shard, found[1]))
                if not self._asking:
                    self._give_back_unasked()
        except (Unavailable, RedisError) as error:
            log.debug("no messages from shard %d: %s", shard.number, error)
            await asyncio.sleep(_AWAY_S)
        finally:
            del self._taking[shard.number]

    def _give_back_unasked(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._asking and loop.time() - self._asked_at >= _UNASKED_S * 0.9:
            self._giving_back = asyncio.ensure_future(self._give_back())
        elif not self._asking:
            loop.call_later(_UNASKED_S, self._give_back_unasked)

    async def _give_back(self) -> None:
        """To where the messages came from; one that is lost is sent again by the sweep."""
        while self._taken:
            shard, text = self._taken.pop()
            try:
                async with Translated():
                    await shard.redis.rpush(shard.keys.queue, text)
            except Unavailable as error:
                log.warning("a message is left to the sweep: %s", error.message)


class Channel(virtual.Channel):
    """Reads from the `ShardQueues` that the transport's options name."""

    do_restore = False

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        message = self.connection.client.transport_options["queues"].take()
        if message is None:
            raise Empty
        return message  # type: ignore[no-any-return]

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        """What Celery hands back goes nowhere: the sweep sends it again."""

    def _size(self, queue: str) -> int:
        return 0

    def _purge(self, queue: str) -> int:
        return 0


class Transport(virtual.Transport):
    """Has a worker's consumer ask again soon where it had no room."""

    Channel = Channel
    polling_interval = _FULL_S
    driver_type = "redis"
    driver_name = "shards"
