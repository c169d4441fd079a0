"""`/v1/evolutions`, and both APIs against their own reference."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.gateway.fake_orchestrator import INSIDE, FakeOrchestrator
from tests.integration.gateway.running import BODY, MESSAGES, appeared, follow, status, unfinished, wait_for


async def test_evolution_from_start_to_result(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "rounds=2", "metadata": {"a": "b"}, "seed": 3}
    accepted = await http.post("/v1/evolutions", json=body)
    assert accepted.status_code == 202
    resource = accepted.json()
    assert accepted.headers["location"] == f"/v1/evolutions/{resource['id']}"
    assert (resource["status"], resource["object"], resource["result"]) == ("queued", "evolution", None)
    assert (resource["settings"]["period"], resource["settings"]["seed"]) == (40, 3)
    assert resource["messages"] == MESSAGES

    events = [event async for event in follow(http, resource["id"])]
    assert [event.event for event in events] == [
        "evolution.accepted", "base.scored", "round.finished", "round.finished", "evolution.ended",
    ]  # fmt: skip
    assert events[2].json()["rewards"] == [0.5, 0.25]
    resumed = [event async for event in follow(http, resource["id"], events[2].id)]
    assert [event.id for event in resumed] == [event.id for event in events[3:]]
    assert [event async for event in follow(http, resource["id"], events[-1].id)] == []

    done = (await http.get(f"/v1/evolutions/{resource['id']}")).json()
    assert (done["status"], done["result"]["choices"][0]["text"], done["error"]) == ("succeeded", "answer 0", None)
    assert done["result"]["base"]["reward"] == 0.25
    assert (done["metadata"], done["finished_at"] >= done["created_at"]) == ({"a": "b"}, True)
    again = await http.delete(f"/v1/evolutions/{resource['id']}")
    assert (again.status_code, again.json()) == (200, done)


async def test_failed_evolution_as_resource(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "fail=Unavailable"}
    evolution_id = (await http.post("/v1/evolutions", json=body)).json()["id"]
    failed = await status(http, evolution_id, "failed")
    said = {"code": "Unavailable", "message": f"no luck: Unavailable at {INSIDE}", "field": None}
    assert failed["error"] == said, "without keys everybody on this machine is an operator"


async def test_cancel(http: httpx.AsyncClient, orchestrator: FakeOrchestrator) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "hang"}
    evolution_id = (await http.post("/v1/evolutions", json=body)).json()["id"]
    await status(http, evolution_id, "running")
    asked = await http.delete(f"/v1/evolutions/{evolution_id}")
    assert (asked.status_code, asked.json()["status"]) == (202, "running")
    assert (await status(http, evolution_id, "cancelled"))["result"] is None
    assert (await http.delete(f"/v1/evolutions/{evolution_id}")).status_code == 200
    assert (evolution_id, 1) in orchestrator.messages


async def test_cancelling_again_and_again_fills_no_queue(
    http: httpx.AsyncClient, orchestrator: FakeOrchestrator
) -> None:
    evolution_id = (await http.post("/v1/evolutions", json={**BODY, "user": "deaf"})).json()["id"]
    for _ in range(20):
        assert (await http.delete(f"/v1/evolutions/{evolution_id}")).status_code == 202
    await asyncio.to_thread(wait_for, lambda: (evolution_id, 0) in orchestrator.messages)
    await asyncio.sleep(0.3)
    assert orchestrator.messages.count((evolution_id, 0)) == 1


async def test_waiting_for_a_cancelled_evolution_is_told(http: httpx.AsyncClient, redis_url: str) -> None:
    before = await unfinished(redis_url)
    body = {"model": "darwin", "messages": MESSAGES, "user": "hang"}
    waiting = asyncio.ensure_future(http.post("/v1/chat/completions", json=body))
    evolution_id = await appeared(redis_url, before)
    await http.delete(f"/v1/evolutions/{evolution_id}")
    response = await waiting
    assert (response.status_code, response.json()["error"]["code"]) == (499, "cancelled")


async def test_unknown_evolution(http: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        response = await http.request(method, f"/v1/evolutions/evo_none{path}")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
        assert "x-request-id" in response.headers


@pytest.mark.parametrize("position", ["x", "1", "-1-0", "99999999999999999999-0", "١-٠".encode()])
async def test_bad_last_event_id(http: httpx.AsyncClient, position: str | bytes) -> None:
    body = {"model": "darwin", "messages": MESSAGES}
    evolution_id = (await http.post("/v1/evolutions", json=body)).json()["id"]
    response = await http.get(f"/v1/evolutions/{evolution_id}/events", headers={"last-event-id": position})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "last-event-id")


async def test_bodies_are_as_documented(http: httpx.AsyncClient, documented: Callable[[str, Any], None]) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "rounds=2", "stream_options": {"include_usage": True}}
    streamed = await http.post("/v1/chat/completions", json=body | {"stream": True})
    chunks = [line.removeprefix("data: ") for line in streamed.text.splitlines() if line.startswith("data: {")]
    assert len(chunks) >= 8
    for chunk in chunks:
        documented("ChatCompletionChunk", json.loads(chunk))
    body["stream_options"] = None
    documented("ChatCompletion", (await http.post("/v1/chat/completions", json=body)).json())
    accepted = (await http.post("/v1/evolutions", json=body)).json()
    documented("Evolution", accepted)
    async for event in follow(http, accepted["id"]):
        documented("Event", event.json())
    documented("Evolution", (await http.get(f"/v1/evolutions/{accepted['id']}")).json())
    failed = (await http.post("/v1/evolutions", json=body | {"user": "fail=Internal"})).json()["id"]
    documented("Evolution", await status(http, failed, "failed"))
    documented("ErrorBody", (await http.get("/v1/evolutions/none")).json())
    documented("ModelList", (await http.get("/v1/models")).json())
    documented("Health", (await http.get("/readyz")).json())
