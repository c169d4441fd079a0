"""What biases and penalties make of the distribution that the engine without a model draws from.

Its logits are the logarithms of its shares. It says the token with the greatest sum of logit and Gumbel noise, which is
each as often as its share says (https://arxiv.org/abs/1411.0030). The noise is drawn such that, without any adjustment,
this is what the engine says anyway: biases and penalties change what they are about, and nothing else.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping

from services.generation.engine import TokenSequence


class SimulatedAdjustments:
    """Of one sequence: counts what its response holds, and chooses its next tokens."""

    def __init__(self, sequence: TokenSequence) -> None:
        self._sampling = sequence.sampling
        self._prompt = frozenset(sequence.prompt)
        self._response = Counter(sequence.response)

    def next(self, plain: int, shares: Mapping[int, float], draw: int) -> int:
        """The token in place of the `plain` one, which is of probability `shares[plain]`; `draw` decides."""
        logits = {token: self._logit(token, math.log(share)) for token, share in shares.items() if share > 0}
        noise = random.Random(draw)
        highest = _gumbel(noise)
        sums = {}
        for token, logit in logits.items():
            base = math.log(shares[token])
            # The plain token has the highest of all sums; those of the others are cut off there.
            found = highest if token == plain else -math.log(math.exp(-highest) + math.exp(-base - _gumbel(noise)))
            sums[token] = found + logit - base
        if self._sampling.temperature and self._sampling.min_p:
            least = max(logits.values()) + math.log(self._sampling.min_p)
            sums = {token: found for token, found in sums.items() if logits[token] >= least}
        chosen = max(sums, key=lambda token: (sums[token], -token))
        self._response[chosen] += 1
        return chosen

    def _logit(self, token: int, logit: float) -> float:
        sampling, times = self._sampling, self._response[token]
        logit += sampling.logit_bias.get(token, 0.0)
        if times or token in self._prompt:
            logit = logit / sampling.repetition_penalty if logit > 0 else logit * sampling.repetition_penalty
        return logit - sampling.frequency_penalty * times - sampling.presence_penalty * (times > 0)


def _gumbel(noise: random.Random) -> float:
    """A number of the standard Gumbel distribution."""
    return -math.log(-math.log(noise.random() or 2**-54))
