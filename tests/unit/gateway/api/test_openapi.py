"""/openapi.json, the reference of the API."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from services.gateway.app import create_app
from services.gateway.config.settings import GatewaySettings
from services.gateway.evolutions.backends import Backends

SETTINGS = GatewaySettings(redis_url="redis://127.0.0.1:1/0")


def reference(settings: GatewaySettings) -> dict[str, Any]:
    async def asked() -> dict[str, Any]:
        app = create_app(settings, Backends.of(settings))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as http:
            document: dict[str, Any] = (await http.get("/openapi.json")).json()
        return document

    return asyncio.run(asked())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """That of a gateway that asks for no keys."""
    return reference(SETTINGS)


def test_reference_is_valid_and_complete(document: dict[str, Any]) -> None:
    validate(document)
    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == {
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/{name}"),
        ("POST", "/v1/evolutions"),
        ("GET", "/v1/evolutions/{evolution_id}"),
        ("DELETE", "/v1/evolutions/{evolution_id}"),
        ("GET", "/v1/evolutions/{evolution_id}/events"),
        ("GET", "/v1/evolutions/{evolution_id}/recording"),
        ("GET", "/v1/evolutions/{evolution_id}/pairs"),
        ("GET", "/v1/evolutions/{evolution_id}/diff"),
        ("GET", "/v1/evolutions"),
        ("GET", "/v1/profiles"),
        ("GET", "/v1/profiles/{name}"),
        ("PUT", "/v1/profiles/{name}"),
        ("DELETE", "/v1/profiles/{name}"),
        ("GET", "/v1/profiles/{name}/versions"),
        ("POST", "/v1/profiles/{name}/promote"),
        ("POST", "/v1/profiles/{name}/rollback"),
        ("POST", "/v1/profiles/{name}/try"),
        ("POST", "/v1/profiles/{name}/shadow"),
        ("DELETE", "/v1/profiles/{name}/shadow"),
        ("POST", "/v1/profiles/{name}/canary"),
        ("DELETE", "/v1/profiles/{name}/canary"),
        ("POST", "/v1/evolutions/{evolution_id}/feedback"),
        ("GET", "/v1/credit"),
        ("DELETE", "/v1/credit"),
        ("POST", "/v1/files"),
        ("GET", "/v1/files"),
        ("GET", "/v1/files/{file_id}"),
        ("DELETE", "/v1/files/{file_id}"),
        ("GET", "/v1/files/{file_id}/content"),
        ("POST", "/v1/batches"),
        ("GET", "/v1/batches"),
        ("GET", "/v1/batches/{batch_id}"),
        ("POST", "/v1/batches/{batch_id}/cancel"),
        ("POST", "/v1/webhook_endpoints"),
        ("GET", "/v1/webhook_endpoints"),
        ("GET", "/v1/webhook_endpoints/{webhook_endpoint_id}"),
        ("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}"),
        ("DELETE", "/v1/webhook_endpoints/{webhook_endpoint_id}"),
        ("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret"),
        ("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}/test"),
        ("GET", "/v1/webhook_event_types"),
        ("GET", "/v1/viewer"),
        ("POST", "/v1/keys"),
        ("GET", "/v1/keys"),
        ("GET", "/v1/keys/{key_id}"),
        ("PATCH", "/v1/keys/{key_id}"),
        ("DELETE", "/v1/keys/{key_id}"),
        ("POST", "/v1/keys/{key_id}/rotate"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/responses"),
        ("DELETE", "/v1/responses/{response_id}"),
        ("GET", "/v1/responses/{response_id}"),
        ("POST", "/v1/responses/{response_id}/cancel"),
        ("GET", "/v1/responses/{response_id}/input_items"),
        ("GET", "/health"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
    }
    for operation in operations.values():
        assert operation["summary"]
        assert "422" not in operation["responses"]
        assert "ErrorBody" in json.dumps(operation["responses"]["default"])
        assert all("x-request-id" in response["headers"] for response in operation["responses"].values())
    chat = operations["POST", "/v1/chat/completions"]["responses"]["200"]["content"]
    assert set(chat) == {"application/json", "text/event-stream"}
    events = operations["GET", "/v1/evolutions/{evolution_id}/events"]["responses"]["200"]["content"]
    assert set(events) == {"text/event-stream"}
    assert "location" in operations["POST", "/v1/evolutions"]["responses"]["202"]["headers"]
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)
    for name in ("ChatCompletionRequest", "EvolutionCreate", "SearchSettings", "KeyCreate", "KeyUpdate", "KeyRotate"):
        schema = document["components"]["schemas"][name]
        assert schema["additionalProperties"] is False
        undescribed = [key for key, value in schema["properties"].items() if "description" not in value]
        assert undescribed == []
    content = document["components"]["schemas"]["ChatMessage"]["properties"]["content"]
    assert [option["type"] for option in content["anyOf"]] == ["string", "array", "null"]


def test_says_who_may_call(document: dict[str, Any]) -> None:
    required = reference(GatewaySettings(redis_url="redis://:hidden@127.0.0.1:1/0", keys="required"))
    validate(required)
    assert "hidden" not in json.dumps(required)
    assert required["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, methods in required["paths"].items():
        for operation in methods.values():
            assert operation.get("security", []) == ([{"bearer": []}] if path.startswith("/v1/") else [])
            assert ("401" in operation["responses"]) == path.startswith("/v1/")
    assert not any("security" in operation for methods in document["paths"].values() for operation in methods.values())


def test_documents_idempotency_and_limits(document: dict[str, Any]) -> None:
    for path in ("/v1/chat/completions", "/v1/evolutions"):
        operation = document["paths"][path]["post"]
        [header] = [parameter for parameter in operation["parameters"] if parameter["in"] == "header"]
        assert (header["name"], header["required"]) == ("idempotency-key", False)
        assert {"401", "408", "409", "413", "415", "421", "429", "503"} <= set(operation["responses"])
        assert "idempotent-replayed" in operation["responses"]["409"]["headers"]
        assert "retry-after" in operation["responses"]["429"]["headers"]
        for unit in ("requests", "tokens"):
            for part in ("limit", "remaining", "reset"):
                assert f"x-ratelimit-{part}-{unit}" in operation["responses"]["429"]["headers"]
