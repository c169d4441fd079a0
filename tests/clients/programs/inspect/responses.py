"""An evaluation by the responses API, with a choice of several answers."""

import os

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

model = get_model(f"openai/{os.environ['MODEL']}", responses_api=True)
samples = [Sample(input="What is the capital of France?", choices=["Paris", "Rome"], target="A")]
task = Task(dataset=samples, solver=multiple_choice(), scorer=choice())
(log,) = inspect_ai.eval(task, model=model, max_tokens=32, display="plain", log_dir="logs")
assert log.status == "success", log.error
