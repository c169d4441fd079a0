"""What went wrong inside is told to operators, by the evolution's id, and to nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import httpx
import pytest

from shared.records.attempts import Attempt
from shared.records.evolution import Failure
from shared.store.api_keys import ApiKeys
from shared.store.evolutions import Store
from tests.integration.gateway.fake_orchestrator import INSIDE
from tests.integration.gateway.running import BODY, Gateway, collect, new_caller, status

CALLS = [
    ("/v1/chat/completions", BODY),
    ("/v1/completions", {"model": "sample", "prompt": "Once"}),
    ("/v1/responses", {"model": "best-of-n", "input": "Why?"}),
]


@pytest.fixture
async def tenant(guarded: Gateway, keys: ApiKeys) -> AsyncIterator[httpx.AsyncClient]:
    async with await new_caller(keys, guarded, "acme") as caller:
        yield caller


@pytest.fixture
async def operator(guarded: Gateway, keys: ApiKeys) -> AsyncIterator[httpx.AsyncClient]:
    async with await new_caller(keys, guarded, "operators", all_tenants=True) as caller:
        yield caller


async def evolution_of(http: httpx.AsyncClient, user: str, wanted: str) -> str:
    evolution_id: str = (await http.post("/v1/evolutions", json=BODY | {"user": user})).json()["id"]
    await status(http, evolution_id, wanted)
    return evolution_id


async def events(http: httpx.AsyncClient, evolution_id: str) -> str:
    async with http.stream("GET", f"/v1/evolutions/{evolution_id}/events") as response:
        return (await response.aread()).decode()


@pytest.mark.parametrize("code", ["Unavailable", "Internal", "Overloaded", "DeadlineExceeded", "SomethingNew"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body"), CALLS)
async def test_no_answer_tells_it(
    tenant: httpx.AsyncClient, path: str, body: dict[str, Any], stream: bool, code: str
) -> None:
    answer = await tenant.post(path, json=body | {"user": f"fail={code}", "stream": stream})
    assert answer.status_code == 200 if stream else answer.status_code >= 429
    assert "luck" not in answer.text
    assert "10.0.3.7" not in answer.text
    assert f"operators find out more by the id {answer.headers['x-darwin-evolution-id']}" in answer.text


@pytest.mark.parametrize(("path", "body"), CALLS)
async def test_what_is_wrong_with_the_request_is_told(
    tenant: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    answer = await tenant.post(path, json=body | {"user": "fail=InvalidRequest"})
    assert answer.status_code == 400
    assert "no luck" in answer.json()["error"]["message"]


async def test_operators_read_it_by_the_evolutions_id(
    tenant: httpx.AsyncClient, operator: httpx.AsyncClient, guarded: Gateway, redis_url: str
) -> None:
    evolution_id = await evolution_of(tenant, "fail=Unavailable", "failed")
    one = f"/v1/evolutions/{evolution_id}"
    store = Store(redis_url, ttl_s=600)
    record = await store.load(evolution_id)
    failure = Failure("Unavailable", f"at {INSIDE}")
    attempt = Attempt("0" * 32, record.version, 1, 1, 0.0, 1.0, worker="node-7.internal:311", error=failure)
    await store._redis.xadd(f"darwin:evo:{{{evolution_id}}}:attempts", {"attempt": json.dumps(asdict(attempt))})
    await store.close()
    for path in (one, f"{one}/recording"):
        mine, theirs = await tenant.get(path), await operator.get(path)
        assert mine.json()["error"]["code"] == theirs.json()["error"]["code"] == "Unavailable"
        assert INSIDE not in mine.text
        assert "node-7" not in mine.text
        assert evolution_id in mine.json()["error"]["message"]
        assert INSIDE in theirs.json()["error"]["message"]
    (told,) = (await tenant.get(f"{one}/recording")).json()["attempts"]
    assert (told["error"]["code"], told["worker"]) == ("Unavailable", "")
    assert INSIDE not in await events(tenant, evolution_id)
    assert INSIDE in await events(operator, evolution_id)
    listed = await tenant.get("/v1/evolutions", params={"limit": 100})
    assert INSIDE not in listed.text
    assert evolution_id in listed.text


async def test_a_background_response_does_not_tell_it(tenant: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "input": "Why?", "background": True, "user": "fail=Internal"}
    response = (await tenant.post("/v1/responses", json=body)).json()
    while response["status"] in ("queued", "in_progress"):
        await asyncio.sleep(0.05)
        response = (await tenant.get(f"/v1/responses/{response['id']}")).json()
    assert response["status"] == "failed"
    assert "luck" not in response["error"]["message"]


@pytest.mark.parametrize(("path", "body"), CALLS)
async def test_the_best_so_far_is_an_answer(tenant: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await tenant.post(path, json=body | {"user": "stop=error"})
    assert answer.status_code == 200
    assert "answer 0" in answer.text
    assert '"stopped_by":"error"' in answer.text
    assert "luck" not in answer.text


async def test_only_operators_read_by_what_an_answered_search_was_stopped(
    tenant: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    evolution_id = await evolution_of(tenant, "stop=error", "succeeded")
    mine, theirs = [(await http.get(f"/v1/evolutions/{evolution_id}")).json() for http in (tenant, operator)]
    assert mine["result"] == theirs["result"]
    assert (mine["result"]["stopped_by"], mine["error"]) == ("error", None)
    assert INSIDE in theirs["error"]["message"]
    assert "luck" not in await events(tenant, evolution_id)
    assert await collect(tenant, evolution_id) == ["evolution.accepted", "base.scored", "evolution.ended"]
