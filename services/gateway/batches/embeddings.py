"""Lines of batches that ask for embeddings: these are no searches, and are answered as they begin."""

import asyncio
import math
import time

from services.gateway.api.embeddings.requests import EmbeddingRequest
from services.gateway.api.embeddings.resource import answer
from services.gateway.api.model_names import embedding_model_named
from services.gateway.batches.lines import Line, succeeded
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from services.gateway.edge.errors import KeyLimit
from services.gateway.evolutions.embedding_calls import EmbeddingCall, EmbeddingCalls
from shared.errors import Overloaded
from shared.store.batches import Batch

EMBEDDINGS = "/v1/embeddings"
# Shorter than a driver keeps a batch without renewing its lease.
_TIMEOUT_S = 20.0
_LONGEST_PAUSE_S = 60.0


class EmbeddingLines:
    """Answers such lines."""

    def __init__(self, calls: EmbeddingCalls, settings: GatewaySettings) -> None:
        self._calls = calls
        self._settings = settings
        self._full_until = -math.inf

    async def answered(self, batch: Batch, number: int, line: Line, caller: Caller) -> str:
        """The line of the output file; raises as the route of embeddings does, and `ValidationError`.

        While what embeds is full and has said until when, it is not asked.
        """
        body = EmbeddingRequest.model_validate(line.body)
        name = embedding_model_named(body.model, self._settings)
        call = EmbeddingCall(name, body.inputs, body.dimensions, _TIMEOUT_S)
        if time.monotonic() < self._full_until:
            raise Overloaded("what embeds is full; come back later")
        try:
            found = await self._calls.embed_for(caller, {}, call)
        except KeyLimit:
            raise
        except Overloaded as full:
            self._full_until = time.monotonic() + min(full.retry_after_s or 0.0, _LONGEST_PAUSE_S)
            raise
        cost = self._calls.cost(found)

        def written() -> str:
            return succeeded(batch, number, line.custom_id, answer(body, name, found, cost, self._settings))

        # On a thread: a million numbers take a second.
        return await asyncio.to_thread(written)
