"""`POST /v1/embeddings`: the one call that is no search."""

import asyncio

from fastapi import APIRouter, Depends, Request, Response

from services.gateway.api.deadlines import client_timeout_s
from services.gateway.api.embeddings.requests import EmbeddingRequest
from services.gateway.api.embeddings.resource import EmbeddingList, answer
from services.gateway.api.model_names import embedding_model_named
from services.gateway.api.openapi import failures
from services.gateway.api.waiting import wait_for_disconnect
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.lifetime import Lifetime
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.embeddings.embedder import Embeddings
from services.gateway.evolutions.embedding_calls import EmbeddingCall, EmbeddingCalls
from shared.errors import Cancelled, Unavailable


class EmbeddingRoutes:
    """The route of the embeddings API."""

    def __init__(self, calls: EmbeddingCalls, settings: GatewaySettings, lifetime: Lifetime) -> None:
        self._calls = calls
        self._settings = settings
        self._lifetime = lifetime
        self.router = APIRouter(tags=["embeddings"], route_class=StrictJsonRoute)
        self.router.add_api_route(
            "/v1/embeddings",
            self.create,
            methods=["POST"],
            summary="Embed texts",
            response_model=EmbeddingList,
            dependencies=[Depends(require_json)],
            responses=failures(400, 401, 403, 404, 408, 413, 415, 421, 429, 499, 500, 503, 504),
        )

    async def create(self, request: Request, body: EmbeddingRequest) -> Response:
        """Answers texts with their vectors, by the encoder of the mutation service or by the endpoint that this
        deployment names; 404 where it has neither.

        A call counts against the rate of its API key, and its tokens against the key's budgets.
        """
        name = embedding_model_named(body.model, self._settings)
        found = await self._wait(request, EmbeddingCall(name, body.inputs, body.dimensions, self._timeout_s(request)))
        cost = self._calls.cost(found)

        def written() -> str:
            return answer(body, name, found, cost, self._settings).model_dump_json()

        # On a thread: a million numbers take a second. FastAPI would check every one of them once more.
        return Response(await asyncio.to_thread(written), media_type="application/json")

    def _timeout_s(self, request: Request) -> float:
        timeout_s, most_s = client_timeout_s(request.headers), self._settings.max_wait_s
        return most_s if timeout_s is None else min(timeout_s, most_s)

    async def _wait(self, request: Request, call: EmbeddingCall) -> Embeddings:
        embedding = asyncio.ensure_future(self._calls.embed(request, call))
        disconnected = asyncio.ensure_future(wait_for_disconnect(request))
        expired = asyncio.ensure_future(self._lifetime.expired.wait())
        waiting = (embedding, disconnected, expired)
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if embedding.done():
                return embedding.result()
            if disconnected.done():
                raise Cancelled("the caller hung up")
            raise Unavailable("this gateway is stopping: send the call again")
        finally:
            for task in waiting:
                task.cancel()
            # What was set aside for the call is given back before it ends.
            await asyncio.wait((embedding,))
