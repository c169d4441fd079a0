"""What processes and Redis have spent so far, and what the workers have done."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import psutil
import redis
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Counts:
    """Everything counted up to a moment, or between two: seconds of CPU by process, commands, bytes, rounds."""

    seconds: float
    cpu_s: Mapping[str, float]
    commands: Mapping[str, int]
    bytes_in: int
    bytes_out: int
    rounds: float
    evolutions: float
    failed: float

    def since(self, before: "Counts") -> "Counts":
        return Counts(
            self.seconds - before.seconds,
            {name: spent - before.cpu_s[name] for name, spent in self.cpu_s.items()},
            dict(Counter(self.commands) - Counter(before.commands)),
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
            self.rounds - before.rounds,
            self.evolutions - before.evolutions,
            self.failed - before.failed,
        )


@dataclass
class Counting:
    """Where the counts are read: processes by name, Redis, the workers' metrics (host:port)."""

    pids: Mapping[str, int]
    redis_url: str
    workers: list[str]
    _processes: dict[str, psutil.Process] = field(init=False)

    def __post_init__(self) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in self.pids.items()}

    def now(self) -> Counts:
        """Reads everything; a few milliseconds of each worker's CPU."""
        totals: Counter[str] = Counter()
        for address in self.workers:
            totals.update(_totals(httpx.get(f"http://{address}/metrics", timeout=20).text))
        with redis.Redis.from_url(self.redis_url) as client:
            stats, commands = client.info("stats"), client.info("commandstats")
        return Counts(
            time.perf_counter(),
            {name: _cpu_s(process) for name, process in self._processes.items()},
            {name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in commands.items()},
            int(stats["total_net_input_bytes"]),
            int(stats["total_net_output_bytes"]),
            totals["darwin_rounds_total"],
            totals["darwin_evolutions_total"],
            totals["darwin_attempts_failed_total"] + totals["darwin_leases_lost_total"],
        )


def _totals(text: str) -> dict[str, float]:
    """The sum of each counter over its labels."""
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.endswith("_total"):
                found[sample.name] += sample.value  # type: ignore[assignment]
    return dict(found)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
