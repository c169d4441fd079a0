"""An OpenAI-compatible endpoint over HTTP: one pool of connections, bounded responses, every failure one of ours."""

import json
import logging
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.generation.endpoint.error_bodies import NO_COMPLAINT, read_complaint
from services.generation.endpoint.errors import error_of_failure, error_of_status
from shared.errors import Internal
from shared.process.retry_after import retry_after
from shared.rpc.interceptor import time_left
from shared.telemetry.tracing import inject

_MAX_RESPONSE_BYTES = 32 * 2**20
_MAX_REFUSAL_BYTES = 8 * 2**10
_CONNECT_S = 5.0
_LONGEST_S = 600.0
# Less than the 5 s after which vLLM closes an idle connection, so that no call is sent into one that is closing.
_IDLE_S = 4.0
_PASSED_ON = ("traceparent", "tracestate")
# A response may take minutes. A machine that has vanished is still noticed, after 25 s without any sign of it.
_SIGNS_OF_LIFE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000),
)

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

ResponseT = TypeVar("ResponseT", bound=BaseModel)


class Endpoint:
    """Calls one endpoint over at most `connections` connections. The caller retries, if at all."""

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
        """Gets `path` and reads the response as `shape`; raises as `post` does."""
        return await self._request("GET", path, shape)

    async def post(
        self, path: str, shape: type[ResponseT], body: Mapping[str, Any], headers: Mapping[str, str] = _NO_HEADERS
    ) -> ResponseT:
        """Posts `body`, with these `headers` beside the usual ones, and reads the response as `shape`. Cancelling
        closes the connection, so that the endpoint stops.

        Raises:
            InvalidRequest: the endpoint refuses the body; a `ContextFull` where the prompt is too long.
            Overloaded: it has too much to do; a `Full`, which says when to come back.
            Unavailable: it is away, fails, or breaks off.
            DeadlineExceeded: it takes longer than the call under way may.
            Unsupported: only a change of settings can help; the message names the setting.
            Internal: its response cannot be read.
        """
        return await self._request("POST", path, shape, json.dumps(body).encode(), headers)

    async def _request(
        self,
        method: str,
        path: str,
        shape: type[ResponseT],
        content: bytes | None = None,
        extra: Mapping[str, str] = _NO_HEADERS,
    ) -> ResponseT:
        try:
            body = await self._bytes(method, path, content, extra)
        except httpx.HTTPError as failure:
            raise error_of_failure(failure) from None
        # Some endpoints respond with status 200 and an error in the body.
        complaint = read_complaint(body) if b'"error"' in body else None
        try:
            if complaint is None:
                return shape.model_validate_json(body)
        except ValidationError:
            complaint = read_complaint(body)
        if complaint is None:
            raise Internal("the endpoint's answer is not what an OpenAI-compatible one gives")
        raise error_of_status(complaint.status or httpx.codes.OK, complaint)

    async def _bytes(self, method: str, path: str, content: bytes | None, extra: Mapping[str, str]) -> bytes:
        headers = {name: value for name, value in inject() if name in _PASSED_ON} | dict(extra)
        if content is not None:
            headers["content-type"] = "application/json"
        left_s = time_left()
        limit_s = max(0.001, _LONGEST_S if left_s is None else left_s)
        timeout = httpx.Timeout(limit_s, connect=min(_CONNECT_S, limit_s), pool=min(_CONNECT_S, limit_s))
        received = bytearray()
        async with self._client.stream(method, path, content=content, headers=headers, timeout=timeout) as response:
            refused = response.status_code != httpx.codes.OK
            limit = _MAX_REFUSAL_BYTES if refused else _MAX_RESPONSE_BYTES
            async for part in response.aiter_bytes():
                received += part
                if len(received) > limit:
                    break
        if refused:
            complaint = read_complaint(bytes(received)) or NO_COMPLAINT
            raise error_of_status(response.status_code, complaint, retry_after(response.headers))
        if len(received) > limit:
            raise Internal(f"the endpoint's answer is larger than {limit} bytes")
        return bytes(received)
