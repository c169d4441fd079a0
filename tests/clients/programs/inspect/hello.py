"""An evaluation of one sample, which must end with success; whether its answer is right is not asked."""

import os

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

task = Task(dataset=[Sample(input="Say hello.", target="hello")], solver=generate(), scorer=includes())
(log,) = inspect_ai.eval(task, model=f"openai/{os.environ['MODEL']}", max_tokens=16, display="plain", log_dir="logs")
assert log.status == "success", log.error
assert log.samples[0].output.completion
