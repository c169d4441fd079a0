"""The real gateway, Redis, workers, mutation and reward, over many simulated generation replicas in one process."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.scale.counting import Counting
from cli.stack import Stack, StackSettings
from cli.stack.child import Child

HOST = "generation replicas"
_START_S = 60.0


@dataclass(frozen=True)
class Fleet:
    """How it is made up: `latency` and `stretch` as the generation service's settings of these names."""

    replicas: int
    latency: str
    stretch: float = 1.0
    workers: int = 2
    concurrency: int = 3000
    cache_blocks: int = 16384

    @property
    def env(self) -> dict[str, str]:
        """Of every process."""
        return {
            "DARWIN_GENERATION_ENGINE": "simulated",
            "DARWIN_GENERATION_SIMULATED_LATENCY": self.latency,
            "DARWIN_GENERATION_SIMULATED_STRETCH": str(self.stretch),
            "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0",
            "DARWIN_GENERATION_SIMULATED_CACHE_BLOCKS": str(self.cache_blocks),
            "DARWIN_ORCHESTRATOR_CONCURRENCY": str(self.concurrency),
            "DARWIN_ORCHESTRATOR_CALL_TIMEOUT_S": "3600",
            "DARWIN_MAX_CALL_SECONDS": "3600",
            "DARWIN_MAX_CONCURRENT_RPCS": "8192",
            "DARWIN_LOG_LEVEL": "WARNING",
        }


@contextmanager
def running(fleet: Fleet) -> Iterator[tuple[Stack, Counting]]:
    """The fleet's processes, and what counts what they spend."""
    with _replicas(fleet) as host:
        env = {**fleet.env, "DARWIN_ORCHESTRATOR_GENERATION": host.address(_START_S)}
        with Stack(StackSettings.simulated(env, workers=fleet.workers)) as stack:
            processes = {name: pid for name, pid in stack.pids.items() if name != "generation"}
            workers = [address for name, address in stack.metrics.items() if name.startswith("orchestrator")]
            yield stack, Counting({**processes, HOST: host.pid}, stack.redis_url, workers)
        host.check()


@contextmanager
def _replicas(fleet: Fleet) -> Iterator[Child]:
    with tempfile.TemporaryDirectory() as folder:
        host = Child(HOST, (sys.executable, "-m", "bench.scale.host", str(fleet.replicas)), Path(folder), fleet.env)
        try:
            yield host
        finally:
            host.terminate()
            host.wait(10)
