"""An evaluation whose answers have the shape of a schema, over two epochs."""

import json
import os

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, ResponseSchema
from inspect_ai.scorer import includes
from inspect_ai.solver import generate
from inspect_ai.util import json_schema
from pydantic import BaseModel


class Colour(BaseModel):
    red: int
    green: int
    blue: int


config = GenerateConfig(response_schema=ResponseSchema(name="colour", json_schema=json_schema(Colour)), max_tokens=400)
samples = [Sample(input="What is the RGB of white?", target="255")]
task = Task(dataset=samples, solver=generate(), scorer=includes(), config=config, epochs=2)
(log,) = inspect_ai.eval(task, model=f"openai/{os.environ['MODEL']}", display="plain", log_dir="logs")
assert log.status == "success", log.error
assert all(Colour(**json.loads(sample.output.completion)) for sample in log.samples)
