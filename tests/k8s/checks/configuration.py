"""What processes are told, read as they read it themselves."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import trustme
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from services.gateway.config.settings import GatewaySettings
from services.generation.settings import GenerationSettings
from services.mutation.settings import MutationSettings
from services.orchestrator.settings import OrchestratorSettings
from services.reward.settings import RewardSettings
from shared.process.certificates import Certificates
from shared.process.lifecycle import ProcessSettings
from shared.process.settings import SECRETS_DIR, SettingsError, reasons
from shared.store.presence import STAGES
from tests.k8s.checks.pods import PROBES
from tests.k8s.objects import Objects, Workload

OWN: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "orchestrator": OrchestratorSettings,
    "mutation": MutationSettings,
    "generation": GenerationSettings,
    "reward": RewardSettings,
}
# Read by themselves, not by a class of settings.
_OTHERS = {SECRETS_DIR, "DARWIN_CACHE_DIR"}
_FOREIGN = re.compile(r"HOME|OMP_NUM_THREADS|VLLM_\w+|OTEL_\w+")
_SECRET = re.compile(r"PASSWORD|TOKEN$|SECRET|API_KEY|CREDENTIAL")
_REDIS_URL = "redis://:secret@redis:6379/0"
# From the end of a drain to the end of the process: what was saved last, spans, metrics.
_MARGIN_S = 15.0
# What autoscalers of clusters commonly grant a pod that they move.
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Configured:
    """A process's settings."""

    process: ProcessSettings
    certificates: Certificates
    own: BaseSettings


def settings_are_real(objects: Objects) -> Iterator[str]:
    """Each variable is one that the process reads, or known to what it is made of."""
    for workload in objects.processes:
        known = _OTHERS.union(*(_variables(kind) for kind in (ProcessSettings, Certificates, OWN[workload.name])))
        for name in objects.environment(workload.main):
            if name not in known and not _FOREIGN.fullmatch(name):
                yield f"{workload.name}: it knows no variable {name}"


def settings_are_accepted(objects: Objects) -> Iterator[str]:
    for workload in objects.processes:
        try:
            configured(objects, workload)
        except ValidationError as error:
            yield from (f"{workload.name}: {reason}" for reason in reasons(error))
        except SettingsError as error:
            yield f"{workload.name}: {error}"


def ports_are_those_listened_on(objects: Objects) -> Iterator[str]:
    """On every address of the pod, at the ports that its container names; the gateway asks for keys."""
    for workload in objects.processes:
        settings = configured(objects, workload)
        listening = {settings.process.metrics_listen, getattr(settings.own, "listen", settings.process.metrics_listen)}
        named = {f"0.0.0.0:{port['containerPort']}" for port in workload.main["ports"]}
        if listening != named:
            yield f"{workload.name}: listens on {sorted(listening)}, and its container names {sorted(named)}"
        if not (settings.certificates.allow_plaintext or settings.certificates.tls_cert):
            yield f"{workload.name}: refuses to start without TLS"


def all_speak_tls_or_none_does(objects: Objects) -> Iterator[str]:
    """Prometheus with the processes, and probes that can: Kubernetes' own of gRPC cannot."""
    secured = {
        workload.name: bool(configured(objects, workload).certificates.tls_cert) for workload in objects.processes
    }
    if len(set(secured.values())) > 1:
        yield f"only {', '.join(name for name, speaks in secured.items() if speaks)} have certificates"
    for workload in objects.processes:
        if secured[workload.name] and any("grpc" in workload.main[probe] for probe in PROBES):
            yield f"{workload.name}: its probes speak no TLS"
    for monitor in objects.of("PodMonitor"):
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            scheme, wanted = endpoint.get("scheme", "http"), "https" if all(secured.values()) else "http"
            if scheme != wanted or ("tlsConfig" in endpoint) != (wanted == "https"):
                yield f"PodMonitor/{monitor['metadata']['name']}: Prometheus asks by {scheme}, not {wanted}"


