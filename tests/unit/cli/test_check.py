"""`darwin check`: what it finds, and that what it refuses it refuses in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from cli.main import app
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from tests.openai_endpoint import FakeEndpoint, running
from tests.unit.reward.checkpoints import save_classifier


def check(*words: str) -> Result:
    return CliRunner().invoke(app, ["check", *words])


def found(*words: str) -> Any:
    done = check(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("classifier"))


def test_a_language_model() -> None:
    shown = found(EMBEDDED_LLM)
    assert (shown["family"], shown["context_length"], shown["end_tokens"]) == ("llama", 8192, ["<|im_end|>"])
    assert (shown["template"]["system"], shown["template"]["alternation"]) == ("own", False)
    assert shown["prompt"].endswith("<|im_start|>user\nName another one.<|im_end|>\n<|im_start|>assistant\n")


def test_a_reward_model_is_found_out_and_scores(classifier: Path) -> None:
    shown = found(str(classifier))
    (model,) = shown["models"]
    assert (model["head"], model["labels"], model["segments"]) == (["score"], ["LABEL_0"], 1)
    assert "Why do leaves fall in autumn?" in shown["prompt"]
    first, second = (each["reward"] for each in shown["scores"])
    assert first != second


def test_a_profile(classifier: Path, tmp_path: Path) -> None:
    profile = tmp_path / "ours.yaml"
    profile.write_text(
        "components:\n"
        f"  - {{name: helpful, type: classifier, weight: 1.0, model: {classifier}}}\n"
        "  - {name: guard, type: guard, weight: 1.0}\n"
    )
    table = check(str(profile))
    assert "can be served" in table.stdout
    assert "LlamaForSequenceClassification" in table.stdout
    profile.write_text("components: [{name: a, type: classifier, weight: 1, model: x, outputs: 3}]")
    refused = check(str(profile))
    assert refused.exit_code == 1
    assert "outputs" in refused.output


def test_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_GENERATION_MODEL", EMBEDDED_LLM)
    with running(FakeEndpoint()) as url:
        shown = found(url)
    assert shown["tokenizer"] == EMBEDDED_LLM
    assert isinstance(shown["exact"], bool)
    assert {"logprobs", "top_k", "seeds", "does_without"} <= shown.keys()


def _without_head(classifier: Path, folder: Path) -> str:
    for file in classifier.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    weights["v_head.weight"] = weights.pop("score.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return str(folder)


def test_what_cannot_be_served_is_refused_in_one_sentence(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "headless").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    refused = {
        (_without_head(classifier, tmp_path / "headless"),): "holds no weights for: score.weight",
        (resolve(EMBEDDED_LLM), "--as", "reward"): "holds no weights for: score.weight",
        (str(classifier), "--as", "generator"): "generates no text",
        (str(tmp_path / "empty"),): "no config.json",
        (str(tmp_path / "adapter"),): "merge it into its base model",
        (str(tmp_path / "away"),): "no folder",
        ("http://192.0.2.1/v1",): "DARWIN_ALLOW_PLAINTEXT",
        ("http://user:word@127.0.0.1/v1",): "DARWIN_GENERATION_ENDPOINT_KEY",
    }
    for words, why in refused.items():
        done = check(*words)
        assert done.exit_code == 1, words
        assert why in done.output, words
        assert "Traceback" not in done.output
        assert len(done.output.strip().splitlines()) == 1, done.output
    told = check(str(tmp_path / "away"), "--json")
    assert told.exit_code == 1
    assert "no folder" in json.loads(told.stdout.splitlines()[0])["error"]
