"""The rate that engines alone would have, and the fit of their clock."""

import asyncio
import time

import pytest

from bench.latency import BatchRun, fitted, modelled_s
from bench.scale.ideal import VirtualLoop, rounds_per_second
from bench.scale.shape import STATES, EvolutionShape
from services.generation.settings import GenerationSettings
from services.generation.simulated_batch import Latency

SHAPE = EvolutionShape(rounds=2, period=10)


def settings(latency: str, **more: int) -> GenerationSettings:
    return GenerationSettings(engine="simulated", simulated_latency=latency, simulated_response_tokens=0, **more)  # type: ignore[arg-type]


def test_a_virtual_hour_takes_no_time() -> None:
    async def wait() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(1800))
        return asyncio.get_running_loop().time() - began

    began = time.perf_counter()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(wait()) == pytest.approx(3600)
    assert time.perf_counter() - began < 60


def test_one_evolution_is_as_fast_as_its_steps() -> None:
    step_s = Latency(0.3, 0.1).of_step(STATES)
    rate = rounds_per_second(settings("0.3,0.1,0"), replicas=1, concurrent=1, shape=SHAPE)
    assert rate == pytest.approx(1 / (SHAPE.period * step_s), rel=0.05)


def test_replicas_add_up_and_what_does_not_fit_waits() -> None:
    narrow = settings("0.3,0.1,0", max_running=2 * STATES)
    capacity = 2 / (SHAPE.period * Latency(0.3, 0.1).of_step(2 * STATES))
    assert rounds_per_second(narrow, 1, 8, SHAPE) == pytest.approx(capacity, rel=0.1)
    assert rounds_per_second(narrow, 64, 512, SHAPE) == pytest.approx(64 * capacity, rel=0.1)


def test_prompts_that_are_computed_take_time() -> None:
    without, computed, found = (
        rounds_per_second(settings(latency, simulated_cache_blocks=blocks), 1, 1, SHAPE)
        for latency, blocks in (("0.3,0.1,0", 0), ("0.3,0.1,0.01", 0), ("0.3,0.1,0.01", 4096))
    )
    assert computed < found < without


def test_the_fit_finds_what_made_the_figures() -> None:
    made = Latency(0.04, 0.003, 0.002)
    runs = []
    for batch in (1, 4, 16, 64):
        for words in (8, 200):
            run = BatchRun(batch, words, 0.0, steps=40, sampled=40 * batch - words % 3, computed=words * batch)
            runs.append(BatchRun(batch, words, modelled_s(made, run), run.steps, run.sampled, run.computed))
    found = fitted(runs)
    assert (found.step_s, found.sequence_s, found.prefill_s) == pytest.approx((0.04, 0.003, 0.002), rel=1e-6)
