"""Webhook endpoints in Redis, and the deliveries that each of them waits for.

Redis keys:
  darwin:webhooks                hash: id of an endpoint -> JSON
  darwin:webhooks:{tenant}       set of the ids of a tenant's endpoints
  darwin:webhook-notices         list of what has ended (see `layout`); taken out in the step that makes its deliveries
  darwin:webhook-delivery:{id}   JSON of a delivery; beside it :attempts, how many have failed
  darwin:webhook-due             sorted set of deliveries by when the next attempt is due

Whoever attempts a delivery puts off when it is due, by more than an attempt takes. So one that dies with its process is
attempted again, and a receiver may get an event twice, under the same id.
"""

import base64
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from shared.errors import Conflict, NotFound, Overloaded
from shared.store.layout import dumped, parsed
from shared.store.shards import RedisClient, Shard
from shared.store.webhook_scripts import CLAIM, COLLECT, CREATE, DELETE, DONE, REPLACE, RETRY, SPREAD

_ENDPOINTS, _DUE, _DELIVERY_OF = "webhooks", "webhook-due", "webhook-delivery:"
_SECRET_BYTES = 32
_KEPT_S = 4 * 86_400
_MAX_TRIES = 20
GRACE_S = 86_400


@dataclass(frozen=True)
class Endpoint:
    """Where events of these types are sent. Times are Unix seconds.

    `secret` signs every event; until `previous_until` the one before it does, too. Nothing is sent there any more after
    `disabled_at`, unless that is 0.
    """

    id: str
    tenant: str
    name: str
    url: str
    event_types: tuple[str, ...]
    secret: str
    created_at: float
    updated_at: float
    previous_secret: str = ""
    previous_until: float = 0.0
    disabled_at: float = 0.0

    def secrets(self, at: float) -> tuple[str, ...]:
        """The secrets that are valid at a time."""
        return (self.secret, self.previous_secret) if at < self.previous_until else (self.secret,)


@dataclass(frozen=True)
class Delivery:
    """An event on its way to an endpoint; `attempts` counts those that have failed. `created_at` is in Unix seconds."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    payload: str
    created_at: float
    attempts: int = 0


_ENDPOINT: TypeAdapter[Endpoint] = TypeAdapter(Endpoint)
_DELIVERY: TypeAdapter[Delivery] = TypeAdapter(Delivery)


def new_secret() -> str:
    """A fresh secret, as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


