import pytest
import torch

from services.reward.attention import attend, attend_plainly


def random_part(tokens: int) -> torch.Tensor:
    return torch.randn(2, 3, tokens, 16)


@pytest.mark.parametrize(("before", "causal"), [(0, True), (5, False), (0, False)])
def test_on_a_cpu_it_is_the_definition(before: int, causal: bool) -> None:
    query, part = torch.randn(1, 9, 7, 16), random_part(before + 7)
    mask = torch.full((7, before + 7), -torch.inf).triu_(before + 1) if before else None
    result, score_sum = attend(query, part, mask, causal=causal)
    plain, plain_sum = attend_plainly(query, *part.unsqueeze(1), mask, causal)
    assert torch.allclose(result, plain, atol=1e-5)
    assert torch.allclose(score_sum, plain_sum, atol=1e-5)


def test_two_parts_weighted_by_their_sums_are_the_whole() -> None:
    query, first, second = torch.randn(1, 9, 7, 16), random_part(11), random_part(4)
    whole, whole_sum = attend(query, torch.cat((first, second), 2), None)
    (one, one_sum), (two, two_sum) = (attend(query, part, None) for part in (first, second))
    weights = torch.stack((one_sum, two_sum)).softmax(0).unsqueeze(4)
    assert torch.allclose(weights[0] * one + weights[1] * two, whole, atol=1e-5)
    assert torch.allclose(torch.logaddexp(one_sum, two_sum), whole_sum, atol=1e-5)
