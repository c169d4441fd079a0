"""A real server that answers, but does nothing, or forbids what is asked; and what workers do until it is well."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from cli.stack.child import Child
from cli.stack.redis_server import redis_command
from services.orchestrator.broker import BROKER_KEYS, celery_app
from shared.errors import Unavailable, Unsupported
from shared.store.access import check_access
from shared.store.connection import Translated, connect_redis
from shared.store.evolutions import Store
from shared.store.queue import QUEUE, message
from tests.integration.celery_worker import working
from tests.integration.stages import Stages, accept, advance, round_runner

Admin = Any


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("refusing")
    socket = folder / "redis.sock"
    child = Child("redis", (*redis_command(0, folder), "--unixsocket", str(socket)), folder, {})
    give_up = time.monotonic() + 20
    while not socket.exists():
        child.check()
        assert time.monotonic() < give_up
        time.sleep(0.02)
    yield f"unix://{socket}?db=3"
    child.terminate()
    assert child.wait(20) == 0


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = Store(url, ttl_s=60)
    await store._redis.flushdb()
    yield store
    await store.close()


@contextmanager
def setting(admin: Admin, name: str, value: str, well: str) -> Iterator[None]:
    admin.config_set(name, value)
    try:
        yield
    finally:
        admin.config_set(name, well)


@contextmanager
def full(admin: Admin) -> Iterator[None]:
    with setting(admin, "maxmemory", "1", "0"):
        yield


@contextmanager
def alone(admin: Admin) -> Iterator[None]:
    with setting(admin, "min-replicas-to-write", "1", "0"):
        yield


@contextmanager
def demoted(admin: Admin) -> Iterator[None]:
    admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        admin.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def without_primary(admin: Admin) -> Iterator[None]:
    with setting(admin, "replica-serve-stale-data", "no", "yes"), demoted(admin):
        yield


@contextmanager
def busy(admin: Admin) -> Iterator[None]:
    def hold_up() -> None:
        with redis.Redis(connection_pool=admin.connection_pool) as other, pytest.raises(redis.ResponseError):
            other.eval("while true do end", 0)

    with setting(admin, "busy-reply-threshold", "20", "5000"):
        holding = threading.Thread(target=hold_up)
        holding.start()
        time.sleep(0.1)
        try:
            yield
        finally:
            admin.execute_command("SCRIPT", "KILL")
            holding.join()


State = Callable[[Admin], Any]
STATES: list[State] = [full, alone, demoted, without_primary, busy]


@pytest.mark.parametrize("state", STATES)
async def test_whoever_asks_for_a_write_hears_that_the_store_is_away(url: str, state: State) -> None:
    client = connect_redis(url)
    await client.set("a", 1)

    async def in_pipeline() -> None:
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.set("a", 2).set("b", 2)
            await pipeline.execute()

    async def in_transaction() -> None:
        async with client.pipeline() as pipeline:
            pipeline.set("a", 2).set("b", 2)
            await pipeline.execute()

    def in_script() -> Any:
        return client.eval("return redis.call('SET', KEYS[1], 3)", 1, "a")

    with redis.Redis.from_url(url) as admin:
        with state(admin):
            for write in (lambda: client.set("a", 2), in_script, in_pipeline, in_transaction):
                with pytest.raises(Unavailable):
                    async with Translated():
                        await write()
            await check_access(url, keys=BROKER_KEYS)  # Its state passes, so processes may start.
        assert await client.get("a") == "1"
    await client.set("a", 4)
    await client.aclose()


@pytest.mark.parametrize("state", STATES)
async def test_a_finished_round_waits_until_it_is_well(store: Store, url: str, state: State) -> None:
    due, stages = await accept(store), Stages(delay_s=0.3)
    task = asyncio.ensure_future(advance(store, round_runner(store, stages, heartbeat_s=0.1), due))
    await stages.called.wait()
    with redis.Redis.from_url(url) as admin, state(admin):
        while stages.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert not task.done()
    await task
    assert (await store.load(due.evolution_id)).version == 1
    assert len(await store.attempts(due.evolution_id)) == 1
    assert len(stages.generated) == len({effect.key for effect in stages.generated})


async def test_a_blocked_reader_of_a_server_that_is_demoted_hears_that_it_is_away(store: Store, url: str) -> None:
    due = await accept(store)
    reading = asyncio.ensure_future(store.read_events({due.evolution_id: "$"}, 1, 2))
    await asyncio.sleep(0.2)
    with redis.Redis.from_url(url) as admin, demoted(admin), pytest.raises(Unavailable):
        await reading


async def test_a_server_that_was_demoted_is_connected_to_anew(redis_url: str) -> None:
    client = connect_redis(redis_url)
    before = await client.client_id()
    with redis.Redis.from_url(redis_url) as admin, demoted(admin):
        with pytest.raises(redis.ReadOnlyError):
            await client.set("a", 1)
        after = await client.client_id()
    await client.aclose()
    assert after > before


@pytest.fixture
def celery(url: str) -> Iterator[list[int]]:
    """A Celery worker; the versions that it has performed."""
    done: list[int] = []

    async def perform(_: str, version: int) -> None:
        done.append(version)

    with working(url, perform):
        yield done


async def test_a_worker_goes_on_taking_messages_once_it_is_well(store: Store, url: str, celery: list[int]) -> None:
    give_up = time.monotonic() + 40
    with redis.Redis.from_url(url) as admin:
        for version, state in enumerate((None, *STATES)):
            if state is not None:
                with state(admin):
                    await asyncio.sleep(1.2)  # It asks for messages each second.
            await store._redis.lpush(QUEUE, message("evo_1", version))
            while len(celery) <= version:
                assert time.monotonic() < give_up, state
                await asyncio.sleep(0.02)
    assert celery == list(range(len(STATES) + 1))


def acl(admin: Admin, *rules: str) -> None:
    admin.execute_command("ACL", "SETUSER", "darwin", "reset", "on", ">pass", *rules)


# As docs/operations.md advises.
ADVISED = ("~darwin*", "~_kombu.*", "+@all", "-@admin", "-@dangerous")


@pytest.mark.parametrize(
    ("rules", "login", "reason"),
    [
        (ADVISED, "darwin:pass", None),
        (ADVISED, "darwin:wrong", "AUTH (invalid username-password pair or user is disabled.): set user and password"),
        ((*ADVISED, "-xadd"), "darwin:pass", "no permissions to run the 'xadd' command"),
        ((*ADVISED, "-eval"), "darwin:pass", "no permissions to run the 'eval' command"),
        (("~other*", "+@all"), "darwin:pass", "NOPERM"),
        (("~darwin*", "+@all"), "darwin:pass", "NOPERM"),
    ],
)
async def test_a_user_that_may_not_is_refused_at_start(
    url: str, rules: tuple[str, ...], login: str, reason: str | None
) -> None:
    with redis.Redis.from_url(url) as admin:
        acl(admin, *rules)
    address = url.replace("unix://", f"unix://{login}@")
    if reason is None:
        await check_access(address, keys=BROKER_KEYS)
        return
    with pytest.raises(Unsupported) as raised:
        await check_access(address, keys=BROKER_KEYS)
    message = str(raised.value)
    assert message.startswith("DARWIN_REDIS_URL: Redis refuses this process, ")
    assert reason in message
    assert "\n" not in message


async def test_the_advised_user_may_all_that_is_done(url: str) -> None:
    with redis.Redis.from_url(url) as admin:
        acl(admin, *ADVISED)
    address = url.replace("unix://", "unix://darwin:pass@")
    store = Store(address, ttl_s=60)
    due, stages = await accept(store), Stages()
    await advance(store, round_runner(store, stages), due)
    assert (await store.load(due.evolution_id)).version == 1
    with celery_app(address).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
        connection.SimpleQueue(QUEUE).put("hello")
    await store.close()


async def test_a_user_that_loses_a_permission_waits_for_it(store: Store, url: str) -> None:
    with redis.Redis.from_url(url) as admin:
        acl(admin, *ADVISED)
        own = Store(url.replace("unix://", "unix://darwin:pass@"), ttl_s=60)
        due, stages = await accept(own), Stages(delay_s=0.2)
        task = asyncio.ensure_future(advance(own, round_runner(own, stages, heartbeat_s=0.1), due))
        await stages.called.wait()
        acl(admin, *ADVISED, "-hset")
        await asyncio.sleep(0.8)
        assert not task.done()
        acl(admin, *ADVISED)
        await task
    assert (await own.load(due.evolution_id)).version == 1
    await own.close()


async def test_a_database_that_is_none_is_refused_at_start(url: str) -> None:
    with pytest.raises(Unsupported, match=r"this Redis cannot be used: .*DB index is out of range"):
        await check_access(url.replace("db=3", "db=99"))


async def test_a_server_that_is_away_is_no_reason_not_to_start(tmp_path: Path) -> None:
    await check_access(f"unix://{tmp_path}/none.sock")


def test_celery_speaks_to_the_same_socket_and_database(url: str) -> None:
    with celery_app(url).connection_for_write() as connection, redis.Redis.from_url(url) as client:
        connection.ensure_connection(max_retries=1)
        connection.SimpleQueue("q").put("hello")
        assert client.llen("q") == 1
