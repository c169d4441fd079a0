"""Where a stack's evolutions lie: on its own server, on two, or on a Redis Cluster, whose nodes faults can kill."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import redis
from redis.cluster import ClusterNode, RedisCluster

from shared.store.redis_keys import RedisKeys
from shared.store.shards import Shard, Shards
from tests.integration.clusters import Cluster, Servers, cluster, servers

Layout = Literal["one", "two", "cluster"]

_ON_CLUSTER = 8
_PROMOTED_S = 15.0


@dataclass(frozen=True)
class Storage:
    """Clients that wait for answers, one for each shard; the servers that can be killed, where the stack's own is not
    in use; and the environment that has a stack keep its evolutions there.
    """

    shards: Shards
    servers: Servers | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    def port_of(self, shard: Shard) -> int:
        """The server that has a shard now."""
        if isinstance(self.servers, Cluster):
            return self.servers.owner(shard.keys.active)
        assert self.servers is not None
        return self.servers.ports[shard.number % len(self.servers.ports)]

    def shards_on(self, port: int) -> frozenset[int]:
        return frozenset(shard.number for shard in self.shards if self.port_of(shard) == port)

    def followed(self) -> int | None:
        """The server that has a replica, if one has."""
        assert self.servers is not None
        return next((port for port in self.servers.running if _replicas(port)), None)

    def await_promoted(self, number: int, old: int) -> None:
        """Waits until a shard has another primary than the old one."""
        give_up = time.monotonic() + _PROMOTED_S
        while self.port_of(self.shards[number]) == old:
            if time.monotonic() > give_up:
                raise TimeoutError(f"no replica was promoted within {_PROMOTED_S:.0f} s")
            time.sleep(0.05)

    def kill(self, port: int) -> None:
        assert self.servers is not None
        self.servers.kill(port)

    def repair(self) -> None:
        """Starts again what was killed."""
        if self.servers is not None:
            for port in set(self.servers.ports) - set(self.servers.running):
                self.servers.start(port)
            self.servers.settle()


def own(client: Any) -> Storage:
    """The stack's own server."""
    return Storage(Shards([Shard(0, client, RedisKeys())]))


@contextmanager
def apart(layout: Layout) -> Iterator[Storage]:
    """Servers beside the stack: two with a shard each, or a cluster of three of which the first has a replica."""
    with ExitStack() as entered:
        folder = Path(entered.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        if layout == "two":
            made = entered.enter_context(servers(folder, 2))
            clients: list[Any] = [
                redis.Redis(port=port, decode_responses=True, socket_timeout=60) for port in made.ports
            ]
        else:
            made = entered.enter_context(cluster(folder, replicas=1))
            nodes = [ClusterNode("127.0.0.1", port) for port in made.ports]
            clients = [RedisCluster(startup_nodes=nodes, decode_responses=True, socket_timeout=60)] * _ON_CLUSTER
        for client in clients:
            entered.callback(client.close)
        shards = Shards(Shard(number, client, RedisKeys(number)) for number, client in enumerate(clients))
        env = {"DARWIN_REDIS_URL": made.url, "DARWIN_REDIS_SHARDS": str(len(shards))}
        yield Storage(shards, made, env)


def _replicas(port: int) -> list[Any]:
    with redis.Redis(port=port, decode_responses=True) as client:
        role, _, replicas, *_ = client.role()
    return list(replicas) if role == "master" else []
