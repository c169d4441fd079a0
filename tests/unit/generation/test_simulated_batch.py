"""The clock of continuous batching: what a step takes, who waits, what prefill and cancelling do."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any
from unittest import mock

import pytest

from bench.scale.ideal import VirtualLoop
from services.generation.bootstrap import build_engine
from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.settings import GenerationSettings
from services.generation.simulated_batch import CPU, Batch, Latency, Waited, latency_named
from shared.process.settings import SettingsError


def on_a_virtual_clock(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Time passes only while nothing is left to do."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*arguments, **named))

    return run


async def timed(batch: Batch, steps: int, prefill_tokens: int = 0) -> tuple[float, Waited]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    waited = await batch.run(steps, prefill_tokens)
    return loop.time() - began, waited


def about(seconds: float) -> object:
    return pytest.approx(seconds, abs=0.002)


@on_a_virtual_clock
async def test_a_step_takes_longer_the_more_sequences_share_it() -> None:
    batch = Batch(Latency(0.005, 0.005), 64)
    alone, _ = await timed(batch, 10)
    together = await asyncio.gather(*(timed(batch, 10) for _ in range(5)))
    assert alone == about(0.1)
    assert [seconds for seconds, _ in together] == [about(0.3)] * 5


@on_a_virtual_clock
async def test_one_that_ends_makes_the_others_faster() -> None:
    batch = Batch(Latency(0.0001, 0.01), 64)
    short, long = await asyncio.gather(timed(batch, 10), timed(batch, 20))
    assert short[0] == about(0.201)
    assert long[0] == about(0.302)


@on_a_virtual_clock
async def test_beyond_its_places_sequences_wait_in_order() -> None:
    batch = Batch(Latency(0.01), 2)
    tasks = [asyncio.ensure_future(timed(batch, 10)) for _ in range(5)]
    await asyncio.sleep(0.03)
    assert batch.waiting == 3
    found = await asyncio.gather(*tasks)
    assert [seconds for seconds, _ in found] == [about(n) for n in (0.1, 0.1, 0.2, 0.2, 0.3)]
    assert [waited.queue_s for _, waited in found] == [about(n) for n in (0, 0, 0.1, 0.1, 0.2)]
    assert [waited.first_token_s for _, waited in found] == [about(n) for n in (0.01, 0.01, 0.11, 0.11, 0.21)]
    assert batch.waiting == 0


@on_a_virtual_clock
async def test_prefill_holds_up_everybody() -> None:
    batch = Batch(Latency(0.01, 0, 0.001), 64)
    first = asyncio.ensure_future(timed(batch, 20))
    await asyncio.sleep(0.05)
    seconds, waited = await timed(batch, 5, prefill_tokens=100)
    assert seconds == about(0.15)
    assert waited.first_token_s == about(0.11)
    assert (await first)[0] == about(0.3)


@on_a_virtual_clock
async def test_cancelling_frees_a_place_at_once() -> None:
    batch = Batch(Latency(0.01), 1)
    running, waiting = asyncio.ensure_future(timed(batch, 500)), asyncio.ensure_future(timed(batch, 5))
    gone = asyncio.ensure_future(timed(batch, 500))
    await asyncio.sleep(0.02)
    gone.cancel()
    running.cancel()
    assert (await waiting)[0] == about(0.07)
    assert batch.waiting == 0


async def test_many_sequences_cost_no_timer_per_token() -> None:
    batch, loop = Batch(Latency(0.00001), 64), asyncio.get_running_loop()
    with mock.patch.object(loop, "call_at", wraps=loop.call_at) as timers:
        await asyncio.gather(*(batch.run(20_000, 0) for _ in range(64)))
    assert 0 < timers.call_count <= 2 * 64


def test_an_engine_can_be_slowed_down() -> None:
    assert Latency(0.01, 0.002, 0.001).stretched(2).of_step(10) == pytest.approx(0.06)


def test_a_latency_is_named_or_given() -> None:
    assert latency_named("cpu") == CPU
    assert latency_named("0.03,0.002,0.0004") == Latency(0.03, 0.002, 0.0004)


@pytest.mark.parametrize("text", ["gpu", "1,2", "0,0,0", "0.1,-1,0", "nan,0,0", "inf,0,0"])
def test_any_other_latency_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="SIMULATED_LATENCY"):
        latency_named(text)


@on_a_virtual_clock
async def test_an_engine_follows_its_settings() -> None:
    settings = GenerationSettings(
        engine="simulated", simulated_latency="0.01,0,0.001", simulated_stretch=2, simulated_response_tokens=0,
        simulated_cache_blocks=100, max_running=1,
    )  # fmt: skip
    engine, sequence = build_engine(settings), TokenSequence(tuple(range(1, 50)), 5, SamplingOptions(), 1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    first, second = await asyncio.gather(engine.complete(sequence), engine.complete(sequence))
    assert loop.time() - began == about(2 * 5 * 0.02 + 0.002 * (49 + 1))
    assert (first.cached_tokens, second.cached_tokens) == (0, 48)
    assert second.queue_seconds == about(5 * 0.02 + 0.002 * 49)
