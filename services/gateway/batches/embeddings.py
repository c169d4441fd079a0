"""Lines of batches that ask for embeddings: these are no searches, and are answered as they begin."""

import asyncio

from services.gateway.api.embeddings.requests import EmbeddingRequest
from services.gateway.api.embeddings.resource import answer
from services.gateway.api.model_names import embedding_model_named
from services.gateway.batches.lines import Line, succeeded
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from services.gateway.evolutions.embedding_calls import EmbeddingCall, EmbeddingCalls
from shared.store.batches import Batch

EMBEDDINGS = "/v1/embeddings"
# Shorter than a driver keeps a batch without renewing its lease.
_TIMEOUT_S = 20.0


class EmbeddingLines:
    """Answers such lines."""

    def __init__(self, calls: EmbeddingCalls, settings: GatewaySettings) -> None:
        self._calls = calls
        self._settings = settings

    async def answered(self, batch: Batch, number: int, line: Line, caller: Caller) -> str:
        """The line of the output file; raises as the route of embeddings does, and `ValidationError`."""
        body = EmbeddingRequest.model_validate(line.body)
        name = embedding_model_named(body.model, self._settings)
        call = EmbeddingCall(name, body.inputs, body.dimensions, _TIMEOUT_S)
        found = await self._calls.embed_for(caller, {}, call)
        cost = self._calls.cost(found)

        def written() -> str:
            return succeeded(batch, number, line.custom_id, answer(body, name, found, cost, self._settings))

        # On a thread: a million numbers take a second.
        return await asyncio.to_thread(written)
