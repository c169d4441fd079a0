"""Each check of network finds what it is for."""

import pytest

from tests.k8s.breaking import Break, Broken, cases, found, of, policy, rule, spec
from tests.k8s.checks import Check, network
from tests.k8s.rendering import OVERLAYS, overlay

# As docs/architecture.md draws them, and who looks from outside.
ARROWS = {
    ("ingress-nginx/", "gateway", 8080),
    ("gateway", "redis", 6379),
    ("gateway", "mutation", 50052),
    ("gateway", "reward", 50053),
    ("orchestrator", "redis", 6379),
    ("orchestrator", "mutation", 50052),
    ("orchestrator", "generation", 50051),
    ("orchestrator", "reward", 50053),
    ("mutation", "generation", 50051),
    ("reward", "generation", 50051),
    ("keda/", "redis", 6379),
    ("monitoring/", "gateway", 9464),
    ("monitoring/", "orchestrator", 9464),
    ("monitoring/", "mutation", 9464),
    ("monitoring/", "generation", 9464),
    ("monitoring/", "reward", 9464),
}

BROKEN: Broken = {
    network.only_the_arrows_are_open: {
        "shut at its end": lambda o: rule(o, "reward", "ingress").update(
            {"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/component": "mutation"}}}]}
        ),
        "shut at its beginning": lambda o: spec(o, "NetworkPolicy", "mutation").update(egress=[]),
        "port": lambda o: rule(o, "reward", "ingress").update(ports=[{"port": 50052}]),
        "every port": lambda o: rule(o, "reward", "ingress").pop("ports"),
        "from anybody": lambda o: rule(o, "gateway", "ingress").pop("from"),
        "from any namespace": lambda o: rule(o, "gateway", "ingress").update({"from": [{"namespaceSelector": {}}]}),
        "one more": lambda o: o.all.append(
            policy("Egress", to=[{"ipBlock": {"cidr": "0.0.0.0/0"}}], ports=[{"port": 443}])
        ),
        "within": lambda o: o.all.append(policy("Ingress", **{"from": [{"podSelector": {}}]}, ports=[{"port": 6379}])),
    },
    network.everything_else_is_denied: {
        "egress": lambda o: (
            spec(o, "NetworkPolicy", "deny-all")["policyTypes"].remove("Egress"),
            spec(o, "NetworkPolicy", "dns").update(
                podSelector={"matchLabels": {"app.kubernetes.io/component": "gateway"}}
            ),
        ),
        "some pods": lambda o: (
            spec(o, "NetworkPolicy", "deny-all").update(
                podSelector={"matchLabels": {"app.kubernetes.io/component": "gateway"}}
            ),
            o.all.remove(found(o, "NetworkPolicy", "redis")),
            o.all.remove(found(o, "NetworkPolicy", "keda")),
        ),
    },
}


@pytest.mark.parametrize(("check", "break_"), cases(BROKEN))
def test_check_finds(check: Check, break_: Break) -> None:
    objects = overlay("cpu")
    break_(objects)
    assert list(check(objects)) != []


def test_every_check_is_tried() -> None:
    assert set(BROKEN) == of(network)


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_processes_are_told_makes_the_arrows_of_the_architecture(name: str) -> None:
    assert network.arrows(overlay(name)) == ARROWS
