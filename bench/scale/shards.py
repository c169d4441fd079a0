"""What a second shard brings where Redis is the limit: the store's own rounds on one server, and on two.

python -m bench.scale.shards            # prints a table; about two minutes
python -m bench.scale.shards --keys     # the same with API keys, whose budgets lie on either shard

Two servers, and whoever drives them, need more than two cores. So each server is held to the same small part of a core
(it is stopped while it has run for more, as Linux counts it), which makes it the limit, as a full core does where
workers have enough of them. What the machine carries without that is printed beside it: it says what the cores of this
machine allow, on which whoever drives needs twice as much as a server, not what shards bring.
"""

import argparse
import asyncio
import os
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from bench.record.stages import SimulatedStages
from bench.scale.shape import EvolutionShape
from cli.stack.child import Child
from cli.stack.redis_server import start_redis
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Unavailable
from shared.records.evolution import Record
from shared.store.evolutions import Store
from shared.store.shards import new_evolution_id

_AT_ONCE = 48
# How much of what they are held to the servers must have used, for a window to count; and how often it is tried.
_USED, _TRIES = 0.93, 4
_SETTLE_S = 1.0
_TURN_S, _DEBT_S = 0.002, 1.0
# Student's t for 95 %, by how many pairs there are.
_T = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 8: 2.36, 10: 2.26}


class _Recorded(Store):
    """Notes what is saved."""

    def __init__(self, url: str) -> None:
        super().__init__(url, ttl_s=60)
        self.saved: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    async def save(self, *args: Any, **kwargs: Any) -> bool:
        self.saved.append((args, kwargs))
        return await super().save(*args, **kwargs)


@dataclass(frozen=True)
class Window:
    """Rounds per second, and the cores that the servers and this process used."""

    rounds: float
    servers: float
    driver: float


async def recorded(url: str) -> tuple[Record, list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """An evolution, as it was accepted, and what a worker saved of it."""
    store, stages = _Recorded(url), SimulatedStages(1)
    record = Record(new_evolution_id(), 0, "queued", time.time(), EvolutionShape().request(1))
    await store.create(record)
    await RoundRunner(store, stages, stages, stages, OrchestratorSettings()).advance(record.id, 0)
    await store.close()
    return record, store.saved


async def measure(url: str, like: tuple[Record, Sequence[Any]], keys: Sequence[str], window_s: float) -> Window:
    """Accepts, claims and saves evolutions like a recorded one, so many at a time, and counts what is saved."""
    store, rounds, ending = Store(url, ttl_s=60), 0, False
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

    evolving = [asyncio.ensure_future(evolve()) for _ in range(_AT_ONCE)]
    await asyncio.sleep(_SETTLE_S)
    children = [child for child in psutil.Process().children() if "server" in child.name()]
    before, cpu, own, began = rounds, _cpu(children), time.process_time(), time.monotonic()
    await asyncio.sleep(window_s)
    seconds = time.monotonic() - began
    found = Window((rounds - before) / seconds, (_cpu(children) - cpu) / seconds, (time.process_time() - own) / seconds)
    ending = True
    await asyncio.gather(*evolving)
    await store.close()
    return found


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def hold(pids: Sequence[int], share: float) -> None:
    """Lets each process have a share of a core, by what the kernel says that it has run for."""
    allowed = {pid: _ran_s(pid) for pid in pids}
    at = time.monotonic()
    while True:
        time.sleep(_TURN_S)
        now = time.monotonic()
        for pid in pids:
            ran = _ran_s(pid)
            # What it did not use it cannot save up.
            allowed[pid] = max(allowed[pid] + share * (now - at), ran - share * _DEBT_S)
            allowed[pid] = min(allowed[pid], ran + 2 * share * _TURN_S)
            os.kill(pid, signal.SIGCONT if ran < allowed[pid] else signal.SIGSTOP)
        at = now


def _ran_s(pid: int) -> float:
    """Seconds of CPU of a process's first thread, in which Redis runs commands."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def held(servers: Sequence[Child], share: float) -> Iterator[None]:
    """Holds servers to a share of a core, from a process of its own, which waits for no interpreter's lock."""
    pids = [server.pid for server in servers]
    holding = get_context("spawn").Process(target=hold, args=(pids, share))
    holding.start()
    try:
        yield
    finally:
        holding.terminate()
        holding.join()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def interval(ratios: Sequence[float]) -> str:
    """The mean of some ratios with its interval of 95 %."""
    half = _T[len(ratios)] * stdev(ratios) / len(ratios) ** 0.5
    return f"{mean(ratios):.2f} ± {half:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("--share", type=float, default=0.06, help="of a core that each server is held to")
    parser.add_argument("--pairs", type=int, choices=sorted(_T), default=5)
    parser.add_argument("--window", type=float, default=6.0, help="seconds")
    options = parser.parse_args()
    keys = [uuid.uuid4().hex[:12] for _ in range(32)] if options.keys else [""]
    table = Table(
        "each server",
        "rounds/s, one",
        "two",
        "ratio",
        "servers' ms a round",
        "cores: servers, driver",
        box=box.SIMPLE_HEAD,
    )
    with ExitStack() as stack:
        servers, urls = [], []
        for _ in range(2):
            server, url = start_redis(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.callback(server.wait, 10)
            stack.callback(server.terminate)
            servers.append(server)
            urls.append(url.removesuffix("/0"))
        # One shard keeps keys without a number, so each of the two has a database of its own.
        one, two = f"{urls[0]}/1", f"{urls[0]}/2,{urls[1]}/2"
        like = asyncio.run(recorded(f"{urls[0]}/3"))
        for name, share, pairs in (("held", options.share, options.pairs), ("as the machine allows", 0.0, 2)):
            found: list[tuple[Window, Window]] = []
            for _ in range(pairs):
                windows = []
                for count, url in enumerate((one, two), 1):
                    for _ in range(_TRIES):
                        with held(servers, share) if share else ExitStack():
                            window = asyncio.run(measure(url, like, keys, options.window))
                        # Otherwise others kept the machine busy, and the servers were not the limit.
                        if window.servers >= _USED * share * count:
                            break
                    windows.append(window)
                found.append((windows[0], windows[1]))
            table.add_row(
                f"{share:.0%} of a core" if share else name,
                f"{mean(pair[0].rounds for pair in found):.0f}",
                f"{mean(pair[1].rounds for pair in found):.0f}",
                interval([after.rounds / before.rounds for before, after in found]),
                " → ".join(
                    f"{mean(1000 * pair[each].servers / pair[each].rounds for pair in found):.3f}" for each in (0, 1)
                ),
                " → ".join(
                    f"{mean(pair[each].servers for pair in found):.2f}, {mean(pair[each].driver for pair in found):.2f}"
                    for each in (0, 1)
                ),
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
