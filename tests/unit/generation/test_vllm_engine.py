from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from services.generation.engine import Completion, Likelihoods, ModelInfo, TokenSequence
from services.generation.hidden_tokens import HiddenTokens
from services.generation.loading import loading
from services.generation.messages import SamplingOptions
from services.generation.settings import GenerationSettings
from services.generation.vllm_engine import VllmEngine, _sampling, engine_arguments
from shared.errors import Unavailable, Unsupported
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs


@pytest.mark.parametrize("parallel", [1, 4])
def test_each_layer_is_spread_over_as_many_gpus_as_the_setting_says(
    parallel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("vllm")
    monkeypatch.setattr("vllm.AsyncEngineArgs.create_model_config", lambda _: SimpleNamespace(has_inner_state=False))
    monkeypatch.setenv("DARWIN_GENERATION_TENSOR_PARALLEL", str(parallel))
    assert engine_arguments(GenerationSettings(), "model", 64, lambda _: "bfloat16").tensor_parallel_size == parallel


def test_vllm_is_told_every_end_and_what_decoding_hides() -> None:
    pytest.importorskip("vllm")
    info = ModelInfo("m", "vllm", 64, True, 100, frozenset({2, 7}), HiddenTokens({"<a>": 3, "<b>": 4}))

    def given(*stop: str) -> Any:
        return _sampling(TokenSequence((1,), 8, SamplingOptions(stop=stop), None), info)

    plain, single, mixed = given("x"), given("x", "<a>"), given("x", "y<b>", "<a>")
    assert [params.stop for params in (given(), plain, single, mixed)] == [[], ["x"], ["x"], ["y<b>"]]
    assert [params.stop_token_ids for params in (plain, single, mixed)] == [[2, 7], [2, 3, 7], [2, 3, 7]]
    assert [params.skip_special_tokens for params in (plain, single, mixed)] == [True, True, False]
    assert [params.detokenize for params in (given(), given("<a>"), plain)] == [False, False, True]
    # Nothing but what was asked for.
    assert (plain.repetition_penalty, plain.min_p, plain.min_tokens, plain.max_tokens) == (1.0, 0.0, 0, 8)
    assert (plain.extra_args, plain.logit_bias, plain.ignore_eos) == (None, None, False)


def test_what_shapes_sampling_and_what_vllm_does_of_it_itself() -> None:
    pytest.importorskip("vllm")
    info = ModelInfo("m", "vllm", 64, True, 100, frozenset({2, 7}), HiddenTokens({"<a>": 3}))
    options = SamplingOptions(
        temperature=0.7,
        stop=("<a>",),
        presence_penalty=1.0,
        repetition_penalty=1.5,
        logit_bias={4: -1.0},
        min_p=0.1,
        ignore_eos=True,
    )
    params = _sampling(TokenSequence((1, 5, 6), 8, options, None, "", 2), info)
    assert (params.logit_bias, params.min_p, params.ignore_eos, params.stop_token_ids) == ({4: -1.0}, 0.1, True, [3])
    # Its own would count the response that is continued as a part of the prompt.
    assert (params.presence_penalty, params.repetition_penalty) == (0.0, 1.0)
    assert params.extra_args == {"darwin_penalties": [1.0, 0.0, 1.5, 2]}


def test_a_rank_is_no_self_certainty() -> None:
    """vLLM gives ranks, which are whole numbers, wherever the processor is not."""
    pytest.importorskip("vllm")
    from vllm.logprobs import FlatLogprobs

    from services.generation.vllm_certainty import likelihoods_of

    for rank, certainty in ((3, None), (2.5, 2.5), (3.0, 3.0)):
        flat = FlatLogprobs()
        for sampled in (7, 8):
            flat.append_fast([sampled, 8, 9], [-1.0, -0.5, -2.0], iter([rank, 1, 2]), [None] * 3)  # type: ignore[arg-type]
        output = SimpleNamespace(token_ids=[7, 8], logprobs=flat)
        found = likelihoods_of(output, 2)
        assert found == [Likelihoods(-1.0, ((8, -0.5), (9, -2.0)), certainty)] * 2
        assert [each.top for each in likelihoods_of(output, 0)] == [(), ()]
    assert likelihoods_of(output, None) == []


async def test_a_model_that_loads_and_does_not_decode_is_refused() -> None:
    class DeadAtTheFirstToken(VllmEngine):
        def _load(self) -> None:
            self._info = ModelInfo("m", "vllm", 64, True, 100, frozenset({2}))

        def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
            return tuple(range(80))

        async def complete(self, sequence: TokenSequence) -> Completion:
            assert (len(sequence.token_ids), sequence.max_new_tokens) == (63, 1)
            raise Unavailable("the engine has ended")

    with pytest.raises(Unsupported, match="DARWIN_GENERATION_ENGINE=transformers"):
        await DeadAtTheFirstToken(GenerationSettings()).start()


def test_what_this_vllm_does_not_know_names_the_other_engine() -> None:
    with pytest.raises(Unsupported, match=r"cannot be loaded.*DARWIN_GENERATION_ENGINE=transformers"), loading("m"):
        raise ValueError("Model architectures ['X'] failed to be inspected")
    with pytest.raises(Unsupported) as raised, loading("m"):
        raise OSError("no file")
    assert "transformers" not in raised.value.message
