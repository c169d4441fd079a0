"""Is the answer on topic: a hinge on the cosine between what was asked and what is answered.

Zero for all but the least similar tenth of good answers; below that threshold the value is cosine minus threshold, in
[-2, 0]. A follow-up such as "yes, please" says little alone, so the answer may be near to the instruction or to the
last three messages together. The answer's first 400 characters decide: more do not move the percentile that
`services.reward.calibrate` prints, and a growing answer soon costs nothing.

The encoder knows English, and a text in another language is far from whatever was asked, a right translation too. So
the value is zero where the instruction, or a part of it, or the answer is surely in another language, and for an answer
too short to tell. `python -m bench.translations` shows what that spares, and what it lets pass.
"""

import re
from collections.abc import Sequence

from cachetools import LRUCache

from services.reward.runtime import Runtime
from services.reward.scorer import ComponentScore, Conversation, ScoreItem
from shared.text.bert import Floats
from shared.text.encoder import Encoder
from shared.text.languages import language_of

MAX_CHARACTERS = 400
_CONTEXT_MESSAGES = 3
_MAX_QUESTION_CHARACTERS = 4000
_KEPT = 4096
# An answer of fewer characters may be in any language; a part of an instruction of fewer tells none.
_TELLING, _TELLING_PART = 40, 20
_PARTS = re.compile(r"[\n:：。！？]|[.!?](?=\s)|[\"“”«»„]")

_Salted = tuple[str, str]
"""Whose cache it may share, and a text."""


class RelevanceScorer:
    """The hinge below `threshold`, a cosine."""

    def __init__(self, threshold: float, runtime: Runtime) -> None:
        self._threshold = threshold
        self._runtime = runtime
        self._kept: LRUCache[_Salted, tuple[Floats, int]] = LRUCache(_KEPT)

    def load(self) -> None:
        self._encoder = Encoder(threads=self._runtime.threads)
        language_of("The model of languages is loaded, too.")

    def close(self) -> None:
        self._kept = LRUCache(_KEPT)

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        return [
            ComponentScore(
                min(0.0, cosine.value - self._threshold)
                if cosine.value < self._threshold and self._comparable(item)
                else 0.0,
                cosine.computed_tokens,
                cosine.cached_tokens,
            )
            for item, cosine in zip(batch, self.cosines(batch), strict=True)
        ]

    def cosines(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        """Before the hinge: each answer's cosine to its conversation, 0 for an empty answer."""
        texts = [[(item.conversation.cache_salt, text) for text in _texts(item)] for item in batch]
        known, fresh = self._embed({text for group in texts for text in group if text[1]})
        scores = []
        for answer, *questions in texts:
            used = [text for text in (answer, *questions) if text[1]]
            computed = sum(fresh.pop(text, 0) for text in used)
            total = sum(known[text][1] for text in used)
            value = _nearest(answer, questions, known)
            scores.append(ComponentScore(value, computed, total - computed))
        return scores

    def _comparable(self, item: ScoreItem) -> bool:
        """Whether the encoder can tell whether the answer is on topic."""
        answer, instruction = _answer(item.text), _questions(item.conversation)[0]
        return not answer or (_may_be_compared(answer) and not _foreign_parts(instruction))

    def _embed(self, texts: set[_Salted]) -> tuple[dict[_Salted, tuple[Floats, int]], dict[_Salted, int]]:
        """Vector and length in tokens of every text, and the lengths of those that were computed just now."""
        known = {text: entry for text in texts if (entry := self._kept.get(text))}
        missing = sorted(texts - known.keys(), key=lambda text: len(text[1]))
        lengths = self._encoder.count_tokens([text for _, text in missing])
        fresh = dict(zip(missing, lengths, strict=True))
        for text, vector in zip(missing, self._encoder.embed([text for _, text in missing]), strict=True):
            known[text] = (vector, fresh[text])
            self._kept[text] = known[text]
        return known, fresh


def _texts(item: ScoreItem) -> list[str]:
    return [_answer(item.text), *_questions(item.conversation)]


def _nearest(answer: _Salted, questions: Sequence[_Salted], known: dict[_Salted, tuple[Floats, int]]) -> float:
    if not answer[1]:
        return 0.0
    vector = known[answer][0]
    return max((float(vector @ known[text][0]) for text in questions if text[1]), default=0.0)


def _may_be_compared(answer: str) -> bool:
    language = language_of(answer)
    return language == "en" or (language is None and len(answer) >= _TELLING)


def _foreign_parts(instruction: str) -> bool:
    """Whether an instruction, or a sentence, quotation or line of it, is surely not English."""
    parts = (part.strip() for part in _PARTS.split(instruction))
    texts = [instruction, *(part for part in parts if len(part) >= _TELLING_PART)]
    return any(language_of(text) not in ("en", None) for text in texts)


def _answer(text: str) -> str:
    return text.strip()[:MAX_CHARACTERS]


def _questions(conversation: Conversation) -> list[str]:
    recent = "\n".join(message.content for message in conversation.messages[-_CONTEXT_MESSAGES:])
    instruction = conversation.instruction
    texts = [instruction] if len(conversation.messages) == 1 else [instruction, recent]
    return [text.strip()[:_MAX_QUESTION_CHARACTERS] for text in texts]
