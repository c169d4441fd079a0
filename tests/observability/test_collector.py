"""The collector's configuration reads as YAML, its pipelines name what is there, and it keeps what the docs say."""

from typing import Any

import pytest
import yaml

from shared.telemetry.tracing import TelemetrySettings
from tests.observability.files import COLLECTOR

CONFIG: dict[str, Any] = yaml.safe_load((COLLECTOR / "collector.yaml").read_text())
PIPELINES: dict[str, Any] = CONFIG["service"]["pipelines"]
TAIL: dict[str, Any] = CONFIG["processors"]["tail_sampling"]


@pytest.mark.parametrize("kind", ["receivers", "processors", "exporters"])
def test_pipelines_name_what_is_there_and_use_all_of_it(kind: str) -> None:
    assert {name for pipeline in PIPELINES.values() for name in pipeline[kind]} == set(CONFIG[kind])


def test_memory_is_limited_first_and_batches_are_made_last() -> None:
    processors = PIPELINES["traces"]["processors"]
    assert processors.index("memory_limiter") < processors.index("tail_sampling") < processors.index("batch")


def test_each_policy_has_the_settings_of_its_type() -> None:
    policies = {policy["name"]: policy for policy in TAIL["policies"]}
    assert all(set(policy) == {"name", "type", policy["type"]} for policy in policies.values())
    assert policies["failed"]["status_code"] == {"status_codes": ["ERROR"]}
    assert 0 < policies["share"]["probabilistic"]["sampling_percentage"] < 100


def test_slow_is_what_it_is_to_the_orchestrator_and_decided_later_than_that() -> None:
    (slow,) = [policy["latency"]["threshold_ms"] for policy in TAIL["policies"] if policy["type"] == "latency"]
    assert slow == TelemetrySettings.model_fields["trace_slow_s"].default * 1000
    assert float(TAIL["decision_wait"].removesuffix("s")) * 1000 > slow
