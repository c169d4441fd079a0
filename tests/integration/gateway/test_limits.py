"""Rate, quota, admission, and stages that are away."""

import asyncio
import re
import time
from pathlib import Path

import httpx
import pytest
import redis.asyncio

from services.gateway.edge.errors import RateLimitExceeded
from services.gateway.edge.rates import Rates
from shared.methods import METHODS
from shared.store.api_keys import ApiKeys, new_key
from shared.store.presence import ORCHESTRATOR, STAGES, Presence
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import BODY, Gateway, appeared, new_caller, status, unfinished

CHAT = "/v1/chat/completions"


async def test_rate(guarded: Gateway, keys: ApiKeys) -> None:
    async with await new_caller(keys, guarded, requests_per_minute=2) as http:
        first = await http.post("/v1/evolutions", json=BODY)
        assert (first.status_code, first.headers["x-ratelimit-limit-requests"]) == (202, "2")
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert (await http.post(CHAT, json=BODY | {"n": 0})).status_code == 400
        for _ in range(3):
            assert (await http.get("/v1/models")).status_code == 200
        second = await http.post(CHAT, json=BODY | {"stream": True})
        assert (second.status_code, second.headers["x-ratelimit-remaining-requests"]) == (200, "0")
        third = await http.post(CHAT, json=BODY)
        error = third.json()["error"]
        assert (third.status_code, error["code"], error["type"]) == (429, "rate_limit_exceeded", "rate_limit_error")
        assert 50 < int(third.headers["retry-after"]) <= 60
        assert third.headers["x-ratelimit-remaining-requests"] == "0"
        assert third.headers["x-ratelimit-reset-requests"].endswith("s")
        assert "x-darwin-evolution-id" not in third.headers
    async with await new_caller(keys, guarded) as unlimited:
        assert "x-ratelimit" not in str((await unlimited.post("/v1/evolutions", json=BODY)).headers)


async def test_cancels_count_against_the_rate(guarded: Gateway, keys: ApiKeys) -> None:
    async with await new_caller(keys, guarded, requests_per_minute=4) as http:
        body = {"model": "darwin", "input": "Why?", "background": True}
        one = (await http.post("/v1/evolutions", json=BODY | {"user": "deaf"})).json()["id"]
        two = (await http.post("/v1/responses", json=body | {"user": "deaf"})).json()["id"]
        answers = [await http.delete(f"/v1/evolutions/{one}") for _ in range(2)]
        answers += [await http.delete(f"/v1/evolutions/{one}"), await http.post(f"/v1/responses/{two}/cancel")]
        assert [answer.status_code for answer in answers] == [202, 202, 429, 429]
        assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0", "0"]
        assert answers[-1].json()["error"]["code"] == "rate_limit_exceeded"


async def test_retry_after_is_true(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [time.time()]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    _, key = new_key("acme", requests_per_minute=2)
    rates = Rates(redis_url)

    async def call(later_s: float) -> None:
        clock[0] += later_s
        rate = await rates.take(key)
        assert rate is not None
        rate.check()

    await call(0)
    await call(20)
    with pytest.raises(RateLimitExceeded) as caught:
        await call(10)
    assert caught.value.retry_after_s == pytest.approx(30, abs=0.1)
    with pytest.raises(RateLimitExceeded):
        await call(29.5)
    await call(1)
    await rates.close()


async def test_quota(guarded: Gateway, keys: ApiKeys) -> None:
    async with await new_caller(keys, guarded, tokens_per_day=200) as http:
        named = {"idempotency-key": "first"}
        done = await http.post(CHAT, json=BODY, headers=named)
        assert done.status_code == 200
        assert (done.headers["x-ratelimit-limit-tokens"], done.headers["x-ratelimit-remaining-tokens"]) == (
            "200",
            "200",
        )
        second = await http.post("/v1/evolutions", json=BODY)
        assert (second.status_code, second.headers["x-ratelimit-remaining-tokens"]) == (202, "80")
        assert re.fullmatch(r"(\d+h)?(\d+m)?\d+s", second.headers["x-ratelimit-reset-tokens"])
        assert "x-ratelimit-limit-requests" not in second.headers
        await status(http, second.json()["id"], "succeeded")
        refused = await http.post(CHAT, json=BODY)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["type"]) == (429, "insufficient_quota", "rate_limit_error")
        assert "240" in error["message"]
        assert refused.headers["x-ratelimit-remaining-tokens"] == "0"
        until_midnight = 86_400 - time.time() % 86_400
        assert int(refused.headers["retry-after"]) == pytest.approx(until_midnight, abs=2)
        assert refused.headers["x-should-retry"] == "false"
        again = await http.post(CHAT, json=BODY, headers=named)
        assert (again.status_code, again.json()) == (200, done.json())
        new = await http.post(CHAT, json=BODY, headers={"idempotency-key": "second"})
        assert new.json()["error"]["code"] == "insufficient_quota"


