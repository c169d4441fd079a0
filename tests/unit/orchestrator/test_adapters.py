"""What the adapters send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest

from services.generation.parsing import request_from_pb
from services.mutation.language_model import GenerationClient, RewritePrompt
from services.orchestrator.adapters.embedding import GrpcEncoder
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.adapters.mutation import GrpcMutator
from services.orchestrator.adapters.reward import GrpcScorer
from services.orchestrator.core.values import BASE, Generate, Mutate, MutationEnded, Score
from shared.errors import ContextLengthExceeded
from shared.pb import generation_pb2 as gpb
from shared.pb import generation_pb2_grpc, mutation_pb2_grpc, reward_pb2_grpc
from shared.pb import mutation_pb2 as mpb
from shared.pb import reward_pb2 as rpb
from shared.records.credit import Credit, Earned
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server

MESSAGES = (Message("user", "Hello"),)
LONG = "long"
REQUEST = EvolutionRequest("darwin", MESSAGES, Sampling(8), Search(), seed=1)


class Recorder(
    generation_pb2_grpc.GenerationServiceServicer,  # type: ignore[misc]
    mutation_pb2_grpc.MutationServiceServicer,  # type: ignore[misc]
    reward_pb2_grpc.RewardServiceServicer,  # type: ignore[misc]
):
    """All three services; notes each call's salt and whether it came with a deadline."""

    def __init__(self) -> None:
        self.salts: list[str] = []
        self.times: list[float] = []
        self.arguments: list[str] = []
        self.deadlines: list[bool] = []
        self.turns: list[list[tuple[str, str]]] = []
        self.scored: list[str] = []
        self.wishes: list[tuple[str, ...]] = []
        self.earned: list[dict[str, tuple[float, float, float]]] = []

    def _note(self, salt: str, context: Any, messages: Any) -> None:
        self.salts.append(salt)
        self.turns.append([(message.role, message.content) for message in messages])
        self.deadlines.append(context.time_remaining() is not None)

    async def GetModel(self, request: gpb.GetModelRequest, context: Any) -> gpb.GetModelResponse:  # noqa: N802
        lacks = ["raw_prompts", "what nobody knows yet"]
        return gpb.GetModelResponse(context_length=64, template_variables=["mood"], lacks=lacks)

    async def Generate(self, request: gpb.GenerateRequest, context: Any) -> AsyncIterator[gpb.GenerateResponse]:  # noqa: N802
        sequences = request_from_pb(request).sequences
        self._note(request.cache_salt, context, sequences[0].messages)
        self.times.append(request.now)
        self.arguments.append(request.template_arguments)
        for sequence in sequences:
            result = gpb.GenerateResult(id=sequence.id, finish_reason=gpb.FINISH_REASON_STOP)
            if sequence.messages[-1].content == LONG:
                usage = gpb.GenerateResult.Usage(prompt_tokens=70)
                result = gpb.GenerateResult(id=sequence.id, finish_reason=gpb.FINISH_REASON_CONTEXT, usage=usage)
            yield gpb.GenerateResponse(results=[result])

    async def Mutate(self, request: mpb.MutateRequest, context: Any) -> AsyncIterator[mpb.MutateEvent]:  # noqa: N802
        self.earned.append({name: (each.mean, each.weight, request.noise) for name, each in request.earned.items()})
        self.wishes.append(tuple(request.wishes))
        self._note(request.cache_salt, context, request.messages)
        yield mpb.MutateEvent(summary=mpb.MutateEvent.Summary(withheld=request.wishes))

    async def Embed(self, request: mpb.EmbedRequest, context: Any) -> mpb.EmbedResponse:  # noqa: N802
        if request.texts[0] == LONG:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "too long")
        return mpb.EmbedResponse(embeddings=[mpb.EmbedResponse.Embedding(vector=request.texts[0].encode(), tokens=1)])

    async def Score(self, request: rpb.ScoreRequest, context: Any) -> rpb.ScoreResponse:  # noqa: N802
        self._note(request.cache_salt, context, request.messages)
        self.scored += [candidate.text for candidate in request.candidates]
        scores = [
            rpb.ScoreResponse.Score(id=candidate.id, abstained="odd", breaks="rules.brief")
            if candidate.text == "zxq"
            else rpb.ScoreResponse.Score(id=candidate.id)
            for candidate in request.candidates
        ]
        return rpb.ScoreResponse(scores=scores)


async def test_every_call_carries_its_tenants_salt_and_a_deadline() -> None:
    tenants = ("", "acme", "other")
    recorder, server = Recorder(), Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, recorder)
    server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, recorder)
    server.register(reward_pb2_grpc.add_RewardServiceServicer_to_server, recorder)
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    async with (
        Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as generation,
        Replicas("mutation", address, mutation_pb2_grpc.MutationServiceStub) as mutation,
        Replicas("reward", address, reward_pb2_grpc.RewardServiceStub) as reward,
    ):
        for tenant in tenants:
            request = replace(REQUEST, tenant=tenant, accepted_at=7.0)
            await drained(GrpcGenerator(generation).generate([Generate(1, 1, 0, "Hello", (), 8, 0, 1)], request, 5))
            wished = replace(request, wishes=("short",) if tenant else ())
            mutated = GrpcMutator(mutation).mutate(Mutate(1, "Hello", 2, (), 1), wished, 5)
            assert [outcome async for outcome in mutated] == [MutationEnded(1, withheld=wished.wishes)]
            scored = GrpcScorer(reward).score([Score(1, 1, 0, "Hi", False), Score(1, 1, 1, "zxq", False)], request, 5)
            assert [(outcome.abstained, outcome.breaks) async for outcome in scored] == [
                ("", ""),
                ("odd", "rules.brief"),
            ]
        own = recorder.salts[::3]
        await drained(GenerationClient(generation, 0.3).rewrite([RewritePrompt(MESSAGES, 8, None)], None, "passed-on"))
    await server.stop(0)
    assert recorder.salts == [salt for salt in own for _ in range(3)] + ["passed-on"]
    assert own[0] == ""
    assert len(set(own)) == 3
    assert recorder.times == [7.0, 7.0, 7.0, 0.0]
    assert recorder.wishes == [(), ("short",), ("short",)]
    assert not any(tenant in salt for tenant, salt in zip(tenants[1:], own[1:], strict=True))
    assert all(recorder.deadlines)


