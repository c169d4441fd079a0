"""The application with a scripted embedder, and without Redis."""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx

from services.gateway.app import create_app
from services.gateway.config.settings import ENCODER, GatewaySettings
from services.gateway.edge.lifetime import Lifetime
from services.gateway.embeddings.embedder import Embeddings, TokenIds
from services.gateway.evolutions.backends import Backends
from shared.errors import DarwinError
from shared.telemetry.tracing import TelemetrySettings, Tracing
from tests.unit.gateway.apps import URL

PATH = "/v1/embeddings"
ASKED: dict[str, Any] = {"model": ENCODER, "input": "the sea"}
NUMBERS = (0.1, -0.25, 1e-30)


class Scripted:
    """Gives each input the same vector, or an error, after `delay_s`."""

    def __init__(self) -> None:
        self.error: DarwinError | None = None
        self.delay_s = 0.0
        self.calls: list[tuple[Sequence[str] | Sequence[TokenIds], int | None, float]] = []
        self.ended = self.closed = False

    async def embed(
        self, inputs: Sequence[str] | Sequence[TokenIds], dimensions: int | None, timeout_s: float
    ) -> Embeddings:
        self.calls.append((inputs, dimensions, timeout_s))
        try:
            await asyncio.sleep(self.delay_s)
        finally:
            self.ended = True
        if self.error:
            raise self.error
        return Embeddings((array("f", NUMBERS).tobytes(),) * len(inputs), 3 * len(inputs))

    async def close(self) -> None:
        self.closed = True


class App:
    def __init__(self, lifetime: Lifetime | None = None, **fields: Any) -> None:
        settings = GatewaySettings(**{"redis_url": URL, "mutation": "127.0.0.1:1", **fields})
        self.embedder = Scripted()
        backends = replace(Backends.of(settings), embedder=self.embedder if settings.embedding_names else None)
        provider = Tracing("gateway", (), TelemetrySettings()).provider
        self.app = create_app(settings, backends, lifetime, tracer_provider=provider)

    async def post(self, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.post(PATH, json=ASKED | fields, headers=headers)

    async def get(self, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.get(path)
