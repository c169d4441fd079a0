"""/openapi.json, the reference of the API."""

import json

import httpx
from openapi_spec_validator import validate

from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from shared.queue import celery_app
from shared.store import Store

URL = "redis://127.0.0.1:1/0"


async def test_reference_is_valid_and_complete() -> None:
    app = create_app(GatewaySettings(), Store(URL, ttl_s=60), celery_app(URL))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway") as http:
        document = (await http.get("/openapi.json")).json()
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
    for name in ("ChatCompletionRequest", "EvolutionCreate", "DarwinSettings"):
        schema = document["components"]["schemas"][name]
        assert schema["additionalProperties"] is False
        undescribed = [key for key, value in schema["properties"].items() if "description" not in value]
        assert undescribed == []
    content = document["components"]["schemas"]["ChatMessage"]["properties"]["content"]
    assert [option["type"] for option in content["anyOf"]] == ["string", "array"]
