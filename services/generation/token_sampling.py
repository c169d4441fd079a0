"""Draws the next token of each row of a batch in the row's own way, from a number between 0 and 1 that it is given."""

import math
import random
from collections.abc import Sequence

import torch

from services.generation.engine import Likelihoods
from services.generation.messages import SamplingOptions

# A temperature below this one makes logits that are no longer finite.
_COLDEST = 0.01
_ALL = 2**31


class TokenSampler:
    """Samples the tokens of a batch whose rows have these options, on a device."""

    def __init__(self, samplings: Sequence[SamplingOptions], device: torch.device | str = "cpu") -> None:
        def column(values: list[float], dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor(values, dtype=dtype, device=device).unsqueeze(1)

        self._greedy = column([s.temperature == 0 for s in samplings], torch.bool)
        self._temperature = column([max(s.temperature, _COLDEST) for s in samplings], torch.float32)
        self._top_k = column([s.top_k or _ALL for s in samplings], torch.long)
        self._top_p = column([s.top_p for s in samplings], torch.float64)
        self._min_p = column([s.min_p for s in samplings], torch.float32)
        # How many tokens need to be ranked where each row has a top_k; ranking a whole vocabulary takes far longer.
        self._most = max((s.top_k or _ALL for s in samplings if s.temperature), default=1)
        self._all_greedy = all(s.temperature == 0 for s in samplings)
        self._all_kept = all(not s.top_k and s.top_p == 1 for s in samplings)
        self._all_likely = all(not s.min_p for s in samplings)

    def tokens(self, logits: torch.Tensor, uniform: Sequence[float]) -> torch.Tensor:
        """The token of each row, shape (rows,), of logits of shape (rows, vocabulary).

        Tokens are in the order of their ids where the numbers are laid against their probabilities: logits that differ
        by rounding, as those of a row alone and in a batch, then give the same token but at the very edges.
        """
        best = logits.argmax(-1)
        if self._all_greedy:
            return best
        probabilities = torch.softmax(logits.float() / self._temperature, -1)
        if not self._all_likely:
            least = self._min_p * probabilities.amax(-1, keepdim=True)
            probabilities = probabilities * (probabilities >= least)
        if not self._all_kept:
            probabilities = self._kept(probabilities)
        sums = probabilities.cumsum(-1, dtype=torch.float64)
        wanted = torch.tensor(uniform, dtype=sums.dtype, device=sums.device).unsqueeze(1) * sums[:, -1:]
        # Where rounding leads behind the last token that is kept, the likeliest is taken.
        drawn = torch.searchsorted(sums, wanted, right=True).clamp(max=logits.shape[-1] - 1)
        drawn = torch.where(probabilities.gather(1, drawn) > 0, drawn, best.unsqueeze(1))
        return torch.where(self._greedy, best.unsqueeze(1), drawn).squeeze(1)

    def _kept(self, probabilities: torch.Tensor) -> torch.Tensor:
        """The `top_k` likeliest, and of these the fewest that make up `top_p`; what is as likely as the last stays."""
        if self._most < probabilities.shape[-1]:
            ranked = probabilities.topk(self._most).values.double()
        else:
            ranked = probabilities.sort(descending=True).values.double()
        ranks = torch.arange(ranked.shape[-1], device=ranked.device)
        ranked = ranked * (ranks < self._top_k)
        share = ranked / ranked.sum(-1, keepdim=True)
        before = share.cumsum(-1) - share
        kept = (ranked > 0) & (before < self._top_p)
        least = ranked.masked_fill(~kept, 1.0).amin(-1, keepdim=True)
        return probabilities * (probabilities.double() >= least)


def likelihoods(
    logits: torch.Tensor, tokens: torch.Tensor, alternatives: Sequence[int | None]
) -> list[list[Likelihoods]]:
    """Of each row the log probabilities of its token and of so many of the likeliest, and its self-certainty, in a
    list; an empty list where its number of `alternatives` is None.

    `logits` have the shape (rows, vocabulary), `tokens` (rows,).
    """
    logprobs = torch.log_softmax(logits.float(), -1)
    chosen = logprobs.gather(1, tokens.unsqueeze(1)).squeeze(1).tolist()
    most = min(max(count or 0 for count in alternatives), logits.shape[-1])
    best = logprobs.topk(most)
    ids, values, certain = best.indices.tolist(), best.values.tolist(), certainties(logprobs).tolist()
    return [
        []
        if count is None
        else [Likelihoods(chosen[row], tuple(zip(ids[row][:count], values[row], strict=False)), certain[row])]
        for row, count in enumerate(alternatives)
    ]


def certainties(logprobs: torch.Tensor) -> torch.Tensor:
    """The self-certainty of each row, see `Likelihoods`, of natural log probabilities of shape (rows, vocabulary).

    Rounding makes a uniform distribution's a little more or less than 0, which it is at least.
    """
    return (-logprobs.mean(-1) - math.log(logprobs.shape[-1])).clamp(min=0.0)


def uniform(seed: int | None, position: int) -> float:
    """A number in [0, 1) for the token at a position; the same each time where there is a seed."""
    return random.random() if seed is None else random.Random(f"{seed} {position}").random()
