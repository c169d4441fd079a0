"""Prometheus and its tools, as the machine has them."""

import shutil
from pathlib import Path

import pytest

OBSERVABILITY = Path(__file__).parents[2] / "observability"
PROMETHEUS = OBSERVABILITY / "prometheus"
GRAFANA = OBSERVABILITY / "grafana"


def binary(name: str) -> str:
    """The program's path; skips the test where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path
