"""What a server knows of the trace that a call belongs to, on a real server of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import errors
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import TraceContext
from shared.rpc.channel import connect
from shared.rpc.server import Server
from shared.telemetry import tracing

NAME = "darwin.v1.GenerationService"
CALLER = TraceContext("a" * 32, "b" * 16, sampled=True)


def told(text: str) -> pb.GenerateResponse:
    return pb.GenerateResponse(results=[pb.GenerateResult(text=text)])


class Servicer(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]
    """GetModel fails as told, or answers with what it would pass on; Generate with the ids it knows, one by one."""

    error: Exception | None = None
    hang = False

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:  # noqa: N802
        if self.error:
            raise self.error
        return pb.GetModelResponse(model=dict(tracing.inject()).get("traceparent", ""))

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        yield told(tracing.current_trace_id())
        if self.hang:
            await asyncio.sleep(60)
        yield told(tracing.current_evolution_id())


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Makes servers trace."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("shared.telemetry.server_spans._tracer", provider.get_tracer("test"))
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    return exporter


class Running:
    def __init__(self) -> None:
        self.servicer, self.server = Servicer(), Server([NAME])

    async def __aenter__(self) -> Running:
        propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))
        self.server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, self.servicer)
        self.channel = connect(await self.server.start("127.0.0.1:0"))
        self.stub: Any = generation_pb2_grpc.GenerationServiceStub(self.channel)
        self.server.set_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self.server.stop(0)

    async def ids(self) -> list[str]:
        call = self.stub.Generate(pb.GenerateRequest(), metadata=tracing.inject())
        return [response.results[0].text async for response in call]

    async def passed_on(self) -> str:
        return str((await self.stub.GetModel(pb.GetModelRequest(), metadata=tracing.inject())).model)


async def test_where_nobody_reads_spans_the_callers_ids_are_known_and_passed_on() -> None:
    async with Running() as running:
        with tracing.use_context(CALLER, "evo_1"):
            assert await running.ids() == ["a" * 32, "evo_1"]
            assert await running.passed_on() == f"00-{'a' * 32}-{'b' * 16}-01"
        assert await running.ids() == ["", ""]


async def test_a_call_is_a_child_of_its_callers_span(exported: InMemorySpanExporter) -> None:
    async with Running() as running:
        with tracing.use_context(CALLER, "evo_1"):
            assert await running.ids() == ["a" * 32, "evo_1"]
            passed_on = await running.passed_on()
    stream, single = exported.get_finished_spans()
    assert [span.name for span in (stream, single)] == [f"{NAME}/Generate", f"{NAME}/GetModel"]
    for span in (stream, single):
        assert span.parent is not None
        assert (f"{span.parent.trace_id:x}", f"{span.parent.span_id:x}") == ("a" * 32, "b" * 16)
        assert span.kind is SpanKind.SERVER
        assert (span.attributes or {})["rpc.response.status_code"] == "OK"
    assert single.context is not None
    assert passed_on == f"00-{'a' * 32}-{single.context.span_id:016x}-01"


@pytest.mark.parametrize(("error", "fault"), [(errors.NotFound("none"), False), (errors.Internal("broken"), True)])
async def test_a_failure_is_in_its_span_and_names_the_trace(
    exported: InMemorySpanExporter, error: errors.DarwinError, fault: bool
) -> None:
    async with Running() as running:
        running.servicer.error = error
        with tracing.use_context(CALLER), pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.passed_on()
    (span,) = exported.get_finished_spans()
    assert (span.attributes or {})["rpc.response.status_code"] == error.grpc_status
    assert span.status.is_ok is not fault
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
    assert status is not None
    told = error_details_pb2.RequestInfo()
    assert [told.request_id for detail in status.details if detail.Unpack(told)] == ["a" * 32]


async def test_a_call_that_was_given_up_says_so(exported: InMemorySpanExporter) -> None:
    async with Running() as running:
        running.servicer.hang = True
        with tracing.use_context(CALLER):
            call = running.stub.Generate(pb.GenerateRequest(), metadata=tracing.inject())
            await call.read()
            call.cancel()
        await running.server.stop(1)
    (span,) = exported.get_finished_spans()
    assert (span.attributes or {})["rpc.response.status_code"] == "CANCELLED"
