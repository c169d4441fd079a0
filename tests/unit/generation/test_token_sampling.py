import math

import pytest
import torch

from services.generation.messages import SamplingOptions
from services.generation.token_sampling import TokenSampler, likelihoods, uniform

LOGITS = torch.log(torch.tensor([0.1, 0.4, 0.05, 0.25, 0.2]))


def drawn(sampling: SamplingOptions, numbers: list[float]) -> list[int]:
    draws = TokenSampler([sampling] * len(numbers))
    return draws.tokens(LOGITS.expand(len(numbers), -1), numbers).tolist()


def shares(sampling: SamplingOptions) -> list[float]:
    """Of each token among evenly spread numbers."""
    count = 2000
    tokens = drawn(sampling, [(i + 0.5) / count for i in range(count)])
    return [tokens.count(token) / count for token in range(len(LOGITS))]


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (SamplingOptions(1.0), [0.1, 0.4, 0.05, 0.25, 0.2]),
        (SamplingOptions(1.0, top_k=2), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        (SamplingOptions(1.0, top_k=99), [0.1, 0.4, 0.05, 0.25, 0.2]),
        (SamplingOptions(1.0, top_p=0.6), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        (SamplingOptions(1.0, top_p=0.01), [0, 1, 0, 0, 0]),
        # Of the three likeliest, the fewest that make up half of what these three have.
        (SamplingOptions(1.0, top_p=0.5, top_k=3), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        (SamplingOptions(1.0, min_p=0.45), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]),
        (SamplingOptions(1.0, min_p=1.0), [0, 1, 0, 0, 0]),
        # The likely ones first, and of these the fewest that make up top_p.
        (SamplingOptions(1.0, top_p=0.6, min_p=0.55), [0, 1, 0, 0, 0]),
        (SamplingOptions(0.5), [0.01 / 0.275, 0.16 / 0.275, 0.0025 / 0.275, 0.0625 / 0.275, 0.04 / 0.275]),
        (SamplingOptions(0.0), [0, 1, 0, 0, 0]),
        (SamplingOptions(1e-9), [0, 1, 0, 0, 0]),
    ],
)
def test_tokens_are_drawn_as_often_as_the_sampling_says(sampling: SamplingOptions, expected: list[float]) -> None:
    assert shares(sampling) == pytest.approx(expected, abs=1e-3)


def test_each_row_of_a_batch_is_drawn_in_its_own_way() -> None:
    samplings = [
        SamplingOptions(0.0),
        SamplingOptions(1.0),
        SamplingOptions(1.0, top_k=2),
        SamplingOptions(1.0, top_p=0.3),
        SamplingOptions(2.0),
    ]
    numbers = [0.99, 0.99, 0.99, 0.99, 0.3]
    alone = [TokenSampler([s]).tokens(LOGITS.unsqueeze(0), [n]).item() for s, n in zip(samplings, numbers, strict=True)]
    together = TokenSampler(samplings).tokens(LOGITS.expand(len(samplings), -1), numbers).tolist()
    assert together == alone == [1, 4, 3, 1, 1]


@pytest.mark.parametrize("number", [0.0, 1.0 - 2**-53])
@pytest.mark.parametrize(
    "sampling", [SamplingOptions(1.0), SamplingOptions(1.0, top_k=2), SamplingOptions(1.0, top_p=0.6)]
)
def test_the_edges_give_a_token_that_is_kept(sampling: SamplingOptions, number: float) -> None:
    (token,) = drawn(sampling, [number])
    assert shares(sampling)[token] > 0


def test_rounding_of_logits_leaves_the_token_as_it_is() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(32, 20_000, generator=generator) * 3
    noise = torch.randn(logits.shape, generator=generator) * 1e-6
    samplings = [SamplingOptions(1.0, top_p=0.95, top_k=(0, 40)[i % 2]) for i in range(32)]
    numbers = [uniform(7, i) for i in range(32)]
    draws = TokenSampler(samplings)
    assert (draws.tokens(logits, numbers) == draws.tokens(logits + noise, numbers)).float().mean() > 0.95


def test_numbers_depend_on_seed_and_position() -> None:
    assert uniform(1, 5) == uniform(1, 5)
    assert len({uniform(1, 5), uniform(1, 6), uniform(2, 5), uniform(None, 5), uniform(None, 5)}) == 5
    assert sum(uniform(3, position) for position in range(2000)) / 2000 == pytest.approx(0.5, abs=0.03)


def test_log_probabilities_are_of_the_logits_as_they_came() -> None:
    logits = LOGITS.expand(3, -1) + 5.0
    none, plain, some = likelihoods(logits, torch.tensor([1, 2, 0]), [None, 0, 3])
    assert none == []
    [(unlikely, alternatives, _)] = plain
    assert (unlikely, alternatives) == (pytest.approx(math.log(0.05), abs=1e-5), ())
    [(chosen, top, _)] = some
    assert chosen == pytest.approx(math.log(0.1), abs=1e-5)
    assert [token for token, _ in top] == [1, 3, 4]
    assert [logprob for _, logprob in top] == pytest.approx([math.log(p) for p in (0.4, 0.25, 0.2)], abs=1e-5)
    assert len(likelihoods(logits, torch.tensor([1, 2, 0]), [20, 20, 20])[0][0].top) == len(LOGITS)
