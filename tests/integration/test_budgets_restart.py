"""What keys have spent and reserved outlives a Redis that is killed."""

import time
from dataclasses import replace
from pathlib import Path

from cli.stack.redis_server import start_redis
from shared.records.events import Ended
from shared.records.spending import Budget, Spending, Standing
from shared.store.evolutions import Store
from shared.store.limits import ActiveLimits
from tests.integration.stages import REQUEST, record_of


async def test_budgets_outlive_kill_9(tmp_path: Path) -> None:
    limits = ActiveLimits(budgets=(Budget("tokens", "month", 1000),), estimate=Spending(generation=300))
    record = replace(record_of(REQUEST), key_id="0123456789ab")
    child, url = start_redis(tmp_path)
    store = Store(url, ttl_s=60)
    await store.create(record, limits)
    running = replace(record, version=1, status="running")
    await store.save(running, [], spent=Spending(generation=100))
    await store.close()
    child.kill()
    child.wait(10)
    child, url = start_redis(tmp_path)
    store = Store(url, ttl_s=60)
    try:
        spent = await store.spent("0123456789ab", time.time())
        assert spent["tokens", "month"] == Standing(used=100, reserved=200)
        await store.save(replace(running, version=2, status="cancelled"), [Ended("cancelled", "cancelled")])
        spent = await store.spent("0123456789ab", time.time())
        assert spent["tokens", "month"] == Standing(used=100, reserved=0)
    finally:
        await store.close()
        child.terminate()
        child.wait(10)
