"""What is kept of credit: once each, bounded, by tenant, and gone when it is reset."""

import uuid

import pytest

from shared.records.credit import Gain, Observation
from shared.store.credit import CreditLog
from shared.store.shards import Shards


def observation(number: int) -> Observation:
    gains = (Gain("shorten", 0.25 * number, -0.5), Gain("ask_steps+shorten", 0.0, 0.1))
    return Observation(f"evo_{number}:1", 1000.0 * number, "default", gains, "AAA=")


@pytest.fixture
def tenant() -> str:
    return uuid.uuid4().hex


async def test_it_is_kept_as_it_was_once_and_in_order(redis_url: str, tenant: str) -> None:
    log = CreditLog(redis_url)
    for number in (2, 1, 2, 3):
        await log.add(tenant, observation(number), 10, 10_000)
    ids = await log.ids(tenant)
    assert await log.load(tenant, ids) == [observation(number) for number in (1, 2, 3)]
    assert await log.load(tenant, []) == []
    await log.close()


async def test_only_the_newest_are_kept_and_none_that_is_old(redis_url: str, tenant: str) -> None:
    log = CreditLog(redis_url)
    for number in range(1, 8):
        await log.add(tenant, observation(number), 4, 10_000)
    assert await log.ids(tenant) == [f"evo_{number}:1" for number in (4, 5, 6, 7)]
    await log.add(tenant, observation(10), 100, 5000)
    assert await log.ids(tenant) == [f"evo_{number}:1" for number in (6, 7, 10)]
    assert len(await log.load(tenant, [f"evo_{number}:1" for number in range(11)])) == 3
    await log.close()


async def test_tenants_share_nothing_and_each_is_reset_alone(redis_url: str, tenant: str) -> None:
    log = CreditLog(redis_url)
    await log.add(tenant, observation(1), 10, 10_000)
    await log.add(tenant + "-other", observation(2), 10, 10_000)
    assert await log.reset(tenant) == 1
    assert await log.ids(tenant) == []
    assert await log.ids(tenant + "-other") == ["evo_2:1"]
    assert await log.reset(tenant) == 0
    await log.close()


async def test_it_expires(redis_url: str, tenant: str) -> None:
    shards = Shards.connect(redis_url, None)
    log = CreditLog(shards)
    await log.add(tenant, observation(1), 10, 10_000)
    home = shards.home(tenant)
    for name in ("credit", "credit-order"):
        assert 0 < await home.redis.ttl(home.keys(f"{name}:{tenant}")) <= 10_000
    await shards.close()
