"""Further arguments of vLLM's engine: which are taken, and which are refused with what to do instead."""

import json
from importlib.util import find_spec
from typing import Any

import pytest
from pydantic import ValidationError

from services.generation.settings import GenerationSettings
from services.generation.vllm_arguments import pinned
from services.generation.vllm_engine import engine_arguments
from shared.errors import Unsupported

# Not imported here, where every process would do so that collects tests.
pytestmark = pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed")


def arguments(**further: Any) -> Any:
    settings = GenerationSettings(engine="vllm", vllm_arguments=json.dumps(further))
    return engine_arguments(settings, "model", 64, lambda _: "bfloat16")


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of the model's configuration needs its files."""
    from types import SimpleNamespace

    from vllm import AsyncEngineArgs

    monkeypatch.setattr(AsyncEngineArgs, "create_model_config", lambda _: SimpleNamespace(has_inner_state=False))


def test_arguments_reach_vllm() -> None:
    made = arguments(quantization="fp8", cpu_offload_gb=1, scheduling_policy="priority", block_size=16, revision="x")
    assert (made.quantization, made.cpu_offload_gb, made.scheduling_policy) == ("fp8", 1.0, "priority")
    assert made.block_size == 16
    assert made.revision is None, "tokenizer and weights are read from the folder of that revision"
    assert made.logits_processors == arguments().logits_processors != []


def test_nothing_of_ours_is_asked_of_speculative_decoding() -> None:
    """vLLM refuses logits processors beside it."""
    speculative = {"method": "ngram", "num_speculative_tokens": 2, "prompt_lookup_max": 3}
    made = arguments(speculative_config=speculative)
    assert (made.speculative_config, made.logits_processors) == (speculative, [])


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ({"quantisation": "fp8"}, "knows no engine argument quantisation; is quantization meant"),
        ({"quantization": 3}, "quantization is of another type"),
        ({"scheduling_policy": "fastest"}, "scheduling_policy is of another type"),
        ({"block_size": "16"}, "block_size is of another type"),
        ({"trust_remote_code": 1}, "trust_remote_code is of another type"),
        ({"model": "other"}, "set DARWIN_GENERATION_MODEL"),
        ({"max_model_len": 8}, "set DARWIN_GENERATION_MAX_MODEL_LEN"),
        ({"dtype": "half"}, "set DARWIN_GENERATION_DTYPE"),
        ({"seed": 3}, "Darwin sets seed"),
        ({"logits_processors": []}, "Darwin sets logits_processors"),
        ({"_api_process_count": 2}, "knows no engine argument"),
    ],
)
def test_what_cannot_be_used_is_refused(further: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        arguments(**further)


def test_the_setting_is_an_object_and_for_vllm() -> None:
    for text in ("[]", "{", "3"):
        with pytest.raises(ValidationError, match="must be a JSON object"):
            GenerationSettings(engine="vllm", vllm_arguments=text)
    with pytest.raises(ValidationError, match="for the engine vllm"):
        GenerationSettings(engine="simulated", vllm_arguments='{"quantization": "fp8"}')


def test_a_folder_has_no_revision(tmp_path: Any) -> None:
    assert pinned("organisation/model", None) == "organisation/model"
    with pytest.raises(Unsupported, match="has no revision"):
        pinned(str(tmp_path), "main")
