"""Several embedded servers: each by itself, or together a Redis Cluster."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from cli.stack.child import Child
from cli.stack.ports import free_port
from cli.stack.redis_server import redis_command, redis_ready

_SLOTS = 16384
_START_S = 20.0


@dataclass
class Servers:
    """Servers by port, each with a folder of its own, in which it finds again what it held."""

    folder: Path
    ports: Sequence[int]
    nodes: dict[int, Child] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Of all of them, as shards lie on them in turn."""
        return ",".join(f"redis://127.0.0.1:{port}/0" for port in self.ports)

    @property
    def running(self) -> list[int]:
        """The ports of those that run."""
        return [port for port, child in self.nodes.items() if child.exit_code is None]

    def start(self, port: int) -> None:
        """Starts a server, with what it held before."""
        folder = self.folder / str(port)
        folder.mkdir(exist_ok=True)
        words = [word for name, value in self._options(port).items() for word in (f"--{name}", value)]
        self.nodes[port] = Child("redis", (*redis_command(port, folder), *words), folder, {})
        _until(lambda: redis_ready(self.nodes[port], port), self.nodes[port].log)

    def kill(self, port: int) -> None:
        child = self.nodes[port]
        os.kill(child.pid, 9)
        child.wait(10)

    def settle(self) -> None:
        """Waits until every server that runs serves."""

    def stop(self) -> None:
        for port in self.running:
            self.nodes[port].terminate()
            self.nodes[port].wait(10)

    def _options(self, port: int) -> dict[str, str]:
        return {}


@dataclass
class Cluster(Servers):
    """Nodes of a Redis Cluster: the first three share the hash slots, each of the others follows one of them."""

    bus_ports: dict[int, int] = field(default_factory=dict)

    @property
    def primaries(self) -> Sequence[int]:
        """Those that are primaries at first."""
        return self.ports[:3]

    @property
    def url(self) -> str:
        return "redis://" + ",".join(f"127.0.0.1:{port}" for port in self.primaries)

    def owner(self, key: str) -> int:
        """The port of the primary that has a key."""
        with redis.Redis(port=self.running[0]) as client:
            slot = client.execute_command("CLUSTER", "KEYSLOT", key)
            found = client.execute_command("CLUSTER", "SLOTS")
            return next(int(each[2][1]) for each in found if each[0] <= slot <= each[1])

    def settle(self) -> None:
        """Waits until every node that runs knows of all, and serves."""
        _until(lambda: all(_is_settled(port, len(self.nodes)) for port in self.running))

    def _options(self, port: int) -> dict[str, str]:
        options = {"cluster-enabled": "yes", "cluster-node-timeout": "1000", "cluster-require-full-coverage": "no"}
        # Ten thousand more than the port, as it is by default, may be a port that somebody's connection has.
        options["cluster-port"] = str(self.bus_ports.setdefault(port, free_port()))
        return options | {"repl-diskless-sync-delay": "0", "cluster-replica-validity-factor": "0"}


@contextmanager
def servers(folder: Path, count: int) -> Iterator[Servers]:
    """So many that know nothing of each other."""
    made = Servers(folder, [free_port() for _ in range(count)])
    try:
        for port in made.ports:
            made.start(port)
        yield made
    finally:
        made.stop()


@contextmanager
def cluster(folder: Path, replicas: int = 0) -> Iterator[Cluster]:
    """Three primaries, and replicas of the first."""
    ports = [free_port() for _ in range(3 + replicas)]
    made = Cluster(folder, ports)
    try:
        for port in ports:
            made.start(port)
        clients = {port: redis.Redis(port=port, decode_responses=True) for port in ports}
        for number, port in enumerate(made.primaries):
            first, last = _SLOTS * number // 3, _SLOTS * (number + 1) // 3 - 1
            clients[port].execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for port in ports[1:]:
            clients[ports[0]].execute_command("CLUSTER", "MEET", "127.0.0.1", port, made.bus_ports[port])
        made.settle()
        primary = clients[ports[0]].execute_command("CLUSTER", "MYID")
        for port in ports[3:]:
            clients[port].execute_command("CLUSTER", "REPLICATE", primary)
            _until(lambda port=port: clients[port].info("replication").get("master_link_status") == "up")  # type: ignore[misc]
        for client in clients.values():
            client.close()
        yield made
    finally:
        made.stop()


def _is_settled(port: int, count: int) -> bool:
    with redis.Redis(port=port, decode_responses=True) as client:
        info = client.execute_command("CLUSTER", "INFO")
        known = dict(line.split(":") for line in info.splitlines() if ":" in line) if isinstance(info, str) else info
    return known["cluster_state"] == "ok" and int(known["cluster_known_nodes"]) == count


def _until(true: Callable[[], bool], log: Path | None = None) -> None:
    give_up = time.monotonic() + _START_S
    while not true():
        assert time.monotonic() < give_up, log and log.read_text()[-2000:]
        time.sleep(0.05)
