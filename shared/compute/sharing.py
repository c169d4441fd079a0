"""How a budget is shared out where it gains most: step by step, to whomever the next step gains most for its cost.

That is optimal where each one's steps gain less and less (arXiv 2505.12050), and it is what everybody does who goes on
for as long as a step gains more than a common price: the price is what the last bit of the budget gains.
"""

import heapq
import math
from collections.abc import Sequence
from typing import NamedTuple


class Step(NamedTuple):
    """What a step is expected to gain, and what it costs."""

    gain: float
    cost: float

    @property
    def rate(self) -> float:
        return self.gain / self.cost


class Split(NamedTuple):
    """How many steps each one takes, and the gain per cost that a step has at least which is taken."""

    counts: tuple[int, ...]
    price: float


def greedy_split(offers: Sequence[Sequence[Step]], budget: float) -> Split:
    """Shares a budget out over ones who each have steps to take in their order, up to the first that it cannot pay.

    The price is 0 where the budget pays for all.
    """
    counts = [0] * len(offers)
    queue = [(-steps[0].rate, one) for one, steps in enumerate(offers) if steps]
    heapq.heapify(queue)
    while queue:
        rate, one = heapq.heappop(queue)
        step = offers[one][counts[one]]
        if step.cost > budget:
            return Split(tuple(counts), math.nextafter(max(0.0, -rate), math.inf))
        budget -= step.cost
        counts[one] += 1
        if counts[one] < len(offers[one]):
            heapq.heappush(queue, (-offers[one][counts[one]].rate, one))
    return Split(tuple(counts), 0.0)
