from collections.abc import AsyncIterator

import pytest

from shared.store.evolutions import Store


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(redis_url, ttl_s=60)
    yield store
    await store.close()
