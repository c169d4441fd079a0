"""What every server gives every call, on a real server of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.generation.endpoint.errors import EndpointFull
from shared import errors
from shared.errors import Unavailable
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.process.settings import SettingsError
from shared.rpc import channel as rpc
from shared.rpc import server
from shared.rpc.channel import MAX_MESSAGE_BYTES, connect, from_rpc_error
from shared.rpc.interceptor import CallLimits, time_left
from shared.rpc.server import Server

NAME = "darwin.v1.GenerationService"


def told(text: str) -> pb.GenerateResponse:
    return pb.GenerateResponse(results=[pb.GenerateResult(text=text)])


class Servicer(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]
    """Generate gives one result and waits, or fails as told; GetModel tells how much time it has."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.go = asyncio.Event()
        self.ended = asyncio.Event()

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        if self.error:
            raise self.error
        try:
            yield told(f"{time_left():.1f}")
            await self.go.wait()
            yield told(f"{len(request.sequences)}")
        finally:
            self.ended.set()

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:  # noqa: N802
        return pb.GetModelResponse(model=f"{time_left():.1f}")


class Running:
    def __init__(self, limits: CallLimits) -> None:
        self.servicer = Servicer()
        self.server = Server([NAME], limits=limits)

    async def __aenter__(self) -> Running:
        self.server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, self.servicer)
        self.channel = connect(await self.server.start("127.0.0.1:0"))
        self.stub: Any = generation_pb2_grpc.GenerationServiceStub(self.channel)
        self.health: Any = health_pb2_grpc.HealthStub(self.channel)
        self.server.set_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self.server.stop(0)

    async def generate(self, **options: Any) -> list[str]:
        responses = self.stub.Generate(pb.GenerateRequest(), **options)
        return [response.results[0].text async for response in responses]


async def refused(call: Any) -> errors.DarwinError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with Running(CallLimits(concurrent=2, seconds=30)) as running:
        yield running


async def test_no_proxy_stands_between_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with Running(CallLimits()) as running:
        assert (await running.stub.GetModel(pb.GetModelRequest(), timeout=10)).model


@pytest.mark.parametrize("method", [f"/{NAME}/GetModel", f"/{NAME}/Generate", "/grpc.health.v1.Health/Check"])
async def test_bytes_that_are_no_message_are_an_invalid_argument(running: Running, method: str) -> None:
    call = running.channel.unary_unary(method)(b"\xff\xff\xff\x01 no message")
    assert isinstance(await refused(call), errors.InvalidRequest)


async def test_bytes_that_are_no_message_in_a_stream_are_an_invalid_argument(running: Running) -> None:
    reflect = running.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    assert isinstance(await refused(reflect(iter([b"\xff\xff\xff\x01"])).read()), errors.InvalidRequest)


async def test_a_message_too_large_is_refused_and_one_that_just_fits_is_not(running: Running) -> None:
    def sized(size: int) -> bytes:
        return pb.GenerateRequest(cache_salt="x" * (size - 5)).SerializeToString()

    call = running.channel.unary_unary(f"/{NAME}/GetModel")
    # It never fits: whoever waits for a full server would wait for ever.
    assert isinstance(await refused(call(sized(MAX_MESSAGE_BYTES + 100))), errors.InvalidRequest)
    assert len(sized(MAX_MESSAGE_BYTES)) == MAX_MESSAGE_BYTES
    await call(sized(MAX_MESSAGE_BYTES))


async def test_an_error_of_any_length_arrives_with_its_kind_and_field(running: Running) -> None:
    for character in ("x", "ß", "🌱", "\n", "%"):
        running.servicer.error = errors.NotFound(character * 100_000, field=f"messages{character * 5000}")
        error = await refused(running.generate())
        assert isinstance(error, errors.NotFound)
        assert error.message.startswith(character * 100)
        assert (error.field or "").startswith("messages")


async def test_the_time_that_an_endpoint_names_arrives(running: Running) -> None:
    running.servicer.error = EndpointFull("full", 7.5)
    assert (await refused(running.generate())).retry_after_s == 7.5


async def test_one_call_too_many_is_overloaded_and_health_still_answers(running: Running) -> None:
    calls = [running.stub.Generate(pb.GenerateRequest()) for _ in range(2)]
    for call in calls:
        await call.read()
    error = await refused(running.generate())
    assert isinstance(error, errors.Overloaded)
    assert error.retryable
    assert error.retry_after_s == 1.0
    answer = await running.health.Check(health_pb2.HealthCheckRequest(service=NAME))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    calls[0].cancel()
    await running.servicer.ended.wait()
    running.servicer.go.set()
    assert len(await running.generate()) == 2


