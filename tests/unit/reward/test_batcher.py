import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from services.reward.batcher import Batcher
from services.reward.scorer import ComponentScore, ScoreItem
from services.reward.threads import ThreadScorer
from shared.errors import Internal, InvalidRequest, Overloaded, Unavailable
from shared.process.lifecycle import never
from tests.unit.reward.conversations import dialogue

QUESTION = dialogue("Why?")


def item(text: str) -> ScoreItem:
    return ScoreItem(QUESTION, text)


class GatedScorer:
    """Scores a text by its length once the gate is open; remembers every batch."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()

    def load(self) -> None: ...

    def close(self) -> None: ...

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        self.seen.append([item.text for item in batch])
        self.gate.wait(10)
        return [self.one(item.text) for item in batch]

    def one(self, text: str) -> ComponentScore:
        if text == "nan":
            return ComponentScore(float("nan"))
        return ComponentScore(float(len(text)), computed_tokens=len(text), cached_tokens=1)


@asynccontextmanager
async def batching(
    scorer: GatedScorer, max_batch: int = 64, max_queue: int = 100, kept: int = 100
) -> AsyncIterator[Batcher]:
    threaded = ThreadScorer(lambda: scorer, "gated")
    await threaded.load()
    batcher = Batcher(threaded, max_batch, max_queue, kept)
    try:
        yield batcher
    finally:
        scorer.gate.set()
        await batcher.close()
        await threaded.close()


async def until(scorer: GatedScorer, batches: int) -> None:
    async with asyncio.timeout(20):
        while len(scorer.seen) < batches:  # noqa: ASYNC110  # the scorer is on another thread
            await asyncio.sleep(0.001)


async def test_what_arrives_while_a_batch_computes_forms_the_next() -> None:
    scorer = GatedScorer()
    async with batching(scorer) as batcher:
        scorer.gate.clear()
        calls = [asyncio.create_task(batcher.score([item("a"), item("bb")]))]
        await until(scorer, 1)
        calls += [asyncio.create_task(batcher.score([item(text)])) for text in ("ccc", "dddd", "eeeee")]
        await asyncio.sleep(0.01)
        scorer.gate.set()
        results = await asyncio.gather(*calls)
    assert scorer.seen == [["a", "bb"], ["ccc", "dddd", "eeeee"]]
    assert [[score.value for score in result] for result in results] == [[1, 2], [3], [4], [5]]


async def test_a_batch_is_bounded_and_order_kept() -> None:
    scorer = GatedScorer()
    async with batching(scorer, max_batch=2) as batcher:
        results = await batcher.score([item("x" * length) for length in range(1, 6)])
    assert [len(batch) for batch in scorer.seen] == [2, 2, 1]
    assert [score.value for score in results] == [1, 2, 3, 4, 5]


async def test_a_known_item_costs_nothing() -> None:
    scorer = GatedScorer()
    async with batching(scorer) as batcher:
        first = await batcher.score([item("abc"), item("abc")])
        again = await batcher.score([item("abc")])
    assert scorer.seen == [["abc"]]
    assert first == [ComponentScore(3, 3, 1), ComponentScore(3, 0, 4)]
    assert again == [ComponentScore(3, 0, 4)]


async def test_the_same_text_to_another_question_is_another_item() -> None:
    scorer = GatedScorer()
    async with batching(scorer) as batcher:
        await batcher.score([item("abc"), ScoreItem(dialogue("Why not?"), "abc")])
    assert scorer.seen == [["abc", "abc"]]


async def test_items_of_a_cancelled_call_are_dropped_unless_somebody_else_waits() -> None:
    scorer = GatedScorer()
    async with batching(scorer) as batcher:
        scorer.gate.clear()
        running = asyncio.create_task(batcher.score([item("running")]))
        await until(scorer, 1)
        cancelled = asyncio.create_task(batcher.score([item("gone"), item("shared")]))
        waiting = asyncio.create_task(batcher.score([item("shared")]))
        await asyncio.sleep(0.01)
        cancelled.cancel()
        scorer.gate.set()
        await asyncio.gather(running, waiting)
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    assert scorer.seen == [["running"], ["shared"]]


async def test_nan_fails_only_the_call_that_asked_for_it() -> None:
    scorer = GatedScorer()
    async with batching(scorer) as batcher:
        bad, good = await asyncio.gather(
            batcher.score([item("fine"), item("nan")]), batcher.score([item("ok")]), return_exceptions=True
        )
        assert isinstance(bad, Internal)
        assert good == [ComponentScore(2, 2, 1)]
        with pytest.raises(Internal):
            await batcher.score([item("nan")])


async def test_a_missing_score_is_an_error() -> None:
    scorer = GatedScorer()
    scorer.score = lambda batch: []  # type: ignore[method-assign]
    async with batching(scorer) as batcher:
        with pytest.raises(Internal, match="1 responses got 0 scores"):
            await batcher.score([item("a")])


async def test_a_failing_scorer_fails_the_batch_and_serves_the_next() -> None:
    scorer = GatedScorer()
    async with batching(scorer) as batcher:
        works, scorer.one = scorer.one, lambda text: 1 / 0  # type: ignore[method-assign]
        with pytest.raises(ZeroDivisionError):
            await batcher.score([item("a")])
        scorer.one = works  # type: ignore[method-assign]
        assert (await batcher.score([item("a")]))[0].value == 1


async def test_a_full_queue_refuses() -> None:
    scorer = GatedScorer()
    async with batching(scorer, max_queue=2) as batcher:
        scorer.gate.clear()
        first = asyncio.create_task(batcher.score([item("a"), item("b"), item("c")]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.score([item("d")])
        scorer.gate.set()
        assert len(await first) == 3, "a call that the queue could never hold comes in where nobody waits"
        assert (await batcher.score([item("d"), item("e")]))[1].value == 1


async def test_closing_fails_what_waits() -> None:
    scorer = GatedScorer()
    async with batching(scorer, max_batch=1) as batcher:
        scorer.gate.clear()
        calls = [asyncio.create_task(batcher.score([item(text)])) for text in ("a", "b")]
        await until(scorer, 1)
        await batcher.close()
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, Unavailable)


class Picky(GatedScorer):
    """Fails whole batches, as a chat template does that refuses one conversation of many."""

    def one(self, text: str) -> ComponentScore:
        if text == "odd":
            raise InvalidRequest("refused", field="messages")
        return super().one(text)


async def test_a_response_that_cannot_be_scored_fails_its_own_call_only() -> None:
    async with batching(Picky()) as batcher:
        asked = [batcher.score([item(text)]) for text in ("one", "odd", "three")]
        first, odd, third = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(odd, InvalidRequest)
    assert [score.value for part in (first, third) for score in part] == [3.0, 5.0]  # type: ignore[union-attr]


class Remote:
    """Takes two batches at once, of three items at most, and says that it is away where asked for "away"."""

    batches = 2
    max_batch = 3

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.gate = asyncio.Event()

    async def load(self) -> None: ...

    async def close(self) -> None: ...

    async def failed(self) -> str:
        return await never()

    async def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        self.seen.append([item.text for item in batch])
        await self.gate.wait()
        if any(item.text == "away" for item in batch):
            raise Unavailable("away")
        return [ComponentScore(float(len(item.text))) for item in batch]


async def test_a_scorer_may_take_several_batches_at_once() -> None:
    scorer = Remote()
    batcher = Batcher(scorer, 64, 100, 100)
    calls = [asyncio.create_task(batcher.score([item(text * n) for n in range(1, 5)])) for text in "ab"]
    await asyncio.sleep(0.01)
    assert scorer.seen == [["a", "aa", "aaa"], ["aaaa", "b", "bb"]]
    scorer.gate.set()
    assert [[score.value for score in result] for result in await asyncio.gather(*calls)] == [[1, 2, 3, 4]] * 2
    assert scorer.seen[2:] == [["bbb", "bbbb"]]


async def test_a_scorer_that_is_away_is_not_asked_again_for_each_item() -> None:
    scorer = Remote()
    scorer.gate.set()
    with pytest.raises(Unavailable):
        await Batcher(scorer, 64, 100, 100).score([item("one"), item("away")])
    assert scorer.seen == [["one", "away"]]
