"""An OpenAI-compatible endpoint over HTTP: one pool of connections, bounded answers, every failure one of ours."""

import json
import logging
import socket
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.generation.endpoint.error_bodies import NO_COMPLAINT, read_complaint
from services.generation.endpoint.errors import error_of_failure, error_of_status, retry_after
from shared.errors import Internal
from shared.rpc.interceptor import time_left
from shared.telemetry.tracing import inject

_MAX_ANSWER_BYTES = 32 * 2**20
_MAX_REFUSAL_BYTES = 8 * 2**10
_CONNECT_S = 5.0
_LONGEST_S = 600.0
# Less than the 5 s after which vLLM closes an idle connection, so that no call is sent into one that is closing.
_IDLE_S = 4.0
_PASSED_ON = ("traceparent", "tracestate")
# A machine that vanishes is noticed, though an answer may take minutes: after 25 s without any sign of it.
_SIGNS_OF_LIFE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000),
)

ResponseT = TypeVar("ResponseT", bound=BaseModel)


class Endpoint:
    """Calls one endpoint; `connections` at once at most. Nothing is retried: whoever calls knows what that costs."""

    def __init__(self, url: str, key: str | None, connections: int) -> None:
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers={"authorization": f"Bearer {key}"} if key else {},
            transport=httpx.AsyncHTTPTransport(
                limits=httpx.Limits(
                    max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_S
                ),
                socket_options=_SIGNS_OF_LIFE,
            ),
            follow_redirects=False,
        )
        # A line for each call would drown the log.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, shape: type[ResponseT]) -> ResponseT:
        """Raises as `post` does."""
        return await self._ask("GET", path, shape)

    async def post(self, path: str, shape: type[ResponseT], body: Mapping[str, Any]) -> ResponseT:
        """The answer, read as `shape`; cancelling closes the connection, and so tells the endpoint to stop.

        Raises:
            InvalidRequest: the endpoint refuses the body; `ContextFull` where it is too long.
            Overloaded: it has too much to do; a `Full`, which says when to come back.
            Unavailable: it is away, fails, or breaks off.
            DeadlineExceeded: it takes longer than the call under way may.
            Unsupported: it is not set up so that it could answer; the message names the setting.
            Internal: what it answers cannot be read.
        """
        return await self._ask("POST", path, shape, content=json.dumps(body).encode())

    async def _ask(self, method: str, path: str, shape: type[ResponseT], content: bytes | None = None) -> ResponseT:
        try:
            answer = await self._bytes(method, path, content)
        except httpx.HTTPError as failure:
            raise error_of_failure(failure) from None
        # Some answer 200 with an error in it.
        complaint = read_complaint(answer) if b'"error"' in answer else None
        try:
            if complaint is None:
                return shape.model_validate_json(answer)
        except ValidationError:
            complaint = read_complaint(answer)
        if complaint is None:
            raise Internal("the endpoint's answer is not what an OpenAI-compatible one gives")
        raise error_of_status(complaint.status or httpx.codes.OK, complaint)

    async def _bytes(self, method: str, path: str, content: bytes | None) -> bytes:
        headers = {name: value for name, value in inject() if name in _PASSED_ON}
        if content is not None:
            headers["content-type"] = "application/json"
        left_s = time_left()
        limit_s = max(0.001, _LONGEST_S if left_s is None else left_s)
        timeout = httpx.Timeout(limit_s, connect=min(_CONNECT_S, limit_s), pool=min(_CONNECT_S, limit_s))
        received = bytearray()
        async with self._client.stream(method, path, content=content, headers=headers, timeout=timeout) as response:
            refused = response.status_code != httpx.codes.OK
            limit = _MAX_REFUSAL_BYTES if refused else _MAX_ANSWER_BYTES
            async for part in response.aiter_bytes():
                received += part
                if len(received) > limit:
                    break
        if refused:
            complaint = read_complaint(bytes(received)) or NO_COMPLAINT
            raise error_of_status(response.status_code, complaint, retry_after(response.headers.get("retry-after")))
        if len(received) > limit:
            raise Internal(f"the endpoint's answer is larger than {limit} bytes")
        return bytes(received)
