"""Criteria in plain words, each judged by a language model in one forward pass, without sampling."""

import asyncio
import math
from collections.abc import Sequence

from services.reward.judges.choice import judge_of, start_and_try
from services.reward.judges.judge import Answer, Judge
from services.reward.judges.quoting import PREAMBLE, shown
from services.reward.registry import RubricSpec
from services.reward.runtime import Runtime
from services.reward.scorer import TRIAL, UNDECIDED, ComponentScore, Part, ScoreItem
from shared.errors import InvalidRequest
from shared.process.lifecycle import never

_TASK = (
    "At the end stands a criterion. Say in one word, yes or no, whether the answer fulfils it; of an answer that is "
    "not finished, whether it will once it is, judged by what is there so far."
)
_UNFINISHED = "The answer is not finished.\n\n"
_LEAST_ROOM = 250
_UNKNOWN = 0.5


class RubricScorer:
    """The mean of P(yes) over the criteria, weighted: in [0, 1], and down to -1 where weights are negative.

    Of an unfinished response it is asked whether the finished one will fulfil them. An empty response fulfils none: it
    gets the least score, without a question. A criterion on which the judge says neither yes nor no counts as one half;
    where that is so of all, the score abstains.

    Raises on `load`:
        Unsupported: the judge cannot be asked; the message names the field.
        Unavailable: it stays away.
    """

    batches = 64
    max_batch = None

    def __init__(self, spec: RubricSpec, runtime: Runtime, judge: Judge | None = None) -> None:
        self._spec = spec
        self._judge = judge or judge_of(spec, runtime)

    async def load(self) -> None:
        await start_and_try(self._judge, self._questions(TRIAL, self._spec.max_characters))

    async def close(self) -> None:
        await self._judge.close()

    async def failed(self) -> str:
        return await never()

    async def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        """Items of one conversation are asked about together, so that the judge computes what they share once."""
        groups: dict[bytes, list[int]] = {}
        for index, item in enumerate(batch):
            if _text(item).strip():
                groups.setdefault(item.conversation.digest, []).append(index)
        judging = [
            asyncio.ensure_future(self._judged([batch[index] for index in members], self._spec.max_characters))
            for members in groups.values()
        ]
        try:
            judged = await asyncio.gather(*judging)
        finally:
            for task in judging:
                task.cancel()
        scores = [self._nothing(item) for item in batch]
        for members, found in zip(groups.values(), judged, strict=True):
            for index, score in zip(members, found, strict=True):
                scores[index] = score
        return scores

    async def _judged(self, items: Sequence[ScoreItem], room: int) -> list[ComponentScore]:
        """Scores of items of one conversation, of each of which the judge is shown `room` characters.

        Raises:
            InvalidRequest: the judge's context has no room for the least that it must be shown.
        """
        questions = [question for item in items for question in self._questions(item, room)]
        conversation = items[0].conversation
        answers = await self._judge.ask(questions, conversation.cache_salt, conversation.digest.hex())
        each = len(self._spec.criteria)
        found = [self._score(item, answers[index * each : (index + 1) * each]) for index, item in enumerate(items)]
        if not (long := [index for index, score in enumerate(found) if score is None]):
            return [score for score in found if score is not None]
        if room // 2 < _LEAST_ROOM:
            raise InvalidRequest("the judge's context has no room for a question", field="messages")
        again = iter(await self._judged([items[index] for index in long], room // 2))
        return [score or next(again) for score in found]

    def _questions(self, item: ScoreItem, room: int) -> list[str]:
        """One for each criterion; what they share comes first."""
        conversation, (answer,) = shown(item.conversation.messages, (_text(item),), room)
        shared = f"{PREAMBLE} {_TASK}\n\n{conversation}\n\nAnswer to judge:\n{answer}\n\n"
        shared += f"{_UNFINISHED if item.partial else ''}Yes or no? Criterion: "
        return [shared + criterion.text for criterion in self._spec.criteria]

    def _nothing(self, item: ScoreItem) -> ComponentScore:
        least = [float(criterion.weight < 0) for criterion in self._spec.criteria]
        return ComponentScore(self._mean(least), parts=self._parts(item, least))

    def _score(self, item: ScoreItem, answers: Sequence[Answer | None]) -> ComponentScore | None:
        """The score by the answers to an item's questions; None where one of them was too long."""
        known = [answer for answer in answers if answer is not None]
        if len(known) < len(answers):
            return None
        chances = [answer.yes for answer in known]
        return ComponentScore(
            self._mean([_UNKNOWN if chance is None else chance for chance in chances]),
            sum(answer.computed_tokens for answer in known),
            sum(answer.cached_tokens for answer in known),
            UNDECIDED if all(chance is None for chance in chances) else "",
            self._parts(item, chances),
        )

    def _parts(self, item: ScoreItem, chances: Sequence[float | None]) -> tuple[Part, ...]:
        """What is said of the criteria that have names; of an unfinished response it is a forecast."""
        return tuple(
            Part(criterion.name, _UNKNOWN if chance is None else chance, chance is not None and not item.partial)
            for criterion, chance in zip(self._spec.criteria, chances, strict=True)
            if criterion.name
        )

    def _mean(self, chances: Sequence[float]) -> float:
        weights = [criterion.weight for criterion in self._spec.criteria]
        weighted = math.fsum(weight * chance for weight, chance in zip(weights, chances, strict=True))
        return weighted / math.fsum(map(abs, weights))


def _text(item: ScoreItem) -> str:
    return item.written or item.text
