"""What manifests say twice, or share with the rest of the repository."""

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.breaking import main
from tests.k8s.checks.pods import PROBES
from tests.k8s.objects import Objects
from tests.k8s.quantities import quantity
from tests.k8s.rendering import K8S, OVERLAYS, overlay

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
GPU = {"generation", "reward", "models"}
COMPOSE = ROOT / "docker-compose.yml"


@pytest.mark.parametrize("name", OVERLAYS)
def test_images_are_of_this_version(name: str) -> None:
    for workload in overlay(name).workloads:
        for container in workload.containers:
            image, _, tag = container["image"].partition(":")
            if image != "redis":
                assert tag == VERSION + ("-gpu" if name == "gpu" and workload.name in GPU else "")


def test_every_image_has_its_service() -> None:
    images = {c["image"].partition(":")[0] for w in overlay("gpu").workloads for c in w.containers} - {"redis"}
    assert images == {f"darwin/{path.parent.name}" for path in ROOT.glob("services/*/__main__.py")}


def test_compose_runs_the_same_images_and_makes_models_by_the_same_command() -> None:
    services: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text()))["services"]
    objects = overlay("cpu")
    images = {container["image"] for workload in objects.workloads for container in workload.containers}
    assert images == {services[workload.name]["image"] for workload in objects.workloads}
    models = objects.workload("generation").pod["initContainers"][0]
    assert models["command"] == services["models"]["entrypoint"]
    assert models["image"] == services["models"]["image"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_vllm_has_as_much_shared_memory_as_in_compose(name: str) -> None:
    pod = overlay(name).workload("generation").pod
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    shared = next(volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == mounts["/dev/shm"])
    assert shared["medium"] == "Memory"
    assert quantity(shared["sizeLimit"]) >= 2**30
    assert "shm_size: 1gb" in COMPOSE.read_text()


def test_commands_are_modules_of_ours() -> None:
    objects = overlay("cpu", "tls")
    probes = [
        c[probe].get("exec", {}) for w in objects.processes for c in w.containers for probe in PROBES if probe in c
    ]
    said = [*probes, *(container for workload in objects.processes for container in workload.containers)]
    modules = {found["command"][2] for found in said if found.get("command", ())[:2] == ["python", "-m"]}
    assert len(modules) == 2
    assert {module for module in modules if importlib.util.find_spec(module) is None} == set()


def test_the_component_has_the_rules_of_observability() -> None:
    rules = (ROOT / "observability/prometheus/rules.yaml").read_text()
    component = (K8S / "components/monitoring/rules.yaml").read_text()
    assert re.sub(r"(?m)^  ", "", component.partition("spec:\n")[2]) == rules, "make k8s-rules writes it"


@pytest.mark.parametrize("secret", ["darwin-redis", "darwin-tls"])
def test_the_page_says_how_to_make_secrets(secret: str) -> None:
    assert re.search(rf"create secret generic {secret} ", (ROOT / "docs/kubernetes.md").read_text())


def test_the_page_says_what_a_cluster_must_have() -> None:
    """As it follows from the objects: what measures CPU for autoscalers, what makes volumes, how nodes are drained."""
    page = (ROOT / "docs/kubernetes.md").read_text()
    needs, _, rest = page.partition("## Install")
    for objects in map(overlay, OVERLAYS):
        metrics = {m["type"] for found in objects.of("HorizontalPodAutoscaler") for m in found["spec"]["metrics"]}
        claims = [claim for found in objects.of("StatefulSet") for claim in found["spec"]["volumeClaimTemplates"]]
        claims += objects.of("PersistentVolumeClaim")
        assert "Resource" not in metrics or "metrics-server" in needs
        assert all("storageClassName" in claim["spec"] for claim in claims) or "default StorageClass" in needs
        local = [volume for workload in objects.workloads for volume in workload.pod["volumes"] if "emptyDir" in volume]
        assert not local or re.search(r"kubectl drain .*--delete-emptydir-data", rest)


def test_models_are_writable_only_where_they_are_made() -> None:
    for name in OVERLAYS:
        objects: Objects = overlay(name)
        for stage in ("generation", "reward"):
            mounts = {mount["mountPath"]: mount for mount in main(objects, stage)["volumeMounts"]}
            assert mounts["/models"]["readOnly"]
            assert objects.environment(main(objects, stage))["DARWIN_CACHE_DIR"] == "/models"