def nothing_is_cut_short(objects: Objects) -> Iterator[str]:
    """Call < drain of a stage; round < drain of an orchestrator; wait < drain of a gateway; drain < grace."""
    found = {workload.name: configured(objects, workload) for workload in objects.processes}
    orchestrator, gateway = found["orchestrator"].own, found["gateway"].own
    assert isinstance(orchestrator, OrchestratorSettings)
    assert isinstance(gateway, GatewaySettings)
    longest = {stage: max(orchestrator.call_timeout_s, found[stage].process.max_call_seconds) for stage in STAGES}
    # At most one call to each stage after another: mutate, generate, score.
    longest["orchestrator"] = len(STAGES) * orchestrator.call_timeout_s
    longest["gateway"] = gateway.max_wait_s
    for workload in objects.processes:
        name, drain = workload.name, found[workload.name].process.drain_seconds
        before = workload.main.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        grace = workload.pod.get("terminationGracePeriodSeconds", 30)
        if drain <= longest[name]:
            yield f"{name}: drains for {drain:g} s, and its work may take {longest[name]:g} s"
        if grace < before + drain + _MARGIN_S:
            yield f"{name}: is killed after {grace} s, and drains until {before + drain:g} s"
        if grace > _PATIENCE_S:
            yield f"{name}: wants {grace} s to stop, which autoscalers of clusters do not grant"


def rollouts_keep_every_replica(objects: Objects) -> Iterator[str]:
    for workload in objects.processes:
        strategy = workload.object["spec"].get("strategy", {})
        if strategy.get("type") != "RollingUpdate" or strategy.get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield f"{workload.name}: a rollout stops a replica before its successor is ready"
        if workload.name == "gateway" and "preStop" not in workload.main.get("lifecycle", {}):
            yield "gateway: closes its port before load balancers have forgotten it"


def secrets_are_referred_to(objects: Objects) -> Iterator[str]:
    yield from (f"Secret/{found['metadata']['name']}: stands in a manifest" for found in objects.of("Secret"))
    told = [(f"ConfigMap/{c['metadata']['name']}", c.get("data", {})) for c in objects.of("ConfigMap")]
    for workload in objects.workloads:
        told += [(workload.name, objects.environment(container)) for container in workload.containers]
    for where, variables in told:
        for name, value in variables.items():
            named = _SECRET.search(name) and name != SECRETS_DIR
            if named or re.search(r"://[^/\s]*:[^/\s]+@|requirepass\s+\S", value):
                yield f"{where}: {name} looks like a secret"


def as_many_gpus_as_layers_are_spread_over(objects: Objects) -> Iterator[str]:
    own = configured(objects, objects.workload("generation")).own
    assert isinstance(own, GenerationSettings)
    limits = objects.workload("generation").main["resources"]["limits"]
    if own.tensor_parallel != int(limits.get("nvidia.com/gpu", 1)):
        yield f"generation: spreads layers over {own.tensor_parallel} GPUs, and asks for {limits}"


def configured(objects: Objects, workload: Workload) -> Configured:
    """Raises ValidationError or SettingsError where the process would refuse to start."""
    with _started(objects, workload):
        return Configured(ProcessSettings(), Certificates(), OWN[workload.name]())


@contextmanager
def _started(objects: Objects, workload: Workload) -> Iterator[None]:
    """An environment as in the pod, with the Secrets that it mounts in a folder of ours."""
    mounts = {mount["name"]: mount["mountPath"] for mount in workload.main["volumeMounts"]}
    variables = objects.environment(workload.main)
    with tempfile.TemporaryDirectory() as folder:
        for number, volume in enumerate(workload.pod["volumes"]):
            if "secret" in volume and volume["name"] in mounts:
                target = Path(folder) / str(number)
                target.mkdir()
                for name, content in _content(volume["secret"]).items():
                    (target / name).write_text(content)
                path = mounts[volume["name"]]
                variables = {name: value.replace(path, str(target)) for name, value in variables.items()}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("DARWIN_")}
        with patch.dict(os.environ, outside | variables, clear=True):
            yield


def _content(secret: dict[str, object]) -> dict[str, str]:
    if secret["secretName"] == "darwin-tls":
        authority = trustme.CA()
        certificate = authority.issue_cert("generation")
        blobs = {"ca.crt": authority.cert_pem, "tls.crt": certificate.cert_chain_pems[0]}
        blobs["tls.key"] = certificate.private_key_pem
        return {name: blob.bytes().decode() for name, blob in blobs.items()}
    items = secret["items"]
    assert isinstance(items, list)
    return {item["path"]: _REDIS_URL for item in items if item["key"] == "url"}


def _variables(kind: type[BaseSettings]) -> set[str]:
    prefix = kind.model_config["env_prefix"]
    found = set()
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        found.add(str(alias.choices[0]) if hasattr(alias, "choices") else (prefix + name).upper())  # type: ignore[union-attr]
    return found
