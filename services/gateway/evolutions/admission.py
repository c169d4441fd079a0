"""Whether a caller may start one more search."""

import time

from services.gateway.edge.access import Caller
from services.gateway.edge.rates import Rate, Rates
from services.gateway.edge.refusals import InsufficientQuota
from services.gateway.evolutions.stages import Stages
from services.gateway.settings import GatewaySettings
from shared.store.evolutions import ActiveLimits, Store

_DAY_S = 86_400


class Admission:
    """The limits of a caller's key and of this deployment; raises `Unavailable` where Redis is away."""

    def __init__(self, store: Store, rates: Rates, stages: Stages, settings: GatewaySettings) -> None:
        self._store = store
        self._rates = rates
        self._stages = stages
        self._settings = settings

    async def count(self, caller: Caller) -> Rate | None:
        """Counts a call against the key's rate; None where it has none."""
        return await self._rates.take(caller.key) if caller.key else None

    async def check(self, caller: Caller) -> None:
        """Whether a new search could run and be paid for.

        Raises:
            Unavailable: a stage is away.
            InsufficientQuota: the key's tokens of this UTC day are used up. What runs already goes on.
        """
        await self._stages.check()
        key = caller.key
        if key is None or key.tokens_per_day is None:
            return
        used = await self._store.tokens_today(key.id)
        if used >= key.tokens_per_day:
            raise InsufficientQuota(
                f"this key's searches have sampled {used} tokens since midnight UTC, its quota is {key.tokens_per_day}",
                _DAY_S - time.time() % _DAY_S,
            )

    def limits(self, caller: Caller) -> ActiveLimits:
        """How many searches may be queued or running once this one is."""
        of_key = caller.key.max_active if caller.key else None
        return ActiveLimits(self._settings.max_active, of_key or self._settings.max_active_per_key)
