"""`/v1/evolutions`: starts evolutions without waiting for them, and reads, follows and cancels them."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from pydantic import TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.gateway.api import outside, serializers
from services.gateway.api import responses as out
from services.gateway.api.deadlines import with_deadline
from services.gateway.api.openapi import event_stream, failures, header
from services.gateway.api.requests import EvolutionCreate
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.lifetime import Lifetime, take_until
from services.gateway.edge.middleware import set_evolution_id
from services.gateway.edge.places import open_stream
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.evolutions.acceptance import Acceptance, IdempotencyKey, idempotency_of
from services.gateway.evolutions.service import EvolutionService
from shared.errors import DarwinError
from shared.records.events import Event
from shared.records.evolution import TERMINAL

log = logging.getLogger(__name__)

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)

EvolutionId = Annotated[str, Path(description="As `POST /v1/evolutions` or a header gave it.")]
LastEventId = Annotated[
    str | None,
    Header(pattern=r"^[0-9]{1,19}-[0-9]{1,19}$", description="`id` of the last event seen; events after it follow."),
]


class EvolutionRoutes:
    """The routes of the evolutions API."""

    def __init__(
        self, acceptance: Acceptance, evolutions: EvolutionService, settings: GatewaySettings, lifetime: Lifetime
    ) -> None:
        self._acceptance = acceptance
        self._evolutions = evolutions
        self._settings = settings
        self._lifetime = lifetime
        self.router = APIRouter(tags=["evolutions"], route_class=StrictJsonRoute)
        one = "/v1/evolutions/{evolution_id}"
        self.router.add_api_route(
            "/v1/evolutions",
            self.create,
            methods=["POST"],
            status_code=202,
            summary="Start an evolution",
            dependencies=[Depends(require_json)],
            responses={
                202: {"headers": {"location": header("Where to read the evolution.")}},
                **failures(400, 401, 403, 404, 408, 409, 413, 415, 421, 429, 500, 503),
            },
        )
        self.router.add_api_route(
            one,
            self.read,
            methods=["GET"],
            summary="Read an evolution",
            responses=failures(401, 404, 421, 429, 500, 503),
        )
        self.router.add_api_route(
            one,
            self.cancel,
            methods=["DELETE"],
            summary="Cancel an evolution",
            responses={
                202: {"model": out.Evolution, "description": "It was asked to stop and will be `cancelled`."},
                **failures(401, 404, 421, 429, 500, 503),
            },
        )
        self.router.add_api_route(
            f"{one}/events",
            self.events,
            methods=["GET"],
            response_class=EventSourceResponse,
            summary="Follow an evolution",
            responses={
                200: event_stream("`event` is the type, `id` the position, `data` the event as JSON.", "Event"),
                **failures(400, 401, 404, 421, 429, 500, 503),
            },
        )

    async def create(
        self, request: Request, response: Response, body: EvolutionCreate, idempotency_key: IdempotencyKey = None
    ) -> out.Evolution:
        """Accepts a search and returns at once; poll the resource at `Location`, or follow its events."""
        evolution = with_deadline(
            evolution_request(body, self._settings), body.darwin, request, self._settings, waits=False
        )
        record = await self._acceptance.start(request, evolution, idempotency_of(request, idempotency_key, body))
        response.headers["location"] = f"/v1/evolutions/{record.id}"
        return serializers.evolution(record, caller_of(request).is_operator)

    async def read(self, request: Request, evolution_id: EvolutionId) -> out.Evolution:
        """The evolution as it stands; `result` is null until it has ended."""
        caller = caller_of(request)
        record = await self._evolutions.load(evolution_id, caller.readable_tenant)
        set_evolution_id(request, record.id)
        return serializers.evolution(record, caller.is_operator)

    async def cancel(self, request: Request, response: Response, evolution_id: EvolutionId) -> out.Evolution:
        """Asks a search to stop; one that has ended stays as it is. Calling it again changes nothing.

        A call counts against the rate of its API key.
        """
        caller = caller_of(request)
        await self._acceptance.count(request)
        record = await self._evolutions.cancel(evolution_id, caller.tenant, caller.readable_tenant)
        set_evolution_id(request, record.id)
        response.status_code = 200 if record.status in TERMINAL else 202
        return serializers.evolution(record, caller.is_operator)

    async def events(
        self, request: Request, evolution_id: EvolutionId, last_event_id: LastEventId = None
    ) -> EventSourceResponse:
        """Every event from the beginning, then each as it happens; ends after `evolution.ended`."""
        caller = caller_of(request)
        record = await self._evolutions.load(evolution_id, caller.readable_tenant)
        set_evolution_id(request, record.id)
        open_stream(request)
        return EventSourceResponse(
            self._stream(record.id, last_event_id or "0", caller.is_operator), ping=self._settings.keepalive_s, sep="\n"
        )

    async def _stream(self, evolution_id: str, after: str, operator: bool) -> AsyncIterator[ServerSentEvent]:
        try:
            following = take_until(self._lifetime.stopping, self._evolutions.follow(evolution_id, after))
            async with aclosing(following) as events:
                async for stored in events:
                    event = stored.event if operator else outside.event_of(stored.event, evolution_id)
                    data = _EVENT.dump_json(event).decode()
                    yield ServerSentEvent(data, event=stored.event.type, id=stored.id, sep="\n")
        except DarwinError as error:
            log.warning("the events of %s ended early: %s", evolution_id, error)
