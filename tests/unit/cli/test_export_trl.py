"""Exports as the pinned TRL reads them: by its preprocessing, its trainers, and the code of docs/export.md."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from tests.unit.cli.recordings import MESSAGES, base, cycle_finished, evolution, round_finished

ROOT = Path(__file__).parents[3]
DOCUMENTED = re.search(r"\n(def ids.*?)```", (ROOT / "docs" / "export.md").read_text("utf-8"), re.DOTALL)
READING = """
import json, pathlib, datasets, transformers as hf, trl
from tests.checkpoints.models import FAMILIES, build
from trl.data_utils import is_conversational, maybe_apply_chat_template, maybe_extract_prompt, unpair_preference_dataset

build(FAMILIES["qwen 2.5"], pathlib.Path("model"))
tokenizer = hf.AutoTokenizer.from_pretrained("model")
files = {"whole": "pairs.whole.jsonl", "steps": "pairs.steps.jsonl"}
whole, steps = datasets.load_dataset("json", data_files=files).values()
assert is_conversational(whole[0]) and maybe_extract_prompt(whole[0]) == whole[0]
"""
SHOWING = """
options = {"output_dir": "out", "use_cpu": True, "report_to": "none", "max_steps": 1, "bf16": False}

def shown(dataset, *names):
    return [tokenizer.decode(dataset[0][name]) for name in names]

def dpo(trainer, pairs):
    model = hf.AutoModelForCausalLM.from_pretrained("model")
    made = trainer(model, args=trl.DPOConfig(**options), train_dataset=pairs, processing_class=tokenizer)
    loss = made.train().training_loss
    assert loss == loss
    return shown(made.train_dataset, "prompt_ids", "chosen_ids", "rejected_ids")

classifier = hf.AutoModelForSequenceClassification.from_pretrained("model", num_labels=1)
classifier.config.pad_token_id = tokenizer.pad_token_id
reward = trl.RewardTrainer(
    classifier, args=trl.RewardConfig(**options), train_dataset=steps, processing_class=tokenizer
).train_dataset
print(json.dumps({
    "template": maybe_apply_chat_template(whole[0], tokenizer),
    "unpaired": [[row["completion"], row["label"]] for row in unpair_preference_dataset(whole)],
    "dpo": dpo(trl.DPOTrainer, whole),
    "steps": dpo(StepTrainer, steps),
    "reward": shown(reward, "chosen_ids", "rejected_ids"),
}))
"""


def test_trl_reads_what_was_written(tmp_path: Path) -> None:
    rounds = (
        round_finished(["a", "b"], [0.5, -1.0], {1: 0}, [False, False]),
        round_finished(["a a", "b b"], [1, 2], round=2),
    )
    (tmp_path / "in.json").write_text(json.dumps(evolution(base(), *rounds, cycle_finished([1.0, 2.0]))))
    export = ["export", "--from", str(tmp_path / "in.json"), "--out", str(tmp_path / "pairs.jsonl")]
    assert CliRunner().invoke(app, export).exit_code == 0
    assert DOCUMENTED is not None
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    code = READING + DOCUMENTED[1] + SHOWING
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    prompt, end = found["template"]["prompt"], "<|im_end|>\n"
    assert prompt.endswith(f"<|im_start|>user\n{MESSAGES[-1]['content']}{end}<|im_start|>assistant\n")
    assert (found["template"]["chosen"], found["template"]["rejected"]) == (f"b b{end}", f"base{end}")
    assert found["unpaired"] == [
        [[{"role": "assistant", "content": text}], better] for text, better in (("b b", True), ("base", False))
    ]
    assert found["dpo"] == [prompt, f"b b{end}", f"base{end}"]
    assert found["steps"] == [prompt, "a", "b"], "nothing teaches the policy to stop here"
    assert found["reward"] == [f"{prompt}a{end}", f"{prompt}b{end}"]
