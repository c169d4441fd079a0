"""What a search sends and tokenises: the conversation once a call, and with each sequence. `python -m bench.prompts`

32 mutants of a conversation of 100 kB, in rounds of 40 tokens, go through the orchestrator's adapter, gRPC and the
generation service over the simulated engine. Bytes are those of the requests as they arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from services.generation.generator import SequenceGenerator
from services.generation.servicer import GenerationServicer
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.core.values import BASE, Generate
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server

_PERIOD = 40
_ASKED = "How do I learn to swim?"


class CountingEngine(SimulatedEngine):
    """Counts the prompts that it encodes."""

    def __init__(self) -> None:
        super().__init__(response_tokens=0)
        self.info = replace(self.info, context_length=1 << 20)
        self.encoded = 0

    def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        self.encoded += 1
        return super().encode_chat(messages, inputs)


class CountingServicer(GenerationServicer):
    """Counts the bytes of the calls that arrive."""

    received = 0

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        self.received += request.ByteSize()
        async for response in super().Generate(request, context):
            yield response


async def measured(characters: int, mutants: int, rounds: int, apart: bool) -> tuple[float, int, float]:
    """Bytes of a round, prompts encoded in all of them, and seconds."""
    engine = CountingEngine()
    cache_bytes = 0 if apart else 64 * 1024**2
    servicer = CountingServicer(SequenceGenerator(engine, GenerationLimits(), cache_bytes))
    said = (Message("user", "x" * 99 + " "), Message("assistant", "word " * 100)) * (characters // 600)
    messages = (*said, Message("user", _ASKED))
    request = EvolutionRequest(
        "darwin", messages, Sampling(rounds * _PERIOD), Search(mutants=mutants), seed=1, accepted_at=time.time()
    )
    given: dict[int, tuple[int, ...]] = dict.fromkeys(range(BASE, mutants), ())
    server = Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, servicer)
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    async with Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as replicas:
        generator, began = GrpcGenerator(replicas), time.perf_counter()
        for number in range(rounds):
            effects = [
                Generate(1, number, state, f"{_ASKED} {state if state >= 0 else ''}", ids, _PERIOD, 0, 1)
                for state, ids in given.items()
            ]
            async for outcome in generator.generate(effects, request, 600, apart=apart):
                given[outcome.state] += outcome.token_ids
        seconds = time.perf_counter() - began
    await server.stop(0)
    return servicer.received / rounds, engine.encoded, seconds


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=100_000)
    parser.add_argument("--mutants", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    table = Table("conversation", "bytes a round", "prompts encoded", "seconds")
    for name, apart in (("with each sequence, nothing kept", True), ("once a call, prompts kept", False)):
        sent, encoded, seconds = await measured(arguments.characters, arguments.mutants, arguments.rounds, apart)
        table.add_row(name, f"{sent:,.0f}", f"{encoded}", f"{seconds:.2f}")
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
