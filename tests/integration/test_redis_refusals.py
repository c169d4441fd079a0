"""A real server on a Unix socket that takes no writes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from cli.stack.child import Child
from cli.stack.redis_server import redis_command
from services.orchestrator.broker import celery_app
from shared.errors import Unavailable
from shared.store.connection import Translated, connect_redis


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    socket = tmp_path / "redis.sock"
    child = Child("redis", (*redis_command(0, tmp_path), "--unixsocket", str(socket)), tmp_path, {})
    give_up = time.monotonic() + 20
    while not socket.exists():
        child.check()
        assert time.monotonic() < give_up
        time.sleep(0.02)
    yield f"unix://{socket}?db=3"
    child.terminate()
    assert child.wait(20) == 0


@pytest.mark.parametrize("command", [("CONFIG", "SET", "maxmemory", "1"), ("REPLICAOF", "127.0.0.1", "1")])
async def test_writes_that_are_refused_mean_that_it_is_away(url: str, command: tuple[str, ...]) -> None:
    client = connect_redis(url)
    await client.set("a", 1)
    with redis.Redis.from_url(url) as admin:
        admin.execute_command(*command)
        for write in (lambda: client.set("a", 2), lambda: client.eval("return redis.call('SET', 'a', 3)", 1, "a")):
            with pytest.raises(Unavailable):
                async with Translated():
                    await write()
        admin.execute_command("CONFIG", "SET", "maxmemory", "0")
        admin.execute_command("REPLICAOF", "NO", "ONE")
    await client.set("a", 4)
    await client.aclose()


def test_celery_speaks_to_the_same_socket_and_database(url: str) -> None:
    with celery_app(url).connection_for_write() as connection, redis.Redis.from_url(url) as client:
        connection.ensure_connection(max_retries=1)
        connection.SimpleQueue("q").put("hello")
        assert client.llen("q") == 1
