"""Measures the tree that is first on the path: evolutions that one worker of its own performs, over a Redis of its own.

Prints one JSON object for each shape that is named on the command line as cycles x mutants x max_tokens. The CPU is
that of the whole worker, queue included, less what the simulated stages use of it.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from aof import written  # type: ignore[import-not-found]

from cli.stack.redis_server import start_redis
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling
from shared.records.search import Search
from shared.store.evolutions import Store

_QUESTION = "Explain to a class of twelve-year-olds why the sea rises and falls twice a day, with one experiment."
_PATIENCE_S = 300.0
_WARM_UP = ("1x2x40", 5)


def _record(shape: str, number: int) -> Record:
    cycles, mutants, max_tokens = map(int, shape.split("x"))
    search = Search(cycles=cycles, mutants=mutants, mutation="model")
    request = EvolutionRequest("darwin", (Message("user", _QUESTION),), Sampling(max_tokens), search, seed=number)
    return Record(f"evo_{number:032x}", 0, "queued", time.time(), request)


async def _evolve(store: Store, client: redis.Redis, shape: str, numbers: range) -> int:
    """Has the worker perform an evolution for each number; how many versions were saved."""
    for number in numbers:
        await store.create(_record(shape, number))
    until = time.monotonic() + _PATIENCE_S
    while client.zcard("darwin:active"):
        if time.monotonic() > until:
            raise TimeoutError(f"evolutions of {shape} have not ended")
        await asyncio.sleep(0.02)
    ended = [await store.load(f"evo_{number:032x}") for number in numbers]
    if failed := [record for record in ended if record.status != "succeeded"]:
        raise RuntimeError(f"an evolution of {shape} ended as {failed[0].status}: {failed[0].error}")
    return sum(record.version for record in ended)


@contextmanager
def _worker(url: str, told: Path) -> Iterator[None]:
    environment = {**os.environ, "DARWIN_REDIS_URL": url, "PYTHONWARNINGS": "ignore"}
    command = (sys.executable, str(Path(__file__).with_name("worker.py")), str(told))
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield
        finally:
            process.terminate()


async def _used(told: Path) -> dict[str, float]:
    """What the worker has used by now, as it says next."""
    now, until = time.monotonic(), time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if (used := _read(told)).get("at", now) > now:
            return used
        await asyncio.sleep(0.01)
    raise TimeoutError("the worker says nothing")


def _read(told: Path) -> dict[str, float]:
    return dict(json.loads(told.read_text())) if told.exists() else {}


async def _measure(shape: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, url = start_redis(folder)
        client, told = redis.Redis.from_url(url), folder / "told.json"
        client.config_set("appendfsync", "no")
        client.config_set("auto-aof-rewrite-percentage", "0")
        store = Store(url, ttl_s=600)
        try:
            with _worker(url, told):
                warm_up, times = _WARM_UP
                await _evolve(store, client, warm_up, range(10**9, 10**9 + times))
                before, served, used = written(folder / "redis"), _cpu(client), await _used(told)
                rounds = await _evolve(store, client, shape, range(count))
                now = await _used(told)
                served = _cpu(client) - served
                found = written(folder / "redis") - before
                peak = client.info("memory")["used_memory_peak"]
        finally:
            await store.close()
            client.close()
            server.terminate()
            server.wait(5)
    return {
        "shape": shape,
        "text": (now["sampled"] - used["sampled"]) / count,
        "kinds": {kind: size / count for kind, size in found.items()},
        "rounds": rounds / count,
        "worker_ms": 1000 * (now["cpu_s"] - used["cpu_s"]) / rounds,
        "redis_ms": 1000 * served / rounds,
        "peak": peak,
    }


def _cpu(client: redis.Redis) -> float:
    info: Any = client.info("cpu")
    return float(info["used_cpu_sys"] + info["used_cpu_user"])


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        named, _, times = argument.partition("*")
        print(json.dumps(asyncio.run(_measure(named, int(times or 1)))), flush=True)
