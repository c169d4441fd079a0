"""Calls for embeddings, under the limits that searches are under: models, rates and budgets of API keys."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from services.gateway.edge.access import Caller, caller_of
from services.gateway.edge.middleware import response_headers
from services.gateway.edge.search_times import SearchTimes
from services.gateway.embeddings.embedder import Embedder, Embeddings, TokenIds
from services.gateway.evolutions.admission import Admission
from services.gateway.evolutions.call_charges import CallCharges
from shared.errors import Internal
from shared.records.spending import Spending
from shared.store.evolutions import Store

# What a tokenizer adds to an input by itself.
_ADDED_TOKENS = 2


@dataclass(frozen=True)
class EmbeddingCall:
    """What is embedded, by the model of a known name, within `timeout_s` seconds; `dimensions` is what a vector is to
    have, or None.
    """

    model: str
    inputs: Sequence[str] | Sequence[TokenIds]
    dimensions: int | None
    timeout_s: float


class EmbeddingCalls:
    """Embeds what callers may have embedded, and charges their API keys."""

    def __init__(self, embedder: Embedder | None, admission: Admission, store: Store, times: SearchTimes) -> None:
        self._embedder = embedder
        self._admission = admission
        self._charges = CallCharges(admission, store, times)

    def cost(self, found: Embeddings) -> float | None:
        """At this deployment's prices; None where embeddings have none."""
        prices = self._admission.prices
        return prices.cost(_spent(found.tokens)) if prices and prices.embedding is not None else None

    async def embed(self, request: Request, call: EmbeddingCall) -> Embeddings:
        """Like `embed_for`, for whoever sent a request."""
        return await self.embed_for(caller_of(request), response_headers(request), call)

    async def embed_for(self, caller: Caller, headers: dict[str, str], call: EmbeddingCall) -> Embeddings:
        """The embeddings of the call's inputs; raises as `Embedder.embed` does, and as follows.

        `headers` receives those that tell where the caller's limits stand, also where the call is refused.

        Raises:
            ModelNotAllowed: the API key does not allow the model.
            Overloaded: a limit of the API key is reached.
            Unavailable: Redis is away.
        """
        if self._embedder is None:
            raise Internal("nothing embeds here")
        self._admission.check_model(caller, call.model)
        self._admission.check_money(caller)
        if rate := await self._admission.count(caller):
            headers |= rate.headers
            rate.check()
        if quota := await self._admission.quota(caller, time.time()):
            headers |= quota.headers
        most = _spent(sum(map(_most_tokens, call.inputs)))
        async with self._charges.charged(caller, most) as bill:
            found = await self._embedder.embed(call.inputs, call.dimensions, call.timeout_s)
            bill.spent = _spent(found.tokens)
        return found


def _spent(tokens: int) -> Spending:
    return Spending(embedding=tokens)


def _most_tokens(given: str | TokenIds) -> int:
    """No tokenizer makes more tokens than a text has bytes."""
    return (len(given.encode()) if isinstance(given, str) else len(given)) + _ADDED_TOKENS
