"""Biases and penalties of the engine without a model: exact, from a response's beginning, and nothing beside them."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.simulated_adjustments import SimulatedAdjustments
from services.generation.simulated_engine import SimulatedEngine
from shared.records.formats import ResponseFormat

SHARES = {1: 0.1, 2: 0.4, 3: 0.05, 4: 0.25, 5: 0.2}
WARM = SamplingOptions(1.0)


def sequence(sampling: SamplingOptions, prompt: tuple[int, ...] = (), response: tuple[int, ...] = ()) -> TokenSequence:
    return TokenSequence(prompt + response, 60, sampling, 5, "", len(response))


def found(options: SamplingOptions, prompt: tuple[int, ...], response: tuple[int, ...]) -> Mapping[int, float]:
    """How often each token is chosen where each plain one comes as often as its share says."""
    counts: Counter[int] = Counter()
    plain = [token for token, share in SHARES.items() for _ in range(round(share * 20_000))]
    for draw, token in enumerate(plain):
        counts[SimulatedAdjustments(sequence(options, prompt, response)).next(token, SHARES, draw)] += 1
    return {token: counts[token] / len(plain) for token in SHARES}


@pytest.mark.parametrize(
    "options",
    [
        replace(WARM, logit_bias={2: -100.0, 5: 1.5}),
        replace(WARM, presence_penalty=1.2),
        replace(WARM, frequency_penalty=0.7, presence_penalty=-0.3),
        replace(WARM, repetition_penalty=1.8),
        replace(WARM, repetition_penalty=1.8, frequency_penalty=0.2, logit_bias={4: 2.0}),
    ],
)
def test_tokens_are_as_likely_as_the_formula_says(options: SamplingOptions) -> None:
    prompt, response = (2, 9), (4, 4, 1)
    weights = {}
    for token, share in SHARES.items():
        logit = math.log(share) + options.logit_bias.get(token, 0)
        if token in prompt + response:
            logit = logit / options.repetition_penalty if logit > 0 else logit * options.repetition_penalty
        count = response.count(token)
        weights[token] = math.exp(logit - options.frequency_penalty * count - options.presence_penalty * (count > 0))
    expected = {token: weight / sum(weights.values()) for token, weight in weights.items()}
    assert found(options, prompt, response) == pytest.approx(expected, abs=0.015)


def test_what_is_less_likely_than_min_p_of_the_likeliest_is_not_said() -> None:
    assert found(replace(WARM, min_p=0.6), (), ()) == pytest.approx({1: 0, 2: 0.615, 3: 0, 4: 0.385, 5: 0}, abs=0.015)


def test_adjustments_that_change_nothing_leave_every_token_as_it_is() -> None:
    for draw in range(2000):
        plain = 1 + draw % 5
        assert SimulatedAdjustments(sequence(replace(WARM, min_p=1e-9))).next(plain, SHARES, draw) == plain


def decoded(options: SamplingOptions, pieces: int = 1, **fields: Any) -> tuple[int, ...]:
    engine = SimulatedEngine(response_tokens=15)
    prompt = engine.encode_raw("the river and the sea")
    response: tuple[int, ...] = ()
    for _ in range(pieces):
        wanted = TokenSequence(prompt + response, 60 // pieces, options, 5, "", len(response))
        response += engine._sampled(wanted)[0]
    return response


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize(
    "fields",
    [
        {"presence_penalty": 1.9},
        {"frequency_penalty": 1.5, "repetition_penalty": 1.4},
        {"logit_bias": {7: 4.0, 0: -100.0}, "presence_penalty": 1.0},
        {"min_p": 0.5, "frequency_penalty": 2.0},
        {"ignore_eos": True},
    ],
)
def test_pieces_are_the_same_as_the_whole(temperature: float, fields: dict[str, Any]) -> None:
    options = SamplingOptions(temperature, **({"ignore_eos": True} | fields))
    whole = decoded(options)
    assert len(whole) == 60
    assert decoded(options, pieces=3) == decoded(options, pieces=12) == whole


def test_what_a_token_more_or_less_likely_does_is_seen() -> None:
    plain = decoded(SamplingOptions(0.0, ignore_eos=True))
    assert 0 in plain[:-1]
    assert 0 not in decoded(SamplingOptions(0.0, logit_bias={0: -100.0}))
    assert set(decoded(SamplingOptions(0.0, logit_bias={7: 100.0}))) == {7}
    often = decoded(SamplingOptions(0.0, frequency_penalty=2.0, presence_penalty=2.0, logit_bias={0: -100.0}))
    assert len(set(often)) > len(set(plain))


def test_under_a_format_too() -> None:
    engine = SimulatedEngine()
    if engine.grammars is None:
        pytest.skip("llguidance is not installed")
    letter = engine.info.vocabulary_size - 258 + ord("b")
    options = SamplingOptions(0.0, format=ResponseFormat("regex", "[abc]{12}"), logit_bias={letter: 100.0})
    assert engine.decode(engine._sampled(TokenSequence((1,), 20, options, None))[0]) == "b" * 12
