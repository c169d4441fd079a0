"""What docs/kubernetes.md tells users to change, changed in a copy."""

import re
import shutil
from pathlib import Path

import pytest

from tests.k8s.breaking import main
from tests.k8s.checks import CHECKS
from tests.k8s.objects import Objects
from tests.k8s.rendering import K8S, OVERLAYS, kustomize


def changed(tmp_path: Path, name: str, file: str, old: str, new: str) -> Objects:
    """An overlay after a replacement in one of its files, by a regular expression that must match."""
    copy = shutil.copytree(K8S, tmp_path / "k8s") / "overlays" / name
    text, count = re.subn(old, new, (copy / file).read_text())
    assert count
    (copy / file).write_text(text)
    return Objects(kustomize(copy))


@pytest.mark.parametrize("name", OVERLAYS)
def test_without_keda_and_the_prometheus_operator(tmp_path: Path, name: str) -> None:
    objects = changed(tmp_path, name, "kustomization.yaml", r" *- \.\./\.\./components/(monitoring|autoscaling)\n", "")
    assert {"ScaledObject", "PodMonitor", "PrometheusRule"} & {found["kind"] for found in objects.all} == set()
    assert [problem for check in CHECKS for problem in check(objects)] == []
    assert [workload.object["spec"]["replicas"] for workload in objects.processes] == [2] * 5


@pytest.mark.parametrize("name", OVERLAYS)
def test_without_our_redis(tmp_path: Path, name: str) -> None:
    objects = changed(tmp_path, name, "kustomization.yaml", r" *- \.\./\.\./components/redis\n", "")
    assert objects.of("StatefulSet") == []
    assert [found["metadata"]["name"] for found in objects.of("Service")] == [
        "gateway",
        "generation",
        "mutation",
        "reward",
    ]


def test_gpus_follow_the_setting(tmp_path: Path) -> None:
    setting = r"(DARWIN_GENERATION_TENSOR_PARALLEL, value: )\"1\""
    objects = changed(tmp_path, "gpu", "generation.yaml", setting, r'\1"4"')
    assert [problem for check in CHECKS for problem in check(objects)] == []
    assert main(objects, "generation")["resources"]["limits"]["nvidia.com/gpu"] == "4"
    assert main(objects, "reward")["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_images_from_a_registry(tmp_path: Path) -> None:
    objects = changed(
        tmp_path, "cpu", "kustomization.yaml", r"name: (darwin/\w+),", r"name: \1, newName: registry.example:5000/\1,"
    )
    assert [problem for check in CHECKS for problem in check(objects)] == []
    images = {container["image"] for workload in objects.processes for container in workload.containers}
    assert {image.partition("/")[0] for image in images} == {"registry.example:5000"}
