"""What a second shard brings where Redis is the limit: the store's own rounds on one server, and on two.

python -m bench.scale.shards            # prints a table; a minute and a half, up to five on a busy machine
python -m bench.scale.shards --keys     # the same with API keys, whose budgets lie on either shard

Two servers, and whoever drives them, need more than two cores. So each server is held to the same small part of a core
(it is stopped while it has run for more, as Linux counts it), which makes it the limit, as a full core does where
workers have enough of them. What the machine carries without that is printed beside it: it says what the cores of this
machine allow, on which whoever drives needs twice as much as a server, not what shards bring.
"""

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import redis
from rich import box
from rich.console import Console
from rich.table import Table

from bench.record.stages import SimulatedStages
from bench.scale.holding import held, ran_s
from bench.scale.shape import EvolutionShape
from cli.stack.redis_server import start_redis
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Unavailable
from shared.records.evolution import Record
from shared.store.evolutions import Store
from shared.store.shards import new_evolution_id

# Searches under way for each server: a system of two has twice as many. A server reads and syncs many together.
_AT_ONCE = 100
# By how much servers may have missed what they are held to, for a pair to count; and how many are tried for one.
_MOST_OFF, _TRIES = 0.07, 3
_SETTLE_S = 0.7
# Student's t for 95 %, by how many pairs there are.
_T = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}


Save = tuple[tuple[Any, ...], dict[str, Any]]
Recorded = tuple[Record, list[Save]]
"""An evolution, as it was accepted, and what a worker saved of it: the arguments of each save."""


class _Noting(Store):
    """Notes what is saved."""

    def __init__(self, url: str) -> None:
        super().__init__(url, ttl_s=60)
        self.saved: list[Save] = []

    async def save(self, *args: Any, **kwargs: Any) -> bool:
        self.saved.append((args, kwargs))
        return await super().save(*args, **kwargs)


@dataclass(frozen=True)
class Window:
    """Rounds per second, and the cores that the servers and this process used."""

    rounds: float
    servers: float
    driver: float


async def recorded(url: str) -> Recorded:
    """Has an evolution searched for, with stages that cost next to nothing."""
    store, stages = _Noting(url), SimulatedStages(1)
    record = Record(new_evolution_id(), 0, "queued", time.time(), EvolutionShape().request(1))
    await store.create(record)
    await RoundRunner(store, stages, stages, stages, OrchestratorSettings()).advance(record.id, 0)
    await store.close()
    return record, store.saved


async def measure(
    url: str, like: Recorded, keys: Sequence[str], window_s: float, servers: Sequence[int], share: float
) -> Window:
    """Accepts, claims and saves evolutions like a recorded one, so many at a time, and counts what is saved once the
    servers are held to a share of a core.
    """
    store, rounds, ending = Store(url, 600, 2 * _AT_ONCE), 0, False
    first, saves = like

    async def evolve() -> None:
        while not ending:
            # Where others keep the machine busy, a server that is held may answer too late.
            with suppress(Unavailable):
                await evolve_one()

    async def evolve_one() -> None:
        nonlocal rounds
        identity = {"id": new_evolution_id(), "key_id": keys[rounds % len(keys)]}
        record = replace(first, created_at=time.time(), **identity)  # type: ignore[arg-type]
        await store.create(record)
        await store.claim(record.id, 0, "bench", 60)
        for (saved, *others), named in saves:
            await store.save(replace(saved, **identity), *others, **named)
            rounds += 1

    evolving = [asyncio.ensure_future(evolve()) for _ in range(_AT_ONCE * len(store._shards))]
    await asyncio.sleep(_SETTLE_S)
    with held(servers, share):
        await asyncio.sleep(_SETTLE_S)
        before, cpu, own, began = rounds, sum(map(ran_s, servers)), time.process_time(), time.monotonic()
        await asyncio.sleep(window_s)
        seconds, cpu = time.monotonic() - began, sum(map(ran_s, servers)) - cpu
        found = Window((rounds - before) / seconds, cpu / seconds, (time.process_time() - own) / seconds)
    ending = True
    await asyncio.gather(*evolving)
    await store.close()
    return found


