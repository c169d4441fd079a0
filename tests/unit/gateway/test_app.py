"""The application without Redis: routes, models, errors, and what the process loads."""

import json
import subprocess
import sys

import httpx
import pytest

from services.gateway.edge.errors import response_of
from shared import errors
from shared.records.evolution import Record
from shared.store.evolutions import Store
from tests.unit.gateway.apps import BODY, CHAT, URL, app_with, shaped


async def test_unknown_routes_and_methods(http: httpx.AsyncClient) -> None:
    assert "/v1/moderations" in shaped(await http.post("/v1/moderations", json={}), 404, None, "not_found")
    refused = await http.get(CHAT)
    shaped(refused, 405, None, "method_not_allowed")
    assert refused.headers["allow"] == "POST"


async def test_unknown_model(http: httpx.AsyncClient) -> None:
    shaped(await http.post(CHAT, json=BODY | {"model": "gpt-4o"}), 404, "model", "model_not_found")
    shaped(await http.get("/v1/models/gpt-4o"), 404, "model", "model_not_found")


@pytest.mark.parametrize("kind", errors.leaves())
def test_every_error_of_the_tree_has_openais_shape(kind: type[errors.DarwinError]) -> None:
    response = response_of(kind("what to do", field="some.field"))
    assert response.status_code == kind.http_status
    detail = json.loads(bytes(response.body))["error"]
    assert (detail["message"], detail["param"]) == ("what to do", "some.field")
    assert detail["code"]
    assert response.headers["x-should-retry"] == ("true" if kind.retryable else "false")
    assert ("retry-after" in response.headers) == (kind.retryable or kind is errors.DeadlineExceeded)


async def test_defects_keep_their_secrets(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Store):
        async def create(self, record: Record, *_: object) -> Record:
            raise RuntimeError("password")

    app = app_with(Broken(URL, ttl_s=60))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as http:
        response = await http.post(CHAT, json=BODY)
    assert "password" not in shaped(response, 500, None, "internal")
    assert "password" in caplog.text
    assert response.headers["x-request-id"] in caplog.text


def test_process_stays_light() -> None:
    program = """
import sys
import psutil
import services.gateway.__main__
from services.gateway.app import create_app
from services.gateway.evolutions.backends import Backends
from services.gateway.config.settings import GatewaySettings
settings = GatewaySettings(redis_url="redis://127.0.0.1:1/0")
create_app(settings, Backends.of(settings)).openapi()
services = {name.split(".")[1] for name in sys.modules if name.startswith("services.")}
assert services == {"gateway"}, services
heavy = {"torch", "grpc", "transformers", "numpy"} & set(sys.modules)
assert not heavy, heavy
print(psutil.Process().memory_info().rss / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rss = float(done.stdout)
    print(f"gateway RSS once built: {rss:.0f} MiB")
    assert rss < 150
