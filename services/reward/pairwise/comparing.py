"""A tournament: which responses of a population to compare, and what is known once they are."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.reward.judges.judge import Answer
from services.reward.pairwise.borda import Known, Ranking, next_pairs, ranking, without_position

Pair = tuple[int, int]
Ask = Callable[[Sequence[Pair]], Awaitable[Sequence[Answer]]]
"""P(the first of a pair is better than the second), as it is shown in this order, for each of several pairs."""
_EVEN = 0.5


@dataclass(frozen=True)
class Compared:
    """The ranking of a population; `matrix` holds P(i beats j) of the pairs that were compared, i < j.

    `undecided` are those of which no comparison was answered. Tokens are those of the questions, by response.
    """

    ranking: Ranking
    matrix: dict[Pair, float]
    undecided: frozenset[int]
    computed_tokens: tuple[int, ...]
    cached_tokens: tuple[int, ...]


async def compared(ask: Ask, count: int, budget: int, known: Known | None = None) -> Compared:
    """Compares until everything is decided or `budget` pairs are compared, each by two questions.

    `known` needs no comparison. A pair that is answered in neither order counts as even.
    """
    given, matrix = dict(known or {}), dict[Pair, float]()
    answered, asked = set[int](), set[int]()
    computed, cached = [0] * count, [0] * count
    while pairs := next_pairs(given | matrix, count, budget - len(matrix)):
        shown_twice = [order for i, j in pairs for order in ((i, j), (j, i))]
        answers = await ask(shown_twice)
        for (i, _), answer in zip(shown_twice, answers, strict=True):
            computed[i] += answer.computed_tokens
            cached[i] += answer.cached_tokens
        for pair, first, second in zip(pairs, answers[::2], answers[1::2], strict=True):
            matrix[pair] = without_position(*(_EVEN if each.yes is None else each.yes for each in (first, second)))
            asked.update(pair)
            if first.yes is not None or second.yes is not None:
                answered.update(pair)
    found = ranking(given | matrix, count)
    return Compared(found, matrix, frozenset(asked - answered), tuple(computed), tuple(cached))
