"""What generators promise, over tiny checkpoints of the architectures that people have, in float32."""

import gc
import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from services.generation.checkpoint import read_checkpoint
from services.generation.engine import TokenSequence
from services.generation.loading import loading
from services.generation.messages import SamplingOptions
from services.generation.settings import GenerationSettings
from services.generation.transformers_engine import TransformersEngine
from shared.errors import DarwinError
from shared.records.evolution import Message
from tests.checkpoints.models import FAMILIES, build

GREEDY = SamplingOptions(0.0)
TOKENS = 8
ASKED = (Message("user", "Tell me of the river."),)
LONG = (Message("user", "Tell me of the river, and of the town beside it. " * 12),)
VLLM = [name for name, family in FAMILIES.items() if family.vllm]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[str, Any]]:
    """The folder of a family's checkpoint, and the model that was saved there."""
    root = tmp_path_factory.mktemp("checkpoints")

    @cache
    def checkpoint(name: str) -> tuple[str, Any]:
        return str(root / name), build(FAMILIES[name], root / name)

    return checkpoint


def greedy(model: Any, prompt: Sequence[int], tokens: int = TOKENS, ends: frozenset[int] = frozenset()) -> list[int]:
    """The likeliest tokens, each computed from the whole sequence anew."""
    ids = list(prompt)
    with torch.inference_mode():
        while len(ids) < len(prompt) + tokens and not (len(ids) > len(prompt) and ids[-1] in ends):
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_checkpoint_is_read(name: str, built: Callable[[str], tuple[str, Any]]) -> None:
    folder, model = built(name)
    checkpoint = read_checkpoint(folder)
    assert checkpoint.context_length == FAMILIES[name].context
    assert checkpoint.vocabulary == model.get_input_embeddings().num_embeddings
    assert checkpoint.tokenizer.eos_token_id in checkpoint.eos_ids
    turn = {checkpoint.tokenizer.convert_ids_to_tokens(end) for end in checkpoint.chat.template.end_ids}
    assert turn == {FAMILIES[name].end}
    assert checkpoint.chat.template.end_ids <= checkpoint.eos_ids


