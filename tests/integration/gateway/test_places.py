"""One key that takes all it can get, at twice what it may hold; and what is left for others."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import redis.asyncio

from shared.records.events import MutantAccepted
from shared.store import layout
from shared.store.api_keys import ApiKeys, new_key
from shared.store.layout import dumped
from tests.integration.gateway.running import BODY, Gateway, new_caller, unfinished, wait_for

CHAT = "/v1/chat/completions"
DEAF = BODY | {"user": "deaf"}


@pytest.fixture
async def keys(idle_redis_url: str) -> AsyncIterator[ApiKeys]:
    keys = ApiKeys(idle_redis_url)
    yield keys
    await keys.close()


async def held(calls: list[asyncio.Future[httpx.Response]], most: int) -> list[httpx.Response]:
    """The refusals, once all but `most` of the calls are refused."""
    await asyncio.to_thread(wait_for, lambda: sum(call.done() for call in calls) >= len(calls) - most)
    await asyncio.sleep(0.3)
    return [call.result() for call in calls if call.done()]


async def test_one_key_leaves_places_for_others(idle_redis_url: str, keys: ApiKeys, tmp_path: Path) -> None:
    env = {"DARWIN_GATEWAY_KEYS": "required", "DARWIN_GATEWAY_MAX_CONCURRENT": "8", "DARWIN_GATEWAY_MAX_WAIT_S": "20"}
    with Gateway(idle_redis_url, tmp_path, **env) as gateway:
        async with await new_caller(keys, gateway, "acme") as one, await new_caller(keys, gateway, "other") as two:
            calls = [asyncio.ensure_future(one.post(CHAT, json=DEAF)) for _ in range(16)]
            refused = await held(calls, 4)
            assert len(refused) == 12
            for response in refused:
                error = response.json()["error"]
                assert (response.status_code, error["code"], error["type"]) == (
                    429, "rate_limit_exceeded", "rate_limit_error",
                )  # fmt: skip
                assert int(response.headers["retry-after"]) >= 1
                assert response.headers["x-should-retry"] == "true"
            # What the key holds is used; nothing of what others need is.
            assert (await one.get("/v1/models")).status_code == 429
            assert (await two.get("/v1/models")).status_code == 200
            assert (await two.get("/healthz")).status_code == 200
            assert (await two.post("/v1/evolutions", json=DEAF)).status_code == 202
            while len(await unfinished(idle_redis_url)) < 5:
                assert sum(call.done() for call in calls) == 12
            for call in calls:
                call.cancel()
            while (await one.get("/v1/models")).status_code == 429:
                assert len(await unfinished(idle_redis_url)) == 5


async def test_streams_of_a_key(idle_redis_url: str, keys: ApiKeys, tmp_path: Path) -> None:
    env = {"DARWIN_GATEWAY_KEYS": "required", "DARWIN_GATEWAY_MAX_STREAMS_PER_KEY": "3"}
    with Gateway(idle_redis_url, tmp_path, **env) as gateway:
        async with await new_caller(keys, gateway) as one, await new_caller(keys, gateway, max_streams=1) as two:
            started = (await one.post("/v1/evolutions", json=DEAF)).json()["id"]
            before = len(await unfinished(idle_redis_url))
            streams = [asyncio.ensure_future(one.get(f"/v1/evolutions/{started}/events")) for _ in range(6)]
            assert [response.status_code for response in await held(streams, 3)] == [429] * 3
            for path, body in (
                (CHAT, DEAF),
                ("/v1/completions", {"model": "best-of-n", "prompt": "x"}),
                ("/v1/responses", {"model": "darwin", "input": "x"}),
            ):
                refused = await one.post(path, json=body | {"stream": True})
                assert refused.status_code == 429
                assert "3 streamed answers" in refused.json()["error"]["message"]
            # Nothing was spent on what was refused, and what does not stream is possible.
            assert len(await unfinished(idle_redis_url)) == before
            assert (await one.get(f"/v1/evolutions/{started}")).status_code == 200
            other = [asyncio.ensure_future(two.get(f"/v1/evolutions/{started}/events")) for _ in range(2)]
            assert len(await held(other, 1)) == 1
            for stream in (*streams, *other):
                stream.cancel()
            # Once the gateway has noticed, there is room again: what is asked for then goes on.
            for _ in range(60):
                again = asyncio.ensure_future(one.get(f"/v1/evolutions/{started}/events"))
                if (await asyncio.wait((again,), timeout=0.5))[1] == {again}:
                    break
                assert again.result().status_code == 429
            assert again.cancel()


async def test_who_does_not_read_loses_the_place(idle_redis_url: str, keys: ApiKeys, tmp_path: Path) -> None:
    env = {
        "DARWIN_GATEWAY_KEYS": "required",
        "DARWIN_GATEWAY_MAX_STREAMS_PER_KEY": "1",
        "DARWIN_GATEWAY_SEND_TIMEOUT_S": "1",
    }
    text, key = new_key("acme")
    await keys.add(key)
    with Gateway(idle_redis_url, tmp_path, **env) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, headers={"authorization": f"Bearer {text}"}) as http:
            evolution_id = (await http.post("/v1/evolutions", json=DEAF)).json()["id"]
            await _fill_events(idle_redis_url, evolution_id)
            host, _, port = gateway.url.removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port))) as silent:
                silent.sendall(
                    f"GET /v1/evolutions/{evolution_id}/events HTTP/1.1\r\nhost: {host}\r\n"
                    f"authorization: Bearer {text}\r\n\r\n".encode()
                )
                assert await asyncio.to_thread(silent.recv, 1)
                assert (await http.get(f"/v1/evolutions/{evolution_id}/events")).status_code == 429
                await asyncio.to_thread(wait_for, lambda: "has read nothing" in gateway.process.log.read_text())
                again = asyncio.ensure_future(http.get(f"/v1/evolutions/{evolution_id}/events", timeout=30))
                await asyncio.sleep(1)
                assert not again.done() or again.result().status_code == 200
                again.cancel()


async def _fill_events(redis_url: str, evolution_id: str) -> None:
    """Some 40 MB of events, more than sockets hold."""
    event = dumped(layout.EVENT, MutantAccepted(1, 0, "x" * 400_000, "o", "template"))
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        for _ in range(100):
            await client.xadd(f"darwin:evo:{{{evolution_id}}}:events", {"event": event})
