"""What is refused before weights are read, each in one sentence; and what is found of a checkpoint that is served."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from services.reward.classifier import ClassifierScorer
from services.reward.inspection import inspect_reward
from services.reward.registry import ClassifierSpec
from services.reward.runtime import Runtime
from services.reward.scorer import Conversation, ScoreItem
from shared.errors import DarwinError, NotFound, Unsupported
from shared.records.evolution import Message
from tests.unit.reward.checkpoints import (
    FAMILIES,
    TEMPLATE,
    bert,
    change_config,
    gated,
    llama,
    nested,
    rename_weights,
    roberta,
)

ITEMS = [ScoreItem(Conversation((Message("user", "Why?"),)), text) for text in ("So.", "So, and more so.", "So!")]


def spec_of(folder: Path, **fields: Any) -> ClassifierSpec:
    return ClassifierSpec.model_validate(
        {"name": "it", "weight": 1, "type": "classifier", "model": str(folder)} | fields
    )


def write_template(folder: Path, template: str | None) -> None:
    (folder / "chat_template.jinja").unlink()
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)


def without_head(folder: Path) -> None:
    rename_weights(llama(folder), "score.weight", "v_head.weight")


def without_pooler(folder: Path) -> None:
    rename_weights(bert(folder), "bert.pooler.dense.weight", None)


def without_a_trunk_layer(folder: Path) -> None:
    rename_weights(llama(folder), "model.layers.1.mlp.up_proj.weight", None)


def other_size(folder: Path) -> None:
    change_config(llama(folder, num_labels=3), id2label={"0": "only"})


def two_labels(folder: Path) -> None:
    bert(folder, labels=2)


def code(folder: Path) -> None:
    gated(folder)


def code_elsewhere(folder: Path) -> None:
    change_config(gated(folder), auto_map={"AutoModelForSequenceClassification": "somebody/else--modeling.Gated"})


def unknown_kind_with_code(folder: Path) -> None:
    auto_map = {"AutoConfig": "configuration.Odd", "AutoModel": "modeling.Odd"}
    change_config(llama(folder), model_type="odd", auto_map=auto_map)


def unknown_kind(folder: Path) -> None:
    change_config(llama(folder), model_type="odd")


def no_classifier(folder: Path) -> None:
    change_config(llama(folder), model_type="mamba")


def no_template(folder: Path) -> None:
    write_template(llama(folder), None)


def template_without_text(folder: Path) -> None:
    write_template(llama(folder), "{{ messages | length }}")


def no_tokenizer(folder: Path) -> None:
    llama(folder)
    for file in folder.glob("*token*"):
        file.unlink()


def no_weights(folder: Path) -> None:
    (llama(folder) / "model.safetensors").unlink()


def cut_weights(folder: Path) -> None:
    file = llama(folder) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:100])


def no_json(folder: Path) -> None:
    (llama(folder) / "config.json").write_text("{")


def nothing(folder: Path) -> None:
    folder.mkdir()


def template_beyond_the_vocabulary(folder: Path) -> None:
    llama(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    tokenizer.chat_template = TEMPLATE + "<|new|>"
    tokenizer.save_pretrained(folder)


REFUSED: list[tuple[Callable[[Path], None], dict[str, Any], str]] = [
    (without_head, {}, "holds no weights for: score.weight"),
    (without_pooler, {}, "holds no weights for: bert.pooler.dense.weight"),
    (without_a_trunk_layer, {}, "holds no weights for: model.layers.1.mlp.up_proj.weight"),
    (other_size, {}, "another shape than its config.json says: score.weight"),
    (two_labels, {}, "2 outputs (LABEL_0, LABEL_1): name the one that is the reward by output"),
    (two_labels, {"output": 2}, "2 outputs, none of number 2"),
    (two_labels, {"output": "good"}, "no output 'good', only LABEL_0, LABEL_1"),
    (code, {}, "set trust_remote_code: true"),
    (code_elsewhere, {"trust_remote_code": True}, "another repository"),
    (unknown_kind_with_code, {}, "set trust_remote_code: true"),
    (unknown_kind_with_code, {"trust_remote_code": True}, "offers no AutoModelForSequenceClassification"),
    (unknown_kind, {}, "odd"),
    (no_classifier, {}, "AutoModelForSequenceClassification"),
    (no_template, {}, "no chat template"),
    (template_without_text, {}, "prints no text"),
    (template_beyond_the_vocabulary, {}, "<|new|>"),
    (no_tokenizer, {}, "tokenizer"),
    (no_weights, {}, "model.safetensors"),
    (cut_weights, {}, "cannot be served as a reward model"),
    (no_json, {}, "no config.json can be read"),
    (nothing, {}, "no config.json can be read"),
]


@pytest.mark.parametrize(("make", "fields", "says"), REFUSED)
def test_what_cannot_be_served_is_refused_in_one_sentence(
    tmp_path: Path, make: Callable[[Path], None], fields: dict[str, Any], says: str
) -> None:
    make(tmp_path / "model")
    spec = spec_of(tmp_path / "model", **fields)
    with pytest.raises(DarwinError) as caught:
        inspect_reward(spec)
    assert says in caught.value.message
    assert caught.value.message.startswith(spec.model)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 500 + len(spec.model)
    assert isinstance(caught.value, Unsupported | NotFound)
    with pytest.raises(type(caught.value)) as loading:
        ClassifierScorer(spec, Runtime()).load()
    assert loading.value.message == caught.value.message


def test_code_of_a_checkpoint_does_not_run_unless_it_may(tmp_path: Path) -> None:
    (gated(tmp_path / "model") / "modeling_gated.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(Unsupported, match="trust_remote_code"):
        inspect_reward(spec_of(tmp_path / "model"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("llama", ("LlamaForSequenceClassification", ("score",), 259, 640)),
        ("nested", ("Gemma3ForSequenceClassification", ("score",), 259, 640)),
        ("bert", ("BertForSequenceClassification", ("classifier",), 193, 640)),
        ("roberta", ("RobertaForSequenceClassification", ("classifier",), 193, 639)),
        ("deberta", ("DebertaV2ForSequenceClassification", ("pooler", "classifier"), 193, 640)),
    ],
)
def test_what_is_found(tmp_path: Path, name: str, found: tuple[object, ...]) -> None:
    """RoBERTa's positions begin behind its padding id, so that its table is longer than what it can read."""
    seen = inspect_reward(spec_of(FAMILIES[name](tmp_path / name)))
    assert (seen.architecture, seen.head, seen.vocabulary, seen.max_tokens) == found
    assert (seen.labels, seen.output, seen.own_code) == (("LABEL_0",), 0, False)
    assert seen.template is not None


