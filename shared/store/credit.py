"""What mutations have earned, by tenant, in Redis.

Redis keys, in the shard that follows from the tenant's name as an API key's home does from its id:
  credit, credit:{tenant}              hash: id of an observation -> JSON; of all tenants together, and of one
  credit-order, credit-order:{tenant}  sorted set of the same ids by when they were made

Both expire some time after the last observation; older observations go before, and those beyond a number of them.
"""

from collections.abc import Sequence

from pydantic import TypeAdapter

from shared.records.credit import Observation
from shared.store.layout import dumped, parsed
from shared.store.lua import Script
from shared.store.shards import RedisClient

_OBSERVATION: TypeAdapter[Observation] = TypeAdapter(Observation)

# Sent twice, it changes nothing more.
_ADD = Script(
    """
if redis.call('HSETNX', bodies, id, body) == 1 then redis.call('ZADD', order, at, id) end
local gone = redis.call('ZRANGEBYSCORE', order, '-inf', at - ttl_s)
for _, each in ipairs(redis.call('ZRANGE', order, 0, -tonumber(most) - 1)) do gone[#gone + 1] = each end
for _, each in ipairs(gone) do
  redis.call('HDEL', bodies, each)
  redis.call('ZREM', order, each)
end
redis.call('EXPIRE', bodies, ttl_s)
redis.call('EXPIRE', order, ttl_s)
""",
    keys="bodies order",
    args="id at body most ttl_s",
)


class CreditLog(RedisClient):
    """Access to observations of a tenant; None: of all tenants together, where a deployment keeps them so. Every method
    raises `Unavailable` where Redis is away."""

    async def add(self, tenant: str | None, observation: Observation, most: int, ttl_s: int) -> None:
        """Keeps an observation, once however often it is added, and of all no more than the newest `most`."""
        async with self._translated:
            await _ADD(
                self._shards.home(tenant or "").redis,
                bodies=self._bodies(tenant),
                order=self._order(tenant),
                id=observation.id,
                at=observation.at,
                body=dumped(_OBSERVATION, observation, sparse=True),
                most=most,
                ttl_s=ttl_s,
            )

    async def ids(self, tenant: str | None) -> list[str]:
        """The ids of what is kept, the oldest first."""
        async with self._translated:
            found: list[str] = await self._shards.home(tenant or "").redis.zrange(self._order(tenant), 0, -1)
        return found

    async def load(self, tenant: str | None, ids: Sequence[str]) -> list[Observation]:
        """Those of these observations that are kept, in the order of `ids`."""
        if not ids:
            return []
        async with self._translated:
            bodies = await self._shards.home(tenant or "").redis.hmget(self._bodies(tenant), list(ids))
        return [parsed(_OBSERVATION, body, "an observation") for body in bodies if body is not None]

    async def reset(self, tenant: str | None) -> int:
        """Deletes all that is kept; returns how many observations that were."""
        count = len(await self.ids(tenant))
        async with self._translated:
            await self._shards.home(tenant or "").redis.delete(self._bodies(tenant), self._order(tenant))
        return count

    def _bodies(self, tenant: str | None) -> str:
        return self._home_key("credit", tenant)

    def _order(self, tenant: str | None) -> str:
        return self._home_key("credit-order", tenant)

    def _home_key(self, name: str, tenant: str | None) -> str:
        return self._shards.home(tenant or "").keys(name if tenant is None else f"{name}:{tenant}")
