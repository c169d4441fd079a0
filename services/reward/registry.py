"""Which scorer serves which component type. A library is imported when the scorer that needs it loads."""

from services.reward.runtime import Runtime
from services.reward.scorer import BlockingScorer, Scorer
from services.reward.specs import (
    ClassifierSpec,
    FormSpec,
    GuardSpec,
    HttpSpec,
    QualitySpec,
    RelevanceSpec,
    SimulatedSpec,
    Spec,
    VllmSpec,
)
from services.reward.threads import ThreadScorer

InProcess = QualitySpec | GuardSpec | FormSpec | RelevanceSpec | ClassifierSpec | SimulatedSpec


def create(spec: Spec, runtime: Runtime) -> Scorer:
    """The scorer of a component, not loaded yet."""
    match spec:
        case VllmSpec():
            from services.reward.vllm_scorer import VllmScorer

            return VllmScorer(spec, runtime)
        case HttpSpec():
            from services.reward.remote.scorer import HttpScorer

            return HttpScorer(spec, runtime)
        case _:
            return ThreadScorer(lambda: create_blocking(spec, runtime), spec.type)


def create_blocking(spec: InProcess, runtime: Runtime) -> BlockingScorer:
    """The scorer of a component that is computed in this process, not loaded yet; imports its library."""
    match spec:
        case QualitySpec():
            from services.reward.quality import QualityScorer

            return QualityScorer(spec.head, runtime)
        case GuardSpec():
            from services.reward.guard import GuardScorer

            return GuardScorer()
        case FormSpec():
            from services.reward.form.scorer import FormScorer

            return FormScorer()
        case RelevanceSpec():
            from services.reward.relevance import RelevanceScorer

            return RelevanceScorer(spec.threshold, runtime)
        case ClassifierSpec():
            from services.reward.classifier import ClassifierScorer

            return ClassifierScorer(spec, runtime)
        case SimulatedSpec():
            from services.reward.simulated import SimulatedScorer

            return SimulatedScorer()
