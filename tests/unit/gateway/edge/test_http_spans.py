"""The span of an HTTP call."""

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from services.gateway.edge.http_telemetry import HttpTelemetry


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("", int(request.path_params["status"]))


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def client(exported: InMemorySpanExporter) -> httpx.AsyncClient:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    app = HttpTelemetry(Starlette(routes=[Route("/answers/{status}", answer)]), provider)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


@pytest.mark.parametrize(("status", "failed"), [(200, False), (404, False), (503, True)])
async def test_it_is_named_by_its_route_and_fails_with_a_defect_only(
    client: httpx.AsyncClient, exported: InMemorySpanExporter, status: int, failed: bool
) -> None:
    assert (await client.get(f"/answers/{status}?secret=x")).status_code == status
    (span,) = exported.get_finished_spans()
    assert (span.name, span.kind) == ("GET /answers/{status}", SpanKind.SERVER)
    assert (span.attributes or {})["http.response.status_code"] == status
    assert span.status.is_ok is not failed
    assert "secret" not in repr(dict(span.attributes or {}))


@pytest.mark.parametrize("made_up", ["/nowhere?x=%ff", "/%ff"])
async def test_what_there_is_no_route_for_has_one_name(
    client: httpx.AsyncClient, exported: InMemorySpanExporter, made_up: str
) -> None:
    await client.request("BREW", made_up, headers=[(b"x-odd", b"\xff\xfe"), (b"traceparent", b"\xff")])
    (span,) = exported.get_finished_spans()
    assert span.name == "_OTHER"
    assert span.parent is None


async def test_probes_are_not_traced(client: httpx.AsyncClient, exported: InMemorySpanExporter) -> None:
    await client.get("/readyz")
    assert exported.get_finished_spans() == ()
