"""Service tiers over HTTP, and batches beside what other tenants and their own ask for."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from services.gateway.batches.driver import BatchDriver
from shared.records.evolution import Record
from shared.records.spending import Spending
from shared.store.api_keys import new_key
from shared.store.batches import Batch
from shared.store.evolutions import ActiveLimits, Store
from shared.store.fair_queue import WINDOW
from shared.store.presence import ORCHESTRATOR, STAGES
from shared.store.queue import QUEUE
from tests.integration.gateway.drivers.driving import Driving, line
from tests.integration.gateway.running import MESSAGES
from tests.integration.stages import REQUEST, record_of

ROUTES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/completions": {"prompt": "Once upon a time"},
    "/v1/responses": {"input": "Why is the sky blue?"},
}
SERVED = {
    None: "default",
    "auto": "default",
    "default": "default",
    "flex": "flex",
    "priority": "priority",
    "fast": "priority",
    "scale": "default",
    "ultrafast": "default",
}
COST = Spending(generation=100)


def bodies(response: httpx.Response) -> list[dict[str, Any]]:
    """What the events of a stream hold, without OpenAI's last word."""
    texts = [text.removeprefix("data: ") for text in response.text.splitlines() if text.startswith("data: ")]
    return [json.loads(text) for text in texts if text != "[DONE]"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("model", ["sample", "best-of-n", "darwin"])
async def test_an_answer_tells_the_tier_that_was_used(http: httpx.AsyncClient, route: str, model: str) -> None:
    for asked, served in SERVED.items():
        response = await http.post(route, json={**ROUTES[route], "model": model, "service_tier": asked})
        assert response.status_code == 200, response.text
        body = response.json()
        assert body["service_tier"] == served
        named = any(warning.startswith("service_tier ") for warning in body["darwin"]["warnings"])
        assert named == (asked in ("scale", "ultrafast"))


@pytest.mark.parametrize("route", ROUTES)
async def test_so_does_each_chunk(http: httpx.AsyncClient, route: str) -> None:
    response = await http.post(route, json={**ROUTES[route], "model": "sample", "service_tier": "flex", "stream": True})
    told = bodies(response)
    if route == "/v1/responses":
        told = [body["response"] for body in told if "response" in body]
    assert len(told) > 1
    assert {body["service_tier"] for body in told} == {"flex"}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("tier", ["slow", "", "Flex", 1, ["flex"], True])
async def test_an_unknown_tier_is_refused(http: httpx.AsyncClient, route: str, tier: object) -> None:
    response = await http.post(route, json={**ROUTES[route], "model": "sample", "service_tier": tier})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == "service_tier"
    assert "flex" in error["message"]


@pytest.fixture
async def driving(idle_redis_url: str) -> AsyncIterator[Driving]:
    """Batches over a database whose only worker is the test."""
    store = Store(idle_redis_url, ttl_s=600)
    driving = Driving(idle_redis_url, store)
    await driving.presence.report([ORCHESTRATOR, *STAGES])
    yield driving
    await driving.close()
    await store.close()


async def accept(store: Store, tenant: str) -> Record:
    record = record_of(replace(REQUEST, tenant=tenant))
    return await store.create(record, ActiveLimits(estimate=Spending(generation=1000)))


async def serve(driving: Driving, driver: BatchDriver, searches: int) -> list[Record]:
    """Performs searches, one after another, while the batches are driven."""
    served: list[Record] = []
    while len(served) < searches:
        await driver.step()
        if not (raw := await driving.store._redis.rpop(QUEUE)):
            break
        [evolution_id, version], _, _ = json.loads(json.loads(raw)["body"])
        if claim := await driving.store.claim(evolution_id, version, "worker", 600):
            failed = replace(claim.record, version=1, status="failed", finished_at=claim.record.created_at)
            await driving.store.save(failed, (), spent=COST)
            served.append(claim.record)
    return served


async def batch_of(driving: Driving, driver: BatchDriver, lines: list[str]) -> Batch:
    """A batch of the tenant acme's whose first lines are accepted."""
    _, key = new_key("acme")
    await driving.keys.add(key)
    batch = await driving.batch(lines, key_id=key.id)
    while not await driving.store.active_of(key.id):
        await driver.step()
    return batch


async def test_a_batch_makes_progress_under_the_flood_of_another_tenant(driving: Driving) -> None:
    for _ in range(100):
        await accept(driving.store, "flood")
    driver = driving.driver(running=8)
    batch = await batch_of(driving, driver, [line(f"line{number}") for number in range(12)])
    served = [record.request.tenant for record in await serve(driving, driver, 80)]
    assert served.count("acme") == 12
    done = await driving.until(driver, batch)
    assert (done.status, done.total) == ("completed", 12)


async def test_a_batch_holds_up_nobody_who_waits_for_an_answer(driving: Driving) -> None:
    driver = driving.driver(running=24)
    await batch_of(driving, driver, [line(f"line{number}", service_tier="priority") for number in range(24)])
    served = await serve(driving, driver, 5)
    assert {record.request.service_tier for record in served} == {"flex"}
    waits = [await accept(driving.store, "acme"), await accept(driving.store, "other")]
    ids = [record.id for record in await serve(driving, driver, 30)]
    assert max(ids.index(record.id) for record in waits) <= WINDOW + 2
    assert len(ids) == 21
