"""The span of an HTTP call, and its duration by route."""

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
from shared.store.evolutions import Store
from tests.metrics import Measured
from tests.unit.gateway.apps import BODY, CHAT, URL, Refusing, app_with

TRACE_ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NAME = "http.server.request.duration.count"


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
async def test_a_span_is_named_by_its_route_and_fails_with_a_defect_only(
    client: httpx.AsyncClient, exported: InMemorySpanExporter, status: int, failed: bool
) -> None:
    assert (await client.get(f"/answers/{status}?secret=x")).status_code == status
    (span,) = exported.get_finished_spans()
    assert (span.name, span.kind) == ("GET /answers/{status}", SpanKind.SERVER)
    assert (span.attributes or {})["http.response.status_code"] == status
    assert span.status.is_ok is not failed
    assert "secret" not in repr(dict(span.attributes or {}))


@pytest.mark.parametrize("made_up", ["/nowhere?x=%ff", "/%ff"])
async def test_spans_without_a_route_have_one_name(
    client: httpx.AsyncClient, exported: InMemorySpanExporter, made_up: str
) -> None:
    await client.request("BREW", made_up, headers=[(b"x-odd", b"\xff\xfe"), (b"traceparent", b"\xff")])
    (span,) = exported.get_finished_spans()
    assert span.name == "_OTHER"
    assert span.parent is None


@pytest.mark.parametrize("sampled", ["01", "00"])
async def test_a_stranger_does_not_say_what_is_sampled(
    client: httpx.AsyncClient, exported: InMemorySpanExporter, sampled: str
) -> None:
    await client.get("/answers/200", headers={"traceparent": f"00-{TRACE_ID}-{PARENT}-{sampled}"})
    (span,) = exported.get_finished_spans()
    assert span.parent is None
    (link,) = span.links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE_ID, PARENT)
    assert span.context is not None
    assert span.context.trace_id != link.context.trace_id


async def test_probes_are_not_traced(client: httpx.AsyncClient, exported: InMemorySpanExporter) -> None:
    await client.get("/readyz")
    assert exported.get_finished_spans() == ()


async def measured_call(method: str, path: str, store: Store | None = None, **request: object) -> tuple[Measured, int]:
    transport = httpx.ASGITransport(app_with(store or Refusing(URL, 60)), raise_app_exceptions=False)
    with Measured() as measured:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            response = await http.request(method, path, **request)  # type: ignore[arg-type]
    assert measured.of(NAME) == 1
    assert measured.of("http.server.active_requests") == 0
    return measured, response.status_code


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/v1/models", "/v1/models", 200),
        ("GET", "/v1/models/darwin?x=%ff", "/v1/models/{name:path}", 200),
        ("GET", "/v1/models/nobody", "/v1/models/{name:path}", 404),
        ("DELETE", "/v1/models", "/v1/models", 405),
        ("POST", CHAT, CHAT, 409),
    ],
)
async def test_calls_are_counted_by_route(method: str, path: str, route: str, status: int) -> None:
    measured, answered = await measured_call(method, path, json=BODY)
    assert answered == status
    call = {"http__request__method": method, "http__route": route, "http__response__status_code": status}
    assert measured.of(NAME, **call) == 1


async def test_calls_without_a_route_are_counted_as_one() -> None:
    measured, status = await measured_call("BREW", "/coffee")
    assert status == 404
    assert measured.of(NAME, http__request__method="_OTHER", http__response__status_code=404) == 1
    assert measured.of(NAME, http__route="/coffee") == 0


async def test_defects_have_an_error_type() -> None:
    class Broken(Refusing):
        async def create(self, *_: object) -> None:  # type: ignore[override]
            raise RuntimeError("broken")

    measured, status = await measured_call("POST", CHAT, Broken(URL, 60), json=BODY)
    assert status == 500
    assert measured.of(NAME, http__route=CHAT, error__type="500") == 1
