"""The three stages behind one in-process gRPC server, over simulated engines, and searches that they serve."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.generation.generator import SequenceGenerator
from services.generation.servicer import GenerationServicer
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from services.mutation.fidelity import SimulatedFidelity
from services.mutation.language_model import GenerationClient
from services.mutation.mutator import InstructionMutator
from services.mutation.servicer import MutationServicer
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.adapters.mutation import GrpcMutator
from services.orchestrator.adapters.reward import GrpcScorer
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import EvolutionState
from services.orchestrator.round import RoundExecution
from services.reward.bootstrap import build_rewarder
from services.reward.servicer import RewardServicer
from services.reward.settings import RewardSettings
from shared.pb import generation_pb2_grpc, mutation_pb2_grpc, reward_pb2_grpc
from shared.records.evolution import EvolutionRequest
from shared.records.turns import instruction_of
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server


@dataclass(frozen=True)
class Stages:
    mutator: GrpcMutator
    generator: GrpcGenerator
    scorer: GrpcScorer

    async def searched(self, request: EvolutionRequest) -> EvolutionState:
        """The search from its begin to its end, round by round."""
        evolution, events = machine.begin(config_for(request), instruction_of(request.messages), request.seed)
        while not evolution.finished:
            stages = (self.mutator, self.generator, self.scorer)
            execution = RoundExecution(evolution, events, request, *stages, timeout_s=60)
            await execution.run()
            evolution, events = execution.evolution, ()
        return evolution


@asynccontextmanager
async def stages(
    engine: SimulatedEngine | None = None, prompt_cache_bytes: int = 1 << 24, reward: RewardSettings | None = None
) -> AsyncIterator[Stages]:
    rewarder = build_rewarder(reward or RewardSettings(profiles="simulated"))
    server, mutation = Server([]), MutationServicer()
    generator = SequenceGenerator(engine or SimulatedEngine(), GenerationLimits(), prompt_cache_bytes)
    server.register(
        generation_pb2_grpc.add_GenerationServiceServicer_to_server,
        GenerationServicer(generator),
    )
    server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, mutation)
    server.register(reward_pb2_grpc.add_RewardServiceServicer_to_server, RewardServicer(rewarder))
    await rewarder.start()
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    async with (
        Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as generation,
        Replicas("mutation", address, mutation_pb2_grpc.MutationServiceStub) as mutations,
        Replicas("reward", address, reward_pb2_grpc.RewardServiceStub) as reward,
    ):
        client, fidelity = GenerationClient(generation, 0.3), SimulatedFidelity()
        mutation.mutator = InstructionMutator(client, fidelity, threshold=0.8, operators=(), max_tokens=96)
        yield Stages(GrpcMutator(mutations), GrpcGenerator(generation), GrpcScorer(reward))
    await server.stop(0)
    await rewarder.stop()
