"""An OpenAI-compatible endpoint that embeds. Messages of its own and of httpx's, which may repeat texts, stay here."""

import asyncio
import json
import logging
import math
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic import BaseModel, Field, ValidationError

from services.gateway.embeddings.embedder import Embeddings, TokenIds
from services.gateway.embeddings.endpoint_errors import error_of_failure, error_of_status
from shared.errors import DeadlineExceeded, Internal, InvalidRequest, Overloaded
from shared.process.certificates import Certificates
from shared.process.retry_after import retry_after
from shared.process.settings import SettingsError
from shared.process.urls import leaves_in_plain_text
from shared.telemetry.tracing import inject

_MAX_RESPONSE_BYTES = 256 * 2**20
_MAX_REFUSAL_BYTES = 8 * 2**10
_CONNECT_S = 5.0
# Less than the 5 s after which vLLM closes an idle connection, so that no call is sent into one that is closing.
_IDLE_S = 4.0
_PASSED_ON = ("traceparent", "tracestate")


class _Embedding(BaseModel):
    index: int
    embedding: list[float] = Field(min_length=1)


class _Usage(BaseModel):
    prompt_tokens: int = Field(ge=0)


class _Response(BaseModel):
    data: list[_Embedding]
    usage: _Usage


class EndpointClient:
    """Embeds by the model of this name at the endpoint of this URL, which ends with /v1. Nothing is retried.

    Raises:
        SettingsError: texts would leave this machine in plain text.
    """

    def __init__(self, url: str, key: str | None, model: str, connections: int) -> None:
        if leaves_in_plain_text(url) and not Certificates().allow_plaintext:
            raise SettingsError(
                "DARWIN_GATEWAY_EMBEDDINGS_URL: texts would leave this machine in plain text: use https://, or set "
                "DARWIN_ALLOW_PLAINTEXT=true where the network is trusted"
            )
        self._model = model
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers={"authorization": f"Bearer {key}"} if key else {},
            # Given a transport, httpx takes no proxy from the environment, and still the certificates that it names.
            transport=httpx.AsyncHTTPTransport(
                limits=httpx.Limits(
                    max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_S
                )
            ),
            follow_redirects=False,
        )
        # A line for each call would drown the log.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    async def close(self) -> None:
        await self._client.aclose()

    async def embed(
        self, inputs: Sequence[str] | Sequence[TokenIds], dimensions: int | None, timeout_s: float
    ) -> Embeddings:
        body: dict[str, Any] = {"model": self._model, "input": list(inputs), "encoding_format": "float"}
        if dimensions is not None:
            body["dimensions"] = dimensions
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._post(body)
        except TimeoutError:
            raise DeadlineExceeded("the embeddings endpoint did not answer in time") from None
        except httpx.HTTPError as failure:
            raise error_of_failure(failure) from None
        return await asyncio.to_thread(_read, answer, len(inputs), dimensions)

    async def _post(self, body: Mapping[str, Any]) -> bytes:
        headers = {name: value for name, value in inject() if name in _PASSED_ON} | {"content-type": "application/json"}
        timeout = httpx.Timeout(None, connect=_CONNECT_S, pool=_CONNECT_S)
        received = bytearray()
        content = json.dumps(body).encode()
        async with self._client.stream(
            "POST", "embeddings", content=content, headers=headers, timeout=timeout
        ) as response:
            refused = response.status_code != httpx.codes.OK
            limit = _MAX_REFUSAL_BYTES if refused else _MAX_RESPONSE_BYTES
            async for part in response.aiter_bytes():
                received += part
                if len(received) > limit:
                    break
        if refused:
            refusal = error_of_status(response.status_code, bytes(received))
            if isinstance(refusal, Overloaded):
                refusal.retry_after_s = retry_after(response.headers)
            raise refusal
        if len(received) > limit:
            raise Internal(f"the answer of the embeddings endpoint is larger than {limit} bytes")
        return bytes(received)


def _read(answer: bytes, wanted: int, dimensions: int | None) -> Embeddings:
    """The embeddings that the endpoint answered `wanted` inputs with.

    Raises:
        Internal: it is no such answer.
        InvalidRequest: it is, with vectors of another size than `dimensions`.
    """
    try:
        response = _Response.model_validate_json(answer)
    except ValidationError:
        raise Internal("the answer of the embeddings endpoint is not what an OpenAI-compatible one gives") from None
    found = sorted(response.data, key=lambda each: each.index)
    if [each.index for each in found] != list(range(wanted)) or len({len(each.embedding) for each in found}) != 1:
        raise Internal("the embeddings endpoint returned other vectors than were asked for")
    width = len(found[0].embedding)
    if dimensions not in (None, width):
        raise InvalidRequest(
            f"dimensions must be {width} or left out: that is the model's own size", field="dimensions"
        )
    return Embeddings(tuple(_packed(each.embedding) for each in found), response.usage.prompt_tokens)


def _packed(numbers: Sequence[float]) -> bytes:
    """Little-endian float32."""
    packed = array("f", numbers)
    if not all(map(math.isfinite, packed)):
        raise Internal("the embeddings endpoint returned a number that is not finite")
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()
