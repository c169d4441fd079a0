"""Known answers of the Enhanced Borda Count, and comparisons that cancel the position and keep their budget."""

import math
import random
import re
from collections.abc import Sequence
from itertools import combinations

import pytest

from services.reward.judges.judge import Answer
from services.reward.pairwise.borda import Known, next_pairs, ranking, reached, without_position
from services.reward.pairwise.comparing import compared
from services.reward.scorer import Conversation
from shared.errors import InvalidRequest
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


class BiasedJudge:
    """Prefers longer answers, and whichever is shown first."""

    def __init__(self) -> None:
        self.questions = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def ask(self, questions: Sequence[str], cache_salt: str, key: str) -> list[Answer | None]:
        assert cache_salt == "a tenant's"
        self.questions += len(questions)
        return [self._answer(question) for question in questions]

    def _answer(self, question: str) -> Answer | None:
        first, second = (len(found) for found in re.findall(r"Answer \d:\n> (.*)\n", question))
        if first + second > 100:
            return None
        return Answer(min(1.0, max(0.0, 0.7 + 0.01 * (first - second))), 10, 5)


async def test_a_population_is_ranked_whatever_the_judge_likes_of_places() -> None:
    judge = BiasedJudge()
    found = await compared(judge, QUESTION, ["aaa", "aaaaaaaaa", "a", "aaaaa"], "It is long.", 100, 10_000)
    assert found.ranking.order == (1, 3, 0, 2)
    assert all(chance == pytest.approx(0.5, abs=0.1) and chance != 0.5 for chance in found.matrix.values())
    assert judge.questions == 2 * len(found.matrix)
    assert (found.computed_tokens, found.cached_tokens) == (10 * judge.questions, 5 * judge.questions)
    same = await compared(BiasedJudge(), QUESTION, ["aa", "aa"], "It is long.", 100, 10_000)
    assert same.ranking.values == (0.5, 0.5)


async def test_the_budget_of_comparisons_is_kept() -> None:
    judge = BiasedJudge()
    found = await compared(judge, QUESTION, ["a" * n for n in range(1, 9)], "It is long.", 5, 10_000)
    assert (len(found.matrix), judge.questions) == (5, 10)
    with pytest.raises(InvalidRequest, match="context"):
        await compared(judge, QUESTION, ["a" * 90, "a" * 91], "It is long.", 5, 10_000)
