import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest

from services.reward.bootstrap import build_rewarder
from services.reward.combining import Ensemble
from services.reward.length import LengthCurve
from services.reward.reference import Sample
from services.reward.rewarder import Rewarder, ScorePart
from services.reward.scorer import EMPTY_RESPONSE, BlockingScorer, ComponentScore, ComponentScorer, Part, ScoreItem
from services.reward.servicer import RewardServicer
from services.reward.settings import RewardSettings
from services.reward.threads import ThreadScorer
from services.reward.validation import ResponseCandidate, ScoringLimits
from services.reward.weighted import Component, Profile
from shared.errors import Internal, InvalidRequest, NotFound, Unavailable
from shared.pb import reward_pb2 as pb
from shared.records.evolution import Message

ASK = [Message("user", "Why?")]
ANSWERS = [ResponseCandidate("b", "because"), ResponseCandidate("a", "so")]
NOTHING = "..."


class LengthScorer:
    """The text's length times `factor`; a whole text of "x" is answered with `odd`, and with a negative factor it
    abstains from `NOTHING`."""

    def __init__(self, factor: float, odd: float = 0.0) -> None:
        self.factor, self.odd = factor, odd
        self.loaded = False

    def load(self) -> None:
        self.loaded = True

    def close(self) -> None:
        self.loaded = False

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        assert self.loaded
        return [
            ComponentScore(
                self.odd if item.text == "x" else self.factor * len(item.text),
                len(item.text),
                2,
                EMPTY_RESPONSE if item.text == NOTHING and self.factor < 0 else "",
            )
            for item in batch
        ]


PROFILE = Profile("mixed", "two parts", (Component("up", 2.0, "one"), Component("down", 0.5, "two")))


def threaded(scorers: Mapping[str, BlockingScorer]) -> dict[str, ComponentScorer]:
    return {name: ThreadScorer(partial(_itself, scorer), name) for name, scorer in scorers.items()}


def _itself(scorer: BlockingScorer) -> BlockingScorer:
    return scorer


@asynccontextmanager
async def running(*, odd: float = 0.0, profile: Profile = PROFILE) -> AsyncIterator[Rewarder]:
    scorers = {"one": LengthScorer(1.0, odd), "two": LengthScorer(-3.0)}
    rewarder = Rewarder({"mixed": profile}, "mixed", threaded(scorers), ScoringLimits(), 16)
    await rewarder.start()
    try:
        yield rewarder
    finally:
        await rewarder.stop()
    assert not any(scorer.loaded for scorer in scorers.values())


async def test_a_reward_is_the_weighted_sum_of_its_parts_in_the_order_asked() -> None:
    async with running() as rewarder:
        scored = await rewarder.score(ASK, ANSWERS, "mixed")
    assert [score.id for score in scored.scores] == ["b", "a"]
    assert scored.scores[0].parts == (ScorePart("up", 2.0, 7.0), ScorePart("down", 0.5, -21.0))
    assert [score.reward for score in scored.scores] == [3.5, 1.0]
    assert (scored.profile, scored.computed_tokens, scored.cached_tokens) == ("mixed", 18, 8)


async def test_what_length_predicts_is_a_part_that_is_taken_away() -> None:
    curve = LengthCurve(components="", characters=(2, 7), rewards=(10, 20))
    profile = replace(PROFILE, length_curve=curve)
    async with running(profile=profile) as rewarder:
        scored = await rewarder.score(ASK, ANSWERS, "mixed")
    assert [score.reward for score in scored.scores] == [3.5 - 20, 1.0 - 10]
    assert [score.parts[-1] for score in scored.scores] == [ScorePart("length", -1, 20), ScorePart("length", -1, 10)]
    assert (PROFILE.parts, profile.parts) == (("up", "down"), ("up", "down", "length"))


class PartsScorer(LengthScorer):
    """A score is made of two parts, of which the second is not known of a response that may go on."""

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        return [
            ComponentScore(0.5, parts=(Part("long", float(len(item.text))), Part("ends", 0.25, not item.partial)))
            for item in batch
        ]


