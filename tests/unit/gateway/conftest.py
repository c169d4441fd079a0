from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.unit.gateway.apps import URL, Refusing, app_with


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return app_with(Refusing(URL, ttl_s=60), max_body_bytes=2048, max_body_seconds=0.2)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield http
