"""Where a process serves its metrics, who may read them, where else they go, and that nothing of it stays."""

import ssl
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from cli.certs import write
from cli.stack.child import ChildFailed
from cli.stack.ports import free_port, is_free
from tests.integration.processes import process, until

LISTEN = "DARWIN_METRICS_LISTEN"


def tls(folder: Path, name: str) -> dict[str, str]:
    files = {"CA": "ca.pem", "CERT": f"{name}.pem", "KEY": f"{name}.key"}
    return {f"DARWIN_TLS_{kind}": str(folder / file) for kind, file in files.items()}


def test_a_port_is_announced_served_and_freed(tmp_path: Path) -> None:
    port = free_port()
    with process("reward", tmp_path, {LISTEN: f"127.0.0.1:{port}"}) as child:
        child.address(30)
        assert child.metrics == f"127.0.0.1:{port}"
        assert 'service_name="darwin-reward"' in httpx.get(f"http://{child.metrics}/metrics").text
        assert child.log.read_text().count(f"metrics on {child.metrics}") == 1
    assert is_free(port)


def test_off_is_off(tmp_path: Path) -> None:
    with process("reward", tmp_path, {LISTEN: "off"}) as child:
        child.address(30)
        assert child.metrics == ""
        assert "metrics on" not in child.log.read_text()


@pytest.mark.parametrize("service", ["reward", "gateway", "orchestrator"])
def test_a_busy_port_ends_the_process_with_a_reason(tmp_path: Path, service: str, redis_url: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    env = {LISTEN: f"127.0.0.1:{server.server_port}", "DARWIN_REDIS_URL": redis_url}
    with server, process(service, tmp_path, env, code=1) as child, pytest.raises(ChildFailed) as failed:
        child.address(30)
    assert f"{service}: cannot serve metrics on {env[LISTEN]}" in str(failed.value)


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1", "127.0.0.1:123456", ":9464"])
def test_what_is_no_address_is_refused(tmp_path: Path, listen: str) -> None:
    with process("reward", tmp_path, {LISTEN: listen}, code=1) as child, pytest.raises(ChildFailed) as failed:
        child.address(30)
    assert "metrics_listen" in str(failed.value)


def test_beyond_this_machine_plain_text_is_refused(tmp_path: Path) -> None:
    with process("gateway", tmp_path, {LISTEN: "0.0.0.0:0"}, code=1) as child, pytest.raises(ChildFailed) as failed:
        child.address(30)
    assert "in plain text would leave this machine" in str(failed.value)


def test_beyond_this_machine_readers_show_a_certificate(tmp_path: Path) -> None:
    write(certs := tmp_path / "certs")
    with process("reward", tmp_path, {LISTEN: "0.0.0.0:0", **tls(certs, "reward")}) as child:
        child.address(30)
        url = f"https://127.0.0.1:{child.metrics.rpartition(':')[2]}/metrics"
        context = ssl.create_default_context(cafile=certs / "ca.pem")
        with pytest.raises(httpx.TransportError):
            httpx.get(url, verify=context)
        context.load_cert_chain(certs / "orchestrator.pem", certs / "orchestrator.key")
        assert httpx.get(url, verify=context).is_success


class _Receiver(BaseHTTPRequestHandler):
    received: list[bytes]

    def do_POST(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


async def test_otlp_is_sent_where_it_is_asked_for(tmp_path: Path) -> None:
    _Receiver.received = []
    with HTTPServer(("127.0.0.1", 0), _Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
        with process("reward", tmp_path, {"OTEL_METRICS_EXPORTER": "otlp", LISTEN: "off", **endpoint}) as child:
            child.address(30)
            await until(lambda: "ready" in child.log.read_text(), 30)
        server.shutdown()
    sent = [ExportMetricsServiceRequest.FromString(body) for body in _Receiver.received]
    resources = [resource for request in sent for resource in request.resource_metrics]
    names = {metric.name for resource in resources for scope in resource.scope_metrics for metric in scope.metrics}
    assert "darwin.reward.waiting" in names
    attributes = {item.key: item.value.string_value for item in resources[0].resource.attributes}
    assert (attributes["service.name"], attributes["service.namespace"]) == ("darwin-reward", "darwin")
