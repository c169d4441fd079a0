"""Known answers of the Enhanced Borda Count, and comparisons that cancel the position and keep their budget."""

import math
import random
import re
from collections.abc import Callable, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.reward.bootstrap import build_uncalibrated, build_unsampled
from services.reward.judges.judge import Answer
from services.reward.pairwise.borda import Known, next_pairs, ranking, reached, without_position
from services.reward.pairwise.scorer import PairwiseScorer
from services.reward.profiles import check_tenants, parse_profile
from services.reward.registry import PairwiseSpec
from services.reward.rewarder import Rewarder
from services.reward.runtime import Runtime
from services.reward.scorer import UNDECIDED, ComponentScore, Conversation, ScoreItem
from services.reward.validation import ResponseCandidate, ScoringLimits
from services.reward.weighted import Component, Profile
from shared.errors import InvalidRequest, Unsupported
from shared.process.lifecycle import never
from shared.records.evolution import Message

QUESTION = Conversation((Message("user", "Why?"),), "a tenant's")


def bradley_terry(rewards: Sequence[float]) -> Known:
    return {(i, j): 1 / (1 + math.exp(rewards[j] - rewards[i])) for i, j in combinations(range(len(rewards)), 2)}


@pytest.mark.parametrize(
    ("known", "counts"),
    [
        ({(0, 1): 0.9, (0, 2): 0.9, (0, 3): 0.9, (1, 2): 0.9, (1, 3): 0.9, (2, 3): 0.9}, (3, 2, 1, 0)),
        ({(0, 1): 0.9, (1, 2): 0.6, (2, 3): 0.7}, (3, 2, 1, 0)),
        ({(0, 1): 0.8, (1, 2): 0.8, (0, 2): 0.2, (0, 3): 0.9, (1, 3): 0.9, (2, 3): 0.9}, (3, 3, 3, 0)),
        ({}, (0, 0, 0, 0)),
        ({(0, 1): 0.5}, (1, 1, 0, 0)),
    ],
)
def test_counts_are_the_known_ones(known: Known, counts: tuple[int, ...]) -> None:
    assert ranking(known, 4).counts == counts


def test_values_fall_from_one_to_nought_and_ties_go_by_summed_preference() -> None:
    assert ranking({(0, 1): 0.1, (1, 2): 0.9, (0, 2): 0.8}, 3).values == (0.5, 1.0, 0.0)
    cycle = {(0, 1): 0.6, (1, 2): 0.9, (0, 2): 0.3}
    # The sums are 0.9, 1.3 and 0.8.
    assert (ranking(cycle, 3).counts, ranking(cycle, 3).order) == ((2, 2, 2), (1, 0, 2))
    assert ranking({}, 3).values == (0.5, 0.5, 0.5)
    assert ranking({}, 1).values == (1.0,)


def test_the_order_of_a_cycle_does_not_depend_on_who_is_named_first() -> None:
    cycle = {(0, 1): 0.7, (1, 2): 0.8, (0, 2): 0.2}
    best = ranking(cycle, 3).order[0]
    turned = {(1, 2): 0.7, (0, 2): 0.2, (0, 1): 0.8}
    assert ranking(turned, 3).order[0] == (best + 1) % 3


def test_rewards_of_bradley_and_terry_keep_their_order() -> None:
    draws = random.Random(1)
    for _ in range(20):
        rewards = [draws.gauss(0, 2) for _ in range(7)]
        assert list(ranking(bradley_terry(rewards), 7).order) == sorted(range(7), key=lambda i: -rewards[i])


def test_closure_is_what_can_be_walked_to() -> None:
    draws = random.Random(2)
    for _ in range(20):
        known = {pair: draws.random() for pair in combinations(range(6), 2) if draws.random() < 0.4}
        ways = {i: {j for j in range(6) if known.get((i, j), 0) > 0.5 or known.get((j, i), 1) < 0.5} for i in range(6)}
        for i, row in enumerate(reached(known, 6)):
            seen, left = set[int](), list(ways[i])
            while left:
                at = left.pop()
                if at not in seen:
                    seen.add(at)
                    left += ways[at]
            assert {j for j, beaten in enumerate(row) if beaten} == seen - {i}


def test_what_is_gained_by_being_first_cancels() -> None:
    assert without_position(0.7 + 0.2, 0.3 + 0.2) == pytest.approx(0.7)
    assert without_position(1.0, 1.0) == 0.5


