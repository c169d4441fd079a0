"""Which number type models are served in where nobody says."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from services.generation.checkpoint import Checkpoint
from services.generation.settings import GenerationSettings
from services.reward.runtime import Runtime, configure_torch
from services.reward.settings import RewardSettings
from shared.process import number_types
from shared.process.number_types import suited_to


@pytest.fixture(params=[True, False], ids=["with bfloat16", "without"])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the CPU computes in bfloat16."""
    monkeypatch.setattr(number_types, "_cpu_has_bfloat16", lambda: request.param)
    return bool(request.param)


def test_a_cpu_is_given_what_it_computes_in(native: bool) -> None:
    assert suited_to("cpu") == ("bfloat16" if native else "float32")


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_other_devices_compute_in_bfloat16(native: bool, device: str) -> None:
    assert suited_to(device) == "bfloat16"


def test_what_is_said_holds(native: bool) -> None:
    assert Runtime(dtype="float16").number_type(None) == "float16"
    assert Runtime(dtype="float16").number_type("bfloat16") == "bfloat16"
    assert Runtime(device="cpu").number_type(None, "cuda:1") == "bfloat16"
    assert Runtime().number_type(None) == suited_to("cpu")


def test_nobody_has_to_say() -> None:
    assert (GenerationSettings().dtype, RewardSettings().dtype) == ("auto", "auto")


def test_rewards_are_computed_in_it(native: bool) -> None:
    assert configure_torch(Runtime()) == (torch.bfloat16 if native else torch.float32)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"dtype": "float16"}, None),
        ({"dtype": "bfloat16", "quantization_config": {"bits": 4}}, "bfloat16"),
        ({"dtype": "float16", "quantization_config": {"bits": 4}}, "float16"),
    ],
)
def test_language_models_are_served_in_it_unless_they_are_quantised(
    native: bool, config: dict[str, Any], expected: str | None
) -> None:
    read: Any = SimpleNamespace(whole=SimpleNamespace(**config))
    checkpoint = Checkpoint(read, cast(Any, None), None, None, 0, frozenset())
    assert checkpoint.dtype("auto", "cpu") == (expected or suited_to("cpu"))
    assert checkpoint.dtype("float32", "cpu") == "float32"
