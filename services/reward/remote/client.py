"""A reward server over HTTP: one pool of connections, bounded responses, every failure one of ours.

Messages of the server and of httpx are not passed on: they may repeat the conversation or the key.
"""

import json
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx

from shared.errors import DarwinError, DeadlineExceeded, Internal, InvalidRequest, Overloaded, Unavailable

_MAX_RESPONSE_BYTES = 8 * 2**20
_CONNECT_S = 5.0
# Less than the 5 s after which vLLM closes an idle connection, so that no call is sent into one that is closing.
_IDLE_S = 4.0
_FAILURES: tuple[tuple[type[httpx.HTTPError], type[DarwinError], str], ...] = (
    (httpx.ConnectTimeout, Unavailable, "cannot be reached"),
    (httpx.PoolTimeout, Unavailable, "has no connection free"),
    (httpx.TimeoutException, DeadlineExceeded, "did not answer within timeout_s"),
    (httpx.LocalProtocolError, Internal, "cannot be asked: url or key cannot be sent by HTTP"),
    (httpx.TransportError, Unavailable, "cannot be reached, or broke off"),
    (httpx.HTTPError, Internal, "answers no HTTP"),
)
"""The first row whose class matches counts."""


class RewardServer:
    """Posts to one URL, at most `connections` requests at once. Nothing is retried.

    `key_name` says where the key comes from; messages name it to whoever has to change it.
    """

    def __init__(self, url: str, key: str | None, key_name: str, timeout_s: float, connections: int) -> None:
        self._url = url
        self._key_name = key_name
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {key}"} if key else {},
            # Given a transport, httpx takes no proxy from the environment, and still the certificates that it names.
            transport=httpx.AsyncHTTPTransport(
                limits=httpx.Limits(
                    max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_S
                )
            ),
            timeout=httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s)),
            follow_redirects=False,
        )
        # A line for each call would drown the log.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, body: Mapping[str, Any]) -> bytes:
        """The body of the server's response; cancelling closes the connection.

        Raises:
            InvalidRequest: the server refuses the conversation.
            Overloaded: it has too much to do.
            Unavailable: it is away, fails, or breaks off.
            DeadlineExceeded: it takes longer than `timeout_s`.
            Internal: it, or what the profile says of it, is wrong; the message names the field.
        """
        try:
            return await self._post(json.dumps(body).encode())
        except httpx.InvalidURL:
            raise Internal(f"{self._url} is no URL: change url") from None
        except httpx.HTTPError as failure:
            kind, said = next((ours, said) for foreign, ours, said in _FAILURES if isinstance(failure, foreign))
            raise kind(f"the reward server {self._url} {said} ({type(failure).__name__})") from None

    async def _post(self, content: bytes) -> bytes:
        received = bytearray()
        headers = {"content-type": "application/json"}
        async with self._client.stream("POST", self._url, content=content, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                raise self._refusal(response.status_code)
            async for part in response.aiter_bytes():
                received += part
                if len(received) > _MAX_RESPONSE_BYTES:
                    raise Internal(f"the answer of the reward server {self._url} exceeds {_MAX_RESPONSE_BYTES} bytes")
        return bytes(received)

    def _refusal(self, status: int) -> DarwinError:
        said = f"the reward server {self._url} answers HTTP {status}"
        if words := _REFUSALS.get(status):
            kind, what = words
            if kind is InvalidRequest:  # whoever asked for the conversation reads this, and need not know the address
                return InvalidRequest(f"the reward server answers HTTP {status}: {what}", field="messages")
            return kind(f"{said}: {what}")
        if status in (401, 403):
            return Internal(f"{said}: it refuses the key; set {self._key_name}")
        if 300 <= status < 400:
            return Internal(f"{said}, a redirect, and none is followed: set url to where it leads")
        if status >= 500:
            return Unavailable(f"{said}: it fails; come back later")
        return Internal(f"{said}: is it what api and url say?")


_WRONG_PLACE = (Internal, "set url to the server's address, and model to a name that it serves")
_TOO_MUCH = (InvalidRequest, "it refuses the conversation; where it refuses all, change api, max_tokens or max_batch")
_UNAVAILABLE = (Unavailable, "come back later")
_REFUSALS: Mapping[int, tuple[type[DarwinError], str]] = MappingProxyType(
    {
        **dict.fromkeys((404, 405, 501, 505), _WRONG_PLACE),
        **dict.fromkeys((400, 413, 422), _TOO_MUCH),
        **dict.fromkeys((408, 424, 425, 499), _UNAVAILABLE),
        429: (Overloaded, "it is full; come back later"),
    }
)
