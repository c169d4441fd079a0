"""The gRPC edge: parses a call, runs the mutator or the embedder, formats what they give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import cast

import grpc
from opentelemetry import trace

from services.mutation.embedding import Embedder
from services.mutation.messages import (
    AcceptedMutant,
    Mode,
    MutationEvent,
    MutationRequest,
    Reason,
    Rejection,
    TextSource,
)
from services.mutation.mutator import InstructionMutator
from shared.errors import InvalidRequest, Unavailable
from shared.pb import mutation_pb2 as pb
from shared.pb import mutation_pb2_grpc
from shared.records.credit import Credit, Earned
from shared.records.evolution import Message, Role
from shared.rpc.interceptor import time_left
from shared.telemetry.metrics import METER

_CANDIDATES = METER.create_counter(
    "darwin.mutation.candidates", "{candidate}", "Rewrites and templates, by what became of them: why not, or accepted."
)
_WISHES = METER.create_counter(
    "darwin.mutation.wishes.withheld",
    "{wish}",
    "Wishes of reward profiles that no mutant of a call told, since the conversation demands otherwise.",
)
_LOADING = "the mutation service is still loading its encoder"
_SOURCES = {source: f"SOURCE_{source.name}" for source in TextSource}
_MODES = {getattr(pb.MutateRequest, f"MODE_{mode.name}"): mode for mode in Mode}
_REASONS = {reason: f"REASON_{reason.name}" for reason in Reason}


class MutationServicer(mutation_pb2_grpc.MutationServiceServicer):  # type: ignore[misc]  # generated code has no types
    """Serves once `mutator` and `embedder` are set."""

    def __init__(self) -> None:
        self.mutator: InstructionMutator | None = None
        self.embedder: Embedder | None = None

    async def Mutate(  # noqa: N802 - the name in the proto
        self, request: pb.MutateRequest, context: grpc.aio.ServicerContext[pb.MutateRequest, pb.MutateEvent]
    ) -> AsyncIterator[pb.MutateEvent]:
        if self.mutator is None:
            raise Unavailable(_LOADING)
        # A call that is cancelled must free the engine's sequences at once.
        async with aclosing(self.mutator.mutate(_parsed(request), time_left())) as events:
            async for event in events:
                _count(event)
                yield _formatted(event)

    async def Embed(  # noqa: N802 - the name in the proto
        self, request: pb.EmbedRequest, context: grpc.aio.ServicerContext[pb.EmbedRequest, pb.EmbedResponse]
    ) -> pb.EmbedResponse:
        if self.embedder is None:
            raise Unavailable(_LOADING)
        found = await self.embedder.embed(list(request.texts), request.model, request.dimensions, request.cut)
        return pb.EmbedResponse(
            embeddings=[pb.EmbedResponse.Embedding(vector=each.vector, tokens=each.tokens) for each in found],
            model=self.embedder.name,
            width=self.embedder.width,
        )


def _parsed(request: pb.MutateRequest) -> MutationRequest:
    if request.mode not in _MODES:
        raise InvalidRequest(f"mode {request.mode} is unknown", field="mode")
    return MutationRequest(
        messages=tuple(Message(cast(Role, message.role), message.content) for message in request.messages),
        parent=request.parent,
        count=request.count,
        exclude=tuple(request.exclude),
        seed=request.seed if request.HasField("seed") else None,
        cache_salt=request.cache_salt,
        mode=_MODES[request.mode],
        form_fixed=request.form_fixed,
        max_generated_tokens=request.max_generated_tokens if request.HasField("max_generated_tokens") else None,
        credit=_credit(request),
        crossover=tuple(request.crossover),
        refine=request.refine,
        wishes=tuple(request.wishes),
    )


def _credit(request: pb.MutateRequest) -> Credit | None:
    if not request.earned:
        return None
    earned = {name: Earned(each.mean, each.weight) for name, each in request.earned.items()}
    return Credit(earned, request.noise)


def _count(event: MutationEvent) -> None:
    if isinstance(event, AcceptedMutant):
        _CANDIDATES.add(1, {"outcome": "accepted", "source": event.source.name.lower()})
    elif isinstance(event, Rejection):
        _CANDIDATES.add(1, {"outcome": event.reason.name.lower(), "source": "model"})
    else:
        if event.unwritten:
            _CANDIDATES.add(event.unwritten, {"outcome": "unwritten", "source": "model"})
        if event.withheld:
            _WISHES.add(len(event.withheld))
            trace.get_current_span().set_attribute("darwin.wishes.withheld", event.withheld)


def _formatted(event: MutationEvent) -> pb.MutateEvent:
    if isinstance(event, AcceptedMutant):
        mutant = pb.MutateEvent.Mutant(
            text=event.text, operator=event.operator, source=_SOURCES[event.source], similarity=event.similarity
        )
        return pb.MutateEvent(mutant=mutant, generated_tokens=event.generated_tokens)
    if isinstance(event, Rejection):
        rejection = pb.MutateEvent.Rejection(
            text=event.text, operator=event.operator, reason=_REASONS[event.reason], similarity=event.similarity
        )
        return pb.MutateEvent(rejection=rejection, generated_tokens=event.generated_tokens)
    summary = pb.MutateEvent.Summary(
        prompt_tokens=event.prompt_tokens, generated_tokens=event.generated_tokens, withheld=event.withheld
    )
    return pb.MutateEvent(summary=summary)
