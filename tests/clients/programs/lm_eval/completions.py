"""A generative task over the older completions API, one prompt at a time."""

import json
import os
from pathlib import Path

import lm_eval
from lm_eval.tasks import TaskManager

ROWS = [{"q": f"Name {n} animals.", "a": "cat"} for n in (1, 2, 3)]
TASK = {
    "output_type": "generate_until",
    "doc_to_text": "{{q}}",
    "doc_to_target": "{{a}}",
    "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 16},
    "metric_list": [{"metric": "exact_match"}],
}
Path("tasks").mkdir()
Path("questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
data = {"data_files": {"test": str(Path("questions.jsonl").resolve())}}
task = {"task": "mine", "dataset_path": "json", "dataset_kwargs": data, "test_split": "test", **TASK}
Path("tasks/mine.yaml").write_text(json.dumps(task))
found = lm_eval.simple_evaluate(
    model="local-completions",
    model_args={
        "model": os.environ["MODEL"],
        "base_url": f"{os.environ['OPENAI_BASE_URL']}/completions",
        "tokenizer_backend": None,
        "tokenized_requests": False,
        "num_concurrent": 2,
    },
    tasks=["mine"],
    task_manager=TaskManager(include_path="tasks", include_defaults=False),
)
assert all(isinstance(sample["resps"][0][0], str) for sample in found["samples"]["mine"])
