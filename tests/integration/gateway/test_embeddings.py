"""Embeddings through a gateway's process: as OpenAI's client sees them, and under the terms of API keys."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
import redis.asyncio
from openai.types import CreateEmbeddingResponse

from shared.records.spending import PERIODS
from shared.store.api_keys import ApiKeys
from shared.store.evolutions import Store
from tests.embeddings_endpoint import KEY, MODEL, FakeEndpoint
from tests.integration.gateway.running import BODY, Gateway, new_caller

PATH = "/v1/embeddings"
ASKED: dict[str, Any] = {"model": MODEL, "input": ["the sea", "one two three"]}
TOO_LONG = ASKED | {"input": "word " * 300}
TOKENS = 5


@pytest.fixture(scope="module")
def priced(redis_url: str, embeddings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    env = {"DARWIN_GATEWAY_KEYS": "required", "DARWIN_GATEWAY_PRICE_EMBEDDING": "2", **embeddings}
    with Gateway(redis_url, tmp_path_factory.mktemp("priced"), **env) as running:
        yield running
        assert KEY not in running.process.log.read_text()


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


async def standing(store: Store, http: httpx.AsyncClient, unit: Any = "tokens") -> tuple[int, int]:
    """What the caller's key has spent and reserved, which is the same in every period."""
    key_id = http.headers["authorization"].split("_")[1]
    spent = await store.spent(key_id, time.time())
    [found] = {spent[unit, period] for period in PERIODS}
    return found.used, found.reserved


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    found: dict[str, Any] = response.json()["error"]
    assert response.status_code == status, found
    return found


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}])
def test_openais_client(client: openai.OpenAI, encoding: Any) -> None:
    raw = client.embeddings.with_raw_response.create(model=MODEL, input=["the sea", "rain"], **encoding)
    if encoding:  # Base64, which the client asks for by itself, is no list of numbers before it is decoded.
        CreateEmbeddingResponse.model_validate_json(raw.content, strict=True)
    found = raw.parse()
    assert [each.index for each in found.data] == [0, 1]
    assert len(found.data[0].embedding) == len(found.data[1].embedding) == 64
    assert found.usage.prompt_tokens == found.usage.total_tokens == 3


def test_the_endpoint_sees_the_calls_trace_and_its_own_key(gateway: Gateway, embedding_endpoint: FakeEndpoint) -> None:
    of_the_caller = "0123456789abcdef0123456789abcdef"
    headers = {"traceparent": f"00-{of_the_caller}-0123456789abcdef-01", "authorization": "Bearer of-the-caller"}
    told = httpx.post(f"{gateway.url}{PATH}", json=ASKED, headers=headers).headers["x-darwin-trace-id"]
    assert told != of_the_caller, "callers are not trusted"
    assert embedding_endpoint.traces[-1].split("-")[1] == told
    assert embedding_endpoint.keys[-1] == f"Bearer {KEY}"


