"""One point: so many replicas, so many evolutions at once, and what became of them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.scale.counting import Counting, Counts
from bench.scale.fleet import Fleet
from bench.scale.ideal import rounds_per_second
from bench.scale.load import Load
from bench.scale.shape import EvolutionShape
from services.generation.settings import GenerationSettings

IDLE_S = 3.0
_LEAST_SETTLING_S = 3.0
# To begin takes an evolution more than to go on: more at once would be measured as a burst of beginnings.
_BEGINNINGS_PER_S = 50
_MOST_RAMP_S = 30.0


@dataclass(frozen=True)
class LoadPoint:
    """Rates are per second; `ideal` is the rate of rounds that engines alone would have. CPU is in milliseconds a round
    by process, and Redis's commands (those inside scripts too) and bytes are a round's, all less what is spent without
    load (`idle`: commands per second); `cores` is the CPU of all processes, with that.
    """

    replicas: int
    concurrent: int
    stretch: float
    seconds: float
    rounds: float
    evolutions: float
    ideal: float
    failed: float
    cpu_ms: Mapping[str, float]
    cores: float
    commands: Mapping[str, float]
    idle: Mapping[str, float]
    bytes_in: float
    bytes_out: float

    @property
    def efficiency(self) -> float:
        return self.rounds / self.ideal

    @property
    def overhead_ms(self) -> float:
        """Of a round: how much longer it takes, from message to message, than engines would (Little's law)."""
        return 1000 * self.concurrent * (1 / self.rounds - 1 / self.ideal)

    @property
    def json(self) -> dict[str, Any]:
        return {**asdict(self), "efficiency": self.efficiency, "overhead_ms": self.overhead_ms}


def ideal(fleet: Fleet, concurrent: int, shape: EvolutionShape) -> float:
    """Rounds per second."""
    settings = GenerationSettings(
        engine="simulated",
        simulated_latency=fleet.latency,
        simulated_stretch=fleet.stretch,
        simulated_response_tokens=0,
        simulated_cache_blocks=fleet.cache_blocks,
    )
    return rounds_per_second(settings, fleet.replicas, concurrent, shape)


async def idle(counting: Counting) -> Counts:
    """What is spent without load."""
    before = counting.now()
    await asyncio.sleep(IDLE_S)
    return counting.now().since(before)


async def measure(
    counting: Counting,
    fleet: Fleet,
    concurrent: int,
    shape: EvolutionShape,
    best: float,
    window_s: float,
    quiet: Counts,
) -> LoadPoint:
    """Begins the evolutions one after another over the time that one lasts, lets them settle, then counts."""
    ramp_s = max(min(concurrent * shape.rounds / best, _MOST_RAMP_S), concurrent / _BEGINNINGS_PER_S)
    async with Load(counting.redis_url, concurrent, shape, ramp_s):
        await asyncio.sleep(max(_LEAST_SETTLING_S, 1.25 * ramp_s))
        before = counting.now()
        await asyncio.sleep(window_s)
        spent = counting.now().since(before)
    return point(fleet, concurrent, best, spent, quiet)


def point(fleet: Fleet, concurrent: int, best: float, spent: Counts, quiet: Counts) -> LoadPoint:
    rounds, share = spent.rounds, spent.seconds / quiet.seconds
    loaded = Counter(spent.commands)
    loaded.subtract({name: round(count * share) for name, count in quiet.commands.items()})
    return LoadPoint(
        replicas=fleet.replicas,
        concurrent=concurrent,
        stretch=fleet.stretch,
        seconds=spent.seconds,
        rounds=rounds / spent.seconds,
        evolutions=spent.evolutions / spent.seconds,
        ideal=best,
        failed=spent.failed,
        cpu_ms={name: 1000 * (seconds - share * quiet.cpu_s[name]) / rounds for name, seconds in spent.cpu_s.items()},
        cores=sum(spent.cpu_s.values()) / spent.seconds,
        commands={name: count / rounds for name, count in loaded.items() if count / rounds > 0.005},
        idle={name: count / quiet.seconds for name, count in quiet.commands.items()},
        bytes_in=(spent.bytes_in - share * quiet.bytes_in) / rounds,
        bytes_out=(spent.bytes_out - share * quiet.bytes_out) / rounds,
    )