@pytest.mark.parametrize("count", [2, 3, 6, 12])
def test_a_tournament_finds_the_whole_order_of_those_that_can_be_ordered(count: int) -> None:
    draws = random.Random(count)
    compared_pairs = []
    for _ in range(5):
        rewards = [draws.gauss(0, 1) for _ in range(count)]
        truth, known = bradley_terry(rewards), dict[tuple[int, int], float]()
        while pairs := next_pairs(known, count, 1_000):
            assert len({i for pair in pairs for i in pair}) == 2 * len(pairs)
            known |= {pair: truth[pair] for pair in pairs}
        assert list(ranking(known, count).order) == sorted(range(count), key=lambda i: -rewards[i])
        compared_pairs.append(len(known))
    if count == 12:
        assert sum(compared_pairs) / 5 < 0.75 * 66


class PairJudge:
    """Says P(answer 1 is better) by a function of both, and longer questions than `context` are too long for it."""

    def __init__(self, prefers: Callable[[str, str], float | None], context: int = 1_000_000) -> None:
        self.prefers, self.context = prefers, context
        self.asked: list[str] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def ask(self, questions: Sequence[str], cache_salt: str, key: str) -> list[Answer | None]:
        self.asked += questions
        return [self._answer(question) if len(question) <= self.context else None for question in questions]

    def _answer(self, question: str) -> Answer:
        first, second = re.findall(r"^Answer \d.*:\n> ?(.*)$", question, re.MULTILINE)
        return Answer(self.prefers(first, second), 10, 5)


def longer(first: str, second: str) -> float:
    """Prefers longer answers, and whichever is shown first."""
    return min(1.0, max(0.0, 0.7 + 0.01 * (len(first) - len(second))))


def beats(*pairs: str) -> Callable[[str, str], float | None]:
    """Prefers the first of each pair of letters, whatever the place; what is in no pair is even."""

    def prefers(first: str, second: str) -> float | None:
        return 0.9 if first + second in pairs else 0.1 if second + first in pairs else 0.5

    return prefers


def scorer(judge: PairJudge, **fields: Any) -> PairwiseScorer:
    spec = PairwiseSpec.model_validate({"name": "it", "weight": 1, "type": "pairwise"} | fields)
    return PairwiseScorer(spec, Runtime(), judge)


async def places(judge: PairJudge, texts: Sequence[str], **fields: Any) -> list[float]:
    return [each.value for each in await scorer(judge, **fields).compare([ScoreItem(QUESTION, t) for t in texts])]


async def test_a_population_is_ranked_whatever_the_judge_likes_of_places() -> None:
    judge = PairJudge(longer)
    found = await scorer(judge).compare([ScoreItem(QUESTION, text) for text in ("aaa", "aaaaaaaaa", "a", "aaaaa")])
    assert [each.value for each in found] == pytest.approx([1 / 3, 1, 0, 2 / 3])
    chances = [chance for each in found for _, chance in each.preferences]
    assert all(chance == pytest.approx(0.5, abs=0.1) and chance != 0.5 for chance in chances)
    assert len(judge.asked) == 2 * len(chances)
    assert sum(each.computed_tokens for each in found) == 10 * len(judge.asked)
    assert sum(each.cached_tokens for each in found) == 5 * len(judge.asked)


async def test_who_beats_all_others_wins_whoever_comes_first_and_equal_ones_share() -> None:
    circle_below = beats("ab", "ac", "ad", "bc", "cd", "db")
    for order in permutations("abcd"):
        assert (await places(PairJudge(circle_below), order))[order.index("a")] == 1.0
    assert await places(PairJudge(beats()), "abc") == [0.5] * 3
    assert await places(PairJudge(beats("ab")), "abba") == [1.0, 0.0, 0.0, 1.0]
    circle_above = beats("ab", "bc", "ca", "ad", "bd", "cd")
    for order in permutations("abcd"):
        assert (await places(PairJudge(circle_above), order))[order.index("d")] == 0.0
    assert await places(judge := PairJudge(beats()), "a") == [1.0]
    assert judge.asked == []


async def test_an_empty_response_loses_without_a_question() -> None:
    judge = PairJudge(longer)
    assert await places(judge, ("", "aa", " \n", "a")) == pytest.approx([1 / 6, 1, 1 / 6, 2 / 3])
    assert len(judge.asked) == 2


async def test_what_is_undecided_abstains() -> None:
    items = [ScoreItem(QUESTION, text) for text in "abc"]
    found = await scorer(PairJudge(lambda first, second: None if "c" in first + second else 0.9)).compare(items)
    assert [each.abstained for each in found] == ["", "", UNDECIDED]


