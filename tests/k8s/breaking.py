"""How tests break manifests, one thing at a time, to see that a check finds it."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest

from tests.k8s.checks import CHECKS, Check
from tests.k8s.objects import Object, Objects

Break = Callable[[Objects], Any]
Broken = Mapping[Check, Mapping[str, Break]]
"""By check and by what is wrong."""


def cases(broken: Broken) -> list[Any]:
    """Parameters (check, break)."""
    return [
        pytest.param(check, break_, id=f"{check.__name__}: {how}")
        for check, ways in broken.items()
        for how, break_ in ways.items()
    ]


def of(module: ModuleType) -> set[Check]:
    """Its checks."""
    return {check for check in CHECKS if check.__module__ == module.__name__}


def found(objects: Objects, kind: str, name: str) -> Any:
    result = objects.find(kind, name)
    assert result is not None
    return result


def spec(objects: Objects, kind: str, name: str) -> Any:
    return found(objects, kind, name)["spec"]


def pod(objects: Objects, name: str) -> Any:
    return objects.workload(name).object["spec"]["template"]["spec"]


def main(objects: Objects, name: str) -> Any:
    return pod(objects, name)["containers"][0]


def tell(objects: Objects, name: str, variable: str, value: str) -> None:
    told = main(objects, name)["env"]
    told[:] = [other for other in told if other["name"] != variable] + [{"name": variable, "value": value}]


def rule(objects: Objects, name: str, way: str) -> Any:
    return spec(objects, "NetworkPolicy", name)[way][0]


def policy(way: str, **fields: Any) -> Object:
    """Of every pod, with one rule."""
    selected = {"podSelector": {}, "policyTypes": [way], way.lower(): [fields]}
    return {"kind": "NetworkPolicy", "metadata": {"name": "another"}, "spec": selected}


def trigger(objects: Objects, name: str, number: int = 0) -> Any:
    return spec(objects, "ScaledObject", name)["triggers"][number]


def scale_down(objects: Objects, name: str) -> Any:
    return spec(objects, "ScaledObject", name)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