async def test_admission(idle_redis_url: str, tmp_path: Path) -> None:
    env = {
        "DARWIN_GATEWAY_KEYS": "required",
        "DARWIN_GATEWAY_MAX_ACTIVE": "5",
        "DARWIN_GATEWAY_MAX_ACTIVE_PER_KEY": "3",
    }
    keys = ApiKeys(idle_redis_url)
    with Gateway(idle_redis_url, tmp_path, **env) as gateway:
        async with (
            await new_caller(keys, gateway) as one,
            await new_caller(keys, gateway, max_active=1) as two,
            await new_caller(keys, gateway) as three,
        ):
            outcomes = await asyncio.gather(*(one.post("/v1/evolutions", json=BODY) for _ in range(8)))
            assert sorted(outcome.status_code for outcome in outcomes) == [202] * 3 + [429] * 5
            refused = next(outcome for outcome in outcomes if outcome.status_code == 429)
            assert (refused.json()["error"]["code"], refused.headers["retry-after"]) == ("overloaded", "1")
            assert (await two.post("/v1/evolutions", json=BODY)).status_code == 202
            assert "this key has 1 " in (await two.post("/v1/evolutions", json=BODY)).json()["error"]["message"]
            named = {"idempotency-key": "last"}
            last = await three.post("/v1/evolutions", json=BODY, headers=named)
            assert last.status_code == 202
            full = await three.post("/v1/evolutions", json=BODY)
            assert (full.status_code, "5 evolutions are" in full.json()["error"]["message"]) == (429, True)
            repeated = await three.post("/v1/evolutions", json=BODY, headers=named)
            assert (repeated.status_code, repeated.json()["id"]) == (202, last.json()["id"])
    assert len(await unfinished(idle_redis_url)) == 5
    await keys.close()


async def test_prompts_beyond_a_limit_cancel_those_of_the_same_call(
    redis_url: str, orchestrator: FakeOrchestrator, tmp_path: Path
) -> None:
    keys = ApiKeys(redis_url)
    with Gateway(redis_url, tmp_path, DARWIN_GATEWAY_KEYS="required") as gateway:
        async with await new_caller(keys, gateway, max_active=2) as caller:
            body = {"model": "sample", "prompt": ["a", "b", "c"], "user": "hang"}
            refused = await caller.post("/v1/completions", json=body)
            assert (refused.status_code, "this key has 2 " in refused.json()["error"]["message"]) == (429, True)
            newest = (await caller.get("/v1/evolutions")).json()["data"][:2]
            for each in newest:
                await caller.get(f"/v1/evolutions/{each['id']}/events", timeout=20)  # To its end.
                ended = (await caller.get(f"/v1/evolutions/{each['id']}")).json()
                assert (ended["status"], ended["messages"][0]["content"] in ("a", "b")) == ("cancelled", True)
            two = await caller.post("/v1/completions", json=body | {"prompt": ["a", "b"], "user": ""})
            assert two.status_code == 200
    await keys.close()