def test_an_input_that_is_too_long_has_openais_code(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(**TOO_LONG)
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "input"


def test_the_reference_describes_the_answer(gateway: Gateway, documented: Any) -> None:
    for more in ({}, {"encoding_format": "base64", "user": "ann"}):
        documented("EmbeddingList", httpx.post(f"{gateway.url}{PATH}", json=ASKED | more).json())


async def test_models_of_a_key(limited: Any) -> None:
    for terms, status in (({"models": ("darwin",)}, 403), ({"models": (MODEL,)}, 200), ({"methods": ("sample",)}, 200)):
        http = await limited(**terms)
        for name in (MODEL, f"openai/{MODEL}"):
            response = await http.post(PATH, json=ASKED | {"model": name})
            assert response.status_code == status
        listed = [each["id"] for each in (await http.get("/v1/models")).json()["data"]]
        assert (MODEL in listed) == (status == 200)
        assert (await http.get(f"/v1/models/{MODEL}")).status_code == (200 if status == 200 else 404)
    refused = await (await limited(models=("darwin",))).post(PATH, json=ASKED)
    assert error_of(refused, 403)["code"] == "model_not_found"


async def test_operators_name_the_model_in_a_keys_terms(limited: Any) -> None:
    http = await limited(manages_keys=True)
    assert (await http.post("/v1/keys", json={"tenant": "acme", "models": [MODEL]})).status_code == 201
    assert MODEL in error_of(await http.post("/v1/keys", json={"tenant": "acme", "models": ["x"]}), 400)["message"]


async def test_calls_count_against_the_rate(limited: Any) -> None:
    http = await limited(requests_per_minute=2)
    assert (await http.post(PATH, json=ASKED | {"input": []})).status_code == 400
    left = [(await http.post(PATH, json=ASKED)).headers["x-ratelimit-remaining-requests"] for _ in range(2)]
    assert left == ["1", "0"]
    for path, body in ((PATH, ASKED), ("/v1/chat/completions", BODY)):
        refused = await http.post(path, json=body)
        assert error_of(refused, 429)["code"] == "rate_limit_exceeded"
        assert int(refused.headers["retry-after"]) > 0


async def test_tokens_count_against_the_budgets(limited: Any, store: Store) -> None:
    http = await limited(tokens_per_day=2 * TOKENS + 1)
    for used in (0, TOKENS, 2 * TOKENS):
        assert await standing(store, http) == (used, 0)
        response = await http.post(PATH, json=ASKED)
        assert response.status_code == 200
        assert response.headers["x-ratelimit-limit-tokens"] == str(2 * TOKENS + 1)
    assert await standing(store, http) == (3 * TOKENS, 0)
    refused = await http.post(PATH, json=ASKED)
    assert error_of(refused, 429)["code"] == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"
    assert error_of(await http.post("/v1/chat/completions", json=BODY), 429)["code"] == "insufficient_quota"
    assert await standing(store, http) == (3 * TOKENS, 0)


async def test_calls_at_once_overspend_by_less_than_one(limited: Any, store: Store) -> None:
    http = await limited(tokens_per_hour=1)
    answers = await asyncio.gather(*(http.post(PATH, json=ASKED) for _ in range(8)))
    served = [answer.status_code for answer in answers].count(200)
    assert {error_of(answer, 429)["code"] for answer in answers if answer.status_code != 200} <= {
        "rate_limit_exceeded",
        "insufficient_quota",
    }
    assert served == 1
    assert await standing(store, http) == (TOKENS, 0)


async def test_what_fails_costs_nothing(limited: Any, store: Store, redis_url: str) -> None:
    http = await limited(tokens_per_day=100)
    assert error_of(await http.post(PATH, json=TOO_LONG), 400)["code"] == "context_length_exceeded"
    assert await standing(store, http) == (0, 0)
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert [name async for name in client.scan_iter("darwin:call:*")] == []


async def test_who_hangs_up_gets_back_what_was_set_aside(
    limited: Any, store: Store, embedding_endpoint: FakeEndpoint
) -> None:
    http = await limited(tokens_per_day=100)
    begun = len(embedding_endpoint.bodies)
    embedding_endpoint.delay_s = 8.0
    try:
        calling = asyncio.ensure_future(http.post(PATH, json=ASKED))
        while len(embedding_endpoint.bodies) == begun:
            assert not calling.done()
            await asyncio.sleep(0.02)
        assert (await standing(store, http))[1] > 0, "nothing was set aside"
        calling.cancel()
        ends_at = time.monotonic() + 6.0
        while await standing(store, http) != (0, 0):
            assert time.monotonic() < ends_at, "the call went on"
            await asyncio.sleep(0.05)
    finally:
        embedding_endpoint.delay_s = 0.0


async def test_money(limited: Any, store: Store) -> None:
    cost = TOKENS * 2 / 1e6
    http = await limited(money_per_month=cost)
    response = await http.post(PATH, json=ASKED)
    assert response.json()["usage"] == {"prompt_tokens": TOKENS, "total_tokens": TOKENS, "cost": cost}
    assert await standing(store, http, "money") == (round(cost * 1e9), 0)
    assert error_of(await http.post(PATH, json=ASKED), 429)["code"] == "insufficient_quota"