async def test_what_has_not_changed_is_not_asked_again_and_unfinished_ones_are_shown_as_such() -> None:
    judge = PairJudge(longer)
    subject = scorer(judge)
    first = await subject.compare([ScoreItem(QUESTION, "aa"), ScoreItem(QUESTION, "aaaa")])
    again = await subject.compare([ScoreItem(QUESTION, "aa"), ScoreItem(QUESTION, "aaaa")])
    assert (len(judge.asked), sum(each.computed_tokens for each in again)) == (2, 0)
    assert [each.value for each in again] == [each.value for each in first]
    await subject.compare([ScoreItem(QUESTION, "aa", partial=True), ScoreItem(QUESTION, "aaaa")])
    assert [question.count("not finished") for question in judge.asked] == [0, 0, 1, 1]


async def test_the_budget_of_comparisons_is_kept_and_long_answers_are_shown_from_their_ends() -> None:
    judge = PairJudge(longer)
    await places(judge, ["a" * n for n in range(1, 9)], comparisons=5)
    assert len(judge.asked) == 10
    narrow = PairJudge(longer, context=1_400)
    assert await places(narrow, ("b" * 900, "a" * 2_000)) == [0.5, 0.5]
    assert len(narrow.asked) > 2
    with pytest.raises(InvalidRequest, match="context"):
        await places(PairJudge(longer, context=300), ("aa", "a"))


async def rewarder(judge: PairJudge, *more: Component) -> Rewarder:
    profile = Profile("fair", "", (Component("pairwise", 2.0, "it", relative=True), *more))
    found = Rewarder({"fair": profile}, "fair", {"it": scorer(judge), "simulated": Alone()}, ScoringLimits(), 16)
    await found.start()
    judge.asked.clear()
    return found


class Alone:
    """The reward of a text is its number."""

    batches, max_batch = 4, None

    async def load(self) -> None: ...

    async def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        return [ComponentScore(float(item.text)) for item in batch]

    async def close(self) -> None: ...

    async def failed(self) -> str:
        return await never()


def candidates(*texts: str) -> list[ResponseCandidate]:
    return [ResponseCandidate(str(number), text) for number, text in enumerate(texts)]


async def test_a_profile_that_compares_scores_populations_only_and_tells_the_matrix() -> None:
    subject = await rewarder(PairJudge(beats("12", "23", "13")))
    with pytest.raises(Unsupported, match="DARWIN_GATEWAY_REWARD"):
        await subject.score(QUESTION.messages, candidates("1", "2"))
    found = await subject.score(QUESTION.messages, candidates("2", "1", "3"), together=True)
    assert [each.reward for each in found.scores] == [1.0, 2.0, 0.0]
    told = {(first, second): chance for name, first, second, chance in found.comparisons if name == "pairwise"}
    assert told[0, 1] == pytest.approx(0.1)
    assert subject.profiles["fair"].relative
    await subject.stop()


PAIRWISE = {"name": "fair", "type": "pairwise", "weight": 1}
RATE = {"name": "rate", "type": "simulated", "weight": 1, "transform": "win_rate", "beta": 0.2}


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ({"components": [PAIRWISE], "length_curve": "lengths.json"}, "length_curve"),
        ({"components": [RATE], "require": {"rate": 0.5}}, "worst of them would always break"),
        (
            {
                "components": [RATE, {"name": "guard", "type": "guard", "weight": 1}],
                "ensembles": [{"name": "both", "weight": 1, "of": ["rate", "guard"], "combine": "min"}],
                "require": {"both": 0},
            },
            "requires 'both'",
        ),
        ({"components": [PAIRWISE | {"transform": "quantile"}], "reference": "sample.json"}, "takes no transform"),
        ({"components": [RATE | {"beta": None}]}, "needs beta"),
        ({"components": [RATE | {"transform": None}]}, "needs beta"),
        ({"components": [RATE | {"beta": 0.01}]}, "0.05"),
    ],
)
def test_what_a_profile_that_compares_cannot_have_is_refused(profile: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        parse_profile(yaml.safe_dump(profile), "fair")


def test_neither_lengths_nor_samples_are_taken_of_what_compares(tmp_path: Path) -> None:
    file = tmp_path / "fair.yaml"
    quantile = {"name": "guard", "type": "guard", "weight": 1, "transform": "quantile"}
    file.write_text(yaml.safe_dump({"components": [RATE, quantile], "reference": "sample.json"}))
    for build in (build_uncalibrated, build_unsampled):
        with pytest.raises(InvalidRequest, match="'rate', whose values compare"):
            build(str(file))


def test_a_tenant_may_compare_by_generations_model_alone() -> None:
    check_tenants(parse_profile(yaml.safe_dump({"components": [PAIRWISE]}), "fair"))
    elsewhere = PAIRWISE | {"url": "https://judge.example/v1", "model": "m"}
    with pytest.raises(InvalidRequest, match=r"components\.0\.url"):
        check_tenants(parse_profile(yaml.safe_dump({"components": [elsewhere]}), "fair"))
