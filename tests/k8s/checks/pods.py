"""What pods need to be let in, scheduled and watched."""

from collections.abc import Iterator
from itertools import pairwise

from tests.k8s.objects import Object, Objects, Workload
from tests.k8s.quantities import quantity

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
# Large models come from slow disks; Redis reads its append-only file; gateways wait for every stage.
_STARTS_S = {"mutation": 120, "generation": 1200, "reward": 600, "redis": 600, "gateway": 1200}
# A process that is short of CPU, or writes a dump, is not dead.
_SILENT_S = 60
_LIGHT = ("gateway", "orchestrator")
_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


def quantities_parse(objects: Objects) -> Iterator[str]:
    for workload, container in _containers(objects):
        for group, amounts in container.get("resources", {}).items():
            for resource, amount in amounts.items():
                yield from _wrong(f"{workload.name}/{container['name']} {group}.{resource}", amount)
        for volume in workload.pod.get("volumes", ()):
            if "emptyDir" in volume:
                limit = (volume["emptyDir"] or {}).get("sizeLimit", "unlimited")
                yield from _wrong(f"{workload.name} volume {volume['name']} sizeLimit", limit)
    templates = [claim for found in objects.of("StatefulSet") for claim in found["spec"]["volumeClaimTemplates"]]
    for claim in (*templates, *objects.of("PersistentVolumeClaim")):
        yield from _wrong(claim["metadata"]["name"], claim["spec"]["resources"]["requests"]["storage"])


def resources_are_bounded(objects: Objects) -> Iterator[str]:
    """Requests and limits of CPU and memory; memory and GPUs are not overcommitted."""
    for workload, container in _containers(objects):
        name, resources = f"{workload.name}/{container['name']}", container.get("resources", {})
        requests, limits = resources.get("requests", {}), resources.get("limits", {})
        for resource in ("cpu", "memory"):
            if resource not in requests or resource not in limits:
                yield f"{name}: no request and limit of {resource}"
        for resource in requests.keys() & limits.keys():
            same = quantity(requests[resource]) == quantity(limits[resource])
            if quantity(requests[resource]) > quantity(limits[resource]) or (resource != "cpu" and not same):
                yield f"{name}: requests {requests[resource]} of {resource}, its limit is {limits[resource]}"


