"""docker-compose.yml without an engine; `make compose-test` runs it on one."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from services.gateway.config.settings import GatewaySettings
from services.generation.settings import GenerationSettings
from services.mutation.settings import MutationSettings
from services.orchestrator.settings import OrchestratorSettings
from services.reward.settings import RewardSettings
from shared.process.certificates import Certificates
from shared.process.lifecycle import ProcessSettings
from tests.compose.engine import VERSION
from tests.deploy.files import COMPOSE_FILES, ROOT, SERVICES, compose, services
from tests.programs import program

ONCE = ("secrets", "models")
OBSERVABILITY = ("prometheus", "grafana", "jaeger")
VARIANTS = [(gpu, profile) for gpu in (False, True) for profile in ("", "observability")]
SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "orchestrator": OrchestratorSettings,
    "mutation": MutationSettings,
    "reward": RewardSettings,
    "generation": GenerationSettings,
}
# Read elsewhere than in settings classes.
OTHER = {"DARWIN_SECRETS_DIR", "DARWIN_TRACE_SLOW_S", "DARWIN_TRACE_TEXTS"}

every_variant = pytest.mark.parametrize(("gpu", "profile"), VARIANTS)


@every_variant
def test_it_is_valid(gpu: bool, profile: str) -> None:
    expected = {*ONCE, "redis", *SERVICES, *(OBSERVABILITY if profile else ())}
    assert set(services(gpu, profile)) == expected


@pytest.mark.parametrize("broken", ["cpus: many", "mem_limit: much", "restart: [1]", "no_such_key: 1"])
def test_what_is_not_valid_is_found(tmp_path: Path, broken: str) -> None:
    (override := tmp_path / "broken.yml").write_text(f"services: {{gateway: {{{broken}}}}}")
    assert compose("-f", "docker-compose.yml", "-f", str(override), "config", "-q").returncode != 0


@every_variant
def test_every_service_is_confined(gpu: bool, profile: str) -> None:
    for name, service in services(gpu, profile).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"] == "10001:10001", name
        assert not service.get("privileged"), name
        assert "cap_add" not in service, name
        assert any(mount.startswith("/tmp:size=") for mount in service["tmpfs"]), name
        assert int(service["mem_limit"]) >= 128 * 1024**2, name
        assert float(service["cpus"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


@every_variant
def test_every_process_is_watched_and_stopped_with_time_to_drain(gpu: bool, profile: str) -> None:
    drain_s = ProcessSettings.model_fields["drain_seconds"].default
    for name, service in services(gpu, profile).items():
        if name in ONCE:
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert _seconds(service["stop_grace_period"]) >= drain_s + 10, name
        if name in SERVICES:
            assert service["healthcheck"]["test"][1:] == ["python", "-m", "shared.healthcheck"]


def test_only_the_gateway_publishes_and_to_this_machine() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert set(published) == {"gateway"}
    assert [(port["host_ip"], port["target"]) for port in published["gateway"]] == [("127.0.0.1", 8080)]


def test_what_shows_metrics_and_traces_is_published_to_this_machine_only() -> None:
    found = services(profile="observability")
    published = {name: service["ports"] for name, service in found.items() if "ports" in service}
    assert set(published) == {"gateway", *OBSERVABILITY}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_what_is_behind_the_gateway_reaches_nothing_else() -> None:
    networks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]
    assert networks["inner"]["internal"]
    for name, service in services().items():
        if name in ONCE:
            assert service["network_mode"] == "none"
        elif name != "gateway":
            assert set(service["networks"]) == {"inner"}, name


def test_redis_keeps_what_it_answered_and_has_a_password() -> None:
    redis = services()["redis"]
    command = " ".join(redis["command"])
    assert "redis-server /run/secrets/darwin/redis.conf" in command
    assert "--appendonly yes --appendfsync always" in command
    assert {mount["target"]: mount.get("read_only", False) for mount in redis["volumes"]} == {
        "/run/secrets/darwin": True,
        "/data": False,
    }
    assert redis["depends_on"]["secrets"]["condition"] == "service_completed_successfully"


@every_variant
def test_secrets_come_from_files_that_only_their_users_have(gpu: bool, profile: str) -> None:
    for name, service in services(gpu, profile).items():
        for variable, value in (service.get("environment") or {}).items():
            assert not re.search(r"PASSWORD|TOKEN$|SECRET(?!S_DIR)|REDIS_URL", variable), f"{name}: {variable}={value}"
        mounts = {mount["source"]: mount for mount in service.get("volumes", ()) if mount["type"] == "volume"}
        assert ("secrets" in mounts) == (name in ("secrets", "redis", "orchestrator", "gateway")), name
        if "secrets" in mounts and name != "secrets":
            assert mounts["secrets"]["read_only"], name


@every_variant
def test_every_variable_is_one_that_the_process_reads(gpu: bool, profile: str) -> None:
    text = "".join((ROOT / name).read_text() for name in COMPOSE_FILES)
    assert "DARWIN_GENERATION_MODEL:\n" in text
    for name in SERVICES:
        for variable in services(gpu, profile)[name]["environment"] or {}:
            if variable.startswith("DARWIN_") and variable not in OTHER:
                assert variable in _read_by(name), f"{name}: {variable}"


def test_on_one_gpu_reward_starts_once_vllm_has_its_share_and_the_card_is_filled() -> None:
    found = services(gpu=True)
    assert found["reward"]["depends_on"]["generation"]["condition"] == "service_healthy"
    assert "models" in found["reward"]["depends_on"]
    assert float(found["generation"]["environment"]["DARWIN_GENERATION_GPU_MEMORY_UTILIZATION"]) < 0.7
    assert found["generation"]["environment"]["DARWIN_GENERATION_MAX_RUNNING"] == "256"


@pytest.mark.parametrize("name", SERVICES)
def test_the_processes_accept_their_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in services()[name]["environment"].items():
        if value is not None and variable != "DARWIN_SECRETS_DIR":
            monkeypatch.setenv(variable, value)
    monkeypatch.setenv("DARWIN_GATEWAY_KEYS", "required")
    SETTINGS[name]()
    ProcessSettings()
    Certificates().check_plaintext("connecting", "generation:50051")


@every_variant
def test_our_images_are_never_pulled(gpu: bool, profile: str) -> None:
    for name, service in services(gpu, profile).items():
        if service["image"].startswith("darwin/"):
            assert service["pull_policy"] == ("build" if name in SERVICES else "never"), name


def test_images_are_of_this_version() -> None:
    for name, service in services().items():
        if name in SERVICES:
            assert service["image"] == f"darwin/{name}:{VERSION}"
            assert service["build"]["args"]["VERSION"] == VERSION
    for name in ("generation", "reward"):
        gpu = services(gpu=True)[name]
        assert gpu["image"] == f"darwin/{name}:{VERSION}-gpu"
        assert gpu["build"]["args"]["HARDWARE"] == "gpu"
        assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_variables_of_the_user_arrive() -> None:
    chosen = {"DARWIN_PORT": "9000", "DARWIN_GENERATION_MODEL": "/models/own", "DARWIN_REWARD_REPLICAS": "3"}
    ended = compose("config", env=chosen)
    found = yaml.safe_load(ended.stdout)["services"]
    assert found["gateway"]["ports"][0]["published"] == "9000"
    assert found["generation"]["environment"]["DARWIN_GENERATION_MODEL"] == "/models/own"
    assert found["reward"]["deploy"]["replicas"] == 3
    assert "DARWIN_GENERATION_ENGINE" not in _given(found["generation"])


def test_traces_go_to_jaeger_where_it_runs_or_to_where_the_user_says() -> None:
    def endpoint(**env: str) -> str:
        found = yaml.safe_load(compose("config", env=env).stdout)["services"]["gateway"]["environment"]
        return str(found["OTEL_EXPORTER_OTLP_ENDPOINT"])

    assert endpoint() == ""
    assert endpoint(COMPOSE_PROFILES="observability") == "http://jaeger:4318"
    assert endpoint(OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318") == "http://collector:4318"


def test_every_variable_is_explained() -> None:
    text = "".join((ROOT / name).read_text() for name in COMPOSE_FILES)
    used = set(re.findall(r"\$\{([A-Z_]+)", text)) | set(re.findall(r"^ +(DARWIN_[A-Z_]+):$", text, re.M))
    explained = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert used - explained == set()


def test_prometheus_reads_every_process() -> None:
    config = yaml.safe_load((ROOT / "observability/prometheus/compose.yaml").read_text())
    discovery = config["scrape_configs"][0]["dns_sd_configs"][0]
    assert set(discovery["names"]) == set(SERVICES)
    assert discovery["port"] == 9464
    checked = compose_tool("promtool", "check", "config", "observability/prometheus/compose.yaml")
    assert "SUCCESS" in checked


def compose_tool(name: str, *words: str) -> str:
    import subprocess

    ended = subprocess.run([program(name), *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _given(service: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in service["environment"].items() if value is not None}


def _read_by(name: str) -> set[str]:
    """Variables that the settings of a process are read from."""
    found = set()
    for settings in (SETTINGS[name], ProcessSettings, Certificates):
        prefix = settings.model_config["env_prefix"]
        for field, info in settings.model_fields.items():
            alias = info.validation_alias
            found |= set(map(str, alias.choices)) if alias else {f"{prefix}{field}".upper()}  # type: ignore[union-attr]
    return found


def _seconds(duration: str) -> float:
    minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration).groups(default="0")  # type: ignore[union-attr]
    return int(minutes) * 60 + int(seconds)
