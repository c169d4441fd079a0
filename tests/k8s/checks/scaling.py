"""How replicas follow what is asked, and how their going ends no work."""

from collections.abc import Iterator

from services.generation.settings import GenerationSettings
from services.orchestrator.settings import OrchestratorSettings
from shared.store.redis_keys import RedisKeys
from tests.k8s.checks.configuration import configured
from tests.k8s.objects import Object, Objects

LEAST = {"gateway": 2, "orchestrator": 2, "mutation": 1, "generation": 1, "reward": 1}
_CALM_S = 300


def each_process_scales_by_its_own_signal(objects: Objects) -> Iterator[str]:
    """Once; a Deployment that scales names no number of its own, which applying it again would set."""
    scalers = objects.of("ScaledObject", "HorizontalPodAutoscaler")
    if not scalers:
        return
    targets = [found["spec"]["scaleTargetRef"]["name"] for found in scalers]
    for workload in objects.processes:
        if targets.count(workload.name) != 1:
            yield f"{workload.name}: {targets.count(workload.name)} autoscalers"
        if "replicas" in workload.object["spec"]:
            yield f"{workload.name}: names its replicas, and has an autoscaler"
    for found in scalers:
        name, least = found["spec"]["scaleTargetRef"]["name"], _least(found)
        if least < LEAST.get(name, 1):
            yield f"{name}: may fall to {least}"


def scaling_down_ends_no_work(objects: Objects) -> Iterator[str]:
    """Slowly, and one pod after another: the next is chosen when the last has drained."""
    for found in objects.of("ScaledObject", "HorizontalPodAutoscaler"):
        name, down = found["spec"]["scaleTargetRef"]["name"], _behavior(found).get("scaleDown", {})
        grace = objects.workload(name).pod["terminationGracePeriodSeconds"]
        if down.get("stabilizationWindowSeconds", 0) < _CALM_S:
            yield f"{name}: scales down by what was true for less than {_CALM_S} s"
        policies = down.get("policies", ())
        if not policies or any((policy["type"], policy["value"]) != ("Pods", 1) for policy in policies):
            yield f"{name}: scales down by more than one pod at a time"
        if any(policy["periodSeconds"] < grace for policy in policies):
            yield f"{name}: the next pod stops while the last drains, for up to {grace} s"


def nothing_known_stops_nothing(objects: Objects) -> Iterator[str]:
    """Without an answer, and without series in it, replicas stay as they are."""
    for found in objects.of("ScaledObject"):
        name, spec = found["spec"]["scaleTargetRef"]["name"], found["spec"]
        fallback = spec.get("fallback", {})
        if (fallback.get("behavior"), fallback.get("replicas")) != ("currentReplicasIfHigher", _least(found)):
            yield f"{name}: no fallback to the replicas that it has"
        for trigger in spec["triggers"]:
            if trigger.get("metricType") != "AverageValue":
                yield f"{name}: the fallback needs AverageValue"
            if trigger["type"] == "prometheus" and trigger["metadata"].get("ignoreNullValues") != "false":
                yield f"{name}: series that are missing count as 0"


def the_queue_is_the_one_workers_read(objects: Objects) -> Iterator[str]:
    """In the Redis of the Service, at the default database, as in the URL that users are told to make."""
    services = {found["metadata"]["name"]: found["spec"]["ports"][0]["port"] for found in objects.of("Service")}
    for name, trigger in _triggers(objects, "redis"):
        metadata, namespace = trigger["metadata"], objects.of("Namespace")[0]["metadata"]["name"]
        if metadata["listName"] != RedisKeys().waiting or metadata.get("databaseIndex", "0") != "0":
            yield f"{name}: looks at {metadata['listName']}, and what waits is in {RedisKeys().waiting}, in database 0"
        if metadata["address"] != f"redis.{namespace}.svc.cluster.local:{services.get('redis')}":
            yield f"{name}: no Redis at {metadata['address']}"
        if "authenticationRef" not in trigger:
            yield f"{name}: Redis asks KEDA for a password"


def full_replicas_call_for_more(objects: Objects) -> Iterator[str]:
    """Three quarters of what a replica works on at a time; a queue of half a worker's."""
    orchestrator = configured(objects, objects.workload("orchestrator")).own
    generation = configured(objects, objects.workload("generation")).own
    assert isinstance(orchestrator, OrchestratorSettings)
    assert isinstance(generation, GenerationSettings)
    wanted = {
        "queue": orchestrator.concurrency // 2,
        "rounds": orchestrator.concurrency * 3 // 4,
        "sequences": generation.max_running * 3 // 4,
    }
    for name, trigger in [*_triggers(objects, "redis"), *_triggers(objects, "prometheus")]:
        target = float(trigger["metadata"].get("listLength") or trigger["metadata"]["threshold"])
        if target != wanted.get(trigger["name"], target):
            yield f"{name}: {trigger['name']} has the target {target:g}, not {wanted[trigger['name']]}"


def _triggers(objects: Objects, kind: str) -> Iterator[tuple[str, Object]]:
    for found in objects.of("ScaledObject"):
        for trigger in found["spec"]["triggers"]:
            if trigger["type"] == kind:
                yield found["spec"]["scaleTargetRef"]["name"], trigger


def _least(found: Object) -> int:
    return int(found["spec"].get("minReplicaCount", found["spec"].get("minReplicas", 0)))


def _behavior(found: Object) -> Object:
    if found["kind"] == "HorizontalPodAutoscaler":
        return dict(found["spec"].get("behavior", {}))
    advanced = found["spec"].get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
    return dict(advanced.get("behavior", {}))
