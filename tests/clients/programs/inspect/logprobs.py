"""An evaluation that keeps the log probabilities of its answers, and asks for several at once."""

import os

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import generate

config = GenerateConfig(logprobs=True, top_logprobs=2, num_choices=2, max_tokens=8, temperature=1)
task = Task(dataset=[Sample(input="Say hello.")], solver=generate(), config=config)
(log,) = inspect_ai.eval(task, model=f"openai/{os.environ['MODEL']}", display="plain", log_dir="logs")
assert log.status == "success", log.error
choices = log.samples[0].output.choices
assert len(choices) == 2
assert all(choice.logprobs.content for choice in choices)
