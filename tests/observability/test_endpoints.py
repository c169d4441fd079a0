"""Every process of a stack serves what it measures, in series that callers cannot multiply, and nothing secret."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.methods import METHODS
from tests.observability.workload import PROMPT, Workload

FAMILIES = {
    "gateway": {"http_server_request_duration_seconds", "http_server_active_requests"},
    "orchestrator": {
        "darwin_evolutions",
        "darwin_evolution_duration_seconds",
        "darwin_evolutions_active",
        "darwin_evolutions_stalled",
        "darwin_rounds",
        "darwin_rounds_active",
        "darwin_round_duration_seconds",
        "darwin_tokens",
        "darwin_reward_gain",
        "darwin_shadow_evolutions",
        "darwin_shadow_picks",
        "darwin_shadow_decisions",
        "darwin_rollouts_dropped",
        "darwin_canary_judged",
        "darwin_queue_depth",
        "darwin_queue_age_seconds",
        "darwin_queue_waiting",
        "darwin_evolution_wait_seconds",
        "darwin_evolutions_waited_seconds",
        "darwin_evolutions_begun",
        "darwin_leases_lost",
        "darwin_attempts_failed",
        "darwin_attempts_lost",
        "gen_ai_client_token_usage",
        "gen_ai_client_operation_duration_seconds",
        "rpc_client_call_duration_seconds",
        "darwin_replicas",
        "darwin_replicas_calls",
    },
    "mutation": {
        "rpc_server_call_duration_seconds",
        "rpc_client_call_duration_seconds",
        "darwin_replicas",
        "darwin_replicas_calls",
        "darwin_rpc_server_active",
        "darwin_mutation_candidates",
    },
    "generation": {
        "rpc_server_call_duration_seconds",
        "darwin_rpc_server_active",
        "gen_ai_server_request_duration_seconds",
        "gen_ai_server_time_to_first_token_seconds",
        "gen_ai_server_time_per_output_token_seconds",
        "darwin_generation_sequences",
        "darwin_generation_tokens_waiting",
        "darwin_generation_queue_duration_seconds",
        "darwin_generation_batch_size",
        "darwin_generation_tokens",
        "darwin_generation_prompts",
    },
    "reward": {
        "rpc_server_call_duration_seconds",
        "darwin_rpc_server_active",
        "darwin_reward_waiting",
        "darwin_reward_batch_size",
        "darwin_reward_scores",
        "darwin_reward_tokens",
        "darwin_reward_value",
        "darwin_reward_abstained",
        "darwin_reward_variance_share",
    },
}
OUTCOMES = {"succeeded", "failed", "cancelled", "accepted", "empty", "malformed", "duplicate", "meaning_lost"}
OUTCOMES |= {"prompt_example", "too_short", "too_long", "encoded", "reused"}
ROUTES = {"/readyz", "/v1/models", "/v1/chat/completions", "/v1/evolutions", "/v1/evolutions/{evolution_id}"}
LABELS = {
    "outcome": OUTCOMES,
    "method": set(METHODS),
    "tenant": {"acme", "globex", "other"},
    "service_tier": {"default"},
    "profile": {"simulated@1", "simulated", ""},
    "component": {"simulated"},
    "http_request_method": {"GET", "POST", "DELETE", "_OTHER"},
    "http_route": {"", *ROUTES},
}


def served(workload: Workload, process: str) -> str:
    return httpx.get(f"http://{workload.stack.metrics[process]}/metrics").raise_for_status().text


def series(text: str) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    families = text_string_to_metric_families(text)
    return {(sample.name, frozenset(sample.labels.items())) for family in families for sample in family.samples}


@pytest.mark.parametrize("process", FAMILIES)
def test_every_process_serves_its_families(workload: Workload, process: str) -> None:
    families = {family.name: family for family in text_string_to_metric_families(served(workload, process))}
    assert FAMILIES[process] - set(families) == set()
    assert [name for name in FAMILIES[process] if not families[name].documentation] == []
    assert families["target_info"].samples[0].labels["service_name"] == f"darwin-{process}"
    assert families["process_resident_memory_bytes"].samples[0].value > 1e6


def test_nothing_that_callers_wrote_or_hold_is_served(workload: Workload) -> None:
    everything = "".join(served(workload, process) for process in FAMILIES)
    assert len(workload.texts) >= 10
    assert [text for text in workload.texts if text in everything] == []
    assert [word for word in PROMPT.split() if len(word) > 9 and word in everything] == []
    assert [key for key in workload.keys.values() if key in everything or key.split("_")[2] in everything] == []
    assert "evo_" not in everything


def test_callers_make_no_series(workload: Workload) -> None:
    """What was sent once in one spelling makes no further series in others."""
    send_oddities(workload, "a")
    before = {process: series(served(workload, process)) for process in FAMILIES}
    for name in ("b", "c", "d"):
        send_oddities(workload, name)
    assert {process: series(served(workload, process)) for process in FAMILIES} == before
    for name, value in {label for found in before.values() for _, labels in found for label in labels}:
        assert value in LABELS.get(name, {value})


def send_oddities(workload: Workload, name: str) -> None:
    """Whatever a caller may name: methods, paths, queries, headers, models, profiles, users, metadata."""
    body = {"model": "sample", "messages": [{"role": "user", "content": name}], "max_tokens": 4}
    named = {"user": name, "metadata": {name: name}, "darwin": {"profile": f"profile-{name}"}}
    key = workload.keys["acme"]
    with httpx.Client(base_url=workload.stack.url, headers={"authorization": f"Bearer {key}"}) as http:
        http.request(f"BREW{name}", f"/v1/{name}?q=%ff", headers={"x-forwarded-proto": name, "user-agent": name})
        http.get(f"/v1/evolutions/evo_{name}")
        http.post("/v1/evolutions", json=body | {"model": name})
        http.get("/v1/models", headers={"authorization": f"Bearer {name}"})
        failed = http.post("/v1/chat/completions", json=body | named)
        assert failed.status_code == 404