async def test_every_call_has_a_deadline(running: Running) -> None:
    assert 29 < float((await running.stub.GetModel(pb.GetModelRequest())).model) <= 30
    assert float((await running.stub.GetModel(pb.GetModelRequest(), timeout=3)).model) <= 3
    assert float((await running.stub.GetModel(pb.GetModelRequest(), timeout=300)).model) <= 30
    assert time_left() is None


async def test_a_call_without_a_deadline_ends_at_the_servers() -> None:
    async with Running(CallLimits(seconds=0.3)) as running:
        assert isinstance(await asyncio.wait_for(refused(running.generate()), 20), errors.DeadlineExceeded)
        assert running.servicer.ended.is_set()


async def test_a_cancelled_call_ends_at_once(running: Running) -> None:
    call = running.stub.Generate(pb.GenerateRequest())
    await call.read()
    call.cancel()
    await asyncio.wait_for(running.servicer.ended.wait(), 20)


@pytest.mark.parametrize("least_s", [0.2, 5.0])
async def test_a_long_silent_call_survives_keepalive(monkeypatch: pytest.MonkeyPatch, least_s: float) -> None:
    """Everything 25 times as fast as it is; a server that asks for longer pauses ends the connection at the fifth."""
    assert (rpc.PING_EVERY_S, server.LEAST_BETWEEN_PINGS_S) == (10, 5)
    monkeypatch.setattr(rpc, "PING_EVERY_S", 0.4)
    monkeypatch.setattr(server, "LEAST_BETWEEN_PINGS_S", least_s)
    async with Running(CallLimits(seconds=60)) as running:
        call = running.stub.Generate(pb.GenerateRequest())
        await call.read()
        rest = asyncio.ensure_future(call.read())
        if least_s == 5.0:
            assert isinstance(await refused(rest), errors.Overloaded | errors.Unavailable)
        else:
            await asyncio.sleep(2.4)
            running.servicer.go.set()
            assert (await rest).results


async def test_every_watch_hears_of_every_change_and_ends_with_the_server(running: Running) -> None:
    async def watch(service: str) -> list[int]:
        request = health_pb2.HealthCheckRequest(service=service)
        return [answer.status async for answer in running.health.Watch(request)]

    first = asyncio.ensure_future(watch(NAME))
    gone = running.health.Watch(health_pb2.HealthCheckRequest(service=NAME))
    await gone.read()
    gone.cancel()
    others = [asyncio.ensure_future(watch(name)) for name in (NAME, "", "unknown")]
    await asyncio.sleep(0.2)
    await asyncio.wait_for(running.server.stop(60), 20)
    status = health_pb2.HealthCheckResponse
    for each in (first, *others[:2]):
        assert await each == [status.SERVING, status.NOT_SERVING]
    assert await others[2] == [status.SERVICE_UNKNOWN]


async def test_stopping_lets_calls_end_and_refuses_new_ones(running: Running) -> None:
    under_way = asyncio.ensure_future(running.generate())
    await asyncio.sleep(0.2)
    stopping = asyncio.ensure_future(running.server.stop(60))
    await asyncio.sleep(0.2)
    assert isinstance(await refused(running.stub.GetModel(pb.GetModelRequest(), timeout=5)), Unavailable)
    running.servicer.go.set()
    assert len(await under_way) == 2
    await asyncio.wait_for(stopping, 20)


@pytest.mark.parametrize("becomes_ready", [True, False])
async def test_calls_wait_until_the_service_is_loaded(becomes_ready: bool) -> None:
    server = Server([NAME])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, Servicer())
    async with connect(await server.start("127.0.0.1:0")) as channel:
        stub: Any = generation_pb2_grpc.GenerationServiceStub(channel)
        early = asyncio.ensure_future(stub.GetModel(pb.GetModelRequest(), timeout=5))
        short = await refused(stub.GetModel(pb.GetModelRequest(), timeout=0.2))
        assert isinstance(short, errors.DeadlineExceeded)
        assert not early.done()
        if becomes_ready:
            server.set_ready()
            assert (await early).model
        await server.stop(0)
        if not becomes_ready:
            assert isinstance(await refused(early), errors.Unavailable)


async def test_a_taken_address_is_a_setting_to_change(running: Running) -> None:
    with pytest.raises(SettingsError, match="cannot listen on"):
        await Server([]).start(running.server.address)


async def test_a_unix_socket_serves(tmp_path: Any) -> None:
    server = Server([NAME])
    address = await server.start(f"unix:{tmp_path}/s")
    async with connect(address) as channel:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    await server.stop(0)
