"""Delivers webhooks: at least once, by whichever gateway claims a delivery first, until it arrives or is too old."""

import asyncio
import logging
import random
import time

from services.gateway.config.settings import GatewaySettings
from services.gateway.webhooks.events import Notices
from services.gateway.webhooks.sending import NotSent, Sender
from shared.errors import NotFound, Unavailable
from shared.store.webhooks import Delivery, Webhooks
from shared.telemetry.metrics import METER

log = logging.getLogger(__name__)

GIVE_UP_S = 72 * 3600.0
_POLL_S = 0.5
_AT_ONCE = 64
_NOTICES_AT_ONCE = 100
_FIRST_DELAY_S, _MOST_DELAY_S = 5.0, 4 * 3600.0
# Beyond the time that an attempt may take.
_LEASE_RESERVE_S = 30.0
_GONE = 410

_DELIVERIES = METER.create_counter(
    "darwin.webhook.deliveries", "{attempt}", "Attempts of webhooks by outcome: delivered, failed, or dropped for good."
)


def delay_s(attempts: int) -> float:
    """Seconds until the next attempt, after so many have failed: about doubled each time, with jitter."""
    return min(_MOST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(attempts - 1, 20)) * random.uniform(0.75, 1.25)


class Deliverer:
    """Turns notices into deliveries, and attempts those that are due."""

    def __init__(self, webhooks: Webhooks, notices: Notices, settings: GatewaySettings) -> None:
        self._webhooks = webhooks
        self._notices = notices
        self._settings = settings
        self._sender = Sender(settings)
        self._attempts: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Delivers until it is cancelled; what is under way then is attempted again, by any gateway."""
        try:
            while True:
                try:
                    await self.step()
                except Unavailable as error:
                    log.warning("webhooks wait: %s", error)
                except Exception:
                    log.exception("a step of the webhooks failed")
                await asyncio.sleep(_POLL_S)
        finally:
            for attempt in self._attempts:
                attempt.cancel()
            await asyncio.gather(*self._attempts, return_exceptions=True)
            await self._sender.close()

    async def step(self) -> None:
        """Spreads the notices that are there, and begins the attempts that are due."""
        for _ in range(_NOTICES_AT_ONCE):
            if (notice := await self._webhooks.notice()) is None:
                break
            await self._webhooks.spread(notice, await self._deliveries(notice))
        if room := _AT_ONCE - len(self._attempts):
            for delivery in await self._webhooks.claim(room, self._settings.webhook_timeout_s + _LEASE_RESERVE_S):
                attempt = asyncio.ensure_future(self._attempt_logged(delivery))
                self._attempts.add(attempt)
                attempt.add_done_callback(self._attempts.discard)

    async def _deliveries(self, notice: str) -> list[Delivery]:
        try:
            event = await self._notices.event(notice)
        except Unavailable:
            raise
        except Exception:
            # Those behind it go on.
            log.exception("the notice %s makes no event", notice)
            return []
        if event is None:
            return []
        now = time.time()
        return [
            Delivery(f"{event.id}:{endpoint.id}", endpoint.id, event.id, event.type, event.payload, now)
            for endpoint in await self._webhooks.listed(event.tenant)
            if event.type in endpoint.event_types and not endpoint.disabled_at
        ]

    async def _attempt_logged(self, delivery: Delivery) -> None:
        try:
            await self._attempt(delivery)
        except Unavailable as error:
            log.warning("webhook %s is attempted again: %s", delivery.id, error)
        except Exception:
            log.exception("webhook %s is attempted again", delivery.id)

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            endpoint = await self._webhooks.load(delivery.endpoint_id, None)
        except NotFound:
            await self._webhooks.done(delivery.id)
            return
        if endpoint.disabled_at:
            await self._drop(delivery, "its endpoint is disabled")
            return
        status = 0
        try:
            status = await self._sender.post(endpoint, delivery.event_id, delivery.payload)
            outcome = f"status {status}"
        except NotSent as error:
            outcome = str(error)
        if 200 <= status < 300:
            await self._webhooks.done(delivery.id)
            _DELIVERIES.add(1, {"outcome": "delivered"})
            return
        _DELIVERIES.add(1, {"outcome": "failed"})
        next_at = time.time() + delay_s(delivery.attempts + 1)
        if status == _GONE:
            await self._webhooks.disable(endpoint)
        if status == _GONE or next_at > delivery.created_at + GIVE_UP_S:
            await self._drop(delivery, outcome)
            return
        log.info("webhook %s failed, %d attempts so far: %s", delivery.id, delivery.attempts + 1, outcome)
        await self._webhooks.retry(delivery, next_at)

    async def _drop(self, delivery: Delivery, why: str) -> None:
        log.error("webhook %s is dropped: %s", delivery.id, why)
        await self._webhooks.done(delivery.id)
        _DELIVERIES.add(1, {"outcome": "dropped"})
