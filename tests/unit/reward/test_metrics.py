import asyncio

from services.reward import metrics
from tests.metrics import Measured, measured
from tests.unit.reward.test_batcher import GatedScorer, batching, item, until
from tests.unit.reward.test_rewarder import ANSWERS, ASK, running


async def test_scores_and_tokens_are_counted_by_profile() -> None:
    async with running() as rewarder:
        with Measured() as first:
            scored = await rewarder.score(ASK, ANSWERS)
        with Measured() as again:
            await rewarder.score(ASK, ANSWERS)
    assert first.of("darwin.reward.scores", profile="mixed") == again.of("darwin.reward.scores", profile="mixed") == 2
    assert first.of("darwin.reward.tokens", kind="computed") == scored.computed_tokens > 0
    assert first.of("darwin.reward.tokens", kind="cached") == scored.cached_tokens
    assert again.of("darwin.reward.tokens", kind="computed") == 0
    assert again.of("darwin.reward.tokens", kind="cached") == scored.computed_tokens + scored.cached_tokens


async def test_batches_and_what_waits_for_one() -> None:
    scorer = GatedScorer()
    scorer.gate.clear()
    with Measured() as found:
        async with batching(scorer) as batcher:
            metrics.watch(batcher)
            first = asyncio.ensure_future(batcher.score([item("one")]))
            await until(scorer, 1)
            rest = asyncio.ensure_future(batcher.score([item("two"), item("three"), item("four")]))
            await asyncio.sleep(0)
            assert measured()["darwin.reward.waiting", ()] == batcher.waiting == 3
            scorer.gate.set()
            await asyncio.gather(first, rest)
            assert measured()["darwin.reward.waiting", ()] == 0
    assert found.of("darwin.reward.batch.size.count") == 2
    assert found.of("darwin.reward.batch.size") == 4
