"""An OpenAI-compatible endpoint over HTTP: one pool of connections, bounded answers, every failure one of ours."""

import json
import logging
import re
import socket
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from shared.certificates import is_local
from shared.errors import DarwinError, DeadlineExceeded, Internal, InvalidRequest, Overloaded, Unavailable
from shared.interceptor import time_left
from shared.settings import SettingsError
from shared.telemetry import outgoing

_MAX_ANSWER_BYTES = 32 * 2**20
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
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]{0,63}")
_ERROR_BYTES = 8192

_URL, _KEY, _MODEL = (f"DARWIN_GENERATION_ENDPOINT{part}" for part in ("", "_KEY", "_MODEL"))
_FAILURES: tuple[tuple[type[httpx.HTTPError], type[DarwinError], str], ...] = (
    (httpx.ConnectTimeout, Unavailable, "the endpoint cannot be reached"),
    (httpx.PoolTimeout, Unavailable, "no connection to the endpoint is free"),
    (httpx.TimeoutException, DeadlineExceeded, "the endpoint did not answer in time"),
    (httpx.UnsupportedProtocol, Internal, f"{_URL} must be http:// or https://"),
    (httpx.LocalProtocolError, Internal, f"{_URL} or {_KEY} cannot be sent by HTTP"),
    (httpx.TransportError, Unavailable, "the endpoint cannot be reached, or broke off"),
    (httpx.HTTPError, Internal, "the endpoint's answer is not HTTP as it should be"),
)
"""The first that fits; no message of httpx is passed on, since some hold headers."""

Shape = TypeVar("Shape", bound=BaseModel)


def url_problem(url: str) -> str | None:
    """Why a URL is no endpoint's, or None; says nothing of what stands in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https") or not host:
        return "must be http:// or https://, then host[:port]/v1"
    if parts.username is not None or parts.password is not None:
        return f"must hold no user and password: {_KEY} is for the key"
    if parts.query or parts.fragment:
        return "must end with its path: no ? and no #"
    return None


def check_private(url: str, plaintext_allowed: bool) -> None:
    """Raises `SettingsError` where prompts would leave this machine in plain text."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not (plaintext_allowed or is_local(f"{parts.hostname}:{parts.port or 80}")):
        raise SettingsError(
            f"{_URL}: prompts would leave this machine in plain text: use https://, or set DARWIN_ALLOW_PLAINTEXT=true "
            "where the network is trusted"
        )


def error_of_status(status: int, about: str = "") -> DarwinError:
    """What an answer other than 200 means; `about` is what the endpoint finds wrong, in names of fields and kinds."""
    said = f"the endpoint answers HTTP {status}"
    match status:
        case 400 | 413 | 422:
            found = f" ({about})" if about else ""
            return InvalidRequest(f"{said}: it refuses what the call asks for{found}", field="sampling")
        case 401 | 403:
            return Internal(f"{said}: it refuses the key; set {_KEY}")
        case 404:
            return Internal(f"{said}: set {_URL} (it ends with /v1) and {_MODEL} to what it serves")
        case 429:
            return Overloaded(f"{said}: it is full; come back later")
        case 408 | 425 | 499:
            return Unavailable(f"{said}; come back later")
        case 501 | 505:
            return Internal(f"{said}: {_URL} is no endpoint for completions")
        case _ if 300 <= status < 400:
            return Internal(f"{said}, a redirect, and none is followed: set {_URL} to where it leads")
        case _ if status >= 500:
            return Unavailable(f"{said}: it fails; come back later")
        case _:
            return Internal(f"{said}: {_URL} is no endpoint for completions")


def error_of_failure(failure: httpx.HTTPError) -> DarwinError:
    """What it means that there is no answer."""
    kind, said = next((ours, said) for foreign, ours, said in _FAILURES if isinstance(failure, foreign))
    return kind(f"{said} ({type(failure).__name__})")


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

    async def get(self, path: str, shape: type[Shape]) -> Shape:
        """Raises as `post` does."""
        return await self._ask("GET", path, shape)

    async def post(self, path: str, shape: type[Shape], body: Mapping[str, Any]) -> Shape:
        """The answer, read as `shape`; cancelling closes the connection, and so tells the endpoint to stop.

        Raises:
            InvalidRequest: the endpoint refuses the body.
            Overloaded: it has too much to do.
            Unavailable: it is away, fails, or breaks off.
            DeadlineExceeded: it takes longer than the call under way may.
            Internal: it, or how it is set up here, is wrong; the message names the setting.
        """
        return await self._ask("POST", path, shape, content=json.dumps(body).encode())

    async def _ask(self, method: str, path: str, shape: type[Shape], content: bytes | None = None) -> Shape:
        try:
            answer = await self._bytes(method, path, content)
        except httpx.HTTPError as failure:
            raise error_of_failure(failure) from None
        try:
            return shape.model_validate_json(answer)
        except ValidationError:
            raise Internal("the endpoint's answer is not what an OpenAI-compatible one gives") from None

    async def _bytes(self, method: str, path: str, content: bytes | None) -> bytes:
        headers = {name: value for name, value in outgoing() if name in _PASSED_ON}
        if content is not None:
            headers["content-type"] = "application/json"
        left_s = time_left()
        limit_s = max(0.001, _LONGEST_S if left_s is None else left_s)
        timeout = httpx.Timeout(limit_s, connect=min(_CONNECT_S, limit_s), pool=min(_CONNECT_S, limit_s))
        received = bytearray()
        async with self._client.stream(method, path, content=content, headers=headers, timeout=timeout) as response:
            refused = response.status_code != httpx.codes.OK
            limit = _ERROR_BYTES if refused else _MAX_ANSWER_BYTES
            async for part in response.aiter_bytes():
                received += part
                if len(received) > limit:
                    break
        if refused:
            raise error_of_status(response.status_code, _about(bytes(received)))
        if len(received) > limit:
            raise Internal(f"the endpoint's answer is larger than {limit} bytes")
        return bytes(received)


def _about(answer: bytes) -> str:
    """The kind and the field that an error names. Its words are left: they may repeat the prompt or the key."""
    try:
        error = json.loads(answer)["error"]
        names = [error.get("type"), error.get("param")]
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return ", ".join(name for name in names if isinstance(name, str) and _IDENTIFIER.fullmatch(name))