def security_is_restricted(objects: Objects) -> Iterator[str]:
    """Of the Pod Security Standards, and a root that is read-only."""
    for workload in objects.workloads:
        pod, context = workload.pod, workload.pod.get("securityContext", {})
        wanted: Object = {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
        wanted["seccompProfile"] = {"type": "RuntimeDefault"}
        yield from _differences(f"{workload.name}", context, wanted)
        yield from _differences(
            workload.name, pod, {"automountServiceAccountToken": False, "enableServiceLinks": False}
        )
        if any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{workload.name}: shares something with its node"
        for volume in pod.get("volumes", ()):
            if set(volume) - {"name"} - _VOLUMES:
                yield f"{workload.name}: volume {volume['name']} is of a kind that is not allowed"
    for workload, container in _containers(objects):
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        yield from _differences(f"{workload.name}/{container['name']}", container.get("securityContext", {}), wanted)
        if any("hostPort" in port for port in container.get("ports", ())):
            yield f"{workload.name}/{container['name']}: takes a port of its node"
    for namespace in objects.of("Namespace"):
        label = "pod-security.kubernetes.io/enforce"
        yield from _differences("Namespace", namespace["metadata"].get("labels", {}), {label: "restricted"})


def containers_are_probed(objects: Objects) -> Iterator[str]:
    """All that go on running, at ports that the container has, once it had time to start."""
    for workload in objects.workloads:
        least, startup = _STARTS_S.get(workload.name, 0), workload.main.get("startupProbe", {})
        if startup.get("failureThreshold", 0) * startup.get("periodSeconds", 0) < least:
            yield f"{workload.name}: is killed before it can have started, within {least} s"
        if workload.object["spec"].get("progressDeadlineSeconds", 600) < least:
            yield f"{workload.name}: a rollout gives up before it can have started, within {least} s"
        for container in () if workload.kind == "Job" else workload.pod["containers"]:
            ports = {port.get("name"): port["containerPort"] for port in container.get("ports", ())}
            liveness = container.get("livenessProbe", {})
            if liveness.get("failureThreshold", 3) * liveness.get("periodSeconds", 10) < _SILENT_S:
                yield f"{workload.name}/{container['name']}: is killed after less than {_SILENT_S} s without a sign"
            for kind in PROBES:
                probe = container.get(kind)
                if probe is None:
                    yield f"{workload.name}/{container['name']}: no {kind}"
                    continue
                for way in ("grpc", "httpGet", "tcpSocket"):
                    port = probe.get(way, {}).get("port")
                    if port is not None and port not in (*ports, *ports.values()):
                        yield f"{workload.name}/{container['name']}: {kind} asks port {port}, which it has not"


def probes_start_a_python_only_for_tls(objects: Objects) -> Iterator[str]:
    """It costs 0.2 s of CPU each time; only stages that speak TLS have nothing cheaper."""
    for workload, container in _containers(objects):
        secured = "DARWIN_TLS_CERT" in objects.environment(container)
        stage = any(port.get("name") == "grpc" for port in container.get("ports", ()))
        for kind in PROBES:
            command = container.get(kind, {}).get("exec", {}).get("command", ())
            if any("python" in word for word in command) and not (secured and stage):
                yield f"{workload.name}/{container['name']}: {kind} starts a Python"


def writes_only_where_it_may(objects: Objects) -> Iterator[str]:
    """Each mount names a volume of the pod; what is mounted writable is bounded or a claim; /tmp is there."""
    for workload in objects.workloads:
        volumes = {volume["name"] for volume in workload.pod.get("volumes", ())}
        volumes |= {c["metadata"]["name"] for c in workload.object["spec"].get("volumeClaimTemplates", ())}
        for container in workload.containers:
            mounts = container.get("volumeMounts", ())
            name = f"{workload.name}/{container['name']}"
            yield from (f"{name}: no volume {m['name']}" for m in mounts if m["name"] not in volumes)
            if not any(mount["mountPath"] == "/tmp" for mount in mounts):
                yield f"{name}: /tmp cannot be written"


def pods_spread_over_nodes_and_zones(objects: Objects) -> Iterator[str]:
    """Replicas of one process; the light ones never share a node where there is another."""
    for workload in objects.processes:
        spreads = workload.pod.get("topologySpreadConstraints", ())
        found = {spread["topologyKey"]: spread["whenUnsatisfiable"] for spread in spreads}
        if set(found) != {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}:
            yield f"{workload.name}: spreads over {', '.join(found) or 'nothing'}"
        if workload.name in _LIGHT and found.get("kubernetes.io/hostname") != "DoNotSchedule":
            yield f"{workload.name}: one node may hold all of it"
        for spread in spreads:
            if workload.labels.items() & spread["labelSelector"]["matchLabels"].items() == set():
                yield f"{workload.name}: spreads by labels that its pods have not"
            if "app.kubernetes.io/component" not in spread["matchLabelKeys"]:
                yield f"{workload.name}: spreads together with other processes"


def priorities_are_ordered(objects: Objects) -> Iterator[str]:
    """Redis before those that keep promises before those that compute."""
    values = {found["metadata"]["name"]: found["value"] for found in objects.of("PriorityClass")}
    tiers = (("redis",), ("gateway", "orchestrator"), ("mutation", "generation", "reward", "models"))
    rank = {name: index for index, names in enumerate(tiers) for name in names}
    given: dict[int, set[int]] = {}
    for workload in objects.workloads:
        value = values.get(workload.pod.get("priorityClassName", ""))
        if value is None:
            yield f"{workload.name}: no priority class"
        else:
            given.setdefault(rank[workload.name], set()).add(value)
    ordered = [given[tier] for tier in sorted(given)]
    if any(min(high) <= max(low) for high, low in pairwise(ordered)):
        yield "priorities: redis > gateway, orchestrator > stages is not so"


def only_redis_preempts(objects: Objects) -> Iterator[str]:
    """Any other pod waits for room rather than evict what runs; Redis, of which there is one, may."""
    for found in objects.of("PriorityClass"):
        name, policy = found["metadata"]["name"], found.get("preemptionPolicy", "PreemptLowerPriority")
        if name != "darwin-redis" and policy != "Never":
            yield f"PriorityClass/{name}: its pods evict others"
        if found.get("globalDefault"):
            yield f"PriorityClass/{name}: is everybody's"


def _containers(objects: Objects) -> Iterator[tuple[Workload, Object]]:
    for workload in objects.workloads:
        for container in workload.containers:
            yield workload, container


def _wrong(name: str, amount: object) -> Iterator[str]:
    try:
        quantity(amount)
    except ValueError as error:
        yield f"{name}: {error}"


def _differences(name: str, found: Object, wanted: Object) -> Iterator[str]:
    for key, value in wanted.items():
        if found.get(key) != value:
            yield f"{name}: {key} is {found.get(key)!r}, not {value!r}"
