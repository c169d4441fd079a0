"""Measures the tree that is first on the path: evolutions one after another, in this process, over a Redis of its own.

Prints one JSON object for each shape that is named on the command line as cycles x mutants x max_tokens.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
from aof import written  # type: ignore[import-not-found]
from stages import SimulatedStages  # type: ignore[import-not-found]

from cli.stack.redis_server import start_redis
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling
from shared.records.search import Search
from shared.store.evolutions import Store

_QUESTION = "Explain to a class of twelve-year-olds why the sea rises and falls twice a day, with one experiment."


async def _evolve(store: Store, client: redis.Redis, stages: SimulatedStages, shape: str, number: int) -> int:
    """Runs one evolution to its end; how many versions were saved."""
    cycles, mutants, max_tokens = map(int, shape.split("x"))
    search = Search(cycles=cycles, mutants=mutants, mutation="model")
    request = EvolutionRequest("darwin", (Message("user", _QUESTION),), Sampling(max_tokens), search, seed=number)
    record = await store.create(Record(f"evo_{number:032x}", 0, "queued", time.time(), request))
    runner = RoundRunner(store, stages, stages, stages, OrchestratorSettings())
    version, active = 0, True
    while active:
        await runner.advance(record.id, version)
        version = int(client.hget(f"darwin:evo:{{{record.id}}}", "version") or 0)
        active = client.zscore("darwin:active", record.id) is not None
    if (ended := await store.load(record.id)).status != "succeeded":
        raise RuntimeError(f"an evolution of {shape} ended as {ended.status}: {ended.error}")
    return version


async def _measure(shape: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, url = start_redis(folder)
        client = redis.Redis.from_url(url)
        client.config_set("appendfsync", "no")
        client.config_set("auto-aof-rewrite-percentage", "0")
        stages, store = SimulatedStages(1), Store(url, ttl_s=600)
        try:
            await _evolve(store, client, stages, "1x2x40", 10**9)  # loads scripts and modules
            before, sampled = written(folder / "redis"), stages.sampled
            served, began = _cpu(client), time.process_time()
            rounds = 0
            for number in range(count):
                rounds += await _evolve(store, client, stages, shape, number)
            worker, served = time.process_time() - began, _cpu(client) - served
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
        "worker_ms": 1000 * worker / rounds,
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
