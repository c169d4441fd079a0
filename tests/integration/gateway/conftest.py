from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
import redis
from openapi_schema_validator import OAS31Validator

from shared.store.api_keys import ApiKeys
from shared.store.evolutions import Store
from tests import embeddings_endpoint
from tests.embeddings_endpoint import FakeEndpoint
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import Gateway


@pytest.fixture(scope="package")
def redis_url(redis_url: str) -> str:
    """A database of our own: the fake takes every message."""
    return redis_url.removesuffix("/0") + "/9"


@pytest.fixture(scope="package")
def orchestrator(redis_url: str) -> Iterator[FakeOrchestrator]:
    with FakeOrchestrator(redis_url) as fake:
        yield fake


@pytest.fixture(scope="package")
def embedding_endpoint() -> FakeEndpoint:
    return FakeEndpoint()


@pytest.fixture(scope="package")
def embeddings(embedding_endpoint: FakeEndpoint) -> Iterator[dict[str, str]]:
    """The variables of a gateway whose embeddings come from an endpoint."""
    with embeddings_endpoint.running(embedding_endpoint) as url:
        names = {"URL": url, "KEY": embeddings_endpoint.KEY, "MODEL": embeddings_endpoint.MODEL}
        yield {f"DARWIN_GATEWAY_EMBEDDINGS_{name}": value for name, value in names.items()}


@pytest.fixture(scope="package")
def gateway(
    redis_url: str,
    orchestrator: FakeOrchestrator,
    embeddings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    env = {"DARWIN_GATEWAY_KEEPALIVE_S": "1", **embeddings}
    with Gateway(redis_url, tmp_path_factory.mktemp("gateway"), **env) as running:
        yield running


@pytest.fixture(scope="package")
def guarded(
    redis_url: str, orchestrator: FakeOrchestrator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that asks for keys."""
    with Gateway(redis_url, tmp_path_factory.mktemp("guarded"), DARWIN_GATEWAY_KEYS="required") as running:
        yield running


@pytest.fixture
async def keys(redis_url: str) -> AsyncIterator[ApiKeys]:
    keys = ApiKeys(redis_url)
    yield keys
    await keys.close()


@pytest.fixture
def idle_redis_url(redis_url: str) -> str:
    """A database that nobody takes messages from, so what is accepted stays active; empty at first."""
    url = redis_url.removesuffix("/9") + "/8"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        yield http


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(redis_url, ttl_s=600)
    yield store
    await store.close()


@pytest.fixture(scope="package")
def documented(gateway: Gateway) -> Callable[[str, Any], None]:
    """Checks a value against a schema of /openapi.json."""
    document = httpx.get(f"{gateway.url}/openapi.json", timeout=60).json()

    def check(schema: str, value: Any) -> None:
        root = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        OAS31Validator(root).validate(value)

    return check