async def test_the_template_is_given_the_callers_arguments() -> None:
    recorder, server = Recorder(), Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, recorder)
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    async with Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as generation:
        generator = GrpcGenerator(generation)
        for arguments in ({}, {"mood": "très gai"}):
            request = replace(REQUEST, template_arguments=arguments)
            await drained(generator.generate([Generate(1, 1, 0, "Hello", (), 8, 0, 1)], request, 5))
        assert await generator.template_variables(5) == {"mood"}
        assert await generator.lacks(5) == {"raw_prompts"}
    await server.stop(0)
    # As it was counted at the door, so that it is not too long behind it.
    assert recorder.arguments == ["", '{"mood": "très gai"}']


async def test_only_the_conversation_itself_must_fit_the_context() -> None:
    server = Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, Recorder())
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    async with Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as generation:
        generator, base = GrpcGenerator(generation), Generate(1, 1, BASE, "Hello", (), 8, 0, 1)
        mutant = Generate(1, 1, 0, LONG, (), 8, 0, 1)
        outcomes = [outcome async for outcome in generator.generate([base, mutant], REQUEST, 5)]
        assert [(outcome.state, outcome.finish) for outcome in outcomes] == [(BASE, "stop"), (0, "context")]
        said = "maximum context length is 64 tokens. However, your messages resulted in 70 tokens"
        with pytest.raises(ContextLengthExceeded, match=said) as refused:
            await drained(generator.generate([replace(base, instruction=LONG)], REQUEST, 5))
        assert refused.value.field == "messages"
    await server.stop(0)


async def test_the_reward_service_is_told_which_responses_may_go_on() -> None:
    heard: list[tuple[str, bool]] = []

    class Listener(Recorder):
        async def Score(self, request: rpb.ScoreRequest, context: Any) -> rpb.ScoreResponse:  # noqa: N802
            heard.extend((candidate.text, candidate.partial) for candidate in request.candidates)
            return await super().Score(request, context)

    server = Server([])
    server.register(reward_pb2_grpc.add_RewardServiceServicer_to_server, Listener())
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    effects = [Score(1, 1, 0, "Hi", False, partial=True), Score(1, 1, 1, "Hi.", False)]
    async with Replicas("reward", address, reward_pb2_grpc.RewardServiceStub) as reward:
        await drained(GrpcScorer(reward).score(effects, REQUEST, 5))
    await server.stop(0)
    assert heard == [("Hi", True), ("Hi.", False)]


async def drained(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


async def test_an_answer_that_was_begun_is_continued_under_each_mutant_and_scored_as_a_whole() -> None:
    recorder, server = Recorder(), Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, recorder)
    server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, recorder)
    server.register(reward_pb2_grpc.add_RewardServiceServicer_to_server, recorder)
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    said = (Message("user", "Why?"), Message("system", "Be brief."), Message("assistant", "It "))
    request = replace(REQUEST, messages=said)
    async with (
        Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as generation,
        Replicas("mutation", address, mutation_pb2_grpc.MutationServiceStub) as mutation,
        Replicas("reward", address, reward_pb2_grpc.RewardServiceStub) as reward,
    ):
        await drained(GrpcGenerator(generation).generate([Generate(1, 1, 0, "Why, please?", (), 4, 0, 1)], request, 5))
        await drained(GrpcMutator(mutation).mutate(Mutate(1, "Why?", 1, (), 1), request, 5))
        await drained(GrpcScorer(reward).score([Score(1, 1, 0, "rains.", True)], request, 5))
    await server.stop(0)
    asked = [("system", "Be brief."), ("user", "Why?")]
    assert recorder.turns == [[("user", "Why, please?"), ("system", "Be brief."), ("assistant", "It ")], asked, asked]
    assert recorder.scored == ["It rains."]


async def test_mutation_is_told_what_was_earned_and_the_encoder_embeds() -> None:
    async def credit_for(request: EvolutionRequest) -> Credit | None:
        return Credit({"shorten": Earned(0.5, 3.0)}, 2.0) if request.search.credit else None

    recorder, server = Recorder(), Server([])
    server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, recorder)
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    async with Replicas("mutation", address, mutation_pb2_grpc.MutationServiceStub) as mutation:
        for credit in (True, False):
            request = replace(REQUEST, search=Search(credit=credit))
            await drained(GrpcMutator(mutation, credit_for).mutate(Mutate(1, "Hello", 1, (), 1), request, 5))
        assert await GrpcEncoder(mutation).vector("Hello", 5) == b"Hello"
        with pytest.raises(ContextLengthExceeded):
            await GrpcEncoder(mutation).vector(LONG, 5)
    await server.stop(0)
    assert recorder.earned == [{"shorten": (0.5, 3.0, 2.0)}, {}]
