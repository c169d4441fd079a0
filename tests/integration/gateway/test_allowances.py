"""What a key may use, until when, and for how much."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest

from shared.store.api_keys import ApiKeys, new_key
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import BODY, MESSAGES, Gateway, new_caller, status

CHAT = "/v1/chat/completions"
MODELS = {"fast": {"method": "sample"}, "team/strict": {"method": "best-of-n", "profile": "strict"}}
# Of a search of the fake orchestrator: 21 prompt, 50 mutation, 70 generation, 200 reward.
COST = (21 * 1 + 50 * 2 + 70 * 4 + 200 * 0.5) / 1e6


@pytest.fixture(scope="module")
def priced(
    redis_url: str, orchestrator: FakeOrchestrator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway with further models and prices, which asks for keys."""
    prices = {"PROMPT": "1", "MUTATION": "2", "GENERATION": "4", "REWARD": "0.5"}
    env = {f"DARWIN_GATEWAY_PRICE_{stage}": price for stage, price in prices.items()}
    env |= {"DARWIN_GATEWAY_KEYS": "required", "DARWIN_GATEWAY_MODELS": json.dumps(MODELS)}
    with Gateway(redis_url, tmp_path_factory.mktemp("priced"), **env) as running:
        yield running


@pytest.fixture
async def limited(priced: Gateway, keys: ApiKeys) -> AsyncIterator[Any]:
    """Makes callers with keys of these terms."""
    made: list[httpx.AsyncClient] = []

    async def make(**terms: Any) -> httpx.AsyncClient:
        made.append(await new_caller(keys, priced, **terms))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


def denied(response: httpx.Response, param: str, code: str) -> str:
    error: dict[str, Any] = response.json()["error"]
    assert (response.status_code, error["type"]) == (403, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)
    assert response.headers["x-should-retry"] == "false"
    assert "x-darwin-evolution-id" not in response.headers
    return str(error["message"])


@pytest.mark.parametrize("path", [CHAT, "/v1/evolutions"])
async def test_models(limited: Any, path: str) -> None:
    http = await limited(models=("sample", "team/strict"), requests_per_minute=50)
    for name in ("sample", "openai/sample", "team/strict", "x/team/strict"):
        assert (await http.post(path, json=BODY | {"model": name})).status_code in (200, 202)
    for name in ("darwin", "openai/darwin", "fast", "best-of-n"):
        message = denied(await http.post(path, json=BODY | {"model": name}), "model", "model_not_found")
        assert name.rpartition("/")[2] in message
        assert "sample, team/strict" in message
    unknown = await http.post(path, json=BODY | {"model": "gpt-none"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    # Refusals do not count against the rate.
    rate = (await http.post(path, json=BODY | {"model": "sample"})).headers["x-ratelimit-remaining-requests"]
    assert rate == "45"


async def test_methods_whichever_name_stands_for_them(limited: Any) -> None:
    http = await limited(methods=("sample",))
    for name, expected in (("sample", 200), ("fast", 200), ("darwin", 403), ("team/strict", 403)):
        assert (await http.post(CHAT, json=BODY | {"model": name})).status_code == expected
    both = await limited(methods=("sample",), models=("fast", "darwin"))
    for name, expected in (("sample", 403), ("fast", 200), ("darwin", 403)):
        assert (await both.post(CHAT, json=BODY | {"model": name})).status_code == expected


async def test_the_list_holds_what_the_key_may_use(limited: Any) -> None:
    async def listed(http: httpx.AsyncClient) -> set[str]:
        return {model["id"] for model in (await http.get("/v1/models")).json()["data"]}

    http = await limited(models=("team/strict", "darwin"))
    assert await listed(http) == {"team/strict", "darwin"}
    assert await listed(await limited(methods=("sample",))) == {"sample", "fast"}
    assert await listed(await limited()) > {"team/strict", "darwin", "sample", "fast"}
    for name, expected in (("darwin", 200), ("x/darwin", 200), ("team/strict", 200), ("sample", 404), ("none", 404)):
        response = await http.get(f"/v1/models/{name}")
        assert response.status_code == expected
        assert expected == 200 or response.json()["error"]["code"] == "model_not_found"


async def test_reward_profiles(limited: Any) -> None:
    http = await limited(profiles=("kind",))
    for darwin, expected in (({}, 200), ({"profile": ""}, 200), ({"profile": "kind"}, 200), ({"profile": "x"}, 403)):
        response = await http.post(CHAT, json=BODY | {"darwin": darwin})
        assert response.status_code == expected
    assert "kind" in denied(response, "darwin.profile", "permission_denied")
    entry = await http.post(CHAT, json=BODY | {"model": "team/strict"})
    assert "strict" in denied(entry, "darwin.profile", "permission_denied")


async def test_openais_sdk_sees_a_denied_permission(limited: Any) -> None:
    http = await limited(models=("sample",))
    key = http.headers["authorization"].removeprefix("Bearer ")
    async with openai.AsyncOpenAI(base_url=f"{str(http.base_url).rstrip('/')}/v1", api_key=key) as client:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await client.chat.completions.create(model="darwin", messages=MESSAGES)
        assert caught.value.code == "model_not_found"
        assert [model.id async for model in client.models.list()] == ["sample"]


async def test_a_key_expires(guarded: Gateway, keys: ApiKeys) -> None:
    text, key = new_key("acme", expires_at=time.time() + 60)
    await keys.add(key)
    headers = {"authorization": f"Bearer {text}"}
    async with httpx.AsyncClient(base_url=guarded.url, headers=headers) as http:
        assert (await http.get("/v1/models")).status_code == 200
        await keys.update(key.id, expires_at=time.time() + 0.2)
        await asyncio.sleep(0.3)
        for response in (await http.get("/v1/models"), await http.post(CHAT, json=BODY)):
            error = response.json()["error"]
            assert (response.status_code, error["code"]) == (401, "invalid_api_key")
            assert "has expired, at 20" in error["message"]
        await keys.update(key.id, expires_at=None)
        assert (await http.get("/v1/models")).status_code == 200


async def test_a_budget_of_money(limited: Any) -> None:
    http = await limited(money_per_month=COST * 1.5)
    first = await http.post(CHAT, json=BODY)
    assert (first.status_code, first.json()["usage"]["cost"]) == (200, pytest.approx(COST))
    second = await http.post("/v1/evolutions", json=BODY)
    assert second.status_code == 202
    await status(http, second.json()["id"], "succeeded")
    refused = await http.post(CHAT, json=BODY)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["type"]) == (429, "insufficient_quota", "rate_limit_error")
    assert refused.headers["x-should-retry"] == "false"
    assert f"{2 * COST:.10g} of {1.5 * COST:.10g} money in the month since" in error["message"]
    assert "T00:00:00Z" in error["message"]
    assert 0 < int(refused.headers["retry-after"]) <= 31 * 86_400


async def test_openais_sdk_asks_once_where_a_budget_is_spent(limited: Any) -> None:
    http = await limited(tokens_per_month=100, requests_per_minute=50)
    first = await http.post(CHAT, json=BODY)
    assert (first.status_code, first.headers["x-ratelimit-remaining-requests"]) == (200, "49")
    key, url = http.headers["authorization"].removeprefix("Bearer "), str(http.base_url).rstrip("/")
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=3) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="darwin", messages=MESSAGES)
    assert caught.value.code == "insufficient_quota"
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "48"
    assert (await http.post(CHAT, json=BODY)).headers["x-ratelimit-remaining-requests"] == "47"


