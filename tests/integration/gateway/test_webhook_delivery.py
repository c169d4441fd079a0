"""How events reach an endpoint, or do not: certificates, names that lead elsewhere, receivers that are gone or away."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import trustme

from services.gateway.config.settings import GatewaySettings
from services.gateway.webhooks.deliverer import GIVE_UP_S, Deliverer
from services.gateway.webhooks.events import Notices
from services.gateway.webhooks.sending import NotSent, Sender
from shared.store.batches import Batches
from shared.store.evolutions import Store
from shared.store.redis_keys import RedisKeys
from shared.store.webhooks import Delivery, Endpoint, Webhooks, new_secret
from tests.integration.gateway.receiver import Receiver

LOCAL = GatewaySettings(webhook_networks=("127.0.0.0/8", "::1"), webhook_http=True, webhook_timeout_s=5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def endpoint(url: str) -> Endpoint:
    return Endpoint("we_1", "acme", "n", url, ("batch.failed",), new_secret(), 1.0, 1.0)


async def post(url: str, settings: GatewaySettings = LOCAL) -> int:
    sender = Sender(settings)
    try:
        return await sender.post(endpoint(url), "evt_1", "{}")
    finally:
        await sender.close()


async def test_the_certificate_is_the_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    receiver = Receiver(authority.issue_cert("localhost"), "localhost")
    with pytest.raises(NotSent, match="certificate"):
        await post(receiver.url)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert await post(receiver.url) == 200
    with pytest.raises(NotSent, match=r"certificate.*mismatch"):
        await post(receiver.url.replace("localhost", "127.0.0.1"))
    assert [headers["host"] for headers, _ in receiver.received] == [receiver.url.split("/")[2]]
    receiver.close()


async def test_a_name_that_leads_elsewhere_by_then(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    resolved = socket.getaddrinfo

    def answer(host: str, *arguments: Any, **options: Any) -> Any:
        asked.append(host)
        return resolved("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    url = receiver.url.replace("127.0.0.1", "hooks.example")
    with pytest.raises(NotSent, match="public internet"):
        await post(url, GatewaySettings(webhook_http=True))
    assert receiver.received == []
    asked.clear()
    assert await post(url) == 200
    # The address that was checked is the one that was called: the name was not looked up again.
    assert asked == ["hooks.example"]
    assert receiver.received[0][0]["host"] == url.split("/")[2]


class Delivering:
    """A deliverer, and what it finds in Redis."""

    def __init__(self, url: str) -> None:
        self.webhooks, self.store, self.batches = Webhooks(url), Store(url, ttl_s=60), Batches(url)
        self.deliverer = Deliverer(self.webhooks, Notices(self.batches, self.store, LOCAL), LOCAL)
        self.redis = redis.asyncio.Redis.from_url(url, decode_responses=True)

    async def send(self, to: Endpoint, age_s: float = 0.0) -> None:
        """Has one event be due that came up so many seconds ago, and attempts it."""
        name = f"{time.time_ns()}"
        await self.redis.lpush(RedisKeys().notices, name)
        made = Delivery(name, to.id, "evt_1", "batch.failed", "{}", time.time() - age_s)
        assert await self.webhooks.spread(name, [made])
        await self.deliverer.step()
        await asyncio.gather(*self.deliverer._attempts)

    async def due(self) -> int:
        return int(await self.redis.zcard("darwin:webhook-due"))

    async def close(self) -> None:
        await self.deliverer._sender.close()
        await self.redis.aclose()
        for each in (self.webhooks, self.store, self.batches):
            await each.close()


@pytest.fixture
async def delivering(redis_url: str) -> AsyncIterator[Delivering]:
    delivering = Delivering(redis_url.removesuffix("/9") + "/1")
    await delivering.redis.flushdb()
    yield delivering
    await delivering.close()


async def test_an_event_is_dropped_after_72_hours(delivering: Delivering, receiver: Receiver) -> None:
    to = endpoint(receiver.url)
    await delivering.webhooks.create(to, 1)
    receiver.statuses = [503, 503]
    await delivering.send(to)
    assert await delivering.due() == 1
    await delivering.send(to, GIVE_UP_S)
    assert (await delivering.due(), len(receiver.received)) == (1, 2)


async def test_an_endpoint_that_is_gone_is_left_alone(delivering: Delivering, receiver: Receiver) -> None:
    to = endpoint(receiver.url)
    await delivering.webhooks.create(to, 1)
    receiver.statuses = [410]
    await delivering.send(to)
    assert (await delivering.webhooks.load(to.id, "acme")).disabled_at
    await delivering.send(to)
    assert (await delivering.due(), len(receiver.received)) == (0, 1)
    await delivering.webhooks.change(to.id, "acme", url=to.url, disabled_at=0.0)
    await delivering.send(to)
    assert (await delivering.due(), len(receiver.received)) == (0, 2)


async def test_a_notice_that_cannot_be_read_holds_up_no_other(delivering: Delivering) -> None:
    await delivering.redis.hset("darwin:batch:broken", mapping={"status": "failed", "body": "{"})
    await delivering.redis.lpush(RedisKeys().notices, "batch broken", "batch gone")
    await delivering.deliverer.step()
    assert await delivering.redis.llen(RedisKeys().notices) == 0
