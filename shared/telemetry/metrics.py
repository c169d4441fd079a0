"""Metrics of a process, by OpenTelemetry: Prometheus reads them, or OTLP sends them.

Modules make their instruments from `METER`, beside the code that they measure. Until `start_metrics` they cost nothing
and store nothing. Attributes come from closed sets, never from what a caller sends: each value makes a series that
stays.
"""

import logging
from wsgiref.simple_server import WSGIServer

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import REGISTRY, start_http_server

from shared.process.certificates import Certificates
from shared.process.settings import SettingsError
from shared.telemetry.exporters import exporters_of, listed, protocol, resource

log = logging.getLogger(__name__)

OTEL_METRICS_EXPORTER = "OTEL_METRICS_EXPORTER"
OFF = "off"
METER = metrics.get_meter("darwin")

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Bucket bounds of a histogram of seconds, from a short call to a long search."""
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""Bucket bounds of a histogram of batch sizes."""


class Metrics:
    """The metrics of a running process; `address` (host:port) is where Prometheus reads them, empty where it cannot."""

    def __init__(self, provider: MeterProvider | None = None, server: WSGIServer | None = None, host: str = "") -> None:
        self._provider = provider
        self._server = server
        self.address = f"{host}:{server.server_port}" if server else ""

    def stop(self) -> None:
        """Frees the port, and sends what OTLP has not sent yet."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._provider is not None:
            self._provider.shutdown()


def start_metrics(service: str, listen: str, files: Certificates) -> Metrics:
    """Starts recording, and serves the metrics on `listen` (host:port, or "off"). Call it once per process.

    On an address beyond loopback they are served by mutual TLS, as gRPC is. With `OTEL_METRICS_EXPORTER=otlp` they are
    sent as well, as OpenTelemetry's standard variables say; `prometheus` names what is served anyway.

    Raises:
        SettingsError: the address cannot be bound, or plain text would be open to other machines.
    """
    named = [name for name in listed(OTEL_METRICS_EXPORTER) if name != "prometheus"]
    readers: list[MetricReader] = exporters_of(OTEL_METRICS_EXPORTER, named, {"otlp": _otlp, "console": _console})
    if listen != OFF:
        readers.append(PrometheusMetricReader(scope_info_enabled=False))
    if not readers:
        return Metrics()
    server = None if listen == OFF else _serve(listen, files)
    provider = MeterProvider(readers, resource(service), shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    running = Metrics(provider, server, listen.rpartition(":")[0])
    if running.address:
        log.info("metrics on %s", running.address)
    return running


def _serve(listen: str, files: Certificates) -> WSGIServer:
    host, _, port = listen.rpartition(":")
    ca, cert, key = files.http_server_files(listen)
    try:
        server, _ = start_http_server(
            int(port), host.strip("[]"), REGISTRY, cert, key, ca, client_auth_required=bool(ca)
        )
    except (OSError, OverflowError, ValueError) as error:
        raise SettingsError(f"cannot serve metrics on {listen}: {error}") from None
    return server


def _console() -> MetricReader:
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(ConsoleMetricExporter())


def _otlp() -> MetricReader:
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    if protocol("METRICS") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as Grpc

        return PeriodicExportingMetricReader(Grpc())
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as Http

    return PeriodicExportingMetricReader(Http())
