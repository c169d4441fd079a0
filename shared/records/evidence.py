"""What the outcomes of a canary show: a confidence sequence for the difference of two means, which may be looked at
after each outcome.

Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2021), theorem 2, the
predictable plug-in empirical Bernstein confidence sequence.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

Verdict = Literal["", "better", "worse"]
N = TypeVar("N", int, float)

_MOST_BET = 0.5


@dataclass(frozen=True)
class Evidence:
    """The outcomes so far, each in [0, 1], of the promoted version and of the canary, in this order in the tuples.

    An outcome y that came with probability p of the canary is weighted by the inverse of its arm's probability, less
    the mean m of those before: (y - m) / p of the canary, (m - y) / (1 - p) else. Its mean is the difference of the
    arms' means whatever m is, and it lies within 1 / min(p, 1 - p) of 0. The sequence is of that, mapped to [0, 1].

    `lower` and `upper` enclose the difference (canary less promoted) after all outcomes at once, with a probability of
    1 - level at least. The first of them to leave 0 out makes the `verdict`, after so many outcomes.
    """

    counts: tuple[int, int] = (0, 0)
    sums: tuple[float, float] = (0.0, 0.0)
    total: float = 0.0
    deviations: float = 0.0
    bets: float = 0.0
    weighted: float = 0.0
    penalty: float = 0.0
    lower: float = -1.0
    upper: float = 1.0
    verdict: Verdict = ""
    after: int = 0

    def __str__(self) -> str:
        difference = "?" if self.difference is None else f"{self.difference:+.3f}"
        return f"difference {difference} [{self.lower:+.3f}, {self.upper:+.3f}] after {self.outcomes} outcomes"

    @property
    def outcomes(self) -> int:
        return sum(self.counts)

    @property
    def difference(self) -> float | None:
        """The difference of the arms' means; None until both have outcomes."""
        if not all(self.counts):
            return None
        return self.sums[1] / self.counts[1] - self.sums[0] / self.counts[0]

    def with_outcome(self, outcome: float, *, canary: bool, share: float, level: float) -> "Evidence":
        """The evidence with one outcome more; `share` is the canary's, and `level` the test's, the same in all calls.

        Raises:
            ValueError: the outcome is not in [0, 1].
        """
        if not 0.0 <= outcome <= 1.0:
            raise ValueError(f"an outcome lies in [0, 1], which {outcome} does not")
        number, rarer = self.outcomes + 1, min(share, 1 - share)
        before = (0.5 + sum(self.sums)) / number
        weighted = (outcome - before) * (1 / share if canary else -1 / (1 - share))
        value = (1 + rarer * weighted) / 2

        mean = (0.5 + self.total) / number
        variance = (0.25 + self.deviations) / number
        log_level = math.log(2 / level)
        bet = min(_MOST_BET, math.sqrt(2 * log_level / (variance * number * math.log(1 + number))))
        total = self.total + value
        bets, products = self.bets + bet, self.weighted + bet * value
        penalty = self.penalty + (value - mean) ** 2 * (-math.log(1 - bet) - bet)

        centre, radius = products / bets, (log_level + penalty) / bets
        arm = int(canary)
        lower = max(self.lower, (2 * (centre - radius) - 1) / rarer)
        upper = min(self.upper, (2 * (centre + radius) - 1) / rarer)
        verdict, after = self.verdict, self.after
        if not verdict and not lower <= 0 <= upper:
            verdict, after = ("better" if lower > 0 else "worse"), number
        return Evidence(
            counts=_added(self.counts, arm, 1),
            sums=_added(self.sums, arm, outcome),
            total=total,
            deviations=self.deviations + (value - (0.5 + total) / (number + 1)) ** 2,
            bets=bets,
            weighted=products,
            penalty=penalty,
            lower=lower,
            upper=upper,
            verdict=verdict,
            after=after,
        )


def _added(pair: tuple[N, N], arm: int, more: N) -> tuple[N, N]:
    return (pair[0], pair[1] + more) if arm else (pair[0] + more, pair[1])