async def test_parts_are_told_by_name_and_what_is_required_of_them_is_broken_once_it_is_known() -> None:
    required = {"rules.ends": 0.5, "rules.long": 3.0}
    profile = Profile("one", "", (Component("rules", 2.0, "one", ("long", "ends")),), required=required)
    rewarder = Rewarder({"one": profile}, "one", threaded({"one": PartsScorer(1.0)}), ScoringLimits(), 16)
    await rewarder.start()
    try:
        partial = [ResponseCandidate("p", "because", partial=True), ResponseCandidate("q", "so", partial=True)]
        scored = await rewarder.score(ASK, [*ANSWERS, *partial])
    finally:
        await rewarder.stop()
    told = (ScorePart("rules", 2.0, 0.5), ScorePart("rules.long", 0.0, 7.0), ScorePart("rules.ends", 0.0, 0.25))
    assert scored.scores[0].parts == told
    assert [score.reward for score in scored.scores] == [1.0] * 4
    assert [score.breaks for score in scored.scores] == ["rules.ends", "rules.ends", "", "rules.long"]
    assert profile.parts == ("rules", "rules.long", "rules.ends")


async def test_ensembles_and_quantiles_are_parts_of_the_sum_and_may_be_required() -> None:
    def ensemble(combine: str, k: float | None = None) -> Ensemble:
        fields = {"name": combine, "weight": 10.0, "of": ("up", "down"), "combine": combine, "k": k}
        return Ensemble.model_validate(fields)

    up = Component("up", 0.0, "one", sample=Sample(component="", values=(*[7.0] * 10, *range(10, 20))))
    ensembles = (ensemble("mean"), ensemble("min"), ensemble("mean-std", 0.5))
    profile = replace(PROFILE, components=(up, PROFILE.components[1]), ensembles=ensembles, required={"min": -10})
    async with running(profile=profile) as rewarder:
        scored = await rewarder.score(ASK, ANSWERS, "mixed")
    assert [part.value for part in scored.scores[0].parts] == [0.25, -21.0, -10.375, -21.0, -10.375 - 0.5 * 10.625]
    assert scored.scores[0].reward == pytest.approx(0.5 * -21 + 10 * (-10.375 - 21 - 15.6875))
    assert [score.breaks for score in scored.scores] == ["min", ""]
    assert profile.parts == ("up", "down", "mean", "min", "mean-std")


@pytest.mark.parametrize(
    ("value", "found"), [(-9.0, 0.05), (0.0, 0.05), (1.0, 0.2), (1.5, 0.375), (2.0, 0.55), (9.0, 0.9), (99.0, 0.9)]
)
def test_a_quantile_is_the_share_that_is_less_and_half_of_what_is_equal(value: float, found: float) -> None:
    sample = Sample(component="", values=(*[0.0] * 2, *[1.0] * 4, *[2.0] * 10, *[9.0] * 4))
    assert sample.quantile(value) == pytest.approx(found)


async def test_a_component_that_abstains_says_so_of_its_candidate_alone_and_again_from_memory() -> None:
    async with running() as rewarder:
        for _ in range(2):
            scored = await rewarder.score(ASK, [*ANSWERS, ResponseCandidate("n", NOTHING)])
            assert [score.abstained for score in scored.scores] == ["", "", "empty"]


async def test_asking_again_computes_nothing() -> None:
    async with running() as rewarder:
        first = await rewarder.score(ASK, ANSWERS)
        again = await rewarder.score(ASK, ANSWERS)
    assert again.scores == first.scores
    assert again.computed_tokens == 0
    assert again.cached_tokens == first.computed_tokens + first.cached_tokens


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
async def test_a_score_that_is_no_number_is_an_error(odd: float) -> None:
    async with running(odd=odd) as rewarder:
        with pytest.raises(Internal):
            await rewarder.score(ASK, [*ANSWERS, ResponseCandidate("x", "x")])
        assert len((await rewarder.score(ASK, ANSWERS)).scores) == 2


async def test_an_overflowing_sum_is_an_error() -> None:
    async with running(odd=1.7e308) as rewarder:
        with pytest.raises((Internal, OverflowError)) as caught:
            await rewarder.score(ASK, [ResponseCandidate("x", "x")])
        assert isinstance(caught.value, Internal)


async def test_an_unknown_profile_names_the_available_ones() -> None:
    async with running() as rewarder:
        with pytest.raises(NotFound, match="mixed") as caught:
            await rewarder.score(ASK, ANSWERS, "other")
    assert caught.value.field == "profile"


async def test_a_malformed_call_is_refused() -> None:
    async with running() as rewarder:
        with pytest.raises(InvalidRequest):
            await rewarder.score(ASK, [])