async def test_says_how_long_searches_take(redis_url: str, orchestrator: FakeOrchestrator, tmp_path: Path) -> None:
    env = {"DARWIN_GATEWAY_MAX_CONCURRENT": "1", "DARWIN_GATEWAY_MAX_WAIT_S": "4"}
    with Gateway(redis_url, tmp_path, **env) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            for stream in (False, True):
                body = BODY | {"user": "wait=2.05", "stream": stream}
                assert (await http.post(CHAT, json=body)).status_code == 200
            before = await unfinished(redis_url)
            late = asyncio.ensure_future(http.post(CHAT, json=BODY | {"user": "wait=6"}))
            await appeared(redis_url, before)
            busy = await http.get("/v1/models")
            assert (busy.status_code, busy.headers["retry-after"]) == (429, "3")
            assert ((await late).status_code, (await late).headers["retry-after"]) == (504, "3")
            assert (await late).headers["x-should-retry"] == "false"


async def test_is_ready_only_once_a_worker_reports_every_stage(idle_redis_url: str, tmp_path: Path) -> None:
    presence = Presence(idle_redis_url, ttl_s=60)
    with Gateway(idle_redis_url, tmp_path) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            for reported, missing in (
                ([], ORCHESTRATOR),
                (STAGES, ORCHESTRATOR),
                ([ORCHESTRATOR, *STAGES[:-1]], STAGES[-1]),
            ):
                await redis_without_reports(idle_redis_url)
                await presence.report(reported)
                await asyncio.sleep(1.1)
                response = await http.get("/readyz")
                assert (response.status_code, response.headers["retry-after"]) == (503, "1")
                assert missing in response.json()["error"]["message"]
                # Where no worker reports, a search is accepted and waits for one.
                accepted = await http.post("/v1/evolutions", json=BODY)
                assert accepted.status_code == (202 if missing == ORCHESTRATOR else 503)
            await presence.report(STAGES[-1:])
            await asyncio.sleep(1.1)
            assert (await http.get("/readyz")).json() == {"status": "ok"}
    await presence.close()


async def redis_without_reports(url: str) -> None:
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.delete(*(f"darwin:alive:{name}" for name in (ORCHESTRATOR, *STAGES)))


async def test_says_which_stage_is_away(idle_redis_url: str, tmp_path: Path) -> None:
    presence = Presence(idle_redis_url, ttl_s=60)
    with Gateway(idle_redis_url, tmp_path) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            named = {"idempotency-key": "before"}
            before = (await http.post("/v1/evolutions", json=BODY, headers=named)).json()["id"]
            await presence.report([ORCHESTRATOR, "mutation"])
            await asyncio.sleep(1.1)
            for response in (await http.get("/readyz"), await http.post("/v1/evolutions", json=BODY)):
                error = response.json()["error"]
                assert (response.status_code, response.headers["retry-after"]) == (503, "1")
                assert "generation, reward" in error["message"]
                assert "mutation" not in error["message"]
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.get(f"/v1/evolutions/{before}")).status_code == 200
            again = await http.post("/v1/evolutions", json=BODY, headers=named)
            assert (again.status_code, again.json()["id"]) == (202, before)
            await presence.report([ORCHESTRATOR, *STAGES], ["continues", "raw_prompts"])
            await asyncio.sleep(1.1)
            assert (await http.get("/readyz")).status_code == 200
            searches = {method: await http.post("/v1/evolutions", json=BODY | {"model": method}) for method in METHODS}
            accepted = {method for method, response in searches.items() if response.status_code == 202}
            assert accepted == {"best-of-n", "mutation-only", "sample"}
            assert searches["darwin"].json()["error"]["param"] == "model"
            await presence.report([ORCHESTRATOR, *STAGES])
            await asyncio.sleep(1.1)
            assert (await http.post("/v1/evolutions", json=BODY)).status_code == 202
    await presence.close()
