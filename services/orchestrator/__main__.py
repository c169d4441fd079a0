"""The orchestrator's process: one Celery worker."""

from services.orchestrator.bootstrap import Worker
from services.orchestrator.settings import OrchestratorSettings
from shared.process.certificates import Certificates
from shared.process.lifecycle import ProcessSettings
from shared.process.ready import announce
from shared.process.settings import refusing
from shared.telemetry.logs import configure_logging
from shared.telemetry.metrics import start_metrics
from shared.telemetry.tracing import start_tracing

# A worker whose loop hangs is found by the age of its ready file.
_ALIVE_S = 1.0


def main() -> None:
    with refusing("orchestrator"):
        process = ProcessSettings()
        configure_logging("orchestrator", process.log_level)
        tracing = start_tracing("orchestrator")
        metrics = start_metrics("orchestrator", process.metrics_listen, Certificates())
        worker = Worker(OrchestratorSettings(), process.drain_seconds, tracing)

    async def alive() -> None:
        announce(process.ready_file, "", metrics.address, health="file")

    worker.every(_ALIVE_S, alive)
    try:
        worker.run()
    finally:
        metrics.stop()
        tracing.close()


if __name__ == "__main__":
    main()
