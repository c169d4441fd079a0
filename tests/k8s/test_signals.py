"""What autoscaling looks at is really there: in Prometheus, scraping a stack as the PodMonitor says, and in Redis."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from cli.stack import Stack, StackSettings
from cli.stack.redis_server import start_redis
from shared.records.evolution import Record
from shared.store.evolutions import Store
from tests.integration.stages import REQUEST
from tests.k8s.objects import Object
from tests.k8s.rendering import overlay
from tests.observability.prometheus import Prometheus, scraping, until

OBJECTS = overlay("cpu")
TRIGGERS = {
    f"{found['spec']['scaleTargetRef']['name']}: {trigger['name']}": trigger
    for found in OBJECTS.of("ScaledObject")
    for trigger in found["spec"]["triggers"]
}
QUERIES = {name: trigger["metadata"]["query"] for name, trigger in TRIGGERS.items() if trigger["type"] == "prometheus"}
# So slow that what is under way can be seen.
SETTINGS = StackSettings.simulated({"DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "20"})


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack(SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with scraping(stack, tmp_path_factory.mktemp("prometheus"), [scrape_config(stack)]) as running:
        until(lambda: running.query('sum(up{job="darwin"})') == [5.0])
        yield running


def scrape_config(stack: Stack) -> dict[str, Any]:
    """What the Prometheus Operator makes of the PodMonitor, its targets told instead of discovered."""
    monitor = OBJECTS.of("PodMonitor")[0]
    relabelings = monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
    return {
        "job_name": f"podMonitor/darwin/{monitor['metadata']['name']}/0",
        "static_configs": [
            {"targets": [address], "labels": discovered(name)} for name, address in stack.metrics.items()
        ],
        "relabel_configs": [
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            *({re.sub(r"[A-Z]", lambda c: f"_{c[0].lower()}", key): rule[key] for key in rule} for rule in relabelings),
        ],
    }


def discovered(name: str) -> dict[str, str]:
    """Labels of a pod as Prometheus' discovery names them."""
    workload = OBJECTS.workload(name)
    told = {"namespace": workload.object["metadata"]["namespace"]}
    told |= {f"pod_label_{label}": value for label, value in workload.labels.items()}
    return {"__meta_kubernetes_" + re.sub(r"\W", "_", label): value for label, value in told.items()}


@pytest.mark.parametrize("name", QUERIES)
def test_before_the_first_call_each_signal_is_0(prometheus: Prometheus, name: str) -> None:
    assert prometheus.query(QUERIES[name]) == [0.0]


@pytest.mark.parametrize("name", QUERIES)
def test_replicas_that_prometheus_does_not_see_are_not_0(prometheus: Prometheus, name: str) -> None:
    assert prometheus.query(QUERIES[name].replace('namespace="darwin"', 'namespace="elsewhere"')) == []


def test_signals_follow_what_is_asked(stack: Stack, prometheus: Prometheus) -> None:
    body = {"model": "darwin", "messages": [{"role": "user", "content": "Describe a walk."}], "max_tokens": 60}
    body["darwin"] = {"mutation": "model", "period": 20}
    for _ in range(3):
        httpx.post(f"{stack.url}/v1/evolutions", json=body).raise_for_status()
    silent = {"orchestrator: rounds", "generation: sequences", "mutation: calls"}

    def all_were_seen() -> bool:
        silent.difference_update([name for name in silent if prometheus.query(QUERIES[name])[0] > 0])
        return not silent

    until(all_were_seen)
    own, _, _ = QUERIES["reward: calls"].partition(" or ")
    until(lambda: prometheus.query(own) != [])


async def test_the_queue_is_as_long_as_what_no_worker_took(tmp_path: Path) -> None:
    queue: Object = TRIGGERS["orchestrator: queue"]["metadata"]
    child, url = start_redis(tmp_path)
    try:
        store = Store(url, ttl_s=60)
        for number in range(3):
            await store.create(Record(f"evo_{number}", 0, "queued", time.time(), REQUEST))
        await store.close()
        with redis.Redis.from_url(url.removesuffix("/0") + f"/{queue['databaseIndex']}") as client:
            assert client.zcard(queue["listName"]) == 3
    finally:
        child.terminate()
        child.wait(10)
