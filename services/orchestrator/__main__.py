"""The orchestrator's process: one Celery worker."""

from services.orchestrator.bootstrap import Worker
from services.orchestrator.settings import OrchestratorSettings
from shared.certificates import Certificates
from shared.metrics import start_metrics
from shared.process import ProcessSettings, announce, configure_logging
from shared.settings import refusing
from shared.telemetry import start_tracing


def main() -> None:
    with refusing("orchestrator"):
        process = ProcessSettings()
        configure_logging("orchestrator", process.log_level)
        tracing = start_tracing("orchestrator")
        metrics = start_metrics("orchestrator", process.metrics_listen, Certificates())
        worker = Worker(OrchestratorSettings(), process.drain_seconds, tracing)
    announce(process.ready_file, "", metrics.address)
    try:
        worker.run()
    finally:
        metrics.stop()
        tracing.close()


if __name__ == "__main__":
    main()
