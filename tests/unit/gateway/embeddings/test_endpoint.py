"""What an endpoint that embeds is sent, and what its answers, refusals and failures mean."""

import socket
from array import array
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from services.gateway.embeddings.endpoint import EndpointClient
from shared.errors import (
    ContextLengthExceeded,
    DarwinError,
    DeadlineExceeded,
    Internal,
    InvalidRequest,
    Overloaded,
    Unavailable,
    Unsupported,
)
from tests.embeddings_endpoint import KEY, MODEL, FakeEndpoint, running

URL_SETTING = "DARWIN_GATEWAY_EMBEDDINGS_URL"
SECRET = "the caller's private text"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeEndpoint, str]]:
    endpoint = FakeEndpoint()
    with running(endpoint) as url:
        yield endpoint, url


@pytest.fixture
def endpoint(served: tuple[FakeEndpoint, str]) -> FakeEndpoint:
    found = served[0]
    found.refusal, found.changed, found.delay_s = None, {}, 0.0
    found.bodies.clear()
    found.keys.clear()
    return found


@pytest.fixture
async def client(served: tuple[FakeEndpoint, str]) -> AsyncIterator[EndpointClient]:
    made = EndpointClient(served[1], KEY, MODEL, connections=2)
    yield made
    await made.close()


async def test_it_is_asked_as_openai_is(endpoint: FakeEndpoint, client: EndpointClient) -> None:
    found = await client.embed(["the sea", "rain"], None, 10)
    assert endpoint.bodies == [{"model": MODEL, "input": ["the sea", "rain"], "encoding_format": "float"}]
    assert endpoint.keys == [f"Bearer {KEY}"]
    assert found.tokens == 3
    assert [len(array("f", vector)) for vector in found.vectors] == [64, 64]


async def test_token_ids_and_dimensions_are_passed_on(endpoint: FakeEndpoint, client: EndpointClient) -> None:
    found = await client.embed([(1, 2), (3,)], 8, 10)
    assert endpoint.bodies[0]["input"] == [[1, 2], [3]]
    assert endpoint.bodies[0]["dimensions"] == 8
    assert [len(array("f", vector)) for vector in found.vectors] == [8, 8]


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, {"error": {"message": SECRET}}, InvalidRequest, "refuses this input"),
        (
            400,
            {"error": {"message": f"maximum context length is 8: {SECRET}"}},
            ContextLengthExceeded,
            "context length",
        ),
        (413, {"error": "inputs must have less than 512 tokens"}, ContextLengthExceeded, "send it in parts"),
        (401, {"error": {"message": KEY}}, Unsupported, "DARWIN_GATEWAY_EMBEDDINGS_KEY"),
        (402, {}, Unsupported, "no credit"),
        (404, {}, Unsupported, URL_SETTING),
        (301, {}, Unsupported, "redirect"),
        (429, {"error": {"code": "insufficient_quota"}}, Unsupported, "no credit"),
        (429, {}, Overloaded, "full"),
        (500, {"error": SECRET}, Unavailable, "fails"),
        (501, {}, Unsupported, URL_SETTING),
        (503, {}, Unavailable, "fails"),
    ],
)
async def test_refusals(
    endpoint: FakeEndpoint, client: EndpointClient, status: int, body: Any, error: type[DarwinError], said: str
) -> None:
    endpoint.refusal = JSONResponse(body, status)
    with pytest.raises(DarwinError, match=said) as refused:
        await client.embed([SECRET], None, 10)
    assert type(refused.value) is error
    assert SECRET not in refused.value.message
    assert KEY not in refused.value.message


async def test_an_endpoint_that_is_full_says_when_to_come_back(endpoint: FakeEndpoint, client: EndpointClient) -> None:
    endpoint.refusal = JSONResponse({}, 429, {"retry-after": "44"})
    with pytest.raises(Overloaded) as refused:
        await client.embed([SECRET], None, 10)
    assert refused.value.retry_after_s == 44


@pytest.mark.parametrize(
    "changed",
    [
        {"data": []},
        {"data": [{"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": ["x"]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
        {"usage": None},
        {"usage": {"prompt_tokens": -1}},
    ],
)
async def test_answers_that_cannot_be_read(
    endpoint: FakeEndpoint, client: EndpointClient, changed: dict[str, Any]
) -> None:
    endpoint.changed = changed
    with pytest.raises(Internal):
        await client.embed(["x"], None, 10)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e300"])
async def test_a_number_that_float32_does_not_hold(endpoint: FakeEndpoint, client: EndpointClient, number: str) -> None:
    body = f'{{"data": [{{"index": 0, "embedding": [{number}]}}], "usage": {{"prompt_tokens": 1}}}}'
    endpoint.refusal = Response(body, 200, media_type="application/json")
    with pytest.raises(Internal, match="not finite"):
        await client.embed(["x"], None, 10)


async def test_another_size_than_was_asked_for(endpoint: FakeEndpoint, client: EndpointClient) -> None:
    with pytest.raises(InvalidRequest, match="dimensions must be 64") as refused:
        await client.embed(["x"], 128, 10)
    assert refused.value.field == "dimensions"


async def test_an_endpoint_that_is_slow_or_away(endpoint: FakeEndpoint, client: EndpointClient) -> None:
    endpoint.delay_s = 0.5
    with pytest.raises(DeadlineExceeded, match="did not answer in time"):
        await client.embed(["x"], None, 0.1)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        nobody = EndpointClient(f"http://127.0.0.1:{bound.getsockname()[1]}/v1", None, MODEL, connections=1)
        with pytest.raises(Unavailable, match="cannot be reached"):
            await nobody.embed(["x"], None, 10)
        await nobody.close()
