"""The shards that evolutions are spread over. A script touches keys of one shard, all of which lie on one server.

An evolution's shard follows from its id. API keys, files, batches, webhooks and what workers report lie on the first
shard; an API key's budgets and the ids of its searches that have not ended lie in its home shard, which follows from
the key's id.
"""

import asyncio
import re
import uuid
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from shared.errors import Unavailable
from shared.records.evolution import Idempotency
from shared.redis_address import servers
from shared.store.connection import Translated, connect_redis
from shared.store.redis_keys import RedisKeys

T = TypeVar("T")

_PREFIX = "evo_"
_DIGITS = 8
_PLACE = re.compile(rf"_([0-9a-f]{{{_DIGITS}}})")
# How long those who can do without are kept waiting for a shard that does not answer.
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Shard:
    """A client of the server that a shard lies on, and the names of its redis keys."""

    number: int
    redis: Any
    keys: RedisKeys


class Shards(Sequence[Shard]):
    """Every shard, by number."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._shards = tuple(shards)
        self._translated = Translated()

    @classmethod
    def connect(cls, url: str, count: int | None = None, max_connections: int = 100) -> "Shards":
        """Clients of the servers that `DARWIN_REDIS_URL` and `DARWIN_REDIS_SHARDS` name, which connect when they are
        used, up to `max_connections` times for each shard.

        Raises:
            ValueError: the two cannot be used.
        """
        urls = servers(url, count)
        if len(urls) == 1:
            return cls([Shard(0, connect_redis(urls[0], max_connections), RedisKeys())])
        return cls(
            Shard(number, connect_redis(each, max_connections, follow=True), RedisKeys(number))
            for number, each in enumerate(urls)
        )

    @overload
    def __getitem__(self, number: int) -> Shard: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[Shard, ...]: ...

    def __getitem__(self, number: int | slice) -> Shard | tuple[Shard, ...]:
        return self._shards[number]

    def __len__(self) -> int:
        return len(self._shards)

    def of(self, evolution_id: str) -> Shard:
        """That of an evolution. One whose id was not made here is on the first shard, if anywhere."""
        place = _PLACE.search(evolution_id)
        return self._shards[int(place[1], 16) % len(self) if place else 0]

    def home(self, api_key_id: str) -> Shard:
        """That of what an API key spends."""
        return self._shards[zlib.crc32(api_key_id.encode()) % len(self)]

    async def all(self, work: Callable[[Shard], Awaitable[T]]) -> list[T]:
        """What `work` gives for each shard.

        Raises:
            Unavailable: a shard is away.
        """
        async with self._translated:
            if len(self) == 1:
                return [await work(self._shards[0])]
            return await asyncio.gather(*map(work, self._shards))

    async def present(self, work: Callable[[Shard], Awaitable[T]]) -> list[T]:
        """What `work` gives for each shard that answers soon.

        Raises:
            Unavailable: none does.
        """
        if len(self) == 1:
            return await self.all(work)
        found = await asyncio.gather(*(self._soon(work, shard) for shard in self._shards), return_exceptions=True)
        away = [error for error in found if isinstance(error, Unavailable)]
        for error in found:
            if isinstance(error, BaseException) and (len(away) == len(self) or not isinstance(error, Unavailable)):
                raise error
        return [each for each in found if not isinstance(each, BaseException)]

    async def close(self) -> None:
        for shard in self._shards:
            await shard.redis.aclose()

    async def _soon(self, work: Callable[[Shard], Awaitable[T]], shard: Shard) -> T:
        try:
            async with asyncio.timeout(_PATIENCE_S), self._translated:
                return await work(shard)
        except TimeoutError:
            raise Unavailable(f"shard {shard.number} of the store does not answer: come back later") from None


class RedisClient:
    """What every class here that speaks to Redis has: the shards, the client of the first of them, and errors
    translated.

    `redis` may be shards that others use as well: their connections are then shared, and stay open at `close`.
    """

    def __init__(self, redis: str | Shards, max_connections: int = 100, shards: int | None = None) -> None:
        self._owned = isinstance(redis, str)
        self._shards = Shards.connect(redis, shards, max_connections) if isinstance(redis, str) else redis
        self._redis = self._shards[0].redis
        self._key = self._shards[0].keys
        self._translated = Translated()

    async def close(self) -> None:
        if self._owned:
            await self._shards.close()


def new_evolution_id(idempotency: Idempotency | None = None) -> str:
    """A fresh id; that of an evolution with an idempotency key is of the shard where what the key stands for is."""
    digits = uuid.uuid4().hex
    return f"{_PREFIX}{idempotency.key[:_DIGITS]}{digits[_DIGITS:]}" if idempotency else f"{_PREFIX}{digits}"
