"""Which scorer serves which component type."""

from collections.abc import Sequence

from services.reward.profiles import (
    ClassifierSpec,
    GuardSpec,
    QualitySpec,
    RelevanceSpec,
    SimulatedSpec,
    Spec,
    VllmSpec,
)
from services.reward.runtime import Runtime
from services.reward.scorer import ComponentScore, ScoreItem, Scorer


class SpecifiedScorer:
    """The scorer of a component; its library is imported when it loads, on the thread that loads it."""

    def __init__(self, spec: Spec, runtime: Runtime) -> None:
        self._spec = spec
        self._runtime = runtime

    def load(self) -> None:
        self._scorer = _create(self._spec, self._runtime)
        self._scorer.load()

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        return self._scorer.score(batch)

    def close(self) -> None:
        self._scorer.close()


def _create(spec: Spec, runtime: Runtime) -> Scorer:
    match spec:
        case QualitySpec():
            from services.reward.quality import QualityScorer

            return QualityScorer(spec.head, runtime)
        case GuardSpec():
            from services.reward.guard import GuardScorer

            return GuardScorer()
        case RelevanceSpec():
            from services.reward.relevance import RelevanceScorer

            return RelevanceScorer(spec.threshold, runtime)
        case ClassifierSpec():
            from services.reward.classifier import ClassifierScorer

            return ClassifierScorer(spec.model, spec.max_tokens, runtime)
        case VllmSpec():
            from services.reward.vllm_scorer import VllmScorer

            return VllmScorer(spec.model, spec.max_tokens, spec.kv_cache_bytes, runtime)
        case SimulatedSpec():
            from services.reward.simulated import SimulatedScorer

            return SimulatedScorer()
