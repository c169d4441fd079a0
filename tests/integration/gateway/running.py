"""A gateway process, and what tests ask of one."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import httpx
import httpx_sse
import redis.asyncio

from cli.stack.child import Child
from shared.store.api_keys import ApiKeys, new_key

COMMAND = [sys.executable, "-m", "services.gateway"]
BODY: dict[str, Any] = {"model": "darwin", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}]


class Gateway:
    """A gateway process; leaving the context stops it and checks that it went cleanly."""

    def __init__(self, redis_url: str, folder: Path, **env: str) -> None:
        settings = {"DARWIN_REDIS_URL": redis_url, "DARWIN_GATEWAY_LISTEN": "127.0.0.1:0"}
        self.process = Child("gateway", COMMAND, folder, settings | env)
        self.url = f"http://{self.process.address(30)}"
        wait_for(lambda: httpx.get(f"{self.url}/healthz").status_code == 200)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.process.terminate()
        code = self.process.wait(30)
        if kind is None:
            assert code == 0
            assert "Traceback" not in self.process.log.read_text()


def told(refused: httpx.Response, evolution_id: str) -> str:
    """What a refusal says, apart from which call and evolution it is about."""
    return refused.text.replace(evolution_id, "X").replace(refused.headers["x-darwin-trace-id"], "Y")


async def new_caller(keys: ApiKeys, gateway: Gateway, tenant: str = "acme", **options: Any) -> httpx.AsyncClient:
    """A client with a fresh key of the tenant."""
    text, key = new_key(tenant, **options)
    await keys.add(key)
    return httpx.AsyncClient(base_url=gateway.url, timeout=30, headers={"authorization": f"Bearer {text}"})


async def unfinished(redis_url: str) -> set[str]:
    async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as client:
        return set(await client.zrange("darwin:active", 0, -1))


async def appeared(redis_url: str, before: set[str]) -> str:
    """The evolution that is under way and was not before."""
    for _ in range(400):
        if new := await unfinished(redis_url) - before:
            (evolution_id,) = new
            return evolution_id
        await asyncio.sleep(0.05)
    raise AssertionError("none appeared")


async def follow(
    http: httpx.AsyncClient, evolution_id: str, after: str | None = None
) -> AsyncIterator[httpx_sse.ServerSentEvent]:
    headers = {"last-event-id": after} if after else {}
    async with httpx_sse.aconnect_sse(http, "GET", f"/v1/evolutions/{evolution_id}/events", headers=headers) as source:
        async for event in source.aiter_sse():
            yield event


async def collect(http: httpx.AsyncClient, evolution_id: str) -> list[str]:
    return [event.event async for event in follow(http, evolution_id)]


async def status(http: httpx.AsyncClient, evolution_id: str, wanted: str) -> dict[str, Any]:
    for _ in range(200):
        resource: dict[str, Any] = (await http.get(f"/v1/evolutions/{evolution_id}")).json()
        if resource["status"] == wanted:
            return resource
        await asyncio.sleep(0.05)
    raise AssertionError(f"still {resource['status']}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, "not ready in time"
        time.sleep(0.05)
