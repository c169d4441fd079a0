"""Biases and penalties on logits, against the formula that OpenAI and vLLM give, token by token."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from services.generation.engine import TokenSequence
from services.generation.logit_adjustments import Adjustments
from services.generation.messages import SamplingOptions

WIDTH = 12
PROMPT = (3, 3, 5, 99)
RESPONSE = (7, 5, 7)
PLAIN = SamplingOptions()
BIASED = replace(PLAIN, logit_bias={0: 2.5, 7: -100.0})
SAMPLINGS = [
    PLAIN,
    BIASED,
    replace(PLAIN, presence_penalty=1.5),
    replace(PLAIN, frequency_penalty=-0.7),
    replace(PLAIN, repetition_penalty=1.3),
    replace(BIASED, presence_penalty=0.5, frequency_penalty=1.0, repetition_penalty=0.8),
]


def formula(
    logits: list[float], options: SamplingOptions, prompt: tuple[int, ...], said: tuple[int, ...]
) -> list[float]:
    found = []
    for token, given in enumerate(logits):
        logit = given + options.logit_bias.get(token, 0.0)
        if token in prompt or token in said:
            logit = logit / options.repetition_penalty if logit > 0 else logit * options.repetition_penalty
        logit -= options.frequency_penalty * said.count(token) + options.presence_penalty * (token in said)
        found.append(logit)
    return found


def sequences(response: tuple[int, ...] = RESPONSE) -> list[TokenSequence]:
    return [TokenSequence(PROMPT + response, 9, options, None, "", len(response)) for options in SAMPLINGS]


def test_each_row_is_adjusted_in_its_own_way_by_the_formula_while_its_response_grows() -> None:
    torch.manual_seed(2)
    adjust, rows = Adjustments(sequences(), "cpu"), len(SAMPLINGS)
    sampled = torch.tensor([[1, 7, 5]] * rows)
    for steps in range(4):
        logits = torch.randn(rows, WIDTH) * 3
        given = logits.clone()
        found = adjust(logits, sampled[:, :steps])
        said = RESPONSE + tuple(sampled[0, :steps].tolist())
        for row, options in enumerate(SAMPLINGS):
            expected = torch.tensor(formula(given[row].tolist(), options, PROMPT, said))
            torch.testing.assert_close(found[row], expected, rtol=1e-5, atol=1e-5)


def test_a_response_that_is_continued_counts_from_its_beginning() -> None:
    logits, rows = torch.randn(len(SAMPLINGS), WIDTH), len(SAMPLINGS)
    whole = Adjustments(sequences(()), "cpu")
    for steps in range(3):
        whole(logits, torch.tensor([RESPONSE[:steps]] * rows, dtype=torch.long).reshape(rows, steps))
    at_once = whole(logits, torch.tensor([RESPONSE] * rows))
    continued = Adjustments(sequences(), "cpu")(logits, torch.empty(rows, 0, dtype=torch.long))
    assert torch.equal(at_once, continued)


def test_what_is_blocked_stays_blocked() -> None:
    logits = torch.full((len(SAMPLINGS), WIDTH), -torch.inf)
    assert torch.equal(Adjustments(sequences(), "cpu")(logits, torch.empty(len(SAMPLINGS), 0)), logits)


def test_vllms_processor_adjusts_its_rows_wherever_they_move_and_leaves_the_others() -> None:
    pytest.importorskip("vllm")
    from vllm.v1.sample.logits_processor.interface import BatchUpdate, MoveDirectionality

    from services.generation.vllm_penalties import PenaltyProcessor, arguments_of

    processor = PenaltyProcessor(None, torch.device("cpu"), False)
    sampled: list[list[int]] = [[] for _ in SAMPLINGS]
    added: list[Any] = [
        (row, SimpleNamespace(extra_args=arguments_of(each) or None), list(each.token_ids), sampled[row])
        for row, each in enumerate(sequences())
    ]
    processor.update_state(BatchUpdate(len(SAMPLINGS), [], added, []))
    places = list(range(len(SAMPLINGS)))
    for step, token in enumerate((1, 7, 5)):
        if step == 1:
            processor.update_state(BatchUpdate(len(SAMPLINGS), [], [], [(0, 5, MoveDirectionality.SWAP)]))
            places = [5, 1, 2, 3, 4, 0]
        logits = torch.randn(len(SAMPLINGS), WIDTH) * 3
        given = logits.clone()
        found = processor.apply(logits)
        for row, options in enumerate(SAMPLINGS):
            # Biases are vLLM's own.
            unbiased = replace(options, logit_bias={})
            expected = formula(given[places[row]].tolist(), unbiased, PROMPT, RESPONSE + tuple(sampled[row]))
            torch.testing.assert_close(found[places[row]], torch.tensor(expected), rtol=1e-5, atol=1e-5)
        for ids in sampled:
            ids.append(token)
