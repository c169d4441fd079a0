"""Manifests as `kubectl kustomize` renders them."""

import copy
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.k8s.objects import Objects

K8S = Path(__file__).parents[2] / "k8s"
OVERLAYS = ("cpu", "gpu")
_KUBECTL = Path(sys.executable).parent / "kubectl"


def overlay(name: str, *components: str) -> Objects:
    """A copy of an overlay's objects, with further components on top."""
    return Objects(copy.deepcopy(_rendered(name, components)))


@cache
def _rendered(name: str, components: tuple[str, ...]) -> list[dict[str, Any]]:
    if not components:
        return kustomize(K8S / "overlays" / name)
    # Beside the others, in a copy, because kustomize takes relative paths only.
    with tempfile.TemporaryDirectory() as folder:
        tried = shutil.copytree(K8S, Path(folder) / "k8s") / "overlays" / "tried"
        tried.mkdir()
        kustomization = {
            "resources": [f"../{name}"],
            "components": [f"../../components/{component}" for component in components],
            "namespace": "darwin",
        }
        (tried / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return kustomize(tried)


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """Objects of a kustomization; fails where kustomize does or warns."""
    done = subprocess.run([_KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"kustomize warns: {done.stderr}"
    # libyaml's parser: the one in Python takes seconds for a cluster's objects.
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))
