"""A model that cannot be served is refused in one sentence that names the setting."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from services.generation.bootstrap import build_engine, build_service
from services.generation.loading import loading
from services.generation.settings import GenerationSettings
from shared.errors import DarwinError, Internal, Unavailable, Unsupported
from tests.unit.generation.scripted import byte_level


def tiny(folder: Path) -> Path:
    tokenizer = byte_level()
    tokenizer.save_pretrained(folder)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=128,
            tie_word_embeddings=False,
            eos_token_id=2,
        )
    ).save_pretrained(folder)
    return folder


def no_folder(folder: Path) -> Path:
    return folder / "nowhere"


def empty(folder: Path) -> Path:
    return folder


def of_an_unknown_type(folder: Path) -> Path:
    return changed(tiny(folder), "config.json", model_type="zorblax", architectures=["ZorblaxForCausalLM"])


def without_a_template(folder: Path) -> Path:
    (tiny(folder) / "chat_template.jinja").unlink()
    return folder


def without_weights(folder: Path) -> Path:
    (tiny(folder) / "model.safetensors").unlink()
    return folder


def without_its_head(folder: Path) -> Path:
    weights = load_file(tiny(folder) / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def of_other_shapes(folder: Path) -> Path:
    weights = load_file(tiny(folder) / "model.safetensors")
    save_file(weights | {"lm_head.weight": torch.zeros(8, 16)}, folder / "model.safetensors", {"format": "pt"})
    return folder


def with_broken_weights(folder: Path) -> Path:
    (tiny(folder) / "model.safetensors").write_bytes(b"no tensors")
    return folder


def with_a_broken_configuration(folder: Path) -> Path:
    (tiny(folder) / "config.json").write_text("{")
    return folder


def an_encoder(folder: Path) -> Path:
    return changed(tiny(folder), "config.json", model_type="vit", architectures=["ViTModel"])


def changed(folder: Path, name: str, **fields: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return folder


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (no_folder, "nowhere"),
        (empty, "config.json"),
        (of_an_unknown_type, "zorblax"),
        (without_a_template, "chat template"),
        (without_weights, "model.safetensors"),
        (without_its_head, "lm_head.weight"),
        (of_other_shapes, "lm_head.weight"),
        (with_broken_weights, "cannot be loaded"),
        (with_a_broken_configuration, "config"),
        (an_encoder, ""),
    ],
)
async def test_what_is_wrong_with_a_checkpoint(
    make: Callable[[Path], Path], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Once per process, and another test's.
    monkeypatch.setattr("services.generation.metrics.watch", lambda *_: None)
    settings = GenerationSettings(model=str(make(tmp_path)), engine="transformers")
    with pytest.raises(DarwinError) as refused:
        await build_service(settings).start()
    message = refused.value.message
    assert message.startswith("DARWIN_GENERATION_MODEL: ")
    assert says in message
    assert "\n" not in message
    assert len(message) < 800


async def test_a_whole_checkpoint_starts(tmp_path: Path) -> None:
    engine = build_engine(GenerationSettings(model=str(tiny(tmp_path)), engine="transformers"))
    await engine.start()
    assert engine.info.context_length == 128
    await engine.stop()


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (KeyError("rope"), Unsupported, "DARWIN_GENERATION_MODEL: m cannot be loaded: 'rope'"),
        (torch.OutOfMemoryError("out of\nmemory"), Unsupported, "DARWIN_GENERATION_MODEL: m cannot be loaded: out of"),
        (MemoryError(), Unsupported, "DARWIN_GENERATION_MODEL: m cannot be loaded: MemoryError"),
        (Internal("bad", field="model"), Internal, "DARWIN_GENERATION_MODEL: bad"),
        (Unavailable("away"), Unavailable, "away"),
    ],
)
def test_whatever_is_raised_is_said_in_one_line(raised: Exception, kind: type[DarwinError], message: str) -> None:
    with pytest.raises(kind) as refused, loading("m"):
        raise raised
    assert refused.value.message == message
