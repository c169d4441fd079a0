"""Self-certainty: known answers of the formula, and what is refused."""

import math
from dataclasses import replace

import pytest
import torch

from services.generation.engine import Completion, Likelihoods
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence
from services.generation.servicer import _result
from services.generation.simulated_engine import SimulatedEngine
from services.generation.token_logprobs import certainties_of
from services.generation.token_sampling import certainties, likelihoods
from services.generation.validation import GenerationLimits
from shared.errors import Internal, Unsupported
from shared.records.evolution import Message

ASKED = Sequence("s", (Message("user", "Why is the sky blue?"),), max_new_tokens=24)
CERTAIN = SamplingOptions(self_certainty=True)


def of_logits(*logits: float) -> float:
    return float(certainties(torch.log_softmax(torch.tensor([logits]), -1))[0])


def test_who_knows_nothing_is_not_certain_at_all() -> None:
    assert of_logits(*[3.7] * 49152) == pytest.approx(0.0, abs=1e-5)
    assert of_logits(1.0, 1.0) >= 0.0


def test_known_answers() -> None:
    """-(1/V) sum_v log(V p_v), by hand."""
    assert of_logits(*map(math.log, (0.5, 0.25, 0.125, 0.125))) == pytest.approx(0.25 * math.log(2), abs=1e-6)
    assert of_logits(*map(math.log, (0.8, 0.2))) == pytest.approx(-0.5 * math.log(4 * 0.8 * 0.2), abs=1e-6)


def test_who_knows_one_token_is_the_more_certain_the_less_likely_the_others_are() -> None:
    """Beside V - 1 tokens of logit 0 one of logit a, which is nearly all: a - a/V - log V."""
    for above in (20.0, 40.0):
        assert of_logits(above, *[0.0] * 999) == pytest.approx(above - above / 1000 - math.log(1000), abs=1e-3)
    assert of_logits(0.0, -math.inf) == math.inf


def test_it_needs_no_alternatives_and_changes_none() -> None:
    logits, tokens = torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), torch.tensor([2, 0])
    [bare], [plain] = likelihoods(logits, tokens, [0, None])[0], likelihoods(logits, tokens, [2, 0])[1]
    assert bare.top == ()
    assert bare.certainty == pytest.approx(of_logits(2.0, 0.0, 1.0))
    assert plain.certainty == pytest.approx(0.0, abs=1e-6)
    assert (SamplingOptions().alternatives, CERTAIN.alternatives, replace(CERTAIN, logprobs=3).alternatives) == (
        None,
        0,
        3,
    )


def test_a_token_without_it_is_an_error_and_never_nothing() -> None:
    info = SimulatedEngine().info
    found = (Likelihoods(-1.0, (), 2.5), Likelihoods(-1.0, (), None))
    assert certainties_of(found, (7,), info) == (2.5,)
    with pytest.raises(Internal, match="simulated engine gave no self-certainty"):
        certainties_of(found, (7, 8), info)
    with pytest.raises(Internal, match="gave no self-certainty"):
        certainties_of((), (7,), info)
    with pytest.raises(Unsupported, match="without a component of type self_certainty"):
        certainties_of((Likelihoods(-1.0, (), math.inf),), (7,), info)


async def test_the_wire_has_the_sum_where_it_was_asked_for() -> None:
    generator = SequenceGenerator(SimulatedEngine(), GenerationLimits())
    for sampling in (CERTAIN, SamplingOptions()):
        [[result]] = [found async for found in generator.generate(GenerateRequest((ASKED,), sampling))]
        message = _result(result, sampling.self_certainty)
        assert message.HasField("self_certainty") == sampling.self_certainty
        assert message.self_certainty == sum(result.certainties)
    empty = replace(result, token_ids=(), certainties=())
    assert _result(empty, certain=True).HasField("self_certainty")


async def test_an_engine_that_does_not_see_distributions_is_not_asked() -> None:
    class Blind(SimulatedEngine):
        async def complete(self, sequence: object) -> Completion:
            raise AssertionError

    engine = Blind()
    engine.info = replace(engine.info, self_certainty=False)
    with pytest.raises(Unsupported, match="served by the vllm or the transformers engine"):
        async for _ in SequenceGenerator(engine, GenerationLimits()).generate(GenerateRequest((ASKED,), CERTAIN)):
            pass