@pytest.mark.parametrize("name", FAMILIES)
async def test_the_transformers_engine_continues_exactly(name: str, built: Callable[[str], tuple[str, Any]]) -> None:
    folder, model = built(name)
    engine = TransformersEngine(GenerationSettings(model=folder, dtype="float32"))
    await engine.start()

    async def complete(ids: tuple[int, ...], tokens: int) -> tuple[int, ...]:
        return (await engine.complete(TokenSequence(ids, tokens, GREEDY, None))).token_ids

    prompt = engine.encode_chat(ASKED)
    whole = await complete(prompt, TOKENS)
    assert list(whole) == greedy(model, prompt, ends=engine.info.end_ids)
    first = await complete(prompt, TOKENS // 2)
    assert first + await complete(prompt + first, TOKENS // 2) == whole
    assert engine.info.context_length == (FAMILIES[name].context or 4096)
    await engine.stop()


@pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed")
@pytest.mark.parametrize("name", VLLM)
async def test_vllm_decodes_the_same(
    name: str, built: Callable[[str], tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.generation.vllm_engine import VllmEngine

    # It collects seven times while it starts and stops, each a third of a second where as much is imported as here.
    monkeypatch.setattr(gc, "collect", lambda *_: 0)
    folder, model = built(name)
    engine = VllmEngine(
        GenerationSettings(model=folder, dtype="float32", max_model_len=1024, kv_cache_gib=0.05, max_running=4)
    )
    await engine.start()
    for messages in (ASKED, LONG):
        prompt = engine.encode_chat(messages)
        completion = await engine.complete(TokenSequence(prompt, TOKENS, GREEDY, None))
        assert list(completion.token_ids) == greedy(model, prompt, ends=engine.info.end_ids)
    await engine.stop()


# Checkpoints of one family, each with something that people's have.


def odd(folder: Path, name: str = "llama 3", **more: Any) -> str:
    build(FAMILIES[name], folder, **more)
    return str(folder)


def edited(folder: str, file: str, **fields: Any) -> str:
    """With fields of a JSON file changed, or taken out where they are None."""
    path = Path(folder) / file
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({name: value for name, value in (content | fields).items() if value is not None}))
    return folder


async def served(folder: str, dtype: Any = "auto") -> tuple[int, ...]:
    engine = TransformersEngine(GenerationSettings(model=folder, dtype=dtype))
    with loading(folder):
        await engine.start()
    completion = await engine.complete(TokenSequence(engine.encode_chat(ASKED), 4, GREEDY, None))
    await engine.stop()
    return completion.token_ids


async def test_weights_in_float16(tmp_path: Path) -> None:
    folder = odd(tmp_path, "qwen 3")
    hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16).save_pretrained(folder)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "float16"
    assert await served(folder)


async def test_a_folder_with_mistrals_own_tokenizer_beside_hugging_faces(tmp_path: Path) -> None:
    folder = odd(tmp_path, "mistral 0.3")
    expected = read_checkpoint(folder).chat.encode_chat(ASKED)
    (tmp_path / "tekken.json").write_text("{}")
    (tmp_path / "params.json").write_text("{}")
    assert read_checkpoint(folder).chat.encode_chat(ASKED) == expected
    assert await served(folder)


def test_the_end_of_a_turn_ends_a_response_though_nothing_declares_it(tmp_path: Path) -> None:
    folder = odd(tmp_path)
    (tmp_path / "generation_config.json").unlink(missing_ok=True)
    checkpoint = read_checkpoint(folder)
    assert checkpoint.tokenizer.convert_tokens_to_ids("<|eot_id|>") in checkpoint.eos_ids


async def test_more_tokens_than_embeddings(tmp_path: Path) -> None:
    """What the template prints has an embedding; another token, which has none, stays text."""
    folder = odd(tmp_path)
    checkpoint = read_checkpoint(folder)
    tokenizer = checkpoint.tokenizer
    beyond = [f"<|beyond_{number}|>" for number in range(checkpoint.vocabulary - len(tokenizer) + 1)]
    tokenizer.add_special_tokens({"additional_special_tokens": beyond})
    tokenizer.save_pretrained(folder)
    chat = read_checkpoint(folder).chat
    assert max(chat.encode_chat((Message("user", f"What is {beyond[-1]}?"),))) < checkpoint.vocabulary
    assert await served(folder)


def _named_templates(checkpoint: Path) -> None:
    (checkpoint / "additional_chat_templates").mkdir()
    (checkpoint / "chat_template.jinja").rename(checkpoint / "additional_chat_templates" / "tool_use.jinja")


def _template(text: str) -> Callable[[Path], object]:
    return lambda checkpoint: (checkpoint / "chat_template.jinja").write_text(text)


def _config(**fields: Any) -> Callable[[Path], object]:
    return lambda checkpoint: edited(str(checkpoint), "config.json", **fields)


def _written(file: str, text: str) -> Callable[[Path], object]:
    return lambda checkpoint: (checkpoint / file).write_text(text)


def _removed(file: str) -> Callable[[Path], object]:
    return lambda checkpoint: (checkpoint / file).unlink()


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no chat template": (_removed("chat_template.jinja"), "no chat template.*instruct model"),
    "named chat templates only": (_named_templates, "tool_use"),
    "a template that prints nothing": (_template("{{ bos_token }}"), "template.*prints no text"),
    "a template that is none": (_template("{% for x in %}"), "template"),
    "a template that refuses everything": (_template("{{ raise_exception('no') }}"), "refuses a single user message"),
    "no tokenizer": (_removed("tokenizer.json"), "tokenizer"),
    "a broken tokenizer": (_written("tokenizer.json", "{"), "tokenizer"),
    "no weights": (_removed("model.safetensors"), "model.safetensors|weights"),
    "weights cut short": (_written("model.safetensors", "cut"), "."),
    "more layers than weights": (_config(num_hidden_layers=3), "layers.2"),
    "wider than its weights": (_config(intermediate_size=128), "mlp"),
    "no config": (_removed("config.json"), "config.json"),
    "a broken config": (_written("config.json", "{"), "config"),
    "an unknown family": (_config(model_type="unheard_of"), "unheard_of|model_type"),
    "an encoder and decoder": (_config(model_type="t5", architectures=["T5ForConditionalGeneration"]), "causal"),
    "a classifier": (_config(architectures=["LlamaForSequenceClassification"]), "causal language model"),
    "weights of a kind that nothing here reads": (
        _config(quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 128}),
        ".",
    ),
    "a broken generation config": (_written("generation_config.json", "{"), "generation_config"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_served_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    spoil, said = REFUSED[case]
    folder = odd(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DarwinError, match=said) as refused:
        await served(folder)
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < 600


def test_a_template_that_prints_a_token_without_an_embedding_is_refused(tmp_path: Path) -> None:
    folder = odd(tmp_path)
    edited(folder, "config.json", vocab_size=2257)
    with pytest.raises(DarwinError, match="embeddings for 2257") as refused:
        read_checkpoint(folder)
    assert "\n" not in refused.value.message
