"""The limits that hold where an evolution is accepted."""

from dataclasses import dataclass

from shared.records.spending import NOTHING, Budget, Spending
from shared.store.fair_queue import EQUAL, Share


@dataclass(frozen=True)
class ActiveLimits:
    """Most evolutions that are queued or running at a time, in all and of one API key; the key's budgets, and what the
    evolution will spend at most, which is reserved for it until it ends. `share` is the key's of what workers can do.

    Of several shards each holds its share of `active`.
    """

    active: int = 10_000
    active_per_key: int = 1_000
    budgets: tuple[Budget, ...] = ()
    estimate: Spending = NOTHING
    share: Share = EQUAL


DEFAULT_LIMITS = ActiveLimits()
