"""Where evolutions may lie: on one server, on two with a shard each, or on a Redis Cluster of three nodes with four."""

from typing import NamedTuple

import pytest


class Layout(NamedTuple):
    """`DARWIN_REDIS_URL` and `DARWIN_REDIS_SHARDS`."""

    url: str
    shards: int | None = None


every_layout = pytest.mark.parametrize("layout", ["one", "two", "cluster"], indirect=True)
