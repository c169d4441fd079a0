"""Three generation services as processes of their own: one is killed, drained, frozen while calls run."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.stack.child import Child
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.rpc import channel
from shared.rpc.balancing import Replicas
from shared.rpc.balancing.choice import ranked
from tests.integration.processes import start, until
from tests.integration.rpc.balancing.fleet import generated, serving
from tests.metrics import Measured

# Calls of 8 tokens take 2 s.
SLOW = {
    "DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "4",
    "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0",
}
KEYS = [f"evo_{i:032x}" for i in range(24)]


@pytest.fixture
def children(tmp_path: Path) -> Iterator[list[Child]]:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    children = [start("generation", folder, SLOW) for folder in folders]
    yield children
    for child in children:
        child.kill()


@pytest.fixture
async def replicas(children: list[Child]) -> AsyncIterator[Replicas[Any]]:
    addresses = [child.address(30) for child in children]
    async with Replicas("generation", ",".join(addresses), GenerationServiceStub) as replicas:
        await serving(replicas, 3)
        yield replicas


async def under_way(replicas: Replicas[Any]) -> asyncio.Future[list[Any]]:
    calls = asyncio.gather(*(generated(replicas, key, 3, timeout_s=60) for key in KEYS))
    await until(lambda: sum(replicas.members.loads.values()) == 3 * len(KEYS), 20)
    assert min(replicas.members.loads.values()) > 0
    await asyncio.sleep(0.5)  # so that they are decoded
    return calls


async def test_killed(children: list[Child], replicas: Replicas[Any]) -> None:
    with Measured() as counts:
        calls = await under_way(replicas)
        children[0].kill()
        died = time.monotonic()
        results = await calls
        took = time.monotonic() - died
    assert [[len(one.token_ids) for one in result] for result in results] == [[8] * 3] * len(KEYS)
    moved = counts.of("darwin.replicas.calls", placement="moved")
    print(f"{moved:.0f} of {len(KEYS)} calls moved; all results {took:.2f} s after the death, of which decoding is 2 s")
    assert moved > 0
    assert took < channel.PING_EVERY_S + channel.PONG_WITHIN_S, "not by keepalive"


async def test_drained(children: list[Child], replicas: Replicas[Any]) -> None:
    with Measured() as counts:
        calls = await under_way(replicas)
        children[0].terminate()
        await serving(replicas, 2)
        more = await asyncio.gather(*(generated(replicas, key, timeout_s=60) for key in KEYS))
        assert await asyncio.to_thread(children[0].wait, 10) == 0
    assert [len(result) for result in (*await calls, *more)] == [3] * len(KEYS) + [1] * len(KEYS)
    assert counts.of("darwin.replicas.calls", placement="moved") == 0


@pytest.fixture
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen replica is noticed within 18 s; here within four."""
    assert channel.PING_EVERY_S + channel.PONG_WITHIN_S == 18
    monkeypatch.setattr(channel, "PING_EVERY_S", 2.0)
    monkeypatch.setattr(channel, "PONG_WITHIN_S", 2.0)


async def test_frozen(sooner: None, children: list[Child], replicas: Replicas[Any]) -> None:
    """Calls of the others' keys go on as ever; its own move on once keepalive gives it up."""
    frozen = children[0].address(1)
    home = {key: ranked(key, replicas.members.serving)[0] for key in KEYS}
    mine = next(key for key in KEYS if home[key] == frozen)
    others = [key for key in KEYS if home[key] != frozen][:4]
    os.kill(children[0].pid, signal.SIGSTOP)
    with Measured() as counts:
        stuck = asyncio.ensure_future(generated(replicas, mine, timeout_s=60))
        assert await replicas.is_healthy()
        results = await asyncio.gather(*(generated(replicas, key, timeout_s=60) for key in others))
        assert len(await stuck) == 1
    assert [len(result) for result in results] == [1] * 4
    # On a busy machine another may seem frozen for a moment, too.
    assert counts.of("darwin.replicas.calls", placement="moved") >= 1
    for child in children[1:]:
        os.kill(child.pid, signal.SIGSTOP)
    assert len(replicas.members.serving) == 2
    assert not await replicas.is_healthy()
