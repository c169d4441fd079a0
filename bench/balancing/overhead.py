"""What balancing costs a call."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.rpc.balancing import Replicas
from shared.rpc.balancing.choice import choose, ranked
from shared.rpc.channel import connect
from shared.rpc.server import Server

_COUNTS = (1, 8, 64)
_CALLS = 2000


@dataclass(frozen=True)
class Cost:
    """µs of a choice among so many: of a key seen before, and of a new one."""

    replicas: int
    known_us: float
    new_us: float


class _Answering(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]  # generated code has no types
    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:  # noqa: N802
        return pb.GetModelResponse()


def choices() -> list[Cost]:
    costs = []
    for count in _COUNTS:
        names = tuple(f"10.0.{i // 16}.{i % 16}:50051" for i in range(count))
        loads = {name: 100 + i % 3 for i, name in enumerate(names)}
        ranked.cache_clear()
        new = _timed([f"evo_{i:032x}" for i in range(_CALLS)], names, loads)
        known = _timed([f"evo_{i:032x}" for i in range(_CALLS)], names, loads)
        costs.append(Cost(count, known, new))
    return costs


def _timed(keys: list[str], names: tuple[str, ...], loads: dict[str, int]) -> float:
    began = time.perf_counter()
    for key in keys:
        choose(names, loads, 5, key)
    return 1e6 * (time.perf_counter() - began) / len(keys)


async def calls() -> tuple[float, float]:
    """µs of a small call to a server in this process: by its channel, and by `Replicas` of one; in turns."""
    server, request = Server([]), pb.GetModelRequest()
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, _Answering())
    address = await server.start("127.0.0.1:0")
    server.set_ready()
    stub_of = generation_pb2_grpc.GenerationServiceStub
    totals = [0.0, 0.0]
    async with connect(address) as channel, Replicas("generation", address, stub_of) as replicas:
        stub: Any = stub_of(channel)
        for turn in range(_CALLS + 200):
            began = time.perf_counter()
            await stub.GetModel(request, timeout=5)
            between = time.perf_counter()
            await replicas.call(lambda stub, **options: stub.GetModel(request, **options), 1, 5, "evo_1")
            if turn >= 200:
                totals[0] += between - began
                totals[1] += time.perf_counter() - between
    await server.stop(0)
    return 1e6 * totals[0] / _CALLS, 1e6 * totals[1] / _CALLS


def table(costs: list[Cost], direct_us: float, balanced_us: float) -> Table:
    shown = Table("replicas", title=f"A small call takes {direct_us:.0f} µs, {balanced_us:.0f} through Replicas")
    shown.add_column("µs to choose, known key", justify="right")
    shown.add_column("new key", justify="right")
    for cost in costs:
        shown.add_row(str(cost.replicas), f"{cost.known_us:.1f}", f"{cost.new_us:.1f}")
    return shown
