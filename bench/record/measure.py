"""Measures the tree that is first on the path: evolutions one after another, in this process, over a Redis of its own.

Prints one JSON object for each shape that is named on the command line as cycles x mutants x max_tokens. The CPU is
that of the worker's loop: it is a worker's, and what the simulated stages use of it is taken off.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
import uvloop
from aof import written  # type: ignore[import-not-found]
from stages import SimulatedStages  # type: ignore[import-not-found]

from cli.stack.redis_server import start_redis
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling
from shared.records.search import Search
from shared.store.evolutions import Store

_QUESTION = "Explain to a class of twelve-year-olds why the sea rises and falls twice a day, with one experiment."


class Worker:
    """Performs evolutions; `cpu_s` is what that took of the CPU."""

    def __init__(self, store: Store, client: redis.Redis, stages: SimulatedStages) -> None:
        self._store = store
        self._client = client
        self._stages = stages
        self._runner = RoundRunner(store, stages, stages, stages, OrchestratorSettings())
        self.cpu_s = 0.0

    async def evolve(self, shape: str, number: int) -> int:
        """Runs one evolution to its end; how many versions were saved."""
        record = await self._store.create(_record(shape, number))
        version, active = 0, True
        while active:
            began, spent = time.process_time(), self._stages.cpu_s
            await self._runner.advance(record.id, version)
            self.cpu_s += time.process_time() - began - (self._stages.cpu_s - spent)
            version = int(self._client.hget(f"darwin:evo:{{{record.id}}}", "version") or 0)
            active = self._client.zscore("darwin:active", record.id) is not None
        if (ended := await self._store.load(record.id)).status != "succeeded":
            raise RuntimeError(f"an evolution of {shape} ended as {ended.status}: {ended.error}")
        return version


def _record(shape: str, number: int) -> Record:
    cycles, mutants, max_tokens = map(int, shape.split("x"))
    search = Search(cycles=cycles, mutants=mutants, mutation="model")
    request = EvolutionRequest("darwin", (Message("user", _QUESTION),), Sampling(max_tokens), search, seed=number)
    return Record(f"evo_{number:032x}", 0, "queued", time.time(), request)


async def _measure(shape: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, url = start_redis(folder)
        client = redis.Redis.from_url(url)
        client.config_set("appendfsync", "no")
        client.config_set("auto-aof-rewrite-percentage", "0")
        stages, store = SimulatedStages(1), Store(url, ttl_s=600)
        try:
            worker = Worker(store, client, stages)
            await worker.evolve("1x2x40", 10**9)  # loads scripts and modules
            before, sampled = written(folder / "redis"), stages.sampled
            served, rounds, worker.cpu_s = _cpu(client), 0, 0.0
            for number in range(count):
                rounds += await worker.evolve(shape, number)
            served = _cpu(client) - served
            kinds = {kind: size / count for kind, size in (written(folder / "redis") - before).items()}
            peak = client.info("memory")["used_memory_peak"]
        finally:
            await store.close()
            client.close()
            server.terminate()
            server.wait(5)
    text = (stages.sampled - sampled) / count
    return {
        "shape": shape,
        "text": text,
        "kinds": kinds,
        "rounds": rounds / count,
        "worker_ms": 1000 * worker.cpu_s / rounds,
        "redis_ms": 1000 * served / rounds,
        "peak": peak,
    }


def _cpu(client: redis.Redis) -> float:
    info: Any = client.info("cpu")
    return float(info["used_cpu_sys"] + info["used_cpu_user"])


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        named, _, times = argument.partition("*")
        print(json.dumps(uvloop.run(_measure(named, int(times or 1)))), flush=True)
