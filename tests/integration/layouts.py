"""Where evolutions may lie: on one server, on two with a shard each, or on a Redis Cluster of three nodes with four."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from shared.store.evolutions import Store


class Layout(NamedTuple):
    """`DARWIN_REDIS_URL` and `DARWIN_REDIS_SHARDS`."""

    url: str
    shards: int | None = None


every_layout = pytest.mark.parametrize("layout", ["one", "two", "cluster"], indirect=True)


@asynccontextmanager
async def emptied(layout: Layout, database: int) -> AsyncIterator[Store]:
    """A store in which nothing is: in this database of each server, or in all of a cluster, which has one only."""
    store = Store(layout.url.replace("/0", f"/{database}"), ttl_s=60, shards=layout.shards)
    await store._shards.all(lambda shard: shard.redis.flushdb())
    yield store
    await store._shards.all(lambda shard: shard.redis.flushdb())
    await store.close()
