"""What a call for embeddings may hold, and how it is answered."""

import asyncio
import base64
from array import array
from typing import Any

import httpx
import pytest
from openai.types import CreateEmbeddingResponse

from services.gateway.config.settings import ENCODER
from services.gateway.edge.lifetime import Lifetime
from shared.errors import ContextLengthExceeded, DarwinError, Overloaded, Unavailable
from tests.unit.gateway.apps import shaped
from tests.unit.gateway.embedding_apps import ASKED, NUMBERS, PATH, App


async def test_the_answer_is_openais() -> None:
    app = App()
    response = await app.post(input=["the sea", "a mountain"], user=None)
    assert response.status_code == 200
    body = response.json()
    CreateEmbeddingResponse.model_validate(body, strict=True)
    assert body.keys() == {"object", "data", "model", "usage"}
    assert [each["index"] for each in body["data"]] == [0, 1]
    assert [each["object"] for each in body["data"]] == ["embedding"] * 2
    numbers = body["data"][0]["embedding"]
    assert array("f", numbers) == array("f", NUMBERS)
    assert (body["model"], body["usage"]) == (ENCODER, {"prompt_tokens": 6, "total_tokens": 6})
    assert "x-darwin-evolution-id" not in response.headers


async def test_base64_holds_the_same_numbers() -> None:
    body = (await App().post(encoding_format="base64")).json()
    assert base64.b64decode(body["data"][0]["embedding"]) == array("f", NUMBERS).tobytes()


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("x", ["x"]),
        (["x", "y"], ["x", "y"]),
        ([1, 2], [(1, 2)]),
        ([[1, 2], [3]], [(1, 2), (3,)]),
    ],
)
async def test_inputs_arrive_as_they_were_given(given: Any, inputs: Any) -> None:
    app = App()
    assert (await app.post(input=given, dimensions=3.0)).status_code == 200
    assert app.embedder.calls == [(inputs, 3, 540.0)]


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"input": ""}, "input", "must not be empty"),
        ({"input": []}, "input", "must not be empty"),
        ({"input": ["x", ""]}, "input", "input 1 has no text"),
        ({"input": [[1], []]}, "input", "input 1 has no token ids"),
        ({"input": ["x", 1]}, "input", "must be a string, a list"),
        ({"input": [1, "x"]}, "input", "whole numbers from 0"),
        ({"input": [-1]}, "input", "whole numbers from 0"),
        ({"input": [True]}, "input", "must be a string, a list"),
        ({"input": {"text": "x"}}, "input", "must be a string, a list"),
        ({"input": None}, "input", "must be a string, a list"),
        ({"input": ["x"] * 2049}, "input", "at most 2,048 inputs, not 2,049"),
        ({"encoding_format": "int8"}, "encoding_format", "float"),
        ({"dimensions": 0}, "dimensions", "at least 1"),
        ({"truncate_prompt_tokens": 5}, "truncate_prompt_tokens", "no input is cut"),
        ({"stream": True}, "stream", "leave it out"),
        ({"model": None}, "model", "must be a string"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_computed(
    fields: dict[str, Any], param: str, said: str
) -> None:
    app = App()
    assert said in shaped(await app.post(**fields), 400, param)
    assert app.embedder.calls == []


async def test_what_has_no_effect_is_named() -> None:
    body = (await App().post(user="ann")).json()
    assert body["darwin"] == {"warnings": ["user is taken without effect"]}


async def test_without_a_model_that_embeds_the_answer_says_how_to_have_one() -> None:
    app = App(mutation="")
    message = shaped(await app.post(), 404, None, "embeddings_not_configured")
    assert "DARWIN_GATEWAY_MUTATION" in message
    assert "DARWIN_GATEWAY_EMBEDDINGS_URL" in message
    # A body that cannot be is told first.
    shaped(await app.post(input=[]), 400, "input")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ContextLengthExceeded("maximum context length", field="input.3"), 400, "context_length_exceeded"),
        (Unavailable("away"), 503, "unavailable"),
        (Overloaded("full"), 429, "overloaded"),
    ],
)
async def test_errors_are_openais(error: DarwinError, status: int, code: str) -> None:
    app = App()
    app.embedder.error = error
    response = await app.post()
    assert response.status_code == status
    found = response.json()["error"]
    assert (found["code"], found["param"]) == (code, error.field)
    assert response.headers["x-should-retry"] == ("true" if error.retryable else "false")
    assert ("retry-after" in response.headers) == error.retryable


async def test_a_call_takes_no_longer_than_its_client_waits() -> None:
    app = App(max_wait_s=7.0)
    await app.post(headers={"x-stainless-read-timeout": "2.5"})
    await app.post(headers={"x-stainless-read-timeout": "600"})
    assert [timeout_s for _, _, timeout_s in app.embedder.calls] == [2.5, 7.0]


async def test_a_gateway_that_stops_ends_the_call() -> None:
    lifetime = Lifetime()
    app = App(lifetime)
    app.embedder.delay_s = 30
    asyncio.get_running_loop().call_later(0.05, lifetime.expired.set)
    shaped(await app.post(), 503, None, "unavailable")
    assert app.embedder.ended


async def test_a_caller_that_hangs_up_ends_the_call() -> None:
    app = App()
    app.embedder.delay_s = 30
    transport = httpx.ASGITransport(app=app.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(http.post(PATH, json=ASKED), 0.1)
    assert app.embedder.ended
