"""A receiver of OTLP over HTTP, and the traces that came to it."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True)
class Received:
    """A span with the name of the service that told of it."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    seconds: float
    attributes: dict[str, Any]
    links: tuple[str, ...]
    failed: bool

    @property
    def label(self) -> str:
        return f"{self.service} {self.name}"


class Traces:
    """Everything received so far; `url` is where to send it to."""

    def __init__(self) -> None:
        self._spans: list[Received] = []
        self._lock = threading.Lock()
        self.url = ""

    @property
    def env(self) -> dict[str, str]:
        """Makes a process send here, soon after each span."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }

    def add(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            for group in request.resource_spans:
                service = _values(group.resource.attributes)["service.name"]
                for scoped in group.scope_spans:
                    self._spans += [_received(service, span) for span in scoped.spans]

    def of(self, trace_id: str) -> list[Received]:
        """The spans of a trace, oldest received first."""
        with self._lock:
            return [span for span in self._spans if span.trace_id == trace_id]

    def all(self) -> list[Received]:
        with self._lock:
            return list(self._spans)

    def until(self, trace_id: str, complete: Callable[[list[Received]], bool], seconds: float = 20) -> list[Received]:
        """The spans of a trace once they are complete and no more came for half a second."""
        give_up, before = time.monotonic() + seconds, -1
        while True:
            spans = self.of(trace_id)
            if len(spans) == before and complete(spans):
                return spans
            assert time.monotonic() < give_up, [span.label for span in spans]
            before = len(spans)
            time.sleep(0.5)


@contextmanager
def receiver() -> Iterator[Traces]:
    traces = Traces()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                traces.add(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    traces.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield traces
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def children(spans: list[Received]) -> dict[str, list[Received]]:
    """By the id of their parent."""
    found = defaultdict(list)
    for span in spans:
        found[span.parent_id].append(span)
    return found


def paths(spans: list[Received]) -> set[str]:
    """Every way from a span without a known parent to a span, as labels."""
    by_id = {span.span_id: span for span in spans}

    def path(span: Received) -> str:
        above = by_id.get(span.parent_id)
        return f"{path(above)} > {span.label}" if above else span.label

    return {path(span) for span in spans}


def _received(service: str, span: Any) -> Received:
    return Received(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        attributes=_values(span.attributes),
        links=tuple(link.span_id.hex() for link in span.links),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
