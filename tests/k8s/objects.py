"""Rendered objects, and how to find one's way among them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.k8s.quantities import quantity

Object = dict[str, Any]
COMPONENT = "app.kubernetes.io/component"


@dataclass(frozen=True)
class Workload:
    """What starts pods: a Deployment, StatefulSet or Job."""

    object: Object

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def kind(self) -> str:
        return str(self.object["kind"])

    @property
    def labels(self) -> dict[str, str]:
        """Of its pods."""
        return dict(self.object["spec"]["template"]["metadata"].get("labels", {}))

    @property
    def pod(self) -> Object:
        return dict(self.object["spec"]["template"]["spec"])

    @property
    def main(self) -> Object:
        """The first of its containers."""
        return dict(self.pod["containers"][0])

    @property
    def containers(self) -> Iterator[Object]:
        """All of them, those that run first included."""
        yield from self.pod.get("initContainers", ())
        yield from self.pod["containers"]


class Objects:
    """What one `kubectl apply` sends."""

    def __init__(self, objects: list[Object]) -> None:
        self.all = objects

    def of(self, *kinds: str) -> list[Object]:
        return [found for found in self.all if found["kind"] in kinds]

    def find(self, kind: str, name: str) -> Object | None:
        return next((found for found in self.of(kind) if found["metadata"]["name"] == name), None)

    @property
    def workloads(self) -> list[Workload]:
        return [Workload(found) for found in self.of("Deployment", "StatefulSet", "Job")]

    def workload(self, name: str) -> Workload:
        return next(workload for workload in self.workloads if workload.name == name)

    @property
    def processes(self) -> list[Workload]:
        """Darwin's own, which are Deployments."""
        return [workload for workload in self.workloads if workload.kind == "Deployment"]

    def environment(self, container: Object) -> dict[str, str]:
        """Variables as the container sees them; a reference to nothing raises KeyError."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            name = source["configMapRef"]["name"]
            config = self.find("ConfigMap", name)
            if config is None:
                raise KeyError(f"no ConfigMap {name}")
            found |= config["data"]
        for variable in container.get("env", ()):
            found[variable["name"]] = variable["value"] if "value" in variable else _field(variable, container)
        return found


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses these labels; an empty one chooses all."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or ():
        assert expression["operator"] == "In", "no other operator is needed here"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def _field(variable: Object, container: Object) -> str:
    """Limits round up to whole numbers, as Kubernetes does."""
    group, _, resource = variable["valueFrom"]["resourceFieldRef"]["resource"].partition(".")
    return str(math.ceil(quantity(container["resources"][group][resource])))
