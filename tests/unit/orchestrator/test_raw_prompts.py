"""A raw prompt reaches the generation service as it stands, and the text of token ids is read by their service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from services.generation.messages import RawPrompt as ServedPrompt
from services.generation.parsing import request_from_pb
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.core.values import BASE, Generate
from shared.errors import ContextLengthExceeded, InvalidRequest
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import EvolutionRequest, Message, RawPrompt, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server

REQUEST = EvolutionRequest("darwin", (Message("user", "Once"),), Sampling(8), Search(), seed=1, raw_prompt=RawPrompt())
FULL = 9


class Listener(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]
    def __init__(self) -> None:
        self.heard: list[pb.GenerateRequest] = []

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:  # noqa: N802
        return pb.GetModelResponse(context_length=64)

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        self.heard.append(request)
        for sequence in request.sequences:
            full = FULL in request.raw_prompt.token_ids
            finish = pb.FINISH_REASON_CONTEXT if full else pb.FINISH_REASON_STOP
            usage = pb.GenerateResult.Usage(prompt_tokens=70)
            yield pb.GenerateResponse(results=[pb.GenerateResult(id=sequence.id, finish_reason=finish, usage=usage)])

    async def Decode(self, request: pb.DecodeRequest, context: Any) -> pb.DecodeResponse:  # noqa: N802
        if max(request.token_ids) > FULL:
            raise InvalidRequest("no such token", field="prompt")
        return pb.DecodeResponse(text=" ".join(f"token{token}" for token in request.token_ids))


async def test_a_raw_prompt_is_sent_as_it_stands() -> None:
    listener, server = Listener(), Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, listener)
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    base = [Generate(0, 0, BASE, "Once", (), 8, 0, 1)]
    by_ids = replace(REQUEST, raw_prompt=RawPrompt((5, 6)))
    async with Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as replicas:
        generator = GrpcGenerator(replicas)
        for request in (REQUEST, by_ids, replace(REQUEST, raw_prompt=None)):
            assert len([outcome async for outcome in generator.generate(base, request, 5)]) == 1
        with pytest.raises(ContextLengthExceeded, match="your prompt resulted in 70 tokens") as full:
            [_ async for _ in generator.generate(base, replace(REQUEST, raw_prompt=RawPrompt((FULL,))), 5)]
        assert full.value.field == "prompt"
        assert await generator.text_of((5, 6), 5) == "token5 token6"
        with pytest.raises(InvalidRequest, match="no such token") as refused:
            await generator.text_of((FULL + 1,), 5)
        assert refused.value.field == "prompt"
    await server.stop(0)
    text, ids, chat = (request_from_pb(request).sequences[0] for request in listener.heard[:3])
    assert (text.raw_prompt, text.messages) == (ServedPrompt("Once"), ())
    assert (ids.raw_prompt, ids.messages) == (ServedPrompt("", (5, 6)), ())
    assert (chat.raw_prompt, [message.content for message in chat.messages]) == (None, ["Once"])
