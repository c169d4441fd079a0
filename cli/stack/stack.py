"""Starts and stops Redis, the three services, a worker and the gateway, each as a process of its own."""

import contextlib
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.stack.child import Child, ChildFailed
from cli.stack.redis_server import start_redis
from shared.tls import Transport

Report = Callable[[str, str], None]
"""Told (process, what it does now)."""

_STOP_S = 30.0


class StackError(Exception):
    """The stack did not start, or one of its processes ended."""


@dataclass(frozen=True)
class StackSettings:
    """What the embedded stack runs. `env` reaches every process and so can set anything they know."""

    engine: str = "auto"
    port: int = 0
    start_timeout_s: float = 240.0
    env: dict[str, str] = field(default_factory=dict)


class Stack:
    """A context manager: inside it, `url` answers. Leaving it stops every process and removes its files."""

    def __init__(self, settings: StackSettings, report: Report = lambda process, doing: None) -> None:
        self._settings = settings
        self._report = report
        self._children: dict[str, Child] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="darwin-"))
        self.url = ""
        self.redis_url = ""
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> "Stack":
        try:
            self._start()
        except BaseException as error:
            self.stop()
            if isinstance(error, ChildFailed):
                raise StackError(str(error)) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self._children.items()}

    def check(self) -> None:
        """Raises `StackError` where a process has ended."""
        try:
            for child in self._children.values():
                child.check()
        except ChildFailed as error:
            raise StackError(str(error)) from error

    def stop(self) -> dict[str, int]:
        """Stops every process, those that others need last; returns exit codes."""
        codes = {}
        for name in reversed(self._children):
            self._children[name].terminate()
            codes[name] = self._children[name].wait(_STOP_S)
            self._report(name, "stopped" if codes[name] == 0 else f"ended with exit code {codes[name]}")
        self._children = {}
        shutil.rmtree(self.folder, ignore_errors=True)
        return codes

    def _start(self) -> None:
        self._report("redis", "starting")
        self._children["redis"], self.redis_url = start_redis(self.folder)
        self._report("redis", "ready")
        self._start_service("generation", {"DARWIN_GENERATION_ENGINE": self._settings.engine})
        self._start_service("reward")
        self._start_service("mutation", {"DARWIN_MUTATION_GENERATION": self.addresses["generation"]})
        stages = {f"DARWIN_ORCHESTRATOR_{name.upper()}": address for name, address in self.addresses.items()}
        self._spawn("orchestrator", stages)
        self._spawn("gateway", {"DARWIN_GATEWAY_LISTEN": f"127.0.0.1:{self._gateway_port()}"})
        self._await_ready()

    def _start_service(self, name: str, env: dict[str, str] | None = None) -> None:
        child = self._spawn(name, {f"DARWIN_{name.upper()}_LISTEN": "127.0.0.1:0", **(env or {})})
        self.addresses[name] = child.address(60)
        self._report(name, "loading")

    def _spawn(self, name: str, env: dict[str, str]) -> Child:
        self._report(name, "starting")
        env = {**env, "DARWIN_REDIS_URL": self.redis_url, **self._settings.env}
        child = Child(name, [sys.executable, "-m", f"services.{name}"], self.folder, env)
        self._children[name] = child
        return child

    def _gateway_port(self) -> int:
        wanted = self._settings.port
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return wanted
        self._report("gateway", f"port {wanted} is busy, taking a free one")
        return 0

    def _await_ready(self) -> None:
        give_up = time.monotonic() + self._settings.start_timeout_s
        self._children["orchestrator"].address(60)
        self._report("orchestrator", "ready")
        self.url = f"http://{self._children['gateway'].address(60)}"
        transport = Transport.over(self._settings.env)
        checks: dict[str, Callable[[], bool]] = {"gateway": lambda: _http_ready(self.url)}
        for name, address in self.addresses.items():
            checks[name] = lambda address=address: _grpc_ready(address, transport)  # type: ignore[misc]
        while checks:
            self.check()
            for name in [name for name, ready in checks.items() if ready()]:
                self._report(name, "ready")
                del checks[name]
            if checks and time.monotonic() > give_up:
                raise StackError(f"not ready after {self._settings.start_timeout_s:.0f} s: {', '.join(checks)}")
            time.sleep(0.1)


def _grpc_ready(address: str, transport: Transport) -> bool:
    credentials = transport.channel_credentials(address)
    with grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            status = stub.Check(health_pb2.HealthCheckRequest(), timeout=2).status
        except grpc.RpcError:
            return False
    return bool(status == health_pb2.HealthCheckResponse.SERVING)


def _http_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).is_success
    except httpx.TransportError:
        return False
