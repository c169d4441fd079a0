"""A reward without a model, for fast tests and studies of scale: deterministic, cheap, and in no way a judgement."""

from dataclasses import replace
from hashlib import blake2b

from services.reward.scorer import ComponentScore, ItemScorer, ScoreItem


class SimulatedScorer(ItemScorer):
    """Words up to 400 earn up to 1, a hash of conversation and text adds up to 1; an empty response gets -1."""

    def _score(self, item: ScoreItem) -> ComponentScore:
        words = len(item.text.split())
        if not words:
            return ComponentScore(-1.0)
        conversation = replace(item.conversation, cache_salt="")
        content = replace(item, conversation=conversation, partial=False, self_certainty=None).digest
        noise = int.from_bytes(blake2b(content, digest_size=4).digest(), "big") / 2**32
        return ComponentScore(min(words, 400) / 400 + noise, computed_tokens=words)
