"""How far rewards are trusted: weights of responses that grow with their rewards, and draws by these.

Source: inference-time pessimism (arXiv 2503.21878). Of N responses with rewards r the weights are the distribution w
that has the greatest expected reward less N * beta / 2 * |w|^2, which is the sparsemax of r / (N * beta). So the best
alone has weight where the others are worse than it by N * beta or more, and all weigh nearly the same where rewards
differ by much less than beta. The best of N, which trusts rewards whatever N is, is what is left with beta = 0.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")

UNITS = 2**53
"""A draw below this, divided by it, is a number in [0, 1), each as likely as any other."""


def weights(rewards: Sequence[float], beta: float) -> tuple[float, ...]:
    """The weight of each reward; none is negative, and they add up to 1. With a `beta` of 0, in units of reward, the
    first of the best has all of it.
    """
    if not rewards:
        return ()
    best = max(rewards)
    scale = len(rewards) * beta
    # Below the best, where every weight is decided: so a shift of all rewards changes nothing.
    below = [(reward - best) / scale if scale else 0.0 for reward in rewards]
    if not scale:
        first = rewards.index(best)
        return tuple(float(index == first) for index in range(len(rewards)))
    bar = _bar(sorted(below, reverse=True))
    return tuple(max(0.0, each - bar) for each in below)


def _bar(descending: Sequence[float]) -> float:
    """The number above which the values lie by 1 in all."""
    for count, total in enumerate(accumulate(descending), 1):
        bar = (total - 1) / count
        if count == len(descending) or descending[count] <= bar:
            return bar
    raise ValueError("there are no values")


def drawn(weights: Sequence[float], unit: float) -> int:
    """The index that a number in [0, 1) draws, each with the chance of its weight, whatever these add up to. Whatever
    has no weight is not drawn.
    """
    reach = unit * sum(weights)
    chosen = 0
    for index, (weight, until) in enumerate(zip(weights, accumulate(weights), strict=True)):
        if weight > 0:
            chosen = index
            if reach < until:
                break
    return chosen


def places(rewards: Sequence[float], beta: float, units: Sequence[float]) -> tuple[int, ...]:
    """Whose response each of the states has after a replacement: its own, where the number in [0, 1) that is its unit
    says so, or another's.

    Over all states, each response is met as often as its weight says, with as few copies as that takes. A state whose
    response is due once or more often keeps it. One whose is due less often keeps it with that chance, and else takes
    one that is due more than once, each as often as it is missing. So nobody takes a response that is worse than its
    own: with a `beta` of 0 all take the best, and the greater it is the more keep their own.
    """
    due = [len(rewards) * weight for weight in weights(rewards, beta)]
    missing = [max(0.0, each - 1) for each in due]
    if not sum(missing):
        return tuple(range(len(rewards)))
    return tuple(
        state if units[state] < share else drawn(missing, (units[state] - share) / (1 - share))
        for state, share in enumerate(due)
    )


def in_drawn_order(
    items: Sequence[T], reward: Callable[[T], float], beta: float, unit: Callable[[int], float]
) -> Iterator[T]:
    """The items, each drawn by its weight among those that are left; `unit` gives a number in [0, 1) for each place."""
    left = list(items)
    place = 0
    while left:
        yield left.pop(drawn(weights([reward(item) for item in left], beta), unit(place)))
        place += 1
