"""Each check of configuration finds what it is for."""

import pytest

from tests.k8s.breaking import Break, Broken, cases, main, of, pod, spec, tell
from tests.k8s.checks import Check, configuration
from tests.k8s.rendering import overlay

BROKEN: Broken = {
    configuration.settings_are_real: {
        "misspelt": lambda o: tell(o, "orchestrator", "DARWIN_ORCHESTRATOR_CONCURENCY", "64"),
        "another's": lambda o: tell(o, "gateway", "DARWIN_ORCHESTRATOR_CONCURRENCY", "64"),
    },
    configuration.settings_are_accepted: {
        "wrong value": lambda o: tell(o, "generation", "DARWIN_GENERATION_ENGINE", "vlm"),
        "open to all": lambda o: tell(o, "gateway", "DARWIN_GATEWAY_KEYS", "off"),
        "no folder": lambda o: tell(o, "gateway", "DARWIN_SECRETS_DIR", "/run/secrets/nowhere"),
    },
    configuration.ports_are_those_listened_on: {
        "another port": lambda o: tell(o, "reward", "DARWIN_REWARD_LISTEN", "0.0.0.0:50054"),
        "loopback": lambda o: tell(o, "reward", "DARWIN_REWARD_LISTEN", "127.0.0.1:50053"),
        "refuses to start": lambda o: tell(o, "reward", "DARWIN_ALLOW_PLAINTEXT", "false"),
    },
    configuration.all_speak_tls_or_none_does: {
        "Prometheus": lambda o: spec(o, "PodMonitor", "darwin")["podMetricsEndpoints"][0].update(scheme="https"),
    },
    configuration.nothing_is_cut_short: {
        "killed": lambda o: pod(o, "orchestrator").pop("terminationGracePeriodSeconds"),
        "preStop": lambda o: main(o, "gateway")["lifecycle"]["preStop"]["sleep"].update(seconds=30),
        "round": lambda o: tell(o, "orchestrator", "DARWIN_ORCHESTRATOR_CALL_TIMEOUT_S", "300"),
        "call": lambda o: tell(o, "reward", "DARWIN_DRAIN_SECONDS", "20"),
        "wait": lambda o: tell(o, "gateway", "DARWIN_GATEWAY_MAX_WAIT_S", "600"),
        "patience": lambda o: pod(o, "reward").update(terminationGracePeriodSeconds=3600),
    },
    configuration.rollouts_keep_every_replica: {
        "gap": lambda o: spec(o, "Deployment", "reward").update(strategy={"type": "Recreate"}),
        "default": lambda o: spec(o, "Deployment", "reward").pop("strategy"),
        "endpoints": lambda o: main(o, "gateway").pop("lifecycle"),
    },
    configuration.secrets_are_referred_to: {
        "variable": lambda o: tell(o, "gateway", "REDIS_PASSWORD", "hunter2"),
        "URL": lambda o: tell(o, "gateway", "DARWIN_REDIS_URL", "redis://:hunter2@redis:6379/0"),
        "secret": lambda o: o.all.append({"kind": "Secret", "metadata": {"name": "x"}}),
        "file": lambda o: next(c for c in o.of("ConfigMap") if "redis.conf" in c["data"])["data"].update(
            {"redis.conf": "requirepass hunter2"}
        ),
    },
    configuration.as_many_gpus_as_layers_are_spread_over: {
        "more": lambda o: tell(o, "generation", "DARWIN_GENERATION_TENSOR_PARALLEL", "2"),
    },
}


@pytest.mark.parametrize(("check", "break_"), cases(BROKEN))
def test_check_finds(check: Check, break_: Break) -> None:
    objects = overlay("cpu")
    break_(objects)
    assert list(check(objects)) != []


def test_every_check_is_tried() -> None:
    assert set(BROKEN) == of(configuration)


def test_gpus_follow_the_setting() -> None:
    objects = overlay("gpu")
    main(objects, "generation")["resources"]["limits"]["nvidia.com/gpu"] = "2"
    assert list(configuration.as_many_gpus_as_layers_are_spread_over(objects)) != []
    tell(objects, "generation", "DARWIN_GENERATION_TENSOR_PARALLEL", "2")
    assert list(configuration.as_many_gpus_as_layers_are_spread_over(objects)) == []


def test_tls_is_spoken_by_probes_and_prometheus() -> None:
    for break_ in (
        lambda o: main(o, "reward").update(readinessProbe={"grpc": {"port": 50053}}),
        lambda o: spec(o, "PodMonitor", "darwin")["podMetricsEndpoints"][0].pop("scheme"),
        lambda o: spec(o, "PodMonitor", "darwin")["podMetricsEndpoints"][0].pop("tlsConfig"),
    ):
        objects = overlay("cpu", "tls")
        break_(objects)
        assert list(configuration.all_speak_tls_or_none_does(objects)) != []