def test_no_weights_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All values behind the header are lost: they are not looked at."""
    file = llama(tmp_path / "model") / "model.safetensors"
    length = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    file.write_bytes(file.read_bytes()[:length] + b"\xff" * (file.stat().st_size - length))
    assert inspect_reward(spec_of(tmp_path / "model")).head == ("score",)


@pytest.mark.parametrize("make", [llama, nested])
def test_a_padding_token_without_a_row_is_not_used(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """A [PAD] added after training, whose id is the size of the table."""
    folder = make(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    change_config(folder, pad_token_id=len(tokenizer) - 1)
    spec = spec_of(folder, dtype="float32")
    assert tokenizer.pad_token_id == inspect_reward(spec).vocabulary > inspect_reward(spec).padding
    scorer = ClassifierScorer(spec, Runtime())
    scorer.load()
    together = [score.value for score in scorer.score(ITEMS)]
    assert together == pytest.approx([scorer.score([item])[0].value for item in ITEMS], abs=1e-4)


@pytest.mark.parametrize(("stated", "limit"), [(100, 100), (10**30, 640), (-1, 640), (None, 640)])
def test_the_tokenizers_limit_counts_where_it_is_one(tmp_path: Path, stated: int | None, limit: int) -> None:
    folder = llama(tmp_path / "model")
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    settings.pop("model_max_length", None)
    file.write_text(json.dumps(settings | ({} if stated is None else {"model_max_length": stated})))
    assert inspect_reward(spec_of(folder)).max_tokens == limit


def test_arguments_reach_the_chat_template_and_system_texts_may_be_dropped(tmp_path: Path) -> None:
    folder = llama(tmp_path / "model")
    write_template(folder, "{% if not enable_thinking %}<no>{% endif %}" + TEMPLATE)
    item = ScoreItem(Conversation((Message("system", "SECRET"), Message("user", "Why?"))), "So.")
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def text(**fields: Any) -> str:
        read: str = tokenizer.decode(inspect_reward(spec_of(folder, **fields)).format.encode(item).token_ids)
        return read

    assert text(chat_template_arguments={"enable_thinking": False}).startswith("<no>")
    assert not text(chat_template_arguments={"enable_thinking": True}).startswith("<no>")
    assert "system\nSECRET" in text(system="keep")
    assert "user\nSECRET\n\nWhy?" in text(system="fold")
    assert "SECRET" not in text(system="drop")


def test_the_limit_of_roberta_is_what_its_table_can_hold(tmp_path: Path) -> None:
    scorer = ClassifierScorer(spec_of(roberta(tmp_path / "model"), dtype="float32"), Runtime())
    scorer.load()
    (score,) = scorer.score([ScoreItem(ITEMS[0].conversation, "word " * 500)])
    assert score.computed_tokens == 639
