"""What callers are told of traces, and what they may say of them."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from shared.store.evolutions import Store
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import BODY, Gateway, wait_for

CHAT = "/v1/chat/completions"
TRACE_ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE_ID}-{PARENT}-01"}


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_trace_that_the_caller_is_in_goes_on_where_callers_are_trusted(
    redis_url: str, orchestrator: FakeOrchestrator, store: Store, tmp_path: Path, trusted: bool
) -> None:
    with Gateway(redis_url, tmp_path, DARWIN_GATEWAY_TRUST_TRACEPARENT=str(trusted)) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            answer = await http.post(CHAT, json=BODY, headers=TRACEPARENT)
            record = await store.load(answer.headers["x-darwin-evolution-id"])
            assert record.trace is not None
            told = answer.headers["x-darwin-trace-id"]
            assert told == answer.json()["darwin"]["trace_id"] == record.trace.trace_id
            assert (told == TRACE_ID) is trusted
            assert record.trace.span_id != PARENT
            assert (await http.get(f"/v1/evolutions/{record.id}")).json()["trace_id"] == told


async def test_every_answer_has_a_trace_of_its_own(http: httpx.AsyncClient) -> None:
    answers = [await http.get("/v1/models"), await http.get("/v1/models"), await http.get("/nowhere")]
    ids = [answer.headers["x-darwin-trace-id"] for answer in answers]
    assert len(set(ids)) == 3
    assert all(len(bytes.fromhex(trace_id)) == 16 for trace_id in ids)
    assert answers[2].json()["error"]["darwin"] == {"trace_id": ids[2], "evolution_id": None}


async def test_a_malformed_traceparent_is_passed_over(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/models", headers={"traceparent": "00-zz-11-01"})
    assert answer.status_code == 200
    assert len(answer.headers["x-darwin-trace-id"]) == 32


async def test_errors_name_the_evolution_they_are_about(http: httpx.AsyncClient) -> None:
    failed = await http.post(CHAT, json=BODY | {"user": "fail=Unavailable"})
    assert failed.status_code == 503
    evolution_id = failed.headers["x-darwin-evolution-id"]
    assert failed.json()["error"]["darwin"] == {
        "trace_id": failed.headers["x-darwin-trace-id"],
        "evolution_id": evolution_id,
    }


async def test_callers_cannot_put_ids_of_their_own_into_the_log(gateway: Gateway, http: httpx.AsyncClient) -> None:
    forged = {"baggage": "darwin.evolution.id=evo_forged"}
    refused = await http.post(CHAT, json={}, headers=forged)
    assert refused.json()["error"]["darwin"]["evolution_id"] is None
    logged = [json.loads(line) for line in gateway.process.log.read_text().splitlines()]
    assert "evo_forged" not in {line["evolution_id"] for line in logged}


async def test_the_log_has_a_line_of_each_call(gateway: Gateway, http: httpx.AsyncClient) -> None:
    answers = [await http.get("/v1/models"), await http.post(CHAT, json={}), await http.post(CHAT, json=BODY)]
    # The line is written once the answer is sent.
    log = gateway.process.log
    await asyncio.to_thread(wait_for, lambda: answers[-1].headers["x-request-id"] in log.read_text())
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    for answer, (method, path) in zip(answers, (("GET", "/v1/models"), ("POST", CHAT), ("POST", CHAT)), strict=True):
        (line,) = [line for line in logged if answer.headers["x-request-id"] in line["message"]]
        assert f": {method} {path} {answer.status_code} in " in line["message"]
        assert line["trace_id"] == answer.headers["x-darwin-trace-id"]
    assert line["evolution_id"] == answers[2].headers["x-darwin-evolution-id"]
