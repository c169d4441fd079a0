"""Evolutions on the generation replicas of a stack: the real core and clients, without gateway, queue and store."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bench.questions import QUESTIONS
from cli.stack import Stack
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.adapters.mutation import GrpcMutator
from services.orchestrator.adapters.reward import GrpcScorer
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import Generated
from services.orchestrator.round import RoundExecution
from shared.errors import DarwinError
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.pb.mutation_pb2_grpc import MutationServiceStub
from shared.pb.reward_pb2_grpc import RewardServiceStub
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.records.turns import instruction_of
from shared.rpc.balancing import Replicas
from shared.rpc.balancing.choice import choose
from shared.rpc.balancing.replicas import Choose
from shared.telemetry import tracing

_TIMEOUT_S = 300.0
_WORDS = " ".join(QUESTIONS).split()


@dataclass
class WorkloadTally:
    """What the engines did: tokens given and found in their prefix caches, tokens sampled, calls that failed."""

    evolutions: int = 0
    seconds: float = 0.0
    given: int = 0
    cached: int = 0
    sampled: int = 0
    failed: int = 0

    @property
    def hit_rate(self) -> float:
        return self.cached / self.given if self.given else 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.sampled / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class DocumentShape:
    """What an evolution is: a document of so many words that nobody else asks about, and how it is searched."""

    document_words: int = 300
    max_tokens: int = 80
    period: int = 20


class Workload:
    """A steady number of evolutions: as one ends, the next begins."""

    def __init__(
        self, stages: tuple[GrpcMutator, GrpcGenerator, GrpcScorer], shape: DocumentShape, concurrent: int
    ) -> None:
        self._mutator, self._generator, self._scorer = stages
        self._shape = shape
        self._concurrent = concurrent
        self.tally = WorkloadTally()
        self.stopping = False

    async def run(self, evolutions: int) -> WorkloadTally:
        """So many, or until `stopping`."""
        began, left = time.perf_counter(), iter(range(evolutions))

        async def take() -> None:
            for _ in left:
                if self.stopping:
                    return
                await self._evolve()

        await asyncio.gather(*(take() for _ in range(self._concurrent)))
        self.tally.seconds = time.perf_counter() - began
        return self.tally

    async def _evolve(self) -> None:
        request, evolution_id = self._request(), f"evo_{uuid.uuid4().hex}"
        evolution, _ = machine.begin(config_for(request), instruction_of(request.messages), request.seed)
        with tracing.use_context(None, evolution_id):
            while not evolution.finished:
                round_ = RoundExecution(
                    evolution, (), request, self._mutator, self._generator, self._scorer, _TIMEOUT_S
                )
                try:
                    await round_.run()
                except DarwinError as error:
                    print(f"a call failed: {type(error).__name__}: {error.message}")
                    self.tally.failed += 1
                for outcome in round_.journal.outcomes:
                    if isinstance(outcome, Generated):
                        self.tally.given += outcome.prompt_tokens
                        self.tally.cached += outcome.cached_tokens
                        self.tally.sampled += outcome.generated_tokens
                evolution = round_.evolution
        self.tally.evolutions += 1

    def _request(self) -> EvolutionRequest:
        document = " ".join(random.choices(_WORDS, k=self._shape.document_words))
        messages = (
            Message("system", "You answer questions about documents, briefly and truly."),
            Message("user", f"{document}\n\n{random.choice(QUESTIONS)}"),
        )
        search = Search(period=self._shape.period, mutation="templates")
        return EvolutionRequest(
            "darwin", messages, Sampling(self._shape.max_tokens), search, seed=random.getrandbits(31)
        )


@asynccontextmanager
async def workload(
    stack: Stack, shape: DocumentShape, concurrent: int, choose: Choose = choose
) -> AsyncIterator[tuple[Workload, Replicas[GenerationServiceStub]]]:
    """One on this stack, and the generation replicas it calls."""
    async with AsyncExitStack() as resources:

        async def replicas(stage: str, stub: type, choose: Choose = choose) -> Replicas[GenerationServiceStub]:
            target = ",".join(address for name, address in stack.addresses.items() if name.partition("-")[0] == stage)
            return await resources.enter_async_context(Replicas(stage, target, stub, choose=choose))

        generation = await replicas("generation", GenerationServiceStub, choose)
        while len(generation.members.serving) < 3:  # noqa: ASYNC110 - as the stack was, when it was ready
            await asyncio.sleep(0.05)
        mutation = await replicas("mutation", MutationServiceStub, choose)
        reward = await replicas("reward", RewardServiceStub, choose)
        stages = GrpcMutator(mutation), GrpcGenerator(generation), GrpcScorer(reward)
        yield Workload(stages, shape, concurrent), generation
