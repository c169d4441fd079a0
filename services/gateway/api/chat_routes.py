"""`POST /v1/chat/completions`: starts an evolution, and the caller waits for its answer."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter, Depends, Request, Response
from sse_starlette import EventSourceResponse

from services.gateway.api import chunks, serializers
from services.gateway.api import responses as out
from services.gateway.api.deadlines import keepalive_s, with_deadline
from services.gateway.api.openapi import event_stream, failures
from services.gateway.api.progress import ProgressMode, reported
from services.gateway.api.requests import ChatCompletionRequest
from services.gateway.api.settled import SentBeginning
from services.gateway.api.validation import evolution_request
from services.gateway.api.waiting import Waiting
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import body_of
from services.gateway.edge.lifetime import Lifetime
from services.gateway.edge.places import open_stream
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.evolutions.acceptance import Acceptance, IdempotencyKey, idempotency_of
from services.gateway.evolutions.service import EvolutionService
from shared.errors import DarwinError, Internal, InvalidRequest
from shared.records.evolution import Record

log = logging.getLogger(__name__)


class ChatRoutes:
    """The route of the chat API."""

    def __init__(
        self, acceptance: Acceptance, evolutions: EvolutionService, settings: GatewaySettings, lifetime: Lifetime
    ) -> None:
        self._acceptance = acceptance
        self._evolutions = evolutions
        self._settings = settings
        self._waiting = Waiting(evolutions, settings, lifetime)
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
                **failures(400, 401, 403, 404, 408, 409, 413, 415, 421, 429, 499, 500, 503, 504),
            },
        )

    async def create(
        self, request: Request, body: ChatCompletionRequest, idempotency_key: IdempotencyKey = None
    ) -> out.ChatCompletion | Response:
        """Answers a conversation with the best response that the chosen method finds.

        With `stream`, progress is reported while the search runs, and the text comes once it has ended; its beginning
        comes before, with `darwin.stream_settled`. A call that waits, and names no deadline, is answered with the best
        response so far shortly before its client would leave, where the client says when that is
        (`x-stainless-read-timeout`, in seconds, as OpenAI's SDKs send it).
        """
        if body.stream_options and not body.stream:
            raise InvalidRequest("stream_options needs stream: true", field="stream_options")
        if body.stream:
            open_stream(request)
        evolution = with_deadline(
            evolution_request(body, self._settings), body.darwin, request, self._settings, waits=not body.stream
        )
        record = await self._acceptance.start(request, evolution, idempotency_of(request, idempotency_key, body))
        if not body.stream:
            return serializers.chat_completion(await self._waiting.wait(request, record), self._settings)
        include_usage = bool(body.stream_options and body.stream_options.include_usage)
        progress = body.darwin.progress if body.darwin else "on"
        return EventSourceResponse(
            self._stream(record, include_usage, progress),
            ping=keepalive_s(request.headers, self._settings.keepalive_s),
            sep="\n",
            client_close_handler_callable=lambda _: self._waiting.cancel_abandoned(record),
        )

    async def _stream(self, record: Record, include_usage: bool, progress: ProgressMode) -> AsyncIterator[str]:
        sent = SentBeginning(record)
        try:
            yield chunks.first(record)
            async with aclosing(self._waiting.follow(record)) as events:
                async for event in events:
                    if told := reported(event, progress):
                        yield chunks.progress(record, told)
                    for chunk in chunks.settled(record, *sent.settled_by(event)):
                        yield chunk
            final = await self._evolutions.load(record.id, record.request.tenant)
            for chunk in chunks.final(final, include_usage, self._settings, sent):
                yield chunk
        except DarwinError as error:
            yield body_of(error).model_dump_json()
        except Exception:
            log.exception("the stream of %s failed", record.id)
            yield body_of(Internal("the stream failed; the log has the details")).model_dump_json()
