"""Responses compared with each other by a language model, which sees two at a time, each pair in both orders."""

from collections.abc import Sequence
from itertools import combinations

from cachetools import LRUCache

from services.reward.judges.choice import judge_of, start_and_try
from services.reward.judges.judge import Answer, Judge
from services.reward.judges.quoting import PREAMBLE, shown
from services.reward.pairwise.comparing import Pair, compared
from services.reward.registry import PairwiseSpec
from services.reward.runtime import Runtime
from services.reward.scorer import TRIAL, UNDECIDED, ComponentScore, ScoreItem
from shared.errors import InvalidRequest
from shared.process.lifecycle import never

_ASKED = "Is answer 1 better than answer 2? Judge by this: {criterion}\n\nReply with one word, yes or no."
_UNFINISHED = " (not finished: judged by what it will be once it is, as far as one can tell)"
_LEAST_ROOM = 250
_KEPT = 16_384


class PairwiseScorer:
    """The places of a population by the Enhanced Borda Count: 1 for the best, 0 for the worst.

    Unfinished responses are shown as such. Empty ones lose to all others, without a question, and those that are equal
    share a place. Of which no comparison is answered, the score abstains. Answers are remembered: what has not changed
    since is not asked again.

    Raises on `load`:
        Unsupported: the judge cannot be asked; the message names the field.
        Unavailable: it stays away.
    """

    def __init__(self, spec: PairwiseSpec, runtime: Runtime, judge: Judge | None = None) -> None:
        self._spec = spec
        self._judge = judge or judge_of(spec, runtime)
        self._answers: LRUCache[tuple[bytes, bytes], Answer] = LRUCache(_KEPT)

    async def load(self) -> None:
        other = ScoreItem(TRIAL.conversation, "A stone.")
        await start_and_try(self._judge, [self._question(TRIAL, other, self._spec.max_characters)])

    async def close(self) -> None:
        await self._judge.close()

    async def failed(self) -> str:
        return await never()

    async def compare(self, population: Sequence[ScoreItem]) -> list[ComponentScore]:
        places: dict[bytes, list[int]] = {}
        for place, item in enumerate(population):
            places.setdefault(item.digest, []).append(place)
        items = [population[group[0]] for group in places.values()]

        async def ask(pairs: Sequence[Pair]) -> Sequence[Answer]:
            return await self._asked([(items[i], items[j]) for i, j in pairs])

        found = await compared(ask, len(items), self._spec.comparisons, _without_question(items))
        scores = [ComponentScore(0.0)] * len(population)
        for i, group in enumerate(places.values()):
            value = found.ranking.values[i]
            abstained = UNDECIDED if i in found.undecided else ""
            of = {j: chance for (first, j), chance in found.matrix.items() if first == i}
            preferences = tuple((list(places.values())[j][0], chance) for j, chance in of.items())
            tokens = found.computed_tokens[i], found.cached_tokens[i]
            scores[group[0]] = ComponentScore(value, *tokens, abstained, preferences=preferences)
            for place in group[1:]:
                scores[place] = ComponentScore(value, abstained=abstained)
        return scores

    async def _asked(self, pairs: Sequence[tuple[ScoreItem, ScoreItem]]) -> list[Answer]:
        """Answers for pairs in the order in which both are shown; those that are remembered compute nothing."""
        keys = [(first.digest, second.digest) for first, second in pairs]
        known = {key: self._answers.get(key) for key in keys}
        new = [pair for key, pair in zip(keys, pairs, strict=True) if known[key] is None]
        fresh = iter(await self._judged(new, self._spec.max_characters) if new else ())
        found: list[Answer] = []
        for key in keys:
            if (answer := known[key]) is not None:
                found.append(Answer(answer.yes, 0, answer.computed_tokens + answer.cached_tokens))
            else:
                found.append(next(fresh))
                self._answers[key] = found[-1]
        return found

    async def _judged(self, pairs: Sequence[tuple[ScoreItem, ScoreItem]], room: int) -> list[Answer]:
        """The judge's answers, who is shown `room` characters of conversation and answers together, or less where that
        is longer than its context.

        Raises:
            InvalidRequest: the context has no room for the least that it must be shown.
        """
        conversation = pairs[0][0].conversation
        questions = [self._question(first, second, room) for first, second in pairs]
        answers = await self._judge.ask(questions, conversation.cache_salt, conversation.digest.hex())
        long = [pair for pair, answer in zip(pairs, answers, strict=True) if answer is None]
        if long and room // 2 < _LEAST_ROOM:
            raise InvalidRequest("the judge's context has no room for a question", field="messages")
        again = iter(await self._judged(long, room // 2) if long else ())
        return [answer or next(again) for answer in answers]

    def _question(self, first: ScoreItem, second: ScoreItem, room: int) -> str:
        both = (first, second)
        said, answers = shown(first.conversation.messages, [_text(each) for each in both], room)
        numbered = "\n\n".join(
            f"Answer {number}{_UNFINISHED if item.partial else ''}:\n{answer}"
            for number, (item, answer) in enumerate(zip(both, answers, strict=True), 1)
        )
        return f"{PREAMBLE}\n\n{said}\n\n{numbered}\n\n{_ASKED.format(criterion=self._spec.criterion)}"


def _without_question(items: Sequence[ScoreItem]) -> dict[Pair, float]:
    """What is known of responses that are empty: they lose to those that are not, and are even with each other."""
    empty = [not _text(item).strip() for item in items]
    pairs = ((i, j) for i, j in combinations(range(len(items)), 2) if empty[i] or empty[j])
    return {(i, j): 0.5 + (empty[j] - empty[i]) / 2 for i, j in pairs}


def _text(item: ScoreItem) -> str:
    return item.written or item.text
