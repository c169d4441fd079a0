"""The generation stage behind gRPC in this process, over an engine that takes its time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.generation.generator import SequenceGenerator
from services.generation.servicer import GenerationServicer
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from services.orchestrator.adapters.generation import GrpcGenerator
from shared.pb.generation_pb2_grpc import GenerationServiceStub, add_GenerationServiceServicer_to_server
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server
from tests.integration.processes import until


@asynccontextmanager
async def simulated_generation(tokens_per_second: float) -> AsyncIterator[GrpcGenerator]:
    """Responses are as long as they may be. At the end nothing is being decoded any more."""
    engine, server = SimulatedEngine(tokens_per_second, response_tokens=0), Server([])
    servicer = GenerationServicer(SequenceGenerator(engine, GenerationLimits()))
    server.register(add_GenerationServiceServicer_to_server, servicer)
    server.set_ready()
    async with Replicas("generation", await server.start("127.0.0.1:0"), GenerationServiceStub) as replicas:
        yield GrpcGenerator(replicas)
        await until(lambda: engine.running == 0, 20)
    await server.stop(0)
