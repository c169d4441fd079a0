"""The conversation travels once a call, and with each sequence to a service that knows it in no other way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.core.values import BASE, Generate
from shared.errors import InvalidRequest
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import EvolutionRequest, Message, RawPrompt, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server

SAID = (Message("system", "Be kind."), Message("user", "Why?"))
REQUEST = EvolutionRequest("darwin", SAID, Sampling(8), Search(), seed=1)
EFFECTS = [Generate(1, 1, state, text, (), 4, 0, 1) for state, text in ((BASE, "Why?"), (0, "Why, please?"), (1, "Y"))]


class Listener(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]
    def __init__(self, fails: InvalidRequest | None = None) -> None:
        self.heard: list[pb.GenerateRequest] = []
        self._fails = fails

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        self.heard.append(request)
        self.check(request)
        for sequence in request.sequences:
            result = pb.GenerateResult(id=sequence.id, finish_reason=pb.FINISH_REASON_STOP)
            yield pb.GenerateResponse(results=[result])

    def check(self, request: pb.GenerateRequest) -> None:
        if self._fails:
            raise self._fails


class OfBefore(Listener):
    """Knows none of the fields by which a call carries its prompt once."""

    def check(self, request: pb.GenerateRequest) -> None:
        for index, sequence in enumerate(request.sequences):
            if not sequence.messages and not sequence.HasField("raw_prompt"):
                raise InvalidRequest("a conversation needs at least one message", field=f"sequences[{index}].messages")


async def states_of(listener: Listener, request: EvolutionRequest = REQUEST) -> list[int]:
    server = Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, listener)
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    try:
        async with Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as replicas:
            return [outcome.state async for outcome in GrpcGenerator(replicas).generate(EFFECTS, request, 5)]
    finally:
        await server.stop(0)


async def test_a_call_carries_the_conversation_once_and_each_mutants_instruction() -> None:
    listener = Listener()
    assert await states_of(listener) == [BASE, 0, 1]
    [call] = listener.heard
    assert [message.content for message in call.conversation.messages] == ["Be kind.", "Why?"]
    assert call.conversation.instruction == 1
    sent = [one.instruction if one.HasField("instruction") else None for one in call.sequences]
    assert sent == [None, "Why, please?", "Y"]
    assert not any(sequence.messages for sequence in call.sequences)


@pytest.mark.parametrize("raw", [None, RawPrompt(), RawPrompt((5, 6))])
async def test_a_service_of_before_gets_it_with_each_sequence(raw: RawPrompt | None) -> None:
    listener = OfBefore()
    assert await states_of(listener, replace(REQUEST, messages=SAID[1:], raw_prompt=raw)) == [BASE, 0, 1]
    _, apart = listener.heard
    assert not apart.HasField("conversation")
    assert not apart.HasField("raw_prompt")
    if raw is None:
        assert [one.messages[-1].content for one in apart.sequences] == ["Why?", "Why, please?", "Y"]
    else:
        assert all(one.HasField("raw_prompt") and not one.messages for one in apart.sequences)


async def test_another_refusal_is_not_asked_again() -> None:
    refusal = InvalidRequest("a conversation has at most 5 characters", field="sequences[0].messages")
    listener = Listener(refusal)
    with pytest.raises(InvalidRequest) as refused:
        await states_of(listener)
    assert (refused.value.field, len(listener.heard)) == ("messages", 1)
