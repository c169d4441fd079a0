"""Lists, recordings, pairs and differences over real HTTP and a real Redis, and who may read them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from shared.records.history import RecordedEvolution
from shared.store.api_keys import ApiKeys
from tests.integration.gateway.running import BODY, MESSAGES, Gateway, collect, follow, new_caller, status, told

INSTRUCTION = MESSAGES[-1]["content"]


async def run(http: httpx.AsyncClient, user: str = "", **fields: Any) -> str:
    """An evolution that has ended."""
    body = {"model": "darwin", "messages": MESSAGES, "user": user, **fields}
    evolution_id: str = (await http.post("/v1/evolutions", json=body)).json()["id"]
    await collect(http, evolution_id)
    return evolution_id


async def listed(http: httpx.AsyncClient, **params: Any) -> list[str]:
    """Ids of the first page."""
    response = await http.get("/v1/evolutions", params={"limit": 100} | params)
    assert response.status_code == 200, response.text
    return [found["id"] for found in response.json()["data"]]


@pytest.fixture
async def acme(guarded: Gateway, keys: ApiKeys) -> AsyncIterator[httpx.AsyncClient]:
    async with await new_caller(keys, guarded, "acme") as caller:
        yield caller


@pytest.fixture
async def other(guarded: Gateway, keys: ApiKeys) -> AsyncIterator[httpx.AsyncClient]:
    async with await new_caller(keys, guarded, "other") as caller:
        yield caller


@pytest.fixture
async def operator(guarded: Gateway, keys: ApiKeys) -> AsyncIterator[httpx.AsyncClient]:
    async with await new_caller(keys, guarded, "operators", all_tenants=True) as caller:
        yield caller


async def test_the_list_shows_the_newest_first_and_filters(
    http: httpx.AsyncClient, documented: Callable[[str, Any], None]
) -> None:
    plain = await run(http)
    failed = await run(http, "fail=Unavailable")
    slow = await run(http, "wait=1.2", model="best-of-n")
    page = (await http.get("/v1/evolutions", params={"limit": 2})).json()
    documented("EvolutionList", page)
    assert [found["id"] for found in page["data"]] == [slow, failed]
    assert (page["object"], page["has_more"], page["last_id"]) == ("list", True, failed)
    newest = page["data"][0]
    assert (newest["method"], newest["status"], newest["instruction"]) == ("best-of-n", "succeeded", INSTRUCTION)
    assert (newest["reward"], newest["base_reward"], newest["gain"]) == (0.75, 0.25, 0.5)
    assert 1.2 <= newest["seconds"] < 10
    assert [slow, plain] == [found for found in await listed(http, status="succeeded") if found in (slow, plain)]
    assert failed in await listed(http, status="failed")
    assert failed not in await listed(http, min_gain=0.4)
    assert slow not in await listed(http, min_gain=0.6)
    assert (await listed(http, method="best-of-n"))[0] == slow
    assert plain not in await listed(http, min_seconds=1.2)
    assert slow not in await listed(http, max_seconds=1.1)
    assert (await listed(http, after=slow))[:2] == [failed, plain]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("status", "done"),
        ("method", "gpt"),
        ("min_gain", "nan"),
        ("max_seconds", "inf"),
        ("after", "x" * 65),
        ("order", "asc"),
    ],
)
async def test_a_wrong_parameter_is_named(http: httpx.AsyncClient, name: str, value: str) -> None:
    response = await http.get("/v1/evolutions", params={name: value})
    assert (response.status_code, response.json()["error"]["param"]) == (400, name)


async def test_a_list_cannot_begin_after_what_is_not_in_it(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/evolutions", params={"after": "evo_none"})
    assert (response.status_code, response.json()["error"]["param"]) == (404, "after")


async def test_a_recording_is_the_evolution_with_all_its_events(
    http: httpx.AsyncClient, documented: Callable[[str, Any], None]
) -> None:
    evolution_id = await run(http, "rounds=2")
    response = await http.get(f"/v1/evolutions/{evolution_id}/recording")
    assert response.headers["x-darwin-evolution-id"] == evolution_id
    recording = response.json()
    documented("Recording", recording)
    events = [event.json() async for event in follow(http, evolution_id)]
    evolution = (await http.get(f"/v1/evolutions/{evolution_id}")).json()
    assert recording == {**evolution, "version": 4, "events": events, "attempts": []}
    RecordedEvolution.model_validate(recording)


async def test_a_recording_of_what_runs_is_of_one_moment(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "rounds=20"}
    evolution_id = (await http.post("/v1/evolutions", json=body)).json()["id"]
    versions = set()
    while (recording := (await http.get(f"/v1/evolutions/{evolution_id}/recording")).json())["status"] != "succeeded":
        versions.add(recording["version"])
        # Accepted, base, then one event a version.
        assert len(recording["events"]) == recording["version"] + 1
        await asyncio.sleep(0.01)
    assert len(versions) > 5
    assert recording["events"][-1]["type"] == "evolution.ended"


async def test_pairs_are_lines_of_what_was_preferred(http: httpx.AsyncClient) -> None:
    evolution_id = await run(http, "replaced")
    for kind, found in (("whole", ["best-worst"]), ("steps", ["kept-replaced"])):
        response = await http.get(f"/v1/evolutions/{evolution_id}/pairs", params={"kind": kind})
        assert response.headers["content-type"] == "application/jsonl"
        rows = [json.loads(line) for line in response.text.splitlines()]
        assert [row["kind"] for row in rows] == found
        assert all(row["prompt"] == MESSAGES and row["evolution"] == evolution_id for row in rows)
        assert all(row["score_chosen"] > row["score_rejected"] for row in rows)
    whole = (await http.get(f"/v1/evolutions/{evolution_id}/pairs")).text
    assert [json.loads(line)["kind"] for line in whole.splitlines()] == ["best-worst"]
    wrong = await http.get(f"/v1/evolutions/{evolution_id}/pairs", params={"kind": "all"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "kind")


async def test_there_are_no_pairs_before_the_end(http: httpx.AsyncClient) -> None:
    evolution_id = (await http.post("/v1/evolutions", json=BODY | {"user": "hang"})).json()["id"]
    await status(http, evolution_id, "running")
    refused = await http.get(f"/v1/evolutions/{evolution_id}/pairs")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert "running" in refused.json()["error"]["message"]
    assert (await http.get(f"/v1/evolutions/{evolution_id}/diff")).status_code == 404
    await http.delete(f"/v1/evolutions/{evolution_id}")
    await status(http, evolution_id, "cancelled")
    assert (await http.get(f"/v1/evolutions/{evolution_id}/pairs")).text == ""


async def test_the_answer_is_compared_with_the_base(
    http: httpx.AsyncClient, documented: Callable[[str, Any], None]
) -> None:
    evolution_id = await run(http, "text=base, and more")
    diff = (await http.get(f"/v1/evolutions/{evolution_id}/diff")).json()
    documented("AnswerDiff", diff)
    assert diff["pieces"] == [{"kind": "same", "text": "base"}, {"kind": "evolved", "text": ", and more"}]


async def test_who_sees_what(acme: httpx.AsyncClient, other: httpx.AsyncClient, operator: httpx.AsyncClient) -> None:
    mine, theirs = await run(acme), await run(other)
    assert mine in await listed(acme)
    assert theirs not in await listed(acme)
    assert await listed(acme, tenant="other") == []
    assert {mine, theirs} <= set(await listed(operator))
    found = await listed(operator, tenant="other")
    assert theirs in found
    assert mine not in found
    after = await acme.get("/v1/evolutions", params={"after": theirs})
    assert (after.status_code, after.json()["error"]["param"]) == (404, "after")
    for path in ("", "/events", "/recording", "/pairs", "/diff"):
        foreign = await other.get(f"/v1/evolutions/{mine}{path}")
        unknown = await other.get(f"/v1/evolutions/{mine[:-4]}none{path}")
        assert foreign.status_code == unknown.status_code == 404
        assert told(foreign, mine) == told(unknown, f"{mine[:-4]}none")
        assert (await operator.get(f"/v1/evolutions/{mine}{path}")).status_code == 200


async def test_an_operator_changes_its_own_tenants_evolutions_only(
    acme: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    evolution_id = (await acme.post("/v1/evolutions", json=BODY | {"user": "hang"})).json()["id"]
    refused = await operator.delete(f"/v1/evolutions/{evolution_id}")
    assert (refused.status_code, "read here, not cancelled" in refused.json()["error"]["message"]) == (404, True)
    assert (await status(acme, evolution_id, "running"))["status"] == "running"
    assert (await acme.delete(f"/v1/evolutions/{evolution_id}")).status_code == 202
    own = await run(operator)
    assert own in await listed(operator, tenant="operators")
    assert own not in await listed(acme)


async def test_without_keys_everything_is_read_here(
    http: httpx.AsyncClient, acme: httpx.AsyncClient, documented: Callable[[str, Any], None]
) -> None:
    theirs = await run(acme)
    assert theirs in await listed(http)
    assert theirs in await listed(http, tenant="acme")
    assert theirs not in await listed(http, tenant="")
    assert (await http.get(f"/v1/evolutions/{theirs}/recording")).status_code == 200
    viewer = (await http.get("/v1/viewer")).json()
    documented("Viewer", viewer)
    assert viewer == {"object": "viewer", "tenant": "", "all_tenants": True, "profiles": "all", "trace_url": None}
    assert (await acme.get("/v1/viewer")).json()["all_tenants"] is False
