"""Callers of the gateway that come back after a failure, and remember what they were told."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_sse import aconnect_sse
from openai import AsyncOpenAI, OpenAIError

KEY = "chaos"
"""The metadata under which a caller's idempotency key stands in the record."""

_PAUSE_S = 0.2
_TIMEOUT = httpx.Timeout(120, connect=5)
_PASSING = {429, 502, 503, 504}


@dataclass
class Told:
    """What one caller got: the evolution that was accepted, every event, an error it could not sit out."""

    key: str
    chat: bool
    evolution_id: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    reconnected: int = 0


class Caller:
    """One request, made under an idempotency key and followed to its end."""

    def __init__(self, url: str, key: str, body: dict[str, Any], *, chat: bool) -> None:
        self._url = url
        self._headers = {"Idempotency-Key": key}
        self._body = {**body, "metadata": {KEY: key}}
        self.told = Told(key, chat)

    async def run(self) -> None:
        """Never raises; what went wrong is told."""
        try:
            await (self._chat() if self.told.chat else self._follow())
        except (httpx.HTTPError, OpenAIError) as error:
            self.told.error = f"{type(error).__name__}: {error}"

    async def _chat(self) -> None:
        async with AsyncOpenAI(base_url=f"{self._url}/v1", api_key="none", max_retries=20, timeout=120) as client:
            body: dict[str, Any] = {**self._body, "extra_body": {"darwin": self._body["darwin"]}}
            del body["darwin"]
            completion = await client.chat.completions.create(**body, extra_headers=self._headers)
            if not completion.choices[0].message.content:
                self.told.error = "an empty answer"

    async def _follow(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=_TIMEOUT) as http:
            self.told.evolution_id = await self._start(http)
            last = ""
            while not (self.told.events and self.told.events[-1]["type"] == "evolution.ended"):
                last = await self._listen(http, last)

    async def _start(self, http: httpx.AsyncClient) -> str:
        while True:
            try:
                response = await http.post("/v1/evolutions", json=self._body, headers=self._headers)
                if response.status_code not in _PASSING:
                    return str(response.raise_for_status().json()["id"])
            except httpx.TransportError:
                self.told.reconnected += 1
            await asyncio.sleep(_PAUSE_S)

    async def _listen(self, http: httpx.AsyncClient, last: str) -> str:
        """Events after `last` until the stream breaks off or ends; the new last one."""
        path = f"/v1/evolutions/{self.told.evolution_id}/events"
        try:
            async with aconnect_sse(http, "GET", path, headers={"Last-Event-ID": last} if last else {}) as source:
                if source.response.status_code not in _PASSING:
                    source.response.raise_for_status()
                    async for sse in source.aiter_sse():
                        if sse.data:
                            last = sse.id
                            self.told.events.append(sse.json())
        except httpx.TransportError:
            pass
        if not (self.told.events and self.told.events[-1]["type"] == "evolution.ended"):
            self.told.reconnected += 1
            await asyncio.sleep(_PAUSE_S)
        return last
