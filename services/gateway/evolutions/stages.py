"""Whether everything that a search needs is there, as the workers report it."""

import asyncio
import time

from shared.errors import Unavailable
from shared.store.presence import Presence

# As often as workers report.
_FRESH_S = 1.0


class Stages:
    """Asks Redis at most once a second, however many calls want to know."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._asked: asyncio.Future[list[str]] | None = None
        self._asked_at = 0.0

    async def check(self) -> None:
        """Raises `Unavailable` where a stage, or Redis, is away."""
        if away := await self._away():
            raise Unavailable(f"no answer from {', '.join(away)}: searches cannot be started now")

    async def _away(self) -> list[str]:
        asked = self._asked
        if asked is None or (asked.done() and (asked.exception() or time.monotonic() > self._asked_at + _FRESH_S)):
            asked = self._asked = asyncio.ensure_future(self._presence.away())
            self._asked_at = time.monotonic()
        return await asyncio.shield(asked)
