"""Metrics by tenant: whose searches wait, and for how long. Labels are of a bounded number of tenants."""

from collections.abc import Mapping

from shared.records.evolution import Record
from shared.telemetry.labels import OTHER, Labels
from shared.telemetry.metrics import METER, SECONDS

MOST_TENANTS = 50
"""Tenants with a label of their own in a process: those that it met first. All others have `OTHER` together, so that
deployments with thousands of tenants, or with one for each person, do not make as many series.
"""

_WAIT_S = METER.create_histogram(
    "darwin.evolution.wait", "s", "From acceptance to the first round.", explicit_bucket_boundaries_advisory=SECONDS
)
_WAITED_S = METER.create_counter("darwin.evolutions.waited", "s", "From acceptance to the first round, in all.")
_BEGUN = METER.create_counter("darwin.evolutions.begun", "{evolution}", "Evolutions whose first round was saved.")
_WAITING = METER.create_gauge(
    "darwin.queue.waiting", "{evolution}", "Evolutions that no worker has taken, by tenant; all report the same."
)


_LABELS = Labels(MOST_TENANTS)


def label_of(tenant: str) -> str:
    """The label of a tenant's in this process."""
    return _LABELS.of(tenant)


def begun(record: Record, at: float) -> None:
    """Counts an evolution whose first round was begun at this time (Unix seconds)."""
    waited = max(0.0, at - record.created_at)
    tenant = {"tenant": label_of(record.request.tenant)}
    _WAIT_S.record(waited, {"service_tier": record.request.service_tier})
    _WAITED_S.add(waited, tenant)
    _BEGUN.add(1, tenant)


def waiting(total: int, by_tenant: Mapping[str, int]) -> None:
    """Reports how many evolutions wait now: in all, and of those tenants of which the most do."""
    counts = dict.fromkeys((*_LABELS.known, OTHER), 0)
    for tenant, count in by_tenant.items():
        label = label_of(tenant)
        counts[label] = counts.get(label, 0) + count
    counts[OTHER] += max(0, total - sum(by_tenant.values()))
    for label, count in counts.items():
        _WAITING.set(count, {"tenant": label})
