"""What the gateway costs: evolutions started and followed through its API."""

import asyncio
from dataclasses import dataclass

import httpx

from bench.scale.counting import Counting
from bench.scale.shape import EvolutionShape

_IN_FLIGHT = 32


@dataclass(frozen=True)
class GatewayCost:
    """Milliseconds of the gateway's CPU for an evolution that is started, followed to its end and read."""

    evolutions: int
    ms: float
    events: float


async def measure(url: str, counting: Counting, shape: EvolutionShape, evolutions: int) -> GatewayCost:
    """All of them, some at a time, after a few to warm up."""
    await _drive(url, shape, _IN_FLIGHT)
    before = counting.now()
    events = await _drive(url, shape, evolutions)
    spent = counting.now().since(before).cpu_s["gateway"]
    return GatewayCost(evolutions, 1000 * spent / evolutions, events / evolutions)


async def _drive(url: str, shape: EvolutionShape, evolutions: int) -> int:
    numbers, events = iter(range(evolutions)), 0

    async def caller(http: httpx.AsyncClient) -> None:
        nonlocal events
        for number in numbers:
            request = shape.request(number)
            body = {
                "model": "darwin",
                "messages": [{"role": "user", "content": request.messages[0].content}],
                "max_tokens": request.sampling.max_tokens,
                "darwin": {"period": shape.period, "mutation": "templates"},
            }
            started = (await http.post("/v1/evolutions", json=body)).raise_for_status().json()
            followed = await http.get(f"/v1/evolutions/{started['id']}/events")
            events += followed.raise_for_status().text.count("\ndata:")
            (await http.get(f"/v1/evolutions/{started['id']}")).raise_for_status()

    async with httpx.AsyncClient(base_url=url, timeout=600) as http, asyncio.TaskGroup() as callers:
        for _ in range(min(_IN_FLIGHT, evolutions)):
            callers.create_task(caller(http))
    return events
