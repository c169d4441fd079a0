"""One of three replicas drains, joins and dies while evolutions run: when its traffic has moved, and what failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.balancing.workload import DocumentShape, WorkloadTally, workload
from cli.stack import Stack
from shared.rpc.balancing import Replicas

_SAMPLE_S = 0.1
_SETTLE_S = 15.0
_PATIENCE_S = 120.0


@dataclass
class Timeline:
    """`loads[i]` are the sequences in flight at each replica at `times[i]`, in seconds from the start."""

    names: list[str]
    times: list[float] = field(default_factory=list)
    loads: list[list[int]] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True)
class ReplicaEvent:
    """`moved_s`: from the event until no new call went to the replica, or, for one that joined, until one did;
    `settled_s`: until it held none, or, for one that joined, its share.
    """

    name: str
    moved_s: float
    settled_s: float
    failed_calls: int


class ObservedStage:
    """Three replicas under load, and what is done to one of them."""

    def __init__(self, stack: Stack, replicas: Replicas[Any], tally: WorkloadTally) -> None:
        self._stack, self._members, self._tally = stack, replicas.members, tally
        self._began = time.perf_counter()
        self.names = [name for name in stack.addresses if name.startswith("generation")]
        self.timeline = Timeline(self.names)
        self.events: list[ReplicaEvent] = []

    async def sample(self) -> None:
        addresses = [self._stack.addresses[name] for name in self.names]
        while True:
            self.timeline.times.append(time.perf_counter() - self._began)
            self.timeline.loads.append([self._members.loads[address] for address in addresses])
            await asyncio.sleep(_SAMPLE_S)

    async def play(self) -> None:
        """Drain, join and die, each once the last has settled."""
        third, second = self.names[2], self.names[1]
        await asyncio.sleep(_SETTLE_S)
        stopping = asyncio.ensure_future(asyncio.to_thread(self._stack.terminate, third))
        await self._note("drains (SIGTERM)", self._gone(third), self._idle(third))
        print(f"{third} ended with exit code {await stopping}")
        await asyncio.sleep(_SETTLE_S)
        self._stack.restart(third)
        await asyncio.to_thread(self._stack.await_ready, third)
        await self._note("joins (ready)", lambda: not self._idle(third)(), self._shares(third))
        await asyncio.sleep(_SETTLE_S)
        self._stack.kill(second)
        await self._note("dies (SIGKILL)", self._gone(second), self._idle(second))
        await asyncio.sleep(_SETTLE_S)

    async def _note(self, name: str, moved: Callable[[], bool], settled: Callable[[], bool]) -> None:
        began, failed = time.perf_counter(), self._tally.failed
        self.timeline.marks.append((began - self._began, name))
        moved_s, settled_s = await asyncio.gather(_until(moved, began), _until(settled, began))
        self.events.append(ReplicaEvent(name, moved_s, settled_s, self._tally.failed - failed))

    def _gone(self, name: str) -> Callable[[], bool]:
        return lambda: self._stack.addresses[name] not in self._members.serving

    def _idle(self, name: str) -> Callable[[], bool]:
        return lambda: self._members.loads[self._stack.addresses[name]] == 0

    def _shares(self, name: str) -> Callable[[], bool]:
        """Whether it holds at least half of what each would hold of the whole."""
        loads = self._members.loads
        return lambda: loads[self._stack.addresses[name]] * 6 >= sum(loads.values()) > 0


async def _until(condition: Callable[[], bool], began: float) -> float:
    while not condition():
        if time.perf_counter() - began > _PATIENCE_S:
            raise TimeoutError(f"not so after {_PATIENCE_S:.0f} s")
        await asyncio.sleep(0.005)
    return time.perf_counter() - began


async def play(
    stack: Stack, shape: DocumentShape, concurrent: int, console: Console
) -> tuple[list[ReplicaEvent], Timeline]:
    async with workload(stack, shape, concurrent) as (work, replicas):
        console.log("one replica drains, joins, dies")
        running = asyncio.ensure_future(work.run(1_000_000))
        stage = ObservedStage(stack, replicas, work.tally)
        sampling = asyncio.ensure_future(stage.sample())
        await stage.play()
        work.stopping = True
        tally = await running
        sampling.cancel()
        console.log(f"{tally.evolutions} evolutions meanwhile, {tally.failed} calls failed")
        return stage.events, stage.timeline


def table(events: list[ReplicaEvent]) -> Table:
    shown = Table("a replica", title="While evolutions run")
    for head in ("traffic has moved after", "settled after", "failed calls"):
        shown.add_column(head, justify="right")
    for event in events:
        shown.add_row(event.name, f"{event.moved_s:.2f} s", f"{event.settled_s:.2f} s", str(event.failed_calls))
    return shown
