import importlib
from typing import Any

import pytest

from services.generation.settings import GenerationSettings
from services.generation.vllm_engine import VllmEngine


def test_each_layer_is_spread_over_as_many_gpus_as_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    async_llm = pytest.importorskip("vllm.v1.engine.async_llm")
    given: list[Any] = []
    tied: list[Any] = []
    monkeypatch.setattr("services.generation.vllm_engine.tie_engine_processes", tied.append)
    monkeypatch.setattr(async_llm.AsyncLLM, "from_engine_args", lambda arguments, **_: given.append(arguments))
    monkeypatch.setenv("DARWIN_GENERATION_TENSOR_PARALLEL", "4")
    VllmEngine(GenerationSettings())._build("model", 64)
    monkeypatch.delenv("DARWIN_GENERATION_TENSOR_PARALLEL")
    VllmEngine(GenerationSettings())._build("model", 64)
    assert tied == [importlib.import_module("vllm.v1.engine.core").EngineCoreProc] * 2
    assert [arguments.tensor_parallel_size for arguments in given] == [4, 1]
