import pytest

from services.orchestrator.bootstrap import Worker
from services.orchestrator.settings import OrchestratorSettings
from shared.process.settings import SettingsError
from shared.telemetry.tracing import TelemetrySettings, Tracing


def test_leases_that_run_out_before_they_are_renewed_are_refused() -> None:
    for settings in (OrchestratorSettings(lease_s=2), OrchestratorSettings(heartbeat_s=5)):
        with pytest.raises(SettingsError, match="LEASE_S must be twice DARWIN_ORCHESTRATOR_HEARTBEAT_S or more"):
            Worker(settings, 1, Tracing("orchestrator", [], TelemetrySettings()))
