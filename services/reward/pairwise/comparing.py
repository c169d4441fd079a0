"""Compares the responses of a population by a language model, each pair in both orders."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.reward.judges.judge import Judge
from services.reward.judges.quoting import PREAMBLE, shown
from services.reward.pairwise.borda import Ranking, next_pairs, ranking, without_position
from services.reward.scorer import Conversation
from shared.errors import InvalidRequest

_ASKED = "Is answer 1 better than answer 2? Judge by this: {criterion}\n\nReply with one word, yes or no."
_UNKNOWN = 0.5


@dataclass(frozen=True)
class Compared:
    """The ranking of a population; `matrix` holds P(i beats j) of the pairs that were compared, i < j. Tokens are those
    of the questions."""

    ranking: Ranking
    matrix: dict[tuple[int, int], float]
    computed_tokens: int
    cached_tokens: int


async def compared(
    judge: Judge, conversation: Conversation, responses: Sequence[str], criterion: str, budget: int, room: int
) -> Compared:
    """Compares by a tournament until everything is decided or `budget` pairs are compared, each by two questions.

    A pair that the judge says neither yes nor no to counts as even.

    Raises:
        InvalidRequest: two responses and the conversation, cut to `room` characters, are longer than its context.
    """
    matrix: dict[tuple[int, int], float] = {}
    computed = cached = 0
    while pairs := next_pairs(matrix, len(responses), budget - len(matrix)):
        shown_twice = [order for i, j in pairs for order in ((i, j), (j, i))]
        questions = [_question(conversation, responses[i], responses[j], criterion, room) for i, j in shown_twice]
        answers = await judge.ask(questions, conversation.cache_salt, conversation.digest.hex())
        chances = []
        for answer in answers:
            if answer is None:
                raise InvalidRequest("two responses are longer than the judge's context", field="max_characters")
            chances.append(_UNKNOWN if answer.yes is None else answer.yes)
            computed += answer.computed_tokens
            cached += answer.cached_tokens
        for pair, first, second in zip(pairs, chances[::2], chances[1::2], strict=True):
            matrix[pair] = without_position(first, second)
    return Compared(ranking(matrix, len(responses)), matrix, computed, cached)


def _question(conversation: Conversation, first: str, second: str, criterion: str, room: int) -> str:
    said, answers = shown(conversation.messages, (first, second), room)
    numbered = "\n\n".join(f"Answer {number}:\n{answer}" for number, answer in enumerate(answers, 1))
    return f"{PREAMBLE}\n\n{said}\n\n{numbered}\n\n{_ASKED.format(criterion=criterion)}"
