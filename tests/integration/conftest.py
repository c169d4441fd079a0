from collections.abc import AsyncIterator, Iterator

import pytest

from cli.stack.redis_server import start_redis
from services.orchestrator import stage_calls
from shared.store.evolutions import Store
from tests.integration.clusters import cluster
from tests.integration.layouts import Layout


@pytest.fixture(scope="session")
def redis_urls(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two servers."""
    child, url = start_redis(tmp_path_factory.mktemp("second"))
    yield f"{redis_url},{url}"
    child.terminate()
    assert child.wait(10) == 0


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis Cluster of three nodes."""
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made.url


@pytest.fixture
def layout(request: pytest.FixtureRequest) -> Layout:
    """One server, unless a test is of every layout."""
    match getattr(request, "param", "one"):
        case "two":
            return Layout(request.getfixturevalue("redis_urls"))
        case "cluster":
            return Layout(request.getfixturevalue("cluster_url"), 4)
    return Layout(request.getfixturevalue("redis_url"))


@pytest.fixture
async def store(layout: Layout) -> AsyncIterator[Store]:
    store = Store(layout.url, ttl_s=60, shards=layout.shards)
    yield store
    await store.close()


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every failed call fail its round."""
    monkeypatch.setattr(stage_calls, "_MOST_RETRIES", {})