class Webhooks(RedisClient):
    """Access to endpoints and deliveries. Every method raises `Unavailable` where Redis is away."""

    async def create(self, endpoint: Endpoint, most: int) -> None:
        """Stores a new endpoint.

        Raises:
            Overloaded: the tenant has `most` already.
        """
        async with self._translated:
            created = await CREATE(
                self._redis,
                endpoints=self._key(_ENDPOINTS),
                own=self._list_key(endpoint.tenant),
                id=endpoint.id,
                body=dumped(_ENDPOINT, endpoint),
                most=most,
            )
        if not created:
            raise Overloaded(f"{most} webhook endpoints are held: delete one")

    async def load(self, endpoint_id: str, tenant: str | None) -> Endpoint:
        """An endpoint of the tenant (None: of any).

        Raises:
            NotFound: there is none, or it is another tenant's; the two look alike.
        """
        return _endpoint(endpoint_id, await self._body(endpoint_id), tenant)

    async def listed(self, tenant: str | None) -> list[Endpoint]:
        """A tenant's endpoints (None: everybody's), the newest first."""
        async with self._translated:
            if tenant is None:
                bodies = await self._redis.hvals(self._key(_ENDPOINTS))
            else:
                ids = await self._redis.smembers(self._list_key(tenant))
                bodies = await self._redis.hmget(self._key(_ENDPOINTS), list(ids)) if ids else []
        found = [parsed(_ENDPOINT, body, "a webhook endpoint") for body in bodies if body]
        return sorted(found, key=lambda endpoint: (endpoint.created_at, endpoint.id), reverse=True)

    async def change(self, endpoint_id: str, tenant: str, **fields: Any) -> Endpoint:
        """The endpoint with these fields changed; raises as `load` does."""

        def change(endpoint: Endpoint) -> Endpoint:
            changed = replace(endpoint, **fields)
            return endpoint if changed == endpoint else replace(changed, updated_at=time.time())

        return await self._change(endpoint_id, tenant, change)

    async def rotate(self, endpoint_id: str, tenant: str, grace_s: float) -> Endpoint:
        """The endpoint with a new secret; the one before stays valid for `grace_s` seconds. Raises as `load` does."""
        secret, now = new_secret(), time.time()

        def change(endpoint: Endpoint) -> Endpoint:
            return replace(
                endpoint,
                secret=secret,
                previous_secret=endpoint.secret if grace_s else "",
                previous_until=now + grace_s if grace_s else 0.0,
                updated_at=now,
            )

        return await self._change(endpoint_id, tenant, change)

    async def delete(self, endpoint_id: str, tenant: str) -> None:
        """Deletes an endpoint; what was on its way to it is dropped. Raises as `load` does."""
        await self.load(endpoint_id, tenant)
        async with self._translated:
            await DELETE(self._redis, endpoints=self._key(_ENDPOINTS), own=self._list_key(tenant), id=endpoint_id)

    async def disable(self, endpoint: Endpoint) -> None:
        """Has nothing sent to the endpoint any more, unless it was given another URL meanwhile, or is gone."""

        def change(current: Endpoint) -> Endpoint:
            return replace(current, disabled_at=time.time()) if current.url == endpoint.url else current

        try:
            await self._change(endpoint.id, None, change)
        except NotFound:
            return

    async def notice(self) -> str | None:
        """The oldest notice, which stays until `spread` takes it out; None where there is none."""
        if len(self._shards) > 1:
            await self._shards.present(self._collect)
        async with self._translated:
            found: str | None = await self._redis.lindex(self._key.notices, -1)
        return found

    async def _collect(self, shard: Shard) -> None:
        """Brings a shard's notices to the first. One that is brought twice makes an event of the same id twice."""
        if shard is self._shards[0]:
            return
        while (notice := await shard.redis.lindex(shard.keys.notices, -1)) is not None:
            await COLLECT(self._redis, notices=self._key.notices, notice=notice)
            await shard.redis.lrem(shard.keys.notices, -1, notice)

    async def spread(self, notice: str, deliveries: Sequence[Delivery]) -> bool:
        """Takes a notice out, and in the same step has these deliveries be due; whether it was still there."""
        async with self._translated:
            taken = await SPREAD(
                self._redis,
                notices=self._key.notices,
                due=self._key(_DUE),
                deliveries=[self._key(_DELIVERY_OF + delivery.id) for delivery in deliveries],
                notice=notice,
                now=time.time(),
                kept_s=_KEPT_S,
                ids=[delivery.id for delivery in deliveries],
                bodies=[dumped(_DELIVERY, delivery) for delivery in deliveries],
            )
        return bool(taken)

    async def claim(self, most: int, lease_s: float) -> list[Delivery]:
        """Up to `most` deliveries that are due; nobody else gets them for `lease_s` seconds."""
        async with self._translated:
            flat = await CLAIM(
                self._redis,
                due=self._key(_DUE),
                now=time.time(),
                most=most,
                lease_s=lease_s,
                prefix=self._key(_DELIVERY_OF),
            )
        parts = iter(flat)
        return [
            replace(parsed(_DELIVERY, body, "a webhook delivery"), attempts=int(attempts))
            for body, attempts in zip(parts, parts, strict=True)
        ]

    async def done(self, delivery_id: str) -> None:
        """Forgets a delivery, which has arrived or is given up."""
        async with self._translated:
            await DONE(self._redis, due=self._key(_DUE), delivery=self._key(_DELIVERY_OF + delivery_id), id=delivery_id)

    async def retry(self, delivery: Delivery, at: float) -> None:
        """Notes that one more attempt has failed, and has the next be due at a time."""
        async with self._translated:
            await RETRY(
                self._redis,
                due=self._key(_DUE),
                delivery=self._key(_DELIVERY_OF + delivery.id),
                id=delivery.id,
                at=at,
                attempts=delivery.attempts + 1,
                kept_s=_KEPT_S,
            )

    async def _change(self, endpoint_id: str, tenant: str | None, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
        for _ in range(_MAX_TRIES):
            before = await self._body(endpoint_id)
            changed = change(_endpoint(endpoint_id, before, tenant))
            after = dumped(_ENDPOINT, changed)
            async with self._translated:
                if await REPLACE(
                    self._redis, endpoints=self._key(_ENDPOINTS), id=endpoint_id, before=before or "", after=after
                ):
                    return changed
        raise Conflict(f"the webhook endpoint {endpoint_id} changes all the time")

    def _list_key(self, tenant: str) -> str:
        return self._key(f"{_ENDPOINTS}:{tenant}")

    async def _body(self, endpoint_id: str) -> str | None:
        async with self._translated:
            body: str | None = await self._redis.hget(self._key(_ENDPOINTS), endpoint_id)
        return body


def _endpoint(endpoint_id: str, body: str | None, tenant: str | None) -> Endpoint:
    endpoint = parsed(_ENDPOINT, body, f"the webhook endpoint {endpoint_id}") if body else None
    if endpoint is None or (tenant is not None and endpoint.tenant != tenant):
        raise NotFound(f"No such webhook endpoint: {endpoint_id[:80]}", field="webhook_endpoint_id")
    return endpoint
