from collections.abc import AsyncIterator, Iterator

import pytest

from shared.store.evolutions import Store
from tests.integration.gateway.drivers.driving import Driving
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator


@pytest.fixture(scope="package")
def redis_url(redis_url: str) -> str:
    """A database of our own: gateways drive what batches there are, and those that ask for keys end what was made
    without.
    """
    return redis_url.removesuffix("/9") + "/10"


@pytest.fixture(scope="package")
def orchestrator(redis_url: str) -> Iterator[FakeOrchestrator]:
    with FakeOrchestrator(redis_url) as fake:
        yield fake


@pytest.fixture
async def driving(redis_url: str, orchestrator: FakeOrchestrator, store: Store) -> AsyncIterator[Driving]:
    driving = Driving(redis_url, store)
    yield driving
    await driving.close()
