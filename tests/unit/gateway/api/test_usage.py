"""`usage`: OpenAI's fields and the cost."""

from typing import Any

import pytest
from openai.types import CompletionUsage

from services.gateway.api import serializers
from services.gateway.config.settings import GatewaySettings
from shared.records.evolution import Choice, EvolutionRequest, Message, Record, Result, Sampling, Seconds, Tokens
from shared.records.search import Search

REQUEST = EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(9), Search(), seed=1)
RECORD = Record("evo_x", 3, "succeeded", 1.0, REQUEST)
ANSWER = Choice("Because.", "stop", 10, 0.5, {}, "Why?", 1, 0)


def usage(tokens: Tokens, **prices: float) -> dict[str, Any]:
    result = Result((ANSWER, ANSWER), None, tokens, Seconds(), rounds=1)
    return serializers.usage(RECORD, result, GatewaySettings(**prices)).model_dump(mode="json")  # type: ignore[arg-type]


@pytest.mark.parametrize(("cached", "expected"), [(0, 0), (15, 15), (21, 21), (5000, 21)])
def test_openais_sdk_reads_it_and_cached_tokens_are_a_part_of_the_prompt(cached: int, expected: int) -> None:
    found = CompletionUsage.model_validate(usage(Tokens(prompt=21, kept=40, cached=cached)))
    assert (found.prompt_tokens, found.completion_tokens, found.total_tokens) == (21, 20, 41)
    assert found.prompt_tokens_details is not None
    assert (found.prompt_tokens_details.cached_tokens, found.prompt_tokens_details.audio_tokens) == (expected, 0)
    assert found.completion_tokens_details is not None
    assert found.completion_tokens_details.reasoning_tokens == 0
    assert found.completion_tokens_details.accepted_prediction_tokens == 0
    assert (found.model_extra or {})["darwin"]["tokens"]["cached"] == cached


def test_cost_is_that_of_every_stage_with_a_price() -> None:
    tokens = Tokens(prompt=1000, mutation=2000, kept=3000, discarded=1000, reward=5000)
    assert usage(tokens, price_prompt=1.0)["cost"] == pytest.approx(0.001)
    assert usage(tokens, price_generation=2.0)["cost"] == pytest.approx(0.008)
    every = usage(tokens, price_prompt=1.0, price_mutation=10.0, price_generation=100.0, price_reward=1000.0)
    assert every["cost"] == pytest.approx(0.001 + 0.02 + 0.4 + 5.0)
    assert usage(tokens, price_reward=0.0)["cost"] == 0.0


def test_without_prices_there_is_no_cost() -> None:
    assert "cost" not in usage(Tokens(prompt=1))
