"""Each check of pods finds what it is for."""

import pytest

from tests.k8s.breaking import Break, Broken, cases, found, main, of, pod, spec
from tests.k8s.checks import Check, pods
from tests.k8s.rendering import overlay

BROKEN: Broken = {
    pods.quantities_parse: {
        "2G i": lambda o: main(o, "reward")["resources"]["limits"].update(memory="2G i"),
        "volume": lambda o: pod(o, "reward")["volumes"][0].update(emptyDir={"sizeLimit": "1GB"}),
        "unlimited volume": lambda o: pod(o, "reward")["volumes"][0].update(emptyDir={}),
    },
    pods.resources_are_bounded: {
        "no limit": lambda o: main(o, "gateway")["resources"]["limits"].pop("cpu"),
        "no request": lambda o: main(o, "redis")["resources"]["requests"].pop("memory"),
        "first container": lambda o: pod(o, "reward")["initContainers"][0].pop("resources"),
        "overcommitted": lambda o: main(o, "reward")["resources"]["requests"].update(memory="1Gi"),
    },
    pods.security_is_restricted: {
        "root": lambda o: pod(o, "gateway")["securityContext"].update(runAsUser=0),
        "no seccomp": lambda o: pod(o, "redis")["securityContext"].pop("seccompProfile"),
        "writable root": lambda o: main(o, "reward").pop("securityContext"),
        "capability": lambda o: main(o, "reward")["securityContext"]["capabilities"].update(drop=[]),
        "node's folder": lambda o: pod(o, "reward")["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
        "node's network": lambda o: pod(o, "gateway").update(hostNetwork=True),
        "service links": lambda o: pod(o, "gateway").pop("enableServiceLinks"),
        "token": lambda o: pod(o, "gateway").update(automountServiceAccountToken=True),
        "baseline": lambda o: found(o, "Namespace", "darwin")["metadata"]["labels"].update(
            {"pod-security.kubernetes.io/enforce": "baseline"}
        ),
    },
    pods.containers_are_probed: {
        "no probe": lambda o: main(o, "mutation").pop("startupProbe"),
        "port": lambda o: main(o, "mutation")["livenessProbe"].update(grpc={"port": 50051}),
        "no time to start": lambda o: main(o, "generation")["startupProbe"].update(failureThreshold=3),
        "given up": lambda o: spec(o, "Deployment", "generation").pop("progressDeadlineSeconds"),
        "gateway before the stages": lambda o: spec(o, "Deployment", "gateway").pop("progressDeadlineSeconds"),
        "killed at once": lambda o: main(o, "orchestrator")["livenessProbe"].update(failureThreshold=2),
        "named port": lambda o: main(o, "gateway")["readinessProbe"]["httpGet"].update(port="https"),
    },
    pods.probes_start_a_python_only_for_tls: {
        kind: lambda o, kind=kind: main(o, "orchestrator")[kind].update(  # type: ignore[misc]
            exec={"command": ["python", "-m", "shared.healthcheck"]}
        )
        for kind in pods.PROBES
    }
    | {
        "stage without TLS": lambda o: main(o, "reward").update(
            livenessProbe={"exec": {"command": ["sh", "-c", "python -m shared.healthcheck"]}}
        ),
    },
    pods.writes_only_where_it_may: {
        "no volume": lambda o: pod(o, "mutation")["volumes"].clear(),
        "no /tmp": lambda o: main(o, "mutation")["volumeMounts"].clear(),
    },
    pods.pods_spread_over_nodes_and_zones: {
        "zones": lambda o: pod(o, "reward")["topologySpreadConstraints"].pop(),
        "labels": lambda o: pod(o, "reward")["topologySpreadConstraints"][0].update(
            labelSelector={"matchLabels": {"a": "b"}}
        ),
        "one node": lambda o: pod(o, "gateway")["topologySpreadConstraints"][0].update(
            whenUnsatisfiable="ScheduleAnyway"
        ),
        "together": lambda o: pod(o, "reward")["topologySpreadConstraints"][0]["matchLabelKeys"].pop(0),
    },
    pods.priorities_are_ordered: {
        "order": lambda o: found(o, "PriorityClass", "darwin-stage").update(value=400000),
        "no class": lambda o: pod(o, "gateway").update(priorityClassName="high"),
    },
    pods.only_redis_preempts: {
        "stages": lambda o: found(o, "PriorityClass", "darwin-stage").pop("preemptionPolicy"),
        "control": lambda o: found(o, "PriorityClass", "darwin-control").update(
            preemptionPolicy="PreemptLowerPriority"
        ),
        "everybody": lambda o: found(o, "PriorityClass", "darwin-stage").update(globalDefault=True),
    },
}


@pytest.mark.parametrize(("check", "break_"), cases(BROKEN))
def test_check_finds(check: Check, break_: Break) -> None:
    objects = overlay("cpu")
    break_(objects)
    assert list(check(objects)) != []


def test_every_check_is_tried() -> None:
    assert set(BROKEN) == of(pods)
