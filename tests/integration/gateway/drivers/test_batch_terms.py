"""Lines of batches hold to the terms of the key that made the batch, and to files that others would delete."""

import asyncio
import time

import pytest

from services.gateway.config.settings import GatewaySettings
from shared.errors import Conflict
from shared.store.api_keys import new_key
from tests.integration.gateway.drivers.driving import Driving, line


async def test_a_model_that_the_key_may_not_use_is_refused(driving: Driving) -> None:
    _, key = new_key("acme", models=["sample"])
    await driving.keys.add(key)
    made = await driving.batch([line("a"), line("b", model="darwin")], key_id=key.id)
    done = await driving.until(driving.driver(), made)
    assert (done.status, done.completed, done.failed) == ("completed", 1, 1)
    (error,) = await driving.read(done.error_file_id)
    assert (error["custom_id"], error["response"]["status_code"]) == ("b", 403)


async def test_a_key_that_expires_ends_its_batch(driving: Driving) -> None:
    _, key = new_key("acme", expires_at=time.time() + 60)
    await driving.keys.add(key)
    made = await driving.batch([line(str(number), user="wait=0.3") for number in range(40)], key_id=key.id)
    driver = driving.driver(running=1)
    while (await driving.batches.load(made.id, "acme")).completed == 0:
        await driver.step()
        await asyncio.sleep(0.02)
    await driving.keys.update(key.id, expires_at=time.time() + 0.2)
    done = await driving.until(driver, made)
    assert (done.status, done.errors[0]["code"]) == ("failed", "invalid_api_key")
    assert 0 < done.completed < 40
    assert done.completed + done.failed == 40


async def test_a_budget_of_money_makes_lines_wait(driving: Driving) -> None:
    # Each answer samples 120 tokens and begins before what is left is reserved.
    _, key = new_key("acme", money_per_month=0.00015)
    await driving.keys.add(key)
    made = await driving.batch([line(str(number)) for number in range(5)], key_id=key.id)
    driver = driving.driver(GatewaySettings(price_generation=1.0, price_mutation=1.0), running=1)
    now = await driving.until_waits(driver, made, 2)
    assert (now.status, now.completed, now.failed) == ("in_progress", 2, 0)
    await driving.batches.end(made.id, "cancelled")
    done = await driving.until(driver, made)
    assert (done.completed, done.failed) == (2, 3)


async def test_a_batch_without_a_key_ends_where_keys_are_asked_for(driving: Driving) -> None:
    made = await driving.batch([line("a")])
    done = await driving.until(driving.driver(GatewaySettings(keys="required")), made)
    assert (done.status, done.errors[0]["code"], done.failed) == ("failed", "invalid_api_key", 1)


async def test_lines_have_the_deadline_and_prices_of_calls(driving: Driving) -> None:
    _, key = new_key("acme", deadline_ms=4321)
    await driving.keys.add(key)
    made = await driving.batch([line("a"), line("b", darwin={"deadline_ms": 5000})], key_id=key.id)
    await driving.until(driving.driver(), made)
    records = [await driving.store.load(made.evolution_id(number)) for number in range(2)]
    assert [record.request.search.deadline_ms for record in records] == [4321, 5000]
    assert {record.key_id for record in records} == {key.id}


async def test_a_file_that_a_batch_reads_stays(driving: Driving) -> None:
    made = await driving.batch([line("a", user="hang")])
    driver = driving.driver()
    await driving.until(driver, made, "in_progress")
    with pytest.raises(Conflict):
        await driving.files.remove(made.input_file_id)
    await driving.batches.end(made.id, "cancelled")
    done = await driving.until(driver, made)
    assert [each["custom_id"] for each in await driving.read(done.error_file_id)] == ["a"]
    assert await driving.files.remove(made.input_file_id)


async def test_a_driver_that_stops_lets_go(driving: Driving) -> None:
    made = await driving.batch([line("a", user="hang")])
    first = driving.driver()
    await driving.until(first, made, "in_progress")
    assert not await driving.batches.hold(made.id, "other", 5)
    await first.release()
    assert await driving.batches.hold(made.id, "other", 5)
    await driving.batches.end(made.id, "cancelled")
    await driving.batches.release(made.id, "other")
    await driving.until(first, made)
    await driving.batches.expire(made, 0)
    assert made.id not in [each.id for each in await driving.batches.listed("", None, 1000)]
