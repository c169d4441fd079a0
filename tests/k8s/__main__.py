"""`make k8s`: renders every overlay, says what is in it, and what is wrong with it."""

import sys

from rich.console import Console
from rich.table import Table

from tests.k8s.checks import CHECKS
from tests.k8s.objects import Object, Objects, Workload
from tests.k8s.rendering import OVERLAYS, overlay


def main() -> int:
    console, wrong = Console(width=120), 0
    for name in OVERLAYS:
        objects = overlay(name)
        console.print(table(name, objects))
        problems = [problem for check in CHECKS for problem in check(objects)]
        wrong += len(problems)
        console.print(f"{len(objects.all)} objects, {len(CHECKS)} checks, {len(problems)} problems\n")
        for problem in problems:
            console.print(f"  {problem}", markup=False)
    return min(wrong, 1)


def table(name: str, objects: Objects) -> Table:
    columns = ("process", "replicas", "cpu", "memory", "gpu", "stops within", "scales by")
    shown = Table(*columns, title=f"k8s/overlays/{name}", title_justify="left")
    for workload in objects.workloads:
        resources = workload.main["resources"]
        cpu = f"{resources['requests']['cpu']}–{resources['limits']['cpu']}"
        gpus = str(resources["limits"].get("nvidia.com/gpu", ""))
        grace = f"{workload.pod.get('terminationGracePeriodSeconds', 30)} s"
        scaler = scaler_of(objects, workload)
        replicas = str(workload.object["spec"].get("replicas", 1)) if scaler is None else bounds(scaler)
        row = (replicas, cpu, resources["limits"]["memory"], gpus, grace, "" if scaler is None else signals(scaler))
        shown.add_row(workload.name, *row)
    return shown


def scaler_of(objects: Objects, workload: Workload) -> Object | None:
    scalers = objects.of("ScaledObject", "HorizontalPodAutoscaler")
    return next((found for found in scalers if found["spec"]["scaleTargetRef"]["name"] == workload.name), None)


def bounds(scaler: Object) -> str:
    spec = scaler["spec"]
    least, most = (spec.get(f"{end}ReplicaCount", spec.get(f"{end}Replicas")) for end in ("min", "max"))
    return f"{least}–{most}"


def signals(scaler: Object) -> str:
    """Each with what one replica is to have of it."""
    if scaler["kind"] == "HorizontalPodAutoscaler":
        return ", ".join(
            f"{metric['resource']['name']} {metric['resource']['target']['averageUtilization']} %"
            for metric in scaler["spec"]["metrics"]
        )
    triggers = ((t["name"], t["metadata"].get("listLength") or t["metadata"]["threshold"]) for t in _triggers(scaler))
    return ", ".join(f"{name} {target}" for name, target in triggers)


def _triggers(scaler: Object) -> list[Object]:
    return list(scaler["spec"]["triggers"])


if __name__ == "__main__":
    sys.exit(main())
