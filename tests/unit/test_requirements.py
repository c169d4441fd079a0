"""An image installs the extra of its process and nothing else: that must be all that the process imports."""

import subprocess
import sys
from importlib.metadata import packages_distributions

import grimp
import pytest
from packaging.utils import canonicalize_name

from tests.extras import distributions

SERVICES = ("gateway", "orchestrator", "mutation", "reward", "generation")
# Which build depends on the machine: scripts/install.py and the images choose it.
APART = {"vllm"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("shared", "services", "cli", include_external_packages=True)


@pytest.fixture(scope="module")
def owners() -> dict[str, set[str]]:
    """Which distributions a package may be of."""
    return {package: set(map(canonicalize_name, names)) for package, names in packages_distributions().items()}


def imported(graph: grimp.ImportGraph, module: str) -> set[str]:
    """Packages of others that a module imports, through ours and within functions too."""
    found = {name for name in graph.find_upstream_modules(module) if graph.is_module_squashed(name)}
    return found - set(sys.stdlib_module_names) - APART


@pytest.mark.parametrize(
    ("module", "extras"),
    [*((f"services.{name}.__main__", (name,)) for name in SERVICES), ("cli.main", ("cli", "eval"))],
)
def test_extras_declare_what_is_imported(
    graph: grimp.ImportGraph, owners: dict[str, set[str]], module: str, extras: tuple[str, ...]
) -> None:
    declared = set().union(*map(distributions, extras))
    packages = imported(graph, module)
    assert "pydantic" in packages
    assert {package for package in packages if not owners[package] & declared} == set()


@pytest.mark.parametrize("name", SERVICES)
def test_a_process_starts_with_its_extra_alone(name: str) -> None:
    """It comes to reading its settings, which are wrong: by then all that it imports at its start is there."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.extras", name, f"services.{name}"],
        env={"DARWIN_LOG_LEVEL": "INFO", f"DARWIN_{name.upper()}_LISTEN": "nowhere", "DARWIN_REDIS_URL": "nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"\n{name}: " in f"\n{done.stderr}", done.stderr[-2000:]
