"""What calls that are no searches spend, taken out of the budgets of their callers' API keys."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.gateway.edge.access import Caller
from services.gateway.edge.rates import Quota
from services.gateway.edge.search_times import SearchTimes
from services.gateway.evolutions.admission import Admission
from shared.errors import DarwinError
from shared.records.spending import NOTHING, Spending
from shared.store.charges import Charged, OverBudget
from shared.store.evolutions import Store

log = logging.getLogger(__name__)


@dataclass
class Bill:
    """What a call has spent; whoever spends sets it."""

    spent: Spending = NOTHING


class CallCharges:
    """Sets aside what a call may spend, and settles what it has spent."""

    def __init__(self, admission: Admission, store: Store, times: SearchTimes) -> None:
        self._admission = admission
        self._store = store
        self._times = times

    def check(self, caller: Caller) -> None:
        """Raises `Unsupported` where the caller's key has a budget of money, and nothing has a price here."""
        self._admission.check_money(caller)

    def cost(self, spent: Spending) -> float | None:
        """At this deployment's prices; None where it has none."""
        prices = self._admission.prices
        return prices.cost(spent) if prices else None

    @asynccontextmanager
    async def charged(self, caller: Caller, most: Spending) -> AsyncIterator[Bill]:
        """Within it a call of `caller` may spend: at most, as far as can be told before, so much. What its bill says in
        the end is charged, however it ends; nothing without a key.

        Raises:
            KeyLimit: a budget of the key leaves nothing to spend.
            Unavailable: Redis is away.
        """
        charged, bill = await self._reserve(caller, most), Bill()
        try:
            yield bill
        finally:
            if charged:
                await asyncio.shield(self._settle(charged, bill.spent))

    async def _reserve(self, caller: Caller, most: Spending) -> Charged | None:
        if caller.key is None:
            return None
        at = time.time()
        charged = Charged(uuid.uuid4().hex, caller.key.id, at)
        try:
            await self._store.reserve(charged, caller.key.budgets, most.counted, self._nanos(most))
        except OverBudget as over:
            raise Quota(over.budget, over.standing, at).refusal(self._times.retry_after_s) from None
        return charged

    async def _settle(self, charged: Charged, spent: Spending) -> None:
        try:
            await self._store.settle(charged, spent.counted, self._nanos(spent))
        except DarwinError as error:
            log.warning("%s of the key %s is not charged: %s", spent, charged.api_key_id, error)

    def _nanos(self, spent: Spending) -> int:
        return self._admission.prices.nanos(spent) if self._admission.prices else 0