async def test_searches_under_way_reserve_and_others_may_come_back(limited: Any) -> None:
    http = await limited(tokens_per_hour=1000)
    waiting = BODY | {"user": "hang", "max_tokens": 100, "darwin": {"mutation": "templates"}}
    answers = await asyncio.gather(*(http.post("/v1/evolutions", json=waiting) for _ in range(8)))
    begun = [answer for answer in answers if answer.status_code == 202]
    assert len(begun) == 2  # Each may sample 600 tokens: the first leaves 400, the second nothing.
    refused = next(answer for answer in answers if answer.status_code == 429)
    error = refused.json()["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert "0 of 1000 tokens" in error["message"]
    assert "may spend 1200 more" in error["message"]
    assert (refused.headers["x-should-retry"], int(refused.headers["retry-after"]) <= 60) == ("true", True)
    later = await http.post("/v1/evolutions", json=BODY)
    assert later.headers["x-ratelimit-remaining-tokens"] == "0"
    for answer in begun:
        await http.delete(f"/v1/evolutions/{answer.json()['id']}")
        await status(http, answer.json()["id"], "cancelled")
    done = await http.post(CHAT, json=BODY)
    assert (done.status_code, done.headers["x-ratelimit-remaining-tokens"]) == (200, "1000")
    assert (await http.post(CHAT, json=BODY)).headers["x-ratelimit-remaining-tokens"] == "880"


async def test_twice_a_budget_at_once(limited: Any) -> None:
    """A search reserves 60 tokens of the 1,000 and samples 120, so between 9 and 17 find room, whoever ends first."""
    http = await limited(tokens_per_day=1000)
    small = BODY | {"model": "sample", "max_tokens": 60}

    async def call() -> int:
        return (await http.post(CHAT, json=small)).status_code

    statuses = await asyncio.gather(*(call() for _ in range(40)))
    assert set(statuses) == {200, 429}
    assert 9 <= statuses.count(200) <= 17
    refused = await http.post(CHAT, json=small)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")


async def test_money_needs_prices(guarded: Gateway, keys: ApiKeys) -> None:
    async with await new_caller(keys, guarded, money_per_day=1.0) as http:
        response = await http.post(CHAT, json=BODY)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "unsupported")
        assert "DARWIN_GATEWAY_PRICE_" in response.json()["error"]["message"]
