"""The responses API, by the setting of the model."""

import os

from crewai import LLM

model = LLM(
    model=f"openai/{os.environ['MODEL']}", base_url=os.environ["OPENAI_BASE_URL"], api="responses", max_tokens=32
)
assert model.call("Say hello.")
