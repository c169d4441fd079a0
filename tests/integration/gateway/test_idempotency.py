"""`Idempotency-Key`: one evolution, however often it is asked for."""

import asyncio
import uuid

import httpx
import pytest

from shared.store.api_keys import ApiKeys
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import BODY, Gateway, appeared, new_caller, status, unfinished

CHAT = "/v1/chat/completions"


@pytest.fixture
def named() -> dict[str, str]:
    return {"idempotency-key": f"{uuid.uuid4()}~!"}


async def test_a_repeat_is_the_same_evolution(
    http: httpx.AsyncClient, orchestrator: FakeOrchestrator, named: dict[str, str]
) -> None:
    first = await http.post("/v1/evolutions", json=BODY | {"metadata": {"a": "1", "b": "2"}}, headers=named)
    evolution_id = first.json()["id"]
    assert "idempotent-replayed" not in first.headers
    await status(http, evolution_id, "succeeded")
    again = await http.post(
        "/v1/evolutions", json={"n": None, "metadata": {"b": "2", "a": "1"}, "temperature": None} | BODY, headers=named
    )
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["x-darwin-evolution-id"] == evolution_id
    assert (again.json()["id"], again.json()["status"]) == (evolution_id, "succeeded")
    assert again.json()["settings"]["seed"] == first.json()["settings"]["seed"]
    assert orchestrator.messages.count((evolution_id, 0)) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_concurrent_repeats_share_one_evolution(
    http: httpx.AsyncClient, named: dict[str, str], stream: bool
) -> None:
    body = BODY | {"user": "wait=0.5", "stream": stream}
    answers = await asyncio.gather(*(http.post(CHAT, json=body, headers=named) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["x-darwin-evolution-id"] for answer in answers}) == 1
    assert len({answer.text for answer in answers}) == 1 or stream
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 11


async def test_another_request_under_the_same_key_is_a_conflict(http: httpx.AsyncClient, named: dict[str, str]) -> None:
    assert (await http.post(CHAT, json=BODY, headers=named)).status_code == 200
    for path, body in ((CHAT, BODY | {"seed": 1}), ("/v1/evolutions", BODY)):
        refused = await http.post(path, json=body, headers=named)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["param"]) == (409, "conflict", "idempotency-key")
        assert "x-darwin-evolution-id" not in refused.headers


async def test_keys_of_tenants_are_apart(guarded: Gateway, keys: ApiKeys, named: dict[str, str]) -> None:
    async with (
        await new_caller(keys, guarded, "one") as one,
        await new_caller(keys, guarded, "one") as colleague,
        await new_caller(keys, guarded, "two") as two,
    ):
        ids = [
            (await caller.post("/v1/evolutions", json=BODY, headers=named)).json()["id"]
            for caller in (one, colleague, two)
        ]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, b"\xe9", "a\tb"])
async def test_malformed_keys(http: httpx.AsyncClient, key: str | bytes) -> None:
    refused = await http.post(CHAT, json=BODY, headers={"idempotency-key": key})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "idempotency-key")
    assert (await http.post("/v1/evolutions", json=BODY, headers={"idempotency-key": "x" * 255})).status_code == 202


@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_can_come_back(
    http: httpx.AsyncClient, redis_url: str, named: dict[str, str], stream: bool
) -> None:
    before = await unfinished(redis_url)
    body = BODY | {"user": "wait=2", "stream": stream}
    calling = asyncio.ensure_future(http.post(CHAT, json=body, headers=named))
    evolution_id = await appeared(redis_url, before)
    calling.cancel()
    again = await http.post(CHAT, json=body, headers=named)
    assert (again.status_code, again.headers["x-darwin-evolution-id"]) == (200, evolution_id)
    assert "answer 0" in again.text


async def test_a_repeat_keeps_the_first_deadline(http: httpx.AsyncClient, named: dict[str, str]) -> None:
    ids, deadlines = set(), set()
    for timeout_s in ("20", "90"):
        answer = await http.post(CHAT, json=BODY, headers=named | {"x-stainless-read-timeout": timeout_s})
        evolution_id = answer.headers["x-darwin-evolution-id"]
        ids.add(evolution_id)
        deadlines.add((await http.get(f"/v1/evolutions/{evolution_id}")).json()["settings"]["deadline_ms"])
    assert (len(ids), deadlines) == (1, {18_000})
