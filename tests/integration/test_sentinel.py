"""A primary, a replica and a real Sentinel: after a failover, store and workers go on with the new primary."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from cli.stack.child import Child
from cli.stack.redis_server import redis_command
from services.orchestrator.broker import BROKER_KEYS, celery_app
from shared.errors import Unavailable
from shared.store.access import check_access
from shared.store.evolutions import Store
from shared.store.queue import QUEUE, message
from tests.integration.celery_worker import working
from tests.integration.stages import Stages, accept, finish, round_runner

NAME, PASSWORD = "main", "pass"
_SENTINEL = f"""
port {{port}}
bind 127.0.0.1
dir {{folder}}
requirepass of-sentinels
sentinel monitor {NAME} 127.0.0.1 {{primary}} 1
sentinel auth-pass {NAME} {PASSWORD}
sentinel down-after-milliseconds {NAME} 400
sentinel failover-timeout {NAME} 1000
"""


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@dataclass
class Watched:
    """Servers that a Sentinel watches; another Sentinel, which is named first, is dead."""

    url: str
    servers: dict[int, Child]
    sentinel: Any

    @property
    def primary(self) -> int:
        return int(self.sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def kill_primary(self) -> None:
        child = self.servers[self.primary]
        os.kill(child.pid, 9)
        child.wait(10)


def server(port: int, folder: Path, *options: str) -> Child:
    folder.mkdir()
    login = ("--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0")
    return Child("redis", (*redis_command(port, folder), *login, *options), folder, {})


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    first, second, port, dead = free_ports(4)
    servers = {first: server(first, tmp_path / "first")}
    servers[second] = server(second, tmp_path / "second", "--replicaof", f"127.0.0.1 {first}")
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(_SENTINEL.format(port=port, folder=tmp_path, primary=first))
    binary = redis_command(0, tmp_path / "first")[0]
    sentinel = Child("sentinel", (binary, str(configuration), "--sentinel"), tmp_path, {})
    give_up = time.monotonic() + 20
    with (
        redis.Redis(port=port, password="of-sentinels", decode_responses=True) as asked,
        redis.Redis(port=second, password=PASSWORD, decode_responses=True) as replica,
    ):
        while not (
            answers(asked)
            and answers(replica)
            and replica.info("replication").get("master_link_status") == "up"
            and asked.sentinel_master(NAME)["num-slaves"] == 1
        ):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        url = f"sentinel://:{PASSWORD}@127.0.0.1:{dead},127.0.0.1:{port}/{NAME}/4?sentinel_password=of-sentinels"
        yield Watched(url, servers, asked)
    for child in (sentinel, *servers.values()):
        if child.exit_code is None:
            child.terminate()
            child.wait(10)


@contextlib.contextmanager
def celery(url: str) -> Iterator[list[int]]:
    """A Celery worker; the versions that it has performed."""
    done: list[int] = []

    async def perform(_: str, version: int) -> None:
        done.append(version)

    with working(url, perform):
        yield done


async def performed(done: Sequence[int], count: int) -> None:
    async with asyncio.timeout(20):
        while len(done) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_after_a_failover_everything_goes_on_with_the_new_primary(watched: Watched) -> None:
    await check_access(watched.url, keys=BROKER_KEYS)
    store, stages = Store(watched.url, ttl_s=60), Stages(delay_s=0.3)
    due, old = await accept(store), watched.primary
    await store._redis.delete(QUEUE)
    await store._redis.wait(1, 2000)
    with celery(watched.url) as done:
        await store.send("evo_1", 0)
        await performed(done, 1)
        task = asyncio.ensure_future(round_runner(store, stages, heartbeat_s=0.1).advance(due.evolution_id, 0))
        await stages.called.wait()
        watched.kill_primary()
        with contextlib.suppress(Unavailable):
            await store.load(due.evolution_id)
        await task  # What it found waited for the new primary, and it went on there.
        assert watched.primary != old
        assert (await store.load(due.evolution_id)).status == "succeeded"
        assert len(stages.generated) == len({effect.key for effect in stages.generated})
        await store._redis.delete(QUEUE)
        await store._redis.lpush(QUEUE, message("evo_1", 1))
        await performed(done, 2)
    await store.close()


async def test_a_primary_that_is_demoted_alive_is_left_for_the_new_one(watched: Watched) -> None:
    store, old = Store(watched.url, ttl_s=60), watched.primary
    due = await accept(store)
    await store._redis.wait(1, 2000)
    watched.sentinel.execute_command("SENTINEL", "FAILOVER", NAME)
    async with asyncio.timeout(15):
        while watched.primary == old:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while True:
            with contextlib.suppress(Unavailable):
                await finish(store, round_runner(store, Stages()), due)
                break
            await asyncio.sleep(0.1)
        assert (await store.load(due.evolution_id)).status == "succeeded"
    with redis.Redis(port=watched.primary, password=PASSWORD, db=4) as primary:
        assert primary.exists(f"darwin:evo:{{{due.evolution_id}}}")
    await store.close()


def test_celerys_own_spelling_names_the_same_primary(watched: Watched) -> None:
    hosts, options = watched.url.removeprefix("sentinel://").split("/", 1)
    login, addresses = hosts.split("@")
    spelled = ";".join(f"sentinel://{login}@{address}/4" for address in addresses.split(","))
    spelled += f"?master_name={NAME}&{options.partition('?')[2]}"
    with celery_app(spelled).connection_for_write() as connection:
        connection.ensure_connection(max_retries=3)
        connection.SimpleQueue("q").put("hello")
    with redis.Redis(port=watched.primary, password=PASSWORD, db=4) as primary:
        assert primary.llen("q") == 1
