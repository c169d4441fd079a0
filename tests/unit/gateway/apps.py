"""The application without Redis, and the shape of what it refuses."""

from dataclasses import replace
from typing import Any

import httpx
from fastapi import FastAPI

from services.gateway.app import create_app
from services.gateway.config.settings import GatewaySettings
from services.gateway.evolutions.backends import Backends
from shared import errors
from shared.records.evolution import Record
from shared.store.evolutions import Store
from shared.store.presence import Presence, Stages
from shared.telemetry.tracing import TelemetrySettings, Tracing

URL = "redis://127.0.0.1:1/0"
CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}]}


class Refusing(Store):
    """Says by 409 that a request was accepted."""

    async def create(self, record: Record, *_: object) -> Record:
        raise errors.Conflict("accepted")


class Complete(Presence):
    """Nothing is away."""

    async def stages(self) -> Stages:
        return Stages()


def app_with(store: Store, **fields: Any) -> FastAPI:
    settings = GatewaySettings(redis_url=URL, **fields)
    backends = replace(Backends.of(settings), store=store, presence=Complete(URL))
    return create_app(settings, backends, tracer_provider=Tracing("gateway", (), TelemetrySettings()).provider)


def shaped(response: httpx.Response, status: int, param: str | None = None, code: str | None = None) -> str:
    """Checks the shape of a refusal; its message."""
    body = response.json()
    assert response.status_code == status, body
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code", "darwin"}
    assert body["error"]["darwin"] == {"trace_id": response.headers["x-darwin-trace-id"], "evolution_id": None}
    assert body["error"]["param"] == param
    assert code is None or body["error"]["code"] == code
    assert body["error"]["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert response.headers["x-request-id"].startswith("req_")
    message: str = body["error"]["message"]
    assert message
    return message