def interval(ratios: Sequence[float]) -> str:
    """The mean of some ratios with its interval of 95 %."""
    if len(ratios) < 2:
        return "the machine is too busy"
    half = _T[len(ratios)] * stdev(ratios) / len(ratios) ** 0.5
    return f"{mean(ratios):.2f} ± {half:.2f}"


@dataclass(frozen=True)
class Measuring:
    """Measures with one shard and with two, again and again."""

    servers: Sequence[int]
    urls: tuple[str, str]
    like: Recorded
    keys: Sequence[str]
    window_s: float
    console: Console

    def pairs(self, share: float, count: int) -> list[tuple[Window, Window]]:
        """So many, each server held to this share of a core. Those do not count in which others kept the machine so
        busy that the servers were not the limit; where most are such, there are fewer.
        """
        found: list[tuple[Window, Window]] = []
        for _ in range(_TRIES * count):
            one, two = (self._window(share, number) for number in (1, 2))
            counts = not share or max(abs(one.servers / share - 1), abs(two.servers / share / 2 - 1)) < _MOST_OFF
            busy = "" if counts else ", while others kept the machine busy"
            self.console.print(f"  {one.rounds:.0f} → {two.rounds:.0f} rounds/s: {two.rounds / one.rounds:.2f}{busy}")
            if counts:
                found.append((one, two))
            if len(found) == count:
                break
        return found

    def _window(self, share: float, shards: int) -> Window:
        url = self.urls[shards - 1]
        _empty(url)
        return asyncio.run(measure(url, self.like, self.keys, self.window_s, self.servers, share))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("--share", type=float, default=0.06, help="of a core that each server is held to")
    parser.add_argument("--pairs", type=int, choices=sorted(_T), default=6)
    parser.add_argument("--window", type=float, default=4.0, help="seconds")
    options = parser.parse_args()
    keys = [uuid.uuid4().hex[:12] for _ in range(32)] if options.keys else [""]
    console = Console(width=120)
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("each server", "rounds/s, one", "two", "ratio", "servers' ms a round", "cores: servers, driver"):
        table.add_column(title)
    with ExitStack() as stack:
        servers, urls = [], []
        for _ in range(2):
            server, url = start_redis(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.callback(server.wait, 10)
            stack.callback(server.terminate)
            servers.append(server.pid)
            urls.append(url.removesuffix("/0"))
        like = asyncio.run(recorded(f"{urls[0]}/3"))
        # One shard keeps keys without a number, so each of the two has a database of its own.
        both = f"{urls[0]}/1", f"{urls[0]}/2,{urls[1]}/2"
        measuring = Measuring(servers, both, like, keys, options.window, console)
        for share, pairs in ((options.share, options.pairs), (0.0, 2)):
            name = f"{share:.0%} of a core" if share else "as the machine allows"
            console.print(name)
            if found := measuring.pairs(share, pairs):
                table.add_row(name, *_cells(found))
    console.print(table)


def _empty(url: str) -> None:
    """What earlier windows left would cost the first server, which has most of it, more than the second."""
    for each in url.split(","):
        with redis.Redis.from_url(each) as client:
            client.config_set("auto-aof-rewrite-percentage", 0)
            client.flushall()


def _cells(pairs: Sequence[tuple[Window, Window]]) -> Iterator[str]:
    for each in zip(*pairs, strict=True):
        yield f"{mean(window.rounds for window in each):.0f}"
    yield interval([two.rounds / one.rounds for one, two in pairs])
    for value in (
        lambda each: f"{mean(1000 * window.servers / window.rounds for window in each):.3f}",
        lambda each: f"{mean(window.servers for window in each):.2f}, {mean(window.driver for window in each):.2f}",
    ):
        yield " → ".join(map(value, zip(*pairs, strict=True)))


if __name__ == "__main__":
    main()
