"""`/v1/batches`, as OpenAI's SDKs call it."""

import time
import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from services.gateway.api.openapi import failures
from services.gateway.batches import bodies as out
from services.gateway.batches.embeddings import EMBEDDINGS
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.middleware import response_headers
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.evolutions.acceptance import REPLAYED_HEADER, IdempotencyKey, idempotency_of
from shared.errors import Conflict, InvalidRequest, NotFound
from shared.records.evolution import Idempotency
from shared.store.batches import Batch, Batches
from shared.store.files import Files
from shared.telemetry.tracing import current_span

_WINDOW_S = 86_400

BatchId = Annotated[str, Path(max_length=256)]


class BatchRoutes:
    """The routes of the batches API."""

    def __init__(self, batches: Batches, files: Files, settings: GatewaySettings) -> None:
        self._batches = batches
        self._files = files
        self._settings = settings
        self.router = APIRouter(tags=["batches"], route_class=StrictJsonRoute)
        add, one = self.router.add_api_route, "/v1/batches/{batch_id}"
        add(
            "/v1/batches",
            self.create,
            methods=["POST"],
            summary="Start a batch",
            dependencies=[Depends(require_json)],
            responses=failures(400, 401, 404, 408, 409, 413, 415, 421, 429, 500, 503),
        )
        reading = failures(400, 401, 404, 421, 429, 500, 503)
        add("/v1/batches", self.listing, methods=["GET"], summary="List batches", responses=reading)
        add(one, self.read, methods=["GET"], summary="Read a batch", responses=reading)
        add(f"{one}/cancel", self.cancel, methods=["POST"], summary="Cancel a batch", responses=reading)

    async def create(
        self, request: Request, body: out.BatchCreate, idempotency_key: IdempotencyKey = None
    ) -> out.BatchObject:
        """Answers every line of a file in turn, while nobody else waits; poll it until it has ended."""
        caller, now = caller_of(request), time.time()
        idempotency = idempotency_of(request, idempotency_key, body)
        batch_id = f"batch_{idempotency.key[:32] if idempotency else uuid.uuid4().hex}"
        if idempotency and (known := await self._known(batch_id, caller.tenant, idempotency)):
            response_headers(request)[REPLAYED_HEADER] = "true"
            return known
        if body.darwin and body.endpoint == EMBEDDINGS:
            raise InvalidRequest("darwin must be left out: embeddings are not searched for", field="darwin")
        after = body.output_expires_after
        ttl_s = after.within(self._settings.file_ttl_s, "output_expires_after.seconds") if after else 0
        try:
            file = await self._files.load(body.input_file_id, caller.tenant)
        except NotFound as error:
            raise InvalidRequest(error.message, field="input_file_id") from None
        if file.purpose != "batch":
            raise InvalidRequest("input_file_id must be a file of purpose batch", field="input_file_id")
        batch = Batch(
            batch_id,
            caller.tenant,
            caller.key.id if caller.key else "",
            body.endpoint,
            file.id,
            now,
            now + _WINDOW_S,
            body.metadata,
            ttl_s,
            current_span(),
            body.darwin.max_generated_tokens if body.darwin else None,
            body.darwin.cycles if body.darwin else 1,
            idempotency.fingerprint if idempotency else "",
        )
        await self._batches.create(batch, self._settings.max_batches)
        # Another call with the same key may have come first.
        return (idempotency and await self._known(batch_id, caller.tenant, idempotency)) or out.BatchObject.of(batch)

    async def _known(self, batch_id: str, tenant: str, idempotency: Idempotency) -> out.BatchObject | None:
        """The batch that an idempotency key stands for already.

        Raises:
            Conflict: the key was used for another request.
        """
        try:
            batch = await self._batches.load(batch_id, tenant)
        except NotFound:
            return None
        if batch.fingerprint != idempotency.fingerprint:
            raise Conflict("the idempotency key was used for another request: choose a new one")
        return out.BatchObject.of(batch)

    async def listing(self, request: Request, query: Annotated[out.BatchQuery, Query()]) -> out.BatchList:
        """The caller's batches, the newest first."""
        found = await self._batches.listed(caller_of(request).tenant, query.after, query.limit + 1)
        page = [out.BatchObject.of(batch) for batch in found[: query.limit]]
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        return out.BatchList(data=page, first_id=first, last_id=last, has_more=len(found) > query.limit)

    async def read(self, request: Request, batch_id: BatchId) -> out.BatchObject:
        """The batch as it stands."""
        return out.BatchObject.of(await self._batches.load(batch_id, caller_of(request).tenant))

    async def cancel(self, request: Request, batch_id: BatchId) -> out.BatchObject:
        """Asks a batch to end; what was answered can be read. One that has ended stays as it is."""
        tenant = caller_of(request).tenant
        await self._batches.load(batch_id, tenant)
        await self._batches.end(batch_id, "cancelled")
        return out.BatchObject.of(await self._batches.load(batch_id, tenant))
