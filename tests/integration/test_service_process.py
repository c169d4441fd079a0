"""How a service's process lives and ends: calls cancelled, drained, lost; its peers frozen, away and back."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.stack.child import Child
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.core.values import Generate, Generated
from shared import errors
from shared.errors import DarwinError, Unavailable
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.rpc import channel as rpc
from shared.rpc.balancing import Replicas
from shared.rpc.channel import connect, from_rpc_error
from tests.integration.processes import SIMULATED, process, serving

SLOW = {
    "DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "20",
    "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0",
}


def request(tokens: int, count: int = 1) -> pb.GenerateRequest:
    message = pb.GenerateRequest.Message(role="user", content="Describe a walk along a river, at length.")
    sequences = [
        pb.GenerateRequest.Sequence(id=str(i), messages=[message], max_new_tokens=tokens) for i in range(count)
    ]
    return pb.GenerateRequest(sequences=sequences, sampling=pb.GenerateRequest.Sampling(temperature=1.0, top_p=1.0))


async def outcome(call: Any) -> int | DarwinError:
    """How many results a call gave, or the error it ended with."""
    try:
        return len([result async for response in call for result in response.results])
    except grpc.RpcError as error:
        return from_rpc_error(error)


@asynccontextmanager
async def stub_of(child: Child) -> AsyncIterator[Any]:
    async with connect(child.address(60)) as channel:
        await serving(channel)
        yield generation_pb2_grpc.GenerationServiceStub(channel)


async def test_sigterm_lets_calls_end_while_somebody_watches_health(tmp_path: Path) -> None:
    with process("generation", tmp_path, SLOW) as child:
        async with stub_of(child) as stub, connect(child.address(1)) as other:
            watch = health_pb2_grpc.HealthStub(other).Watch(health_pb2.HealthCheckRequest())
            await watch.read()
            under_way = [asyncio.ensure_future(outcome(stub.Generate(request(40)))) for _ in range(3)]
            await asyncio.sleep(0.5)
            child.terminate()
            await asyncio.sleep(0.3)
            late = await outcome(generation_pb2_grpc.GenerationServiceStub(other).Generate(request(1), timeout=5))
            assert isinstance(late, Unavailable)
            assert await asyncio.gather(*under_way) == [1, 1, 1]
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert await watch.read() is grpc.aio.EOF
            assert await asyncio.to_thread(child.wait, 20) == 0


async def test_a_drain_ends_with_its_grace(tmp_path: Path) -> None:
    with process("generation", tmp_path, SLOW | {"DARWIN_DRAIN_SECONDS": "1"}) as child:
        async with stub_of(child) as stub:
            under_way = asyncio.ensure_future(outcome(stub.Generate(request(2000))))
            await asyncio.sleep(0.5)
            child.terminate()
            assert await asyncio.to_thread(child.wait, 20) == 0
            assert isinstance(await under_way, DarwinError)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def asked(tokens: int) -> tuple[list[Generate], EvolutionRequest]:
    messages = (Message("user", "Describe a walk along a river."),)
    effect = Generate(1, 1, 0, messages[0].content, (), tokens, 0, 1)
    return [effect], EvolutionRequest("darwin", messages, Sampling(tokens), Search(), 1, tenant="acme")


async def ended(results: AsyncIterator[Generated]) -> Generated:
    """The one sequence that is asked for, once it is whole."""
    token_ids: tuple[int, ...] = ()
    async for result in results:
        token_ids += result.token_ids
        if not result.partial:
            return replace(result, token_ids=token_ids)
    raise AssertionError("it has no end")


async def test_a_call_made_while_a_service_restarts_waits_for_it(tmp_path: Path) -> None:
    address = free_address()
    env = SLOW | {"DARWIN_GENERATION_LISTEN": address}
    async with connect(address) as channel, Replicas("generation", address, GenerationServiceStub) as replicas:
        generator = GrpcGenerator(replicas)

        async def ask() -> int:
            return len((await ended(generator.generate(*asked(2), timeout_s=30))).token_ids)

        with process("generation", tmp_path, env):
            await serving(channel)
            assert await ask() == 2
        waiting = asyncio.ensure_future(ask())
        await asyncio.sleep(1.5)
        assert not waiting.done()
        with process("generation", tmp_path, env):
            assert await waiting == 2


async def test_a_frozen_service_is_noticed_and_work_goes_on_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 20 seconds; here it is noticed in half of that, which leaves a slow machine time to wake up."""
    assert rpc.PING_EVERY_S + rpc.PONG_WITHIN_S < 20
    monkeypatch.setattr(rpc, "PING_EVERY_S", 1.0)
    monkeypatch.setattr(rpc, "PONG_WITHIN_S", 9.0)
    with process("generation", tmp_path, SLOW) as child:
        address = child.address(30)
        async with connect(address) as channel, Replicas("generation", address, GenerationServiceStub) as replicas:
            await serving(channel)
            generator = GrpcGenerator(replicas)
            under_way = asyncio.ensure_future(ended(generator.generate(*asked(4000), timeout_s=300)))
            await asyncio.sleep(1)
            os.kill(child.pid, signal.SIGSTOP)
            with pytest.raises(Unavailable):
                await asyncio.wait_for(under_way, 60)
            waiting = asyncio.ensure_future(ended(generator.generate(*asked(2), timeout_s=60)))
            await asyncio.sleep(1)
            os.kill(child.pid, signal.SIGCONT)
            assert len((await waiting).token_ids) == 2


@pytest.fixture
def vllm(tmp_path: Path) -> Child:
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    env = SIMULATED | {"DARWIN_GENERATION_ENGINE": "vllm", "DARWIN_GENERATION_LISTEN": "127.0.0.1:0"}
    return Child("generation", [sys.executable, "-m", "tests.integration.failing_engine"], tmp_path, env)


async def test_an_engine_that_fails_takes_its_service_down(vllm: Child) -> None:
    async with stub_of(vllm) as stub, connect(vllm.address(1)) as other:
        watch = health_pb2_grpc.HealthStub(other).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        under_way = asyncio.ensure_future(outcome(stub.Generate(request(400, count=3))))
        told = await asyncio.wait_for(watch.read(), 20)
        assert told.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert isinstance(await under_way, errors.Unavailable)
        assert await asyncio.to_thread(vllm.wait, 20) == 1
        assert "the engine has ended" in vllm.log.read_text()
