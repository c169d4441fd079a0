"""Names that objects call each other by."""

import re
from collections.abc import Iterator

from tests.k8s.objects import COMPONENT, Object, Objects, Workload, matches

SECRETS = {"darwin-redis": {"password", "url"}, "darwin-tls": {"ca.crt", "tls.crt", "tls.key"}}
"""Those that users make (docs/kubernetes.md), with their keys."""


def selectors_match_pods(objects: Objects) -> Iterator[str]:
    labels = [workload.labels for workload in objects.workloads]
    for workload in objects.workloads:
        selector = workload.object["spec"].get("selector")
        if selector is not None and not matches(selector, workload.labels):
            yield f"{workload.kind}/{workload.name}: its selector does not match its pods"
    for found in objects.of("Service", "PodDisruptionBudget", "PodMonitor", "NetworkPolicy"):
        if not any(matches(_selector(found), pod) for pod in labels):
            yield f"{found['kind']}/{found['metadata']['name']}: its selector matches no pod"


def services_reach_ports(objects: Objects) -> Iterator[str]:
    """Named ports of the pods that they select; stages are headless, and show replicas that are ready only.

    A StatefulSet's Service shows pods that are not ready, so that the name of one that starts is known: who asks for it
    is refused for a moment, instead of remembering that there is no such name.
    """
    governing = {found["spec"]["serviceName"] for found in objects.of("StatefulSet")}
    for service in objects.of("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        for port in spec["ports"]:
            for workload in objects.workloads:
                if matches(_selector(service), workload.labels) and port["targetPort"] not in _ports(workload):
                    yield f"Service/{name}: {workload.name} has no port {port['targetPort']}"
        if any(port["name"] == "grpc" for port in spec["ports"]):
            if spec.get("clusterIP") != "None":
                yield f"Service/{name}: is not headless, so every channel stays with one replica"
            if spec.get("publishNotReadyAddresses"):
                yield f"Service/{name}: shows replicas that are not ready"
        if name in governing and not (spec.get("clusterIP") == "None" and spec.get("publishNotReadyAddresses")):
            yield f"Service/{name}: is not headless, or hides a pod that starts"


def monitors_reach_ports(objects: Objects) -> Iterator[str]:
    """Every process of ours is scraped."""
    for monitor in objects.of("PodMonitor"):
        ports = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
        for workload in objects.processes:
            if not (matches(_selector(monitor), workload.labels) and ports & set(_ports(workload))):
                yield f"PodMonitor/{monitor['metadata']['name']}: does not scrape {workload.name}"


def mentioned_objects_exist(objects: Objects) -> Iterator[str]:
    for workload in objects.workloads:
        name, pod = workload.name, workload.pod
        account = pod.get("serviceAccountName")
        if account and objects.find("ServiceAccount", account) is None:
            yield f"{name}: no ServiceAccount {account}"
        for volume in pod.get("volumes", ()):
            yield from (f"{name}: {problem}" for problem in _missing(objects, volume))
        for container in workload.containers:
            for source in container.get("envFrom", ()):
                if objects.find("ConfigMap", source["configMapRef"]["name"]) is None:
                    yield f"{name}: no ConfigMap {source['configMapRef']['name']}"
    for authentication in objects.of("TriggerAuthentication"):
        for reference in authentication["spec"]["secretTargetRef"]:
            if reference["key"] not in SECRETS.get(reference["name"], ()):
                yield f"TriggerAuthentication: no {reference['key']} in a Secret {reference['name']}"


def targets_exist(objects: Objects) -> Iterator[str]:
    """Of what scales, and of whom it asks how to."""
    for found in objects.of("ScaledObject", "HorizontalPodAutoscaler"):
        target, name = found["spec"]["scaleTargetRef"], f"{found['kind']}/{found['metadata']['name']}"
        if objects.find(target.get("kind", "Deployment"), target["name"]) is None:
            yield f"{name}: no {target.get('kind', 'Deployment')} {target['name']}"
        for trigger in found["spec"].get("triggers", ()):
            reference = trigger.get("authenticationRef", {}).get("name")
            if reference and objects.find("TriggerAuthentication", reference) is None:
                yield f"{name}: no TriggerAuthentication {reference}"


def disruptions_are_limited_and_allowed(objects: Objects) -> Iterator[str]:
    """Each workload that goes on has one budget, which lets a drain take one pod, a sick one at any time."""
    for workload in objects.workloads:
        budgets = [b for b in objects.of("PodDisruptionBudget") if matches(_selector(b), workload.labels)]
        if len(budgets) != (workload.kind != "Job"):
            yield f"{workload.name}: {len(budgets)} disruption budgets"
        for budget in budgets:
            spec = budget["spec"]
            if spec.get("maxUnavailable") != 1 or "minAvailable" in spec:
                yield f"{workload.name}: a drain may wait forever for its disruption budget"
            if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
                yield f"{workload.name}: a pod that never becomes ready blocks a drain"


def images_are_pinned_and_ours(objects: Objects) -> Iterator[str]:
    """From whatever registry."""
    ours = {"redis", *(f"darwin/{process.labels[COMPONENT]}" for process in objects.processes)}
    for workload in objects.workloads:
        for container in workload.containers:
            image = re.fullmatch(r"(?:\S+/)?(redis|darwin/\w+)(?::(\w[\w.-]*))?", container["image"])
            if image is None or image[1] not in ours:
                yield f"{workload.name}: image {container['image']} is none of ours"
            elif image[2] in (None, "latest"):
                yield f"{workload.name}: image {container['image']} names no version"


def _missing(objects: Objects, volume: Object) -> Iterator[str]:
    if "secret" in volume:
        keys = SECRETS.get(volume["secret"]["secretName"])
        if keys is None:
            yield f"no Secret {volume['secret']['secretName']} that users are told to make"
        wanted = [item["key"] for item in volume["secret"].get("items", ())]
        yield from (f"no {key} in Secret {volume['secret']['secretName']}" for key in wanted if key not in (keys or ()))
    if "configMap" in volume and objects.find("ConfigMap", volume["configMap"]["name"]) is None:
        yield f"no ConfigMap {volume['configMap']['name']}"
    claim = volume.get("persistentVolumeClaim", {}).get("claimName")
    if claim and objects.find("PersistentVolumeClaim", claim) is None:
        yield f"no PersistentVolumeClaim {claim}"


def _selector(found: Object) -> Object:
    spec = found["spec"]
    match found["kind"]:
        case "Service":
            return {"matchLabels": spec["selector"]}
        case "NetworkPolicy":
            return dict(spec["podSelector"])
        case _:
            return dict(spec["selector"])


def _ports(workload: Workload) -> dict[str, int]:
    containers = workload.pod["containers"]
    return {port["name"]: port["containerPort"] for container in containers for port in container.get("ports", ())}
