import asyncio
import random

import pytest

from services.reward import metrics
from services.reward.validation import ResponseCandidate
from tests.metrics import Measured, measured
from tests.unit.reward.test_batcher import GatedScorer, batching, item, until
from tests.unit.reward.test_rewarder import ANSWERS, ASK, NOTHING, running


def test_shares_of_variance_are_those_of_covariance_and_sum_to_one() -> None:
    draw, shares = random.Random(1), metrics.Shares()
    assert shares.shares() == {}
    shares.add(1.0, {"wide": 1.0, "narrow": 0.0})
    assert shares.shares() == {}
    for _ in range(4_000):
        wide, narrow = draw.gauss(0.0, 2.0), draw.gauss(5.0, 1.0)
        shares.add(wide + narrow, {"wide": wide, "narrow": narrow})
    found = shares.shares()
    # Variances of 4 and 1, of the newest 500 or so.
    assert found["wide"] == pytest.approx(0.8, abs=0.1)
    assert sum(found.values()) == pytest.approx(1.0)


async def test_rewards_and_those_that_abstain_are_shown_by_profile() -> None:
    answers = [*ANSWERS, ResponseCandidate("c", NOTHING)]
    async with running() as rewarder:
        with Measured() as found:
            scored = await rewarder.score(ASK, answers)
    assert [score.abstained != "" for score in scored.scores] == [False, False, True]
    assert found.of("darwin.reward.abstained", profile="mixed", why="empty") == 1
    assert found.of("darwin.reward.value.count", profile="mixed") == 2
    assert found.of("darwin.reward.value", profile="mixed") == sum(score.reward for score in scored.scores[:2])


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
