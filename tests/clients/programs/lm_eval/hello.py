"""A generative task of our own over the chat API; how good the answers are is not asked."""

import json
import os
from pathlib import Path

import lm_eval
from lm_eval.tasks import TaskManager

Path("tasks").mkdir()
Path("questions.jsonl").write_text("".join(json.dumps({"q": f"Name {n} animals.", "a": "cat"}) + "\n" for n in (1, 2)))
Path("tasks/animals.yaml").write_text(
    json.dumps(
        {
            "task": "animals",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(Path("questions.jsonl").resolve())}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{q}}",
            "doc_to_target": "{{a}}",
            "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 16},
            "metric_list": [{"metric": "exact_match"}],
        }
    )
)
found = lm_eval.simple_evaluate(
    model="local-chat-completions",
    model_args={"model": os.environ["MODEL"], "base_url": f"{os.environ['OPENAI_BASE_URL']}/chat/completions"},
    tasks=["animals"],
    task_manager=TaskManager(include_path="tasks", include_defaults=False),
    apply_chat_template=True,
)
assert [sample["resps"][0][0] for sample in found["samples"]["animals"]]
