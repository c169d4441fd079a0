"""One call as a client makes it, and what became of it."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import httpx
from httpx_sse import SSEError, aconnect_sse

from bench.load.workload import Ask
from services.gateway.edge.middleware import EVOLUTION_HEADER
from shared.records.evolution import TERMINAL

Outcome = Literal["unanswered", "refused", "rejected", "lost", "answered", "failed"]
"""refused: 429 instead of acceptance. rejected: any other status. unanswered: no status at all. lost: accepted, and
not known to have ended. failed: accepted, and ended without an answer, or the stream of the answer broke off.
"""

# An evolution is read again after this part of its age: what reading costs does not grow with a backlog.
_PAUSE_OF_AGE, _LEAST_PAUSE_S, _MOST_PAUSE_S = 0.15, 0.25, 5.0
# Longer than the gateway lets a stream be silent.
_SILENCE_S = 60.0
# Shorter than the gateway keeps a silent connection, so that none is used just as it is closed.
_KEPT_S = 2.0


@dataclass
class Call:
    """A call and its outcome so far. Times are Unix seconds; `arrived_at` is when it was due, sent late or not.

    `ended_at` is when the caller had the whole stream or, of an evolution that is read, when that had ended. `tokens`
    were sampled for it.
    """

    tenant: str
    arrived_at: float
    deadline_s: float | None = None
    outcome: Outcome = "unanswered"
    accepted_at: float = 0.0
    ended_at: float | None = None
    tokens: int = 0
    reason: str = ""
    evolution_id: str = ""

    @property
    def accepted(self) -> bool:
        return self.outcome in ("lost", "answered", "failed")

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.outcome not in ("unanswered", "lost")

    @property
    def late_s(self) -> float | None:
        """Seconds past the deadline, which counts from acceptance, at the end; None without deadline or end."""
        if self.deadline_s is None or self.ended_at is None:
            return None
        return self.ended_at - self.accepted_at - self.deadline_s


class Caller:
    """Makes calls with the tenants' API keys; an asynchronous context manager. A call never raises."""

    def __init__(self, url: str, keys: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            transport=transport,
            timeout=httpx.Timeout(30.0, read=_SILENCE_S),
            limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEPT_S),
            trust_env=False,
        )
        self._headers = {tenant: {"authorization": f"Bearer {key}"} for tenant, key in keys.items()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def make(self, ask: Ask, call: Call) -> None:
        """Asks, follows to the end, and writes into `call` what is known, as it is known; may be cancelled."""
        try:
            await (self._stream(ask, call) if ask.streamed else self._start(ask, call))
        except (httpx.HTTPError, SSEError) as error:
            call.reason = type(error).__name__
        if call.accepted:
            await self._await_end(call)

    async def _start(self, ask: Ask, call: Call) -> None:
        response = await self._http.post("/v1/evolutions", json=ask.body, headers=self._headers[ask.tenant])
        if _is_accepted(response, call):
            call.evolution_id = response.json()["id"]

    async def _stream(self, ask: Ask, call: Call) -> None:
        body = {**ask.body, "stream": True}
        async with aconnect_sse(
            self._http, "POST", "/v1/chat/completions", json=body, headers=self._headers[ask.tenant]
        ) as source:
            if not source.response.is_success:
                await source.response.aread()
            if not _is_accepted(source.response, call):
                return
            call.evolution_id = source.response.headers[EVOLUTION_HEADER]
            call.reason, text = "the stream broke off", ""
            async for event in source.aiter_sse():
                if event.data == "[DONE]":
                    call.reason = "" if text else "an empty answer"
                    break
                if not event.data:  # a comment that keeps the connection alive
                    continue
                chunk = event.json()
                if "error" in chunk:
                    call.reason = str(chunk["error"].get("code") or chunk["error"]["type"])
                    break
                text += "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
        call.ended_at = time.time()

    async def _await_end(self, call: Call) -> None:
        """Reads the evolution until it has ended; a read that fails is made again."""
        path, headers = f"/v1/evolutions/{call.evolution_id}", self._headers[call.tenant]
        while True:
            if call.ended_at is None:
                age_s = time.time() - call.accepted_at
                await asyncio.sleep(min(max(_PAUSE_OF_AGE * age_s, _LEAST_PAUSE_S), _MOST_PAUSE_S))
            try:
                response = await self._http.get(path, headers=headers)
                if response.is_success and (evolution := response.json())["status"] in TERMINAL:
                    _settle(call, evolution)
                    return
                if response.status_code == httpx.codes.NOT_FOUND:
                    call.reason = "no evolution with its id"
                    return
            except (httpx.HTTPError, json.JSONDecodeError):
                pass
            if call.ended_at is not None:
                await asyncio.sleep(_LEAST_PAUSE_S)


def _is_accepted(response: httpx.Response, call: Call) -> bool:
    if response.is_success:
        call.outcome, call.accepted_at = "lost", time.time()
        return True
    call.outcome = "refused" if response.status_code == httpx.codes.TOO_MANY_REQUESTS else "rejected"
    call.reason = f"HTTP {response.status_code}"
    return False


def _settle(call: Call, evolution: Mapping[str, Any]) -> None:
    """What the ended evolution says; of a stream it was known before whether the answer came, and when."""
    result, error = evolution["result"], evolution["error"]
    call.accepted_at = evolution["created_at"]
    call.ended_at = call.ended_at or evolution["finished_at"]
    call.tokens = result["tokens"]["generated"] if result else 0
    answered = evolution["status"] == "succeeded" and any(choice["text"] for choice in result["choices"])
    if not answered:
        call.reason = error["code"] if error else call.reason or "an empty answer"
    call.outcome = "answered" if answered and not call.reason else "failed"
