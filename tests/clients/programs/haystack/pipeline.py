"""A prompt of a template and a model in a pipeline."""

import os

from haystack import Pipeline
from haystack.components.builders import ChatPromptBuilder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage

generator = OpenAIChatGenerator(
    model=os.environ["MODEL"], api_base_url=os.environ["OPENAI_BASE_URL"], generation_kwargs={"max_tokens": 200}
)
pipeline = Pipeline()
template = [ChatMessage.from_system("Be brief."), ChatMessage.from_user("Name a {{ thing }}.")]
pipeline.add_component("prompt", ChatPromptBuilder(template=template, required_variables="*"))
pipeline.add_component("llm", generator)
pipeline.connect("prompt.prompt", "llm.messages")
assert pipeline.run({"prompt": {"thing": "river"}})["llm"]["replies"][0].text
