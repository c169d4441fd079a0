"""Who may speak to whom: the arrows of docs/architecture.md, and no other."""

import re
from collections.abc import Iterator

from tests.k8s.objects import Object, Objects, matches

Arrow = tuple[str, str, int]
"""From, to, port; a process by its name, everybody of a namespace as `namespace/`."""

CALLERS = "ingress-nginx/"
PROMETHEUS = "monitoring/"
KEDA = "keda/"
DNS = "kube-system/kube-dns"
_ADDRESS = re.compile(r"([a-z][a-z-]*):(\d+)")


def arrows(objects: Objects) -> set[Arrow]:
    """As they follow from what each process is told: an address, or the Secret with Redis' URL."""
    found: set[Arrow] = set()
    for workload in objects.processes:
        name, main = workload.name, workload.main
        for value in objects.environment(main).values():
            address = _ADDRESS.fullmatch(value)
            if address and objects.find("Service", address[1]):
                found.add((name, address[1], int(address[2])))
        mounted = {mount["name"] for mount in main["volumeMounts"]}
        secrets = [volume.get("secret", {}) for volume in workload.pod["volumes"] if volume["name"] in mounted]
        if any(secret.get("secretName") == "darwin-redis" for secret in secrets):
            found.add((name, "redis", 6379))
        ports = {port["name"]: port["containerPort"] for port in main["ports"]}
        found.add((PROMETHEUS, name, ports["metrics"]))
        if "http" in ports:
            found.add((CALLERS, name, ports["http"]))
    if objects.of("TriggerAuthentication"):
        found.add((KEDA, "redis", 6379))
    return found


def allowed(objects: Objects, way: str) -> set[Arrow]:
    """By policies of "Ingress" or of "Egress"; "*" stands for anybody or any port."""
    found: set[Arrow] = set()
    for policy in objects.of("NetworkPolicy"):
        spec = policy["spec"]
        here = _pods(objects, spec["podSelector"])
        for rule in spec.get(way.lower(), ()) if way in spec["policyTypes"] else ():
            peers = rule.get("from" if way == "Ingress" else "to")
            there = ["*"] if not peers else [name for peer in peers for name in _peers(objects, peer)]
            ports = [port.get("port", -1) for port in rule.get("ports", ())] or [-1]
            pairs = {(a, b) for a in here for b in there}
            found |= {(*(pair if way == "Egress" else pair[::-1]), port) for pair in pairs for port in ports}
    return found


def only_the_arrows_are_open(objects: Objects) -> Iterator[str]:
    """At both ends; beside them everybody may ask for names, and send traces where they are told to."""
    wanted, names = arrows(objects), {workload.name for workload in objects.workloads}
    resolving = {(name, DNS, 53) for name in names}
    for way, end, extra in (("Ingress", 1, set()), ("Egress", 0, resolving | _traces(objects))):
        mine = {arrow for arrow in wanted if arrow[end] in names} | extra
        open_ = allowed(objects, way)
        yield from (f"{way}: {a} → {b}:{port} is shut" for a, b, port in sorted(mine - open_))
        yield from (f"{way}: {a} → {b}:{port} is open" for a, b, port in sorted(open_ - mine))


def everything_else_is_denied(objects: Objects) -> Iterator[str]:
    for workload in objects.workloads:
        for way in ("Ingress", "Egress"):
            policies = [p["spec"] for p in objects.of("NetworkPolicy") if way in p["spec"]["policyTypes"]]
            if not any(matches(spec["podSelector"], workload.labels) for spec in policies):
                yield f"{workload.name}: no policy denies {way}"


def _traces(objects: Objects) -> set[Arrow]:
    found: set[Arrow] = set()
    for workload in objects.processes:
        endpoint = objects.environment(workload.main).get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        if match := re.fullmatch(r"https?://[\w-]+\.([\w-]+)\.svc:(\d+)", endpoint):
            found.add((workload.name, f"{match[1]}/", int(match[2])))
    return found


def _pods(objects: Objects, selector: Object) -> list[str]:
    return [workload.name for workload in objects.workloads if matches(selector, workload.labels)]


def _peers(objects: Objects, peer: Object) -> list[str]:
    if "ipBlock" in peer:
        return [str(peer["ipBlock"]["cidr"])]
    if "namespaceSelector" not in peer:
        return _pods(objects, peer["podSelector"])
    namespace = peer["namespaceSelector"].get("matchLabels", {}).get("kubernetes.io/metadata.name", "*")
    return [f"{namespace}/{'/'.join(peer.get('podSelector', {}).get('matchLabels', {}).values())}"]
