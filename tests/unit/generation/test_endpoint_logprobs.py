"""Log probabilities of an endpoint's tokens: asked for where its probe proves which tokens they are of."""

import json
from typing import Any

import pytest
from starlette.responses import JSONResponse

from services.generation.endpoint.logprobs import read_likelihoods
from services.generation.endpoint.responses import CompletionChoice
from services.generation.engine import Likelihoods, TokenSequence
from services.generation.messages import SamplingOptions
from shared.errors import Internal, Unsupported
from tests.openai_endpoint import SAYS, FakeEndpoint, tokenizer
from tests.unit.generation.openai_engines import QUESTION, ask, engine_of, read_checkpoint_once


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    read_checkpoint_once(monkeypatch)


async def test_an_endpoint_like_vllm_is_asked_by_token_ids() -> None:
    fake = FakeEndpoint(logprobs=20)
    ids = tokenizer()(SAYS)["input_ids"]
    async with engine_of(fake) as engine:
        assert engine.info.logprobs
        prompt = engine.encode_chat(QUESTION)
        completion = await engine.complete(TokenSequence(prompt, 3, SamplingOptions(logprobs=2), None))
        assert {"logprobs": 2, "return_tokens_as_token_ids": True}.items() <= fake.asked.items()
        result = await ask(engine, SamplingOptions(logprobs=1))
        plain = await ask(engine)
    assert completion.token_ids == tuple(ids[:3])
    first = -(ids[0] % 10) / 10
    assert completion.logprobs[0] == Likelihoods(first, ((ids[0], first), (100, -1.0)))
    assert "".join(each.token for each in result.logprobs) == result.text == SAYS
    assert (plain.logprobs, "logprobs" in fake.asked) == ((), False)


@pytest.mark.parametrize(
    "settings",
    [{}, {"logprobs": 5}, {"logprobs": 20, "names_ids": False}, {"logprobs": 20, "returns_ids": False}],
    ids=["knows none", "gives too few", "names tokens by their text", "returns no ids"],
)
async def test_one_that_is_not_certain_to_is_refused_by_name_and_asked_for_nothing(settings: dict[str, Any]) -> None:
    fake = FakeEndpoint(**settings)
    async with engine_of(fake) as engine:
        asked = len(fake.bodies)
        with pytest.raises(Unsupported, match="the openai engine of this deployment gives no log") as refused:
            await ask(engine, SamplingOptions(logprobs=0))
    assert refused.value.field == "sampling.logprobs"
    assert len(fake.bodies) == asked


async def test_one_that_gives_none_although_it_did_is_at_fault() -> None:
    fake = FakeEndpoint(logprobs=20)
    async with engine_of(fake) as engine:
        fake.answers = [JSONResponse({"choices": [{"text": "a", "token_ids": [100], "finish_reason": "length"}]})]
        with pytest.raises(Internal, match="log probabilities"):
            await ask(engine, SamplingOptions(logprobs=0))


def choice(tokens: list[str], top: list[dict[str, float]]) -> CompletionChoice:
    logprobs = {"tokens": tokens, "token_logprobs": [-1.5] * len(tokens), "top_logprobs": top}
    return CompletionChoice.model_validate_json(json.dumps({"logprobs": logprobs}))


def test_what_is_read() -> None:
    beside = {"token_id:7": -1.5, "token_id:8": -0.5, "token_id:9": -1.0}
    found = read_likelihoods(choice(["token_id:7"], [beside]), [7], 2)
    assert found == (Likelihoods(-1.5, ((8, -0.5), (9, -1.0))),)
    assert read_likelihoods(choice(["token_id:7"], [beside]), [7], 0) == (Likelihoods(-1.5, ()),)
    for given, ids, alternatives in (
        (choice(["token_id:7"], [beside]), [8], 2),
        (choice(["token_id:7"], [beside]), [7, 8], 2),
        (choice(["token_id:7"], [beside]), [7], 4),
        (choice(["token_id:7"], []), [7], 0),
        (choice([" a"], [{" a": -1.5}]), [7], 1),
        (choice(["token_id:7"], [{"token_id:7": -1.5, " b": -1.6}]), [7], 2),
        (CompletionChoice(), [7], 0),
    ):
        assert read_likelihoods(given, ids, alternatives) is None
