"""The command and environment of each process of the stack, and how one finds out that it is ready."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.stack.child import Child
from cli.stack.redis_server import redis_command, redis_ready
from shared.rpc.tls import NO_PROXY, Transport

STAGES = ("generation", "reward", "mutation")

Route = Callable[[str, str, str], str]
"""(caller, callee, address of the callee) → the address (host:port) that the caller is given."""


def direct(caller: str, callee: str, address: str) -> str:
    """Nothing stands between the two."""
    return address


@dataclass(frozen=True)
class StackSettings:
    """What the embedded stack runs. `env` reaches every process and so can set anything they know.

    `replicas` says how many there are of a stage (generation, generation-2, …), one where it says nothing. `port` is
    the first gateway's. `route` can place something between any two processes; "client" is whoever uses the stack's
    `urls`.
    """

    engine: str = "auto"
    port: int = 0
    workers: int = 1
    gateways: int = 1
    replicas: Mapping[str, int] = field(default_factory=dict)
    start_timeout_s: float = 240.0
    env: Mapping[str, str] = field(default_factory=dict)
    route: Route = direct

    def __post_init__(self) -> None:
        for stage, count in self.replicas.items():
            if stage not in STAGES or count < 1:
                raise ValueError(
                    f"{count} replicas of {stage!r}: stages are {', '.join(STAGES)}, and have at least one"
                )

    def names(self, stage: str) -> list[str]:
        """Of a stage's processes."""
        return numbered(stage, self.replicas.get(stage, 1))

    @classmethod
    def simulated(cls, env: Mapping[str, str] | None = None, **settings: Any) -> Self:
        """Without a real model anywhere, for fast tests and studies of scale."""
        models = {
            "DARWIN_MUTATION_ENCODER": "simulated",
            "DARWIN_MUTATION_AUTO_SHARE": "1",
            "DARWIN_GATEWAY_EMBEDDINGS_MODEL": "simulated",
            "DARWIN_REWARD_PROFILES": "simulated",
        }
        return cls(engine="simulated", env={**models, **(env or {})}, **settings)


@dataclass(frozen=True)
class Program:
    """How a process is started, as often as need be."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[Child], bool]

    def start(self, folder: Path) -> Child:
        return Child(self.name, self.command, folder, self.env)


def programs(settings: StackSettings, addresses: Mapping[str, str], folder: Path) -> list[Program]:
    """Every process, those that others need first. `addresses` names redis, the stages and the gateway."""

    transport = Transport.over(settings.env)

    def to(caller: str, callee: str) -> str:
        return ",".join(settings.route(caller, name, addresses[name]) for name in settings.names(callee))

    def redis_of(caller: str) -> dict[str, str]:
        return {"DARWIN_REDIS_URL": f"redis://{to(caller, 'redis')}/0"}

    def service(name: str, env: Mapping[str, str], ready: Callable[[Child], bool]) -> Program:
        module = name.partition("-")[0]
        command = (sys.executable, "-m", f"services.{module}")
        return Program(name, command, {**env, **settings.env}, ready)

    def stage(stage: str, env: Mapping[str, str]) -> list[Program]:
        listen = f"DARWIN_{stage.upper()}_LISTEN"
        return [
            service(name, {listen: addresses[name], **env}, partial(_grpc_ready, addresses[name], transport))
            for name in settings.names(stage)
        ]

    def worker(name: str) -> Program:
        stages = {f"DARWIN_ORCHESTRATOR_{callee.upper()}": to(name, callee) for callee in STAGES}
        return service(name, {**redis_of(name), **stages}, lambda child: child.announced)

    def gateway(name: str) -> Program:
        env = {
            "DARWIN_GATEWAY_LISTEN": addresses[name],
            "DARWIN_GATEWAY_MUTATION": to(name, "mutation"),
            "DARWIN_GATEWAY_REWARD": to(name, "reward"),
            **redis_of(name),
        }
        return service(name, env, partial(_http_ready, f"http://{addresses[name]}"))

    port = int(addresses["redis"].rpartition(":")[2])
    redis = Program("redis", redis_command(port, folder), {}, lambda child: redis_ready(child, port))
    return [
        redis,
        *stage("generation", {"DARWIN_GENERATION_ENGINE": settings.engine}),
        *stage("reward", {"DARWIN_REWARD_GENERATION": to("reward", "generation")}),
        *stage("mutation", {"DARWIN_MUTATION_GENERATION": to("mutation", "generation")}),
        *(worker(name) for name in numbered("orchestrator", settings.workers)),
        *(gateway(name) for name in numbered("gateway", settings.gateways)),
    ]


def numbered(name: str, count: int) -> list[str]:
    """name, name-2, name-3, …"""
    return [name, *(f"{name}-{number}" for number in range(2, count + 1))][:count]


def _grpc_ready(address: str, transport: Transport, child: Child) -> bool:
    secret = transport.channel_credentials(address)
    with (
        grpc.secure_channel(address, secret, options=NO_PROXY)
        if secret
        else grpc.insecure_channel(address, options=NO_PROXY)
    ) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            status = stub.Check(health_pb2.HealthCheckRequest(), timeout=2).status
        except grpc.RpcError:
            return False
    return bool(status == health_pb2.HealthCheckResponse.SERVING)


def _http_ready(url: str, child: Child) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False
