"""Mutual TLS between real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from cli.certs import write
from cli.stack import Stack, StackSettings
from cli.stack.child import Child, ChildFailed
from shared.errors import Unavailable
from shared.pb import generation_pb2, generation_pb2_grpc, mutation_pb2, mutation_pb2_grpc
from shared.rpc.channel import connect, from_rpc_error
from shared.rpc.tls import Transport
from tests.integration.processes import process, serving, start

ORIGINAL = "Name three rivers in Peru and say where each begins."


def variables(folder: Path, name: str) -> dict[str, str]:
    files = {"CA": "ca.pem", "CERT": f"{name}.pem", "KEY": f"{name}.key"}
    return {f"DARWIN_TLS_{kind}": str(folder / file) for kind, file in files.items()}


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write(folder := tmp_path_factory.mktemp("certs"))
    return folder


@pytest.fixture(scope="module")
def generation(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with process("generation", tmp_path_factory.mktemp("generation"), variables(certs, "generation")) as child:
        yield child.address(30)


@pytest.fixture(scope="module")
def mutation(certs: Path, generation: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    env = {"DARWIN_MUTATION_GENERATION": generation, **variables(certs, "mutation")}
    with process("mutation", tmp_path_factory.mktemp("mutation"), env) as child:
        yield child.address(30)


@pytest.fixture
async def channel(certs: Path, mutation: str) -> AsyncIterator[grpc.aio.Channel]:
    async with connect(mutation, Transport.over(variables(certs, "orchestrator"))) as channel:
        await serving(channel)
        yield channel


async def test_one_service_calls_another_over_tls(channel: grpc.aio.Channel) -> None:
    messages = [mutation_pb2.MutateRequest.Message(role="user", content=ORIGINAL)]
    request = mutation_pb2.MutateRequest(
        messages=messages, parent=ORIGINAL, count=3, mode=mutation_pb2.MutateRequest.MODE_MODEL
    )
    events = [event async for event in mutation_pb2_grpc.MutationServiceStub(channel).Mutate(request, timeout=20)]
    assert [event.WhichOneof("event") for event in events].count("mutant") == 3
    assert events[-1].summary.generated_tokens > 0


async def refused(address: str, credentials: grpc.ChannelCredentials | None) -> None:
    opened = grpc.aio.secure_channel(address, credentials) if credentials else grpc.aio.insecure_channel(address)
    async with opened as channel:
        stub = generation_pb2_grpc.GenerationServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetModel(generation_pb2.GetModelRequest(), timeout=5)
    assert isinstance(from_rpc_error(caught.value), Unavailable)


async def test_no_other_client_is_let_in(certs: Path, generation: str, tmp_path: Path) -> None:
    write(tmp_path)
    ca = (certs / "ca.pem").read_bytes()
    foreign_key, foreign = (tmp_path / "reward.key").read_bytes(), (tmp_path / "reward.pem").read_bytes()
    await refused(generation, None)
    await refused(generation, grpc.ssl_channel_credentials(ca))
    await refused(generation, grpc.ssl_channel_credentials(ca, foreign_key, foreign))


async def test_a_server_of_another_authority_is_not_trusted(generation: str, tmp_path: Path) -> None:
    write(tmp_path)
    await refused(generation, Transport.over(variables(tmp_path, "orchestrator")).channel_credentials(generation))


def refusal(child: Child) -> str:
    assert child.wait(30) == 1
    text = child.log.read_text()
    assert "Traceback" not in text
    return text.splitlines()[-1]


@pytest.mark.parametrize("service", ["generation", "reward", "mutation"])
def test_plain_text_for_other_machines_is_refused_with_what_to_do(service: str, tmp_path: Path) -> None:
    child = start(service, tmp_path, {f"DARWIN_{service.upper()}_LISTEN": "0.0.0.0:0"})
    with pytest.raises(ChildFailed):
        child.address(30)
    line = refusal(child)
    assert line.startswith(
        f"{service}: listening on 0.0.0.0:0 in plain text would leave this machine: set DARWIN_TLS_CA"
    )
    assert "DARWIN_ALLOW_PLAINTEXT=true" in line


@pytest.mark.parametrize("service", ["mutation", "orchestrator"])
def test_plain_text_to_other_machines_is_refused(service: str, tmp_path: Path, redis_url: str) -> None:
    env = {f"DARWIN_{service.upper()}_GENERATION": "generation:50051", "DARWIN_REDIS_URL": redis_url}
    assert refusal(start(service, tmp_path, env)).startswith(f"{service}: connecting to generation:50051 in plain text")


def test_plain_text_is_spoken_where_it_is_allowed(tmp_path: Path) -> None:
    env = {"DARWIN_GENERATION_LISTEN": "0.0.0.0:0", "DARWIN_ALLOW_PLAINTEXT": "true"}
    with process("generation", tmp_path, env) as child:
        child.address(30)


def test_two_files_of_three_are_refused(certs: Path, tmp_path: Path) -> None:
    env = variables(certs, "generation")
    del env["DARWIN_TLS_KEY"]
    assert "missing: DARWIN_TLS_KEY" in refusal(start("generation", tmp_path, env))


def test_an_evolution_with_tls_everywhere(certs: Path) -> None:
    import httpx

    settings = StackSettings.simulated(variables(certs, "orchestrator"))
    with Stack(settings) as stack:
        body = {"model": "darwin", "messages": [{"role": "user", "content": ORIGINAL}], "max_tokens": 60}
        answer = httpx.post(f"{stack.url}/v1/chat/completions", json=body, timeout=60).json()
        assert answer["choices"][0]["message"]["content"]
        assert set(stack.stop().values()) == {0}
