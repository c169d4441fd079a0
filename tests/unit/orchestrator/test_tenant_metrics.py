"""Metrics by tenant have a bounded number of labels, however many tenants there are."""

from dataclasses import replace

import pytest

from services.orchestrator import tenant_metrics
from services.orchestrator.tenant_metrics import MOST_TENANTS
from shared.telemetry.labels import OTHER, Labels
from tests.integration.stages import REQUEST, record_of
from tests.metrics import Measured, measured


@pytest.fixture(autouse=True)
def _labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a process that has met nobody."""
    monkeypatch.setattr(tenant_metrics, "_LABELS", Labels(MOST_TENANTS))


def shown(name: str, prefix: str) -> dict[str, float]:
    """By label of a tenant."""
    found = {
        dict(attributes).get("tenant", ""): value for (each, attributes), value in measured().items() if each == name
    }
    return {label: value for label, value in found.items() if label.startswith(prefix) or label == OTHER}


def test_tenants_beyond_the_first_share_a_label() -> None:
    with Measured() as counted:
        for number in range(2 * MOST_TENANTS):
            record = record_of(replace(REQUEST, tenant=f"begun{number}"))
            tenant_metrics.begun(record, record.created_at + 2)
    labels = shown("darwin.evolutions.begun", "begun")
    assert len(labels) == MOST_TENANTS + 1
    assert counted.of("darwin.evolutions.begun", tenant=OTHER) == MOST_TENANTS
    assert counted.of("darwin.evolutions.begun", tenant="begun0") == 1
    assert counted.of("darwin.evolutions.waited", tenant="begun0") == pytest.approx(2)
    assert counted.of("darwin.evolutions.waited", tenant=OTHER) == pytest.approx(2 * MOST_TENANTS)
    assert counted.of("darwin.evolution.wait.count", service_tier="default") == 2 * MOST_TENANTS


def test_who_waits_no_more_is_shown_with_none() -> None:
    tenant_metrics.waiting(9, {"queues": 5, "queued": 3})
    assert shown("darwin.queue.waiting", "queue") == {"queues": 5, "queued": 3, OTHER: 1}
    tenant_metrics.waiting(2, {"queued": 2})
    assert shown("darwin.queue.waiting", "queue") == {"queues": 0, "queued": 2, OTHER: 0}
    tenant_metrics.waiting(0, {})
    assert shown("darwin.queue.waiting", "queue") == {"queues": 0, "queued": 0, OTHER: 0}


def test_a_flood_of_tenants_that_wait_makes_no_more_labels() -> None:
    for number in range(3 * MOST_TENANTS):
        tenant_metrics.waiting(7, {f"flood{number}": 7})
    labels = shown("darwin.queue.waiting", "flood")
    assert len(labels) == MOST_TENANTS + 1
    assert labels[OTHER] == 7
