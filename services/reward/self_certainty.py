"""How certain the language model was of a response: the engine's own confidence, which needs no reward model."""

from services.reward.scorer import ComponentScore, ItemScorer, ScoreItem
from shared.errors import Internal


class SelfCertaintyScorer(ItemScorer):
    """The mean over a response's tokens of how far the model's distribution is from knowing nothing: the divergence of
    the uniform distribution from it, in nats, 0 or more (Kang et al. 2025, arXiv 2502.18581).

    Of a partial response it is the mean so far. A response that says nothing gets 0, however surely it was ended.
    """

    def _score(self, item: ScoreItem) -> ComponentScore:
        if item.self_certainty is None:
            raise Internal("a response without self-certainty reached its scorer")
        said = (item.written or item.text).strip()
        return ComponentScore(item.self_certainty if said else 0.0)
