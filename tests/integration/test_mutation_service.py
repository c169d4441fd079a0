"""The mutation process beside a generation process, over real gRPC."""

from __future__ import annotations

import sys
from array import array
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from cli.stack.child import Child
from services.generation.bootstrap import build_generator
from services.generation.servicer import GenerationServicer
from services.generation.settings import GenerationSettings
from services.generation.simulated_engine import SimulatedEngine
from services.mutation.fidelity import SimulatedFidelity
from services.mutation.language_model import GenerationClient
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import OPERATORS
from services.mutation.servicer import MutationServicer
from services.mutation.templates import TEMPLATES
from shared.errors import DeadlineExceeded, InvalidRequest
from shared.pb import generation_pb2_grpc, mutation_pb2_grpc
from shared.pb import mutation_pb2 as pb
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.rpc.balancing import Replicas
from shared.rpc.channel import connect, from_rpc_error
from shared.rpc.server import Server
from shared.text.embedded_models import EMBEDDED_ENCODER
from shared.text.encoder import copy
from tests.integration.processes import process, serving, until

ORIGINAL = "Name three rivers in Peru and say where each begins."


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    env = {"DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "1000"}
    with process("generation", tmp_path_factory.mktemp("generation"), env) as child:
        yield child.address(30)


@pytest.fixture(scope="module")
def mutation(generation: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    with process("mutation", tmp_path_factory.mktemp("mutation"), {"DARWIN_MUTATION_GENERATION": generation}) as child:
        yield child.address(30)


@pytest.fixture
async def channel(mutation: str) -> AsyncIterator[grpc.aio.Channel]:
    async with connect(mutation) as channel:
        await serving(channel, 30)
        yield channel


def request(count: int = 5) -> pb.MutateRequest:
    messages = [pb.MutateRequest.Message(role="user", content=ORIGINAL)]
    return pb.MutateRequest(messages=messages, parent=ORIGINAL, count=count, seed=1, mode=pb.MutateRequest.MODE_MODEL)


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
    with process("mutation", tmp_path, {"DARWIN_MUTATION_GENERATION": "127.0.0.1:1"}) as child:
        async with connect(child.address(30)) as channel:
            await serving(channel, 30)
            with pytest.raises(DeadlineExceeded):
                await mutate(channel, request(), timeout=1)


async def test_at_its_start_it_measures_how_the_model_rewrites(generation: str, tmp_path: Path) -> None:
    """Every rewrite of the simulated engine is turned down, so templates stay."""
    env = {"DARWIN_MUTATION_GENERATION": generation, "DARWIN_MUTATION_AUTO_SHARE": "0.5"}
    with process("mutation", tmp_path, env) as child:
        await until(lambda: "auto: " in child.log.read_text(), 60)
        said = next(line for line in child.log.read_text().splitlines() if "auto: " in line)
        assert "auto: 0 of 36 rewrites" in said
        assert "templates make mutants" in said


async def test_it_serves_with_its_extra_and_a_small_encoder_alone(tmp_path: Path) -> None:
    """As in its image: no torch, no wheel with a model, weights in float16."""
    copy(tmp_path / EMBEDDED_ENCODER)
    env = {"DARWIN_MUTATION_LISTEN": "127.0.0.1:0", "DARWIN_CACHE_DIR": str(tmp_path)}
    child = Child("mutation", [sys.executable, "-m", "tests.extras", "mutation", "services.mutation"], tmp_path, env)
    try:
        async with connect(child.address(60)) as channel:
            await serving(channel, 60)
            asked = request()
            asked.mode = pb.MutateRequest.MODE_TEMPLATES
            mutants = [event.mutant for event in await mutate(channel, asked) if event.HasField("mutant")]
            texts = [mutant.text for mutant in mutants]
            wanted = pb.EmbedRequest(texts=[ORIGINAL, *texts], model=EMBEDDED_ENCODER, dimensions=384)
            answer = await mutation_pb2_grpc.MutationServiceStub(channel).Embed(wanted, timeout=20)
        assert len(mutants) == 5
        original, *vectors = [array("f", each.vector) for each in answer.embeddings]
        # Callers get the vectors by which mutants were judged.
        for mutant, vector in zip(mutants, vectors, strict=True):
            cosine = sum(a * b for a, b in zip(original, vector, strict=True))
            assert cosine == pytest.approx(mutant.similarity, abs=1e-4)
        assert all(0.7 < mutant.similarity < 0.999 for mutant in mutants)
    finally:
        child.terminate()
        assert child.wait(20) == 0, child.log.read_text()[-2000:]


def test_sigterm_while_the_encoder_loads(tmp_path: Path) -> None:
    with process("mutation", tmp_path, {"DARWIN_MUTATION_ENCODER": EMBEDDED_ENCODER}) as child:
        child.address(30)


async def test_cancelling_a_mutation_frees_the_engines_sequences() -> None:
    engine = SimulatedEngine(tokens_per_second=1)  # they would take a minute and a half
    generation, mutation = Server([]), Server([])
    generator = build_generator(engine, GenerationSettings())
    generation.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, GenerationServicer(generator))
    servicer = MutationServicer()
    mutation.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, servicer)
    generation.set_ready()
    mutation.set_ready()
    async with (
        Replicas("generation", await generation.start("127.0.0.1:0"), GenerationServiceStub) as inner,
        connect(await mutation.start("127.0.0.1:0")) as outer,
    ):
        model = GenerationClient(inner, 0.3)
        servicer.mutator = InstructionMutator(
            model, SimulatedFidelity(), threshold=0.1, operators=tuple(OPERATORS.values()), max_tokens=96
        )
        call = mutation_pb2_grpc.MutationServiceStub(outer).Mutate(request())
        await until(lambda: engine.running == 5, 20)
        call.cancel()
        await until(lambda: engine.running == 0, 20)
    await mutation.stop(0)
    await generation.stop(0)
