"""The events that webhooks tell, as OpenAI's SDKs read them."""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal, get_args

from services.gateway.api.openai_responses.resource import response
from services.gateway.config.settings import GatewaySettings
from shared.errors import NotFound
from shared.store.batches import Batches
from shared.store.evolutions import Store

EventType = Literal[
    "batch.completed",
    "batch.failed",
    "batch.expired",
    "batch.cancelled",
    "response.completed",
    "response.failed",
    "response.cancelled",
    "response.incomplete",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)


@dataclass(frozen=True)
class WebhookEvent:
    """Something of a tenant's that has ended; `about` is its id, `created_at` is in Unix seconds."""

    type: str
    tenant: str
    about: str
    created_at: float

    @property
    def id(self) -> str:
        """The same however often the event is made."""
        return f"evt_{hashlib.sha256(f'{self.type} {self.about}'.encode()).hexdigest()[:32]}"

    @property
    def payload(self) -> str:
        """The body that is signed and sent."""
        return json.dumps(
            {
                "id": self.id,
                "object": "event",
                "created_at": int(self.created_at),
                "type": self.type,
                "data": {"id": self.about},
            },
            separators=(",", ":"),
        )


class Notices:
    """Turns notices of what has ended into events."""

    def __init__(self, batches: Batches, store: Store, settings: GatewaySettings) -> None:
        self._batches = batches
        self._store = store
        self._settings = settings

    async def event(self, notice: str) -> WebhookEvent | None:
        """The event that a notice stands for; None where it is gone, or there is nothing to tell."""
        kind, _, about = notice.partition(" ")
        try:
            event = await (self._of_batch(about) if kind == "batch" else self._of_response(about))
        except NotFound:
            return None
        return event if event.type in EVENT_TYPES else None

    async def _of_batch(self, batch_id: str) -> WebhookEvent:
        batch = await self._batches.load(batch_id, None)
        return WebhookEvent(f"batch.{batch.status}", batch.tenant, batch.id, batch.at.get(batch.status, 0))

    async def _of_response(self, evolution_id: str) -> WebhookEvent:
        record = await self._store.load(evolution_id)
        told = response(record, self._settings)
        ended_at = record.finished_at or record.created_at
        return WebhookEvent(f"response.{told.status}", record.request.tenant, told.id, ended_at)
