"""The mutation process beside a generation process, over real gRPC."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.generation.bootstrap import build_generator
from services.generation.servicer import GenerationServicer
from services.generation.settings import GenerationSettings
from services.generation.simulated_engine import SimulatedEngine
from services.mutation.fidelity import SimulatedFidelity
from services.mutation.language_model import GenerationClient
from services.mutation.mutator import Mutator
from services.mutation.operators import OPERATORS
from services.mutation.servicer import MutationServicer
from services.mutation.templates import TEMPLATES
from shared.errors import DeadlineExceeded, InvalidRequest
from shared.pb import generation_pb2_grpc, mutation_pb2_grpc
from shared.pb import mutation_pb2 as pb
from shared.rpc import connect, from_rpc_error
from shared.server import Server
from tests.integration.processes import until

ORIGINAL = "Name three rivers in Peru and say where each begins."


class Child:
    """A service's process on a free port."""

    def __init__(self, service: str, folder: Path, **environment: str) -> None:
        self._ready = folder / f"{service}.json"
        prefix = f"DARWIN_{service.upper()}_"
        own = {prefix + name.upper(): value for name, value in environment.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"services.{service}"],
            env=os.environ | own | {f"{prefix}LISTEN": "127.0.0.1:0", "DARWIN_READY_FILE": str(self._ready)},
        )
        self.address = self._address()

    def _address(self) -> str:
        for _ in range(600):
            if self._ready.exists():
                return str(json.loads(self._ready.read_text())["address"])
            assert self.process.poll() is None, "the process ended before it was bound"
            time.sleep(0.05)
        raise AssertionError("the process did not bind within 30 s")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = Child("generation", tmp_path_factory.mktemp("generation"), engine="simulated")
    yield child
    assert child.stop() == 0


@pytest.fixture(scope="module")
def mutation(generation: Child, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    folder = tmp_path_factory.mktemp("mutation")
    child = Child("mutation", folder, generation=generation.address, encoder="simulated", threshold="0.1")
    yield child
    assert child.stop() == 0


@pytest.fixture
async def channel(mutation: Child) -> AsyncIterator[grpc.aio.Channel]:
    async with connect(mutation.address) as channel:
        await serving(channel)
        yield channel


async def serving(channel: grpc.aio.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="darwin.v1.MutationService"), timeout=30)
    async for response in watch:
        if response.status == health_pb2.HealthCheckResponse.SERVING:
            watch.cancel()
            return


def request(count: int = 5) -> pb.MutateRequest:
    messages = [pb.MutateRequest.Message(role="user", content=ORIGINAL)]
    return pb.MutateRequest(messages=messages, parent=ORIGINAL, count=count, seed=1)


async def mutate(channel: grpc.aio.Channel, message: pb.MutateRequest, timeout: float = 20) -> list[pb.MutateEvent]:
    stub = mutation_pb2_grpc.MutationServiceStub(channel)
    try:
        return [event async for event in stub.Mutate(message, timeout=timeout)]
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


async def test_mutants_rejections_and_one_summary(channel: grpc.aio.Channel) -> None:
    """The simulated engine writes words at random, so every rewrite is turned down and templates fill in."""
    events = await mutate(channel, request())
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["rejection"] * 5 + ["mutant"] * 5 + ["summary"]
    assert all(event.rejection.reason != pb.MutateEvent.REASON_UNSPECIFIED for event in events[:5])
    wrapped = {template.wrap(ORIGINAL): template.name for template in TEMPLATES}
    for event in events[5:10]:
        assert event.mutant.source == pb.MutateEvent.SOURCE_TEMPLATE
        assert wrapped[event.mutant.text] == event.mutant.operator
        assert 0 < event.mutant.similarity <= 1.001
    assert events[-1].summary.prompt_tokens > 0
    assert events[-1].summary.generated_tokens > 0


async def test_the_same_seed_draws_the_same(channel: grpc.aio.Channel) -> None:
    first, second = [await mutate(channel, request()) for _ in range(2)]
    texts = [[event.mutant.text for event in events if event.HasField("mutant")] for events in (first, second)]
    assert texts[0] == texts[1]


async def test_a_wrong_request_names_the_field(channel: grpc.aio.Channel) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await mutate(channel, request(count=65))
    assert raised.value.field == "count"


async def test_generation_away_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    child = Child("mutation", tmp_path, generation="127.0.0.1:1", encoder="simulated")
    try:
        async with connect(child.address) as channel:
            await serving(channel)
            with pytest.raises(DeadlineExceeded):
                await mutate(channel, request(), timeout=1)
    finally:
        assert child.stop() == 0


def test_sigterm_while_the_encoder_loads(tmp_path: Path) -> None:
    child = Child("mutation", tmp_path)
    started = time.monotonic()
    assert child.stop() == 0
    assert time.monotonic() - started < 5


async def test_cancelling_a_mutation_frees_the_engines_sequences_within_a_second() -> None:
    engine = SimulatedEngine(tokens_per_second=5)
    generation, mutation = Server([]), Server([])
    generator = build_generator(engine, GenerationSettings())
    generation.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, GenerationServicer(generator))
    servicer = MutationServicer()
    mutation.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, servicer)
    generation.set_ready()
    mutation.set_ready()
    async with (
        connect(await generation.start("127.0.0.1:0")) as inner,
        connect(await mutation.start("127.0.0.1:0")) as outer,
    ):
        model = GenerationClient(inner, 0.3)
        servicer.mutator = Mutator(
            model, SimulatedFidelity(), threshold=0.1, operators=tuple(OPERATORS.values()), max_tokens=96
        )
        call = mutation_pb2_grpc.MutationServiceStub(outer).Mutate(request())
        await until(lambda: engine.running == 5, 5)
        call.cancel()
        await until(lambda: engine.running == 0, 1)
    await mutation.stop(0)
    await generation.stop(0)
