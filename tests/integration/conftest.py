from collections.abc import AsyncIterator

import pytest

from services.orchestrator import stage_calls
from shared.store.evolutions import Store


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(redis_url, ttl_s=60)
    yield store
    await store.close()


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every failed call fail its round."""
    monkeypatch.setattr(stage_calls, "_MOST_RETRIES", {})
