"""Each check of references finds what it is for."""

import pytest

from tests.k8s.breaking import Break, Broken, cases, found, main, of, pod, spec, trigger
from tests.k8s.checks import Check, references
from tests.k8s.rendering import overlay

BROKEN: Broken = {
    references.selectors_match_pods: {
        "service": lambda o: spec(o, "Service", "reward").update(selector={"app.kubernetes.io/component": "rewards"}),
        "deployment": lambda o: spec(o, "Deployment", "reward")["template"]["metadata"]["labels"].clear(),
        "policy": lambda o: spec(o, "NetworkPolicy", "reward").update(podSelector={"matchLabels": {"app": "reward"}}),
    },
    references.services_reach_ports: {
        "port": lambda o: spec(o, "Service", "gateway")["ports"][0].update(targetPort="web"),
        "one address": lambda o: spec(o, "Service", "reward").pop("clusterIP"),
        "not ready": lambda o: spec(o, "Service", "reward").update(publishNotReadyAddresses=True),
        "Redis starts": lambda o: spec(o, "Service", "redis").pop("publishNotReadyAddresses"),
        "Redis by one address": lambda o: spec(o, "Service", "redis").pop("clusterIP"),
    },
    references.monitors_reach_ports: {
        "port": lambda o: spec(o, "PodMonitor", "darwin")["podMetricsEndpoints"][0].update(port="prometheus"),
        "unnamed": lambda o: main(o, "orchestrator")["ports"][0].update(name="m"),
    },
    references.mentioned_objects_exist: {
        "account": lambda o: pod(o, "gateway").update(serviceAccountName="default"),
        "config": lambda o: main(o, "gateway")["envFrom"][0]["configMapRef"].update(name="darwin"),
        "secret": lambda o: pod(o, "gateway")["volumes"][1]["secret"].update(secretName="redis"),
        "key": lambda o: pod(o, "gateway")["volumes"][1]["secret"]["items"][0].update(key="uri"),
        "KEDA's key": lambda o: spec(o, "TriggerAuthentication", "darwin-redis")["secretTargetRef"][0].update(
            key="pass"
        ),
    },
    references.targets_exist: {
        "deployment": lambda o: spec(o, "ScaledObject", "reward")["scaleTargetRef"].update(name="rewards"),
        "of the gateway": lambda o: spec(o, "HorizontalPodAutoscaler", "gateway")["scaleTargetRef"].update(
            kind="StatefulSet"
        ),
        "authentication": lambda o: trigger(o, "orchestrator")["authenticationRef"].update(name="redis"),
    },
    references.disruptions_are_limited_and_allowed: {
        "none": lambda o: o.all.remove(found(o, "PodDisruptionBudget", "reward")),
        "forever": lambda o: spec(o, "PodDisruptionBudget", "redis").update(maxUnavailable=0),
        "sick pods": lambda o: spec(o, "PodDisruptionBudget", "redis").pop("unhealthyPodEvictionPolicy"),
    },
    references.images_are_pinned_and_ours: {
        "latest": lambda o: main(o, "gateway").update(image="darwin/gateway:latest"),
        "no version": lambda o: pod(o, "reward")["initContainers"][0].update(image="darwin/generation"),
        "foreign": lambda o: main(o, "gateway").update(image="darwin/gatewy:0.1.0"),
    },
}


@pytest.mark.parametrize(("check", "break_"), cases(BROKEN))
def test_check_finds(check: Check, break_: Break) -> None:
    objects = overlay("cpu")
    break_(objects)
    assert list(check(objects)) != []


def test_every_check_is_tried() -> None:
    assert set(BROKEN) == of(references)


def test_a_claim_is_looked_for() -> None:
    objects = overlay("gpu")
    objects.all.remove(found(objects, "PersistentVolumeClaim", "darwin-models"))
    assert any("no PersistentVolumeClaim" in problem for problem in references.mentioned_objects_exist(objects))
