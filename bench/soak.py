"""Thousands of evolutions on the simulated stack: does a process grow, does a key outlive its record?

python -m bench.soak            # prints two tables, writes bench/out/soak.json, exit code 1 past a bar
"""

import argparse
import asyncio
import json
import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cli.stack import Stack, StackSettings
from shared.methods import METHODS

OUT = Path(__file__).parent / "out" / "soak.json"
_METHODS = tuple(METHODS)
BATCHES, BATCH, IN_FLIGHT = 5, 1000, 48
GROWTH_BAR = 1.10
TTL_S = 10
# One in so many is cancelled at once.
CANCELLED = 25
# What stays while a stack runs, however long: the queue's name, the lock of its recovery, the presence of processes,
# the number of shards, and what the tenants that waited lately were served.
CONSTANT = {"_kombu.binding*", "unacked_mutex", "darwin:alive:*", "darwin:shards"}
CONSTANT |= {f"darwin:waiting:{part}" for part in ("last", "usual", "virtual")}
CONSTANT |= {f"darwin:profile{part}" for part in ("s:", "s-default", "-versions:", "-history:*", "-owners")}
HELD = "held by redis"


@dataclass(frozen=True)
class SoakSample:
    """Once so many evolutions have expired: proportional set sizes in MiB by process, keys in Redis by kind."""

    evolutions: int
    per_second: float
    mib: dict[str, float]
    keys: dict[str, int]


def settings(ttl_s: int) -> StackSettings:
    """The simulated stack, with records that expire soon."""
    return StackSettings.simulated({"DARWIN_RECORD_TTL_S": str(ttl_s)})


async def drive(url: str, evolutions: int, progress: Progress | None = None) -> Counter[str]:
    """Runs so many evolutions over HTTP, many at a time; how many ended how."""
    ended: Counter[str] = Counter()
    numbers = iter(range(evolutions))
    task = progress.add_task(f"{evolutions} evolutions", total=evolutions) if progress else None

    async def caller(http: httpx.AsyncClient) -> None:
        for number in numbers:
            ended[await _evolve(http, number)] += 1
            if progress and task is not None:
                progress.advance(task)

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as http, asyncio.TaskGroup() as callers:
        for _ in range(min(IN_FLIGHT, evolutions)):
            callers.create_task(caller(http))
    if progress and task is not None:
        progress.remove_task(task)
    return ended


async def _evolve(http: httpx.AsyncClient, number: int) -> str:
    body: dict[str, Any] = {
        "model": _METHODS[number % len(_METHODS)],
        "messages": [{"role": "user", "content": f"Explain tides to class {number}."}],
        "max_tokens": 24,
        "darwin": {"period": 8, "mutants": 4},
    }
    started = await http.post("/v1/evolutions", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    path = f"/v1/evolutions/{started.raise_for_status().json()['id']}"
    if number % CANCELLED == 0:
        (await http.delete(path)).raise_for_status()
    events = await http.get(f"{path}/events")
    last = events.raise_for_status().text.rstrip().rpartition("\n")[2]
    return str(json.loads(last.removeprefix("data: "))["status"])


def kinds(client: redis.Redis) -> dict[str, int]:
    """Keys in Redis by kind."""
    return dict(sorted(Counter(_kind(str(key)) for key in client.scan_iter(count=1000)).items()))


def _kind(key: str) -> str:
    for constant in ("darwin:alive:", "darwin:profile-history:", "_kombu.binding"):
        if key.startswith(constant):
            return f"{constant}*"
    return re.sub(r"\{[^}]*\}|[0-9a-f]{16,}", "*", key)


def memory(pids: Mapping[str, int]) -> dict[str, float]:
    """Proportional set size of each process with its children, in MiB."""
    return {name: _pss(psutil.Process(pid)) / 1024**2 for name, pid in pids.items()}


def _pss(process: psutil.Process) -> int:
    return sum(int(one.memory_full_info().pss) for one in (process, *process.children(recursive=True)))


def in_use(client: redis.Redis) -> float:
    """What Redis holds, in MiB: less than its process keeps, which has room for the most that it held at once."""
    info: Any = client.info("memory")
    return float(info["used_memory"]) / 1024**2


def measure(stack: Stack, batches: int, batch: int, console: Console) -> list[SoakSample]:
    """One sample after each batch, once its records have expired."""
    samples = []
    with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client, Progress(console=console) as progress:
        for number in range(1, batches + 1):
            began = time.perf_counter()
            ended = asyncio.run(drive(stack.url, batch, progress))
            rate = batch / (time.perf_counter() - began)
            progress.console.print(f"{number * batch}: {rate:.1f}/s, {dict(ended)}")
            if ended["failed"]:
                raise RuntimeError(f"{ended['failed']} evolutions failed")
            time.sleep(TTL_S + 3)
            stack.check()
            mib = memory(stack.pids) | {HELD: in_use(client)}
            samples.append(SoakSample(number * batch, rate, mib, kinds(client)))
    return samples


def report(samples: Sequence[SoakSample], console: Console) -> bool:
    """Prints both tables; whether every bar is met."""
    table = Table("process", title=f"Memory (MiB), bar: {GROWTH_BAR:.2f} of the first")
    for sample in samples:
        table.add_column(str(sample.evolutions), justify="right")
    table.add_column("growth", justify="right")
    met = True
    for name in samples[0].mib:
        growth = samples[-1].mib[name] / samples[0].mib[name]
        style = "green" if growth <= GROWTH_BAR else "red"
        if name == "redis":  # It keeps room for the most that it ever held at once, which a faster thousand raises.
            style = "dim"
        met &= style != "red"
        table.add_row(name, *(f"{sample.mib[name]:.1f}" for sample in samples), f"[{style}]{growth:.3f}[/]")
    table.add_row("evolutions/s", *(f"{sample.per_second:.1f}" for sample in samples), "")
    console.print(table)
    left = Table("keys after expiry", "count", "", title="Redis")
    for kind, count in samples[-1].keys.items():
        left.add_row(kind, str(count), "[green]constant[/]" if kind in CONSTANT else "[red]left[/]")
    console.print(left)
    return met and set(samples[-1].keys) <= CONSTANT


def main(batches: int, batch: int) -> int:
    console = Console()
    with console.status("starting the stack"), Stack(settings(TTL_S)) as stack:
        samples = measure(stack, batches, batch, console)
    met = report(samples, console)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"met": met, "samples": [asdict(sample) for sample in samples]}, indent=2))
    console.print(f"{'met' if met else 'missed'}; written to {OUT}")
    return 0 if met else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--batch", type=int, default=BATCH)
    arguments = parser.parse_args()
    sys.exit(main(arguments.batches, arguments.batch))
