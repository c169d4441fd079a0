"""A penalty for answers that do not have the form that the conversation demands; deterministic, without a model.

Programs read such answers, and a label within a sentence is useless to them; reward models prefer the sentence.
"""

from functools import lru_cache

from services.reward.form.demands import Form, form_of
from services.reward.scorer import ComponentScore, ItemScorer, ScoreItem
from shared.records.evolution import Message

BROKEN = -3.0
"""The score of an answer that cannot have the form any more; every other one scores 0."""

_REMEMBERED = 256


class FormScorer(ItemScorer):
    """The penalty as a scorer."""

    def __init__(self) -> None:
        self._form_of = lru_cache(_REMEMBERED)(_form_of)

    def _score(self, item: ScoreItem) -> ComponentScore:
        form = self._form_of(item.conversation.messages)
        return ComponentScore(0.0 if form.holds(item.written or item.text, partial=item.partial) else BROKEN)


def _form_of(messages: tuple[Message, ...]) -> Form:
    return form_of(messages)