async def test_wishes_of_a_file_that_nobody_manages_are_said_to_be_untold_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = pb.ScoreRequest(messages=[{"role": "user", "content": "Why?"}], candidates=[{"id": "a", "text": "so"}])
    for wishes, said in (((), 0), (("short",), 1)):
        async with running(profile=replace(PROFILE, wishes=wishes)) as rewarder:
            servicer = RewardServicer(rewarder)
            for _ in range(2):
                await servicer.Score(asked, cast(Any, None))
        assert caplog.text.count("no mutant tells the wishes of mixed") == said


async def test_before_start_and_after_stop_it_is_unavailable() -> None:
    rewarder = build_rewarder(RewardSettings(profiles="simulated"))
    with pytest.raises(Unavailable):
        await rewarder.score(ASK, ANSWERS)
    await rewarder.start()
    await rewarder.stop()
    with pytest.raises(Unavailable):
        await rewarder.score(ASK, ANSWERS)


async def test_the_simulated_profile_is_deterministic_and_serves_many_at_once() -> None:
    rewarder = build_rewarder(RewardSettings(profiles="simulated"))
    await rewarder.start()
    calls = [rewarder.score(ASK, [ResponseCandidate("a", f"answer {number}")]) for number in range(200)]
    rewards = [scored.scores[0].reward for scored in await asyncio.gather(*calls)]
    await rewarder.stop()
    assert len(set(rewards)) == 200


def test_the_default_profile_must_be_loaded() -> None:
    assert build_rewarder(RewardSettings(profiles="simulated, default", default_profile="default"))
    with pytest.raises(NotFound, match="simulated"):
        build_rewarder(RewardSettings(profiles="simulated", default_profile="default"))


def test_at_least_one_profile_must_be_named() -> None:
    with pytest.raises(InvalidRequest, match="DARWIN_REWARD_PROFILES"):
        build_rewarder(RewardSettings(profiles=" ,"))


async def test_a_model_that_does_not_load_fails_the_start_and_frees_the_others() -> None:
    class Broken(LengthScorer):
        def load(self) -> None:
            raise NotFound("no such model")

    good = LengthScorer(1.0)
    rewarder = Rewarder({"mixed": PROFILE}, "mixed", threaded({"one": good, "two": Broken(1.0)}), ScoringLimits(), 16)
    with pytest.raises(NotFound, match="no such model"):
        await rewarder.start()
    await rewarder.stop()
    assert not good.loaded


async def test_no_scorer_waits_for_another() -> None:
    """One is held until the other has answered: on one thread they would wait for ever."""
    answered = threading.Event()

    class Held(LengthScorer):
        def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
            assert answered.wait(20)
            return super().score(batch)

    class Answering(LengthScorer):
        def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
            answered.set()
            return super().score(batch)

    scorers = threaded({"one": Held(1.0), "two": Answering(1.0)})
    rewarder = Rewarder({"mixed": PROFILE}, "mixed", scorers, ScoringLimits(), 16)
    await rewarder.start()
    assert (await rewarder.score(ASK, ANSWERS)).scores
    await rewarder.stop()


async def test_a_scorer_that_fails_ends_the_rewarder() -> None:
    class Dead(ThreadScorer):
        async def failed(self) -> str:
            return "its engine has ended"

    scorers = threaded({"one": LengthScorer(1.0)}) | {"two": Dead(lambda: LengthScorer(1.0), "dead")}
    rewarder = Rewarder({"mixed": PROFILE}, "mixed", scorers, ScoringLimits(), 16)
    assert await asyncio.wait_for(rewarder.failed(), 20) == "its engine has ended"


async def test_a_partial_response_is_another_item_than_the_same_text_ended() -> None:
    seen: list[bool] = []

    class Seeing(LengthScorer):
        def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
            seen.extend(item.partial for item in batch)
            return super().score(batch)

    scorers = threaded({"one": Seeing(1.0), "two": LengthScorer(1.0)})
    rewarder = Rewarder({"mixed": PROFILE}, "mixed", scorers, ScoringLimits(), 16)
    await rewarder.start()
    for open_ended in (True, False, True):
        await rewarder.score(ASK, [ResponseCandidate("a", "so", open_ended)])
    await rewarder.stop()
    assert seen == [True, False]
