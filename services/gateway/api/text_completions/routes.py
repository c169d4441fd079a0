"""`POST /v1/completions`: starts an evolution that continues a prompt, and the caller waits for its answer."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from fastapi import APIRouter, Depends, Request, Response
from sse_starlette import EventSourceResponse

from services.gateway.api.chunks import DONE
from services.gateway.api.deadlines import keepalive_s, with_deadline
from services.gateway.api.openapi import event_stream, failures
from services.gateway.api.progress import ProgressMode, reported
from services.gateway.api.settled import SentBeginning
from services.gateway.api.text_completions import resource
from services.gateway.api.text_completions.conversion import as_asked, evolutions_of
from services.gateway.api.text_completions.requests import CompletionRequest
from services.gateway.api.waiting import Waiting
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import body_of
from services.gateway.edge.lifetime import Lifetime
from services.gateway.edge.middleware import set_evolution_id
from services.gateway.edge.places import open_stream
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.evolutions.acceptance import Acceptance, IdempotencyKey, idempotency_of
from services.gateway.evolutions.service import EvolutionService
from shared.errors import DarwinError, Internal
from shared.records.evolution import Record

log = logging.getLogger(__name__)


class CompletionRoutes:
    """The route of the completions API."""

    def __init__(
        self, acceptance: Acceptance, evolutions: EvolutionService, settings: GatewaySettings, lifetime: Lifetime
    ) -> None:
        self._acceptance = acceptance
        self._evolutions = evolutions
        self._settings = settings
        self._waiting = Waiting(evolutions, settings, lifetime)
        self.router = APIRouter(tags=["completions"], route_class=StrictJsonRoute)
        self.router.add_api_route(
            "/v1/completions",
            self.create,
            methods=["POST"],
            summary="Create a completion",
            response_model=resource.Completion,
            dependencies=[Depends(require_json)],
            responses={
                200: event_stream(
                    "The continuation; with `stream`, chunks.", "CompletionChunk", "ErrorBody", last=DONE
                ),
                **failures(400, 401, 403, 404, 408, 409, 413, 415, 421, 429, 499, 500, 503, 504),
            },
        )

    async def create(
        self, request: Request, body: CompletionRequest, idempotency_key: IdempotencyKey = None
    ) -> resource.Completion | Response:
        """Continues each prompt with the best response that the chosen method finds.

        A prompt is given to the model as it stands, without a chat template, and is never rewritten. Each is an
        evolution of its own; where one of them is refused, the call is, and none goes on.
        """
        evolutions = evolutions_of(body, self._settings)
        if body.stream:
            open_stream(request)
        records: list[Record] = []
        try:
            for part, evolution in enumerate(evolutions):
                timed = with_deadline(evolution, body.darwin, request, self._settings, waits=not body.stream)
                idempotency = idempotency_of(request, idempotency_key, body, part)
                records.append(await self._acceptance.start(request, timed, idempotency))
        except DarwinError as error:
            raise await self._waiting.refused(error, records) from error
        set_evolution_id(request, records[0].id)
        if not body.stream:
            finals = await self._waiting.wait_for_all(request, records)
            try:
                return resource.completion(finals, self._settings)
            except DarwinError as error:
                raise as_asked(error) from None
        include_usage = bool(body.stream_options and body.stream_options.include_usage)
        progress = body.darwin.progress if body.darwin else "on"
        return EventSourceResponse(
            self._stream(records, include_usage, progress),
            ping=keepalive_s(request.headers, self._settings.keepalive_s),
            sep="\n",
            client_close_handler_callable=lambda _: self._waiting.cancel_abandoned(*records),
        )

    async def _stream(
        self, records: Sequence[Record], include_usage: bool, progress: ProgressMode
    ) -> AsyncIterator[str]:
        """Chunks of one evolution after the other, which run side by side."""
        chunks = resource.Chunks(records, self._settings)
        finals = []
        try:
            for part, record in enumerate(records):
                sent = SentBeginning(record)
                async with aclosing(self._waiting.follow(record)) as events:
                    async for event in events:
                        if told := reported(event, progress):
                            yield chunks.progress(part, told)
                        _, text = sent.settled_by(event)
                        for chunk in chunks.settled(part, text):
                            yield chunk
                final = await self._evolutions.load(record.id, record.request.tenant)
                for chunk in chunks.final(part, final, sent):
                    yield chunk
                finals.append(final)
            if include_usage:
                yield chunks.usage(finals)
            yield DONE
        except DarwinError as error:
            await self._waiting.cancel_abandoned(*records[len(finals) + 1 :])
            yield body_of(as_asked(error)).model_dump_json()
        except Exception:
            log.exception("the stream of %s failed", records[0].id)
            await self._waiting.cancel_abandoned(*records[len(finals) + 1 :])
            yield body_of(Internal("the stream failed; the log has the details")).model_dump_json()
