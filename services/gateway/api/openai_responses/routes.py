"""`/v1/responses`: starts responses, and reads, follows and cancels them."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.gateway.api import serializers
from services.gateway.api.deadlines import keepalive_s, with_deadline
from services.gateway.api.openai_responses import events
from services.gateway.api.openai_responses.conversation import as_asked, evolution_of, stored_response
from services.gateway.api.openai_responses.outputs import InputItemList, input_items
from services.gateway.api.openai_responses.requests import InputItemsQuery, ReadQuery, ResponseCreate
from services.gateway.api.openai_responses.resource import DeletedResponse, ModelResponse, response
from services.gateway.api.openapi import event_stream, failures
from services.gateway.api.waiting import Waiting
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.lifetime import Lifetime
from services.gateway.edge.middleware import set_evolution_id
from services.gateway.edge.places import open_stream
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.evolutions.acceptance import Acceptance, IdempotencyKey, idempotency_of
from services.gateway.evolutions.service import EvolutionService
from shared.errors import DarwinError, Internal, InvalidRequest
from shared.records.evolution import Record

log = logging.getLogger(__name__)

ResponseId = Annotated[str, Path(description="`id` of the response.")]
_STREAM = event_stream("The response; with `stream`, its events.", "ResponseEvent")


class ResponseRoutes:
    """The routes of the Responses API."""

    def __init__(
        self, acceptance: Acceptance, evolutions: EvolutionService, settings: GatewaySettings, lifetime: Lifetime
    ) -> None:
        self._acceptance = acceptance
        self._evolutions = evolutions
        self._settings = settings
        self._waiting = Waiting(evolutions, settings, lifetime)
        self.router = APIRouter(tags=["responses"], route_class=StrictJsonRoute)
        one = "/v1/responses/{response_id}"
        reading = failures(400, 401, 404, 421, 429, 500, 503)
        self.router.add_api_route(
            "/v1/responses",
            self.create,
            methods=["POST"],
            summary="Create a response",
            response_model=ModelResponse,
            dependencies=[Depends(require_json)],
            responses={200: _STREAM, **failures(400, 401, 404, 408, 409, 413, 415, 421, 429, 499, 500, 503, 504)},
        )
        self.router.add_api_route(
            one,
            self.read,
            methods=["GET"],
            summary="Read or follow a response",
            response_model=ModelResponse,
            responses={200: _STREAM, **reading},
        )
        self.router.add_api_route(
            one,
            self.delete,
            methods=["DELETE"],
            summary="Delete a response",
            responses=failures(400, 401, 404, 409, 421, 429, 500, 503),
        )
        self.router.add_api_route(
            f"{one}/cancel", self.cancel, methods=["POST"], summary="Cancel a background response", responses=reading
        )
        self.router.add_api_route(
            f"{one}/input_items",
            self.list_input,
            methods=["GET"],
            summary="List what a response was asked",
            responses=reading,
        )

    async def create(
        self, request: Request, body: ResponseCreate, idempotency_key: IdempotencyKey = None
    ) -> ModelResponse | Response:
        """Answers a conversation with the best response that the chosen method finds.

        With `stream`, the text comes as events once the search has ended, or its beginning before, with
        `darwin.stream_settled`. With `background`, the answer comes at once,
        and the response may be polled, followed and cancelled.
        """
        if body.stream:
            open_stream(request)
        tenant = caller_of(request).tenant
        evolution = await evolution_of(body, self._settings, self._evolutions, tenant)
        waits = not (body.stream or body.background)
        evolution = with_deadline(evolution, body.darwin, request, self._settings, waits=waits)
        record = await self._acceptance.start(request, evolution, idempotency_of(request, idempotency_key, body))
        if body.stream:
            return self._streamed(request, record, -1)
        if body.background:
            return response(record, self._settings)
        record = await self._waiting.wait(request, record)
        try:
            serializers.result_of(record)
        except DarwinError as error:
            raise as_asked(error) from None
        return response(record, self._settings)

    async def read(
        self,
        request: Request,
        response_id: ResponseId,
        query: Annotated[ReadQuery, Query()],
    ) -> ModelResponse | Response:
        """The response as it stands, or its events from the beginning or after one of them."""
        record = await self._load(request, response_id)
        if query.stream:
            open_stream(request)
            after = -1 if query.starting_after is None else query.starting_after
            return self._streamed(request, record, after, cancels=False)
        if query.starting_after is not None:
            raise InvalidRequest("starting_after needs stream=true", field="starting_after")
        return response(record, self._settings)

    async def cancel(self, request: Request, response_id: ResponseId) -> ModelResponse:
        """Asks a background response to stop; one that has ended stays as it is. A call counts against the rate of its
        API key.
        """
        await self._acceptance.count(request)
        record = await self._load(request, response_id)
        if not (record.request.response and record.request.response.background):
            raise InvalidRequest("only a response with background: true can be cancelled", field="response_id")
        tenant = caller_of(request).tenant
        return response(await self._evolutions.cancel(record.id, tenant, tenant), self._settings)

    async def delete(self, request: Request, response_id: ResponseId) -> DeletedResponse:
        """Deletes a response that has ended, with its evolution, and all that is recorded of it."""
        record = await self._load(request, response_id)
        await self._evolutions.delete(record)
        return DeletedResponse(id=response_id)

    async def list_input(
        self,
        request: Request,
        response_id: ResponseId,
        query: Annotated[InputItemsQuery, Query()],
    ) -> InputItemList:
        """The messages, calls and outputs that the call itself brought."""
        record = await self._load(request, response_id)
        return input_items(record, query.order == "desc", query.after, query.limit)

    async def _load(self, request: Request, response_id: str) -> Record:
        record = await stored_response(self._evolutions, response_id, caller_of(request).tenant)
        set_evolution_id(request, record.id)
        return record

    def _streamed(self, request: Request, record: Record, after: int, *, cancels: bool = True) -> EventSourceResponse:
        options = record.request.response
        abandons = cancels and not (options and options.background)

        async def hung_up(_: object) -> None:
            if abandons:
                await self._waiting.cancel_abandoned(record)

        return EventSourceResponse(
            self._events(record, after),
            ping=keepalive_s(request.headers, self._settings.keepalive_s),
            sep="\n",
            client_close_handler_callable=hung_up,
        )

    async def _events(self, record: Record, after: int) -> AsyncIterator[ServerSentEvent]:
        opening = events.opening(record, self._settings)
        answer = events.AnswerEvents(record, len(opening))
        try:
            for event in opening:
                if event.sequence_number > after:
                    yield _sent(event)
            async with aclosing(self._waiting.follow(record)) as happened:
                async for each in happened:
                    for event in answer.settled_by(each):
                        if event.sequence_number > after:
                            yield _sent(event)
            final = await self._evolutions.load(record.id, record.request.tenant)
            for event in answer.closing(final, self._settings):
                if event.sequence_number > after:
                    yield _sent(event)
        except DarwinError as error:
            yield _sent(answer.failure(error))
        except Exception:
            log.exception("the stream of %s failed", record.id)
            yield _sent(answer.failure(Internal("the stream failed; the log has the details")))


def _sent(event: events.ResponseEvent) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(event.payload()), event=event.type, sep="\n")
