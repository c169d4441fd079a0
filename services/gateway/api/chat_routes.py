"""`POST /v1/chat/completions`: an evolution whose caller waits for the answer."""

import asyncio
import logging
from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, Request, Response
from sse_starlette import EventSourceResponse

from services.gateway.api import chunks, serializers
from services.gateway.api import responses as out
from services.gateway.api.openapi import event_stream, failures, require_json
from services.gateway.api.requests import ChatCompletionRequest
from services.gateway.edge.errors import body_of
from services.gateway.edge.lifetime import Lifetime, until
from services.gateway.edge.strict_json import StrictJsonRoute
from services.gateway.evolutions.acceptance import Acceptance, IdempotencyKey
from services.gateway.evolutions.following import EvolutionService
from services.gateway.settings import GatewaySettings
from shared.errors import Cancelled, DarwinError, DeadlineExceeded, Internal, InvalidRequest, Unavailable
from shared.records.evolution import Ended, Record

log = logging.getLogger(__name__)


class ChatRoutes:
    """The chat API."""

    def __init__(
        self, acceptance: Acceptance, evolutions: EvolutionService, settings: GatewaySettings, lifetime: Lifetime
    ) -> None:
        self._acceptance = acceptance
        self._evolutions = evolutions
        self._settings = settings
        self._lifetime = lifetime
        self.router = APIRouter(tags=["chat"], route_class=StrictJsonRoute)
        self.router.add_api_route(
            "/v1/chat/completions",
            self.create,
            methods=["POST"],
            summary="Create a chat completion",
            response_model=out.ChatCompletion,
            dependencies=[Depends(require_json)],
            responses={
                200: event_stream(
                    "The answer; with `stream`, chunks.", "ChatCompletionChunk", "ErrorBody", last=chunks.DONE
                ),
                **failures(400, 401, 404, 408, 409, 413, 415, 421, 429, 499, 500, 503, 504),
            },
        )

    async def create(
        self, request: Request, body: ChatCompletionRequest, idempotency_key: IdempotencyKey = None
    ) -> out.ChatCompletion | Response:
        """Answers a conversation with the best response that the chosen method finds.

        With `stream`, progress is reported while the search runs, and the text comes once it has ended.
        """
        if body.stream_options and not body.stream:
            raise InvalidRequest("stream_options needs stream: true", field="stream_options")
        record = await self._acceptance.start(request, body, idempotency_key)
        if not body.stream:
            return serializers.chat_completion(await self._answer(request, record))
        include_usage = bool(body.stream_options and body.stream_options.include_usage)
        return EventSourceResponse(
            self._stream(record, include_usage),
            ping=self._settings.keepalive_s,
            sep="\n",
            client_close_handler_callable=lambda _: self._abandon(record),
        )

    async def _answer(self, request: Request, record: Record) -> Record:
        """The finished record; otherwise raises why the caller has to go without."""
        ended = asyncio.ensure_future(self._evolutions.ended(record.id))
        gone = asyncio.ensure_future(_disconnected(request))
        expired = asyncio.ensure_future(self._lifetime.expired.wait())
        waiting = (ended, gone, expired)
        try:
            await asyncio.wait(waiting, timeout=self._settings.max_wait_s, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return ended.result()
            if gone.done():
                await self._abandon(record)
                raise Cancelled("the caller hung up")
            if expired.done():
                raise _stopping(record)
            raise DeadlineExceeded(
                f"no answer within {self._settings.max_wait_s:g} s; the evolution goes on: read "
                f"GET /v1/evolutions/{record.id}, and send long searches to POST /v1/evolutions"
            )
        finally:
            for task in waiting:
                task.cancel()

    async def _stream(self, record: Record, include_usage: bool) -> AsyncIterator[str]:
        try:
            yield chunks.opening(record)
            ended = False
            async for stored in until(self._lifetime.expired, self._evolutions.follow(record.id)):
                ended = isinstance(stored.event, Ended)
                yield chunks.progress(record, stored.event)
            if not ended:
                raise _stopping(record)
            final = await self._evolutions.load(record.id, record.request.tenant)
            for chunk in chunks.answer(final, include_usage):
                yield chunk
        except DarwinError as error:
            yield body_of(error).model_dump_json()
        except Exception:
            log.exception("the stream of %s failed", record.id)
            yield body_of(Internal("the stream failed; the log has the details")).model_dump_json()

    async def _abandon(self, record: Record) -> None:
        """Cancels what nobody waits for; a caller with an idempotency key can come back."""
        if record.idempotency is not None:
            return
        log.info("the caller of %s hung up", record.id)
        try:
            await self._evolutions.cancel(record.id, record.request.tenant, record.request.tenant)
        except DarwinError as error:
            log.warning("%s could not be cancelled: %s", record.id, error)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _stopping(record: Record) -> Unavailable:
    return Unavailable(f"this gateway is stopping; the evolution goes on: read GET /v1/evolutions/{record.id}")
