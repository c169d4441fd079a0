"""Whether a search may start: the stages it needs are there, and the caller's limits leave room for it."""

import asyncio
import time

from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from services.gateway.edge.rates import Quota, Rate, Rates
from shared.errors import Unavailable
from shared.store.evolutions import ActiveLimits, Store
from shared.store.presence import Presence

# Workers report which stages answer about once a second.
_PRESENCE_TTL_S = 1.0


class StageCheck:
    """Whether every stage that a search needs is there, as the workers report it to Redis.

    The report is read at most once a second, however many calls need it.
    """

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._read: asyncio.Future[list[str]] | None = None
        self._read_at = 0.0

    async def check(self) -> None:
        """Raises `Unavailable` where a stage, or Redis, is away."""
        if away := await self._away():
            raise Unavailable(f"no answer from {', '.join(away)}: searches cannot be started now")

    async def _away(self) -> list[str]:
        read = self._read
        if read is None or (read.done() and (read.exception() or time.monotonic() > self._read_at + _PRESENCE_TTL_S)):
            read = self._read = asyncio.ensure_future(self._presence.away())
            self._read_at = time.monotonic()
        return await asyncio.shield(read)


class Admission:
    """The limits of a caller's API key and of this deployment; its methods raise `Unavailable` where Redis is away."""

    def __init__(self, store: Store, rates: Rates, stages: StageCheck, settings: GatewaySettings) -> None:
        self._store = store
        self._rates = rates
        self._stages = stages
        self._settings = settings

    async def count(self, caller: Caller) -> Rate | None:
        """Counts a call against the key's rate; None where the key has none, or the caller no key."""
        return await self._rates.take(caller.key) if caller.key else None

    async def quota(self, caller: Caller) -> Quota | None:
        """The key's tokens of this UTC day; None where they are not limited. Searches that run already go on."""
        key = caller.key
        if key is None or key.tokens_per_day is None:
            return None
        return Quota(key.tokens_per_day, await self._store.tokens_today(key.id))

    async def check_stages(self) -> None:
        """Raises `Unavailable` where a stage is away."""
        await self._stages.check()

    def limits(self, caller: Caller) -> ActiveLimits:
        """How many searches may be queued or running, the new one included."""
        of_key = caller.key.max_active if caller.key else None
        return ActiveLimits(self._settings.max_active, of_key or self._settings.max_active_per_key)
